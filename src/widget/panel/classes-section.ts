/** The list of classes: choose, lock, hide, rename, recolour, add, move, merge and remove them. */
import { CLASS_COLORS, CLASSES_MAX, LabelClass } from '../../shared';
import { button, element, icon, setDisabled, setText } from '../base/dom';
import { ClassSetsForm } from './class-sets-form';
import { dragRows } from './row-drag';
import { ISection, ISectionOptions } from './section';
import { StateWidget } from './state-widget';
import { trans } from '../base/translation';
import { ClassChange, merged, moved, removed } from '../state/class-rules';

interface IRow {
  node: HTMLElement;
  choose: HTMLButtonElement;
  key: HTMLElement;
  name: HTMLElement;
  count: HTMLElement;
  color: HTMLInputElement;
  hidden: HTMLButtonElement;
  locked: HTMLButtonElement;
  more: HTMLButtonElement;
  /** The commands that {@link more} shows. */
  commands: HTMLElement;
  up: HTMLButtonElement;
  down: HTMLButtonElement;
  merge: HTMLSelectElement;
  remove: HTMLButtonElement;
  item: LabelClass;
}

/** Whether another class has this name. */
export function nameTaken(classes: readonly LabelClass[], id: number, name: string): boolean {
  return classes.some(item => item.id !== id && item.name === name);
}

function labelledText(count: number): string {
  return count === 1 ? trans.__('1 labelled pixel') : trans.__('%1 labelled pixels', count.toLocaleString());
}

export const classesSection: ISection = { place: 'top', create: options => new ClassesSection(options) };

export class ClassesSection extends StateWidget {
  constructor({ state }: ISectionOptions) {
    super(state, ['session', 'choice', 'status']);
    this.addClass('sambalab-classes');
    this._list = element('div', {
      class: 'sambalab-class-rows',
      role: 'radiogroup',
      'aria-label': trans.__('Classes')
    });
    const add = button({
      testid: 'sambalab-class-add',
      title: trans.__('Add a class'),
      icon: 'plus',
      run: () => this._add()
    });
    this.node.append(
      element(
        'div',
        { class: 'sambalab-heading' },
        element('span', {}, trans.__('Classes')),
        element('span', { class: 'sambalab-heading-end' }, this._sets.toggle, add)
      ),
      this._list,
      this._sets.node
    );
    dragRows({
      list: this._list,
      rows: () => this._rows.map(({ node }) => node),
      handle: node => node.querySelector('.sambalab-class-choose') ?? this._list,
      move: (from, to) => this._move(this._rows[from]!, to - from)
    });
    this.refresh();
  }

  protected override refresh(): void {
    this._sets.refresh();
    const session = this._state.session;
    if (!session) {
      return;
    }
    const ids = session.classes.map(({ id }) => id).join();
    if (ids !== this._ids) {
      this._ids = ids;
      const known = new Map(this._rows.map(row => [row.item.id, row]));
      this._rows = session.classes.map(item => known.get(item.id) ?? this._row(item));
      const focused = document.activeElement;
      this._list.replaceChildren(...this._rows.map(({ node }) => node));
      if (focused instanceof HTMLElement && this._list.contains(focused)) {
        focused.focus({ preventScroll: true }); // a node that moves loses it
      }
    }
    const current = this._state.currentClass?.id;
    const { locked, hidden } = session.marks;
    const shares = session.segmentation?.counts;
    const all = Object.values(shares ?? {}).reduce((sum, n) => sum + n, 0);
    this._rows.forEach((row, index) => {
      const item = session.classes[index]!;
      row.item = item;
      const chosen = item.id === current;
      row.node.classList.toggle('sambalab-chosen', chosen);
      row.choose.setAttribute('aria-checked', String(chosen));
      setText(row.name, item.name);
      row.name.title = item.name;
      if (document.activeElement !== row.color) {
        row.color.value = item.color;
      }
      row.color.parentElement!.style.setProperty('--sambalab-class', item.color);
      const key = index < 9 ? String(index + 1) : '';
      setText(row.key, key);
      row.choose.title = key ? trans.__('Label this class (%1)', key) : trans.__('Label this class');
      const isHidden = hidden.includes(item.id);
      const isLocked = locked.includes(item.id);
      row.node.classList.toggle('sambalab-class-is-hidden', isHidden);
      press(row.hidden, isHidden, isHidden ? trans.__('Show %1', item.name) : trans.__('Hide %1', item.name));
      row.hidden.replaceChildren(icon(isHidden ? 'eyeOff' : 'eye'));
      press(row.locked, isLocked, isLocked ? trans.__('Unlock %1', item.name) : trans.__('Lock %1', item.name));
      row.locked.replaceChildren(icon(isLocked ? 'locked' : 'unlocked'));
      const more = trans.__('Move, rename, merge or remove %1', item.name);
      row.more.title = more;
      row.more.setAttribute('aria-label', more);
      const count = session.labels.counts[String(item.id)] ?? 0;
      const only = session.classes.length === 1;
      setDisabled(row.remove, only);
      row.remove.title = only
        ? trans.__('%1 is the last class', item.name)
        : count > 0
          ? trans.__('Remove %1 and its %2', item.name, labelledText(count))
          : trans.__('Remove %1', item.name);
      row.remove.setAttribute('aria-label', row.remove.title);
      setDisabled(row.up, index === 0);
      setDisabled(row.down, index === session.classes.length - 1);
      row.merge.disabled = only;
      const others = session.classes.filter(({ id }) => id !== item.id);
      const names = JSON.stringify(others);
      if (row.merge.dataset['of'] !== names) {
        row.merge.dataset['of'] = names;
        row.merge.replaceChildren(
          element('option', { value: '' }, trans.__('Merge into…')),
          ...others.map(other => element('option', { value: String(other.id) }, other.name))
        );
      }
      row.merge.setAttribute('aria-label', trans.__('Merge %1 into', item.name));
      const share = all > 0 ? trans.__('%1 %', ((100 * (shares?.[String(item.id)] ?? 0)) / all).toFixed(1)) : '';
      setText(row.count, share || (count > 0 ? compact(count) : ''));
      row.count.title = [count > 0 ? labelledText(count) : '', share ? trans.__('%1 of the segmentation', share) : '']
        .filter(Boolean)
        .join('\n');
    });
  }

