/** The steps that bring a mask prompt to the grid of the image's places; `WasmDecoder` runs the last one on its kernels. */
import type { INorm } from './decoder-weights';

/** A convolution of 2 × 2 with step 2 on `channels` planes of a side. */
export function convolve(
  planes: Float32Array,
  side: number,
  channels: number,
  weights: Float32Array,
  bias: Float32Array
): Float32Array {
  const half = side / 2;
  const out = new Float32Array(bias.length * half * half);
  for (let o = 0, at = 0; o < bias.length; o++) {
    for (let y = 0; y < half; y++) {
      for (let x = 0; x < half; x++, at++) {
        let sum = bias[o]!;
        for (let c = 0; c < channels; c++) {
          const from = c * side * side + 2 * y * side + 2 * x;
          const w = (o * channels + c) * 4;
          sum +=
            planes[from]! * weights[w]! +
            planes[from + 1]! * weights[w + 1]! +
            planes[from + side]! * weights[w + 2]! +
            planes[from + side + 1]! * weights[w + 3]!;
        }
        out[at] = sum;
      }
    }
  }
  return out;
}

/** A norm over the channels of each place, and GELU, in place. */
export function normaliseGelu(planes: Float32Array, { gain, bias }: INorm): void {
  const channels = gain.length;
  const places = planes.length / channels;
  for (let place = 0; place < places; place++) {
    let mean = 0;
    for (let at = place; at < planes.length; at += places) {
      mean += planes[at]! / channels;
    }
    let variance = 0;
    for (let at = place; at < planes.length; at += places) {
      variance += (planes[at]! - mean) ** 2 / channels;
    }
    const by = 1 / Math.sqrt(variance + 1e-6);
    for (let channel = 0; channel < channels; channel++) {
      const at = channel * places + place;
      planes[at] = gelu((planes[at]! - mean) * by * gain[channel]! + bias[channel]!);
    }
  }
}

/** x Φ(x), with Φ by the logistic-free series of Abramowitz and Stegun 7.1.26, right to 1.5e-7. */
function gelu(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const erf = 1 - series * Math.exp(-z * z);
  return 0.5 * x * (1 + Math.sign(x) * erf);
}
