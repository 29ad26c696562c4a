/**
 * The working planes of one tile of one image channel: the pixels with their halo, and what several feature families share
 * (Gaussians, first derivatives), computed when it is first asked for.
 *
 * Planes of float32 hold the tile with a margin. Outside the image a plane repeats its own nearest pixel inside, after every step, as
 * a whole image would be treated; so tiles join without seams.
 */
import { Engine } from './wasm';

/** A tile of an image: rows and columns, the ends exclusive. */
export interface ITile {
  row0: number;
  row1: number;
  column0: number;
  column1: number;
}

/** A plane: address of the tile's first pixel less `margin` rows and columns, bytes from row to row. */
export interface IPlane {
  address: number;
  stride: number;
  margin: number;
}

/** Margin of Gaussians (two Sobel steps follow) and of first derivatives (one follows). */
const SMOOTH_MARGIN = 2;
const DERIVATIVE_MARGIN = 1;

export class TilePlanes {
  /**
   * @param engine whose arena receives the planes; the caller releases it
   * @param source the tile's pixels with `halo` pixels around, clipped at the image's edges; one channel of `stride` interleaved ones
   */
  constructor(
    readonly engine: Engine,
    readonly image: { rows: number; columns: number },
    readonly tile: ITile,
    readonly halo: number,
    source: ArrayLike<number>,
    channels = 1,
    channel = 0
  ) {
    this.rows = tile.row1 - tile.row0;
    this.columns = tile.column1 - tile.column0;
    this.width = Math.ceil(this.columns / 4) * 4;
    this.outStride = this.width * 4;
    this.outPlane = Math.ceil(this.rows / 4) * 4 * this.outStride;
    this._margin = halo + SMOOTH_MARGIN;
    this.source = this._load(source, channels, channel);
  }

  readonly rows: number;
  readonly columns: number;
  /** Columns, rounded up to a multiple of 4. */
  readonly width: number;
  /** Bytes from row to row, and from plane to plane, of the results. */
  readonly outStride: number;
  readonly outPlane: number;
  readonly source: IPlane;

  /** Address of pixel (row, column) of the tile in a plane. */
  at(plane: IPlane, row: number, column: number): number {
    return plane.address + (row + plane.margin) * plane.stride + (column + plane.margin) * 4;
  }

  /** The image smoothed by `kernel` (half of a symmetric one, its centre first), margin 2; the source itself for `null`. */
  smoothed(key: number, kernel: Float32Array | null): IPlane {
    const found = this._smoothed.get(key);
    if (found) {
      return found;
    }
    let plane = this.source;
    if (kernel) {
      const radius = kernel.length - 1;
      plane = this._plane(SMOOTH_MARGIN);
      const columns = Math.ceil((this.columns + 2 * SMOOTH_MARGIN) / 8) * 8;
      const rows = this.rows + 2 * SMOOTH_MARGIN;
      const mark = this.engine.mark;
      const half = this.engine.put(kernel);
      const between = this.engine.allocate((rows + 2 * radius) * plane.stride);
      const { kernels } = this.engine;
      const from = this.at(this.source, -SMOOTH_MARGIN - radius, -SMOOTH_MARGIN);
      kernels.convolveRows(from, this.source.stride, between, plane.stride, columns, rows + 2 * radius, half, radius);
      const middle = between + radius * plane.stride;
      kernels.convolveColumns(middle, plane.stride, plane.address, plane.stride, columns, rows, half, radius);
      this.engine.release(mark);
      this._continueEdges(plane);
    }
    this._smoothed.set(key, plane);
    return plane;
  }

  /** Kx and Ky of {@link smoothed}, margin 1. */
  derivatives(key: number, kernel: Float32Array | null): { x: IPlane; y: IPlane } {
    const found = this._derivatives.get(key);
    if (found) {
      return found;
    }
    const smooth = this.smoothed(key, kernel);
    const x = this._plane(DERIVATIVE_MARGIN);
    const y = this._plane(DERIVATIVE_MARGIN);
    const columns = Math.ceil((this.columns + 2 * DERIVATIVE_MARGIN) / 4) * 4;
    const rows = this.rows + 2 * DERIVATIVE_MARGIN;
    const from = this.at(smooth, -SMOOTH_MARGIN, -SMOOTH_MARGIN);
    this.engine.kernels.firstDerivatives(from, smooth.stride, x.address, y.address, x.stride, columns, rows);
    this._continueEdges(x);
    this._continueEdges(y);
    const planes = { x, y };
    this._derivatives.set(key, planes);
    return planes;
  }

  /** A fresh plane. */
  private _plane(margin: number): IPlane {
    const stride = Math.ceil((this.columns + 2 * margin + 8) / 8) * 32;
    return { address: this.engine.allocate((this.rows + 2 * margin + 4) * stride), stride, margin };
  }

  private _load(source: ArrayLike<number>, channels: number, channel: number): IPlane {
    const plane = this._plane(this._margin);
    const { row0, row1, column0, column1 } = this.tile;
    const top = Math.max(0, row0 - this.halo);
    const bottom = Math.min(this.image.rows, row1 + this.halo);
    const left = Math.max(0, column0 - this.halo);
    const right = Math.min(this.image.columns, column1 + this.halo);
    if (source.length !== (bottom - top) * (right - left) * channels) {
      throw new RangeError(`${source.length} values do not fill rows ${top}–${bottom}, columns ${left}–${right}.`);
    }
    const target = this.engine.f32(plane.address, ((this.rows + 2 * this._margin) * plane.stride) / 4);
    const floats = plane.stride / 4;
    let from = channel;
    for (let row = top; row < bottom; row++) {
      let to = (row - row0 + this._margin) * floats + left - column0 + this._margin;
      for (let column = left; column < right; column++) {
        target[to++] = source[from]!;
        from += channels;
      }
    }
    // Whatever lies beyond what was given is beyond the image, or not looked at.
    const rows = this.rows + 2 * this._margin;
    const columns = this.columns + 2 * this._margin;
    const above = top - row0 + this._margin;
    const below = row1 + this._margin - bottom;
    const before = left - column0 + this._margin;
    const after = column1 + this._margin - right;
    this.engine.kernels.replicateEdges(plane.address, plane.stride, rows, columns, above, below, before, after);
    return plane;
  }

  /** Let a plane repeat its outermost pixels where it reaches beyond the image. */
  private _continueEdges(plane: IPlane): void {
    const { row0, row1, column0, column1 } = this.tile;
    const { margin } = plane;
    const above = Math.max(0, margin - row0);
    const below = Math.max(0, row1 + margin - this.image.rows);
    const before = Math.max(0, margin - column0);
    const after = Math.max(0, column1 + margin - this.image.columns);
    if (above + below + before + after > 0) {
      const rows = this.rows + 2 * margin;
      const columns = this.columns + 2 * margin;
      this.engine.kernels.replicateEdges(plane.address, plane.stride, rows, columns, above, below, before, after);
    }
  }

  private readonly _margin: number;
  private readonly _smoothed = new Map<number, IPlane>();
  private readonly _derivatives = new Map<number, { x: IPlane; y: IPlane }>();
}
