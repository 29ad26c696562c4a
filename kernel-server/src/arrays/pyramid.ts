/**
 * Tiles of an image for display. Level l is the image reduced 2^l times: each of its pixels is the mean of the (up to)
 * 2^l × 2^l pixels under it. Up to level {@link DIRECT}, a tile is made from the image. A coarser one is made from the four below it,
 * weighted by the pixels that they stand for, so that the means are exact at the right and lower edge too. So an overview needs one
 * pass over the image and little memory. Tiles are kept in a cache of bounded size.
 */
import { BridgeError } from '../../../src/shared/errors';
import { IMAGE_TILE } from '../../../src/shared/limits';
import { ImageInfo } from '../../../src/shared/protocol';
import { TypedArray } from './dtypes';
import { breathe } from '../base/files';
import { reduced } from './reduce';
import { SliceReader } from './slices';

/** Most bytes of cached reduced tiles, of all images together. */
const CACHE_BYTES = 192 << 20;
/** Levels up to this are made from the image itself. At this one, the tiles of 20,000² pixels take 25 MB. */
const DIRECT = 3;

/** The answer to `image.tile`. */
export interface IImageTile {
  rows: number;
  columns: number;
  channels: number;
  dtype: 'uint8' | 'uint16';
  pixels: Uint8Array;
}

interface IMeans {
  rows: number;
  columns: number;
  values: TypedArray;
}

/** Reduced tiles, the least recently used dropped first. */
export class TileCache {
  constructor(private readonly _limit = CACHE_BYTES) {}

  /** The tile of `key`, made by `make` if it is not cached. Calls at the same time share one `make`. */
  get(key: string, make: () => Promise<IMeans>): Promise<IMeans> {
    let entry = this._entries.get(key);
    if (!entry) {
      const tile = make();
      entry = { key, tile, bytes: 0 };
      const made = entry;
      this._entries.set(key, made);
      const isKept = () => this._entries.get(made.key) === made;
      tile.then(
        ({ values }) => {
          if (isKept()) {
            made.bytes = values.byteLength;
            this._bytes += made.bytes;
            this._trim();
          }
        },
        () => isKept() && this._entries.delete(made.key)
      );
    } else {
      this._entries.delete(key);
      this._entries.set(key, entry);
    }
    return entry.tile;
  }

  /** Forget the tiles whose key begins with `prefix`. */
  forget(prefix: string): void {
    for (const [key, entry] of this._entries) {
      if (key.startsWith(prefix)) {
        this._entries.delete(key);
        this._bytes -= entry.bytes;
      }
    }
  }

  /** Give the tiles whose key begins with `from` keys that begin with `to`. */
  rename(from: string, to: string): void {
    for (const [key, entry] of [...this._entries]) {
      if (key.startsWith(from)) {
        this._entries.delete(key);
        entry.key = to + key.slice(from.length);
        this._entries.set(entry.key, entry);
      }
    }
  }

  private _trim(): void {
    for (const [key, entry] of this._entries) {
      if (this._bytes <= this._limit) {
        return;
      }
      if (entry.bytes > 0) {
        this._entries.delete(key);
        this._bytes -= entry.bytes;
      }
    }
  }

  private readonly _entries = new Map<string, { key: string; tile: Promise<IMeans>; bytes: number }>();
  private _bytes = 0;
}

export class Pyramid {
  /** `name` tells this image's tiles from those of others in the cache, and from those of its own earlier pixels. */
  constructor(
    private readonly _file: SliceReader,
    private readonly _display: ImageInfo['display'],
    private readonly _cache: TileCache,
    private readonly _name: string
  ) {}

