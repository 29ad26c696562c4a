/** @jest-environment jsdom */
import '../../__tests__/page';
import { Signal } from '@lumino/signaling';
import type { LabelClass } from '../../../shared';
import { Answer, FakeLink } from '../../base/__tests__/fake-link';
import { ClassSets } from '../../state/class-sets';
import { ClassesSection, freeId } from '../classes-section';
import { InvalidFields } from '../fields';
import { marked } from '../../state/class-rules';
import type { LabellerState } from '../../state/labeller-state';

const matrix = { id: 1, name: 'matrix', color: '#e69f00' };
const pore = { id: 2, name: 'pore', color: '#56b4e9' };

function make(classes: LabelClass[], counts: Record<string, number> = {}, sets?: Answer) {
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
    classSets: new ClassSets({ link: new FakeLink(sets) }),
    useClassSet: async (name: string) => void state.used.push(name),
    used: [] as string[],
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
  state.classSets.changed.connect(() => changed.emit('status'));
  const refusal = () => list.node.querySelector('[role="alert"]')?.textContent ?? null;
  const names = () => state.session.classes.map(({ name }) => name);
  return { get, rename, refusal, names, state, changed };
}

describe('ClassesSection', () => {
  it('saves the classes as a set, says what a name would replace, and uses and removes a set', async () => {
    let kept: { name: string; classes: object[] }[] = [];
    const { get, state } = make([matrix, pore], {}, async (method, params: { name: string; classes: object[] }) => {
      if (method === 'class-sets.save') {
        kept = [...kept.filter(({ name }) => name !== params.name), params];
      } else if (method === 'class-sets.remove') {
        kept = kept.filter(({ name }) => name !== params.name);
      }
      return { result: { sets: kept } };
    });
    const settled = () => new Promise(resolve => setTimeout(resolve));
    get('sets-toggle')!.click();
    await settled();
    expect(get('sets-toggle')!.getAttribute('aria-expanded')).toBe('true');
    expect(get('sets-note')!.textContent).toMatch(/^No set was saved yet/);
    const name = get('set-name') as HTMLInputElement;
    name.value = ' rocks ';
    name.dispatchEvent(new Event('input'));
    expect(get('set-save')!.textContent).toBe('Save as set');
    name.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
    await settled();
    const without = [matrix, pore].map(({ name, color }) => ({ name, color }));
    expect(kept).toEqual([{ name: 'rocks', classes: without }]);
    expect(get('sets-note')!.textContent).toBe('Saved as “rocks”.');
    expect(get('set-save')!.textContent).toBe('Replace the set');
    get('set-use')!.click();
    await settled();
    expect(state.used).toEqual(['rocks']);
    expect(state.notes.at(-1)).toBe('The classes are those of “rocks” now. Ctrl+Z takes it back.');
    get('set-remove')!.click();
    await settled();
    expect(kept).toEqual([]);
    get('set-use')!.click();
    expect(state.used).toEqual(['rocks']); // there is none to use
  });

  it('says why sets cannot be listed', async () => {
    const { get } = make([matrix], {}, () => Promise.reject(new Error('the file holds no class sets')));
    get('sets-toggle')!.click();
    await new Promise(resolve => setTimeout(resolve));
    expect(get('sets-note')!.textContent).toBe('the file holds no class sets');
    expect(get('sets-note')!.dataset['kind']).toBe('error');
  });

  it('moves a class that is dragged with the mouse, and none if it is dropped in place, with Escape, or by a finger', async () => {
    const third = { id: 3, name: 'third', color: '#112233' };
    const { get, names } = make([matrix, pore, third]);
    const rows = () => [1, 2, 3].map(id => get(String(id))!.parentElement!);
    const fire = (target: EventTarget, type: string, clientY: number, pointerType = 'mouse') =>
      target.dispatchEvent(
        Object.assign(new MouseEvent(type, { bubbles: true, cancelable: true, clientY }), { pointerType })
      );
    const drag = (id: number, to: number, end = 'pointerup', pointerType = 'mouse') => {
      rows().forEach(row => {
        const top = 20 * [...row.parentElement!.children].indexOf(row);
        row.querySelector('button')!.getBoundingClientRect = () => ({ top, height: 20 }) as DOMRect;
      });
      const from = 20 * [...rows()[0]!.parentElement!.children].indexOf(get(String(id))!.parentElement!) + 10;
      fire(get(String(id))!, 'pointerdown', from, pointerType);
      fire(window, 'pointermove', from + 1, pointerType);
      fire(window, 'pointermove', to, pointerType);
      if (end === 'Escape') {
        window.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
      }
      fire(window, 'pointerup', to, pointerType);
    };
    drag(1, 55);
    expect(names()).toEqual(['pore', 'third', 'matrix']);
    drag(1, 5);
    expect(names()).toEqual(['matrix', 'pore', 'third']);
    drag(2, 32);
    drag(1, 55, 'Escape');
    drag(1, 55, 'pointerup', 'touch');
    expect(names()).toEqual(['matrix', 'pore', 'third']);
    expect(document.querySelector('.sambalab-dragged, .sambalab-drop-below, .sambalab-drop-above')).toBeNull();
    await new Promise(resolve => setTimeout(resolve)); // until then, the click after a drag is swallowed
  });

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

  it('moves a class twice for two quick clicks, though the first move takes its time', async () => {
    const { get, names, state } = make([matrix, pore, { id: 3, name: 'crack', color: '#000000' }]);
    const { setClasses } = state;
    state.setClasses = async next => {
      await new Promise(resolve => setTimeout(resolve, 5));
      await setClasses(next);
    };
    get('up-3')!.click();
    get('up-3')!.click();
    expect(names()).toEqual(['matrix', 'pore', 'crack']);
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(names()).toEqual(['crack', 'matrix', 'pore']);
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
