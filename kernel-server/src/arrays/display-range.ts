/** The default values that are shown as black and white. Python has the same rule (`sambalab/files/images.py`). */
import type { ArrayDescriptor, ImageInfo } from '../../../src/shared/protocol';
import { breathe } from '../base/files';
import { byteLength, itemSize } from './dtypes';
import { TileFile } from './tile-file';

/** Number of values that are sampled, evenly spread. */
const SAMPLE = 1 << 20;

/** Rows are read in bands of about this many values. */
const BAND_VALUES = 1 << 21;

/** 0 and 255 for integers of 8 bits, else the 0.1 and 99.9 percentile of the array [slices, rows, columns, channels]. */
export async function displayRange(image: ArrayDescriptor): Promise<ImageInfo['display']> {
  if (image.dtype === 'uint8') {
    return { low: 0, high: 255 };
  }
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
  sample.sort();
  let low = percentile(sample, 0.001);
  let high = percentile(sample, 0.999);
  if (!(low < high)) {
    low = sample[0]!;
    high = sample[sample.length - 1]!;
  }
  if (!(low < high)) {
    high = low + Math.max(1, Math.abs(low) * 1e-3);
  }
  return { low, high };
}

/** A percentile of ascending values, by linear interpolation. */
function percentile(values: Float64Array, part: number): number {
  const at = part * (values.length - 1);
  const lower = Math.floor(at);
  const [a, b] = [values[lower]!, values[Math.min(lower + 1, values.length - 1)]!];
  return a + (b - a) * (at - lower);
}
