/** The correction of the segmentation through the sidecar: classes that stay, whole volumes. The engine is the real one. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { EngineService } from '../../engine/service';
import { TestClient } from '../../__tests__/support/client';
import { EngineBench } from '../../__tests__/support/engine';
import { Home, label } from '../../__tests__/support/home';
import { bytesOf, CLASSES, halves, inflateTile, rectangle } from '../../__tests__/support/images';

const [SLICES, ROWS, COLUMNS] = [3, 300, 400];

let bench: EngineBench;
let home: Home<EngineService>;
let python: TestClient;
let page: TestClient;
let session: string;

beforeAll(() => {
  bench = new EngineBench();
});

afterAll(() => bench.dispose());

/** A stack whose left half is of class 1, and whose right half is of class 2. */
beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  home = await new Home(bench.service()).start();
  python = await home.connect();
  page = await home.connect('relay');
  const { pixels } = halves(SLICES, ROWS, COLUMNS);
  const opened = await python.request('session.open', {
    key: 'correction',
    title: '',
    image: {
      shape: [SLICES, ROWS, COLUMNS, 1],
      dtype: 'uint8',
      digest: createHash('sha256').update(pixels).digest('hex'),
      display: { low: 0, high: 255 }
    },
    classes: CLASSES,
    keepClasses: false,
    fresh: false
  });
  session = opened.session;
  writeFileSync(opened.arrays['image']!.path, pixels, { flag: 'r+' });
  await python.request('image.ready', { session });
  await page.request('session.attach', { session });
  await label(python, session);
  await python.request('train', { session, features: { families: {} }, forest: { trees: 3 } });
});

afterEach(async () => {
  await home.dispose();
  jest.restoreAllMocks();
});

/** The columns of a row that are corrected, each with its class. */
async function corrected(slice: number, row: number): Promise<[number, number][]> {
  const { arrays } = await python.request('session.attach', { session });
  const start = (slice * ROWS + row) * COLUMNS;
  const line = arrays['correction'] ? [...bytesOf(arrays['correction']).subarray(start, start + COLUMNS)] : [];
  return line.flatMap((id, column) => (id > 0 ? [[column, id]] : []));
}

const run = (from: number, to: number, id: number) =>
  Array.from({ length: to - from }, (_, i): [number, number] => [from + i, id]);

describe('Classes that stay', () => {
  it('keep their pixels of the segmentation and its correction under a stroke, for other pages and after a restart too', async () => {
    const { patch, buffers } = rectangle(session, 1, { slice: 1, rows: [100, 110], columns: [190, 220] });
    const other = await home.connect('relay');
    await other.request('session.attach', { session });
    const stroke = { ...patch, layer: 'correction' as const, keeps: [2] };
    expect(await page.request('labels.patch', stroke, { buffers })).toMatchObject({ changed: 10 * 10 });
    expect(await corrected(1, 105)).toEqual(run(190, 200, 1));
    const heard = await other.hear(({ event }) => event === 'patch');
    const mask = inflateTile(heard.buffers[0]!);
    const bit = (column: number) => (mask[(105 * 256 + column) >> 3]! >> (7 - (column & 7))) & 1;
    expect([bit(195), bit(200)]).toEqual([1, 0]);
    // What is corrected to class 2 stays as well, and what class 2 was corrected away from does not.
    const two = rectangle(session, 2, { slice: 1, rows: [105, 106], columns: [192, 194] });
    await page.request('labels.patch', { ...two.patch, layer: 'correction' }, { buffers: two.buffers });
    const one = rectangle(session, 1, { slice: 1, rows: [105, 106], columns: [210, 212] });
    await page.request('labels.patch', { ...one.patch, layer: 'correction' }, { buffers: one.buffers });
    const erased = rectangle(session, 0, { slice: 1, rows: [105, 106], columns: [180, 220] });
    const eraser = { ...erased.patch, layer: 'correction' as const, keeps: [2] };
    await page.request('labels.patch', eraser, { buffers: erased.buffers });
    expect(await corrected(1, 105)).toEqual(run(192, 194, 2));
    await home.stop();
    await home.start();
    python = await home.connect();
    expect(await corrected(1, 105)).toEqual(run(192, 194, 2));
    expect(await corrected(1, 104)).toEqual(run(190, 200, 1));
  }, 60_000);

  it('keep their pixels on slices in another direction', async () => {
    // Row 50 as a slice in xz: its rows are the slices.
    const { patch, buffers } = rectangle(session, 2, { slice: 50, rows: [0, 2], columns: [190, 220] });
    const stroke = { ...patch, layer: 'correction' as const, direction: 'xz' as const, keeps: [1] };
    await page.request('labels.patch', stroke, { buffers });
    expect(await corrected(1, 50)).toEqual(run(200, 220, 2));
    expect(await corrected(2, 50)).toEqual([]);
  }, 60_000);

  it('keep their pixels when the page cleans the segmentation, and not when Python does', async () => {
    const dot = (slice: number) => rectangle(session, 2, { slice, rows: [100, 103], columns: [50, 53] });
    for (const slice of [0, 1, 2]) {
      const { patch, buffers } = dot(slice);
      await page.request('labels.patch', { ...patch, layer: 'correction' }, { buffers });
    }
    await page.request('session.marks', { session, locked: [2], hidden: [] });
    const cleaning = { kind: 'islands' as const, below: 50 };
    expect((await page.request('correction.clean', { session, slice: 0, cleaning })).changed).toBe(0);
    expect(await corrected(0, 101)).toEqual(run(50, 53, 2));
    // All slices: an island of 27 pixels.
    expect((await python.request('correction.clean', { session, cleaning })).changed).toBe(27);
    expect(await corrected(0, 101)).toEqual(run(50, 53, 1));
    await python.request('history.undo', { session });
    expect(await corrected(2, 101)).toEqual(run(50, 53, 2));
  }, 60_000);
});

