/**
 * Square windows that show an image of any size to an encoder at one scale. Each window fills the encoder's frame; all lie on one grid of cells.
 *
 * The grid begins at the image's upper left; one cell of the encoder's output covers one cell of the grid, window / 64 pixels for SAM. An image
 * that fits into a window is put into the frame's upper left, and the rest of the frame stays empty. Windows over a larger image are at most three
 * quarters of a window apart, as evenly as the grid allows. Where windows overlap, their values are blended linearly.
 */
import { embeddingShape, IPromptModel } from '../shared/models';
import { Rect } from '../shared/rect';
import { IView } from './preprocess';
import { ISize } from './prompts';

/** Windows are at most this part of their side apart. */
const STRIDE = 3 / 4;

/** The largest number of windows that stand for a whole image. */
const SPREAD = 9;

/** The longest side of a sample of a window, in pixels. */
const SAMPLE_SIDE = 512;

/** The windows of an image. */
export class EncoderWindows {
  /** @param window side of a window in pixels of the image */
  constructor(
    readonly size: ISize,
    readonly window: number,
    private readonly _manifest: IPromptModel
  ) {
    const side = embeddingShape(_manifest)[1];
    this.cell = window / side;
    this.down = windowStarts(Math.ceil(size.rows / this.cell), side);
    this.across = windowStarts(Math.ceil(size.columns / this.cell), side);
  }

  /** Pixels of the image under a side of a cell of the encoder's output. */
  readonly cell: number;
  /** Where windows begin along each axis, in cells. */
  readonly down: readonly number[];
  readonly across: readonly number[];

  /** Number of windows; their indices go row by row. */
  get count(): number {
    return this.down.length * this.across.length;
  }

  /** Whether the only window shows the image as SAM's decoder expects it: its longer side fills the frame. */
  get isWhole(): boolean {
    return Math.max(this.size.rows, this.size.columns) === this.window;
  }

  /** Windows that stand for all of them, spread evenly over the image; ascending. */
  get spread(): number[] {
    const number = Math.min(this.count, SPREAD);
    return Array.from({ length: number }, (_, i) => Math.floor(((i + 0.5) * this.count) / number));
  }

  /** The windows that overlap a window, and itself; ascending. */
  near(index: number): number[] {
    const side = embeddingShape(this._manifest)[1];
    const along = (starts: readonly number[], at: number) => between(starts, side, starts[at]!, starts[at]! + side);
    const { across, down } = this;
    const columns = along(across, index % across.length);
    return along(down, Math.floor(index / across.length)).flatMap(row =>
      columns.map(column => row * across.length + column)
    );
  }

  /** A rectangle of the image in the middle of a window. If no other window overlaps the middle, its features depend on this window alone. */
  sample(index: number): Rect {
    const { rows, columns } = this.size;
    const [row0, row1] = this._middle(this.down, Math.floor(index / this.across.length), rows);
    const [column0, column1] = this._middle(this.across, index % this.across.length, columns);
    return { row0, row1, column0, column1 };
  }

  /** The part of the image that a window shows. */
  view(index: number): IView {
    const [row0, row1] = this._span(this.down[Math.floor(index / this.across.length)]!, this.size.rows);
    const [column0, column1] = this._span(this.across[index % this.across.length]!, this.size.columns);
    const scale = this._manifest.encoder.size / this.window;
    const pixels = (length: number) => Math.max(1, Math.floor(length * scale + 0.5));
    return { row0, row1, column0, column1, frame: { rows: pixels(row1 - row0), columns: pixels(column1 - column0) } };
  }

  /** The grid of a layer. */
  layer(shape: readonly [number, number, number]): LayerGrid {
    return new LayerGrid(this, shape, shape[1] / embeddingShape(this._manifest)[1]);
  }

  /** Where the sample of a window lies along an axis of `length` pixels. */
  private _middle(starts: readonly number[], at: number, length: number): [number, number] {
    const side = embeddingShape(this._manifest)[1];
    const start = starts[at]!;
    let [begin, end] = [at > 0 ? starts[at - 1]! + side : 0, starts[at + 1] ?? start + side];
    if (end - begin < 4) {
      [begin, end] = [start + side / 4, start + (3 * side) / 4]; // other windows overlap all of it
    }
    // Values between two cells depend on both.
    const from = begin === 0 ? 0 : Math.ceil((begin + 0.5) * this.cell);
    const to = at + 1 === starts.length ? length : Math.floor((end - 0.5) * this.cell);
    const cut = Math.max(0, to - from - SAMPLE_SIDE) >> 1;
    return [from + cut, Math.min(to, from + cut + SAMPLE_SIDE)];
  }

  private _span(start: number, length: number): [number, number] {
    const begin = start * this.cell;
    return [begin, Math.min(begin + this.window, length)];
  }
}

