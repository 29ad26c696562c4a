/**
 * Principal components of an encoder's channels: the unit eigenvectors of their covariance over the cells of an image, for the largest eigenvalues
 * (Jolliffe, "Principal Component Analysis", 2002, section 1.1).
 *
 * Components are not whitened, so a distance in them is a distance in the channels. An eigenvector's sign is chosen so that its largest entry is
 * positive: the same image gives the same components.
 */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { IBasisLayer } from '../../../engine/core/embedding';
import { BridgeError } from '../../../src/shared/errors';

/** The largest number of cells that a basis is fitted to. */
export const SAMPLES_MAX = 16384;

/**
 * Fit a layer's basis: how its channels are reduced to components.
 *
 * @param samples [channels][count]
 * @throws BridgeError `model` for NaN or infinite values.
 */
export function fitBasis(
  layer: string,
  samples: Float32Array,
  channels: number,
  count: number,
  components: number
): IBasisLayer {
  const { mean, centred } = centre(samples, channels, count);
  const covariance = covarianceOf(centred, channels, count);
  if (!covariance.every(Number.isFinite)) {
    throw new BridgeError('model', `The encoder's layer ${layer} has values that are NaN or infinite.`);
  }
  const rows = Array.from({ length: channels }, (_, i) => covariance.subarray(i * channels, (i + 1) * channels));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(new Matrix(rows as never), {
    assumeSymmetric: true
  });
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  const matrix = new Float32Array(components * channels);
  order.slice(0, components).forEach((index, k) => {
    const vector = eigenvectorMatrix.getColumn(index);
    const length = Math.hypot(...vector);
    const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    const factor = (largest < 0 ? -1 : 1) / length;
    vector.forEach((value, c) => (matrix[k * channels + c] = value * factor));
  });
  return { layer, channels, components, mean: Float32Array.from(mean), matrix };
}

/** Components of a layer's cells: matrix · (channels − mean), [components][cells] of [channels][cells]. */
export function applyBasis({ channels, components, mean, matrix }: IBasisLayer, values: Float32Array): Float32Array {
  const cells = values.length / channels;
  const out = new Float32Array(components * cells);
  const sums = new Float64Array(cells);
  for (let k = 0; k < components; k++) {
    sums.fill(0);
    for (let c = 0; c < channels; c++) {
      const weight = matrix[k * channels + c]!;
      const middle = mean[c]!;
      for (let i = 0, at = c * cells; i < cells; i++, at++) {
        sums[i]! += weight * (values[at]! - middle);
      }
    }
    out.set(sums, k * cells);
  }
  return out;
}

function centre(samples: Float32Array, channels: number, count: number): { mean: Float64Array; centred: Float64Array } {
  const mean = new Float64Array(channels);
  const centred = new Float64Array(channels * count);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let i = c * count; i < (c + 1) * count; i++) {
      sum += samples[i]!;
    }
    // Rounded as it is stored, so that applying the basis subtracts the same mean.
    mean[c] = Math.fround(sum / count);
    for (let i = c * count; i < (c + 1) * count; i++) {
      centred[i] = samples[i]! - mean[c]!;
    }
  }
  return { mean, centred };
}

/** The covariance of channels, two rows against two at a time: each value that is read is used twice. */
function covarianceOf(centred: Float64Array, channels: number, count: number): Float64Array {
  const out = new Float64Array(channels * channels);
  const row = (c: number) => centred.subarray(c * count, (c + 1) * count);
  for (let a = 0; a < channels; a += 2) {
    const a0 = row(a);
    const a1 = row(Math.min(a + 1, channels - 1));
    for (let b = 0; b <= a; b += 2) {
      const b0 = row(b);
      const b1 = row(Math.min(b + 1, channels - 1));
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      for (let i = 0; i < count; i++) {
        s00 += a0[i]! * b0[i]!;
        s01 += a0[i]! * b1[i]!;
        s10 += a1[i]! * b0[i]!;
        s11 += a1[i]! * b1[i]!;
      }
      const put = (i: number, j: number, sum: number) => {
        if (i < channels && j < channels) {
          out[i * channels + j] = out[j * channels + i] = sum / count;
        }
      };
      put(a, b, s00);
      put(a, b + 1, s01);
      put(a + 1, b, s10);
      put(a + 1, b + 1, s11);
    }
  }
  return out;
}
