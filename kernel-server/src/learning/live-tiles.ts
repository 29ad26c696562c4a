/**
 * The order in which the tiles of a segmentation are made: visible tiles first, from the middle of the view outwards, then the rest of those
 * slices, then the other slices. Also keeps which tiles each peer has received.
 */
import { LABEL_TILE } from '../../../src/shared/limits';
import { areaOf, Rect, SliceRect } from '../../../src/shared/rect';
import { cutTo, OptionalRegion } from '../../../src/shared/region';
import { TileRefs } from '../session/overlays';

/** Tiles that are segmented together: few where they are visible, so that they appear soon. */
const VISIBLE_TILES = 16;
const OTHER_TILES = 32;
/** Most tiles of one view that are sent, those in its middle. At a zoom that shows more tiles, single pixels are not visible. */
const SENT_MAX = 1024;

/** A rectangle whose unit is the tile, not the pixel. */
type TileRect = Rect;

/** The states of a tile. */
const OPEN = 0;
const MADE = 1;
const OUTSIDE = 2;

/** Some tiles of a slice that make a rectangle. */
export interface ITileBatch {
  slice: number;
  /** In pixels. */
  region: Rect;
  tiles: TileRefs;
}

export class LiveTiles {
  /**
   * @param shape [slices, rows, columns] of the image
   * @param _region the part of it whose tiles are made; null: all
   */
  constructor(
    shape: readonly number[],
    private readonly _region: OptionalRegion = null
  ) {
    const [slices, rows, columns] = shape as [number, number, number];
    this._size = { rows, columns };
    this._slices = slices;
    this._rows = Math.ceil(rows / LABEL_TILE);
    this._columns = Math.ceil(columns / LABEL_TILE);
    this._done = new Uint8Array(slices * this._rows * this._columns);
    this._left = Array.from({ length: slices }, () => this._rows * this._columns);
    for (let index = 0; _region && index < this._done.length; index++) {
      if (!this._inside(index)) {
        this._done[index] = OUTSIDE;
        this._left[Math.floor(index / (this._rows * this._columns))]!--;
      }
    }
    this._total = this._left.reduce((sum, left) => sum + left, 0);
  }

  /** The number of tiles, and the number that are made. */
  get total(): number {
    return this._total;
  }

  get made(): number {
    return this._made;
  }

  /** The tiles to make next, `undefined` if all are made. */
  next(views: readonly SliceRect[]): ITileBatch | undefined {
    for (const view of views) {
      const { slice } = view;
      const seen = this._tilesOf(view);
      const seed = this._left[slice]! > 0 ? this._nearest(slice, seen) : undefined;
      if (seed) {
        return this._batch(slice, seed, seen, VISIBLE_TILES);
      }
    }
    const all = { row0: 0, row1: this._rows, column0: 0, column1: this._columns };
    for (const slice of [...views.map(view => view.slice), ...this._left.keys()]) {
      if (this._left[slice]! > 0) {
        const from = slice * this._rows * this._columns;
        const index = this._done.indexOf(OPEN, from) - from;
        const seed = { row: Math.floor(index / this._columns), column: index % this._columns };
        return this._batch(slice, seed, all, OTHER_TILES);
      }
    }
    return undefined;
  }

  /** Each tile that is made, and its pixels. */
  *all(): Generator<SliceRect> {
    for (let index = 0; index < this._done.length; index++) {
      if (this._done[index] === MADE) {
        const column0 = (index % this._columns) * LABEL_TILE;
        const row0 = (Math.floor(index / this._columns) % this._rows) * LABEL_TILE;
        const slice = Math.floor(index / (this._columns * this._rows));
        const row1 = Math.min(this._size.rows, row0 + LABEL_TILE);
        const column1 = Math.min(this._size.columns, column0 + LABEL_TILE);
        yield { slice, row0, row1, column0, column1 };
      }
    }
  }

  /** Whether all tiles of a view are made. */
  covers(view: SliceRect): boolean {
    return this._nearest(view.slice, this._tilesOf(view)) === undefined;
  }

  /** Note that tiles are made. */
  mark({ slice, tiles }: ITileBatch): void {
    tiles.forEach(({ row, column }) => this._mark(slice, this._index(slice, row, column)));
    this._pixels.clear();
  }

  /** Note that some pixels of a tile are made; no pixel may be reported twice. @returns whether that completes the tile */
  add(slice: number, part: Rect): boolean {
    const row = Math.floor(part.row0 / LABEL_TILE);
    const column = Math.floor(part.column0 / LABEL_TILE);
    const index = this._index(slice, row, column);
    const whole = areaOf(this._inside(index)!);
    const pixels = (this._pixels.get(index) ?? 0) + areaOf(part);
    this._pixels.set(index, pixels);
    if (pixels === whole) {
      this._mark(slice, index);
    }
    return pixels === whole;
  }

  private _mark(slice: number, index: number): void {
    if (this._done[index] === OPEN) {
      this._done[index] = MADE;
      this._left[slice]!--;
      this._made++;
    }
  }

