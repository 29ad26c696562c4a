/**
 * The labels of one slice in the browser: sparse tiles of class ids. A patch changes the same pixels here as in the sidecar,
 * so both agree without a round trip.
 */
import { LABEL_TILE, Rect, Replaces, replaceTable } from '../../shared';
import { ISize, ITileRef, tileKey } from '../base/geometry';
import { IMaskTile } from './raster';
import { reduceClasses } from './reduce';

/** Sparse tiles of class ids; a missing tile is 0 everywhere. */
export class LabelTiles {
  constructor(readonly image: ISize) {}

  /** The class id of a pixel; 0 outside the image. */
  at(row: number, column: number): number {
    const tile = this.tile(Math.floor(row / LABEL_TILE), Math.floor(column / LABEL_TILE));
    return tile?.[(row % LABEL_TILE) * LABEL_TILE + (column % LABEL_TILE)] ?? 0;
  }

  tile(row: number, column: number): Uint8Array | undefined {
    return this._tiles.get(tileKey(row, column))?.ids;
  }

  /** A tile reduced 2^level times, kept until the tile changes. Do not change it. */
  reduced(row: number, column: number, level: number): Uint8Array | undefined {
    const tile = this._tiles.get(tileKey(row, column));
    if (!tile || tile.reduced?.level === level) {
      return tile?.reduced?.ids;
    }
    const ids = reduceClasses(tile.ids, level);
    tile.reduced = { level, ids };
    return ids;
  }

  /** Whether a pixel of these masks has the label of another class. */
  hasOther(masks: readonly IMaskTile[], classId: number): boolean {
    return masks.some(({ row, column, bits }) => {
      const tile = this.tile(row, column);
      return tile?.some((id, at) => id > 0 && id !== classId && bits[at >> 3]! & (0x80 >> (at & 7))) ?? false;
    });
  }

  /** Whether a pixel of a rectangle has a label. */
  anyIn({ row0, row1, column0, column1 }: Rect): boolean {
    for (let row = row0; row < row1; row++) {
      for (let column = column0; column < column1; column++) {
        if (this.at(row, column) > 0) {
          return true;
        }
      }
    }
    return false;
  }

  /** Set a tile to the sidecar's class ids; `undefined` removes it. */
  replace(row: number, column: number, classes: Uint8Array | undefined): void {
    if (!classes) {
      this._tiles.delete(tileKey(row, column));
      return;
    }
    if (classes.length !== LABEL_TILE * LABEL_TILE) {
      throw new Error(`A tile has ${LABEL_TILE * LABEL_TILE} class ids, but this one has ${classes.length}.`);
    }
    this._tiles.set(tileKey(row, column), { row, column, ids: classes });
  }

  clear(): void {
    this._tiles.clear();
  }

  /** The tiles that are kept; the others are 0 everywhere. */
  get refs(): ITileRef[] {
    return [...this._tiles.values()].map(({ row, column }) => ({ row, column }));
  }

  /** The kept tiles that a rectangle touches. */
  in({ row0, row1, column0, column1 }: Rect): ITileRef[] {
    const found: ITileRef[] = [];
    for (const { row, column } of this._tiles.values()) {
      const top = row * LABEL_TILE;
      const left = column * LABEL_TILE;
      if (top < row1 && top + LABEL_TILE > row0 && left < column1 && left + LABEL_TILE > column0) {
        found.push({ row, column });
      }
    }
    return found;
  }

  /** Set a run of pixels inside the image; `end` is exclusive. */
  paintRun(row: number, start: number, end: number, classId: number, replaces: Replaces): void {
    const tileRow = Math.floor(row / LABEL_TILE);
    const may = this._table(replaces);
    for (let column = start; column < end;) {
      const tileColumn = Math.floor(column / LABEL_TILE);
      const last = Math.min(end, (tileColumn + 1) * LABEL_TILE);
      const tile = this._writable(tileRow, tileColumn, classId !== 0 && may[0] === 1);
      if (tile) {
        const base = (row % LABEL_TILE) * LABEL_TILE - tileColumn * LABEL_TILE;
        for (; column < last; column++) {
          if (may[tile[base + column]!]) {
            tile[base + column] = classId;
          }
        }
      }
      column = last;
    }
  }

  /** Set the pixels of a mask. Returns how many of them changed. */
  apply(mask: IMaskTile, classId: number, replaces: Replaces): number {
    const may = replaceTable(replaces);
    const tile = this._writable(mask.row, mask.column, classId !== 0 && may[0] === 1);
    if (!tile) {
      return 0;
    }
    let changed = 0;
    for (let byte = 0; byte < mask.bits.length; byte++) {
      const bits = mask.bits[byte]!;
      if (bits === 0) {
        continue;
      }
      for (let bit = 0; bit < 8; bit++) {
        const at = byte * 8 + bit;
        if (bits & (0x80 >> bit) && tile[at] !== classId && may[tile[at]!]) {
          tile[at] = classId;
          changed++;
        }
      }
    }
    return changed;
  }

  /** {@link replaceTable}, kept for the next run: a stroke has thousands. */
  private _table(replaces: Replaces): Uint8Array {
    if (replaces !== this._replaces) {
      this._replaces = replaces;
      this._may = replaceTable(replaces);
    }
    return this._may;
  }

  /** The tile to write to, created if the change can label its pixels; else undefined where there is none. */
  private _writable(row: number, column: number, creates: boolean): Uint8Array | undefined {
    const key = tileKey(row, column);
    let tile = this._tiles.get(key);
    if (!tile && creates) {
      tile = { row, column, ids: new Uint8Array(LABEL_TILE * LABEL_TILE) };
      this._tiles.set(key, tile);
    }
    if (tile) {
      tile.reduced = undefined;
    }
    return tile?.ids;
  }

  private _replaces: Replaces | null = null;
  private _may: Uint8Array = new Uint8Array(0);
  private readonly _tiles = new Map<number, ILabelTile>();
}

interface ILabelTile extends ITileRef {
  ids: Uint8Array;
  /** Its ids reduced 2^level times, if they were asked for since it changed. */
  reduced?: { level: number; ids: Uint8Array } | undefined;
}
