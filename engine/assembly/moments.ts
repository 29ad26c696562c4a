/**
 * Sums of pixels and of their squares, and extremes, row by row, from which an image's mean and standard deviation follow (`engine/core/intensity.ts`).
 * Each row is summed on its own and in its order, so the result does not depend on which thread takes which rows. Values that are not finite do
 * not count.
 *
 * `engine/onnx/intensity.ts` computes the mean and deviation in ONNX for images that come without them.
 */
import { valueAt } from './tile';

/** Bytes of a row's results. */
const RECORD: usize = 40;

/**
 * Count and sum the values of each row, clamped to `low` and `high`.
 *
 * @param pixels rows × values, of an element type numbered as in `tile.ts`
 * @param shift is subtracted from each value before it is summed, to keep squares small
 * @param exclude 1 leaves out values beyond `low` and `high` instead
 * @param out f64 [row][5]: count, sum, sum of squares; minimum and maximum without shift, infinite for a row without finite values
 */
export function rowMoments(
  pixels: usize,
  dtype: i32,
  rows: i32,
  values: i32,
  shift: f64,
  low: f64,
  high: f64,
  exclude: i32,
  out: usize
): void {
  let index = 0;
  for (let row = 0; row < rows; row++) {
    let count: f64 = 0;
    let sum: f64 = 0;
    let squares: f64 = 0;
    let least = Infinity;
    let most = -Infinity;
    for (let i = 0; i < values; i++) {
      const given = valueAt(pixels, dtype, index++);
      const taken = min(high, max(low, given));
      if (isFinite(given) && (taken == given || !exclude)) {
        const value = taken - shift;
        count += 1;
        sum += value;
        squares += value * value;
        least = min(least, taken);
        most = max(most, taken);
      }
    }
    store<f64>(out, count);
    store<f64>(out, sum, 8);
    store<f64>(out, squares, 16);
    store<f64>(out, least, 24);
    store<f64>(out, most, 32);
    out += RECORD;
  }
}
