/**
 * Eigenvalues of the structure tensor, the largest first: the first derivatives of the image smoothed at σ, their products smoothed by a
 * Gaussian of standard deviation ρ (which ends at 4 ρ) to a matrix [a b; b d], and its eigenvalues (a + d ± √((a − d)² + 4b²)) / 2.
 * Förstner & Gülch, A fast operator for detection and precise location of distinct points, 1987; Bigün & Granlund, 1987.
 *
 * Trainable Weka Segmentation has it from FeatureJ, with the same scales; there the image is mirrored at its edge. scikit-image's
 * structure_tensor takes Sobel steps as derivatives and has one scale.
 *
 * `engine/onnx/wide.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_linear.py` compares the kernels with NumPy and SciPy.
 */
import { mark, release } from '../arena';
import { argument } from '../family';
import { gaussianRadius } from '../gaussian-kernel';
import { entryOf, outPlane, outStride, placements, rows } from '../tile';
import { continueWide, smoothProduct, widePlane, wideStride } from '../wide';
import { derivativeKernel, derivativePlane, derivativeRadius, prepareDerivatives } from './derivatives';

/** Offsets of the derivatives' addresses in the entry of σ 0 (`tile.ts`): one pair of planes serves one σ after the other. */
const X_ENTRY: usize = 24;
const Y_ENTRY: usize = 28;
/** The σ of these derivatives. */
let heldSigma: f64 = 0;

/** The largest ρ of the program, whose margin serves all ρ, and the tile (`placements`) that it was planned for. */
let largestIntegration: f64 = 0;
let plannedFor: u32 = 0;

/** Note the ρ of an op. */
export function planStructure(args: usize): void {
  const integration = argument(args, 1);
  largestIntegration = plannedFor == placements ? max(largestIntegration, integration) : integration;
  plannedFor = placements;
}

export function structureReach(args: usize): i32 {
  return derivativeRadius(argument(args, 0), 1) + gaussianRadius(argument(args, 1));
}

/** Arguments: σ, ρ. */
export function structureTensor(args: usize, out: usize): void {
  const sigma = argument(args, 0);
  const integration = argument(args, 1);
  const margin = gaussianRadius(largestIntegration);
  const entry = entryOf(0);
  prepareDerivatives(sigma);
  if (!load<u32>(entry, X_ENTRY)) {
    store<u32>(entry, <u32>widePlane(margin, margin), X_ENTRY);
    store<u32>(entry, <u32>widePlane(margin, margin), Y_ENTRY);
    heldSigma = 0;
  }
  const x = <usize>load<u32>(entry, X_ENTRY);
  const y = <usize>load<u32>(entry, Y_ENTRY);
  if (heldSigma != sigma) {
    derivativePlane(x, margin, sigma, 1, 0);
    continueWide(x, margin);
    derivativePlane(y, margin, sigma, 0, 1);
    continueWide(y, margin);
    heldSigma = sigma;
  }
  const bottom = mark();
  const radius = gaussianRadius(integration);
  const kernel = derivativeKernel(integration, 0, radius);
  const xx = widePlane(0, 0);
  smoothProduct(x, x, margin, xx, kernel, radius);
  const xy = widePlane(0, 0);
  smoothProduct(x, y, margin, xy, kernel, radius);
  const yy = widePlane(0, 0);
  smoothProduct(y, y, margin, yy, kernel, radius);
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
