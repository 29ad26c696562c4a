/**
 * Quantile cuts, by which features become 8-bit bins. A value's bin is the number of cuts below it, so "bin ≤ t" says "value ≤ cut t" and
 * a tree on bins is a tree on values.
 */
import { CUTS_MAX } from '../../src/shared/limits';

/** The cuts of every feature, ascending. */
export class Cuts {
  constructor(readonly features: readonly Float32Array[]) {}

  /** 256 floats a feature, the rest +∞: the form that the kernels read. */
  padded(): Float32Array {
    const out = new Float32Array(this.features.length * 256).fill(Infinity);
    this.features.forEach((cuts, f) => out.set(cuts, f * 256));
    return out;
  }

  /** The opposite of {@link padded}. */
  static fromPadded(padded: Float32Array): Cuts {
    return new Cuts(
      Array.from({ length: padded.length / 256 }, (_, f) => {
        const cuts = padded.subarray(f * 256, (f + 1) * 256);
        const count = cuts.indexOf(Infinity);
        return cuts.slice(0, count < 0 ? CUTS_MAX : count);
      })
    );
  }
}

/**
 * Cuts at the quantiles of a sample of one feature; half way between its values if at most 256 differ. Values that are not
 * finite are ignored.
 */
export function quantileCuts(sample: Float32Array): Float32Array {
  const sorted = sortFloats(sample);
  const distinct: number[] = [];
  for (let i = 0; i < sorted.length && distinct.length <= CUTS_MAX + 1; i++) {
    if (i === 0 || sorted[i] !== sorted[i - 1]) {
      distinct.push(sorted[i]!);
    }
  }
  const cuts: number[] = [];
  if (distinct.length <= CUTS_MAX + 1) {
    for (let i = 1; i < distinct.length; i++) {
      cuts.push(between(distinct[i - 1]!, distinct[i]!));
    }
  } else {
    for (let k = 1; k <= CUTS_MAX; k++) {
      const i = Math.floor((k * sorted.length) / (CUTS_MAX + 1));
      cuts.push(between(sorted[i - 1]!, sorted[i]!));
    }
  }
  return Float32Array.from(cuts)
    .map(cut => cut + 0)
    .filter((cut, i, all) => Number.isFinite(cut) && (i === 0 || cut > all[i - 1]!));
}

function between(low: number, high: number): number {
  return low / 2 + high / 2;
}

/**
 * Choose `count` of `pixels` pixels to sample (or all): evenly spread, with a jitter by the golden ratio against patterns that repeat in the
 * image. Ascending.
 */
export function samplePositions(pixels: number, count: number): Uint32Array {
  if (count >= pixels) {
    return Uint32Array.from({ length: pixels }, (_, i) => i);
  }
  const golden = (Math.sqrt(5) - 1) / 2;
  return Uint32Array.from({ length: count }, (_, k) => Math.floor(((k + ((k * golden) % 1)) * pixels) / count));
}

/** The finite values, ascending, by a radix sort of the floats' bits; much faster than `sort`. −0 becomes 0. */
export function sortFloats(values: Float32Array): Float32Array {
  const floats = new Float32Array(values.length);
  let length = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]!)) {
      floats[length++] = values[i]! + 0;
    }
  }
  let from = new Uint32Array(floats.buffer, 0, length);
  let to = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    const bits = from[i]!;
    from[i] = bits >>> 31 ? ~bits : bits | 0x80000000;
  }
  // Two digits of 16 bits: the first pass sorts by the lower, the second, which is stable, by the upper one.
  for (let shift = 0; shift < 32; shift += 16) {
    const starts = new Uint32Array(65537);
    for (let i = 0; i < length; i++) {
      starts[((from[i]! >>> shift) & 0xffff) + 1]!++;
    }
    for (let i = 1; i < 65536; i++) {
      starts[i]! += starts[i - 1]!;
    }
    for (let i = 0; i < length; i++) {
      to[starts[(from[i]! >>> shift) & 0xffff]!++] = from[i]!;
    }
    [from, to] = [to, from];
  }
  for (let i = 0; i < length; i++) {
    const key = from[i]!;
    from[i] = key >>> 31 ? key & 0x7fffffff : ~key;
  }
  return new Float32Array(from.buffer, 0, length);
}
