/** A region to work on: what is learned, computed, shown and counted of the image. The engine is the real one. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { EventParams, SessionState } from '../../../../src/shared/protocol';
import { Region } from '../../../../src/shared/region';
import { EngineService } from '../../engine/service';
import { TestClient } from '../../__tests__/support/client';
import { CLASSES, EngineBench, IMicrograph } from '../../__tests__/support/engine';
import { Home } from '../../__tests__/support/home';
import { bytesOf, inflateTile, rectangle } from '../../__tests__/support/images';

const SIDE = 900;
/** Within the tiles (0, 0), (0, 1), (1, 0) and (1, 1), and not on their edges. */
const REGION: Region = { slice0: 0, slice1: 1, row0: 40, row1: 340, column0: 30, column1: 290 };
const ALL = ['prediction', 'probabilities', 'uncertainty'] as const;

let bench: EngineBench;
let service: EngineService;
let home: Home<EngineService>;
let page: TestClient;
let session: string;
let images: IMicrograph;

beforeAll(() => {
  bench = new EngineBench();
  images = bench.micrograph(SIDE, SIDE);
});

afterAll(() => bench.dispose());

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  service = bench.service();
  home = await new Home(service).start();
  page = await home.connect('python');
  const pixels = bytesOf(images.image);
  const opened = await page.request('session.open', {
    key: 'region',
    title: '',
    image: {
      shape: [1, SIDE, SIDE, 1],
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
  await page.request('image.ready', { session });
  await page.request('session.choice', { session, features: { set: 'samba' }, forest: { trees: 10, maxDepth: 10 } });
});

afterEach(async () => {
  await home.dispose();
  jest.restoreAllMocks();
});

/** Draw the truth of some rows of a tile. */
async function draw(tile: [number, number], from: number, rows = 12): Promise<number> {
  let pixels = 0;
  for (const { id } of CLASSES) {
    for (let row = from; row < from + rows; row++) {
      for (let column = 40; column < 250; column++) {
        const at = (tile[0] * 256 + row) * SIDE + tile[1] * 256 + column;
        let end = column;
        while (end < 250 && images.truth[at + end - column] === id) {
          end++;
        }
        if (end > column) {
          const { patch, buffers } = rectangle(session, id, { tile, rows: [row, row + 1], columns: [column, end] });
          await page.request('labels.patch', patch, { buffers });
          pixels += end - column;
          column = end;
        }
      }
    }
  }
  return pixels;
}

const within =
  ({ row0, row1, column0, column1 }: Region) =>
  (i: number) => {
    const [row, column] = [Math.floor(i / SIDE), i % SIDE];
    return row >= row0 && row < row1 && column >= column0 && column < column1;
  };

/** The steps of a stage that the jobs have told of. */
const steps = (stage: string) =>
  Math.max(
    0,
    ...page.heard
      .filter(({ event }) => event === 'job')
      .map(({ params }) => params as EventParams<'job'>)
      .filter(job => job.stage === stage)
      .map(({ total }) => total)
  );

const segmentationOf = (state: SessionState) => bytesOf(state.arrays['segmentation']!);

/** The session's classifier applied to the whole image, without a session. */
async function applied(): Promise<Uint8Array> {
  const { buffers } = await page.request('classifier.get', { session });
  const { prediction } = await bench.apply(bench.service(), { json: buffers[0]! } as never, images);
  return prediction as Uint8Array;
}

it('learns the labels in the region alone, computes only its tiles, and segments it as the whole image would be there', async () => {
  const inside = await draw([0, 0], 50);
  await draw([2, 2], 50);
  const view = { slice: 0, row0: 0, row1: SIDE, column0: 0, column1: SIDE };
  await page.request('session.view', { session, view });
  await page.request('session.region', { session, region: REGION });
  page.heard.length = 0;
  const state = await page.request('train', { session });
  expect(state.region).toEqual(REGION);
  expect(state.segmentation!.classifier.samples).toBe(inside);
  expect(steps('segmenting')).toBe(4); // of 16
  expect(service.cachedBytes).toBeLessThan(80 * 312 * 272); // features of the region's pixels, in blocks of 4
  const segmentation = segmentationOf(state);
  const labels = bytesOf(state.arrays['labels']!);
  const whole = await applied();
  const isInside = within(REGION);
  const wrong = segmentation.findIndex((id, i) => id !== (isInside(i) ? labels[i]! || whole[i]! : 0));
  expect(wrong).toBe(-1);
  const counts = CLASSES.map(({ id }) => [String(id), segmentation.filter(value => value === id).length]);
  expect(state.segmentation!.counts).toEqual(Object.fromEntries(counts));
  // The page got the same, tile by tile.
  const shown = page.heard.filter(({ event }) => event === 'segmentation.tiles');
  const tiles = shown.flatMap(({ params, buffers }) =>
    (params as EventParams<'segmentation.tiles'>).tiles.map((tile, i) => ({ tile, bytes: inflateTile(buffers[i]!) }))
  );
  expect(tiles.map(({ tile }) => `${tile.row} ${tile.column}`).sort()).toEqual(['0 0', '0 1', '1 0', '1 1']);
  for (const { tile, bytes } of tiles) {
    const other = bytes.findIndex(
      (id, i) => id !== segmentation[(tile.row * 256 + Math.floor(i / 256)) * SIDE + tile.column * 256 + (i % 256)]
    );
    expect(other).toBe(-1);
  }
  await page.request('session.region', { session, region: null });
  page.heard.length = 0;
  const all = await page.request('train', { session });
  expect(steps('segmenting')).toBe(16);
  expect(all.segmentation!.classifier.samples).toBeGreaterThan(inside);
  expect(segmentationOf(all).every(id => id > 0)).toBe(true);
}, 120_000);

it('gives refined probabilities and uncertainty of the region as those of the whole image, and 0 outside', async () => {
  await draw([0, 0], 50);
  await page.request('session.choice', { session, forest: { trees: 10, maxDepth: 10, refine: 6 } });
  await page.request('session.region', { session, region: REGION });
  await page.request('train', { session });
  const state = await page.request('segment', { session, arrays: ['probabilities', 'uncertainty'] });
  const { buffers } = await page.request('classifier.get', { session });
  const whole = await bench.apply(bench.service(), { json: buffers[0]! } as never, images);
  const isInside = within(REGION);
  const read = (name: string) => new Float32Array(bytesOf(state.arrays[name]!).slice().buffer);
  const [probabilities, uncertainty] = [read('probabilities'), read('uncertainty')];
  expect(ALL.every(name => state.arrays[name])).toBe(true);
  expect(probabilities.findIndex((p, i) => p !== (isInside(i >> 1) ? whole.probabilities[i] : 0))).toBe(-1);
  expect(uncertainty.findIndex((u, i) => u !== (isInside(i) ? whole.uncertainty[i] : 0))).toBe(-1);
  // The page's tiles, at a tile that the region cuts.
  for (const measure of ['margin', 'maximum'] as const) {
    const tiles = [
      { row: 1, column: 1 },
      { row: 3, column: 3 }
    ];
    const { buffers: sent } = await page.request('uncertainty.tiles', { session, slice: 0, measure, tiles });
    const [cut, outside] = sent.map(inflateTile) as [Uint8Array, Uint8Array];
    expect(outside.every(value => value === 0)).toBe(true);
    expect(cut.findIndex((value, i) => value > 0 && !isInside((256 + (i >> 8)) * SIDE + 256 + (i & 255)))).toBe(-1);
    expect(cut.some(value => value > 0)).toBe(true);
  }
}, 120_000);

it('keeps what is segmented of a smaller region, and makes what a larger one lacks when it is asked for', async () => {
  await draw([0, 0], 50);
  const before = segmentationOf(await page.request('train', { session }));
  const smaller = await page.request('session.region', { session, region: REGION });
  const isInside = within(REGION);
  expect(smaller.segmentation).toMatchObject({ version: 2 });
  expect(smaller.segmentation!.outgrown).toBeUndefined();
  expect(segmentationOf(smaller).findIndex((id, i) => id !== (isInside(i) ? before[i] : 0))).toBe(-1);
  expect(Object.values(smaller.segmentation!.counts!).reduce((sum, count) => sum + count, 0)).toBe(300 * 260);
  // Clearing the region brings the rest back: it was never wrong.
  const cleared = await page.request('session.region', { session, region: null });
  expect(Buffer.from(segmentationOf(cleared)).equals(Buffer.from(before))).toBe(true);
  await page.request('session.region', { session, region: REGION });
  await page.request('train', { session });
  const larger = { ...REGION, row1: 600 };
  const grown = await page.request('session.region', { session, region: larger });
  expect(grown.segmentation!.outgrown).toBe(true);
  const state = await page.request('segment', { session, arrays: ['segmentation'] });
  expect(state.segmentation!.outgrown).toBeUndefined();
  const isThere = within(larger);
  expect(segmentationOf(state).findIndex((id, i) => id > 0 !== isThere(i))).toBe(-1);
}, 120_000);

it('follows labels and corrections in the region alone', async () => {
  await draw([0, 0], 50);
  await page.request('session.region', { session, region: REGION });
  await page.request('train', { session });
  const paint = async (id: number, tile: [number, number], layer?: 'correction') => {
    const { patch, buffers } = rectangle(session, id, { tile, rows: [100, 110], columns: [100, 110] });
    await page.request('labels.patch', { ...patch, ...(layer && { layer }) }, { buffers });
    return page.request('session.attach', { session });
  };
  await paint(9, [0, 0]);
  const state = await paint(9, [2, 2]);
  const segmentation = segmentationOf(state);
  expect(segmentation[105 * SIDE + 105]).toBe(9);
  expect(segmentation[617 * SIDE + 617]).toBe(0);
  expect(bytesOf(state.arrays['labels']!)[617 * SIDE + 617]).toBe(9);
  const counted = (its: SessionState) => Object.values(its.segmentation!.counts!).reduce((sum, n) => sum + n, 0);
  expect(counted(state)).toBe(300 * 260);
  const corrected = await paint(4, [2, 2], 'correction');
  expect(counted(corrected)).toBe(300 * 260);
  expect((await paint(4, [0, 0], 'correction')).segmentation!.counts!['9']).toBe(
    state.segmentation!.counts!['9']! - 100
  );
}, 120_000);

it('says what is missing in the region, and refuses one that the image does not have', async () => {
  await draw([2, 2], 50);
  await page.request('session.region', { session, region: REGION });
  await expect(page.request('train', { session })).rejects.toMatchObject({
    code: 'not-ready',
    message: expect.stringContaining('No pixel is labelled in the region that is worked on') as string
  });
  await expect(page.request('session.region', { session, region: { ...REGION, row1: 901 } })).rejects.toMatchObject({
    code: 'invalid',
    message: 'The region has rows 40 to 901, the end not included; some of the 900 rows from 0 to 900 will do.'
  });
  const { region } = await page.request('session.region', {
    session,
    region: { slice0: 0, slice1: 1, row0: 0, row1: SIDE, column0: 0, column1: SIDE }
  });
  expect(region).toBeNull();
}, 60_000);

it('suggests where to label next in the region alone', async () => {
  await draw([0, 0], 50);
  await page.request('session.region', { session, region: REGION });
  await page.request('train', { session });
  const { regions } = await page.request('regions', { session, count: 20, side: 64, by: 'uncertainty' });
  expect(regions.length).toBeGreaterThan(3);
  for (const { row0, row1, column0, column1 } of regions) {
    expect([row0 >= 40, row1 <= 340, column0 >= 30, column1 <= 290]).toEqual([true, true, true, true]);
  }
}, 60_000);
