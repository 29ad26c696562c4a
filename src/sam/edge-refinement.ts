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
export const REFINED_AREA_MAX = 150_000;

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
  const rows = count / columns;
  const [middle, variance] = moments(values);
  const [reach, band] = [reachOf(step), bandOf(step)];
  const least = VARIANCE_MIN * variance;
  const out = new Uint8Array(count);
  // Sums over the rows around the present one, for each column: pixels inside, their greys, all greys, their squares; pixels inside near the border.
  const [inside, greysInside, greys, squares, near] = Array.from({ length: 5 }, () => new Float64Array(columns)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array
  ];
  const addRow = (row: number, sign: 1 | -1) => {
    for (let column = 0, i = row * columns; column < columns; column++, i++) {
      const grey = values[i]! - middle; // around 0, so that squares lose no digits
      greys[column]! += sign * grey;
      squares[column]! += sign * grey * grey;
      if (logits[i]! > 0) {
        inside[column]! += sign;
        greysInside[column]! += sign * grey;
      }
    }
  };
  const addNear = (row: number, sign: 1 | -1) => {
    for (let column = 0, i = row * columns; column < columns; column++, i++) {
      near[column]! += logits[i]! > 0 ? sign : 0;
    }
  };
  for (let row = -reach; row < rows; row++) {
    if (row + reach < rows) {
      addRow(row + reach, 1);
    }
    if (row > reach) {
      addRow(row - reach - 1, -1);
    }
    if (row >= -band && row + band < rows) {
      addNear(row + band, 1);
    }
    if (row > band) {
      addNear(row - band - 1, -1);
    }
    if (row < 0) {
      continue;
    }
    const height = Math.min(row + reach, rows - 1) - Math.max(row - reach, 0) + 1;
    const nearHeight = Math.min(row + band, rows - 1) - Math.max(row - band, 0) + 1;
    let [all, sumInside, sum, sumSquares, nearInside] = [0, 0, 0, 0, 0];
    for (let column = -reach; column < columns; column++) {
      const [added, dropped] = [column + reach, column - reach - 1];
      if (added < columns) {
        all += inside[added]!;
        sumInside += greysInside[added]!;
        sum += greys[added]!;
        sumSquares += squares[added]!;
      }
      if (dropped >= 0) {
        all -= inside[dropped]!;
        sumInside -= greysInside[dropped]!;
        sum -= greys[dropped]!;
        sumSquares -= squares[dropped]!;
      }
      if (column >= -band && column + band < columns) {
        nearInside += near[column + band]!;
      }
      if (column > band) {
        nearInside -= near[column - band - 1]!;
      }
      if (column < 0) {
        continue;
      }
      const i = row * columns + column;
      let odds = logits[i]!;
      const nearWidth = Math.min(column + band, columns - 1) - Math.max(column - band, 0) + 1;
      if (nearInside > 0 && nearInside < nearHeight * nearWidth && variance > 0) {
        const pixels = height * (Math.min(column + reach, columns - 1) - Math.max(column - reach, 0) + 1);
        const outside = pixels - all;
        if (all >= PART_MIN * pixels && outside >= PART_MIN * pixels) {
          const meanInside = sumInside / all;
          const meanOutside = (sum - sumInside) / outside;
          const within = (sumSquares - all * meanInside ** 2 - outside * meanOutside ** 2) / pixels;
          const grey = meanAround(values, row, column, rows, columns) - middle;
          const difference = (grey - meanOutside) ** 2 - (grey - meanInside) ** 2;
          odds += (COMPARED * difference) / (2 * Math.max(within, least));
        }
      }
      out[i] = odds > 0 ? 1 : 0;
    }
  }
  return out;
}

/** Mean over a pixel and its neighbours. */
function meanAround(values: Float32Array, row: number, column: number, rows: number, columns: number): number {
  let [sum, count] = [0, 0];
  for (let r = Math.max(row - 1, 0); r <= Math.min(row + 1, rows - 1); r++) {
    for (let c = Math.max(column - 1, 0); c <= Math.min(column + 1, columns - 1); c++) {
      sum += values[r * columns + c]!;
      count++;
    }
  }
  return sum / count;
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
