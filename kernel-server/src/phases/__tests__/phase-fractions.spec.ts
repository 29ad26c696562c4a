/** Phase fractions through the sidecar: of sessions with corrections and regions, and of handed-over arrays. The engine is the real one. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { EngineService } from '../../engine/service';
import { TestClient } from '../../__tests__/support/client';
import { EngineBench } from '../../__tests__/support/engine';
import { Home, label } from '../../__tests__/support/home';
import { CLASSES, halves, rectangle } from '../../__tests__/support/images';

const [SLICES, ROWS, COLUMNS] = [2, 300, 400];

let bench: EngineBench;
let home: Home<EngineService>;
let python: TestClient;
let page: TestClient;

beforeAll(() => {
  bench = new EngineBench();
});

afterAll(() => bench.dispose());

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  home = await new Home(bench.service()).start();
  python = await home.connect();
  page = await home.connect('relay');
});

afterEach(async () => {
  await home.dispose();
  jest.restoreAllMocks();
});

/** A stack whose left half is of class 1, and whose right half is of class 2. */
async function open(): Promise<string> {
  const { pixels } = halves(SLICES, ROWS, COLUMNS);
  const { session, arrays } = await python.request('session.open', {
    key: 'phases',
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
  writeFileSync(arrays['image']!.path, pixels, { flag: 'r+' });
  await python.request('image.ready', { session });
  await page.request('session.attach', { session });
  return session;
}

async function stage(dtype: 'uint8' | 'float32', shape: number[], values: Uint8Array | Float32Array): Promise<string> {
  const { staged, array } = await python.request('array.stage', { dtype, shape });
  writeFileSync(array.path, new Uint8Array(values.buffer), { flag: 'r+' });
  return staged;
}

describe('phases.measure', () => {
  it('measures the corrected segmentation in the region, with the error of the classification', async () => {
    const session = await open();
    await expect(python.request('phases.measure', { session })).rejects.toMatchObject({ code: 'not-ready' });
    await label(python, session);
    await python.request('train', { session, features: { families: {} }, forest: { trees: 3 } });
    const measure = async () => (await page.request('phases.measure', { session })).phases;
    const [left, right] = await measure();
    expect([left!.fraction, right!.fraction]).toEqual([0.5, 0.5]);
    expect(left!.classification).not.toBeNull();
    // Each half is one object: the interval says that hardly anything is known.
    expect(right!.high! - right!.low!).toBeGreaterThan(0.8);

    const { patch, buffers } = rectangle(session, 1, { slice: 1, tile: [0, 1], rows: [0, 150], columns: [0, 144] });
    await page.request('labels.patch', { ...patch, layer: 'correction' }, { buffers });
    expect((await measure())[0]!.fraction).toBe(0.5 + (150 * 144) / (SLICES * ROWS * COLUMNS));
    const more = rectangle(session, 1, { slice: 0, tile: [0, 1], rows: [0, 150], columns: [0, 144] });
    await page.request('labels.patch', { ...more.patch, layer: 'correction' }, { buffers: more.buffers });
    expect((await measure())[0]!.fraction).toBeCloseTo(0.68, 12);
    await page.request('history.undo', { session });
    const region = { slice0: 0, slice1: 1, row0: 0, row1: 300, column0: 100, column1: 300 };
    await python.request('session.region', { session, region });
    expect((await measure())[0]!.fraction).toBe(0.5);
    const whole = { ...region, slice0: 1, slice1: 2 };
    await python.request('session.region', { session, region: whole });
    await python.request('segment', { session, arrays: ['segmentation'] });
    expect((await measure())[0]!.fraction).toBe(0.5 + (150 * 44) / (ROWS * 200));
  });

  it('measures handed-over arrays, and refuses others than it says', async () => {
    const ids = Uint8Array.from({ length: 90 * 110 }, (_, i) => 1 + (((i % 110) >> 3) & 1));
    const segmentation = await stage('uint8', [1, 90, 110], ids);
    const plain = await python.request('phases.measure', { segmentation });
    const [one] = plain.phases;
    expect(plain.image.pixels).toBe(90 * 110);
    expect(one!.fraction).toBe(ids.filter(id => id === 1).length / ids.length);
    expect(one!.classification).toBeNull();
    // Class 1 is said to be 10 % more than is segmented.
    const soft = Float32Array.from(Array.from(ids).flatMap(id => (id === 1 ? [1, 0] : [0.2, 0.8])));
    const probabilities = { staged: await stage('float32', [1, 90, 110, 2], soft), ids: [1, 2] };
    const unsure = await python.request('phases.measure', { segmentation, probabilities });
    const excess = 0.2 * (1 - one!.fraction);
    expect(unsure.image.phases.map(phase => phase.excess)).toEqual([
      expect.closeTo(excess, 5),
      expect.closeTo(-excess, 5)
    ]);
    expect(unsure.phases[0]!.classification).toBeGreaterThan(excess);
    expect(unsure.phases[0]!.high!).toBeGreaterThan(one!.high!);
    await expect(
      python.request('phases.measure', { segmentation, probabilities: { ...probabilities, ids: [1, 2, 3] } })
    ).rejects.toThrow('float32 [1, 90, 110, 3]');
    await expect(python.request('phases.measure', { segmentation: probabilities.staged })).rejects.toThrow('uint8');
    const pool = (images: object[], weights: number[]) =>
      python.request('phases.pool', { weights }, { buffers: [Buffer.from(JSON.stringify(images))] });
    const pooled = await pool([plain.image, plain.image], [1, 3]);
    expect(pooled.phases[0]!.fraction).toBeCloseTo(one!.fraction, 12);
    await expect(pool([plain.image], [1, 3])).rejects.toThrow('2 weights for 1 images');
    await expect(pool([{}], [1])).rejects.toThrow('1 to 1000 images');
  });

  it('stops when it is cancelled', async () => {
    const segmentation = await stage('uint8', [16, 1000, 1000], new Uint8Array(16e6).fill(1));
    const measuring = python.request('phases.measure', { segmentation }, { id: 'to-cancel' });
    await Promise.all([
      expect(measuring).rejects.toMatchObject({ code: 'cancelled' }),
      python.request('cancel', { id: 'to-cancel' })
    ]);
    expect((await python.request('phases.measure', { segmentation })).phases[0]!.fraction).toBe(1);
  });
});
