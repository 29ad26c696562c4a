/** @jest-environment jsdom */
import '../../__tests__/page';
import { closeAll, open, stroke, until } from '../../state/__tests__/fake-sidecar';
import { findCommand, ILabellerView } from '../../commands';
import { SliceBar } from '../slice-bar';

afterEach(closeAll);

/** The controls of a stack of 20 slices, of which some have labels. */
async function show() {
  const labeller = await open(undefined, undefined, 20);
  const { sidecar, state, parts } = labeller;
  const view = { state } as ILabellerView;
  const bar = new SliceBar(view);
  state.changed.connect(() => bar.refresh());
  /** The sidecar says which slices have labels. */
  const tell = async (labelled: number[], interpolated: number[]) => {
    Object.assign(sidecar.slicesWithLabels, { labelled, interpolated });
    sidecar.version++;
    sidecar.tell('session', sidecar.session);
    await until(() => parts.labelled.labelled.join() === labelled.join());
  };
  const marks = () =>
    [...bar.node.querySelectorAll<HTMLElement>('.sambalab-slice-mark')].map(mark => [
      mark.title,
      mark.classList.contains('sambalab-interpolated')
    ]);
  const enabled = (name: string) => findCommand(name).enabled!(view);
  const run = (name: string) => enabled(name) && findCommand(name).run(view);
  return { ...labeller, bar, tell, marks, enabled, run };
}

it('marks slices with labels and those with only interpolated ones, and jumps between them', async () => {
  const { state, bar, tell, marks, run } = await show();
  expect(marks()).toEqual([]);
  await tell([2, 6], [3, 4, 5, 9]);
  expect(marks()).toEqual([
    ['Slice 2: labels', false],
    ['Slice 6: labels', false],
    ['Slices 3 to 5: interpolated labels', true],
    ['Slice 9: interpolated labels', true]
  ]);
  const path = ['next', 'next', 'next', 'next', 'next', 'next', 'next', 'previous'].map(direction => {
    run(`${direction}-labelled-slice`);
    return state.slice;
  });
  expect(path).toEqual([2, 3, 4, 5, 6, 9, 9, 6]);
  bar.node.querySelector<HTMLElement>('[data-first="3"]')!.click();
  expect(state.slice).toBe(5);
});

it('copies and fills right after a stroke, before the sidecar has said which slices have labels', async () => {
  const { sidecar, state, enabled, run } = await show();
  expect(enabled('copy-labels-to-next-slice')).toBe(false);
  stroke(state, 1, 100, 240);
  expect([enabled('copy-labels-to-next-slice'), enabled('fill-between-slices')]).toEqual([true, true]);
  run('copy-labels-to-next-slice');
  await until(() => state.slice === 1);
  expect(sidecar.copies).toMatchObject([{ from: 0, to: 1 }]);
});

it('copies to the next slice by the rule of the toolbar, and fills gaps, where that is possible', async () => {
  const { sidecar, state, bar, tell, enabled, run } = await show();
  expect([enabled('copy-labels-to-next-slice'), enabled('fill-between-slices')]).toEqual([false, false]);
  await tell([0, 1], []);
  expect([enabled('copy-labels-to-next-slice'), enabled('fill-between-slices')]).toEqual([true, false]);
  run('copy-labels-to-next-slice');
  await until(() => state.slice === 1);
  state.settings.set({ overlap: 'over' });
  run('copy-labels-to-next-slice');
  await until(() => state.slice === 2);
  expect(sidecar.copies).toMatchObject([
    { from: 0, to: 1, classes: [1, 2], replaces: [0] },
    { from: 1, to: 2, classes: [1, 2], replaces: [0, 1, 2] }
  ]);
  expect(bar.node.textContent).toContain('2 / 19'); // counted from 0, as in the status line and in Python
  state.settings.set({ overlap: 'same' });
  await tell([0, 1, 2], []);
  run('copy-labels-to-next-slice');
  await until(() => state.slice === 3);
  expect(sidecar.copies[2]).toMatchObject({ from: 2, to: 3, replaces: [0, 1, 2], one: true });
  await tell([0, 1, 5], []);
  expect([enabled('copy-labels-to-next-slice'), enabled('fill-between-slices')]).toEqual([false, true]);
  run('fill-between-slices');
  await until(() => state.notice !== null);
  expect(state.notice).toBe('Slices filled: 2');
});
