/**
 * Reads and writes rectangles of a shared array: a file in C order, little endian, without a header, that Python maps.
 *
 * All calls are synchronous: a tile is hundreds of rows of a few hundred bytes, and each row takes a microsecond or two this way but
 * tens of them by way of Node's thread pool. On the main thread, callers `breathe` between tiles or bands of rows. The size of a
 * file never changes, because reading a mapping beyond the file's end kills the process.
 */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { SliceRect, tileRect } from '../../../src/shared/rect';
import { allocate, byteLength, itemSize, TypedArray } from './dtypes';

/** A part of rows so narrow is read with its whole rows, if these have at most so many bytes: reading them takes less time than a call for each row. */
const NARROW = { part: 256, row: 8192 };
/** Bytes of whole rows that are read at once. */
const BAND_BYTES = 1 << 20;

export class TileFile {
  /** Open an array of shape [slices, rows, columns] or [slices, rows, columns, channels]. */
  constructor(
    readonly array: ArrayDescriptor,
    mode: 'r' | 'r+'
  ) {
    const [slices = 1, rows = 1, columns = 1, channels = 1] = array.shape;
    this.slices = slices;
    this.rows = rows;
    this.columns = columns;
    this.channels = channels;
    this._file = openArray(array, mode);
  }

  readonly slices: number;
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;

  /** Read a rectangle: rows × columns × channels elements. */
  read(rect: SliceRect): TypedArray {
    const pixels = (rect.row1 - rect.row0) * (rect.column1 - rect.column0);
    const out = allocate(this.array.dtype, pixels * this.channels);
    const bytes = new Uint8Array(out.buffer);
    const pixel = this.channels * itemSize(this.array.dtype);
    const part = (rect.column1 - rect.column0) * pixel;
    const row = this.columns * pixel;
    const isNarrow = part <= NARROW.part && part < row && row <= NARROW.row && rect.row1 - rect.row0 > 1;
    if (isNarrow && rect.column0 >= 0 && rect.column1 <= this.columns) {
      this._readNarrow(rect, bytes, { part, row, from: rect.column0 * pixel });
    } else {
      this._runs(rect, (offset, length, position) => this._readInto(bytes, offset, length, position));
    }
    return out;
  }

  /** Write a rectangle; `data` has rows × columns × channels elements of the array's type. */
  write(rect: SliceRect, data: TypedArray): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this._runs(rect, (offset, length, position) => this._writeFrom(bytes, offset, length, position));
  }

  /** Read `length` bytes of the file from `position`. */
  readBytes(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this._readInto(bytes, 0, length, position);
    return bytes;
  }

  /** Write bytes to the file at `position`. */
  writeBytes(position: number, bytes: Uint8Array): void {
    this._writeFrom(bytes, 0, bytes.byteLength, position);
  }

  /** The part of a square tile that lies inside the array. */
  tile(slice: number, row: number, column: number, side: number): SliceRect {
    return tileRect(this, slice, row, column, side);
  }

  close(): void {
    if (!this._closed) {
      this._closed = true;
      closeSync(this._file);
    }
  }

  /** Call `each` for every run of bytes that is contiguous both in the rectangle and in the file. */
  private _runs(rect: SliceRect, each: (offset: number, length: number, position: number) => void): void {
    const { slice, row0, row1, column0, column1 } = rect;
    if (
      this._closed ||
      !(0 <= slice && slice < this.slices && 0 <= row0 && row0 <= row1 && row1 <= this.rows) ||
      !(0 <= column0 && column0 <= column1 && column1 <= this.columns)
    ) {
      throw new RangeError(`The rectangle ${JSON.stringify(rect)} is outside an array of shape [${this.array.shape}].`);
    }
    const pixel = this.channels * itemSize(this.array.dtype);
    const span = (column1 - column0) * pixel;
    const start = (slice * this.rows + row0) * this.columns + column0;
    if (column1 - column0 === this.columns) {
      each(0, (row1 - row0) * span, start * pixel);
      return;
    }
    for (let row = 0; row < row1 - row0; row++) {
      each(row * span, span, (start + row * this.columns) * pixel);
    }
  }

  /** Read whole rows, and copy the part of them that is wanted. */
  private _readNarrow(
    rect: SliceRect,
    out: Uint8Array,
    { part, row, from }: { part: number; row: number; from: number }
  ): void {
    const band = Math.floor(BAND_BYTES / row);
    const rows = new Uint8Array(Math.min(band, rect.row1 - rect.row0) * row);
    let to = 0;
    for (let row0 = rect.row0; row0 < rect.row1; row0 += band) {
      const row1 = Math.min(rect.row1, row0 + band);
      this._runs({ ...rect, row0, row1, column0: 0, column1: this.columns }, (offset, length, position) =>
        this._readInto(rows, offset, length, position)
      );
      for (let at = from; at < (row1 - row0) * row; at += row) {
        for (let i = 0; i < part; i++) {
          out[to++] = rows[at + i]!;
        }
      }
    }
  }

  private _readInto(bytes: Uint8Array, offset: number, length: number, position: number): void {
    for (let done = 0; done < length;) {
      const n = readSync(this._file, bytes, offset + done, length - done, position + done);
      if (n === 0) {
        throw new Error(`The shared array ${this.array.path} ends before byte ${position + length}.`);
      }
      done += n;
    }
  }

  private _writeFrom(bytes: Uint8Array, offset: number, length: number, position: number): void {
    for (let done = 0; done < length;) {
      done += writeSync(this._file, bytes, offset + done, length - done, position + done);
    }
  }

  private readonly _file: number;
  private _closed = false;
}

/** A file that is read only. */
export type ReadOnlyTiles = Pick<TileFile, 'array' | 'read' | 'readBytes'>;

/** Open an array's file. Throws an Error if the file is a link, another user's or too short. */
function openArray(array: ArrayDescriptor, mode: 'r' | 'r+'): number {
  const access = mode === 'r' ? constants.O_RDONLY : constants.O_RDWR;
  const file = openSync(array.path, access | (constants.O_NOFOLLOW ?? 0)); // Windows has no such flag
  const info = fstatSync(file);
  const whole = info.isFile() && info.nlink <= 1 && info.size >= byteLength(array);
  if (!whole || info.uid !== (process.getuid?.() ?? info.uid)) {
    closeSync(file);
    throw new Error(`The shared array ${array.path} is not the file that was made for it. Run the cell again.`);
  }
  return file;
}

/** Open an array, read one rectangle and close it. */
export function readRect(array: ArrayDescriptor, rect: SliceRect): TypedArray {
  const file = new TileFile(array, 'r');
  try {
    return file.read(rect);
  } finally {
    file.close();
  }
}

/** Open an array, write one rectangle and close it. */
export function writeRect(array: ArrayDescriptor, rect: SliceRect, data: TypedArray): void {
  const file = new TileFile(array, 'r+');
  try {
    file.write(rect, data);
  } finally {
    file.close();
  }
}
