/** Gradient magnitude √(sx² + sy²) of the Gaussian by Sobel's kernels, as in Trainable Weka Segmentation. */
import { IFeatureGroup } from './family';
import { gaussianKernel, gaussianRadius } from './gaussian';

export function sobel(sigma: number): IFeatureGroup {
  return {
    names: [`sobel σ=${sigma}`],
    halo: gaussianRadius(sigma) + 1,
    compute(planes, out) {
      const { x, y } = planes.derivatives(sigma, gaussianKernel(sigma));
      const { kernels } = planes.engine;
      const sx = planes.at(x, 0, 0);
      const sy = planes.at(y, 0, 0);
      kernels.sobelMagnitude(sx, sy, x.stride, out, planes.outStride, planes.width, planes.rows);
    }
  };
}
