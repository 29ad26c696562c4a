/**
 * Gaussian smoothing and differences of Gaussians. σ is the standard deviation in pixels; the kernel ends at four of them and is divided by
 * its sum; the image is continued by its edge.
 */
import { allocate } from '../arena';
import { copyRows } from '../planes';
import { SMOOTH_MARGIN, outStride, rows, smoothed, sourceAt, sourceStride, width } from '../tile';
import { wideStride } from '../wide';

const TRUNCATE: f64 = 4;

/** How many pixels the Gaussian looks to each side; 0 for σ 0, no smoothing. */
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

/** The pixels as they are. */
export function original(out: usize): void {
  copyRows(sourceAt(0, 0), sourceStride, out, outStride, width, rows);
}

export function gaussian(sigma: f64, out: usize): void {
  narrow(firstPixel(sigma), 0, wideStride(SMOOTH_MARGIN), out);
}

/** The narrower Gaussian less the wider one. */
export function differenceOfGaussians(small: f64, large: f64, out: usize): void {
  const narrower = firstPixel(small);
  narrow(narrower, firstPixel(large), wideStride(SMOOTH_MARGIN), out);
}

/** Write a plane of float64, or what it is more than another, as float32. */
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
