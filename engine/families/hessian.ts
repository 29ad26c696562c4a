/**
 * The Hessian of the Gaussian, made of two Sobel steps, as in Trainable Weka Segmentation: a = Kx⋆sx, b = Ky⋆sx, d = Ky⋆sy.
 * Module √(a² + b² + d²), trace, determinant ad − b² and the eigenvalues (a + d ± √((a − d)² + 4b²)) / 2.
 */
import { IFeatureGroup } from './family';
import { gaussianKernel, gaussianRadius } from './gaussian';

const CHANNELS = ['module', 'trace', 'determinant', 'first eigenvalue', 'second eigenvalue'];

export function hessian(sigma: number): IFeatureGroup {
  return {
    names: CHANNELS.map(channel => `hessian ${channel} σ=${sigma}`),
    halo: gaussianRadius(sigma) + 2,
    compute(planes, out) {
      const { x, y } = planes.derivatives(sigma, gaussianKernel(sigma));
      const { kernels } = planes.engine;
      const sx = planes.at(x, -1, -1);
      const sy = planes.at(y, -1, -1);
      kernels.hessian(sx, sy, x.stride, out, planes.outStride, planes.outPlane, planes.width, planes.rows);
    }
  };
}
