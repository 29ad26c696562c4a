/**
 * An image of 8192² pixels of 16 bits through the sidecar as users have it: trained on strokes and segmented as a whole, in bounded
 * memory, with progress, and stopped when it is cancelled.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { LABEL_TILE } from '../../../src/shared/limits';
import { EventParams, SessionState } from '../../../src/shared/protocol';
import { TestClient } from './support/client';
import { removeBundle, TestSidecar } from './support/process';

const SIDE = 8192;
/** Side of what repeats in the image, but for its noise. */
const PERIOD = 512;
const CLASSES = [
  { id: 1, name: 'matrix', color: '#0072b2' },
  { id: 2, name: 'grains', color: '#e69f00' },
  { id: 3, name: 'pores', color: '#009e73' }
];
/** What the sidecar may hold at most: 2 GB less what the tests could not see. */
const RESIDENT_BYTES_MAX = 1.8e9;

let sidecar: TestSidecar;
let client: TestClient;
let state: SessionState;

/** What is at a pixel: a class id. */
function truth(row: number, column: number): number {
  const [y, x] = [row % PERIOD, column % PERIOD];
  if (Math.hypot(y - 150, x - 150) < 90) {
    return 2;
  }
  return Math.hypot(y - 380, x - 360) < 70 ? 3 : 1;
}

/** Write the image band by band: three levels of grey and noise. */
function writeImage(path: string): void {
  const levels = [0, 20000, 35000, 8000];
  const period = Uint16Array.from(
    { length: PERIOD * PERIOD },
    (_, i) => levels[truth(Math.floor(i / PERIOD), i % PERIOD)]!
  );
  const band = new Uint16Array(PERIOD * SIDE);
  const file = openSync(path, 'r+');
  let random = 1;
  for (let first = 0; first < SIDE; first += PERIOD) {
    for (let i = 0; i < band.length; i++) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      const row = Math.floor(i / SIDE);
      band[i] = period[row * PERIOD + ((i % SIDE) % PERIOD)]! + (random >>> 19);
    }
    writeSync(file, new Uint8Array(band.buffer), 0, band.byteLength, first * SIDE * 2);
  }
  closeSync(file);
}

/** A stroke 12 pixels wide along a row, as far as it runs over one class. */
async function stroke(id: number, row: number, column: number, length: number): Promise<void> {
  const masks = new Map<string, { row: number; column: number; mask: Uint8Array }>();
  for (let r = row; r < row + 12; r++) {
    for (let c = column; c < column + length; c++) {
      if (truth(r, c) === id) {
        const tile = { row: Math.floor(r / LABEL_TILE), column: Math.floor(c / LABEL_TILE) };
        const key = `${tile.row} ${tile.column}`;
        const entry = masks.get(key) ?? { ...tile, mask: new Uint8Array(LABEL_TILE ** 2 / 8) };
        masks.set(key, entry);
        entry.mask[((r % LABEL_TILE) * LABEL_TILE + (c % LABEL_TILE)) >> 3]! |= 128 >> (c & 7);
      }
    }
  }
  const tiles = [...masks.values()];
  const patch = {
    session: state.session,
    slice: 0,
    class: id,
    replaces: 'all' as const,
    tiles: tiles.map(tile => ({ row: tile.row, column: tile.column }))
  };
  await client.request('labels.patch', patch, { buffers: tiles.map(({ mask }) => deflateRawSync(mask)) });
}

/** Bytes of the sidecar's process: most so far, or now. */
function resident(what: 'VmHWM' | 'VmRSS'): number {
  const status = readFileSync(`/proc/${sidecar.process!.pid}/status`, 'utf8');
  return Number(new RegExp(`${what}:\\s+(\\d+) kB`).exec(status)![1]) * 1024;
}

/** Some bytes of a shared array. */
function bytesAt(name: string, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const file = openSync(state.arrays[name]!.path, 'r');
  readSync(file, bytes, 0, length, position);
  closeSync(file);
  return bytes;
}

