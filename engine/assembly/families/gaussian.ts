/**
 * Gaussian smoothing and differences of Gaussians. σ is the standard deviation in pixels; the kernel ends at four of them and is divided by
 * its sum; the image is continued by its edge.
 */
import { allocate } from '../arena';
import { copyRows, subtract } from '../planes';
import {
  SMOOTH_MARGIN,
  at,
  outStride,
  rows,
  smoothed,
  sourceAt,
  sourceStride,
  strideOf,
  width
} from '../tile';

const TRUNCATE: f64 = 4;

/** How many pixels the Gaussian looks to each side; 0 for σ 0, no smoothing. */
export function gaussianRadius(sigma: f64): i32 {
  return <i32>Math.ceil(TRUNCATE * sigma);
}

/** Half of the kernel as float32, its centre first, in the arena. */
export function gaussianKernel(sigma: f64): usize {
  const radius = gaussianRadius(sigma);
  const half = allocate(<usize>(radius + 1) << 2);
  let sum: f64 = 0;
  for (let i = 0; i <= radius; i++) {
    const weight = gaussianWeight(i, sigma);
    sum += i ? 2 * weight : weight;
  }
  for (let i = 0; i <= radius; i++) {
    store<f32>(half + (<usize>i << 2), <f32>(gaussianWeight(i, sigma) / sum));
  }
  return half;
}

function gaussianWeight(i: i32, sigma: f64): f64 {
  return Math.exp((-0.5 * <f64>(i * i)) / (sigma * sigma));
}

/** The pixels as they are. */
export function original(out: usize): void {
  copyRows(sourceAt(0, 0), sourceStride, out, outStride, width, rows);
}

export function gaussian(sigma: f64, out: usize): void {
  copyRows(firstPixel(sigma), strideOf(SMOOTH_MARGIN), out, outStride, width, rows);
}

/** The narrower Gaussian less the wider one. */
export function differenceOfGaussians(small: f64, large: f64, out: usize): void {
  const narrow = firstPixel(small);
  subtract(narrow, firstPixel(large), strideOf(SMOOTH_MARGIN), out, outStride, width, rows);
}

function firstPixel(sigma: f64): usize {
  return at(smoothed(sigma), strideOf(SMOOTH_MARGIN), SMOOTH_MARGIN, 0, 0);
}
