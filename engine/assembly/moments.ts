/**
 * Sums of pixels and of their squares, row by row, from which an image's mean and standard deviation follow. Each row is summed on its own and in
 * its order, so the result does not depend on which thread takes which rows. Values that are not finite do not count.
 *
 * `engine/onnx/intensity.ts` computes the mean and deviation in ONNX for images that come without them.
 */
import { valueAt } from './tile';

/**
 * Count and sum the values of each row.
 *
 * @param pixels rows × values, of an element type numbered as in `tile.ts`
 * @param shift is subtracted from each value first, to keep squares small
 * @param out f64 [row][3]: count, sum, sum of squares
 */
export function rowMoments(pixels: usize, dtype: i32, rows: i32, values: i32, shift: f64, out: usize): void {
  let index = 0;
  for (let row = 0; row < rows; row++) {
    let count: f64 = 0;
    let sum: f64 = 0;
    let squares: f64 = 0;
    for (let i = 0; i < values; i++) {
      const value = valueAt(pixels, dtype, index++) - shift;
      if (isFinite(value)) {
        count += 1;
        sum += value;
        squares += value * value;
      }
    }
    store<f64>(out, count);
    store<f64>(out, sum, 8);
    store<f64>(out, squares, 16);
    out += 24;
  }
}
