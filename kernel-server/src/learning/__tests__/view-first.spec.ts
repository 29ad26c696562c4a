/** A training that is not live: pages get the tiles that they show first, and keep them if it is cancelled. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { LABEL_TILE } from '../../../../src/shared/limits';
import { EventParams, Params } from '../../../../src/shared/protocol';
import { EngineService } from '../../engine/service';
import { IHeard, TestClient } from '../../__tests__/support/client';
import { CLASSES, EngineBench } from '../../__tests__/support/engine';
import { Home } from '../../__tests__/support/home';
import { bytesOf, inflateTile, rectangle } from '../../__tests__/support/images';

const SIDE = 1900;
const TILES = Math.ceil(SIDE / LABEL_TILE);
/** Four tiles in the middle of the right half, which are not the first ones of the image. */
const VIEW = { slice: 0, row0: 1024, row1: 1536, column0: 1280, column1: 1792 };

let bench: EngineBench;
let pixels: Uint8Array;
let home: Home<EngineService>;
let page: TestClient;
let session: string;
let open: Params<'session.open'>;

beforeAll(() => {
  bench = new EngineBench();
  pixels = bytesOf(bench.micrograph(SIDE, SIDE).image);
});

afterAll(() => bench.dispose());

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  home = await new Home(bench.service()).start();
  page = await home.connect('python');
  open = {
    key: 'view first',
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
  };
  const opened = await page.request('session.open', open);
  session = opened.session;
  writeFileSync(opened.arrays['image']!.path, pixels, { flag: 'r+' });
  await page.request('image.ready', { session });
  await page.request('session.choice', { session, features: { set: 'samba' }, forest: { trees: 50, maxDepth: 10 } });
  for (const [i, { id }] of CLASSES.slice(0, 2).entries()) {
    const where = { tile: [0, 0] as [number, number], rows: [20, 60] as [number, number] };
    const { patch, buffers } = rectangle(session, id, { ...where, columns: [20 + 100 * i, 60 + 100 * i] });
    await page.request('labels.patch', patch, { buffers });
  }
  await page.request('session.view', { session, view: VIEW });
});

afterEach(async () => {
  await home.dispose();
  jest.restoreAllMocks();
});

/** The tiles that the page got, by row and column, in their order. */
function shown(): Map<string, Uint8Array> {
  const tiles = new Map<string, Uint8Array>();
  for (const { event, params, buffers } of page.heard) {
    if (event === 'segmentation.tiles') {
      const { tiles: refs } = params as EventParams<'segmentation.tiles'>;
      refs.forEach(({ row, column }, i) => tiles.set(`${row} ${column}`, inflateTile(buffers[i]!)));
    }
  }
  return tiles;
}

/** The bytes of a tile in an array of the image's size. */
function tileOf(bytes: Uint8Array, row: number, column: number): Uint8Array {
  const out = new Uint8Array(LABEL_TILE * LABEL_TILE);
  for (let r = 0; r < LABEL_TILE && row * LABEL_TILE + r < SIDE; r++) {
    const at = (row * LABEL_TILE + r) * SIDE;
    out.set(bytes.subarray(at + column * LABEL_TILE, at + Math.min(SIDE, (column + 1) * LABEL_TILE)), r * LABEL_TILE);
  }
  return out;
}

function expectShown(segmentation: Uint8Array): void {
  for (const [name, tile] of shown()) {
    const [row, column] = name.split(' ').map(Number) as [number, number];
    expect(Buffer.compare(tile, tileOf(segmentation, row, column))).toBe(0);
  }
}

