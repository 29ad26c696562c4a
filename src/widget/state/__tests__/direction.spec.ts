/** @jest-environment jsdom */
import '../../__tests__/page';
import { KeyMap } from '../../frame/keys';
import { SliceBar } from '../../frame/slice-bar';
import { statusText } from '../../frame/status-text';
import { element } from '../../base/dom';
import { setUserKeys } from '../../base/user-keys';
import { pixelText } from '../../frame/pixel-text';
import { findCommand, ILabellerView } from '../../commands';
import { currentTool } from '../../canvas/tools';
import { closeAll, open, until } from './fake-sidecar';

afterEach(closeAll);

it('shows a volume in three directions, each where it was left, and asks for tiles of that direction', async () => {
  const { sidecar, state } = await open(undefined, undefined, 20);
  const bar = new SliceBar({ state } as ILabellerView);
  const button = (direction: string) =>
    bar.node.querySelector<HTMLElement>(`[data-testid="sambalab-direction-${direction}"]`)!;
  state.setSlice(7);
  button('xz').click();
  bar.refresh();
  expect(button('xz').getAttribute('aria-pressed')).toBe('true');
  expect(state.direction).toBe('xz');
  expect([state.parts!.slices, state.parts!.image, state.slice]).toEqual([600, { rows: 20, columns: 700 }, 300]);
  expect(pixelText(state, { row: 4, column: 9 })).toMatch(/^z 4, y 300, x 9/);
  await until(() => (sidecar.directed['overlay.tiles'] ?? []).includes('xz 300'));
  state.parts!.tiles.want([{ slice: 300, level: 0, row: 0, column: 0 }]);
  await until(() => (sidecar.directed['image.tile'] ?? []).includes('xz 300'));
  state.setSlice(12);
  state.setDirection('yz');
  expect([state.parts!.slices, state.parts!.image, state.slice]).toEqual([700, { rows: 20, columns: 600 }, 350]);
  findCommand('turn-volume').run({ state } as ILabellerView); // from yz to xy
  expect([state.direction, state.slice]).toEqual(['xy', 7]);
  state.setDirection('xz');
  expect(state.slice).toBe(12);
});

it('sends strokes with the direction that they were drawn in, in order, whatever is in view then', async () => {
  const { sidecar, state } = await open(undefined, undefined, 20);
  const draw = () => {
    const stroke = state.parts!.labels.stroke(state.slice, 1, 'all');
    stroke.line({ x: 5, y: 5 }, { x: 9, y: 5 }, 2);
    stroke.end();
    return state.parts!.labels;
  };
  state.setDirection('xz');
  const across = draw();
  expect(across.slice(300).at(5, 7)).toBe(1);
  state.setDirection('yz');
  draw();
  state.setDirection('xy');
  const labels = draw();
  await labels.queue.drained();
  expect(sidecar.directed['labels.patch']).toEqual(['xz 300', 'yz 350']);
  expect(sidecar.asked['labels.patch']).toEqual([300, 350, 0]);
  expect(sidecar.version).toBe(3);
});

it('fetches the labels again when a stroke in another direction crosses the slice', async () => {
  const { sidecar, state } = await open(undefined, undefined, 20);
  const fetched = () => (sidecar.asked['overlay.tiles'] ?? []).length;
  state.parts!.labels.slice(0);
  await until(() => fetched() > 0);
  const before = fetched();
  const patch = {
    session: state.id,
    direction: 'xz',
    slice: 3,
    class: 1,
    replaces: 'all',
    tiles: [{ row: 0, column: 0 }]
  };
  sidecar.version = 1;
  sidecar.tell('patch', { origin: 'another', version: 1, patch }, [new Uint8Array()]);
  await until(() => fetched() > before);
  expect(state.parts!.labels.version).toBe(1);
});

it('disables what works in xy only, says why, and goes back to xy for the next region', async () => {
  const { state } = await open(undefined, undefined, 20);
  const view = { state } as ILabellerView;
  const bar = new SliceBar(view);
  state.setTool('suggest');
  expect(currentTool(state).name).toBe('suggest');
  state.setDirection('xz');
  bar.refresh();
  for (const [testid, name] of [
    ['sambalab-copy-slice', 'copy-labels-to-next-slice'],
    ['sambalab-fill-slices', 'fill-between-slices']
  ] as const) {
    expect(findCommand(name).enabled!(view)).toBe(false);
    expect(bar.node.querySelector<HTMLElement>(`[data-testid="${testid}"]`)!.title).toContain('on slices in xy only');
  }
  expect(findCommand('take-suggest').enabled!(view)).toBe(false);
  expect(currentTool(state).name).toBe('brush');
  const { uncertainty } = state.parts!;
  uncertainty.show(true);
  expect([uncertainty.state, uncertainty.drawn]).toEqual([{ state: 'across' }, false]);
  await state.nextRegion();
  expect(state.direction).toBe('xy');
  expect(state.parts!.uncertainty.shown).toBe(true);
  expect(currentTool(state).name).toBe('suggest');
});

it('asks for paint where SAM does not suggest, and says at a key of SAM’s why it does nothing and what would do', async () => {
  const { state, sidecar } = await open(undefined, undefined, 20);
  const node = element('div', { tabindex: '0' });
  document.body.replaceChildren(node);
  const keys = new KeyMap({ node, state, canvas: {} } as unknown as ILabellerView);
  const told = (key: string, more: KeyboardEventInit = {}) => {
    state.note('');
    node.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));
    return state.notice;
  };
  const text = () => statusText(state).text;
  expect(told('y')).toBe(''); // in xy the key does what it is for
  state.note('An old notice.');
  state.setDirection('xz');
  const paint = 'Paint “matrix”, then press 2 and paint “pore”; then Train.';
  expect(text()).toBe(`Slices in xz. SAM suggests on slices in xy. ${paint}`);
  const why = 'SAM suggests on slices in xy; in this direction the other tools work.';
  expect(told('s')).toBe(`${why} Press G twice for xy.`);
  expect(text()).toBe(`${why} Press G twice for xy. ${paint}`);
  for (const key of ['A', 'E', 'D', 'C']) {
    expect(told(key, { shiftKey: true })).toContain(why);
  }
  expect([told('y'), told('l', { altKey: true })]).toEqual(Array(2).fill(`${why} Press G twice for xy.`));
  expect(told('r')).toMatch(/^The region to work on is drawn on slices in xy\./);
  expect(told('b')).toBe(''); // the brush is taken
  told('s');
  state.setDirection('yz');
  expect(state.notice).toBeNull();
  expect(told('s')).toBe(`${why} Press G for xy.`);
  setUserKeys(new Map([['take-suggest', ['S']]]));
  expect(told('s')).toBe(`${why} The switch beside the slider shows xy.`);
  setUserKeys(null);
  const step = (counts: Record<string, number>) => {
    sidecar.counts = counts;
    sidecar.tell('session', sidecar.session);
    state.note('');
    return text().trim();
  };
  expect(step({ 1: 9 })).toContain('Now press 2 and paint “pore”; then Train.');
  state.setClass(2);
  expect(step({ 1: 9 })).toContain('Now paint “pore”; then Train.');
  keys.dispose();
});

it('has no other directions for a single image', async () => {
  const { state } = await open();
  state.setDirection('xz');
  expect([state.direction, state.parts!.isVolume]).toEqual(['xy', false]);
  expect(findCommand('turn-volume').enabled!({ state } as ILabellerView)).toBe(false);
});
