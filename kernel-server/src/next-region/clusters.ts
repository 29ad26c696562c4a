/**
 * Finds groups of similar vectors and isolated vectors. Groups: k-means (Lloyd, "Least squares quantization in PCM", 1982) from centres that are drawn
 * apart (Arthur and Vassilvitskii, "k-means++", SODA 2007). Isolated vectors: the mean distance to their nearest neighbours (Angiulli and Pizzuti,
 * "Fast outlier detection in high dimensional spaces", PKDD 2002). The same vectors give the same result.
 */
import { breathe } from '../base/files';

/** Vectors of one length, one after the other. */
export interface IVectors {
  values: Float32Array;
  length: number;
}

/** A group of similar vectors. */
export interface ICluster {
  /** Indices of its vectors, by distance from the centre. */
  members: number[];
}

const ROUNDS_MAX = 30;
/** Vectors between two turns of the event loop. */
const BREATH = 64;

export function countOf({ values, length }: IVectors): number {
  return values.length / length;
}

/** At most `most` groups, the largest first. */
export async function clusters(vectors: IVectors, most: number, signal: AbortSignal): Promise<ICluster[]> {
  const n = countOf(vectors);
  const { values, length } = vectors;
  const centres = firstCentres(vectors, most);
  const count = centres.length / length;
  const of = new Int32Array(n).fill(-1);
  const distances = new Float64Array(n);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await breathe();
    signal.throwIfAborted();
    let changed = false;
    for (let i = 0; i < n; i++) {
      let best = 0;
      let least = Infinity;
      for (let c = 0; c < count; c++) {
        const d = squared(values, i * length, centres, c * length, length);
        if (d < least) {
          [best, least] = [c, d];
        }
      }
      changed ||= of[i] !== best;
      of[i] = best;
      distances[i] = least;
    }
    if (!changed) {
      break;
    }
    const sizes = new Uint32Array(count);
    const sums = new Float64Array(centres.length);
    for (let i = 0; i < n; i++) {
      const c = of[i]!;
      sizes[c]!++;
      for (let k = 0; k < length; k++) {
        sums[c * length + k]! += values[i * length + k]!;
      }
    }
    // A centre that lost all its vectors stays where it is.
    centres.forEach((_, at) => {
      const size = sizes[Math.floor(at / length)]!;
      centres[at] = size > 0 ? sums[at]! / size : centres[at]!;
    });
  }
  const groups = Array.from({ length: count }, (): ICluster => ({ members: [] }));
  of.forEach((c, i) => groups[c]!.members.push(i));
  groups.forEach(({ members }) => members.sort((a, b) => distances[a]! - distances[b]! || a - b));
  return groups
    .filter(({ members }) => members.length > 0)
    .sort((a, b) => b.members.length - a.members.length || a.members[0]! - b.members[0]!);
}

/**
 * The mean distance of each vector to its `neighbours` nearest ones. Only vectors that are `apart` from it count; 0 if none does.
 */
export async function loneliness(
  vectors: IVectors,
  neighbours: number,
  apart: (a: number, b: number) => boolean,
  signal: AbortSignal
): Promise<Float64Array> {
  const n = countOf(vectors);
  const { values, length } = vectors;
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    if (i % BREATH === 0) {
      await breathe();
      signal.throwIfAborted();
    }
    const nearest: number[] = []; // ascending
    for (let j = 0; j < n; j++) {
      const d = squared(values, i * length, values, j * length, length);
      if ((nearest.length < neighbours || d < nearest.at(-1)!) && apart(i, j)) {
        const at = nearest.findIndex(other => other > d);
        nearest.splice(at < 0 ? nearest.length : at, 0, d);
        nearest.splice(neighbours);
      }
    }
    out[i] = nearest.reduce((sum, d) => sum + Math.sqrt(d), 0) / Math.max(1, nearest.length);
  }
  return out;
}

/** Centres: the vector nearest to the mean of all, then always the vector that is farthest in the sense of k-means++, drawn by a fixed sequence. */
function firstCentres(vectors: IVectors, most: number): Float64Array {
  const n = countOf(vectors);
  const { values, length } = vectors;
  const mean = new Float64Array(length);
  values.forEach((value, at) => (mean[at % length]! += value / n));
  let first = 0;
  let least = Infinity;
  for (let i = 0; i < n; i++) {
    const d = squared(values, i * length, mean, 0, length);
    if (d < least) {
      [first, least] = [i, d];
    }
  }
  const chosen = [first];
  const distances = new Float64Array(n).fill(Infinity);
  let state = 1;
  while (chosen.length < most) {
    const last = chosen.at(-1)!;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      distances[i] = Math.min(distances[i]!, squared(values, i * length, values, last * length, length));
      sum += distances[i]!;
    }
    if (sum === 0) {
      break; // all others are equal to one of them
    }
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // a linear congruence (Numerical Recipes)
    let left = (state / 2 ** 32) * sum;
    let next = distances.findIndex(d => (left -= d) < 0);
    if (next < 0) {
      next = distances.indexOf(Math.max(...distances));
    }
    chosen.push(next);
  }
  return Float64Array.from(chosen.flatMap(i => [...values.subarray(i * length, (i + 1) * length)]));
}

/** The distance between two vectors. */
export function distance({ values, length }: IVectors, a: number, b: number): number {
  return Math.sqrt(squared(values, a * length, values, b * length, length));
}

function squared(a: ArrayLike<number>, from: number, b: ArrayLike<number>, to: number, length: number): number {
  let sum = 0;
  for (let k = 0; k < length; k++) {
    const difference = a[from + k]! - b[to + k]!;
    sum += difference * difference;
  }
  return sum;
}
