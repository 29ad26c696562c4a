/** The histogram that the user sets the contrast over, and single pixels, against values that are known. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageInfo } from '../../../../src/shared/protocol';
import { TypedArray } from '../dtypes';
import { histogramOf } from '../histogram';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sl-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function array(pixels: TypedArray, shape: number[], dtype: ImageInfo['dtype']) {
  const path = join(folder, 'image.bin');
  writeFileSync(path, pixels);
  return { path, dtype, shape, version: 0 };
}

describe('A histogram', () => {
  it('counts each value of an 8-bit colour image by channel', async () => {
    const pixels = Uint8Array.from({ length: 100 * 100 * 3 }, (_, i) =>
      i % 3 === 0 ? 7 : i % 3 === 1 ? 250 : i % 256
    );
    const { low, high, counts } = await histogramOf(array(pixels, [1, 100, 100, 3], 'uint8'), { low: 0, high: 255 });
    expect([low, high, counts.length, counts[0]!.length]).toEqual([0, 255, 3, 256]);
    expect([counts[0]![7], counts[1]![250]]).toEqual([10_000, 10_000]);
    for (const value of [0, 2, 100, 255]) {
      const count = pixels.filter((pixel, i) => i % 3 === 2 && pixel === value).length;
      expect(counts[2]![value]).toBe(count);
    }
  });

  it('has ranges without the rarest values, and bins around the range that is shown', async () => {
    // 0 to 9,999 once each, and one hot pixel.
    const pixels = Uint16Array.from({ length: 10_000 }, (_, i) => i);
    pixels[9_999] = 65_535;
    const { low, high, counts, cuts } = await histogramOf(array(pixels, [1, 100, 100, 1], 'uint16'), {
      low: 4000,
      high: 6000
    });
    expect([low, high, counts[0]!.length]).toEqual([3000, 7000, 256]);
    expect(counts[0]!.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(4001);
    expect(cuts.find(({ percent }) => percent === 0)).toEqual({ percent: 0, low: 0, high: 65_535 });
    expect(cuts.find(({ percent }) => percent === 1)).toEqual({ percent: 1, low: 100, high: 9899 });
  });

  it('leaves out what is not finite, and is of every slice', async () => {
    const pixels = Float32Array.from({ length: 2 * 50 * 50 }, (_, i) => (i < 2500 ? -1.5 : 2.5));
    pixels[0] = NaN;
    pixels[1] = Infinity;
    const { low, high, counts } = await histogramOf(array(pixels, [2, 50, 50, 1], 'float32'), { low: -1.5, high: 2.5 });
    expect([low, high, counts[0]![0], counts[0]!.at(-1)]).toEqual([-1.5, 2.5, 2498, 2500]);
  });

  it('of a constant image has a range all the same', async () => {
    const { low, high, cuts } = await histogramOf(array(new Float32Array(100).fill(3), [1, 10, 10, 1], 'float32'), {
      low: 3,
      high: 4
    });
    expect(low).toBeLessThan(high);
    cuts.forEach(cut => expect(cut.low).toBeLessThan(cut.high));
  });
});
