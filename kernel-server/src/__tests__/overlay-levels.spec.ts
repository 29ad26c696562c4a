/** Overlays zoomed out: reduced tiles of segmentation, labels, correction, probability and uncertainty, compared with the arrays. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { TileFile } from '../arrays/tile-file';
import { Sidecar } from '../sidecar';
import { TestClient } from './support/client';
import { bytesOf, CLASSES, inflateTile, rectangle } from './support/images';
import { EngineService } from './support/small-engine';
import { SmallSam } from './support/small-sam';

const ROWS = 430;
const COLUMNS = 700;
const SIDE = 256;

let base: string;
let sidecar: Sidecar;
let client: TestClient;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  base = mkdtempSync(join(tmpdir(), 'sl-'));
  sidecar = await Sidecar.start(
    {
      runtimeDir: join(base, 'run'),
      dataDir: join(base, 'data'),
      arraysDir: join(base, 'arrays'),
      idleTimeout: 600,
      transport: 'ipc'
    },
    {
      engine: new EngineService(),
      sam: new SmallSam({ path: join(base, 'decoder.onnx'), digest: 'b'.repeat(64), bytes: 1 })
    }
  );
  client = await TestClient.connect(join(base, 'run'), 'python');
});

afterEach(async () => {
  client.close();
  await sidecar.stop('the test is over');
  rmSync(base, { recursive: true, force: true });
  jest.restoreAllMocks();
});

/** Two slices of noise in blocks of 3 pixels, so that every level has both classes. */
async function open(): Promise<string> {
  const pixels = Uint8Array.from({ length: 2 * ROWS * COLUMNS }, (_, i) => {
    const [row, column] = [Math.floor(i / COLUMNS / 3), Math.floor((i % COLUMNS) / 3)];
    return (Math.imul(row * 7919 + column * 104729, 2654435761) >>> 24) % 3 === 0 ? 200 : 50;
  });
  const opened = await client.request('session.open', {
    key: 'noise',
    title: 'noise',
    image: {
      shape: [2, ROWS, COLUMNS, 1],
      dtype: 'uint8',
      digest: 'a'.repeat(64),
      display: { low: 0, high: 255 }
    },
    classes: CLASSES,
    keepClasses: false,
    fresh: false
  });
  writeFileSync(opened.arrays['image']!.path, pixels, { flag: 'r+' });
  await client.request('image.ready', { session: opened.session });
  return opened.session;
}

async function paint(
  session: string,
  ...where: Parameters<typeof rectangle> extends [unknown, ...infer R] ? R : never
) {
  const { patch, buffers } = rectangle(session, ...where);
  return client.request('labels.patch', patch, { buffers });
}

async function train(session: string): Promise<Record<string, ArrayDescriptor>> {
  const dark = rectangle(session, 1, { rows: [0, 1], columns: [0, 6] });
  await client.request('labels.patch', dark.patch, { buffers: dark.buffers });
  const bright = rectangle(session, 2, { rows: [0, 40], columns: [100, 140] });
  await client.request('labels.patch', bright.patch, { buffers: bright.buffers });
  return (await client.request('train', { session })).arrays;
}

/** The tiles of a level, beside each other. */
function tilesOf(level: number): { row: number; column: number }[] {
  const side = SIDE * 2 ** level;
  const [rows, columns] = [Math.ceil(ROWS / side), Math.ceil(COLUMNS / side)];
  return Array.from({ length: rows * columns }, (_, i) => ({ row: Math.floor(i / columns), column: i % columns }));
}

/** The tile of a level in which each pixel is `of` the block of rows and columns under it. */
function tile(
  level: number,
  { row, column }: { row: number; column: number },
  of: (rows: [number, number], columns: [number, number]) => number
): Uint8Array {
  const by = 2 ** level;
  return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [r, c] = [(row * SIDE + Math.floor(i / SIDE)) * by, (column * SIDE + (i % SIDE)) * by];
    return r < ROWS && c < COLUMNS ? of([r, Math.min(ROWS, r + by)], [c, Math.min(COLUMNS, c + by)]) : 0;
  });
}

