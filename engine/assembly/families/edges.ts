/**
 * Sobel's gradient magnitude and the Hessian of a Gaussian, made of Sobel steps as in Trainable Weka Segmentation: √(sx² + sy²) with
 * sx = Kx⋆G, sy = Ky⋆G, and a = Kx⋆sx, b = Ky⋆sx, d = Ky⋆sy.
 */
import { hessian as hessianPlanes, hessianOrientation as orientationPlanes, sobelMagnitude } from '../derivative-planes';
import {
  DERIVATIVE_MARGIN,
  at,
  derivativeX,
  derivativeY,
  outPlane,
  outStride,
  rows,
  strideOf,
  width
} from '../tile';

export function sobel(sigma: f64, out: usize): void {
  const sx = pixel(derivativeX(sigma), 0);
  sobelMagnitude(sx, pixel(derivativeY(sigma), 0), strideOf(DERIVATIVE_MARGIN), out, outStride, width, rows);
}

/** Module, trace, determinant and the two eigenvalues. */
export function hessian(sigma: f64, out: usize): void {
  const sx = pixel(derivativeX(sigma), -1);
  const sy = pixel(derivativeY(sigma), -1);
  hessianPlanes(sx, sy, strideOf(DERIVATIVE_MARGIN), out, outStride, outPlane, width, rows);
}

/** Orientation, squared trace times squared eigenvalue difference, squared eigenvalue difference. */
export function hessianOrientation(sigma: f64, out: usize): void {
  const sx = pixel(derivativeX(sigma), -1);
  const sy = pixel(derivativeY(sigma), -1);
  orientationPlanes(sx, sy, strideOf(DERIVATIVE_MARGIN), out, outStride, outPlane, width, rows);
}

/** Address of the tile's pixel (i, i). */
function pixel(plane: usize, i: i32): usize {
  return at(plane, strideOf(DERIVATIVE_MARGIN), DERIVATIVE_MARGIN, i, i);
}