const running = (id: string, stage: string, least: number) => (heard: { event?: string; params?: unknown }) => {
  const job = heard.params as EventParams<'job'>;
  return heard.event === 'job' && job.job === id && job.stage === stage && job.done / job.total >= least;
};

// /proc is what tells how much memory another process holds.
(process.platform === 'linux' ? describe : describe.skip)('An image of 8192² pixels of 16 bits', () => {
  beforeAll(async () => {
    sidecar = await new TestSidecar('real').start();
    client = await sidecar.connect();
    const opened = await client.request('session.open', {
      key: 'large',
      title: 'large',
      image: {
        shape: [1, SIDE, SIDE, 1],
        dtype: 'uint16',
        digest: '0123456789abcdef'.repeat(4),
        display: { low: 8000, high: 43000 }
      },
      classes: CLASSES,
      keepClasses: false,
      fresh: true
    });
    writeImage(opened.arrays['image']!.path);
    state = await client.request('image.ready', { session: opened.session });
    for (const [row, column] of [
      [150, 100],
      [5270, 3170],
      [7830, 7780]
    ] as [number, number][]) {
      await stroke(2, row, column, 100);
      await stroke(3, row + 230, column + 230, 60);
      await stroke(1, row + 340, column - 90, 300);
    }
  }, 120_000);

  afterAll(async () => {
    client.close();
    await sidecar.dispose();
    removeBundle();
  });

  it('stops on the way when it is cancelled', async () => {
    for (const [id, stage] of [
      ['while features are computed', 'features'],
      ['while the image is segmented', 'segmenting']
    ] as const) {
      const training = client.request('train', { session: state.session }, { id });
      const failed = expect(training).rejects.toMatchObject({ code: 'cancelled' });
      await client.hear(running(id, stage, 0.02));
      const asked = performance.now();
      await client.request('cancel', { id });
      await failed;
      // What is promised, not how fast it is: it takes some 25 ms.
      expect(performance.now() - asked).toBeLessThan(1000);
      const { params } = await client.hear(
        heard => heard.event === 'job' && (heard.params as EventParams<'job'>).state === 'cancelled'
      );
      const { stage: reached, done, total } = params as EventParams<'job'>;
      expect(reached).toBe(stage);
      // There are few tiles in the sample for the cuts, and many threads may be at the last of them.
      if (stage === 'segmenting') {
        expect(done / total).toBeLessThan(0.6);
      }
    }
    expect((await client.request('session.attach', { session: state.session })).segmentation).toBeNull();
  }, 120_000);

  it('is trained on strokes and segmented as a whole below 2 GB, with progress', async () => {
    const id = 'whole';
    const training = client.request('train', { session: state.session }, { id });
    for (const done of [0.25, 0.5, 0.75]) {
      await client.hear(running(id, 'segmenting', done));
    }
    state = await training;
    let right = 0;
    const rows = [0, 137, 2077, 4095, 8191];
    for (const row of rows) {
      bytesAt('segmentation', row * SIDE, SIDE).forEach((value, column) => (right += +(value === truth(row, column))));
    }
    expect(right / (rows.length * SIDE)).toBeGreaterThan(0.98);
    expect(state.arrays['probabilities']).toBeUndefined();
    expect(resident('VmHWM')).toBeLessThan(RESIDENT_BYTES_MAX);
  }, 600_000);

  it('is trained again after more labels without computing the features of labelled tiles, and is still below 2 GB', async () => {
    await stroke(1, 500, 10, 200);
    const id = 'again';
    const training = client.request('train', { session: state.session }, { id });
    const failed = expect(training).rejects.toMatchObject({ code: 'cancelled' });
    await client.hear(running(id, 'segmenting', 0.2));
    await client.request('cancel', { id });
    await failed;
    expect(resident('VmHWM')).toBeLessThan(RESIDENT_BYTES_MAX);
  }, 120_000);
});
