/** The list of all keys, over the labeller: made from the commands, so that no key is missing. */
import { button, element } from '../base/dom';
import { trans } from '../base/translation';
import { COMMANDS, CommandGroup, GROUPS, ICommand, keysOf, keystrokeText } from '../commands';

/** Show the list over a labeller, or close it. */
export function toggleHelp(root: HTMLElement): void {
  const open = root.querySelector<HTMLDialogElement>(':scope > .sambalab-help');
  if (open) {
    open.close();
    return;
  }
  const before = document.activeElement;
  const dialog = element(
    'dialog',
    { class: 'sambalab-help', 'aria-label': trans.__('Keys'), 'data-testid': 'sambalab-help' },
    element(
      'div',
      { class: 'sambalab-help-head' },
      element('h2', {}, trans.__('Keys')),
      button({
        testid: 'sambalab-help-close',
        title: trans.__('Close (%1)', keystrokeText('Escape')),
        icon: 'close',
        run: () => dialog.close()
      })
    ),
    element(
      'div',
      // It scrolls: the keyboard must reach it.
      { class: 'sambalab-help-body', tabindex: '0', role: 'group', 'aria-label': trans.__('List of keys') },
      ...GROUPS.map(group => table(groupTitle(group), rowsOf(group))),
      table(trans.__('Mouse, pen and fingers'), pointerRows())
    ),
    element(
      'p',
      { class: 'sambalab-help-foot' },
      trans.__('Change the keys in JupyterLab’s settings, under Keyboard Shortcuts: search for SambaLab.')
    )
  );
  // The labeller's keys rest while the list is open, but the one that opened it closes it.
  dialog.addEventListener('keydown', event => {
    event.stopPropagation();
    if (event.key === '?') {
      event.preventDefault();
      dialog.close();
    }
  });
  dialog.addEventListener('click', event => {
    if (event.target === dialog) {
      dialog.close(); // beside the list
    }
  });
  dialog.addEventListener('close', () => {
    dialog.remove();
    const back = before instanceof HTMLElement && root.contains(before) ? before : root;
    back.focus({ preventScroll: true });
  });
  root.append(dialog);
  dialog.showModal();
  dialog.querySelector<HTMLElement>('.sambalab-help-body')!.focus({ preventScroll: true });
}

interface IRow {
  keys: readonly string[];
  text: string;
}

function rowsOf(group: CommandGroup): IRow[] {
  const rows = new Map<string, ICommand[]>();
  for (const command of COMMANDS) {
    if (command.group === group && keysOf(command).length > 0) {
      const text = command.row?.() ?? command.label();
      rows.set(text, [...(rows.get(text) ?? []), command]);
    }
  }
  return [...rows].map(([text, commands]) => {
    const keys = commands.flatMap(command => keysOf(command).map(keystrokeText));
    return { text, keys: shortened(keys) };
  });
}

/** Many keys as the first and the last; keys with the same modifier after it. */
function shortened(keys: string[]): string[] {
  const before = /^[^+]+\+/.exec(keys[0] ?? '')?.[0];
  if (keys.length > 2 && before && keys.every(key => key.startsWith(before))) {
    return [before + keys.map(key => key.slice(before.length)).join(' ')];
  }
  return keys.length > 4 ? [`${keys[0]!} … ${keys[keys.length - 1]!}`] : keys;
}

function pointerRows(): IRow[] {
  return [
    { keys: [trans.__('Wheel')], text: trans.__('Zoom at the pointer') },
    { keys: [trans.__('Shift+wheel')], text: trans.__('Previous or next slice') },
    { keys: [trans.__('Alt+wheel')], text: trans.__('Size of the brush; scale of suggestions') },
    { keys: [trans.__('Middle drag')], text: trans.__('Move the image') },
    { keys: [trans.__('Right click')], text: trans.__('Suggestions at another scale; close the polygon') },
    {
      keys: [trans.__('Shift+click')],
      text: trans.__('Straight line from the last stroke; hold the suggestion, and add to it')
    },
    { keys: [trans.__('Ctrl+click')], text: trans.__('Take away from the suggestion that is held') },
    { keys: [trans.__('Drag')], text: trans.__('A box for a suggestion; with Shift or Ctrl a scribble') },
    { keys: [trans.__('Alt+drag')], text: trans.__('Erase with brush, polygon or lasso') },
    { keys: [trans.__('Two fingers')], text: trans.__('Move and zoom') }
  ];
}

function table(title: string, rows: readonly IRow[]): HTMLElement {
  return element(
    'section',
    {},
    element('h3', {}, title),
    element(
      'dl',
      {},
      ...rows.map(({ keys, text }) =>
        element('div', {}, element('dt', {}, ...keys.map(key => element('kbd', {}, key))), element('dd', {}, text))
      )
    )
  );
}

function groupTitle(group: CommandGroup): string {
  const titles: Record<CommandGroup, string> = {
    tools: trans.__('Tools'),
    suggestions: trans.__('SAM’s suggestions'),
    drawing: trans.__('Drawing'),
    changes: trans.__('Way back'),
    classes: trans.__('Classes'),
    view: trans.__('View'),
    keyboard: trans.__('Without a mouse'),
    training: trans.__('Training')
  };
  return titles[group];
}