const middle =
  (ids: Uint8Array, slice: number, by: number): Parameters<typeof tile>[2] =>
  ([r], [c]) =>
    ids[(slice * ROWS + Math.min(ROWS - 1, r + by / 2)) * COLUMNS + Math.min(COLUMNS - 1, c + by / 2)]!;

const first =
  (ids: Uint8Array, slice = 0): Parameters<typeof tile>[2] =>
  (rows, columns) => {
    for (let r = rows[0]; r < rows[1]; r++) {
      for (let c = columns[0]; c < columns[1]; c++) {
        const id = ids[(slice * ROWS + r) * COLUMNS + c]!;
        if (id > 0) {
          return id;
        }
      }
    }
    return 0;
  };

const same = (buffers: Uint8Array[], expected: Uint8Array[]) =>
  buffers.length === expected.length &&
  buffers.every((buffer, i) => Buffer.from(inflateTile(buffer)).equals(expected[i]!));

describe('Reduced tiles', () => {
  it('of a segmentation have the class in the middle of each block, to the edges, also after a stroke', async () => {
    const session = await open();
    const arrays = await train(session);
    const ask = (slice: number, level: number) =>
      client.request('overlay.tiles', { session, overlay: 'segmentation', slice, level, tiles: tilesOf(level) });
    for (const level of [1, 2]) {
      for (const slice of [0, 1]) {
        const { version, tiles, buffers } = await ask(slice, level);
        expect([version, tiles]).toEqual([1, tilesOf(level)]);
        const ids = bytesOf(arrays['segmentation']!);
        expect(new Set(ids)).toEqual(new Set([1, 2]));
        expect(
          same(
            buffers,
            tilesOf(level).map(at => tile(level, at, middle(ids, slice, 2 ** level)))
          )
        ).toBe(true);
      }
    }
    const before = (await ask(0, 2)).buffers;
    await paint(session, 2, { tile: [1, 1], rows: [0, 256], columns: [0, 256] });
    const after = (await ask(0, 2)).buffers;
    expect(same(after, before.map(inflateTile))).toBe(false);
    const ids = bytesOf(arrays['segmentation']!);
    expect(
      same(
        after,
        tilesOf(2).map(at => tile(2, at, middle(ids, 0, 4)))
      )
    ).toBe(true);
    await expect(
      client.request('overlay.tiles', {
        session,
        overlay: 'segmentation',
        slice: 0,
        level: 2,
        tiles: [{ row: 1, column: 0 }]
      })
    ).rejects.toMatchObject({ code: 'invalid', message: expect.stringMatching(/\(1, 0\) of level 2 .* 1 × 1/) });
  });

  it('of labels and of the correction have the first class in each block, after drawing, erasing and undoing', async () => {
    const session = await open();
    const ask = async (overlay: 'labels' | 'correction', level: number) =>
      (await client.request('overlay.tiles', { session, overlay, slice: 0, level, tiles: tilesOf(level) })).buffers;
    const blank = (level: number) => tilesOf(level).map(() => new Uint8Array(SIDE * SIDE));
    expect(same(await ask('labels', 2), blank(2))).toBe(true);
    await train(session);
    const { arrays } = await client.request('session.attach', { session });
    await paint(session, 2, { tile: [1, 2], rows: [173, 174], columns: [0, 188] }); // in the last row, to the last column
    const labels = () => bytesOf(arrays['labels']!);
    const holds = async () => {
      for (const level of [1, 2]) {
        const expected = tilesOf(level).map(at => tile(level, at, first(labels())));
        expect(same(await ask('labels', level), expected)).toBe(true);
      }
      const { tiles } = await client.request('overlay.tiles', { session, overlay: 'labels', slice: 0 });
      return tiles;
    };
    expect(await holds()).toEqual([
      { row: 0, column: 0 },
      { row: 1, column: 2 }
    ]);
    await paint(session, 0, { tile: [1, 2], rows: [0, 174], columns: [0, 188] });
    expect(await holds()).toEqual([{ row: 0, column: 0 }]);
    await client.request('history.undo', { session });
    expect(await holds()).toHaveLength(2);
    const { patch, buffers } = rectangle(session, 1, { tile: [1, 1], rows: [5, 6], columns: [9, 10] });
    await client.request('labels.patch', { ...patch, layer: 'correction' }, { buffers });
    const correction = (await client.request('session.attach', { session })).arrays['correction']!;
    const expected = tilesOf(3).map(at => tile(3, at, first(bytesOf(correction))));
    expect(expected.some(ids => ids.includes(1))).toBe(true);
    expect(same(await ask('correction', 3), expected)).toBe(true);
  });

  it('of probability and uncertainty are means, computed for the tiles or read from the arrays', async () => {
    const session = await open();
    await train(session);
    const ask = async (level: number) => [
      ...(await client.request('probability.tiles', { session, slice: 1, class: 2, level, tiles: tilesOf(level) }))
        .buffers,
      ...(
        await client.request('uncertainty.tiles', {
          session,
          slice: 1,
          measure: 'maximum',
          level,
          tiles: tilesOf(level)
        })
      ).buffers
    ];
    const computed = [await ask(1), await ask(2)];
    const { arrays } = await client.request('segment', { session, arrays: ['probabilities'] });
    const held = new Float32Array(new Uint8Array(readFileSync(arrays['probabilities']!.path)).buffer);
    const mean =
      (of: (pixel: number) => number): Parameters<typeof tile>[2] =>
      (rows, columns) => {
        let sum = 0;
        for (let r = rows[0]; r < rows[1]; r++) {
          for (let c = columns[0]; c < columns[1]; c++) {
            sum += of((ROWS + r) * COLUMNS + c);
          }
        }
        return Math.round((255 * sum) / ((rows[1] - rows[0]) * (columns[1] - columns[0])));
      };
    for (const [i, level] of [1, 2].entries()) {
      const expected = [
        ...tilesOf(level).map(at =>
          tile(
            level,
            at,
            mean(pixel => held[2 * pixel + 1]!)
          )
        ),
        ...tilesOf(level).map(at =>
          tile(
            level,
            at,
            mean(pixel => 1 - Math.max(held[2 * pixel]!, held[2 * pixel + 1]!))
          )
        )
      ];
      expect(expected[0]!.some(value => value > 0 && value < 255)).toBe(true);
      expect(same(computed[i]!, expected)).toBe(true);
      expect(same(await ask(level), expected)).toBe(true);
    }
  });

  it('read nothing of labels that do not exist, and of others only what has labels', async () => {
    const session = await open();
    const read = jest.spyOn(TileFile.prototype, 'read');
    const pixels = () =>
      read.mock.calls
        .splice(0)
        .reduce((n, [{ row0, row1, column0, column1 }]) => n + (row1 - row0) * (column1 - column0), 0);
    const ask = (more: object) => client.request('overlay.tiles', { session, overlay: 'labels', slice: 0, ...more });
    expect((await ask({})).tiles).toEqual([]);
    await ask({ level: 3, tiles: tilesOf(3) });
    expect(pixels()).toBe(0);
    await paint(session, 1, { tile: [1, 1], rows: [3, 4], columns: [0, 5] });
    pixels();
    expect((await ask({})).tiles).toEqual([{ row: 1, column: 1 }]);
    const tile = (ROWS - SIDE) * SIDE;
    expect(pixels()).toBe(2 * tile); // to see what it has now, and to send it
    await ask({});
    await ask({ level: 3, tiles: tilesOf(3) });
    expect(pixels()).toBe(2 * tile);
  });
});
