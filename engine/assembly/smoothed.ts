/**
 * Gaussians of a tile and their first derivatives, which several families share; computed on first use and kept until other pixels are loaded.
 * `Smoothed` in `engine/onnx/linear.ts` repeats this arithmetic and must change with it (`gaussian-kernel.ts` names the tests).
 */
import { mark, release } from './arena';
import { firstDerivatives } from './derivative-planes';
import { gaussianKernel, gaussianRadius } from './gaussian-kernel';
import { SMOOTH_MARGIN, columns, continueEdges, entryOf, newPlane, rows, strideOf } from './tile';
import { continueWide, filterSource, widePlane, wideStride } from './wide';

/** Margin of first derivatives: one Sobel step follows. */
export const DERIVATIVE_MARGIN = 1;

/** The image smoothed by a Gaussian with standard deviation σ, as float64 with margin {@link SMOOTH_MARGIN}; kept. The pixels themselves for σ 0. */
export function smoothed(sigma: f64): usize {
  const entry = entryOf(sigma);
  const found = <usize>load<u32>(entry, 8);
  if (found) {
    return found;
  }
  const plane = widePlane(SMOOTH_MARGIN, SMOOTH_MARGIN);
  const bottom = mark();
  const half = gaussianKernel(sigma);
  filterSource(plane, SMOOTH_MARGIN, gaussianRadius(sigma), half, false, half, false);
  release(bottom);
  continueWide(plane, SMOOTH_MARGIN);
  store<u32>(entry, <u32>plane, 8);
  return plane;
}

/** Kx of the Gaussian, margin {@link DERIVATIVE_MARGIN}; kept. */
export function derivativeX(sigma: f64): usize {
  return derivatives(sigma, 12);
}

/** Ky of the Gaussian, margin {@link DERIVATIVE_MARGIN}; kept. */
export function derivativeY(sigma: f64): usize {
  return derivatives(sigma, 16);
}

function derivatives(sigma: f64, wanted: usize): usize {
  const entry = entryOf(sigma);
  if (!load<u32>(entry, 12)) {
    const smooth = smoothed(sigma);
    const x = newPlane(DERIVATIVE_MARGIN);
    const y = newPlane(DERIVATIVE_MARGIN);
    const columnCount = (columns + 2 * DERIVATIVE_MARGIN + 3) & ~3;
    const height = rows + 2 * DERIVATIVE_MARGIN;
    firstDerivatives(smooth, wideStride(SMOOTH_MARGIN), x, y, strideOf(DERIVATIVE_MARGIN), columnCount, height);
    continueEdges(x, DERIVATIVE_MARGIN);
    continueEdges(y, DERIVATIVE_MARGIN);
    store<u32>(entry, <u32>x, 12);
    store<u32>(entry, <u32>y, 16);
  }
  return <usize>load<u32>(entry + wanted);
}
