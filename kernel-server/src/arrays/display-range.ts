/** The range of an image's grey values, without hot and dead pixels. Python has the same rule (`sambalab/spec/grey_range.py`). */
import type { ArrayDescriptor, ImageInfo } from '../../../src/shared/protocol';
import { breathe } from '../base/files';
import { byteLength, itemSize } from './dtypes';
import { TileFile } from './tile-file';

/** Values of an image, low < high. */
export type GreyRange = ImageInfo['display'];

/** Number of values that are sampled, evenly spread. */
const SAMPLE = 1 << 20;

/** Beyond the percentiles 1 and 99 the range reaches at most this many times their distance. */
const BEYOND = 2;
/** Less of the image than this decides nothing. */
const ENOUGH = 0.01;

/** Rows are read in bands of about this many values. */
const BAND_VALUES = 1 << 21;

/** The values shown as black and white by default: 0 and 255 for unsigned integers of 8 bits, else the {@link greyRange}. */
export async function displayRange(image: ArrayDescriptor): Promise<GreyRange> {
  return image.dtype === 'uint8' ? { low: 0, high: 255 } : greyRange(image);
}

/** The range of the grey values of an array [slices, rows, columns, channels]; see {@link rangeOf}. */
export async function greyRange(image: ArrayDescriptor): Promise<GreyRange> {
  const values = byteLength(image) / itemSize(image.dtype);
  const step = Math.max(1, Math.floor(values / SAMPLE));
  const sample = new Float64Array(Math.ceil(values / step));
  const [slices, rows, columns] = image.shape as [number, number, number];
  const array = new TileFile(image, 'r');
  try {
    const width = columns * array.channels;
    const band = Math.max(1, Math.floor(BAND_VALUES / width));
    let next = 0;
    let before = 0;
    for (let slice = 0; slice < slices; slice++) {
      for (let row0 = 0; row0 < rows; row0 += band) {
        const row1 = Math.min(rows, row0 + band);
        await breathe();
        const pixels = array.read({ slice, row0, row1, column0: 0, column1: columns });
        for (; next * step < before + pixels.length; next++) {
          sample[next] = pixels[next * step - before]!;
        }
        before += pixels.length;
      }
    }
  } finally {
    array.close();
  }
  return rangeOf(sample);
}

/**
 * The range of grey values, low < high, from a sample of them, which is sorted.
 *
 * It is the 0.1 and 99.9 percentile, but reaches no further than twice the distance of the percentiles 1 and 99 beyond them, so that up to 1 % of hot or dead
 * pixels leave most of the range to the others. These two percentiles are of the values between the smallest and the largest: padding and saturated
 * areas, which have just one of these values, may be of any size.
 */
export function rangeOf(sample: Float64Array): GreyRange {
  sample.sort();
  const least = sample[0]!;
  const most = sample[sample.length - 1]!;
  let low = percentile(sample, 0.001);
  let high = percentile(sample, 0.999);
  const inner = sample.subarray(firstOver(sample, least, true), firstOver(sample, most, false));
  if (inner.length >= ENOUGH * sample.length) {
    const begin = percentile(inner, 0.01);
    const end = percentile(inner, 0.99);
    const reach = BEYOND * (end - begin);
    if (reach > 0) {
      low = Math.max(low, begin - reach);
      high = Math.min(high, end + reach);
    }
  }
  if (!(low < high)) {
    [low, high] = [least, most];
  }
  if (!(low < high)) {
    // A constant image is shown as black. The next float above would be lost where the range is scaled in single precision.
    high = low + Math.max(1, Math.abs(low) * 1e-3);
  }
  return { low, high };
}

/** The first of ascending values that is above a limit, or not below it. @returns its index; the length if there is none */
function firstOver(values: Float64Array, limit: number, above: boolean): number {
  let from = 0;
  let to = values.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    const over = above ? values[middle]! > limit : values[middle]! >= limit;
    [from, to] = over ? [from, middle] : [middle + 1, to];
  }
  return from;
}

/** A percentile of ascending values, by linear interpolation. */
function percentile(values: Float64Array, part: number): number {
  const at = part * (values.length - 1);
  const lower = Math.floor(at);
  const [a, b] = [values[lower]!, values[Math.min(lower + 1, values.length - 1)]!];
  return a + (b - a) * (at - lower);
}
