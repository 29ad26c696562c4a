/**
 * Steps through a stack: what is requested, and what stays on the screen.
 * @jest-environment jsdom
 */
import '../../__tests__/page';
import { Widget } from '@lumino/widgets';
import { IMaskedPatch } from '../../labels/patches';
import { closeAll, image, open, until } from '../../state/__tests__/fake-sidecar';
import { CanvasView } from '../canvas';
import { fakePage } from './fake-page';

const page = fakePage();
let canvas: CanvasView | null = null;
let focused = true;
beforeEach(() => (focused = true));
afterEach(() => {
  canvas?.dispose();
  canvas = null;
  closeAll();
});

/** A stack of 60 slices whose first one is on the screen. */
async function show() {
  const labeller = await open(undefined, image, 60);
  const { sidecar, state, parts } = labeller;
  canvas = new CanvasView({ state, hasFocus: () => focused });
  Widget.attach(canvas, document.body);
  page.frame();
  await until(() => (sidecar.asked['image.tile'] ?? []).includes(0) && parts.tiles.pending === 0);
  return labeller;
}

/** Step on and draw each slice. No timer can run between two steps. */
function pass(state: { slice: number; setSlice(slice: number): void }, to: number): void {
  while (state.slice !== to) {
    state.setSlice(state.slice + Math.sign(to - state.slice));
    page.frame();
  }
}

/** Draw frames until the condition holds. */
const drawUntil = (condition: () => boolean) =>
  until(() => {
    page.frame();
    return condition();
  });

describe('Steps through a stack', () => {
  it('ask nothing of SAM for slices that are passed, only for the one where the user rests', async () => {
    const { state, sidecar, parts } = await show();
    expect(sidecar.asked['sam.embedding']).toEqual([0]);
    pass(state, 20);
    await until(() => parts.embedding.state.state === 'ready');
    expect(sidecar.asked['sam.embedding']).toEqual([0, 20]);
  });

  it('fetch the picture and the labels of the next slices in the direction of travel', async () => {
    const { state, sidecar } = await show();
    pass(state, 20);
    const next = [21, 22, 23, 24, 25, 26, 27, 28];
    const asked = () => new Set([...sidecar.asked['image.tile']!]);
    await drawUntil(() => next.every(slice => asked().has(slice)));
    await drawUntil(() => next.every(slice => sidecar.asked['overlay.tiles']!.includes(slice)));
    expect(asked().has(29)).toBe(false);
    pass(state, 19);
    await drawUntil(() => asked().has(11));
    expect(asked().has(29)).toBe(false);
  });

  it('leave the last picture on the screen until the next one has arrived', async () => {
    const { state, parts } = await show();
    const base = canvas!.node.querySelector('canvas')!;
    const drawn = () => page.cleared.get(base) ?? 0;
    await drawUntil(() => parts.labels.slice(0).refs.length > 0);
    page.frame();
    const before = drawn();
    state.setSlice(40);
    page.frame();
    expect(drawn()).toBe(before);
    await drawUntil(() => drawn() > before);
    expect(parts.tiles.picture({ slice: 40, level: 0, row: 0, column: 0 })).toBeDefined();
  });

  it('follow Shift-wheel, also one that the browser reports as horizontal, and small turns of a touchpad', async () => {
    const { state } = await show();
    const { scale } = canvas!.view;
    const turn = (init: WheelEventInit) => {
      const event = new WheelEvent('wheel', { cancelable: true, bubbles: true, shiftKey: true, ...init });
      canvas!.node.dispatchEvent(event);
      return [state.slice, event.defaultPrevented];
    };
    expect(turn({ deltaX: 120 })).toEqual([1, true]);
    expect(turn({ deltaY: 53 })).toEqual([2, true]);
    expect(turn({ deltaY: 3, deltaMode: 1 })).toEqual([3, true]);
    expect(turn({ deltaY: 360 })).toEqual([6, true]);
    expect(turn({ deltaY: -15 })).toEqual([6, true]);
    expect(turn({ deltaY: -15 })).toEqual([6, true]);
    expect(turn({ deltaY: -15 })).toEqual([5, true]);
    expect(turn({ deltaX: -1200 })).toEqual([0, true]);
    expect(canvas!.view.scale).toBe(scale);
    turn({ deltaY: -100, shiftKey: false });
    expect(state.slice).toBe(0);
    expect(canvas!.view.scale).toBeGreaterThan(scale);
  });

  it('leave the wheel to the page while the labeller has no focus', async () => {
    const { state } = await show();
    focused = false;
    const event = new WheelEvent('wheel', { cancelable: true, bubbles: true, shiftKey: true, deltaX: 120 });
    canvas!.node.dispatchEvent(event);
    expect([state.slice, event.defaultPrevented]).toEqual([0, false]);
  });

  it('go on with a stroke in the next slice: each slice gets its own part', async () => {
    const { state, parts } = await show();
    const { labels } = parts;
    const patches: IMaskedPatch[] = [];
    labels.committed.connect((_, { patch }) => patches.push(patch));
    state.setTool('brush');
    const point = (type: string, row: number, column: number) =>
      canvas!.node.dispatchEvent(
        page.pointer(type, { clientX: column * canvas!.view.scale, clientY: row * canvas!.view.scale })
      );
    point('pointerdown', 30, 40);
    point('pointermove', 30, 80);
    state.step(1);
    point('pointermove', 30, 120);
    state.step(1);
    state.step(1);
    point('pointerup', 30, 120);
    const columns = [50, 80, 100, 120];
    const labelled = (slice: number) => columns.filter(column => labels.slice(slice).at(30, column) === 1);
    expect([0, 1, 2, 3, 4].map(labelled)).toEqual([[50, 80], [80, 100, 120], [120], [120], []]);
    expect(patches.map(({ slice, made }) => [slice, made?.tool])).toEqual([0, 1, 2, 3].map(slice => [slice, 'brush']));
    point('pointermove', 300, 300);
    await state.drained();
    expect(patches).toHaveLength(4);
  });

  it('fill a lasso on the slice where it was begun', async () => {
    const { state, parts } = await show();
    state.setTool('lasso');
    const point = (type: string, row: number, column: number) =>
      canvas!.node.dispatchEvent(
        page.pointer(type, { clientX: column * canvas!.view.scale, clientY: row * canvas!.view.scale })
      );
    point('pointerdown', 30, 40);
    point('pointermove', 30, 140);
    point('pointermove', 130, 140);
    state.step(2);
    point('pointerup', 130, 40);
    expect([0, 1, 2].map(slice => parts.labels.slice(slice).at(80, 90))).toEqual([1, 0, 0]);
  });
});
