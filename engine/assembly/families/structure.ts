/**
 * Eigenvalues of the structure tensor, the largest first: the first derivatives of the image smoothed at σ, their products smoothed by a
 * Gaussian of standard deviation ρ (which ends at 4 ρ), and of the matrix [a b; b d] of these (a + d ± √((a − d)² + 4b²)) / 2.
 * Förstner & Gülch, A fast operator for detection and precise location of distinct points, 1987; Bigün & Granlund, 1987.
 *
 * Trainable Weka Segmentation has it from FeatureJ, with the same scales; there the image is mirrored at its edge. scikit-image's
 * structure_tensor has Sobel steps for derivatives and one scale.
 */
import { mark, release } from '../arena';
import { outPlane, outStride, rows } from '../tile';
import { continueWide, filterSource, smoothProduct, widePlane, wideStride } from '../wide';
import { derivativeKernel, derivativeRadius } from './derivatives';
import { gaussianRadius } from './gaussian';

/** Pixels that the eigenvalues depend on to each side. */
export function structureHalo(sigma: f64, integration: f64): i32 {
  return derivativeRadius(sigma, 1) + gaussianRadius(integration);
}

export function structureTensor(sigma: f64, integration: f64, out: usize): void {
  const bottom = mark();
  const radius = derivativeRadius(sigma, 1);
  const smooth = derivativeKernel(sigma, 0, radius);
  const first = derivativeKernel(sigma, 1, radius);
  const margin = gaussianRadius(integration);
  const x = widePlane(margin, margin);
  filterSource(x, margin, radius, first, true, smooth, false);
  continueWide(x, margin);
  const y = widePlane(margin, margin);
  filterSource(y, margin, radius, smooth, false, first, true);
  continueWide(y, margin);
  const kernel = derivativeKernel(integration, 0, margin);
  const xx = widePlane(0, 0);
  smoothProduct(x, x, xx, kernel, margin);
  const xy = widePlane(0, 0);
  smoothProduct(x, y, xy, kernel, margin);
  const yy = widePlane(0, 0);
  smoothProduct(y, y, yy, kernel, margin);
  eigenvalues(xx, xy, yy, out);
  release(bottom);
}

function eigenvalues(xx: usize, xy: usize, yy: usize, out: usize): void {
  const stride = wideStride(0);
  const half = f64x2.splat(0.5);
  for (let row = 0; row < rows; row++) {
    for (let i: usize = 0; i < outStride; i += 8) {
      const a = v128.load(xx + 2 * i);
      const b = v128.load(xy + 2 * i);
      const d = v128.load(yy + 2 * i);
      const trace = f64x2.add(a, d);
      const difference = f64x2.sub(a, d);
      const twice = f64x2.add(b, b);
      const root = f64x2.sqrt(f64x2.add(f64x2.mul(difference, difference), f64x2.mul(twice, twice)));
      const largest = f64x2.mul(half, f64x2.add(trace, root));
      const smallest = f64x2.mul(half, f64x2.sub(trace, root));
      v128.store64_lane(out + i, f32x4.demote_f64x2_zero(largest), 0);
      v128.store64_lane(out + outPlane + i, f32x4.demote_f64x2_zero(smallest), 0);
    }
    xx += stride;
    xy += stride;
    yy += stride;
    out += outStride;
  }
}
