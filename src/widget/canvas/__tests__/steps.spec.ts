/**
 * Steps through a stack: what is requested, and what stays on the screen.
 * @jest-environment jsdom
 */
import '../../__tests__/page';
import { Widget } from '@lumino/widgets';
import { closeAll, image, open, until } from '../../state/__tests__/fake-sidecar';
import { CanvasView } from '../canvas';
import { fakePage } from './fake-page';

const page = fakePage();
let canvas: CanvasView | null = null;
afterEach(() => {
  canvas?.dispose();
  canvas = null;
  closeAll();
});

/** A stack of 60 slices whose first one is on the screen. */
async function show() {
  const labeller = await open(undefined, image, 60);
  const { sidecar, state, parts } = labeller;
  canvas = new CanvasView({ state, hasFocus: () => true });
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
});
