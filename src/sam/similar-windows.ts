/**
 * The search for objects like an example over an image of any size, and over the slices of a stack: window by window, so that each object is as large in
 * SAM's frame as the example, and so as sharp.
 *
 * Neighbouring windows overlap by a quarter. An object belongs to the window whose centre is nearest to the object's, where it lies wholly inside; other
 * windows leave it out. Near the border between two, where their masks may lie on different sides of it, either may propose it; the second one that does is
 * dropped, since it covers what is proposed already.
 */
import { DecoderManifest } from '../shared/models';
import { areaOf, ISize, moved, overlapArea, Rect } from '../shared/rect';
import type { ICandidates } from './decoder';
import { maskBounds } from './mask-shape';
import { upscaleMaskRegion } from './masks';
import { windowsFor } from './prompt-windows';

/** Windows are about this many times as long as the example. */
const EXTENT_FACTOR = 14;
/** Side of the smallest windows, in pixels of the image. */
const SMALLEST = 256;
/** The whole image serves if its longer side is less than this many times that of the windows. */
const WHOLE_BELOW = 1.5;
/** From one window to the next, as a part of the side. */
const STRIDE = 3 / 4;
/** An object may lie by this part of the side beyond what belongs to its window. */
const SLACK = 1 / 32;
/** Least overlap (IoU) of the example's masks in two windows, so that they are the same object. */
const SAME_MIN = 0.5;

/** The windows over an image. */
export class SimilarWindows {
  /**
   * @param seen the rows and columns of the image that SAM sees
   * @param example a rectangle that holds the example
   */
  constructor(
    readonly seen: Rect,
    example: Rect
  ) {
    const extent = Math.max(example.row1 - example.row0, example.column1 - example.column0);
    const side = SMALLEST * 2 ** Math.max(0, Math.round(Math.log2((EXTENT_FACTOR * extent) / SMALLEST)));
    const longest = Math.max(seen.row1 - seen.row0, seen.column1 - seen.column0);
    this.side = longest >= WHOLE_BELOW * side ? side : null;
    const row = (example.row0 + example.row1 - 1) / 2;
    const column = (example.column0 + example.column1 - 1) / 2;
    this.all = this.side === null ? [seen] : windowsFor(seen, this.side, seen, row, column, STRIDE);
    this.example = this.side === null ? seen : windowAround(seen, this.side, Math.round(row), Math.round(column));
  }

  /** Their side in pixels; null if the whole image is the only one. */
  readonly side: number | null;

  /** The windows, those nearest to the example first. */
  readonly all: readonly Rect[];

  /** The window in which the example is seen best: it lies in the middle, if the image's border allows that. */
  readonly example: Rect;

  /** The part of a window in which the centres of its objects lie, in the image's rows and columns. */
  core(window: Rect): Rect {
    const along = (begin: 'row0' | 'column0', end: 'row1' | 'column1') => {
      const own = this._own(window, begin, end);
      const slack = this.side === null ? 0 : Math.ceil(this.side * SLACK);
      return [Math.max(window[begin], own[0] - slack), Math.min(window[end], own[1] + slack)] as const;
    };
    const [row0, row1] = along('row0', 'row1');
    const [column0, column1] = along('column0', 'column1');
    return { row0, row1, column0, column1 };
  }

  /**
   * Whether an object belongs to a window: its middle lies in the core, and it is not cut by a border of the window that is none of the image's.
   *
   * @param bounds of the object, in the image's rows and columns
   */
  belongs(bounds: Rect, window: Rect): boolean {
    const core = this.core(window);
    const row = (bounds.row0 + bounds.row1 - 1) / 2;
    const column = (bounds.column0 + bounds.column1 - 1) / 2;
    return (
      !isCut(bounds, window, this.seen) &&
      row >= core.row0 &&
      row <= core.row1 - 1 &&
      column >= core.column0 &&
      column <= core.column1 - 1
    );
  }

  /** The pixels along an axis that are nearer to the middle of this window than to that of any other. */
  private _own(window: Rect, begin: 'row0' | 'column0', end: 'row1' | 'column1'): [number, number] {
    if (this.side === null) {
      return [window[begin], window[end]];
    }
    const starts = [...new Set(this.all.map(each => each[begin]))].sort((a, b) => a - b);
    const at = starts.indexOf(window[begin]);
    const half = (window[end] - window[begin]) / 2;
    const border = (one: number, other: number) => Math.round((one + other) / 2 + half);
    return [
      at > 0 ? border(starts[at - 1]!, starts[at]!) : window[begin],
      at + 1 < starts.length ? border(starts[at]!, starts[at + 1]!) : window[end]
    ];
  }
}

