/** @jest-environment jsdom */
import '../../__tests__/page';
import { Signal } from '@lumino/signaling';
import type { LabelClass } from '../../../shared';
import { ClassesSection, freeId } from '../classes-section';
import { InvalidFields } from '../fields';
import { marked } from '../../state/class-rules';
import type { LabellerState } from '../../state/labeller-state';

const matrix = { id: 1, name: 'matrix', color: '#e69f00' };
const pore = { id: 2, name: 'pore', color: '#56b4e9' };

function make(classes: LabelClass[], counts: Record<string, number> = {}) {
  const owner = {};
  const changed = new Signal<object, string>(owner);
  const state = {
    changed,
    parts: null,
    session: {
      classes,
      labels: { version: 0, counts },
      marks: { locked: [] as number[], hidden: [] as number[] },
      segmentation: null as { counts: Record<string, number> } | null
    },
    error: null,
    isDisposed: false,
    notes: [] as string[],
    relabel: undefined as number[][] | undefined,
    note: (text: string) => state.notes.push(text),
    mark: async (which: 'locked' | 'hidden', id: number, on: boolean) => {
      state.session = { ...state.session, marks: marked(state.session.marks, which, id, on) };
      changed.emit('session');
    },
    currentClass: classes[0],
    setClass: () => undefined,
    setClasses: async (next: LabelClass[], relabel?: number[][]) => {
      state.relabel = relabel;
      state.session = { ...state.session, classes: next };
      changed.emit('session');
    }
  };
  const list = new ClassesSection({ state: state as unknown as LabellerState, invalid: new InvalidFields() });
  document.body.replaceChildren(list.node);
  const get = (testid: string) => list.node.querySelector<HTMLElement>(`[data-testid="sambalab-class-${testid}"]`);
  const rename = (id: number, name: string, how: 'Enter' | 'blur' = 'Enter') => {
    if (!get('input')) {
      get(`rename-${id}`)!.click();
    }
    (get('input') as HTMLInputElement).value = name;
    get('input')!.dispatchEvent(
      how === 'blur' ? new FocusEvent('blur') : new KeyboardEvent('keydown', { key: 'Enter', bubbles: true })
    );
  };
  const refusal = () => list.node.querySelector('[role="alert"]')?.textContent ?? null;
  const names = () => state.session.classes.map(({ name }) => name);
  return { get, rename, refusal, names, state, changed };
}

describe('ClassesSection', () => {
  it.each(['Enter', 'blur'] as const)('refuses the name of another class and keeps the input open (%s)', how => {
    const { get, rename, refusal, names } = make([matrix, pore]);
    rename(2, ' matrix ', how);
    expect(names()).toEqual(['matrix', 'pore']);
    expect(refusal()).toContain('“matrix”');
    expect(get('input')).not.toBeNull();
    rename(2, 'void', how);
    expect(names()).toEqual(['matrix', 'void']);
    expect(refusal()).toBeNull();
    expect(get('input')).toBeNull();
  });

  it('gives a new class a name that no other class has', () => {
    const { get, names } = make([matrix, { ...pore, id: 5, name: 'class 2' }]);
    get('add')!.click();
    expect(names()).toEqual(['matrix', 'class 2', 'class 3']);
  });

  it('removes a class with its labelled pixels, and says how many there are', async () => {
    const { get, names, state } = make([matrix, pore], { 2: 7 });
    expect(get('remove-1')!.title).toBe('Remove matrix');
    expect(get('remove-2')!.title).toBe('Remove pore and its 7 labelled pixels');
    get('remove-2')!.click();
    expect(names()).toEqual(['matrix']);
    expect(state.relabel).toEqual([[2, 0]]);
    await Promise.resolve();
    expect(state.notes).toEqual(['pore is removed. Ctrl+Z takes it back.']);
  });

  it('merges a class into another one only when the button is pressed', () => {
    const { get, names, state } = make([matrix, pore, { ...pore, id: 3, name: 'crack' }]);
    const select = get('merge-3') as HTMLSelectElement;
    expect([...select.options].map(({ text }) => text)).toEqual(['Merge into…', 'matrix', 'pore']);
    expect(get('merge-now-3')!.hidden).toBe(true);
    select.value = '2';
    select.dispatchEvent(new Event('change'));
    expect(names()).toHaveLength(3);
    get('merge-now-3')!.click();
    expect(names()).toEqual(['matrix', 'pore']);
    expect(state.relabel).toEqual([[3, 2]]);
  });

  it('moves classes by button and key; the number keys follow, and the focus stays', () => {
    const { get, names } = make([matrix, pore, { ...pore, id: 3, name: 'crack' }]);
    const key = (id: string) => get(id)!.querySelector('kbd')!.textContent;
    get('3')!.focus();
    get('3')!.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', altKey: true }));
    expect(names()).toEqual(['matrix', 'crack', 'pore']);
    expect([key('1'), key('3'), key('2')]).toEqual(['1', '2', '3']);
    expect(document.activeElement).toBe(get('3'));
    get('down-3')!.click();
    expect(names()).toEqual(['matrix', 'pore', 'crack']);
    expect(get('down-3')!.getAttribute('aria-disabled')).toBe('true');
    get('down-3')!.click();
    expect(names()).toEqual(['matrix', 'pore', 'crack']);
  });

  it('locks and hides classes, and shows phase fractions once there is a segmentation', () => {
    const { get, state, changed } = make([matrix, pore], { 1: 12345 });
    const count = (id: string) => get(id)!.querySelector('.sambalab-class-count')!;
    get('lock-2')!.click();
    get('hide-1')!.click();
    expect(state.session.marks).toEqual({ locked: [2], hidden: [1] });
    expect([get('lock-2')!.title, get('hide-1')!.getAttribute('aria-pressed')]).toEqual(['Unlock pore', 'true']);
    get('lock-2')!.click();
    expect(state.session.marks.locked).toEqual([]);
    expect([count('1').textContent, count('2').textContent]).toEqual(['12.3K', '']);
    state.session = { ...state.session, segmentation: { counts: { 1: 150, 2: 50 } } };
    changed.emit('session');
    expect([count('1').textContent, count('2').textContent]).toEqual(['75.0 %', '25.0 %']);
    expect((count('1') as HTMLElement).title).toBe('12,345 labelled pixels\n75.0 % of the segmentation');
  });

  it('does not remove the last class, and says why', () => {
    const last = make([matrix]);
    expect(last.get('remove-1')!.title).toBe('matrix is the last class');
    last.get('remove-1')!.click();
    expect(last.names()).toEqual(['matrix']);
  });
});

describe('the id of a new class', () => {
  it('is the first free one; the id of a removed class that the segmentation shows is taken last', () => {
    const all = Array.from({ length: 255 }, (_, i) => ({ ...pore, id: i + 1 }));
    expect(freeId([matrix], [])).toBe(2);
    expect(freeId([matrix], [matrix, pore])).toBe(3);
    expect(freeId([matrix], all)).toBe(2);
    expect(freeId(all, [])).toBeNull();
  });
});
