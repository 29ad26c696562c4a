/**
 * Labels between two labelled slices, by shape: the signed distances to an outline in both slices are mixed in proportion to the slice's
 * place (Raya and Udupa, IEEE Transactions on Medical Imaging 9, 32–42, 1990). Where the mixture for all labels together is positive,
 * the class of the highest mixture is taken, of those whose rectangle around both shapes has the pixel. Distances are Euclidean and exact (Felzenszwalb and Huttenlocher, Theory of Computing 8, 415–428, 2012).
 */
import { Rect } from '../../src/shared/rect';

/** Stands for all classes together. */
const LABELLED = 0;

/** A class in both slices, or all together: its signed distances in a rectangle around both of its shapes. Outside of the rectangle it is in neither. */
interface IShapes {
  id: number;
  rect: Rect;
  before: Float32Array;
  after: Float32Array;
}

/** Both slices, ready to be mixed. */
export class LabelInterpolation {
  /**
   * @param before labels of a slice, row by row; 0 is unlabelled
   * @param after those of a later slice of the same size
   */
  constructor(
    before: Uint8Array,
    after: Uint8Array,
    private readonly _columns: number
  ) {
    this._pixels = before.length;
    for (const [id, rect] of boxes(before, after, _columns)) {
      this._shapes.push({
        id,
        rect,
        before: signedDistance(before, id, rect, _columns),
        after: signedDistance(after, id, rect, _columns)
      });
    }
  }

  /**
   * The labels at a place between the slices. A class that only one of them has is not there.
   *
   * @param fraction 0 is the earlier slice, 1 the later one
   */
  at(fraction: number): Uint8Array {
    const labels = new Uint8Array(this._pixels);
    const best = new Float32Array(this._pixels).fill(Infinity);
    // All together come first: pixels that are labelled wait for a class.
    for (const { id, rect, before, after } of this._shapes) {
      const width = rect.column1 - rect.column0;
      for (let row = rect.row0, i = 0; row < rect.row1; row++) {
        const start = row * this._columns + rect.column0;
        for (let pixel = start; pixel < start + width; pixel++, i++) {
          const distance = (1 - fraction) * before[i]! + fraction * after[i]!;
          if (id === LABELLED) {
            best[pixel] = distance > 0 ? -Infinity : Infinity;
          } else if (distance > best[pixel]!) {
            best[pixel] = distance;
            labels[pixel] = id;
          }
        }
      }
    }
    return labels;
  }

  private readonly _pixels: number;
  private readonly _shapes: IShapes[] = [];
}

/** For each class that both slices have, and for all together, the smallest rectangle around its pixels in both. */
function boxes(before: Uint8Array, after: Uint8Array, columns: number): Map<number, Rect> {
  const [first, second] = [boxesOf(before, columns), boxesOf(after, columns)];
  const both = new Map<number, Rect>();
  for (const [id, a] of first) {
    const b = second.get(id);
    if (b) {
      both.set(id, {
        row0: Math.min(a.row0, b.row0),
        row1: Math.max(a.row1, b.row1),
        column0: Math.min(a.column0, b.column0),
        column1: Math.max(a.column1, b.column1)
      });
    }
  }
  return both;
}

function boxesOf(labels: Uint8Array, columns: number): Map<number, Rect> {
  const found = new Map<number, Rect>();
  for (let row = 0, i = 0; i < labels.length; row++) {
    for (let column = 0; column < columns; column++, i++) {
      const id = labels[i]!;
      if (id > 0) {
        [LABELLED, id].forEach(each => {
          const rect = found.get(each);
          if (!rect) {
            found.set(each, { row0: row, row1: row + 1, column0: column, column1: column + 1 });
          } else {
            rect.row1 = row + 1;
            rect.column0 = Math.min(rect.column0, column);
            rect.column1 = Math.max(rect.column1, column + 1);
          }
        });
      }
    }
  }
  return found;
}

/** Distances to the outline of a class, in pixels: positive inside, negative outside. The outline lies half way between pixels. */
function signedDistance(labels: Uint8Array, id: number, rect: Rect, columns: number): Float32Array {
  const width = rect.column1 - rect.column0;
  const height = rect.row1 - rect.row0;
  // A border of one pixel outside of the class: it ends there, or beyond.
  const [w, h] = [width + 2, height + 2];
  const inside = new Float64Array(w * h).fill(0);
  const outside = new Float64Array(w * h).fill(Infinity);
  for (let row = 0; row < height; row++) {
    const from = (rect.row0 + row) * columns + rect.column0;
    for (let column = 0; column < width; column++) {
      const label = labels[from + column]!;
      if (id === LABELLED ? label > 0 : label === id) {
        const at = (row + 1) * w + column + 1;
        inside[at] = Infinity;
        outside[at] = 0;
      }
    }
  }
  squaredDistance(inside, w, h);
  squaredDistance(outside, w, h);
  const out = new Float32Array(width * height);
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      const at = (row + 1) * w + column + 1;
      out[i] = inside[at]! > 0 ? Math.sqrt(inside[at]!) - 0.5 : 0.5 - Math.sqrt(outside[at]!);
    }
  }
  return out;
}

/** Replace 0 and infinity by the squared distance to the nearest 0, in place. There must be a 0. */
function squaredDistance(values: Float64Array, width: number, height: number): void {
  const longest = Math.max(width, height);
  const line = new Float64Array(longest);
  const apex = new Int32Array(longest);
  const border = new Float64Array(longest + 1);
  const pass = (start: number, step: number, length: number) => {
    // The lower envelope of the parabolas that stand on the finite values of the line.
    let last = -1;
    for (let q = 0; q < length; q++) {
      const value = (line[q] = values[start + q * step]!);
      if (value === Infinity) {
        continue;
      }
      let from = -Infinity;
      while (last >= 0) {
        const p = apex[last]!;
        from = (value + q * q - line[p]! - p * p) / (2 * (q - p));
        if (from > border[last]!) {
          break;
        }
        last--;
        from = -Infinity;
      }
      apex[++last] = q;
      border[last] = from;
      border[last + 1] = Infinity;
    }
    if (last < 0) {
      return;
    }
    for (let q = 0, k = 0; q < length; q++) {
      while (border[k + 1]! < q) {
        k++;
      }
      const p = apex[k]!;
      values[start + q * step] = (q - p) * (q - p) + line[p]!;
    }
  };
  for (let column = 0; column < width; column++) {
    pass(column, width, height);
  }
  for (let row = 0; row < height; row++) {
    pass(row * width, 1, width);
  }
}
