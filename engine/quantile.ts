/**
 * Quantile cuts, by which features become 8-bit bins. A value's bin is the number of cuts below it, so "bin ≤ t" says "value ≤ cut t" and
 * a tree on bins is a tree on values.
 */

/** Most cuts of a feature: 256 bins. */
export const CUTS_MAX = 255;

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
 * Cuts at the quantiles of a sample of one feature; half way between all its values where it has at most 256. Values that are not
 * finite are left out.
 */
export function quantileCuts(sample: Float32Array): Float32Array {
  const sorted = sample.filter(Number.isFinite).sort();
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
 * Which of `pixels` pixels to sample: `count` of them (or all), evenly spread but in step with nothing that repeats in an image, by
 * jitter of the golden ratio. Ascending.
 */
export function samplePositions(pixels: number, count: number): Uint32Array {
  if (count >= pixels) {
    return Uint32Array.from({ length: pixels }, (_, i) => i);
  }
  const golden = (Math.sqrt(5) - 1) / 2;
  return Uint32Array.from({ length: count }, (_, k) => Math.floor(((k + ((k * golden) % 1)) * pixels) / count));
}
