/**
 * Keystrokes as text, in JupyterLab's notation: `N`, `Shift Z`, `Accel Shift Z`, `PageUp`, `[`. `Accel` is Ctrl, or Command on a
 * Mac. Read by the character, not by the place on the keyboard, so that they fit all keyboards.
 */

const NAMES: Readonly<Record<string, string>> = { ' ': 'Space' };

/** What a pressed key may mean, the most exact first. Empty for a modifier alone. */
export function keystrokesOf(event: KeyboardEvent): string[] {
  if (['Shift', 'Control', 'Alt', 'Meta', 'AltGraph', 'Dead', 'Unidentified'].includes(event.key)) {
    return [];
  }
  // AltGr writes characters such as [ on many keyboards; some systems report it as Ctrl with Alt.
  const writes = event.getModifierState('AltGraph');
  const accel = !writes && (event.ctrlKey || event.metaKey) ? 'Accel ' : '';
  const before = accel + (!writes && event.altKey ? 'Alt ' : '');
  const name = NAMES[event.key] ?? (event.key.length === 1 ? event.key.toUpperCase() : event.key);
  const shift = event.shiftKey ? 'Shift ' : '';
  const letter = /^[A-Z]$/.test(name);
  // Shift is part of a character such as { already.
  const exact = before + (letter || name.length > 1 ? shift : '') + name;
  // The place on the keyboard, for other alphabets and for characters that Alt or Shift make of a letter or digit.
  const place = letter ? null : /^(?:Key([A-Z])|Digit(\d))$/.exec(event.code);
  const byPlace = place ? [before + shift + (place[1] ?? place[2]!)] : [];
  return [...new Set([exact, ...byPlace, before + name])];
}

/** A keystroke of JupyterLab's, whatever the order of its modifiers, as {@link keystrokesOf} writes it. */
export function normalKeystroke(text: string): string {
  const parts = text.trim().split(/\s+/);
  const key = parts.pop() ?? '';
  const has = (...names: string[]) => names.some(name => parts.includes(name));
  return [
    has('Accel', 'Ctrl', 'Cmd') ? 'Accel' : '',
    has('Alt') ? 'Alt' : '',
    has('Shift') ? 'Shift' : '',
    key.length === 1 ? key.toUpperCase() : key
  ]
    .filter(Boolean)
    .join(' ');
}

const SHOWN: Readonly<Record<string, string>> = {
  PageUp: 'Page Up',
  PageDown: 'Page Down',
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
  '-': '−'
};

/** A keystroke for users: `Ctrl+Shift+Z`. */
export function keystrokeText(keystroke: string): string {
  const accel = mac() ? 'Cmd' : 'Ctrl';
  return keystroke
    .split(' ')
    .map(part => (part === 'Accel' ? accel : (SHOWN[part] ?? part)))
    .join('+');
}

/** A keystroke as the attribute `aria-keyshortcuts` wants it: `Control+Shift+Z`. */
export function ariaKeystroke(keystroke: string): string {
  const accel = mac() ? 'Meta' : 'Control';
  return keystroke
    .split(' ')
    .map(part => (part === 'Accel' ? accel : part === '+' ? 'Plus' : part))
    .join('+');
}

function mac(): boolean {
  return /Mac|iPhone|iPad/.test(navigator.platform);
}
