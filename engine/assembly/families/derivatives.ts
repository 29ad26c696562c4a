/**
 * Derivatives of the image smoothed by a Gaussian of standard deviation σ: ∂²ᵏ/∂xᵏ∂yᵏ, and the Laplacian ∂²/∂x² + ∂²/∂y².
 *
 * The kernels are samples of the Gaussian's derivatives, (−1)ᵏ σ⁻ᵏ Heₖ(i/σ) g(i), with g divided by its sum and Hermite's polynomials
 * Heₖ₊₁(t) = t Heₖ(t) − k Heₖ₋₁(t) (Lindeberg, Scale-Space Theory in Computer Vision, 1994), as SciPy's gaussian_filter and gaussian_laplace
 * have them. They end at 6 σ for the first and second derivative and at 7 σ for higher ones; beyond lies less than 10⁻⁶ of the kernel.
 * Below σ 0.7 the samples are too far apart for derivatives to be more than differences of neighbours.
 *
 * From σ 6 on, two filters replace the one. A Gaussian of standard deviation 4 smooths the image, once for all σ; then the derivatives of a Gaussian of
 * standard deviation √(σ² − 16) filter the result, with a weight at every third pixel (from σ 12 on: every fourth). Both together equal the one filter:
 * variances of Gaussians add up, and the first Gaussian damps the frequencies that alias at this spacing to 10⁻⁵ at most.
 *
 * Trainable Weka Segmentation has both from FeatureJ, with true σ as here, where the kernels end at 3 to 5 σ and the image is mirrored at its edge.
 *
 * `engine/onnx/wide.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_linear.py` compares the kernels with NumPy and SciPy.
 */
import { allocate, mark, release } from '../arena';
import { argument } from '../family';
import { entryOf, outStride, rows, sourceMargin } from '../tile';
import { filterSource, filterWide, widePlane, wideStride } from '../wide';

/** Standard deviation of the first Gaussian, and its radius. */
const BASE_SIGMA: f64 = 4;
const BASE_RADIUS = 20;
/** Offset of its address in the entry of its σ (`tile.ts`). */
const BASE_ENTRY: usize = 20;

/** Pixels between the filter's weights; 1 needs no first Gaussian. */
function spacingOf(sigma: f64): i32 {
  return sigma < 6 ? 1 : sigma < 12 ? 3 : 4;
}

/** Pixels to each side under the kernel of a derivative. */
export function derivativeRadius(sigma: f64, order: i32): i32 {
  const truncate: f64 = order > 2 ? 7 : 6;
  const spacing = spacingOf(sigma);
  return spacing == 1
    ? <i32>Math.ceil(truncate * sigma)
    : BASE_RADIUS + spacing * <i32>Math.ceil((truncate * rest(sigma)) / <f64>spacing);
}

/** Standard deviation of the second filter. */
function rest(sigma: f64): f64 {
  return Math.sqrt(sigma * sigma - BASE_SIGMA * BASE_SIGMA);
}

/** Apply the first Gaussian if the σ needs it. The result is kept, so call this before a family marks its scratch memory. */
export function prepareDerivatives(sigma: f64): void {
  const entry = entryOf(BASE_SIGMA);
  if (spacingOf(sigma) > 1 && !load<u32>(entry, BASE_ENTRY)) {
    const margin = sourceMargin - BASE_RADIUS;
    const plane = widePlane(margin, margin);
    const bottom = mark();
    const kernel = derivativeKernel(BASE_SIGMA, 0, BASE_RADIUS);
    filterSource(plane, margin, BASE_RADIUS, kernel, false, kernel, false);
    release(bottom);
    store<u32>(entry, <u32>plane, BASE_ENTRY);
  }
}

