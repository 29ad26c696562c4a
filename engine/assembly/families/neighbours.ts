/**
 * The pixels at the eight corners and sides of a square about the pixel: up left, up, up right, left, right, down left, down, down right, each
 * d = max(1, ⌊σ + ½⌋) rows and columns away. Trainable Weka Segmentation does the same, but mirrors the image at its edge.
 *
 * `engine/onnx/wide.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_linear.py` compares the kernels with NumPy and SciPy.
 */
import { argument } from '../family';
import { copyRows } from '../planes';
import { outPlane, outStride, rows, sourceAt, sourceStride, width } from '../tile';

/** How far the neighbours are. */
export function neighboursReach(args: usize): i32 {
  return max(1, <i32>Math.floor(argument(args, 0) + 0.5));
}

/** Argument: σ. */
export function neighbours(args: usize, out: usize): void {
  const distance = neighboursReach(args);
  for (let down = -1; down <= 1; down++) {
    for (let right = -1; right <= 1; right++) {
      if (down || right) {
        copyRows(sourceAt(down * distance, right * distance), sourceStride, out, outStride, width, rows);
        out += outPlane;
      }
    }
  }
}
