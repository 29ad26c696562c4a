/** Image tiles: exact means, display scaling, edges. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageInfo } from '../../../../src/shared/protocol';
import { allocate, TypedArray } from '../dtypes';
import { OverviewAhead } from '../overview-ahead';
import { Pyramid, TileCache } from '../pyramid';
import { TileFile } from '../tile-file';

let folder: string;
const files: TileFile[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sl-'));
});

afterEach(() => {
  files.splice(0).forEach(file => file.close());
  rmSync(folder, { recursive: true });
});

function pyramid(
  pixels: TypedArray,
  shape: ImageInfo['shape'],
  dtype: ImageInfo['dtype'],
  display = { low: 0, high: 255 },
  cache = new TileCache()
): Pyramid {
  const path = join(folder, `${files.length}.bin`);
  writeFileSync(path, pixels);
  const file = new TileFile({ path, dtype, shape, version: 0 }, 'r');
  files.push(file);
  return new Pyramid(file, display, cache, path);
}

/** The mean over the pixels under one pixel of a level, the plain way. */
function mean(
  pixels: TypedArray,
  rows: number,
  columns: number,
  channels: number,
  level: number,
  at: number[]
): number {
  const size = 2 ** level;
  const [row, column, channel] = at as [number, number, number];
  let sum = 0;
  let n = 0;
  for (let r = row * size; r < Math.min(rows, (row + 1) * size); r++) {
    for (let c = column * size; c < Math.min(columns, (column + 1) * size); c++) {
      sum += pixels[(r * columns + c) * channels + channel]!;
      n++;
    }
  }
  return sum / n;
}

const noise = (i: number) => (Math.imul(i + 1, 2654435761) >>> 16) & 255;

