/**
 * Gaussian smoothing and differences of Gaussians, in float64 until the result is written; the image is continued by its edge.
 * `../gaussian-kernel.ts` defines the kernel.
 *
 * `engine/onnx/linear.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_linear.py` compares the kernels with NumPy and SciPy.
 */
import { argument } from '../family';
import { gaussianRadius } from '../gaussian-kernel';
import { copyRows } from '../planes';
import { smoothed } from '../smoothed';
import { SMOOTH_MARGIN, outStride, rows, sourceAt, sourceStride, width } from '../tile';
import { wideStride } from '../wide';

/** The reach of a pixel that depends on itself alone. */
export function noReach(_args: usize): i32 {
  return 0;
}

export function gaussianReach(args: usize): i32 {
  return gaussianRadius(argument(args, 0));
}

/** The wider Gaussian's. */
export function differenceReach(args: usize): i32 {
  return gaussianRadius(argument(args, 1));
}

/** The pixels as they are. */
export function original(_args: usize, out: usize): void {
  copyRows(sourceAt(0, 0), sourceStride, out, outStride, width, rows);
}

/** Argument: σ. */
export function gaussian(args: usize, out: usize): void {
  narrow(firstPixel(argument(args, 0)), 0, wideStride(SMOOTH_MARGIN), out);
}

/** The narrower Gaussian less the wider one. Arguments: σ of each. */
export function differenceOfGaussians(args: usize, out: usize): void {
  const narrower = firstPixel(argument(args, 0));
  narrow(narrower, firstPixel(argument(args, 1)), wideStride(SMOOTH_MARGIN), out);
}

/** Write a plane of float64, or its difference from another, as float32. */
function narrow(a: usize, b: usize, stride: usize, out: usize): void {
  for (let row = 0; row < rows; row++) {
    for (let x: usize = 0; x < outStride; x += 8) {
      let value = v128.load(a + 2 * x);
      if (b) {
        value = f64x2.sub(value, v128.load(b + 2 * x));
      }
      v128.store64_lane(out + x, f32x4.demote_f64x2_zero(value), 0);
    }
    a += stride;
    b += b ? stride : 0;
    out += outStride;
  }
}

/** Address of the tile's first pixel. */
function firstPixel(sigma: f64): usize {
  return smoothed(sigma) + <usize>SMOOTH_MARGIN * (wideStride(SMOOTH_MARGIN) + 8);
}
