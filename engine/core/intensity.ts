/**
 * Mean and standard deviation of an image, by which pixels are standardised, so that brightness and contrast do not matter and a classifier fits images
 * that were taken with other settings. `sambalab/wasm/intensity.py` does the same in Python and `engine/onnx/intensity.ts` in ONNX; they must change with
 * this file.
 *
 * A standardised pixel is 127.5 + 42.5 (value − mean) / deviation, so that three deviations to each side fill the range of 8 bits. Pixels more than 10
 * deviations from the mean are drawn in (`compressed` in `engine/assembly/tile.ts`).
 *
 * A few hot or dead pixels must not change the two numbers. While a value lies more than 10 deviations from the mean, such values are left out and both
 * are computed again. Then all values count, clamped 10 deviations from the mean, until the two numbers settle, so that an image in which a bright phase grows
 * changes them steadily. (This is algorithm A of ISO 13528, which clamps at 1.5; Analytical Methods Committee, Analyst 114, 1693, 1989.) By Chebyshev's
 * inequality fewer than 1 % of the values can lie so far out. An image without such values keeps its plain mean and deviation.
 */
import { Engine, TypedArray } from './wasm';
import { dtypeOf } from './dtype';

/** About the most values that mean and deviation are computed from; larger images are sampled by rows. */
const VALUES_MAX = 1 << 26;

/** Values count as outliers this many deviations from the mean. */
export const REACH = 10;
/** The most passes after the first. They end when mean and deviation change by less than this part of the deviation. */
export const PASSES = 32;
export const SETTLED = 1e-3;
/** A deviation below this part of the mean is lost in single precision, in which pixels are taken: the rest of the image is even. */
export const EVEN = 2 ** -24;

/** Step between the rows of a slice that count; the first is row 0. */
export function intensityStep(shape: readonly number[]): number {
  return Math.max(1, Math.ceil(shape.reduce((product, n) => product * n, 1) / VALUES_MAX));
}

/** Mean and deviation of the finite values of all slices and channels of an image, without its outliers. */
export interface IIntensity {
  mean: number;
  /** 0 for an image of one value. */
  deviation: number;
}

/** The kernels replace a pixel by (value − origin) · gain; null leaves it unchanged. */
export function standardised(intensity: IIntensity | null): { origin: number; gain: number } {
  if (!intensity) {
    return { origin: 0, gain: 1 };
  }
  const gain = 42.5 / (intensity.deviation > 0 ? intensity.deviation : 1);
  return { origin: intensity.mean - 127.5 / gain, gain };
}

/** A pass over the image: {@link rowMoments} of its rows. */
export interface IMomentsPass {
  /** Only row 0 of slice 0. */
  first: boolean;
  /** Is subtracted from each value. */
  shift: number;
  /** Values are clamped to these. */
  low: number;
  high: number;
  /** Values beyond are left out instead. */
  exclude: boolean;
}

/** Numbers of a row's moments. */
const MOMENTS = 5;

/**
 * Count, sum and sum of squares of each row, less the shift, and its extremes.
 *
 * @param pixels rows of `values` numbers each
 * @returns float64 [row][5]
 */
export function rowMoments(
  engine: Engine,
  pixels: TypedArray,
  values: number,
  { shift, low, high, exclude }: Omit<IMomentsPass, 'first'>
): Float64Array {
  const rows = pixels.length / values;
  const mark = engine.mark;
  const from = engine.put(pixels);
  const out = engine.allocate(rows * MOMENTS * 8);
  engine.kernels.rowMoments(from, dtypeOf(pixels), rows, values, shift, low, high, exclude ? 1 : 0, out);
  const moments = engine.f64(out, rows * MOMENTS).slice();
  engine.release(mark);
  return moments;
}

/**
 * Find an image's mean and deviation. The generator yields the passes that it needs, and takes the moments of all their rows in the rows' order. It
 * returns 0 and 0 for an image that is not standardised, since the squares of values beyond 10¹⁵⁰ overflow.
 */
export function* findIntensity(): Generator<IMomentsPass, IIntensity, Float64Array> {
  const all = { low: -Infinity, high: Infinity, exclude: false };
  // Subtract the first row's mean: squares of large values with a small spread would lose precision.
  const { mean: firstMean } = joined(yield { ...all, first: true, shift: 0 }, 0);
  const first = Math.fround(firstMean);
  const shift = Number.isFinite(first) ? first : 0;
  const plain = joined(yield { ...all, first: false, shift }, shift);
  if (!Number.isFinite(plain.deviation) || !Number.isFinite(plain.mean)) {
    return { mean: 0, deviation: 0 };
  }
  let { mean, deviation, count } = plain;
  let exclude = true;
  for (let pass = 0; pass < PASSES; pass++) {
    const low = mean - REACH * deviation;
    const high = mean + REACH * deviation;
    if (plain.least >= low && plain.most <= high) {
      break;
    }
    let own = Math.fround(mean);
    let next = joined(yield { first: false, shift: own, low, high, exclude }, own);
    if (own < next.least || own > next.most) {
      // The outliers' mean is so far from the rest that differences to it lost the rest's spread.
      own = Math.fround(next.least + (next.most - next.least) / 2);
      next = joined(yield { first: false, shift: own, low, high, exclude }, own);
    }
    if (!(next.deviation > Math.abs(next.mean) * EVEN)) {
      // The rest of the image is even, so the few values are its content.
      return { mean: plain.mean, deviation: plain.deviation };
    }
    const change = Math.max(Math.abs(next.mean - mean), Math.abs(next.deviation - deviation));
    const settled = !exclude && change <= SETTLED * deviation;
    exclude &&= next.count < count;
    ({ mean, deviation, count } = next);
    if (settled) {
      break;
    }
  }
  return { mean, deviation };
}

/** {@link findIntensity} of pixels in memory. @param values numbers in a row */
export function intensityOf(engine: Engine, pixels: TypedArray, values: number): IIntensity {
  const search = findIntensity();
  let step = search.next();
  while (!step.done) {
    const rows = step.value.first ? pixels.subarray(0, values) : pixels;
    step = search.next(rowMoments(engine, rows, values, step.value));
  }
  return step.value;
}

interface IMoments extends IIntensity {
  count: number;
  least: number;
  most: number;
}

/** Join the moments of rows. */
function joined(moments: Float64Array, shift: number): IMoments {
  let count = 0;
  let sum = 0;
  let squares = 0;
  let least = Infinity;
  let most = -Infinity;
  for (let i = 0; i < moments.length; i += MOMENTS) {
    count += moments[i]!;
    sum += moments[i + 1]!;
    squares += moments[i + 2]!;
    least = Math.min(least, moments[i + 3]!);
    most = Math.max(most, moments[i + 4]!);
  }
  if (count === 0) {
    return { count, mean: 0, deviation: 0, least, most };
  }
  const mean = sum / count;
  const variance = Math.max(0, squares / count - mean * mean);
  return { count, mean: mean + shift, deviation: Math.sqrt(variance), least, most };
}
