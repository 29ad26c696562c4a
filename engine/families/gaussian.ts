/**
 * Gaussian smoothing and differences of Gaussians. σ is the standard deviation in pixels; the kernel ends at four of them and is divided by
 * its sum; the image is continued by its edge.
 *
 * Trainable Weka Segmentation smooths with 0.4 σ where it says σ: its filters are those of σ 0.4, 0.8, 1.6, 3.2 and 6.4 here. As the
 * default they gave a mean IoU 0.02 lower on superalloy micrographs (`npm run bench -- accuracy`), so σ is what it says.
 */
import { IFeatureGroup } from './family';

const TRUNCATE = 4;

/** How many pixels the Gaussian looks to each side; 0 for σ 0, no smoothing. */
export function gaussianRadius(sigma: number): number {
  return Math.ceil(TRUNCATE * sigma);
}

/** Half of the kernel, its centre first; null for σ 0. */
export function gaussianKernel(sigma: number): Float32Array | null {
  if (sigma === 0) {
    return null;
  }
  const weights = Array.from({ length: gaussianRadius(sigma) + 1 }, (_, i) =>
    Math.exp((-0.5 * i * i) / (sigma * sigma))
  );
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
