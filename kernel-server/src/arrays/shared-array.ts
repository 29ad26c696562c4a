/**
 * Shared arrays: files that Node reads and writes by position and Python maps. C order, little endian, no header.
 * They are sized when they are made and never truncated, since a mapping beyond the end kills the process that looks.
 */
import { FileHandle, open } from 'node:fs/promises';
import { ArrayDescriptor, Dtype } from '../../../src/shared/protocol';

export type TypedArray =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

const CONSTRUCTORS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array
} as const;

/** Bytes of one element. */
export function itemSize(dtype: Dtype): number {
  return CONSTRUCTORS[dtype].BYTES_PER_ELEMENT;
}

/** Bytes of a whole array. */
export function byteLength(array: Pick<ArrayDescriptor, 'dtype' | 'shape'>): number {
  return array.shape.reduce((product, n) => product * n, itemSize(array.dtype));
}

/** A typed array over fresh memory, of `length` elements. */
export function allocate(dtype: Dtype, length: number): TypedArray {
  return new CONSTRUCTORS[dtype](length);
}

/** A rectangle of a slice, in pixels; the ends are exclusive. */
export interface IRegion {
  slice: number;
  row0: number;
  row1: number;
  column0: number;
  column1: number;
}

/** An open shared array of shape [slices, rows, columns] or [slices, rows, columns, channels]. */
export class SharedArray {
  private constructor(
    readonly descriptor: ArrayDescriptor,
    private readonly _file: FileHandle
  ) {}

  /** Open an existing array for reading, or for writing as well. */
  static async open(descriptor: ArrayDescriptor, mode: 'r' | 'r+'): Promise<SharedArray> {
    return new SharedArray(descriptor, await open(descriptor.path, mode));
  }

  /** Elements of one pixel. */
  get channels(): number {
    return this.descriptor.shape[3] ?? 1;
  }

  /** Read a rectangle: rows × columns × channels elements. */
  async read(region: IRegion): Promise<TypedArray> {
    const { dtype } = this.descriptor;
    const columns = region.column1 - region.column0;
    const rows = region.row1 - region.row0;
    const out = allocate(dtype, rows * columns * this.channels);
    const bytes = new Uint8Array(out.buffer);
    await this._spans(region, bytes.byteLength, async (offset, length, position) => {
      let done = 0;
      while (done < length) {
        const { bytesRead } = await this._file.read(bytes, offset + done, length - done, position + done);
        if (bytesRead === 0) {
          throw new Error(`The shared array ${this.descriptor.path} ends before byte ${position + length}.`);
        }
        done += bytesRead;
      }
    });
    return out;
  }

  /** Write a rectangle; `data` holds rows × columns × channels elements of the array's type. */
  async write(region: IRegion, data: TypedArray): Promise<void> {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    await this._spans(region, bytes.byteLength, async (offset, length, position) => {
      let done = 0;
      while (done < length) {
        const { bytesWritten } = await this._file.write(bytes, offset + done, length - done, position + done);
        done += bytesWritten;
      }
    });
  }

  async close(): Promise<void> {
    await this._file.close();
  }

  /** Calls `each` for every run of bytes that is contiguous both in the region and in the file. */
  private async _spans(
    region: IRegion,
    bytes: number,
    each: (offset: number, length: number, position: number) => Promise<void>
  ): Promise<void> {
    const [slices, rows, columns] = this.descriptor.shape as [number, number, number];
    const { slice, row0, row1, column0, column1 } = region;
    if (
      !(0 <= slice && slice < slices && 0 <= row0 && row0 <= row1 && row1 <= rows) ||
      !(0 <= column0 && column0 <= column1 && column1 <= columns)
    ) {
      throw new RangeError(`Region ${JSON.stringify(region)} is outside an array of shape ${this.descriptor.shape}.`);
    }
    const pixel = this.channels * itemSize(this.descriptor.dtype);
    if (bytes !== (row1 - row0) * (column1 - column0) * pixel) {
      throw new RangeError(`${bytes} bytes do not fill the region ${JSON.stringify(region)}.`);
    }
    const start = (slice * rows + row0) * columns + column0;
    if (column1 - column0 === columns) {
      await each(0, bytes, start * pixel);
      return;
    }
    const span = (column1 - column0) * pixel;
    for (let row = 0; row < row1 - row0; row++) {
      await each(row * span, span, (start + row * columns) * pixel);
    }
  }
}
