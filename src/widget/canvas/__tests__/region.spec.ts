/** The region to work on, from the pointer to the request. */
import { ViewTransform } from '../../base/geometry';
import { closeAll, image, open } from '../../state/__tests__/fake-sidecar';
import { findTool, IToolHandler } from '../tools';

afterEach(closeAll);

const whole = { slice0: 0, slice1: 1 };

async function make() {
  const { state, sidecar } = await open();
  const view = new ViewTransform(image);
  const handler: IToolHandler = findTool('region')!.create({ state, view, redraw: () => undefined });
  const at = (x: number, y: number) => ({
    image: { x, y },
    kind: 'mouse' as const,
    altKey: false,
    shiftKey: false,
    accelKey: false,
    time: 0
  });
  const drag = (from: [number, number], to: [number, number]) => {
    handler.press(at(...from));
    handler.drag!([at((from[0] + to[0]) / 2, (from[1] + to[1]) / 2)]);
    handler.release!(at(...to));
  };
  return { state, sidecar, handler, at, drag, near: 1 / view.scale };
}

it('a drag makes a region of whole pixels within the image, and a click none', async () => {
  const { state, drag, near } = await make();
  drag([40 * near, 30 * near], [10.4, 9.6]);
  const [far, down] = [Math.round(40 * near), Math.round(30 * near)].map(value => value) as [number, number];
  expect(state.session!.region).toEqual({
    ...whole,
    row0: Math.min(10, down),
    row1: Math.max(10, down),
    column0: Math.min(10, far),
    column1: Math.max(10, far)
  });
  const before = state.session!.region;
  drag([0, 0], [near, near]);
  expect(state.session!.region).toEqual(before);
  drag([-50, -50], [image.columns + 50, image.rows - 20]);
  expect(state.session!.region).toEqual({
    ...whole,
    row0: 0,
    row1: image.rows - 20,
    column0: 0,
    column1: image.columns
  });
});

it('an edge or a corner is dragged alone, and Escape drops the drag', async () => {
  const { state, handler, at, drag } = await make();
  const rect = { row0: 20, row1: image.rows - 20, column0: 30, column1: image.columns - 30 };
  await state.workOn(rect);
  const middle = image.rows / 2;
  drag([rect.column0 + 1, middle], [50, 5]);
  expect(state.session!.region).toEqual({ ...whole, ...rect, column0: 50 });
  drag([rect.column1, rect.row1], [rect.column1 - 10, rect.row1 - 6]);
  expect(state.session!.region).toEqual({
    ...whole,
    row0: 20,
    row1: rect.row1 - 6,
    column0: 50,
    column1: rect.column1 - 10
  });
  const before = state.session!.region;
  handler.press(at(60, 25));
  handler.drag!([at(90, 60)]);
  expect(handler.cancel!()).toBe(true);
  handler.release!(at(90, 60));
  expect(state.session!.region).toEqual(before);
});

it('a region that the sidecar refuses is taken back, and the reason is told', async () => {
  const { state, sidecar } = await make();
  await state.workOn({ row0: 1, row1: 20, column0: 2, column1: 30 });
  sidecar.refusedRegion = 'The region is too narrow.';
  await state.workOn({ row0: 1, row1: 2, column0: 2, column1: 30 });
  expect(state.session!.region).toEqual({ ...whole, row0: 1, row1: 20, column0: 2, column1: 30 });
  expect(state.error).toContain('The region is too narrow.');
});