it('is kept when the sidecar is shut down, and the state says that the segmentation below is to be made again', async () => {
  const { patch, buffers } = rectangle(session, 2, { slice: 0, rows: [100, 103], columns: [50, 53] });
  await page.request('labels.patch', { ...patch, layer: 'correction' }, { buffers });
  expect((await python.request('session.attach', { session })).segmentationFreed).toBeUndefined();
  await home.shutDown(python);
  await home.start();
  python = await home.connect();
  const state = await python.request('session.attach', { session });
  expect(state).toMatchObject({ segmentation: null, segmentationFreed: true, correction: { counts: { 2: 9 } } });
  expect(await corrected(0, 101)).toEqual(run(50, 53, 2));
}, 60_000);

it('nothing is corrected to a class that was merged after the training', async () => {
  const { patch, buffers } = rectangle(session, 1, { slice: 0, rows: [100, 103], columns: [230, 233] });
  await page.request('labels.patch', { ...patch, layer: 'correction' }, { buffers });
  const classes = CLASSES.filter(({ id }) => id !== 2);
  await python.request('session.classes', { session, classes, relabel: [[2, 1]] });
  // The segmentation around is still of class 2.
  const cleaning = { kind: 'islands' as const, below: 50 };
  expect((await python.request('correction.clean', { session, cleaning })).changed).toBe(0);
  expect(await corrected(0, 101)).toEqual(run(230, 233, 1));
  await home.stop();
  await home.start();
  python = await home.connect();
  const state = await python.request('session.attach', { session });
  expect([state.recovered, state.classes]).toEqual([null, classes]);
}, 60_000);

it('a backup brings back the correction that it had, and an undo the one before', async () => {
  const draw = async (id: number, rows: [number, number]) => {
    const { patch, buffers } = rectangle(session, id, { slice: 1, rows, columns: [100, 110] });
    await page.request('labels.patch', { ...patch, layer: 'correction' }, { buffers });
  };
  await draw(2, [100, 110]);
  const before = (await python.request('session.attach', { session })).segmentation!.counts!;
  await python.request('session.fresh', { session });
  expect(await corrected(1, 105)).toEqual([]);
  const fresh = await python.request('session.attach', { session });
  expect(fresh.segmentation!.counts).toEqual({ 1: before['1']! + 100, 2: before['2']! - 100 });
  await draw(2, [200, 210]);
  const { backups } = await python.request('session.backups', { session });
  const restored = await python.request('session.restore', { session, backup: backups[0]!.name });
  expect([await corrected(1, 105), await corrected(1, 205)]).toEqual([run(100, 110, 2), []]);
  expect(restored.correction!.counts).toEqual({ 2: 100 });
  expect(restored.segmentation!.counts).toEqual(before);
  const { tiles, buffers } = await page.request('overlay.tiles', {
    session,
    overlay: 'correction',
    slice: 1,
    direction: 'xy'
  });
  expect(tiles).toEqual([{ row: 0, column: 0 }]);
  expect(inflateTile(buffers[0]!)[105 * 256 + 105]).toBe(2);
  await python.request('history.undo', { session });
  expect([await corrected(1, 105), await corrected(1, 205)]).toEqual([[], run(100, 110, 2)]);
}, 60_000);

it('refuses a change that is too large to be undone before anything changes, and says what would do', async () => {
  const { EditRecorder } = await import('../../session/edit');
  const settle = jest.spyOn(EditRecorder.prototype, 'settle');
  settle.mockImplementationOnce(async function (this: object) {
    Object.assign(this, { _bytes: 300 << 20 });
    settle.mockRestore();
    await (this as InstanceType<typeof EditRecorder>).settle();
  });
  const cleaning = { kind: 'majority' as const, radius: 3 };
  await expect(python.request('correction.clean', { session, cleaning })).rejects.toMatchObject({
    code: 'too-large',
    message:
      'Nothing was changed: to undo it, 300 MB or more would be kept, and a step has at most 256 MB. ' +
      'Change a part at a time, single slices for example.'
  });
  expect((await python.request('session.attach', { session })).correction).toBeNull();
}, 60_000);
