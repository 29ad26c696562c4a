/** Maps that are made window by window: the windows that a rectangle needs, and the same bits in any order. The SAM process runs a tiny model. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IEmbeddingBasis, ILayerMaps } from '../../../../engine/core/embedding';
import { BridgeError } from '../../../../src/shared/errors';
import type { EmbeddingSpec } from '../../../../src/shared/features';
import type { ArrayDescriptor } from '../../../../src/shared/protocol';
import { Rect } from '../../../../src/shared/rect';
import { EncoderWindows } from '../../../../src/sam';
import { ArrayStore } from '../../arrays/array-store';
import { Jobs } from '../../jobs/jobs';
import { reduceAll } from '../all-maps';
import { SamService } from '../service';
import { SliceEmbeddings } from '../slice-embeddings';
import { IWindowSource, WindowedMaps } from '../windowed-maps';
import { bundleSamProcess, makeContext, makeFolder, tinyManifest } from '../../__tests__/support/sam-fixture';

const [ROWS, COLUMNS] = [150, 190];
const display = { low: 10, high: 240 };
const folder = makeFolder();
const manifest = tinyManifest(folder.path);
const spec: EmbeddingSpec = {
  model: 'tiny',
  window: 32,
  views: 1,
  layers: [
    { layer: 'stage1', components: 3 },
    { layer: 'output', components: 2 }
  ]
};
const windows = new EncoderWindows({ rows: ROWS, columns: COLUMNS }, 32, manifest);
let sam: SamService;
let image: ArrayDescriptor;
let basis: IEmbeddingBasis;
let whole: readonly ILayerMaps[];

beforeAll(async () => {
  const processPath = bundleSamProcess(folder.path);
  const env = { ...process.env, SAMBALAB_PROVIDER: 'cpu', SAMBALAB_MODELS: folder.path };
  sam = new SamService({ processPath, manifest, env });
  let state = 23;
  const pixels = Uint8Array.from({ length: ROWS * COLUMNS }, (_, i) => {
    state = (state * 48271) % 2147483647;
    return 120 + 90 * Math.sin(i / 97) + (state % 41) - 20;
  });
  const path = join(folder.path, 'image.u8');
  writeFileSync(path, pixels);
  image = { path, dtype: 'uint8', shape: [1, ROWS, COLUMNS, 1], version: 0 };
  ({ basis, maps: whole } = await reduceAll(sam, image, display, 0, spec, null, makeContext()));
});

afterAll(async () => {
  await sam.dispose();
  folder.remove();
});

const begin = () => new WindowedMaps(windows, spec.layers, manifest);

/** Runs the encoder, and notes for which windows. */
function source(ran: number[] = []): IWindowSource & { ran: number[]; added: jest.Mock } {
  return {
    ran,
    encode: async (index, context) => {
      ran.push(index);
      return (await sam.reduce(image, display, 0, spec, basis, [index], context)).windows[0]!;
    },
    added: jest.fn()
  };
}

/** Tiles over the image in a fixed disorder. */
function shuffledTiles(side: number): Rect[] {
  const tiles: Rect[] = [];
  for (let row0 = 0; row0 < ROWS; row0 += side) {
    for (let column0 = 0; column0 < COLUMNS; column0 += side) {
      tiles.push({
        row0,
        row1: Math.min(ROWS, row0 + side),
        column0,
        column1: Math.min(COLUMNS, column0 + side)
      });
    }
  }
  return tiles
    .map((tile, i) => ({ tile, at: (i * 7) % tiles.length }))
    .sort((a, b) => a.at - b.at)
    .map(({ tile }) => tile);
}

/** The cells that the features of a rectangle are interpolated from. */
function cellsUnder(map: ILayerMaps, { row0, row1, column0, column1 }: Rect): number[] {
  const cell = (pixel: number, count: number) =>
    Math.floor(Math.max(0, Math.min(count - 1, (pixel + 0.5) / map.cell - 0.5)));
  const out: number[] = [];
  for (let k = 0; k < map.components; k++) {
    for (let row = cell(row0, map.rows); row < Math.min(map.rows, cell(row1 - 1, map.rows) + 2); row++) {
      for (
        let column = cell(column0, map.columns);
        column < Math.min(map.columns, cell(column1 - 1, map.columns) + 2);
        column++
      ) {
        out.push(map.data[(k * map.rows + row) * map.columns + column]!);
      }
    }
  }
  return out;
}

function expectSameBits(maps: readonly ILayerMaps[]): void {
  maps.forEach(({ data }, i) => {
    const [a, b] = [data, whole[i]!.data].map(({ buffer }) => Buffer.from(new Uint8Array(buffer).slice()));
    expect(Buffer.compare(a!, b!)).toBe(0);
  });
}