  private _row(item: LabelClass): IRow {
    const name = element('span', { class: 'sambalab-class-name' });
    const count = element('span', { class: 'sambalab-class-count' });
    const key = element('kbd', { 'aria-hidden': 'true' });
    const choose = element(
      'button',
      {
        type: 'button',
        class: 'sambalab-class-choose',
        role: 'radio',
        'aria-keyshortcuts': 'F2 Alt+ArrowUp Alt+ArrowDown',
        'data-testid': `sambalab-class-${item.id}`
      },
      key,
      name,
      count
    );
    const color = element('input', {
      type: 'color',
      value: item.color,
      'aria-label': trans.__('Colour of %1', item.name),
      'data-testid': `sambalab-class-color-${item.id}`
    });
    const swatch = element('label', { class: 'sambalab-swatch', title: trans.__('Change the colour') }, color);
    const small = (name: string, title: string, which: Parameters<typeof icon>[0], run: () => void) =>
      button({
        testid: `sambalab-class-${name}-${item.id}`,
        title,
        icon: which,
        className: `sambalab-class-button sambalab-class-${name}`,
        run
      });
    const { id } = item;
    const mark = (which: 'locked' | 'hidden') =>
      void this._state.mark(which, id, !this._state.session?.marks[which].includes(id));
    const hidden = small('hide', trans.__('Hide'), 'eye', () => mark('hidden'));
    const locked = small('lock', trans.__('Lock'), 'unlocked', () => mark('locked'));
    const more = small('more', trans.__('More'), 'more', () => {
      row.commands.hidden = !row.commands.hidden;
      more.setAttribute('aria-expanded', String(!row.commands.hidden));
    });
    more.setAttribute('aria-expanded', 'false');
    const up = small('up', trans.__('Move up (Alt+↑)'), 'up', () => this._move(row, -1));
    const down = small('down', trans.__('Move down (Alt+↓)'), 'down', () => this._move(row, 1));
    const rename = small('rename', trans.__('Rename (F2)'), 'pencil', () => this._rename(row));
    const remove = small('remove', trans.__('Remove'), 'bin', () => this._remove(row));
    const merge = element('select', {
      class: 'sambalab-class-merge',
      title: trans.__('Give all its labels to another class, and remove it'),
      'data-testid': `sambalab-class-merge-${id}`
    });
    // Arrow keys choose in a closed list: the choice alone must not merge.
    const mergeNow = button({
      testid: `sambalab-class-merge-now-${id}`,
      title: trans.__('Merge the two classes'),
      text: trans.__('Merge'),
      run: () => this._merge(row)
    });
    mergeNow.hidden = true;
    merge.addEventListener('change', () => (mergeNow.hidden = merge.value === ''));
    const commands = element('div', { class: 'sambalab-class-commands' }, up, down, rename, merge, mergeNow, remove);
    commands.hidden = true;
    const node = element('div', { class: 'sambalab-class' }, swatch, choose, hidden, locked, more, commands);
    const parts = { choose, key, name, count, color, hidden, locked, more, commands, up, down, merge, remove };
    const row: IRow = { node, ...parts, item };
    choose.addEventListener('click', event => {
      this._state.setClass(row.item.id);
      if (event.detail > 0) {
        this._refocus();
      }
    });
    choose.addEventListener('dblclick', () => this._rename(row));
    choose.addEventListener('keydown', event => {
      if (event.key === 'F2') {
        this._rename(row);
      } else if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
        event.preventDefault();
        event.stopPropagation();
        this._move(row, event.key === 'ArrowUp' ? -1 : 1);
      }
    });
    color.addEventListener('change', () => this._change(row.item.id, { color: color.value.toLowerCase() }));
    return row;
  }

  private _rename(row: IRow): void {
    const input = element('input', {
      type: 'text',
      class: 'sambalab-class-input',
      value: row.item.name,
      maxlength: '200',
      'aria-label': trans.__('Name of the class'),
      'data-testid': 'sambalab-class-input'
    });
    const refusal = element('div', { class: 'sambalab-class-refusal', role: 'alert', 'data-kind': 'error' });
    let done = false;
    const finish = (keep: boolean, leaves = false) => {
      if (done) {
        return;
      }
      const name = input.value.trim();
      const taken = keep && nameTaken(this._state.session?.classes ?? [], row.item.id, name);
      if (taken) {
        setText(refusal, trans.__('A class is already named “%1”. Choose another name.', name));
        row.node.append(refusal);
        input.setAttribute('aria-invalid', 'true');
        if (!leaves) {
          input.select();
        }
        return;
      }
      done = true;
      refusal.remove();
      input.replaceWith(row.choose);
      if (keep && name && name !== row.item.name) {
        this._change(row.item.id, { name });
      }
    };
    input.addEventListener('blur', () => finish(true, true));
    input.addEventListener('input', () => {
      refusal.remove();
      input.removeAttribute('aria-invalid');
    });
    input.addEventListener('keydown', event => {
      if (event.key === 'Enter' || event.key === 'Escape') {
        event.preventDefault();
        event.stopPropagation();
        finish(event.key === 'Enter');
        if (done) {
          this._refocus();
        }
      }
    });
    row.choose.replaceWith(input);
    // The click on Rename still moves the focus after this; take it then.
    setTimeout(() => input.select());
  }

  private _change(id: number, values: Partial<Omit<LabelClass, 'id'>>): void {
    const classes = this._state.session?.classes ?? [];
    void this._state.setClasses(classes.map(item => (item.id === id ? { ...item, ...values } : item)));
  }

  private _add(): void {
    const classes = this._state.session?.classes ?? [];
    const id = freeId(classes, this._state.session?.segmentation?.classifier.classes ?? []);
    if (id === null) {
      return;
    }
    const color = CLASS_COLORS.find(one => !classes.some(item => item.color === one)) ?? CLASS_COLORS[id - 1]!;
    let name = trans.__('class %1', id);
    for (let number = id + 1; nameTaken(classes, id, name); number++) {
      name = trans.__('class %1', number);
    }
    const item = { id, name, color };
    void this._state.setClasses([...classes, item]).then(() => {
      this._state.setClass(id);
      const row = this._rows.find(one => one.item.id === id);
      if (row && !this.isDisposed) {
        this._rename(row);
      }
    });
  }

  /** Move a class in the list. A second click moves it on from where the first one brings it, however quick it is. */
  private _move({ item }: IRow, by: number): void {
    const { session } = this._state;
    const change = session && moved({ classes: this._moved ?? session.classes }, item.id, by);
    if (change) {
      this._moved = change.classes;
      void this._state.setClasses(change.classes).finally(() => {
        if (this._moved === change.classes) {
          this._moved = null;
        }
      });
    }
  }

  private _remove({ item }: IRow): void {
    const { session } = this._state;
    if (session && session.classes.length > 1) {
      void this._relabel(removed(session, item.id), trans.__('%1 is removed.', item.name));
    }
  }

  private _merge({ item, merge }: IRow): void {
    const { session } = this._state;
    const into = session?.classes.find(({ id }) => String(id) === merge.value);
    if (session && into) {
      void this._relabel(merged(session, item.id, into.id), trans.__('%1 is now part of %2.', item.name, into.name));
    }
  }

  private async _relabel({ classes, relabel }: ClassChange, done: string): Promise<void> {
    await this._state.setClasses(classes, relabel);
    if (this._state.error === null && !this._state.isDisposed) {
      this._state.note(`${done} ${trans.__('Ctrl+Z takes it back.')}`);
    }
  }

  private _refocus(): void {
    this.node.closest<HTMLElement>('.sambalab')?.focus({ preventScroll: true });
  }

  private readonly _sets = new ClassSetsForm(this._state);
  private readonly _list: HTMLElement;
  private _rows: IRow[] = [];
  private _ids = '';
  /** The order that was asked for last, until the sidecar has answered. */
  private _moved: LabelClass[] | null = null;
}

/** Show whether a button is pressed, and what it does. */
function press(node: HTMLButtonElement, pressed: boolean, title: string): void {
  node.setAttribute('aria-pressed', String(pressed));
  node.title = title;
  node.setAttribute('aria-label', title);
}

/** A number in four characters or so: 12,345 is 12K. */
function compact(count: number): string {
  return count.toLocaleString(undefined, { notation: 'compact', maximumSignificantDigits: 3 });
}

/**
 * The id of a new class; null if all are used. Ids of removed classes that the segmentation still shows are taken last: their
 * pixels would appear as the new class.
 */
export function freeId(classes: readonly LabelClass[], learned: readonly LabelClass[]): number | null {
  const used = new Set(classes.map(({ id }) => id));
  const shown = new Set(learned.map(({ id }) => id));
  const ids = Array.from({ length: CLASSES_MAX }, (_, i) => i + 1).filter(id => !used.has(id));
  return ids.find(id => !shown.has(id)) ?? ids[0] ?? null;
}