/** Write a derivative of the smoothed image to a plane; its margin and {@link derivativeRadius} of the higher order must not exceed the source's. */
export function derivativePlane(plane: usize, margin: i32, sigma: f64, orderX: i32, orderY: i32): void {
  const bottom = mark();
  const oddX = (orderX & 1) != 0;
  const oddY = (orderY & 1) != 0;
  const reach = derivativeRadius(sigma, max(orderX, orderY));
  const spacing = spacingOf(sigma);
  if (spacing == 1) {
    const kernelX = derivativeKernel(sigma, orderX, reach);
    filterSource(plane, margin, reach, kernelX, oddX, derivativeKernel(sigma, orderY, reach), oddY);
  } else {
    const radius = (reach - BASE_RADIUS) / spacing;
    const base = <usize>load<u32>(entryOf(BASE_SIGMA), BASE_ENTRY);
    const kernelX = derivativeKernel(rest(sigma), orderX, radius, spacing);
    const kernelY = derivativeKernel(rest(sigma), orderY, radius, spacing);
    filterWide(base, sourceMargin - BASE_RADIUS, plane, margin, spacing, radius, kernelX, oddX, kernelY, oddY);
  }
  release(bottom);
}

/**
 * Half of the kernel, to be correlated with, as f64 [radius + 1] in the arena: even orders are even. The centre comes first.
 *
 * @param spacing pixels from weight to weight
 */
export function derivativeKernel(sigma: f64, order: i32, radius: i32, spacing: i32 = 1): usize {
  const half = allocate(<usize>(radius + 1) << 3);
  let sum: f64 = 0;
  for (let i = radius; i >= 0; i--) {
    const t = <f64>(i * spacing) / sigma;
    const weight = Math.exp(-0.5 * t * t);
    sum += i ? 2 * weight : weight;
    // Heₖ(t) / σᵏ
    let before: f64 = 0;
    let polynomial: f64 = 1;
    for (let k = 0; k < order; k++) {
      const next = (t * polynomial - (<f64>k * before) / sigma) / sigma;
      before = polynomial;
      polynomial = next;
    }
    store<f64>(half + (<usize>i << 3), weight * polynomial);
  }
  for (let i = 0; i <= radius; i++) {
    const address = half + (<usize>i << 3);
    store<f64>(address, load<f64>(address) / sum);
  }
  return half;
}

export function derivativeReach(args: usize): i32 {
  return derivativeRadius(argument(args, 0), <i32>argument(args, 1));
}

/** ∂²ᵏ/∂xᵏ∂yᵏ. Arguments: σ, k. */
export function derivatives(args: usize, out: usize): void {
  const sigma = argument(args, 0);
  const order = <i32>argument(args, 1);
  prepareDerivatives(sigma);
  const bottom = mark();
  const plane = widePlane(0, 0);
  derivativePlane(plane, 0, sigma, order, order);
  narrowSum(plane, 0, out);
  release(bottom);
}

export function laplacianReach(args: usize): i32 {
  return derivativeRadius(argument(args, 0), 2);
}

/** Argument: σ. */
export function laplacian(args: usize, out: usize): void {
  const sigma = argument(args, 0);
  prepareDerivatives(sigma);
  const bottom = mark();
  const alongX = widePlane(0, 0);
  derivativePlane(alongX, 0, sigma, 2, 0);
  const alongY = widePlane(0, 0);
  derivativePlane(alongY, 0, sigma, 0, 2);
  narrowSum(alongX, alongY, out);
  release(bottom);
}

/** Write a plane, or the sum of two, as float32. */
function narrowSum(a: usize, b: usize, out: usize): void {
  const stride = wideStride(0);
  for (let row = 0; row < rows; row++) {
    for (let x: usize = 0; x < outStride; x += 8) {
      let value = v128.load(a + 2 * x);
      if (b) {
        value = f64x2.add(value, v128.load(b + 2 * x));
      }
      v128.store64_lane(out + x, f32x4.demote_f64x2_zero(value), 0);
    }
    a += stride;
    if (b) {
      b += stride;
    }
    out += outStride;
  }
}