/**
 * The mask of an object among SAM's answers to a point in another window.
 *
 * @param logits of the object, of the padded frame of `window`
 * @param candidates the answers in `other`, a part of the image as `window` is
 * @returns the mask that overlaps the object most; null if none is the same object
 */
export function sameObject(
  logits: Float32Array,
  window: Rect,
  candidates: ICandidates,
  other: Rect,
  manifest: DecoderManifest
): Float32Array | null {
  const rect = inImage(logits, window, manifest);
  const own = maskIn(logits, window, rect, manifest);
  let best: Float32Array | null = null;
  let most = SAME_MIN;
  for (const lowRes of candidates.lowRes) {
    const bounds = inImage(lowRes, other, manifest);
    const all = {
      row0: Math.min(rect.row0, bounds.row0),
      row1: Math.max(rect.row1, bounds.row1),
      column0: Math.min(rect.column0, bounds.column0),
      column1: Math.max(rect.column1, bounds.column1)
    };
    if (overlapArea(rect, bounds) / areaOf(all) > most) {
      const both = overlapArea(rect, bounds) === areaOf(all) ? own : maskIn(logits, window, all, manifest);
      const overlap = iou(both, maskIn(lowRes, other, all, manifest));
      if (overlap > most) {
        [best, most] = [lowRes, overlap];
      }
    }
  }
  return best;
}

/** A rectangle of the image that holds all of a mask of a window. */
export function inImage(logits: Float32Array, window: Rect, manifest: DecoderManifest): Rect {
  return moved(maskBounds(logits, sizeOf(window), manifest), window.row0, window.column0);
}

/** Whether an object reaches a border of a window that is none of what SAM sees. All are in the image's rows and columns. */
export function isCut(bounds: Rect, window: Rect, seen: Rect): boolean {
  return (
    (bounds.row0 <= window.row0 && window.row0 > seen.row0) ||
    (bounds.row1 >= window.row1 && window.row1 < seen.row1) ||
    (bounds.column0 <= window.column0 && window.column0 > seen.column0) ||
    (bounds.column1 >= window.column1 && window.column1 < seen.column1)
  );
}

/** The pixels of a window's mask in a rectangle of the image: 0 and 1, the rectangle's rows × columns; 0 outside of the window. */
export function maskIn(logits: Float32Array, window: Rect, rect: Rect, manifest: DecoderManifest): Uint8Array {
  const columns = rect.column1 - rect.column0;
  const out = new Uint8Array((rect.row1 - rect.row0) * columns);
  const part = {
    row0: Math.max(rect.row0, window.row0),
    row1: Math.min(rect.row1, window.row1),
    column0: Math.max(rect.column0, window.column0),
    column1: Math.min(rect.column1, window.column1)
  };
  if (part.row0 < part.row1 && part.column0 < part.column1) {
    const local = moved(part, -window.row0, -window.column0);
    const inside = upscaleMaskRegion(logits, sizeOf(window), local, manifest);
    const width = part.column1 - part.column0;
    for (let row = part.row0; row < part.row1; row++) {
      const from = (row - part.row0) * width;
      out.set(inside.subarray(from, from + width), (row - rect.row0) * columns + part.column0 - rect.column0);
    }
  }
  return out;
}

function iou(a: Uint8Array, b: Uint8Array): number {
  let [both, either] = [0, 0];
  a.forEach((inside, i) => {
    both += inside & b[i]!;
    either += inside | b[i]!;
  });
  return either ? both / either : 0;
}

function sizeOf({ row0, row1, column0, column1 }: Rect): ISize {
  return { rows: row1 - row0, columns: column1 - column0 };
}

/** The square of a side whose middle is nearest to a pixel; narrower where what SAM sees is. */
export function windowAround(seen: Rect, side: number, row: number, column: number): Rect {
  const span = (begin: number, end: number, at: number): [number, number] => {
    const length = Math.min(side, end - begin);
    const start = Math.min(Math.max(at - (length >> 1), begin), end - length);
    return [start, start + length];
  };
  const [row0, row1] = span(seen.row0, seen.row1, row);
  const [column0, column1] = span(seen.column0, seen.column1, column);
  return { row0, row1, column0, column1 };
}
