/**
 * The pixels at the eight corners and sides of a square about the pixel: up left, up, up right, left, right, down left, down, down right, each
 * d = max(1, ⌊σ + ½⌋) rows and columns away. Trainable Weka Segmentation has the same, but mirrors the image at its edge.
 */
import { copyRows } from '../planes';
import { outPlane, outStride, rows, sourceAt, sourceStride, width } from '../tile';

/** How far the neighbours are. */
export function neighbourDistance(sigma: f64): i32 {
  return max(1, <i32>Math.floor(sigma + 0.5));
}

export function neighbours(sigma: f64, out: usize): void {
  const distance = neighbourDistance(sigma);
  for (let down = -1; down <= 1; down++) {
    for (let right = -1; right <= 1; right++) {
      if (down || right) {
        copyRows(sourceAt(down * distance, right * distance), sourceStride, out, outStride, width, rows);
        out += outPlane;
      }
    }
  }
}
