/** A change of labels that can be taken back: rectangles, with the labels in them before and after. */
import { promisify } from 'node:util';
import { constants, deflateRaw, inflateRaw } from 'node:zlib';
import { areaOf, SliceRect } from '../../../src/shared/rect';
import { TileFile } from '../arrays/tile-file';
import { breathe } from '../base/files';
import { Painted } from './patch-mask';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Bytes of labels that are written between two turns of the event loop. */
const BYTES_AT_ONCE = 1 << 19;

/** One rectangle of an edit. Pixels whose label is the same before and after do not belong to the edit. */
export interface IPiece {
  rect: SliceRect;
  /** Deflated: the labels before, row by row, then those after. */
  buffer: Uint8Array;
}

export type Edit = readonly IPiece[];

/** Which labels {@link applyEdit} writes. */
export type Direction = 'before' | 'after';

/** Collects the rectangles of a change while it is made. */
export class EditRecorder {
  /** Pixels that changed so far. */
  get pixels(): number {
    return this._pixels;
  }

  /** Note a rectangle that changed, by its labels before and after. Both may be reused by the caller. */
  add(rect: SliceRect, before: Uint8Array, after: Uint8Array): void {
    const width = rect.column1 - rect.column0;
    const changed = changedIn(before, after, width);
    if (!changed) {
      return;
    }
    const { row0, row1, column0, column1 } = changed;
    const area = areaOf(changed);
    const both = new Uint8Array(2 * area);
    for (let row = row0, at = 0; row < row1; row++, at += column1 - column0) {
      const [from, to] = [row * width + column0, row * width + column1];
      both.set(before.subarray(from, to), at);
      both.set(after.subarray(from, to), area + at);
    }
    for (let i = 0; i < area; i++) {
      this._pixels += both[i] === both[area + i] ? 0 : 1;
    }
    const { slice } = rect;
    this._pieces.push({
      rect: {
        slice,
        row0: rect.row0 + row0,
        row1: rect.row0 + row1,
        column0: rect.column0 + column0,
        column1: rect.column0 + column1
      },
      buffer: deflate(both, { level: constants.Z_BEST_SPEED })
    });
  }

  /** The edit, when all rectangles are deflated. */
  async finish(): Promise<Edit> {
    return Promise.all(this._pieces.map(async ({ rect, buffer }) => ({ rect, buffer: await buffer })));
  }

  private _pixels = 0;
  private readonly _pieces: { rect: SliceRect; buffer: Promise<Uint8Array> }[] = [];
}

/**
 * Write one side of an edit into the labels.
 *
 * @param counts pixels of each class, which is kept up to date
 * @param onPaint called for each rectangle that changed
 * @returns the number of pixels that changed
 * @throws Error if a buffer is not what {@link EditRecorder} made
 */
export async function applyEdit(
  labels: TileFile,
  edit: Edit,
  direction: Direction,
  counts: number[],
  onPaint?: Painted
): Promise<number> {
  let changed = 0;
  let bytes = 0;
  for (const { rect, buffer } of edit) {
    const area = areaOf(rect);
    const both = await inflate(buffer, { maxOutputLength: 2 * area });
    if (both.byteLength !== 2 * area) {
      throw new Error(`An edit of ${area} pixels has ${both.byteLength} bytes instead of ${2 * area}.`);
    }
    const [from, to] = direction === 'after' ? [0, area] : [area, 0];
    const now = labels.read(rect) as Uint8Array;
    const before = onPaint && now.slice();
    let here = 0;
    for (let i = 0; i < area; i++) {
      const [old, next] = [now[i]!, both[to + i]!];
      if (both[from + i] !== next && old !== next) {
        now[i] = next;
        counts[old]!--;
        counts[next]!++;
        here++;
      }
    }
    if (here > 0) {
      labels.write(rect, now);
      onPaint?.(rect, now, before!);
      changed += here;
    }
    bytes += area;
    if (bytes > BYTES_AT_ONCE) {
      bytes = 0;
      await breathe();
    }
  }
  return changed;
}

/** The smallest rectangle around the pixels that differ, counted from the first row and column; undefined if there are none. */
function changedIn(
  before: Uint8Array,
  after: Uint8Array,
  width: number
): { row0: number; row1: number; column0: number; column1: number } | undefined {
  let [row0, row1, column0, column1] = [Infinity, 0, width, 0];
  for (let start = 0, row = 0; start < before.length; start += width, row++) {
    const end = start + width;
    let first = start;
    while (first < end && before[first] === after[first]) {
      first++;
    }
    if (first === end) {
      continue;
    }
    let last = end - 1;
    while (before[last] === after[last]) {
      last--;
    }
    row0 = Math.min(row0, row);
    row1 = row + 1;
    column0 = Math.min(column0, first - start);
    column1 = Math.max(column1, last + 1 - start);
  }
  return row1 > 0 ? { row0, row1, column0, column1 } : undefined;
}