  /** One tile for display. Throws BridgeError `invalid` if there is none at that place. */
  async tile(
    slice: number,
    level: number,
    row: number,
    column: number,
    range: ImageInfo['display'] = this._display
  ): Promise<IImageTile> {
    const { slices, channels } = this._file;
    const [rows, columns] = this._size(level);
    const [tileRows, tileColumns] = [Math.ceil(rows / IMAGE_TILE), Math.ceil(columns / IMAGE_TILE)];
    if (slice >= slices || row >= tileRows || column >= tileColumns) {
      throw new BridgeError(
        'invalid',
        `Image tile (slice ${slice}, level ${level}, row ${row}, column ${column}) does not exist; ` +
          `there are ${slices} slices and, at that level, ${tileRows} × ${tileColumns} tiles.`
      );
    }
    const means = await this._means(slice, level, row, column);
    const eight = this._file.array.dtype === 'uint8';
    const pixels = eight ? toBytes(means.values) : scaled(means.values, range);
    return { rows: means.rows, columns: means.columns, channels, dtype: eight ? 'uint8' : 'uint16', pixels };
  }

  /** Make the coarsest level of a slice, and so all that an overview is drawn from. */
  async overview(slice: number): Promise<void> {
    const { rows, columns } = this._file;
    const level = Math.max(0, Math.ceil(Math.log2(Math.max(rows, columns) / IMAGE_TILE)));
    await this._means(slice, level, 0, 0);
  }

  /**
   * Make the tiles from which the overview of the first slice is made, as far as they lie in the first rows, because no more are written yet.
   *
   * @param goesOn asked before each tile
   */
  async begin(written: number, goesOn: () => boolean): Promise<void> {
    const { rows, columns } = this._file;
    const side = IMAGE_TILE * 2 ** DIRECT;
    if (Math.max(rows, columns) <= side) {
      return; // its overview takes no time
    }
    for (let row = 0; row * side < rows && Math.min(rows, (row + 1) * side) <= written; row++) {
      for (let column = 0; column * side < columns; column++) {
        if (!goesOn()) {
          return;
        }
        await this._means(0, DIRECT, row, column);
      }
    }
  }

  /** The values of a pixel, one for each channel. Throws BridgeError `invalid` if it is outside. */
  pixel(slice: number, row: number, column: number): number[] {
    const { slices, rows, columns } = this._file;
    if (slice >= slices || row >= rows || column >= columns) {
      throw new BridgeError(
        'invalid',
        `Pixel (slice ${slice}, row ${row}, column ${column}) is outside the image of ${slices} slices, ${rows} rows and ${columns} columns.`
      );
    }
    return [...this._file.read({ slice, row0: row, row1: row + 1, column0: column, column1: column + 1 })];
  }

  private _means(slice: number, level: number, row: number, column: number): Promise<IMeans> {
    if (level === 0) {
      return this._original(slice, row, column);
    }
    const key = `${this._name}/${slice}/${level}/${row}/${column}`;
    return this._cache.get(key, () =>
      level > DIRECT ? this._reduce(slice, level, row, column) : this._reduceImage(slice, level, row, column)
    );
  }

  private async _original(slice: number, row: number, column: number): Promise<IMeans> {
    const region = this._file.tile(slice, row, column, IMAGE_TILE);
    await breathe();
    await this._file.ready?.(region);
    return {
      rows: region.row1 - region.row0,
      columns: region.column1 - region.column0,
      values: this._file.read(region)
    };
  }

  private async _reduceImage(slice: number, level: number, row: number, column: number): Promise<IMeans> {
    const [rows, columns] = this._size(level);
    const [row0, column0] = [row * IMAGE_TILE, column * IMAGE_TILE];
    const row1 = Math.min(rows, row0 + IMAGE_TILE);
    const column1 = Math.min(columns, column0 + IMAGE_TILE);
    const values = await reduced(this._file, { slice, level, row0, row1, column0, column1 });
    return { rows: row1 - row0, columns: column1 - column0, values };
  }

