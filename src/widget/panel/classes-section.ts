/** The list of classes: choose, rename, recolour, add and remove them. */
import { CLASS_COLORS, CLASSES_MAX, LabelClass } from '../../shared';
import { button, element, setText } from '../base/dom';
import { ISection, ISectionOptions } from './section';
import { StateWidget } from './state-widget';
import { trans } from '../base/translation';

interface IRow {
  node: HTMLElement;
  choose: HTMLButtonElement;
  name: HTMLElement;
  count: HTMLElement;
  color: HTMLInputElement;
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

/** Why a class cannot be removed; null if it can. */
export function keptBecause(
  classes: readonly LabelClass[],
  { id, name }: LabelClass,
  counts: Readonly<Record<string, number>>
): string | null {
  const count = counts[String(id)] ?? 0;
  if (count > 0) {
    return trans.__('%1 has %2; erase them to remove the class', name, labelledText(count));
  }
  return classes.length === 1 ? trans.__('%1 is the last class', name) : null;
}

export const classesSection: ISection = { place: 'top', create: options => new ClassesSection(options) };

export class ClassesSection extends StateWidget {
  constructor({ state }: ISectionOptions) {
    super(state, ['session', 'choice']);
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
      element('div', { class: 'sambalab-heading' }, element('span', {}, trans.__('Classes')), add),
      this._list
    );
    this.refresh();
  }

  protected override refresh(): void {
    const session = this._state.session;
    if (!session) {
      return;
    }
    const ids = session.classes.map(({ id }) => id).join();
    if (ids !== this._ids) {
      this._ids = ids;
      this._rows = session.classes.map((item, index) => this._row(item, index));
      this._list.replaceChildren(...this._rows.map(({ node }) => node));
    }
    const current = this._state.currentClass?.id;
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
      const why = keptBecause(session.classes, item, session.labels.counts);
      // Not `disabled`: such a button cannot take the focus, and in some browsers shows no tooltip.
      row.remove.setAttribute('aria-disabled', String(why !== null));
      row.remove.title = why ?? trans.__('Remove %1', item.name);
      row.remove.setAttribute('aria-label', row.remove.title);
      const count = session.labels.counts[String(item.id)] ?? 0;
      setText(row.count, count > 0 ? count.toLocaleString() : '');
      row.count.title = count > 0 ? labelledText(count) : '';
    });
  }

  private _row(item: LabelClass, index: number): IRow {
    const name = element('span', { class: 'sambalab-class-name' });
    const count = element('span', { class: 'sambalab-class-count' });
    const key = index < 9 ? String(index + 1) : '';
    const choose = element(
      'button',
      {
        type: 'button',
        class: 'sambalab-class-choose',
        role: 'radio',
        title: key ? trans.__('Label this class (%1)', key) : trans.__('Label this class'),
        'data-testid': `sambalab-class-${item.id}`
      },
      element('kbd', { 'aria-hidden': 'true' }, key),
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
    const remove = button({
      testid: `sambalab-class-remove-${item.id}`,
      title: trans.__('Remove'),
      icon: 'close',
      className: 'sambalab-class-rename',
      run: () => this._remove(row)
    });
    const row: IRow = { node: element('div', { class: 'sambalab-class' }), choose, name, count, color, remove, item };
    const rename = button({
      testid: `sambalab-class-rename-${item.id}`,
      title: trans.__('Rename'),
      icon: 'pencil',
      className: 'sambalab-class-rename',
      run: () => this._rename(row)
    });
    row.node.append(swatch, choose, rename, remove);
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

  private _remove(row: IRow): void {
    const session = this._state.session;
    const unsent = this._state.parts?.labels.queue.waiting.some(({ classId }) => classId === row.item.id);
    if (session && !unsent && keptBecause(session.classes, row.item, session.labels.counts) === null) {
      void this._state.setClasses(session.classes.filter(({ id }) => id !== row.item.id));
    }
  }

  private _refocus(): void {
    this.node.closest<HTMLElement>('.sambalab')?.focus({ preventScroll: true });
  }

  private readonly _list: HTMLElement;
  private _rows: IRow[] = [];
  private _ids = '';
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