/** The cells of one layer over an image, and the place of each window among them. */
export class LayerGrid {
  constructor(
    private readonly _windows: EncoderWindows,
    shape: readonly [number, number, number],
    factor: number
  ) {
    const { size, cell, down, across } = _windows;
    this.side = shape[1];
    this.cell = cell / factor;
    this.rows = Math.ceil(size.rows / this.cell);
    this.columns = Math.ceil(size.columns / this.cell);
    this._down = down.map(start => start * factor);
    this._across = across.map(start => start * factor);
    this._weightsDown = blendWeights(this._down, this.side);
    this._weightsAcross = blendWeights(this._across, this.side);
  }

  /** Cells in a row of a window. */
  readonly side: number;
  /** Pixels of the image under a side of a cell. */
  readonly cell: number;
  /** Cells over the image. */
  readonly rows: number;
  readonly columns: number;

  /** Where a window begins on the grid, and how many of its cells lie inside the image. */
  place(index: number): { row: number; column: number; rows: number; columns: number } {
    const row = this._down[this._rowOf(index)]!;
    const column = this._across[this._columnOf(index)]!;
    return {
      row,
      column,
      rows: Math.min(this.side, this.rows - row),
      columns: Math.min(this.side, this.columns - column)
    };
  }

  /** The windows that the features of a rectangle of pixels depend on; ascending. Places outside of the image count as its edge. */
  under({ row0, row1, column0, column1 }: Rect): number[] {
    const along = (starts: readonly number[], from: number, to: number, count: number) => {
      const cellOf = (pixel: number) => Math.floor(Math.max(0, Math.min(count - 1, (pixel + 0.5) / this.cell - 0.5)));
      return between(starts, this.side, cellOf(from), Math.min(count, cellOf(to - 1) + 2));
    };
    const columns = along(this._across, column0, column1, this.columns);
    return along(this._down, row0, row1, this.rows).flatMap(row =>
      columns.map(column => row * this._across.length + column)
    );
  }

  /**
   * Add a window's values, [side][side], to a plane of the grid, [rows][columns], by their weights in the blend.
   *
   * @param within only the cells that this other window has too
   */
  add(index: number, values: Float32Array, plane: Float32Array, within = index): void {
    const { row, column, rows, columns } = this.place(index);
    const clip = this.place(within);
    const down = this._weightsDown[this._rowOf(index)]!;
    const across = this._weightsAcross[this._columnOf(index)]!;
    const first = Math.max(0, clip.column - column);
    const end = Math.min(columns, clip.column + clip.columns - column);
    for (let i = Math.max(0, clip.row - row); i < Math.min(rows, clip.row + clip.rows - row); i++) {
      const from = i * this.side;
      const to = (row + i) * this.columns + column;
      for (let j = first; j < end; j++) {
        plane[to + j]! += down[i]! * across[j]! * values[from + j]!;
      }
    }
  }

  /** Set a window's cells of a plane to 0. */
  clear(index: number, plane: Float32Array): void {
    const { row, column, rows, columns } = this.place(index);
    for (let i = row; i < row + rows; i++) {
      plane.fill(0, i * this.columns + column, i * this.columns + column + columns);
    }
  }

  private _rowOf(index: number): number {
    return Math.floor(index / this._windows.across.length);
  }

  private _columnOf(index: number): number {
    return index % this._windows.across.length;
  }

  private readonly _down: number[];
  private readonly _across: number[];
  private readonly _weightsDown: Float64Array[];
  private readonly _weightsAcross: Float64Array[];
}

/** Which windows of `side` cells have cells from `begin` to `end`. */
function between(starts: readonly number[], side: number, begin: number, end: number): number[] {
  return [...starts.keys()].filter(i => starts[i]! < end && starts[i]! + side > begin);
}

/** Where windows of `side` cells begin, so that they cover `cells` cells. */
export function windowStarts(cells: number, side: number): number[] {
  const beyond = cells - side;
  if (beyond <= 0) {
    return [0];
  }
  const steps = Math.ceil(beyond / (side * STRIDE));
  return Array.from({ length: steps + 1 }, (_, i) => Math.round((i * beyond) / steps));
}

/**
 * The weight of each window in the blend, at each of its cells. It falls linearly over the cells that a window shares with its neighbour; the
 * weights of all windows at a cell add up to 1.
 */
export function blendWeights(starts: readonly number[], side: number): Float64Array[] {
  const sums = new Float64Array(starts[starts.length - 1]! + side);
  const weights = starts.map((start, index) => {
    const before = index > 0 ? starts[index - 1]! + side - start : 0;
    const after = index + 1 < starts.length ? start + side - starts[index + 1]! : 0;
    return Float64Array.from({ length: side }, (_, i) => {
      const rising = before > 0 ? (i + 0.5) / before : 1;
      const falling = after > 0 ? (side - i - 0.5) / after : 1;
      const weight = Math.min(1, rising, falling);
      sums[start + i]! += weight;
      return weight;
    });
  });
  return weights.map((list, index) => list.map((weight, i) => weight / sums[starts[index]! + i]!));
}
