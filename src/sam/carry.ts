/**
 * An object carried from slice to slice of a stack: its mask on one slice is the prompt on the next one, until it fades. No video model is needed.
 *
 * On the next slice SAM gets the object's deepest point, its box and its mask. The answer counts if SAM also sees it from the point alone:
 * where an object has ended, box and mask still make SAM draw something, but the point gives the ground.
 */
import { DecoderManifest } from '../shared/models';
import type { CarryEnd } from '../shared/protocol';
import { moved, Rect } from '../shared/rect';
import type { ICandidates } from './decoder';
import { maskBounds, samplesOf, samplesPerPixel } from './mask-shape';
import { maskOverlap } from './masks';
import { IPromptPoint, IPrompts, ISize } from './prompts';

/** The object on a slice. */
export interface ICarried {
  /** Logits of the padded frame. */
  lowRes: Float32Array;
  /** The quality that SAM predicts. */
  score: number;
}

/** Why an object is not on the next slice. */
export interface ILost {
  lost: Exclude<CarryEnd, 'stack' | 'reach'>;
}

/** Least overlap (IoU) of the masks on two slices, and of the mask with what the point alone gives. */
const OVERLAP_MIN = 0.5;
/** Least quality that SAM predicts. */
const SCORE_MIN = 0.6;

/**
 * The object on the next slice, or why it has ended.
 *
 * @param before logits of the object on the slice before, of the padded frame
 * @param size rows and columns of a slice
 * @param decode decodes prompts on the next slice
 */
export async function carried(
  before: Float32Array,
  size: ISize,
  manifest: DecoderManifest,
  decode: (prompts: IPrompts) => Promise<ICandidates>
): Promise<ICarried | ILost> {
  const prompts = maskPrompts(before, size, manifest);
  if (!prompts) {
    return { lost: 'unseen' };
  }
  const overlap = (one: Float32Array, other: Float32Array) => maskOverlap(one, other, size, manifest);
  const { lowRes, scores, single } = await decode(prompts);
  const masks = [...lowRes.map((mask, i) => ({ lowRes: mask, score: scores[i]! })), ...(single ? [single] : [])];
  let best: ICarried | null = null;
  let most = -1;
  for (const mask of masks) {
    const value = overlap(mask.lowRes, before);
    if (value > most) {
      [best, most] = [mask, value];
    }
  }
  if (!best || most < OVERLAP_MIN) {
    return { lost: 'changed' };
  }
  if (best.score < SCORE_MIN) {
    return { lost: 'unsure' };
  }
  const { lowRes: found } = best;
  const alone = await decode({ points: prompts.points });
  return alone.lowRes.some(mask => overlap(mask, found) >= OVERLAP_MIN) ? best : { lost: 'unseen' };
}

/** The deepest point of a mask, its box, and the mask itself as prompts, in pixels of the image; null for an empty mask. */
export function maskPrompts(mask: Float32Array, size: ISize, manifest: DecoderManifest): IPrompts | null {
  const side = manifest.decoder.maskSize;
  const { rows, columns } = samplesOf(size, manifest);
  const depth = depths(mask, side, rows, columns);
  let deepest = -1;
  for (let row = 0; row < rows; row++) {
    for (let at = row * side; at < row * side + columns; at++) {
      if (mask[at]! > 0 && (deepest < 0 || depth[at]! > depth[deepest]!)) {
        deepest = at;
      }
    }
  }
  if (deepest < 0) {
    return null;
  }
  const point: IPromptPoint = {
    row: Math.min(((Math.floor(deepest / side) + 0.5) * size.rows) / rows - 0.5, size.rows - 1),
    column: Math.min((((deepest % side) + 0.5) * size.columns) / columns - 0.5, size.columns - 1),
    label: 1
  };
  return { points: [point], box: maskBounds(mask, size, manifest), mask };
}

/** Steps to the nearest sample outside of a mask, in rows and columns; the edges of the image are outside. */
function depths(mask: Float32Array, side: number, rows: number, columns: number): Uint16Array {
  const depth = new Uint16Array(side * side);
  const at = (row: number, column: number) =>
    row < 0 || column < 0 || row >= rows || column >= columns ? 0 : depth[row * side + column]!;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const i = row * side + column;
      depth[i] = mask[i]! > 0 ? 1 + Math.min(at(row - 1, column), at(row, column - 1)) : 0;
    }
  }
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const i = row * side + column;
      depth[i] = Math.min(depth[i]!, 1 + at(row + 1, column), 1 + at(row, column + 1));
    }
  }
  return depth;
}

/** An object's mask in a window of an image. */
export interface ISeenMask {
  /** Logits of the window's padded frame. */
  lowRes: Float32Array;
  /** The window: rows and columns of the image. */
  seen: Rect;
}

/** Samples between a mask and the edge of its window below which the window moves. */
const MARGIN = 4;
/** The logit of samples that were outside of the window before. */
const OUTSIDE = -8;

/**
 * The window to go on with on the next slice: the same, or one of the same size around the object if that has come near to an edge, and its mask there.
 *
 * @param all the rows and columns that windows may show
 */
export function followed(object: ISeenMask, all: Rect, manifest: DecoderManifest): ISeenMask {
  const { lowRes, seen } = object;
  const size = { rows: seen.row1 - seen.row0, columns: seen.column1 - seen.column0 };
  const side = manifest.decoder.maskSize;
  const scale = samplesPerPixel(size, manifest);
  const bounds = maskBounds(lowRes, size, manifest);
  const [high, wide] = [MARGIN / scale.down, MARGIN / scale.across];
  const leaves =
    (bounds.row0 < high && seen.row0 > all.row0) ||
    (bounds.column0 < wide && seen.column0 > all.column0) ||
    (bounds.row1 > size.rows - high && seen.row1 < all.row1) ||
    (bounds.column1 > size.columns - wide && seen.column1 < all.column1);
  if (!leaves) {
    return object;
  }
  /** Pixels by which an axis moves, so that the object is in the middle, as far as there is image. */
  const shift = (from: number, to: number, length: number, before: number, after: number) =>
    Math.min(Math.max(Math.round((from + to - length) / 2), -before), after);
  const { row0, row1, column0, column1 } = bounds;
  const down = shift(row0, row1, size.rows, seen.row0 - all.row0, all.row1 - seen.row1);
  const across = shift(column0, column1, size.columns, seen.column0 - all.column0, all.column1 - seen.column1);
  const [rows, columns] = [Math.round(down * scale.down), Math.round(across * scale.across)];
  const samples = samplesOf(size, manifest);
  const out = new Float32Array(lowRes.length).fill(OUTSIDE);
  for (let row = Math.max(0, -rows); row < Math.min(samples.rows, samples.rows - rows); row++) {
    const [first, end] = [Math.max(0, -columns), Math.min(samples.columns, samples.columns - columns)];
    const from = (row + rows) * side + columns;
    out.set(lowRes.subarray(from + first, from + Math.max(first, end)), row * side + first);
  }
  return { lowRes: out, seen: moved(seen, down, across) };
}
