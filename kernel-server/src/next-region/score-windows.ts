/**
 * Square windows of a slice: the sums of its pixels over them, and the best ones that do not overlap.
 *
 * Windows stand half a side apart. The edges of all windows cut the slice into cells; each pixel is added to its cell once, and a window's sum is
 * read from the cells' integral image (Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984). So it costs one pass over the pixels,
 * however much windows overlap.
 */
import { areaOf, overlaps, Rect } from '../../../src/shared/rect';

/** Most cells of a slice, which bounds the memory of the sums. In larger slices the windows stand further apart. */
const CELLS_MAX = 1 << 22;

/** A window with its score. */
export type ScoredWindow = Rect & { score: number };

/** One direction of a grid. */
interface IAxis {
  /** The starts of the windows, ascending. */
  starts: number[];
  /** The starts of the cells, and the end of the last. */
  edges: number[];
  /** The cell of each pixel; at the end the number of cells. */
  cellOf: Uint32Array;
}

/** The grid of windows of a slice. */
export class WindowGrid {
  /** @param side of the windows; cut where the slice is smaller */
  constructor(
    rows: number,
    columns: number,
    readonly side: number
  ) {
    const step = Math.max(Math.ceil(side / 2), Math.ceil(Math.sqrt((rows * columns) / CELLS_MAX)));
    this.down = axis(rows, side, step);
    this.across = axis(columns, side, step);
  }

  readonly down: IAxis;
  readonly across: IAxis;

  /** The number of windows. They are numbered row by row. */
  get count(): number {
    return this.down.starts.length * this.across.starts.length;
  }

  /** The pixels of a window. */
  block(window: number): Rect {
    const { down, across, side } = this;
    const row0 = down.starts[Math.floor(window / across.starts.length)]!;
    const column0 = across.starts[window % across.starts.length]!;
    return {
      row0,
      row1: Math.min(down.cellOf.length - 1, row0 + side),
      column0,
      column1: Math.min(across.cellOf.length - 1, column0 + side)
    };
  }
}

function axis(length: number, side: number, step: number): IAxis {
  const last = Math.max(0, length - side);
  const starts = Array.from({ length: Math.ceil(last / step) }, (_, i) => i * step);
  starts.push(last);
  const ends = starts.map(start => Math.min(length, start + side));
  const edges = [...new Set([0, ...starts, ...ends, length])].sort((a, b) => a - b);
  const cellOf = new Uint32Array(length + 1);
  edges.slice(0, -1).forEach((edge, cell) => cellOf.fill(cell, edge, edges[cell + 1]));
  cellOf[length] = edges.length - 1;
  return { starts, edges, cellOf };
}

/** Sums of a slice's pixels over the windows of a grid. */
export class WindowSums {
  constructor(readonly grid: WindowGrid) {
    this._width = grid.across.edges.length;
    this._table = new Float64Array(grid.down.edges.length * this._width);
  }

  /** Size in bytes. */
  get bytes(): number {
    return this._table.byteLength;
  }

  /** Add the values of some pixels, row by row; every pixel of the slice is added once at most. */
  add({ row0, row1, column0, column1 }: Rect, values: ArrayLike<number>): void {
    const { _table: table, _width: width } = this;
    const { down, across } = this.grid;
    let i = 0;
    for (let row = row0; row < row1; row++) {
      // The sums of cell (r, c) stand at (r + 1, c + 1), so that what lies above and left of it comes to stand at (r, c).
      const base = (down.cellOf[row]! + 1) * width + 1;
      for (let column = column0; column < column1; column++, i++) {
        table[base + across.cellOf[column]!]! += values[i]!;
      }
    }
  }

  /** Call after all pixels are added; then sums can be read. */
  finish(): this {
    const { _table: table, _width: width } = this;
    for (let start = width; start < table.length; start += width) {
      let sum = 0;
      for (let column = 0; column < width; column++) {
        sum += table[start + column]!;
        table[start + column] = sum + table[start - width + column]!;
      }
    }
    return this;
  }

  /** The sum over a window. */
  sum({ row0, row1, column0, column1 }: Rect): number {
    const { _table: table, _width: width } = this;
    const { down, across } = this.grid;
    const top = down.cellOf[row0]! * width;
    const bottom = down.cellOf[row1]! * width;
    const left = across.cellOf[column0]!;
    const right = across.cellOf[column1]!;
    return table[bottom + right]! - table[top + right]! - table[bottom + left]! + table[top + left]!;
  }

  /** The mean over a window. */
  mean(block: Rect): number {
    return this.sum(block) / areaOf(block);
  }

  private readonly _width: number;
  private readonly _table: Float64Array;
}

/**
 * The windows of the highest scores, the best first, no two of which overlap. Of equal ones the first comes first.
 *
 * @param scores of each window; −∞ leaves it out
 */
export function bestWindows(grid: WindowGrid, scores: Float64Array, most: number): ScoredWindow[] {
  const found: ScoredWindow[] = [];
  const queue = new WindowQueue(scores);
  while (found.length < most) {
    const window = queue.next();
    if (window === undefined) {
      break;
    }
    const block = grid.block(window);
    if (!found.some(other => overlaps(block, other))) {
      found.push({ ...block, score: scores[window]! });
    }
  }
  return found;
}

/** Returns windows in the order of their scores. A binary heap, because only a few of many are taken. */
class WindowQueue {
  constructor(private readonly _scores: Float64Array) {
    this._heap = Uint32Array.from(_scores.keys()).filter(i => _scores[i]! > -Infinity);
    this._length = this._heap.length;
    for (let i = (this._length >> 1) - 1; i >= 0; i--) {
      this._sink(i);
    }
  }

  /** The best remaining window. */
  next(): number | undefined {
    if (this._length === 0) {
      return undefined;
    }
    const best = this._heap[0]!;
    this._heap[0] = this._heap[--this._length]!;
    this._sink(0);
    return best;
  }

  private _sink(i: number): void {
    const heap = this._heap;
    const item = heap[i]!;
    for (let child; (child = 2 * i + 1) < this._length; i = child) {
      if (child + 1 < this._length && this._before(heap[child + 1]!, heap[child]!)) {
        child++;
      }
      if (!this._before(heap[child]!, item)) {
        break;
      }
      heap[i] = heap[child]!;
    }
    heap[i] = item;
  }

  private _before(a: number, b: number): boolean {
    const difference = this._scores[a]! - this._scores[b]!;
    return difference > 0 || (difference === 0 && a < b);
  }

  private readonly _heap: Uint32Array;
  private _length: number;
}
