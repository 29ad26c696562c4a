/**
 * The mean of what the encoder makes of an image and of its mirror images, each mapped back.
 *
 * The embedding of SAM tells where in the frame a cell lies: from its components a linear model finds the row and the column. Trees learn that as well, and then
 * take a phase for the upper left corner. A mirror image shows the same content at another place, so the mean over all four tells little of the place.
 */
import type { EmbeddingViews } from '../../../src/shared/features';
import { embeddingShape, encoderLayer, IPromptModel } from '../../../src/shared/models';
import type { ISize } from '../../../src/sam';
import type { Layers } from './encoder';

/** Whether rows and columns are mirrored. */
interface IMirror {
  rows: boolean;
  columns: boolean;
}

const MIRRORS: readonly IMirror[] = [
  { rows: false, columns: false },
  { rows: true, columns: true },
  { rows: false, columns: true },
  { rows: true, columns: false }
];

export class MirroredViews {
  /**
   * @param views how many, the image as it is and up to three mirror images
   * @param frame rows and columns of the encoder's frame that the image fills, from the upper left on
   */
  constructor(
    readonly views: EmbeddingViews,
    frame: ISize,
    private readonly _manifest: IPromptModel
  ) {
    const { size } = _manifest.encoder;
    this._cell = size / embeddingShape(_manifest)[1];
    const cells = (pixels: number) => Math.ceil(pixels / this._cell);
    this._cells = { rows: cells(frame.rows), columns: cells(frame.columns) };
  }

  /**
   * The encoder's input for a view. The image is mirrored together with the rest of its last cells, so that cells stay cells.
   *
   * @param pixels the input for the image as it is, float32 [3][side][side]
   */
  input(pixels: Float32Array, view: number): Float32Array {
    const { size } = this._manifest.encoder;
    return mirrored(pixels, size, this._extent(this._cell), MIRRORS[view]!);
  }

  /** Add what the encoder made of a view. */
  add(layers: Layers, view: number): void {
    const [, side] = embeddingShape(this._manifest);
    for (const [name, values] of layers) {
      const [, rows] = encoderLayer(this._manifest, name)!.shape;
      const back = mirrored(values, rows, this._extent(rows / side), MIRRORS[view]!);
      const sum = this._sums.get(name);
      if (!sum) {
        this._sums.set(name, back);
      } else {
        for (let i = 0; i < sum.length; i++) {
          sum[i]! += back[i]!;
        }
      }
    }
  }

  /** The mean over the views, all of which were added. */
  mean(): Layers {
    for (const sum of this._sums.values()) {
      for (let i = 0; i < sum.length; i++) {
        sum[i]! /= this.views;
      }
    }
    return this._sums;
  }

  private _extent(perCell: number): ISize {
    return { rows: this._cells.rows * perCell, columns: this._cells.columns * perCell };
  }

  /** Side of a cell of the embedding in the frame. */
  private readonly _cell: number;
  /** Cells that the image fills. */
  private readonly _cells: ISize;
  private readonly _sums: Layers = new Map();
}

/** Planes [count][side][side] whose upper left `extent` is mirrored; a copy, beyond the extent 0. The planes themselves for no mirror. */
function mirrored(planes: Float32Array, side: number, extent: ISize, { rows, columns }: IMirror): Float32Array {
  if (!rows && !columns) {
    return planes;
  }
  const out = new Float32Array(planes.length);
  for (let plane = 0; plane < planes.length; plane += side * side) {
    for (let row = 0; row < extent.rows; row++) {
      const from = plane + (rows ? extent.rows - 1 - row : row) * side;
      const line = planes.subarray(from, from + extent.columns);
      out.set(line, plane + row * side);
      if (columns) {
        out.subarray(plane + row * side, plane + row * side + extent.columns).reverse();
      }
    }
  }
  return out;
}