describe('Image tiles', () => {
  it('are scaled by the range that is asked for, and a pixel has its own values', async () => {
    const pixels = Float32Array.from({ length: 4 }, (_, i) => i + 0.25);
    const tiles = pyramid(pixels, [1, 2, 2, 1], 'float32', { low: 0.25, high: 3.25 });
    const stored = async (range?: { low: number; high: number }) => {
      const { pixels: bytes } = await tiles.tile(0, 0, 0, 0, range);
      return [...new Uint16Array(bytes.buffer)];
    };
    expect(await stored()).toEqual([0, 21845, 43690, 65535]);
    expect(await stored({ low: 1.25, high: 2.25 })).toEqual([0, 0, 65535, 65535]);
    expect(tiles.pixel(0, 1, 0)).toEqual([2.25]);
    expect(() => tiles.pixel(0, 2, 0)).toThrow(/row 2.*2 rows/);
  });

  it('of level 0 are the pixels themselves, clipped at the edges', async () => {
    const pixels = Uint8Array.from({ length: 600 * 700 * 3 }, (_, i) => noise(i));
    const tile = await pyramid(pixels, [1, 600, 700, 3], 'uint8').tile(0, 0, 1, 1);
    expect(tile).toMatchObject({ rows: 88, columns: 188, channels: 3, dtype: 'uint8' });
    for (const [row, column] of [
      [0, 0],
      [87, 187],
      [40, 3]
    ] as const) {
      for (let k = 0; k < 3; k++) {
        const value = pixels[((512 + row) * 700 + 512 + column) * 3 + k];
        expect(tile.pixels[(row * 188 + column) * 3 + k]).toBe(value);
      }
    }
  });

  it.each([1, 2, 3, 5])('of level %i are exact means, at odd edges and across tiles as well', async level => {
    const [rows, columns] = [1111, 1301];
    const pixels = Uint8Array.from({ length: rows * columns }, (_, i) => noise(i));
    const images = pyramid(pixels, [1, rows, columns, 1], 'uint8');
    const [high, wide] = [Math.ceil(rows / 2 ** level), Math.ceil(columns / 2 ** level)];
    for (let row = 0; row * 512 < high; row++) {
      for (let column = 0; column * 512 < wide; column++) {
        const tile = await images.tile(0, level, row, column);
        expect([tile.rows, tile.columns]).toEqual([
          Math.min(512, high - row * 512),
          Math.min(512, wide - column * 512)
        ]);
        for (let r = 0; r < tile.rows; r += r < tile.rows - 3 ? 7 : 1) {
          for (let c = 0; c < tile.columns; c += c < tile.columns - 3 ? 7 : 1) {
            const expected = mean(pixels, rows, columns, 1, level, [row * 512 + r, column * 512 + c, 0]);
            expect(Math.abs(tile.pixels[r * tile.columns + c]! - expected)).toBeLessThanOrEqual(0.501);
          }
        }
      }
    }
  });

  it.each([
    ['uint16', 1, 1],
    ['uint16', 1, 4],
    ['uint8', 3, 3],
    ['int32', 1, 2],
    ['float32', 3, 4],
    ['float64', 1, 3]
  ] as const)('of %s with %i channels at level %i are exact means', async (dtype, channels, level) => {
    const [rows, columns] = [2 * 517 + 3, 2 * 590 + 5];
    const values = Array.from(
      { length: rows * columns * channels },
      (_, i) => noise(i) * (dtype === 'uint8' ? 1 : 257)
    );
    const pixels = allocate(dtype, values.length);
    pixels.set(values);
    const display = { low: 0, high: 65535 };
    const images = pyramid(pixels, [1, rows, columns, channels], dtype, display);
    const [high, wide] = [Math.ceil(rows / 2 ** level), Math.ceil(columns / 2 ** level)];
    let worst = 0;
    for (let row = 0; row * 512 < high; row++) {
      for (let column = 0; column * 512 < wide; column++) {
        const tile = await images.tile(0, level, row, column);
        const shown = dtype === 'uint8' ? tile.pixels : new Uint16Array(tile.pixels.buffer);
        for (let r = 0; r < tile.rows; r += r < tile.rows - 2 ? 11 : 1) {
          for (let c = 0; c < tile.columns; c += c < tile.columns - 2 ? 11 : 1) {
            for (let k = 0; k < channels; k++) {
              const expected = mean(pixels, rows, columns, channels, level, [row * 512 + r, column * 512 + c, k]);
              worst = Math.max(worst, Math.abs(shown[(r * tile.columns + c) * channels + k]! - expected));
            }
          }
        }
      }
    }
    expect(worst).toBeLessThanOrEqual(0.51);
  });

  it('of the coarsest level need each pixel of the image once', async () => {
    const [rows, columns] = [1500, 2300];
    const images = pyramid(new Uint16Array(rows * columns), [1, rows, columns, 1], 'uint16');
    let pixels = 0;
    const read = jest.spyOn(files[0]!, 'read').mockImplementation(rect => {
      pixels += (rect.row1 - rect.row0) * (rect.column1 - rect.column0);
      return new Uint16Array((rect.row1 - rect.row0) * (rect.column1 - rect.column0));
    });
    await images.overview(0);
    expect(pixels).toBe(rows * columns);
    await images.tile(0, 3, 0, 0);
    expect(pixels).toBe(rows * columns);
    read.mockRestore();
  });

  it('of other types than uint8 run from 0 at display.low to 65535 at display.high', async () => {
    const values = Float32Array.of(-10, 0, 0.5, 1, 99, 0.25);
    const tile = await pyramid(values, [1, 1, 6, 1], 'float32', { low: 0, high: 1 }).tile(0, 0, 0, 0);
    expect(tile.dtype).toBe('uint16');
    expect([...new Uint16Array(tile.pixels.buffer)]).toEqual([0, 0, 32768, 65535, 65535, 16384]);
    const flat = await pyramid(Int16Array.of(4, 5, 6), [1, 1, 3, 1], 'int16', { low: 5, high: 5 }).tile(0, 0, 0, 0);
    expect([...new Uint16Array(flat.pixels.buffer)]).toEqual([0, 0, 65535]);
  });

  it('exist for the smallest image up to any level, and nowhere outside', async () => {
    const images = pyramid(Uint8Array.of(9), [1, 1, 1, 1], 'uint8');
    const tile = await images.tile(0, 16, 0, 0);
    expect([tile.rows, tile.columns, tile.pixels[0]]).toEqual([1, 1, 9]);
    await expect(images.tile(0, 0, 1, 0)).rejects.toMatchObject({ code: 'invalid' });
    await expect(images.tile(1, 0, 0, 0)).rejects.toMatchObject({ code: 'invalid' });
  });

  it('come out the same with a cache too small to hold them', async () => {
    const pixels = Uint8Array.from({ length: 1500 * 1500 }, (_, i) => noise(i));
    const shape: ImageInfo['shape'] = [1, 1500, 1500, 1];
    const large = await pyramid(pixels, shape, 'uint8').tile(0, 2, 0, 0);
    const tiny = await pyramid(pixels, shape, 'uint8', undefined, new TileCache(1000)).tile(0, 2, 0, 0);
    expect(Buffer.from(tiny.pixels).equals(Buffer.from(large.pixels))).toBe(true);
  });

  it('of an image that is being written are made from whole bands of the rows that are there', async () => {
    const [rows, columns] = [4096 + 200, 600];
    const pixels = Uint8Array.from({ length: rows * columns }, (_, i) => noise(i));
    const cache = new TileCache();
    const begun = pyramid(pixels, [1, rows, columns, 1], 'uint8', undefined, cache);
    const file = files[files.length - 1]!;
    const read = jest.spyOn(file, 'read');
    const lastRow = () => Math.max(0, ...read.mock.calls.map(([rect]) => rect.row1));
    await begun.begin(4095, () => true);
    expect(lastRow()).toBe(0);
    await begun.begin(4200, () => true);
    expect(lastRow()).toBe(4096);
    await begun.begin(rows, () => false);
    expect(lastRow()).toBe(4096);
    await begun.begin(rows, () => true);
    expect(lastRow()).toBe(rows);
    // Under another name they are those of a session, which reads nothing more for its overview.
    const { path } = file.array;
    cache.rename(`${path}/`, 'session/');
    read.mockClear();
    const tile = await new Pyramid(file, { low: 0, high: 255 }, cache, 'session').tile(0, 4, 0, 0);
    expect(read).not.toHaveBeenCalled();
    const plain = pyramid(pixels, [1, rows, columns, 1], 'uint8');
    expect(tile).toEqual(await plain.tile(0, 4, 0, 0));
    cache.forget('session/');
    await new Pyramid(file, { low: 0, high: 255 }, cache, 'session').tile(0, 4, 0, 0);
    expect(read).toHaveBeenCalled();
  });

  it('are made ahead, one band after the other as it is written, until they are taken', async () => {
    const [rows, columns] = [3 * 4096, 600];
    const pixels = Uint8Array.from({ length: rows * columns }, (_, i) => noise(i));
    const cache = new TileCache();
    pyramid(pixels, [1, rows, columns, 1], 'uint8');
    const { array } = files[files.length - 1]!;
    const band = (row: number, name = array.path) =>
      cache.get(`${name}/0/3/${row}/0`, () => Promise.reject('not made'));
    const ahead = new OverviewAhead(array, cache);
    ahead.written(4095 * columns);
    await expect(band(0)).rejects.toBe('not made');
    ahead.written(4096 * columns);
    const first = await band(0);
    ahead.written(2 * 4096 * columns);
    ahead.stop();
    cache.rename(`${array.path}/`, 'session/');
    expect(await band(0, 'session')).toBe(first);
    ahead.written(rows * columns);
    await expect(band(2)).rejects.toBe('not made');
    ahead.stop();
  });
});