  /** Tiles of a view that are made and were not sent to `who` yet; from now on they were. */
  unsent(who: object, view: SliceRect): TileRefs {
    let sent = this._sent.get(who);
    if (!sent) {
      this._sent.set(who, (sent = new Set()));
    }
    const tiles: TileRefs = [];
    const { row0, row1, column0, column1 } = this._tilesOf(view);
    for (let row = row0; row < row1; row++) {
      for (let column = column0; column < column1; column++) {
        const index = this._index(view.slice, row, column);
        if (this._done[index] === MADE && !sent.has(index)) {
          sent.add(index);
          tiles.push({ row, column });
        }
      }
    }
    return tiles;
  }

  /** The tile that is not made and nearest to the middle. */
  private _nearest(slice: number, { row0, row1, column0, column1 }: TileRect) {
    let best: { row: number; column: number } | undefined;
    let least = Infinity;
    for (let row = row0; row < row1; row++) {
      for (let column = column0; column < column1; column++) {
        const distance = Math.hypot(row + 0.5 - (row0 + row1) / 2, column + 0.5 - (column0 + column1) / 2);
        if (distance < least && this._done[this._index(slice, row, column)] === OPEN) {
          best = { row, column };
          least = distance;
        }
      }
    }
    return best;
  }

  /** A rectangle of tiles around one, none of them made. */
  private _batch(slice: number, seed: TileRefs[number], within: TileRect, most: number): ITileBatch {
    let at: TileRect = { row0: seed.row, row1: seed.row + 1, column0: seed.column, column1: seed.column + 1 };
    const free = (next: TileRect) => {
      if (
        next.row0 < within.row0 ||
        next.row1 > within.row1 ||
        next.column0 < within.column0 ||
        next.column1 > within.column1 ||
        areaOf(next) > most
      ) {
        return false;
      }
      for (let row = next.row0; row < next.row1; row++) {
        for (let column = next.column0; column < next.column1; column++) {
          if (this._done[this._index(slice, row, column)] !== OPEN) {
            return false;
          }
        }
      }
      return true;
    };
    for (let grown = true; grown;) {
      grown = false;
      for (const next of [
        { ...at, column1: at.column1 + 1 },
        { ...at, row1: at.row1 + 1 },
        { ...at, column0: at.column0 - 1 },
        { ...at, row0: at.row0 - 1 }
      ]) {
        // Each side once around, so that it stays about square; `at` may have grown since the list was made.
        const wider = {
          row0: Math.min(at.row0, next.row0),
          row1: Math.max(at.row1, next.row1),
          column0: Math.min(at.column0, next.column0),
          column1: Math.max(at.column1, next.column1)
        };
        if (free(wider)) {
          at = wider;
          grown = true;
        }
      }
    }
    const tiles: TileRefs = [];
    for (let row = at.row0; row < at.row1; row++) {
      for (let column = at.column0; column < at.column1; column++) {
        tiles.push({ row, column });
      }
    }
    const { rows, columns } = this._size;
    const region = {
      row0: at.row0 * LABEL_TILE,
      row1: Math.min(rows, at.row1 * LABEL_TILE),
      column0: at.column0 * LABEL_TILE,
      column1: Math.min(columns, at.column1 * LABEL_TILE)
    };
    return { slice, region, tiles };
  }

  /** The tiles that a view touches, or those in its middle. */
  private _tilesOf(view: SliceRect): TileRect {
    let row0 = Math.floor(view.row0 / LABEL_TILE);
    let row1 = Math.min(this._rows, Math.ceil(view.row1 / LABEL_TILE));
    let column0 = Math.floor(view.column0 / LABEL_TILE);
    let column1 = Math.min(this._columns, Math.ceil(view.column1 / LABEL_TILE));
    if (view.slice >= this._slices) {
      row1 = row0; // the view is of an image that was replaced
    }
    const [rows, columns] = [row1 - row0, column1 - column0];
    if (rows * columns > SENT_MAX) {
      const side = Math.sqrt(SENT_MAX);
      const fewer = Math.min(rows, Math.floor(Math.max(side, SENT_MAX / columns)));
      const narrower = Math.min(columns, Math.floor(SENT_MAX / fewer));
      row0 += (rows - fewer) >> 1;
      row1 = row0 + fewer;
      column0 += (columns - narrower) >> 1;
      column1 = column0 + narrower;
    }
    return { row0, row1, column0, column1 };
  }

  /** The pixels of a tile that are made; undefined if the tile is outside of the region. */
  private _inside(index: number): Rect | undefined {
    const slice = Math.floor(index / (this._rows * this._columns));
    const row0 = (Math.floor(index / this._columns) % this._rows) * LABEL_TILE;
    const column0 = (index % this._columns) * LABEL_TILE;
    const { rows, columns } = this._size;
    const [row1, column1] = [Math.min(rows, row0 + LABEL_TILE), Math.min(columns, column0 + LABEL_TILE)];
    return cutTo(this._region, { slice, row0, row1, column0, column1 });
  }

  private _index(slice: number, row: number, column: number): number {
    return (slice * this._rows + row) * this._columns + column;
  }

  private readonly _size: { rows: number; columns: number };
  private readonly _slices: number;
  private readonly _rows: number;
  private readonly _columns: number;
  private readonly _total: number;
  private readonly _done: Uint8Array;
  /** Tiles of each slice that are not made. */
  private readonly _left: number[];
  private _made = 0;
  /** Finished pixels of unfinished tiles. */
  private readonly _pixels = new Map<number, number>();
  private readonly _sent = new WeakMap<object, Set<number>>();
}