describe('A training', () => {
  it('sends what a page shows before the rest is made, and ends in a whole segmentation', async () => {
    const training = page.request('train', { session }, { id: 'whole' });
    await page.hear(() => shown().size === 4);
    const jobs = page.heard.filter(({ event }) => event === 'job').map(({ params }) => params as EventParams<'job'>);
    const { stage, done, total } = jobs.at(-1)!;
    expect([stage, total]).toEqual(['segmenting', TILES ** 2]);
    expect(done).toBeLessThan(TILES ** 2 / 2);
    const { arrays, segmentation } = await training;
    expect(segmentation!.part).toBeUndefined();
    expect(segmentation!.round).toBe(
      (page.heard.find(({ event }) => event === 'segmentation.tiles')!.params as EventParams<'segmentation.tiles'>)
        .round
    );
    const bytes = bytesOf(arrays['segmentation']!);
    expect(bytes.includes(0)).toBe(false);
    expectShown(bytes);
  }, 120_000);

  it('that is cancelled keeps what a page has seen, and says how much that is', async () => {
    const training = page.request('train', { session }, { id: 'some' });
    const failed = expect(training).rejects.toMatchObject({ code: 'cancelled' });
    await page.hear(() => shown().size === 4);
    await page.request('cancel', { id: 'some' });
    await failed;
    const told = await page.hear((heard: IHeard) => heard.event === 'segmentation');
    const { arrays, segmentation } = await page.request('session.attach', { session });
    const { version, round, part } = segmentation!;
    expect(told.params).toEqual({ session, version, round });
    expectShown(bytesOf(arrays['segmentation']!));
    const prediction = bytesOf(arrays['prediction']!);
    let made = 0;
    for (let i = 0; i < TILES ** 2; i++) {
      const tile = tileOf(prediction, Math.floor(i / TILES), i % TILES);
      made += tile[0] === 0 ? 0 : 1;
      expect(tile[0] === 0 ? tile.some(id => id !== 0) : tile[5] === 0).toBe(false); // whole, or 0
    }
    expect(made).toBeGreaterThanOrEqual(4);
    expect(made).toBeLessThan(TILES ** 2);
    expect(part).toBe(made / TILES ** 2);
    const whole = await page.request('train', { session });
    expect(whole.segmentation!.part).toBeUndefined();
    expect(bytesOf(whole.arrays['segmentation']!).includes(0)).toBe(false);
  }, 120_000);

  it.each(['session.fresh', 'session.open'] as const)(
    'ends without a result when %s sets its labels aside, and tells no progress after that',
    async method => {
      const training = page.request('train', { session }, { id: 'old' });
      const failed = expect(training).rejects.toMatchObject({
        code: 'cancelled',
        message: expect.stringMatching(/fresh start/)
      });
      const waiting = page.request('train', { session }, { id: 'waiting' });
      const dropped = expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
      await page.hear(() => shown().size > 0);
      const fresh = await (method === 'session.fresh'
        ? page.request(method, { session })
        : page.request(method, { ...open, fresh: true }));
      const { length } = page.heard;
      await Promise.all([failed, dropped]);
      expect([fresh.labels.counts, fresh.segmentation]).toEqual([{}, null]);
      const job = page.heard.filter(({ event }) => event === 'job').map(({ params }) => params as EventParams<'job'>);
      const last = (id: string) => job.filter(each => each.job === id).at(-1)!.state;
      expect([last('old'), last('waiting')]).toEqual(['cancelled', 'cancelled']);
      const after = await page.request('session.attach', { session });
      expect(Object.keys(after.arrays).sort()).toEqual(['image', 'labels', 'provenance']);
      expect(page.heard.slice(length).filter(({ event }) => event === 'job' || event === 'segmentation')).toEqual([]);
    },
    120_000
  );

  it('that is cancelled where no page shows the image leaves no segmentation', async () => {
    await page.request('session.view', { session, view: null });
    const training = page.request('train', { session }, { id: 'none' });
    const failed = expect(training).rejects.toMatchObject({ code: 'cancelled' });
    await page.hear(({ event, params }) => event === 'job' && (params as EventParams<'job'>).stage === 'segmenting');
    await page.request('cancel', { id: 'none' });
    await failed;
    const { arrays, segmentation } = await page.request('session.attach', { session });
    expect(segmentation).toBeNull();
    expect(Object.keys(arrays).sort()).toEqual(['image', 'labels', 'provenance']);
  }, 120_000);
});
