/** A change of labels or of the correction that can be taken back: rectangles, with what was in them before and is after. */
import { promisify } from 'node:util';
import { constants, deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { MESSAGE_BYTES_MAX } from '../../../src/shared/frames';
import { MadeBy } from '../../../src/shared/protocol';
import { PROVENANCE_CODES } from '../../../src/shared/provenance';
import { areaOf, Rect } from '../../../src/shared/rect';
import { TileFile } from '../arrays/tile-file';
import { breathe } from '../base/files';
import { Painted } from './patch-mask';
import { IChange, LayerRect, Planes } from './planes';

const deflateLarge = promisify(deflateRaw);
const inflateLarge = promisify(inflateRaw);

/** Pixels of a small rectangle. A change across slices has thousands of these: a thread for each would take longer, and much memory. */
const SMALL = 4096;

/** Bytes of labels that are written between two turns of the event loop. */
const BYTES_AT_ONCE = 1 << 19;

/** One rectangle of an edit. Pixels whose class is the same before and after do not belong to the edit. */
export interface IPiece {
  rect: LayerRect;
  /**
   * Deflated, row by row: the classes before, those after, and for labels their provenance before and after. Earlier versions kept no
   * provenance: it is 0 then.
   */
  buffer: Uint8Array;
}

export type Edit = readonly IPiece[];

/** Which side {@link applyEdit} writes. */
export type Direction = 'before' | 'after';

/** Collects the rectangles of a change. */
export class EditRecorder {
  /**
   * @param planes what changes
   * @param made what makes the change: the provenance of its labels
   * @param _origin the provenance of each new label instead
   */
  constructor(
    private readonly _planes: Planes,
    made: Pick<MadeBy, 'provenance'>,
    private readonly _origin?: TileFile
  ) {
    this._code = PROVENANCE_CODES[made.provenance];
  }

  /** Pixels that changed so far. */
  get pixels(): number {
    return this._pixels;
  }

  /**
   * Note a rectangle that is going to change, by its classes before and after. Both may be reused by the caller.
   *
   * @param keeps whether the labels keep their provenance, as where one class becomes another
   */
  add(rect: LayerRect, before: Uint8Array, after: Uint8Array, { keeps = false } = {}): void {
    const width = rect.column1 - rect.column0;
    const part = changedIn(before, after, width);
    if (part) {
      const inner = innerRect(rect, part);
      const origin = keeps ? undefined : ((this._origin?.read(inner) as Uint8Array | undefined) ?? this._code);
      this._push(this._planes.change(inner, cut(before, width, part), cut(after, width, part), origin));
    }
  }

  /** Note a change that was written. */
  note({ rect, before, after, made }: IChange): void {
    const width = rect.column1 - rect.column0;
    const part = changedIn(before, after, width);
    if (part) {
      const cutOut = (bytes: Uint8Array) => cut(bytes, width, part);
      this._push({
        rect: innerRect(rect, part),
        before: cutOut(before),
        after: cutOut(after),
        ...(made && { made: { before: cutOut(made.before), after: cutOut(made.after) } })
      });
    }
  }

  /**
   * Wait until all rectangles so far are deflated, so that they do not fill the memory.
   *
   * @throws BridgeError `too-large` if no record can hold the edit
   */
  async settle(): Promise<void> {
    while (this._settled < this._pieces.length) {
      this._bytes += (await this._pieces[this._settled++]!.buffer).byteLength;
    }
    if (this._bytes > MESSAGE_BYTES_MAX) {
      const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);
      throw new BridgeError(
        'too-large',
        `Nothing was changed: to undo it, ${megabytes(this._bytes)} MB or more would be kept, and a step has at most ` +
          `${megabytes(MESSAGE_BYTES_MAX)} MB. Change a part at a time, single slices for example.`
      );
    }
  }

  /** The edit, when all rectangles are deflated. */
  async finish(): Promise<Edit> {
    return Promise.all(this._pieces.map(async ({ rect, buffer }) => ({ rect, buffer: await buffer })));
  }

  private _push({ rect, before, after, made }: IChange): void {
    const area = areaOf(rect);
    const sides = [before, after, ...(made ? [made.before, made.after] : [])];
    const bytes = new Uint8Array(sides.length * area);
    sides.forEach((side, i) => bytes.set(side, i * area));
    for (let i = 0; i < area; i++) {
      this._pixels += before[i] === after[i] ? 0 : 1;
    }
    const options = { level: constants.Z_BEST_SPEED };
    const buffer = area <= SMALL ? Promise.resolve(deflateRawSync(bytes, options)) : deflateLarge(bytes, options);
    this._pieces.push({ rect, buffer });
  }

  private readonly _code: number;
  private _pixels = 0;
  private readonly _pieces: { rect: LayerRect; buffer: Promise<Uint8Array> }[] = [];
  /** How many pieces are deflated, and their bytes. */
  private _settled = 0;
  private _bytes = 0;
}

/**
 * Write one side of an edit.
 *
 * @param onPaint called for each rectangle that changed
 * @returns the number of pixels that changed
 * @throws Error if a buffer is not what {@link EditRecorder} made
 */
export async function applyEdit(planes: Planes, edit: Edit, direction: Direction, onPaint?: Painted): Promise<number> {
  let changed = 0;
  let bytes = 0;
  for (const { rect, buffer } of edit) {
    const { layer = 'labels' } = rect;
    const area = areaOf(rect);
    const options = { maxOutputLength: 4 * area };
    const all = area <= SMALL ? inflateRawSync(buffer, options) : await inflateLarge(buffer, options);
    if (all.byteLength !== 2 * area && (layer !== 'labels' || all.byteLength !== 4 * area)) {
      throw new Error(`An edit of ${area} pixels has ${all.byteLength} bytes.`);
    }
    const file = await planes.use(layer);
    if (!file) {
      continue;
    }
    const counts = planes.counts[layer];
    const [from, to] = direction === 'after' ? [0, area] : [area, 0];
    const before = file.read(rect) as Uint8Array;
    const change = planes.change(rect, before, before.slice(), undefined);
    const { after, made } = change;
    let here = 0;
    for (let i = 0; i < area; i++) {
      const [old, next] = [before[i]!, all[to + i]!];
      if (all[from + i] === next) {
        continue;
      }
      if (made) {
        made.after[i] = all[2 * area + to + i] ?? 0;
      }
      if (old !== next) {
        after[i] = next;
        counts[old]!--;
        counts[next]!++;
        here++;
      }
    }
    if (here > 0) {
      planes.write(change);
      onPaint?.(change);
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

/** Rows and columns counted from the first ones of a rectangle. */
type Part = Rect;

function innerRect(rect: LayerRect, part: Part): LayerRect {
  return {
    ...rect,
    row0: rect.row0 + part.row0,
    row1: rect.row0 + part.row1,
    column0: rect.column0 + part.column0,
    column1: rect.column0 + part.column1
  };
}

/** Copy a part of a rectangle of bytes. */
function cut(bytes: Uint8Array, width: number, { row0, row1, column0, column1 }: Part): Uint8Array {
  const out = new Uint8Array((row1 - row0) * (column1 - column0));
  for (let row = row0, at = 0; row < row1; row++, at += column1 - column0) {
    out.set(bytes.subarray(row * width + column0, row * width + column1), at);
  }
  return out;
}

/** The smallest rectangle around the pixels that differ, counted from the first row and column; undefined if there are none. */
function changedIn(before: Uint8Array, after: Uint8Array, width: number): Part | undefined {
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
