/** Helpers that make DOM nodes, and the widget's icons, drawn on a grid of 16 × 16 in currentColor. */

type Attributes = Record<string, string | undefined>;

/** Make an element with attributes and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children);
  return node;
}

const ICONS = {
  fit: '<path d="M2.500 6V2.500H6M10 2.500h3.500V6M13.500 10v3.500H10M6 13.500H2.500V10"/><path d="M5.500 5.500h5v5h-5z"/>',
  window: '<path d="M9.500 2.500h4v4M13.300 2.700 9.200 6.800M6.500 13.500h-4v-4M2.700 13.300l4.100-4.100"/>',
  plus: '<path d="M8 3v10M3 8h10"/>',
  undo: '<path d="M6 3 2.8 6.200 6 9.400"/><path d="M3 6.200h6a3.600 3.600 0 0 1 0 7.200H6.500"/>',
  redo: '<path d="m10 3 3.200 3.200L10 9.400"/><path d="M13 6.200H7a3.600 3.600 0 0 0 0 7.200h2.500"/>',
  keys: '<path d="M2.500 4h11a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1z"/><path d="M4.200 6.700h.010M6.700 6.700h.010M9.300 6.700h.010M11.800 6.700h.010M5 9.500h6"/>',
  minus: '<path d="M3 8h10"/>',
  shield:
    '<path d="M8 1.800 3 3.700v4c0 3.100 2 5.300 5 6.500 3-1.200 5-3.400 5-6.500v-4z"/><path d="m5.700 7.900 1.700 1.700 3-3.200"/>',
  target:
    '<circle cx="8" cy="8" r="4.200"/><path d="M8 1.500v3M8 11.500v3M1.500 8h3M11.500 8h3"/><circle cx="8" cy="8" r=".900" fill="currentColor" stroke="none"/>',
  train: '<path d="M4.500 2.800v10.400L13 8z" fill="currentColor" stroke-linejoin="round"/>',
  live: '<path d="M9.200 1.600 3.600 9h3.600L6.400 14.400 12.400 6.800H8.700z" fill="currentColor" stroke-linejoin="round"/>',
  stop: '<path d="M4 4h8v8H4z" fill="currentColor"/>',
  pencil: '<path d="m3 13 .6-2.700L10.900 3a1 1 0 0 1 1.400 0l.7.7a1 1 0 0 1 0 1.400l-7.300 7.300z"/>',
  close: '<path d="m4 4 8 8M12 4l-8 8"/>',
  up: '<path d="M8 13V3M4 7l4-4 4 4"/>',
  down: '<path d="M8 3v10M4 9l4 4 4-4"/>',
  bin: '<path d="M3 4.500h10M6 4.500V2.800h4v1.700M4.200 4.500l.6 8.700h6.400l.6-8.700M6.800 7v4M9.200 7v4"/>',
  more: '<circle cx="3.500" cy="8" r="1" fill="currentColor"/><circle cx="8" cy="8" r="1" fill="currentColor"/><circle cx="12.500" cy="8" r="1" fill="currentColor"/>',
  locked:
    '<rect x="3.500" y="7" width="9" height="6.500" rx="1" fill="currentColor"/><path d="M5.500 7V5a2.500 2.500 0 0 1 5 0v2"/>',
  unlocked:
    '<rect x="3.500" y="7" width="9" height="6.500" rx="1"/><path d="M5.500 7V4.500a2.500 2.500 0 0 1 4.800-.9"/>',
  sliders:
    '<path d="M2.500 5h6M12 5h1.500M2.500 11H4M7.500 11h6"/><circle cx="10.200" cy="5" r="1.700"/><circle cx="5.800" cy="11" r="1.700"/>',
  eye: '<path d="M1.500 8C3 5.200 5.300 3.700 8 3.700S13 5.200 14.500 8C13 10.800 10.700 12.300 8 12.300S3 10.800 1.500 8z"/><circle cx="8" cy="8" r="2"/>',
  eyeOff:
    '<path d="M1.500 8C3 5.200 5.300 3.700 8 3.700S13 5.200 14.500 8C13 10.800 10.700 12.300 8 12.300S3 10.800 1.500 8z"/><path d="m3 13 10-10"/>',
  sets: '<path d="M5 4h8.500M5 8h8.500M5 12h5"/><path d="M2.500 4h.010M2.500 8h.010M2.500 12h.010M12.500 10.500v3M11 12h3"/>',
  save: '<path d="M8 2.500v7M5 6.800l3 3 3-3M2.800 12.800h10.400"/>',
  open: '<path d="M8 9.800v-7M5 5.500l3-3 3 3M2.800 12.800h10.400"/>'
} as const;

/** One of the icons above by its name, or the inside of an SVG of 16 × 16 units. */
export type Icon = keyof typeof ICONS | { svg: string };

