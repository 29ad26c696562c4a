/**
 * Rectangles of a shared array, read and written by short synchronous calls: a tile is hundreds of rows of a few hundred
 * bytes, and each takes a microsecond or two here against tens by way of the thread pool. Callers breathe between tiles.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { allocate, itemSize, IRegion, TypedArray } from './shared-array';

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
    this._file = openSync(array.path, mode);
  }

  readonly slices: number;
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;

  /** The rectangle's elements, row by row. */
  read(region: IRegion): TypedArray {
    const pixels = (region.row1 - region.row0) * (region.column1 - region.column0);
    const out = allocate(this.array.dtype, pixels * this.channels);
    const bytes = new Uint8Array(out.buffer);
    this._runs(region, (offset, length, position) => {
      for (let done = 0; done < length;) {
        const n = readSync(this._file, bytes, offset + done, length - done, position + done);
        if (n === 0) {
          throw new Error(`The shared array ${this.array.path} ends before byte ${position + length}.`);
        }
        done += n;
      }
    });
    return out;
  }

  /** Write the rectangle. */
  write(region: IRegion, data: TypedArray): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this._runs(region, (offset, length, position) => {
      for (let done = 0; done < length;) {
        done += writeSync(this._file, bytes, offset + done, length - done, position + done);
      }
    });
  }

  /** `length` bytes from `position`, whatever they belong to. */
  readBytes(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const n = readSync(this._file, bytes, done, length - done, position + done);
      if (n === 0) {
        throw new Error(`The shared array ${this.array.path} ends before byte ${position + length}.`);
      }
      done += n;
    }
    return bytes;
  }

  writeBytes(position: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.byteLength;) {
      done += writeSync(this._file, bytes, done, bytes.byteLength - done, position + done);
    }
  }

  /** The part of a square tile that lies inside the array. */
  tile(slice: number, row: number, column: number, side: number): IRegion {
    return {
      slice,
      row0: row * side,
      row1: Math.min((row + 1) * side, this.rows),
      column0: column * side,
      column1: Math.min((column + 1) * side, this.columns)
    };
  }

  close(): void {
    if (!this._closed) {
      this._closed = true;
      closeSync(this._file);
    }
  }

  private _runs(region: IRegion, each: (offset: number, length: number, position: number) => void): void {
    const { slice, row0, row1, column0, column1 } = region;
    if (
      this._closed ||
      !(0 <= slice && slice < this.slices && 0 <= row0 && row0 <= row1 && row1 <= this.rows) ||
      !(0 <= column0 && column0 <= column1 && column1 <= this.columns)
    ) {
      throw new RangeError(`Region ${JSON.stringify(region)} is outside an array of shape [${this.array.shape}].`);
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

  private readonly _file: number;
  private _closed = false;
}
