/** Flood fill against a plain search over the whole slice, on random images that the region leaves and enters by every edge of a tile. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LABEL_TILE } from '../../../../src/shared/limits';
import { Dtype } from '../../../../src/shared/protocol';
import { TypedArray } from '../dtypes';
import { flood, IFloodTile } from '../flood';
import { TileFile } from '../tile-file';

let folder: string;
let seed = 3;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sl-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function random(n: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
}

function fileOf(pixels: TypedArray, shape: number[], dtype: Dtype): TileFile {
  const path = join(folder, 'image.bin');
  writeFileSync(path, pixels);
  return new TileFile({ path, dtype, shape, version: 0 }, 'r');
}

/** Pixel by pixel, with a queue. */
function plain(pixels: TypedArray, [, rows, columns, channels]: number[], from: number, tolerance: number): Uint8Array {
  const like = (i: number) => {
    for (let c = 0; c < channels!; c++) {
      const value = pixels[i * channels! + c]!;
      const origin = pixels[from * channels! + c]!;
      if (value < origin - tolerance || value > origin + tolerance) {
        return false;
      }
    }
    return true;
  };
  const out = new Uint8Array(rows! * columns!);
  const queue = [from];
  out[from] = 1;
  for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
    const column = i % columns!;
    for (const next of [i - columns!, i + columns!, column > 0 ? i - 1 : -1, column < columns! - 1 ? i + 1 : -1]) {
      if (next >= 0 && next < out.length && out[next] === 0 && like(next)) {
        out[next] = 1;
        queue.push(next);
      }
    }
  }
  return out;
}

function unpacked(tiles: IFloodTile[], [, rows, columns]: number[]): Uint8Array {
  const out = new Uint8Array(rows! * columns!);
  let outside = 0;
  for (const { row, column, bits } of tiles) {
    for (let i = 0; i < LABEL_TILE ** 2; i++) {
      if (bits[i >> 3]! & (0x80 >> (i & 7))) {
        const [r, c] = [row * LABEL_TILE + Math.floor(i / LABEL_TILE), column * LABEL_TILE + (i % LABEL_TILE)];
        outside += r < rows! && c < columns! ? 0 : 1;
        out[r * columns! + c] = 1;
      }
    }
  }
  expect(outside).toBe(0);
  return out;
}

it('fills exactly the connected pixels within the tolerance, in every dtype, over the edges of tiles', async () => {
  const cases: [Dtype, number, (n: number) => TypedArray][] = [
    ['uint8', 1, n => Uint8Array.from({ length: n }, () => random(100))],
    ['uint8', 3, n => Uint8Array.from({ length: n }, () => random(60))],
    ['uint16', 1, n => Uint16Array.from({ length: n }, () => 1000 + random(100))],
    ['float32', 1, n => Float32Array.from({ length: n }, () => random(100) / 7 - 5)]
  ];
  let crossed = 0;
  for (const [dtype, channels, make] of cases) {
    const shape = [1, 300, 530, channels];
    const pixels = make(300 * 530 * channels);
    const file = fileOf(pixels, shape, dtype);
    for (let n = 0; n < 6; n++) {
      const [row, column] = [random(300), random(530)];
      // Around the share of like pixels at which regions begin to reach across the image, with many dead ends.
      const tolerance = [30, 45, 60][n % 3]! / (dtype === 'float32' ? 7 : 1) / (channels === 3 ? 1.1 : 1);
      const tiles = await flood(file, { slice: 0, row, column, tolerance });
      const want = plain(pixels, shape, row * 530 + column, tolerance);
      expect(Buffer.from(unpacked(tiles, shape)).equals(want)).toBe(true);
      crossed += tiles.length > 2 ? 1 : 0;
    }
    file.close();
  }
  expect(crossed).toBeGreaterThan(5);
});

it('follows a spiral that leaves and enters tiles many times', async () => {
  const [rows, columns] = [520, 520];
  const pixels = new Uint8Array(rows * columns).fill(200);
  let [r, c, dr, dc] = [0, 0, 0, 1];
  const isFree = (y: number, x: number) =>
    y >= 0 && x >= 0 && y < rows && x < columns && pixels[y * columns + x] === 200;
  for (let turns = 0; turns < 2;) {
    pixels[r * columns + c] = 7;
    if (
      isFree(r + dr, c + dc) &&
      (!(r + 2 * dr >= 0 && r + 2 * dr < rows && c + 2 * dc >= 0 && c + 2 * dc < columns) ||
        isFree(r + 2 * dr, c + 2 * dc))
    ) {
      [r, c, turns] = [r + dr, c + dc, 0];
    } else {
      [dr, dc, turns] = [dc, -dr, turns + 1];
    }
  }
  const shape = [1, rows, columns, 1];
  const file = fileOf(pixels, shape, 'uint8');
  const tiles = await flood(file, { slice: 0, row: 0, column: 0, tolerance: 0 });
  expect(Buffer.from(unpacked(tiles, shape)).equals(pixels.map(value => (value === 7 ? 1 : 0)))).toBe(true);
  expect(pixels.filter(value => value === 7).length).toBeGreaterThan(100_000);
  file.close();
});

it('stops when it is cancelled', async () => {
  const file = fileOf(new Uint8Array(600 * 600), [1, 600, 600, 1], 'uint8');
  const stop = AbortSignal.abort();
  await expect(flood(file, { slice: 0, row: 0, column: 0, tolerance: 5 }, stop)).rejects.toMatchObject({
    code: 'cancelled'
  });
  file.close();
});
