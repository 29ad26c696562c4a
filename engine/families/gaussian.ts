/**
 * Gaussian smoothing and differences of Gaussians, as in Trainable Weka Segmentation: a filter named σ has the standard deviation
 * 0.4 σ. The kernel ends at four standard deviations and is divided by its sum; the image is continued by its edge.
 */
import { IFeatureGroup } from './family';

/** Standard deviation of the filter named σ = 1. */
export const STD_PER_SIGMA = 0.4;
const TRUNCATE = 4;

/** How many pixels the Gaussian named `sigma` looks to each side; 0 for σ 0, no smoothing. */
export function gaussianRadius(sigma: number): number {
  return Math.ceil(TRUNCATE * STD_PER_SIGMA * sigma);
}

/** Half of the kernel, its centre first; null for σ 0. */
export function gaussianKernel(sigma: number): Float32Array | null {
  if (sigma === 0) {
    return null;
  }
  const std = STD_PER_SIGMA * sigma;
  const weights = Array.from({ length: gaussianRadius(sigma) + 1 }, (_, i) => Math.exp((-0.5 * i * i) / (std * std)));
  const sum = weights.reduce((total, weight, i) => total + (i ? 2 * weight : weight), 0);
  return Float32Array.from(weights, weight => weight / sum);
}

/** The pixels as they are. */
export function original(): IFeatureGroup {
  return {
    names: ['original'],
    halo: 0,
    compute(planes, out) {
      const { kernels } = planes.engine;
      const { stride } = planes.source;
      kernels.copyRows(planes.at(planes.source, 0, 0), stride, out, planes.outStride, planes.width, planes.rows);
    }
  };
}

export function gaussian(sigma: number): IFeatureGroup {
  return {
    names: [`gaussian σ=${sigma}`],
    halo: gaussianRadius(sigma),
    compute(planes, out) {
      const plane = planes.smoothed(sigma, gaussianKernel(sigma));
      const { kernels } = planes.engine;
      kernels.copyRows(planes.at(plane, 0, 0), plane.stride, out, planes.outStride, planes.width, planes.rows);
    }
  };
}

/** The narrower Gaussian less the wider one. */
export function differenceOfGaussians(small: number, large: number): IFeatureGroup {
  return {
    names: [`difference of gaussians σ=${small}−${large}`],
    halo: gaussianRadius(large),
    compute(planes, out) {
      const narrow = planes.smoothed(small, gaussianKernel(small));
      const wide = planes.smoothed(large, gaussianKernel(large));
      const a = planes.at(narrow, 0, 0);
      const b = planes.at(wide, 0, 0);
      planes.engine.kernels.subtract(a, b, narrow.stride, out, planes.outStride, planes.width, planes.rows);
    }
  };
}
