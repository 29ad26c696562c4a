/**
 * Moves the border of a mask to the edges of the image. SAM's masks have 256 samples a side, so that their borders are some pixels off in a larger image.
 *
 * Around each pixel the greys inside and outside of the mask are described by their means and their common variance, as in region-based contours with
 * local statistics (Lankton and Tannenbaum, "Localizing region-based active contours", IEEE Transactions on Image Processing 17 (2008)). A pixel is inside
 * if its log-odds are above 0: the mask's logit, and the log of how much likelier the greys of the pixel and its eight neighbours are inside. Where inside
 * and outside look alike, SAM's logit decides. Only pixels near the mask's border can change.
 */
import { areaOf, Rect } from '../shared/rect';

/** Half the side of the square whose greys are described, in samples of the mask, and in pixels at least. */
const REACH = 4;
const REACH_MIN = 3;
/** Pixels change up to this distance from the border, in samples of the mask. */
const BAND = 1.5;
/** The part of a square that must be inside, and outside, for its greys to say anything. */
const PART_MIN = 0.02;
/** Least variance of greys, as a part of the variance in the whole rectangle. */
const VARIANCE_MIN = 1e-4;
/** Pixels whose greys are compared together: a pixel and its neighbours. */
const COMPARED = 9;
/** Larger rectangles are not refined: this bounds the time. */
export const REFINED_AREA_MAX = 400_000;

/** Grey values of a rectangle of the image: float32, rows × columns, in any unit. */
export interface IGreys {
  rect: Rect;
  values: Float32Array;
}

/** How far from a mask greys are looked at, in pixels. @param step pixels of the image a sample of the mask */
export function refinementMargin(step: number): number {
  return reachOf(step) + bandOf(step);
}

/**
 * Refine a mask in a rectangle, which has a margin of {@link refinementMargin} around the mask, except at the border of the image.
 *
 * @param logits of the mask at each pixel of the rectangle
 * @param step pixels of the image a sample of the mask
 * @returns 0 and 1, the rectangle's rows × columns
 */
export function refinedMask(logits: Float32Array, { rect, values }: IGreys, step: number): Uint8Array {
  const columns = rect.column1 - rect.column0;
  const count = areaOf(rect);
  if (logits.length !== count || values.length !== count) {
    throw new RangeError(`A rectangle of ${count} pixels has ${logits.length} logits and ${values.length} greys.`);
  }
  const [middle, variance] = moments(values);
  // Around 0, so that squares lose no digits.
  const greys = values.map(value => value - middle);
  const inside = logits.map(logit => (logit > 0 ? 1 : 0));
  const mean = (of: Float32Array) => boxMean(of, columns, reachOf(step));
  const part = mean(inside);
  const sumInside = mean(greys.map((grey, i) => grey * inside[i]!));
  const sum = mean(greys);
  const squares = mean(greys.map(grey => grey * grey));
  const around = boxMean(greys, columns, 1);
  // Strictly between 0 and 1 where a square has pixels of both kinds.
  const near = boxMean(inside, columns, bandOf(step));
  const out = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    let odds = logits[i]!;
    const [partInside, partOutside] = [part[i]!, 1 - part[i]!];
    const isNear = near[i]! > 1e-6 && near[i]! < 1 - 1e-6;
    if (isNear && variance > 0 && partInside >= PART_MIN && partOutside >= PART_MIN) {
      const meanInside = sumInside[i]! / partInside;
      const meanOutside = (sum[i]! - sumInside[i]!) / partOutside;
      const within = squares[i]! - partInside * meanInside ** 2 - partOutside * meanOutside ** 2;
      const difference = (around[i]! - meanOutside) ** 2 - (around[i]! - meanInside) ** 2;
      odds += (COMPARED * difference) / (2 * Math.max(within, VARIANCE_MIN * variance));
    }
    out[i] = odds > 0 ? 1 : 0;
  }
  return out;
}

function reachOf(step: number): number {
  return Math.max(REACH_MIN, Math.round(REACH * step));
}

function bandOf(step: number): number {
  return Math.max(1, Math.ceil(BAND * step));
}

/** Mean and variance. */
function moments(values: Float32Array): [number, number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length];
}

/** Mean over the square of `radius` pixels around each pixel, less of it at the rectangle's border. */
function boxMean(values: Float32Array, columns: number, radius: number): Float32Array {
  const rows = values.length / columns;
  const across = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    const start = row * columns;
    for (let column = -radius; column < columns; column++) {
      sum += column + radius < columns ? values[start + column + radius]! : 0;
      sum -= column - radius - 1 >= 0 ? values[start + column - radius - 1]! : 0;
      if (column >= 0) {
        across[start + column] = sum / (Math.min(column + radius, columns - 1) - Math.max(column - radius, 0) + 1);
      }
    }
  }
  const out = new Float32Array(values.length);
  const sums = new Float64Array(columns);
  for (let row = -radius; row < rows; row++) {
    const [added, dropped] = [row + radius, row - radius - 1];
    for (let column = 0; column < columns; column++) {
      sums[column]! +=
        (added < rows ? across[added * columns + column]! : 0) -
        (dropped >= 0 ? across[dropped * columns + column]! : 0);
    }
    if (row >= 0) {
      const count = Math.min(row + radius, rows - 1) - Math.max(row - radius, 0) + 1;
      for (let column = 0; column < columns; column++) {
        out[row * columns + column] = sums[column]! / count;
      }
    }
  }
  return out;
}
