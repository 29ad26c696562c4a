/**
 * A shared array as slices in one of the directions: those in xy are stored, those in xz and yz are gathered from all of them.
 *
 * ```ts
 * const slices = openSlices(volume, 'xz');
 * slices.read({ slice: 7, row0: 0, row1: 40, column0: 0, column1: 500 }); // volume[0:40, 7, 0:500]
 * ```
 */
import { lineIn, shapeIn, SliceDirection } from '../../../src/shared/direction';
import { Lru } from '../../../src/shared/lru';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { SliceRect, tileRect } from '../../../src/shared/rect';
import { breathe } from '../base/files';
import { allocate, itemSize, TypedArray } from './dtypes';
import { TileFile } from './tile-file';

/** What reads tiles from slices of any direction. */
export type SliceReader = Pick<
  TileFile,
  'array' | 'slices' | 'rows' | 'columns' | 'channels' | 'read' | 'tile' | 'close'
> & {
  /** Gather what {@link read} of a rectangle needs, with pauses for other work. Not needed where this is missing. */
  ready?(rect: SliceRect): Promise<void>;
};

/** Slices in yz that are gathered at once: they are neighbours in the file. */
const NEIGHBOURS = 16;
/** Bytes of gathered slices that are kept, of all arrays together. */
const KEPT_BYTES = 96 << 20;
const KEPT = new Lru<string, TypedArray>({ limit: KEPT_BYTES, weight: ({ byteLength }) => byteLength });
/** Bytes that are read between two turns of the event loop. */
const BYTES_AT_ONCE = 16 << 20;

/** Open an array to read slices in a direction. `content`: see {@link GatheredSlices}. */
export function openSlices(array: ArrayDescriptor, direction: SliceDirection = 'xy', content?: string): SliceReader {
  const file = new TileFile(array, 'r');
  return direction === 'xy' ? file : new GatheredSlices(file, direction, content);
}

/** Slices in xz or yz. */
export class GatheredSlices implements SliceReader {
  /** `content` names what the array holds now: what was gathered of it is used for the neighbours too, until the name changes. */
  constructor(
    private readonly _file: TileFile,
    private readonly _direction: Exclude<SliceDirection, 'xy'>,
    private readonly _content?: string
  ) {
    [this.slices, this.rows, this.columns] = shapeIn(_direction, [_file.slices, _file.rows, _file.columns]);
    this._keeps = _direction === 'yz' && _content !== undefined;
  }

  readonly slices: number;
  readonly rows: number;
  readonly columns: number;

  get array(): ArrayDescriptor {
    return this._file.array;
  }

  get channels(): number {
    return this._file.channels;
  }

  read(rect: SliceRect): TypedArray {
    const { slice, row0, row1, column0: first, column1: end } = rect;
    if (!(0 <= slice && slice < this.slices && 0 <= row0 && row0 <= row1 && row1 <= this.rows)) {
      throw new RangeError(`The rectangle ${JSON.stringify(rect)} is outside the slices in ${this._direction}.`);
    }
    if (this._keeps) {
      return this._neighbours(rect);
    }
    const width = (end - first) * this.channels;
    const out = allocate(this.array.dtype, (row1 - row0) * width);
    for (let row = row0; row < row1; row++) {
      out.set(this._file.read(lineIn(this._direction, { slice, row, first, end })), (row - row0) * width);
    }
    return out;
  }

  tile(slice: number, row: number, column: number, side: number): SliceRect {
    return tileRect(this, slice, row, column, side);
  }

  close(): void {
    this._file.close();
  }

  async ready(rect: SliceRect): Promise<void> {
    if (this._keeps && !KEPT.has(this._key(rect))) {
      const bytes = (rect.column1 - rect.column0) * this._file.columns * this.channels * itemSize(this.array.dtype);
      const steps = this._gather(rect, Math.max(1, Math.floor(BYTES_AT_ONCE / bytes)));
      while (!steps.next().done) {
        await breathe();
      }
    }
  }

  /** Read a rectangle in yz, and the same one of its neighbours: reading them as well costs nothing. */
  private _neighbours(rect: SliceRect): TypedArray {
    const { slice, row0, row1, column0, column1 } = rect;
    const { channels } = this;
    const { x0, count } = this._block(slice);
    const pixels = (row1 - row0) * (column1 - column0);
    let block = KEPT.get(this._key(rect));
    if (!block) {
      const steps = this._gather(rect, row1 - row0);
      let step = steps.next();
      while (!step.done) {
        step = steps.next();
      }
      block = step.value;
    }
    const out = allocate(this.array.dtype, pixels * channels);
    const at = (slice - x0) * channels;
    for (let pixel = 0; pixel < pixels; pixel++) {
      for (let k = 0; k < channels; k++) {
        out[pixel * channels + k] = block[pixel * count * channels + at + k]!;
      }
    }
    return out;
  }

  /** Gather a rectangle of neighbours, with a step after so many rows. */
  private *_gather(rect: SliceRect, rows: number): Generator<void, TypedArray> {
    const { slice, row0, row1, column0, column1 } = rect;
    const { x0, count } = this._block(slice);
    const each = (column1 - column0) * count * this.channels;
    const block = allocate(this.array.dtype, (row1 - row0) * each);
    for (let z = row0; z < row1; z++) {
      const part = { slice: z, row0: column0, row1: column1, column0: x0, column1: x0 + count };
      block.set(this._file.read(part), (z - row0) * each);
      if ((z - row0) % rows === rows - 1) {
        yield;
      }
    }
    KEPT.set(this._key(rect), block);
    return block;
  }

  /** The neighbours that are gathered with a slice. */
  private _block(slice: number): { x0: number; count: number } {
    const x0 = slice - (slice % NEIGHBOURS);
    return { x0, count: Math.min(NEIGHBOURS, this.slices - x0) };
  }

  /** Names a rectangle of neighbours. */
  private _key({ slice, row0, row1, column0, column1 }: SliceRect): string {
    const { path } = this.array;
    return [path, this._content, Math.floor(slice / NEIGHBOURS), row0, row1, column0, column1].join();
  }

  private readonly _keeps: boolean;
}
