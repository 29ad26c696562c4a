/**
 * The Gaussian by which features smooth. σ is the standard deviation in pixels; the kernel ends at 4 σ and is divided by its sum, as in SciPy's
 * `gaussian_filter`.
 *
 * `smoothed.ts` filters with it; `families/structure.ts` takes its radius. `gaussianKernel` in `engine/onnx/linear.ts` and the radius in
 * `engine/onnx/wide.ts` repeat it and must change with it:
 * `sambalab/tests/onnx/test_forest.py` compares the two, and `sambalab/tests/features/test_linear.py` compares the kernel with SciPy.
 */
import { allocate } from './arena';

const TRUNCATE: f64 = 4;

/** Pixels to each side under the kernel; 0 for σ 0, which does not smooth. */
export function gaussianRadius(sigma: f64): i32 {
  return <i32>Math.ceil(TRUNCATE * sigma);
}

/** Half of the kernel as float64, its centre first, in the arena. */
export function gaussianKernel(sigma: f64): usize {
  const radius = gaussianRadius(sigma);
  const half = allocate(<usize>(radius + 1) << 3);
  let sum: f64 = 0;
  for (let i = 0; i <= radius; i++) {
    const weight = gaussianWeight(i, sigma);
    sum += i ? 2 * weight : weight;
  }
  for (let i = 0; i <= radius; i++) {
    store<f64>(half + (<usize>i << 3), gaussianWeight(i, sigma) / sum);
  }
  return half;
}

function gaussianWeight(i: i32, sigma: f64): f64 {
  if (!i) {
    return 1;
  }
  return Math.exp((-0.5 * <f64>(i * i)) / (sigma * sigma));
}