describe('Maps that are asked for by rectangle', () => {
  it('are complete under it after its windows alone, and in the end the same bits as all at once', async () => {
    const all = begin();
    const from = source();
    expect(windows.count).toBe(6 * 8);
    for (const [i, tile] of shuffledTiles(24).entries()) {
      await all.complete(from, makeContext(), [tile]);
      all.maps.forEach((map, layer) => expect(cellsUnder(map, tile)).toEqual(cellsUnder(whole[layer]!, tile)));
      if (i === 0) {
        expect(from.ran.length).toBeLessThanOrEqual(9);
        expect(all.isComplete).toBe(false);
      }
    }
    expect([...from.ran].sort((a, b) => a - b)).toEqual(Array.from({ length: windows.count }, (_, i) => i));
    expect(from.added).toHaveBeenCalledTimes(windows.count);
    expect(all.isComplete).toBe(true);
    expectSameBits(all.maps);
    expect(all.bytes).toBe(all.maps.reduce((sum, { data }) => sum + data.byteLength, 0)); // nothing is held any more
  });

  it('are the same bits if many callers wait at once, and each window is run once; progress counts what a caller waits for', async () => {
    const all = begin();
    const from = source();
    const said: [number, number][] = [];
    const context = {
      ...makeContext(),
      progress: (_: string, done: number, total: number) => said.push([done, total])
    };
    const tiles = shuffledTiles(40);
    await Promise.all([
      all.complete(from, makeContext()),
      ...tiles.map(tile => all.complete(from, makeContext(), [tile])),
      all.complete(from, context, tiles.slice(0, 1))
    ]);
    expect(new Set(from.ran).size).toBe(from.ran.length);
    expect(from.ran).toHaveLength(windows.count);
    expectSameBits(all.maps);
    const [, total] = said[0]!;
    expect(total).toBeLessThan(windows.count / 2);
    expect(said.filter(([done]) => done === total)).toHaveLength(1);
    expect(said.every(([, of], i) => of === total && (i === 0 || said[i]![0] >= said[i - 1]![0]))).toBe(true);
  });

  it('come before those of a caller that wants the whole slice', async () => {
    const all = begin();
    const from = source();
    const slow = all.complete(from, makeContext());
    const corner = { row0: ROWS - 8, row1: ROWS, column0: COLUMNS - 8, column1: COLUMNS };
    await all.complete(from, makeContext(), [corner]);
    expect(from.ran.length).toBeLessThan(windows.count / 4);
    await slow;
    expectSameBits(all.maps);
  });

  it('stop when nobody waits any more, and go on when somebody does', async () => {
    const all = begin();
    const from = source();
    const abort = new AbortController();
    let after = 0;
    const encode: IWindowSource['encode'] = async (...args) => {
      if (from.ran.length === 4) {
        abort.abort();
        after = from.ran.length;
      }
      return from.encode(...args);
    };
    await expect(all.complete({ ...from, encode }, makeContext(undefined, abort.signal))).rejects.toMatchObject({
      code: 'cancelled'
    });
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(from.ran.length).toBeLessThanOrEqual(after + 1);
    await all.complete(from, makeContext());
    expectSameBits(all.maps);
  });

  it('fail for those that wait for a window that fails, and not for others', async () => {
    const all = begin();
    const from = source();
    let broken = true;
    const encode: IWindowSource['encode'] = async (index, context) => {
      if (index === 0 && broken) {
        throw new BridgeError('compute', 'no memory');
      }
      return from.encode(index, context);
    };
    const upper = { row0: 0, row1: 8, column0: 0, column1: 8 };
    const lower = { row0: ROWS - 8, row1: ROWS, column0: COLUMNS - 8, column1: COLUMNS };
    const outcomes = await Promise.allSettled(
      [upper, lower].map(rect => all.complete({ ...from, encode }, makeContext(), [rect]))
    );
    expect(outcomes).toMatchObject([{ status: 'rejected', reason: { message: 'no memory' } }, { status: 'fulfilled' }]);
    broken = false;
    await all.complete({ ...from, encode }, makeContext());
    expectSameBits(all.maps);
  });

  it('are those of a handed-over image too', async () => {
    const store = new ArrayStore([{ directory: join(folder.path, 'arrays'), memory: false }]);
    const embeddings = new SliceEmbeddings({ sam, jobs: new Jobs(() => undefined), store });
    const maps = embeddings.arrayMaps(image, display, undefined, spec, basis);
    for (const tile of shuffledTiles(64)) {
      await maps.slice(0, makeContext(), [tile]);
    }
    expectSameBits(await maps.slice(0, makeContext()));
  });
});
