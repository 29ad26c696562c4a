/**
 * Derivatives of the image smoothed by a Gaussian of standard deviation σ: ∂²ᵏ/∂xᵏ∂yᵏ, and the Laplacian ∂²/∂x² + ∂²/∂y².
 *
 * The kernels are samples of the Gaussian's derivatives, (−1)ᵏ σ⁻ᵏ Heₖ(i/σ) g(i), with g divided by its sum and Hermite's polynomials
 * Heₖ₊₁(t) = t Heₖ(t) − k Heₖ₋₁(t) (Lindeberg, Scale-Space Theory in Computer Vision, 1994), as SciPy's gaussian_filter and gaussian_laplace
 * have them. They end at 5 σ for the first derivative and at 6 σ for higher ones; beyond lies less than 10⁻⁵ of the kernel. Below σ 0.7 the
 * samples are too far apart for derivatives to be more than differences of neighbours.
 *
 * Trainable Weka Segmentation has both from FeatureJ, with true σ as here, where the kernels end at 3 to 5 σ and the image is mirrored at its edge.
 */
import { allocate, mark, release } from '../arena';
import { outStride, rows } from '../tile';
import { filterSource, widePlane, wideStride } from '../wide';

/** How many pixels the kernel of a derivative looks to each side. */
export function derivativeRadius(sigma: f64, order: i32): i32 {
  return <i32>Math.ceil((order > 1 ? 6 : 5) * sigma);
}

/**
 * Half of the kernel, to be correlated with, as f64 [radius + 1] in the arena: even orders are even. The centre comes first.
 */
export function derivativeKernel(sigma: f64, order: i32, radius: i32): usize {
  const half = allocate(<usize>(radius + 1) << 3);
  let sum: f64 = 0;
  for (let i = radius; i >= 0; i--) {
    const t = <f64>i / sigma;
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

/** ∂²ᵏ/∂xᵏ∂yᵏ */
export function derivative(sigma: f64, order: i32, out: usize): void {
  const bottom = mark();
  const radius = derivativeRadius(sigma, order);
  const kernel = derivativeKernel(sigma, order, radius);
  const plane = widePlane(0, 0);
  const odd = (order & 1) != 0;
  filterSource(plane, 0, radius, kernel, odd, kernel, odd);
  narrowSum(plane, 0, out);
  release(bottom);
}

export function laplacian(sigma: f64, out: usize): void {
  const bottom = mark();
  const radius = derivativeRadius(sigma, 2);
  const smooth = derivativeKernel(sigma, 0, radius);
  const second = derivativeKernel(sigma, 2, radius);
  const alongX = widePlane(0, 0);
  filterSource(alongX, 0, radius, second, false, smooth, false);
  const alongY = widePlane(0, 0);
  filterSource(alongY, 0, radius, smooth, false, second, false);
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