/** An icon. Hidden from assistive technology: the button around it has a label. */
export function icon(which: Icon): HTMLElement {
  const node = element('span', { class: 'sambalab-icon', 'aria-hidden': 'true' });
  node.innerHTML =
    '<svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.3" ' +
    `stroke-linecap="round" stroke-linejoin="round" focusable="false">${typeof which === 'string' ? ICONS[which] : which.svg}</svg>`;
  return node;
}

/** A button with an icon, or text, or both. */
export function button(options: {
  testid: string;
  title: string;
  icon?: Icon;
  text?: string;
  className?: string;
  run(): void;
}): HTMLButtonElement {
  const node = element('button', {
    type: 'button',
    class: `sambalab-button ${options.className ?? ''}`.trim(),
    title: options.title,
    'aria-label': options.text ? undefined : options.title,
    'data-testid': options.testid
  });
  if (options.icon) {
    node.append(icon(options.icon));
  }
  if (options.text) {
    node.append(element('span', {}, options.text));
  }
  node.addEventListener('click', event => {
    if (!inert.has(node)) {
      options.run();
    }
    // After a click with the pointer the labeller takes the focus, so that its keys work.
    if (event.detail > 0) {
      node.closest<HTMLElement>('.sambalab')?.focus({ preventScroll: true });
    }
  });
  return node;
}

/** Disabled buttons. */
const inert = new WeakSet<HTMLButtonElement>();

/** Disable or enable a button of {@link button}. It keeps the focus; with the attribute `disabled` it would lose it. */
export function setDisabled(node: HTMLButtonElement, disabled: boolean): void {
  node.setAttribute('aria-disabled', String(disabled));
  if (disabled) {
    inert.add(node);
  } else {
    inert.delete(node);
  }
}

/** Hide or show a node. If it contains the focus, `heir` takes the focus first. */
export function hide(node: HTMLElement, hidden: boolean, heir: HTMLElement): void {
  if (hidden && !node.hidden && node.contains(document.activeElement)) {
    heir.focus({ preventScroll: true });
  }
  node.hidden = hidden;
}

/** Set a node's text if it differs, so that nothing is announced or laid out without need. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** A range input with its label, and its value as text. */
export function slider(options: {
  testid: string;
  label: string;
  title: string;
  min: number;
  max: number;
  step?: number;
  format(value: number): string;
  input(value: number): void;
}): { node: HTMLLabelElement; set(value: number): void } {
  const range = element('input', {
    type: 'range',
    min: String(options.min),
    max: String(options.max),
    step: String(options.step ?? 1),
    'data-testid': options.testid
  });
  const value = element('span', { class: 'sambalab-value', 'aria-hidden': 'true' });
  const node = element(
    'label',
    { class: 'sambalab-slider', title: options.title },
    element('span', { class: 'sambalab-slider-label' }, options.label),
    range,
    value
  );
  range.addEventListener('input', () => options.input(Number(range.value)));
  return {
    node,
    set(next) {
      if (Number(range.value) !== next) {
        range.value = String(next);
      }
      range.setAttribute('aria-valuetext', options.format(next));
      setText(value, options.format(next));
    }
  };
}

/**
 * Let go of a canvas's memory at once. A dropped canvas is a small object for the garbage collector, which leaves its pixels in memory for
 * minutes.
 */
export function release(canvas: HTMLCanvasElement): void {
  canvas.width = canvas.height = 0;
}
