/**
 * Sobel's gradient magnitude and the Hessian of a Gaussian, made of Sobel steps as in Trainable Weka Segmentation: √(sx² + sy²) with
 * sx = Kx⋆G, sy = Ky⋆G, and a = Kx⋆sx, b = Ky⋆sx, d = Ky⋆sy.
 *
 * `engine/onnx/linear.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_linear.py` compares the kernels with NumPy and SciPy.
 */
import { hessianPlanes, orientationPlanes, sobelMagnitude } from '../derivative-planes';
import { argument } from '../family';
import { gaussianRadius } from '../gaussian-kernel';
import { DERIVATIVE_MARGIN, derivativeX, derivativeY } from '../smoothed';
import { at, outPlane, outStride, rows, strideOf, width } from '../tile';

/** One Sobel step beyond the Gaussian. */
export function sobelReach(args: usize): i32 {
  return gaussianRadius(argument(args, 0)) + 1;
}

/** Two Sobel steps beyond the Gaussian. */
export function hessianReach(args: usize): i32 {
  return gaussianRadius(argument(args, 0)) + 2;
}

/** Argument: σ. */
export function sobel(args: usize, out: usize): void {
  const sigma = argument(args, 0);
  const sx = pixel(derivativeX(sigma), 0);
  sobelMagnitude(sx, pixel(derivativeY(sigma), 0), strideOf(DERIVATIVE_MARGIN), out, outStride, width, rows);
}

/** Module, trace, determinant and the two eigenvalues. Argument: σ. */
export function hessian(args: usize, out: usize): void {
  const sigma = argument(args, 0);
  const sx = pixel(derivativeX(sigma), -1);
  const sy = pixel(derivativeY(sigma), -1);
  hessianPlanes(sx, sy, strideOf(DERIVATIVE_MARGIN), out, outStride, outPlane, width, rows);
}

/** Orientation, squared trace times squared eigenvalue difference, squared eigenvalue difference. Argument: σ. */
export function hessianOrientation(args: usize, out: usize): void {
  const sigma = argument(args, 0);
  const sx = pixel(derivativeX(sigma), -1);
  const sy = pixel(derivativeY(sigma), -1);
  orientationPlanes(sx, sy, strideOf(DERIVATIVE_MARGIN), out, outStride, outPlane, width, rows);
}

/** Address of the tile's pixel (i, i). */
function pixel(plane: usize, i: i32): usize {
  return at(plane, strideOf(DERIVATIVE_MARGIN), DERIVATIVE_MARGIN, i, i);
}
