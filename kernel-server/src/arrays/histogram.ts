/** How often grey values occur in an image, for the user who sets the contrast. */
import type { ArrayDescriptor, Result } from '../../../src/shared/protocol';
import { breathe } from '../base/files';
import { TileFile } from './tile-file';
import { GreyRange } from './display-range';

export type Histogram = Result<'image.histogram'>;

/** Number of values that are looked at, about: whole rows, evenly spread over all slices. */
const SAMPLE = 1 << 20;
/** Most and fewest rows. */
const ROWS = { most: 16384, least: 64 } as const;
/** Most bins. */
const BINS = 256;
/** Percentages of the values that are cut off at either end. */
const CUTS = [0, 0.1, 0.5, 1, 2, 5];
/** The bins reach beyond the range that is shown by default by this part of it, as far as there are values. */
const MARGIN = 0.5;

/** The histogram of an array [slices, rows, columns, channels], around a range of its values. Values that are not finite are left out. */
export async function histogramOf(image: ArrayDescriptor, around: GreyRange): Promise<Histogram> {
  const sample = await sampleOf(image);
  const sorted = Float64Array.from(sample.flat()).sort();
  const least = sorted[0] ?? 0;
  const most = sorted[sorted.length - 1] ?? 0;
  const { low, high } = image.dtype === 'uint8' ? { low: 0, high: 255 } : binsAround(around, least, most);
  const whole = image.dtype.startsWith('float') ? BINS : Math.min(BINS, Math.round(high - low) + 1);
  const counts = sample.map(values => {
    const bins = new Array<number>(whole).fill(0);
    for (const value of values) {
      const bin = Math.round(((value - low) / (high - low)) * (whole - 1));
      if (bin >= 0 && bin < whole) {
        bins[bin]!++;
      }
    }
    return bins;
  });
  const at = (part: number) => sorted[Math.round(part * (sorted.length - 1))] ?? 0;
  const cuts = CUTS.map(percent => wide({ low: at(percent / 100), high: at(1 - percent / 100) }));
  return { low, high, counts, cuts: cuts.map((cut, i) => ({ percent: CUTS[i]!, ...cut })) };
}

/** The finite values of some rows, for each channel. */
async function sampleOf(image: ArrayDescriptor): Promise<number[][]> {
  const file = new TileFile(image, 'r');
  try {
    const { slices, rows, columns, channels } = file;
    const total = slices * rows;
    const wanted = Math.ceil(SAMPLE / (columns * channels));
    const count = Math.min(total, Math.max(ROWS.least, Math.min(ROWS.most, wanted)));
    const out: number[][] = Array.from({ length: channels }, () => []);
    for (let i = 0; i < count; i++) {
      const at = Math.floor(((i + 0.5) * total) / count);
      const row0 = at % rows;
      const values = file.read({ slice: Math.floor(at / rows), row0, row1: row0 + 1, column0: 0, column1: columns });
      for (let v = 0; v < values.length; v++) {
        const value = values[v]!;
        if (Number.isFinite(value)) {
          out[v % channels]!.push(value);
        }
      }
      if (i % 64 === 63) {
        await breathe();
      }
    }
    return out;
  } finally {
    file.close();
  }
}

/** Where the bins begin and end. */
function binsAround({ low, high }: GreyRange, least: number, most: number): GreyRange {
  const margin = MARGIN * (high - low);
  return wide({ low: Math.max(least, low - margin), high: Math.min(most, high + margin) });
}

/** A range whose low end is below the high one. */
function wide({ low, high }: GreyRange): GreyRange {
  return low < high ? { low, high } : { low, high: low + Math.max(1, Math.abs(low) * 1e-3) };
}
