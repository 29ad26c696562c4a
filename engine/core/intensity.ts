/**
 * Mean and standard deviation of an image, by which pixels are standardised, so that brightness and contrast do not matter and a classifier fits images
 * that were taken with other settings. `engine/onnx/intensity.ts` does the same in ONNX and must change with this file.
 *
 * A standardised pixel is 127.5 + 42.5 (value − mean) / deviation, so that three deviations to each side fill the range of 8 bits.
 */
import { Engine, TypedArray } from './wasm';
import { dtypeOf } from './dtype';

/** About the most values that mean and deviation are computed from; larger images are sampled by rows. */
const VALUES_MAX = 1 << 26;

/** Step between the rows of a slice that count; the first is row 0. */
export function intensityStep(shape: readonly number[]): number {
  return Math.max(1, Math.ceil(shape.reduce((product, n) => product * n, 1) / VALUES_MAX));
}

/** Mean and deviation of the finite values of all slices and channels of an image. */
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

/**
 * Count, sum and sum of squares of each row, less `shift`; {@link intensityOf} joins them.
 *
 * @param pixels rows of `values` numbers each
 * @returns float64 [row][3]
 */
export function rowMoments(engine: Engine, pixels: TypedArray, values: number, shift: number): Float64Array {
  const rows = pixels.length / values;
  const mark = engine.mark;
  const from = engine.put(pixels);
  const out = engine.allocate(rows * 24);
  engine.kernels.rowMoments(from, dtypeOf(pixels), rows, values, shift, out);
  const moments = engine.f64(out, rows * 3).slice();
  engine.release(mark);
  return moments;
}

/** Mean and deviation from the moments of rows. @param moments of all rows in their order, float64 [row][3], less `shift` */
export function intensityOf(moments: Float64Array, shift: number): IIntensity {
  let count = 0;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < moments.length; i += 3) {
    count += moments[i]!;
    sum += moments[i + 1]!;
    squares += moments[i + 2]!;
  }
  if (count === 0) {
    return { mean: 0, deviation: 0 };
  }
  const mean = sum / count;
  const deviation = Math.sqrt(Math.max(0, squares / count - mean * mean));
  // Squares of values beyond 10¹⁵⁰ overflow: such an image is not standardised.
  return Number.isFinite(deviation) && Number.isFinite(mean + shift)
    ? { mean: mean + shift, deviation }
    : { mean: 0, deviation: 0 };
}