  private async _reduce(slice: number, level: number, row: number, column: number): Promise<IMeans> {
    const { channels } = this._file;
    const [rows, columns] = this._size(level);
    const [belowRows, belowColumns] = this._size(level - 1);
    const out: IMeans = {
      rows: Math.min(IMAGE_TILE, rows - row * IMAGE_TILE),
      columns: Math.min(IMAGE_TILE, columns - column * IMAGE_TILE),
      values: new Float32Array(0)
    };
    const sums = new Float32Array(out.rows * out.columns * channels);
    const weights = new Float32Array(out.rows * out.columns);
    for (let quarter = 0; quarter < 4; quarter++) {
      const tileRow = 2 * row + (quarter >> 1);
      const tileColumn = 2 * column + (quarter & 1);
      if (tileRow * IMAGE_TILE >= belowRows || tileColumn * IMAGE_TILE >= belowColumns) {
        continue;
      }
      const below = await this._means(slice, level - 1, tileRow, tileColumn);
      if (inside(tileRow, level, this._file.rows) && inside(tileColumn, level, this._file.columns)) {
        const to = ((quarter >> 1) * out.columns + (quarter & 1)) * (IMAGE_TILE / 2);
        halve(below.values, sums, { channels, to, width: out.columns });
        for (let r = 0; r < IMAGE_TILE / 2; r++) {
          weights.fill(4, to + r * out.columns, to + r * out.columns + IMAGE_TILE / 2);
        }
        await breathe();
        continue;
      }
      const rowWeights = spans(tileRow * IMAGE_TILE, below.rows, level - 1, this._file.rows);
      const columnWeights = spans(tileColumn * IMAGE_TILE, below.columns, level - 1, this._file.columns);
      for (let r = 0; r < below.rows; r++) {
        const target = (((quarter >> 1) * IMAGE_TILE + r) >> 1) * out.columns;
        for (let c = 0; c < below.columns; c++) {
          const weight = rowWeights[r]! * columnWeights[c]!;
          const to = target + (((quarter & 1) * IMAGE_TILE + c) >> 1);
          weights[to]! += weight;
          const from = (r * below.columns + c) * channels;
          for (let k = 0; k < channels; k++) {
            sums[to * channels + k]! += weight * below.values[from + k]!;
          }
        }
      }
      await breathe();
    }
    for (let i = 0; i < sums.length; i++) {
      sums[i]! /= weights[(i / channels) | 0]!;
    }
    out.values = sums;
    return out;
  }

  private _size(level: number): [number, number] {
    return [Math.ceil(this._file.rows / 2 ** level), Math.ceil(this._file.columns / 2 ** level)];
  }
}

/** Values as 16 bits: `low` becomes 0 and `high` 65535. */
function scaled(values: TypedArray, { low, high }: ImageInfo['display']): Uint8Array {
  const factor = high > low ? 65535 / (high - low) : Infinity;
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const above = values[i]! - low;
    const stored = above > 0 ? above * factor : 0;
    out[i] = stored < 65535 ? stored + 0.5 : 65535;
  }
  return new Uint8Array(out.buffer);
}

/** Whether a whole tile below stands for 2^level × 2^level pixels everywhere, so that its means all weigh the same. */
function inside(tile: number, level: number, total: number): boolean {
  return (tile + 1) * IMAGE_TILE * 2 ** (level - 1) <= total;
}

/** Add up the 2 × 2 pixels under each pixel of a quarter: the plain case, without weights, for most of a large image. */
function halve(
  from: TypedArray,
  sums: Float32Array,
  { channels, to, width }: { channels: number; to: number; width: number }
): void {
  const line = IMAGE_TILE * channels;
  for (let row = 0; row < IMAGE_TILE / 2; row++) {
    for (let column = 0; column < IMAGE_TILE / 2; column++) {
      const a = 2 * row * line + 2 * column * channels;
      const b = (to + row * width + column) * channels;
      for (let k = 0; k < channels; k++) {
        sums[b + k] = from[a + k]! + from[a + k + channels]! + from[a + k + line]! + from[a + k + line + channels]!;
      }
    }
  }
}

/** How many original rows (or columns) each of `length` rows of a level from `start` on stands for, relative to a full one. */
function spans(start: number, length: number, level: number, total: number): Float32Array {
  const size = 2 ** level;
  return Float32Array.from({ length }, (_, i) => Math.min(size, total - (start + i) * size) / size);
}

function toBytes(values: TypedArray): Uint8Array {
  if (values instanceof Uint8Array) {
    return values;
  }
  const out = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    out[i] = values[i]! + 0.5;
  }
  return out;
}
