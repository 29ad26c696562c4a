/**
 * Which tiles of a layer have labels: found by one look at a slice when first asked for, then kept up to date, so that the labels of a
 * large image are not read as a whole for the few tiles that have some.
 */
import { LABEL_TILE } from '../../../src/shared/limits';
import { Layer } from '../../../src/shared/protocol';
import { Rect, SliceRect } from '../../../src/shared/rect';
import { TileFile } from '../arrays/tile-file';
import { breathe, isBlank } from '../base/files';
import { Planes } from './planes';

type TileRef = { row: number; column: number };

/** What is known of a tile. */
enum Known {
  nothing = 0,
  blank = 1,
  filled = 2
}

export class FilledTiles {
  constructor(
    private readonly _planes: Planes,
    private readonly _layer: Layer
  ) {
    const { rows, columns } = _planes.labels;
    this._rows = Math.ceil(rows / LABEL_TILE);
    this._columns = Math.ceil(columns / LABEL_TILE);
  }

  /** Labels in a rectangle changed. */
  painted({ slice, row0, row1, column0, column1 }: SliceRect): void {
    const known = this._known.get(slice);
    for (let row = Math.floor(row0 / LABEL_TILE); known && row * LABEL_TILE < row1; row++) {
      const from = row * this._columns;
      known.fill(Known.nothing, from + Math.floor(column0 / LABEL_TILE), from + Math.ceil(column1 / LABEL_TILE));
    }
  }

  /** All labels were replaced. */
  forget(): void {
    this._known.clear();
  }

  /**
   * The tiles of a slice that have labels, row by row; those within a rectangle of tiles if one is given.
   *
   * @param file the layer, which the caller opened: that of the planes may be closed meanwhile
   */
  async *in(slice: number, file: TileFile, within?: Rect): AsyncGenerator<TileRef> {
    const { row0, row1, column0, column1 } = within ?? { row0: 0, row1: Infinity, column0: 0, column1: Infinity };
    for (let row = row0; row < Math.min(row1, this._rows); row++) {
      if (this._look(file, slice, row, column0, Math.min(column1, this._columns))) {
        await breathe();
      }
      for (let column = column0; column < Math.min(column1, this._columns); column++) {
        if (this._known.get(slice)?.[row * this._columns + column] !== Known.blank) {
          yield { row, column };
        }
      }
    }
  }

  /** Find out what is not known of tiles of a row. @returns whether the file was read */
  private _look(file: TileFile, slice: number, row: number, column0: number, column1: number): boolean {
    let known = this._known.get(slice);
    if (!known) {
      // Without labels there is nothing to look at.
      const none = this._planes.pixels(this._layer) === 0;
      known = new Uint8Array(this._rows * this._columns).fill(none ? Known.blank : Known.nothing);
      this._known.set(slice, known);
    }
    const unknown = (column: number) => known[row * this._columns + column] === Known.nothing;
    let first = column0;
    let end = column1;
    while (first < end && !unknown(first)) {
      first++;
    }
    while (end > first && !unknown(end - 1)) {
      end--;
    }
    if (first === end) {
      return false;
    }
    // A band of tiles is read at once: of a whole row it is one run of bytes in the file.
    const band = { ...file.tile(slice, row, 0, LABEL_TILE), column0: first * LABEL_TILE };
    band.column1 = Math.min(file.columns, end * LABEL_TILE);
    const bytes = file.read(band) as Uint8Array;
    const width = band.column1 - band.column0;
    for (let column = first; column < end; column++) {
      const from = (column - first) * LABEL_TILE;
      const to = Math.min(width, from + LABEL_TILE);
      let blank = true;
      for (let start = 0; blank && start < bytes.byteLength; start += width) {
        blank = isBlank(bytes.subarray(start + from, start + to));
      }
      known[row * this._columns + column] = blank ? Known.blank : Known.filled;
    }
    return true;
  }

  private readonly _rows: number;
  private readonly _columns: number;
  private readonly _known = new Map<number, Uint8Array>();
}
