/** @jest-environment jsdom */
import '../../__tests__/page';
import { Signal } from '@lumino/signaling';
import type { LabelClass } from '../../../shared';
import { ClassesSection, freeId } from '../classes-section';
import { InvalidFields } from '../fields';
import type { LabellerState } from '../../state/labeller-state';

const matrix = { id: 1, name: 'matrix', color: '#e69f00' };
const pore = { id: 2, name: 'pore', color: '#56b4e9' };

function make(classes: LabelClass[], counts: Record<string, number> = {}) {
  const owner = {};
  const changed = new Signal<object, string>(owner);
  const state = {
    changed,
    parts: null,
    session: { classes, labels: { version: 0, counts } },
    currentClass: classes[0],
    setClass: () => undefined,
    setClasses: async (next: LabelClass[]) => {
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
  return { get, rename, refusal, names };
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

  it('removes a class without labelled pixels', () => {
    const { get, names } = make([matrix, pore], { 1: 7 });
    expect(get('remove-2')!.title).toBe('Remove pore');
    get('remove-2')!.click();
    expect(names()).toEqual(['matrix']);
  });

  it('refuses to remove a class with labelled pixels or the last class, and says why', () => {
    const labelled = make([matrix, pore], { 2: 7 });
    expect(labelled.get('remove-2')!.getAttribute('aria-disabled')).toBe('true');
    expect(labelled.get('remove-2')!.title).toContain('7 labelled pixels');
    labelled.get('remove-2')!.click();
    expect(labelled.names()).toEqual(['matrix', 'pore']);
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
