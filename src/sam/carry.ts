/**
 * An object carried from slice to slice of a stack: its mask on one slice is the prompt on the next one, until it fades. No video model is needed.
 *
 * On the next slice SAM gets the object's deepest point, its box and its mask. The answer counts if SAM also sees it from the point alone:
 * where an object has ended, box and mask still make SAM draw something, but the point gives the ground.
 */
import { DecoderManifest } from '../shared/models';
import type { ICandidates } from './decoder';
import { frameSize, IPromptPoint, IPrompts, ISize } from './prompts';

/** The object on a slice. */
export interface ICarried {
  /** Logits of the padded frame. */
  lowRes: Float32Array;
  /** The quality that SAM predicts. */
  score: number;
}

/** Least overlap (IoU) of the masks on two slices, and of the mask with what the point alone gives. */
const OVERLAP_MIN = 0.5;
/** Least quality that SAM predicts. */
const SCORE_MIN = 0.6;

/**
 * The object on the next slice; null where it has ended.
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
): Promise<ICarried | null> {
  const prompts = promptsOf(before, size, manifest);
  if (!prompts) {
    return null;
  }
  const { lowRes, scores, single } = await decode(prompts);
  const masks = [...lowRes.map((mask, i) => ({ lowRes: mask, score: scores[i]! })), ...(single ? [single] : [])];
  const best = nearest(masks, before);
  if (!best || overlap(best.lowRes, before) < OVERLAP_MIN || best.score < SCORE_MIN) {
    return null;
  }
  const alone = await decode({ points: prompts.points });
  const seen = alone.lowRes.some(mask => overlap(mask, best.lowRes) >= OVERLAP_MIN);
  return seen ? best : null;
}

function nearest(masks: readonly ICarried[], before: Float32Array): ICarried | null {
  let best: ICarried | null = null;
  let most = -1;
  for (const mask of masks) {
    const value = overlap(mask.lowRes, before);
    if (value > most) {
      [best, most] = [mask, value];
    }
  }
  return best;
}

/** The deepest point of a mask, its box, and the mask itself as prompts, in pixels of a slice; null for an empty mask. */
function promptsOf(mask: Float32Array, size: ISize, manifest: DecoderManifest): IPrompts | null {
  const side = manifest.decoder.maskSize;
  const frame = frameSize(size, manifest.encoder.size, manifest.encoder.resize);
  const step = side / manifest.encoder.size;
  const [rows, columns] = [Math.round(frame.rows * step), Math.round(frame.columns * step)];
  const depth = depths(mask, side, rows, columns);
  let [deepest, top, bottom, left, right] = [-1, rows, -1, columns, -1];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * side + column;
      if (mask[at]! > 0) {
        [top, bottom] = [Math.min(top, row), Math.max(bottom, row)];
        [left, right] = [Math.min(left, column), Math.max(right, column)];
        deepest = deepest < 0 || depth[at]! > depth[deepest]! ? at : deepest;
      }
    }
  }
  if (deepest < 0) {
    return null;
  }
  const [down, across] = [size.rows / rows, size.columns / columns];
  const point: IPromptPoint = {
    row: Math.min((Math.floor(deepest / side) + 0.5) * down - 0.5, size.rows - 1),
    column: Math.min(((deepest % side) + 0.5) * across - 0.5, size.columns - 1),
    label: 1
  };
  const box = {
    row0: Math.max(0, Math.floor((top - 1) * down)),
    row1: Math.min(size.rows, Math.ceil((bottom + 2) * down)),
    column0: Math.max(0, Math.floor((left - 1) * across)),
    column1: Math.min(size.columns, Math.ceil((right + 2) * across))
  };
  return { points: [point], box, mask };
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

/** The overlap (IoU) of two masks. */
function overlap(one: Float32Array, other: Float32Array): number {
  let [both, either] = [0, 0];
  for (let i = 0; i < one.length; i++) {
    const [a, b] = [one[i]! > 0, other[i]! > 0];
    both += a && b ? 1 : 0;
    either += a || b ? 1 : 0;
  }
  return either ? both / either : 0;
}
