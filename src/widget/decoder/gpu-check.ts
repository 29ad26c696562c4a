/**
 * Whether the GPU's masks are those of WebAssembly. GPUs' drivers and WebGPU's compilers have had errors that give wrong masks without any message, so none is
 * shown before a few were compared.
 */
import type { ICandidates, IPrompts, ISize } from '../../sam';

/** Least overlap (IoU) of a mask with that of WebAssembly, and the largest difference of the qualities that SAM predicts. */
const OVERLAP_MIN = 0.95;
const SCORE_OFF_MAX = 0.05;
/** Samples whose logits are nearer to the border, 0, than this count as neither in nor out. */
const NEAR_BORDER = 0.25;

/**
 * Prompts of the kinds that users give, on an image of this size: a point, two points, a box, three points with a mask. The mask stands for one of the answers
 * to the first prompt.
 */
export function checkPrompts({ rows, columns }: ISize): IPrompts[] {
  const at = (row: number, column: number, label: 0 | 1 = 1) => ({
    row: Math.floor(row * rows),
    column: Math.floor(column * columns),
    label
  });
  const [middle, corner, beside] = [at(0.5, 0.5), at(0.2, 0.25, 0), at(0.55, 0.6)];
  const box = {
    row0: Math.floor(0.3 * rows),
    row1: Math.ceil(0.8 * rows),
    column0: Math.floor(0.2 * columns),
    column1: Math.ceil(0.6 * columns)
  };
  return [
    { points: [middle] },
    { points: [middle, corner] },
    { points: [], box },
    { points: [middle, corner, beside], mask: new Float32Array(0) }
  ];
}

/** How an answer differs from the one that is right, in words; null if it does not. */
export function difference(right: ICandidates, other: ICandidates): string | null {
  const masks = (of: ICandidates) => [...of.lowRes, ...(of.single ? [of.single.lowRes] : [])];
  const scores = (of: ICandidates) => [...of.scores, ...(of.single ? [of.single.score] : [])];
  const [rightMasks, otherMasks] = [masks(right), masks(other)];
  if (otherMasks.length !== rightMasks.length) {
    return `It gives ${otherMasks.length} masks instead of ${rightMasks.length}`;
  }
  const overlap = Math.min(...rightMasks.map((mask, i) => overlapOf(mask, otherMasks[i]!)));
  // Written so that NaN fails as well.
  if (!(overlap >= OVERLAP_MIN)) {
    return `One of its masks has an overlap (IoU) of ${overlap.toFixed(2)} with that of WebAssembly`;
  }
  const off = Math.max(...scores(right).map((score, i) => Math.abs(score - scores(other)[i]!)));
  return off <= SCORE_OFF_MAX ? null : `A score of its masks is off by ${off.toFixed(2)}`;
}

/** The overlap (IoU) of two masks of logits, 1 if both are empty. NaN where the right one has a number is a difference. */
function overlapOf(right: Float32Array, other: Float32Array): number {
  let [both, any] = [0, 0];
  right.forEach((logit, i) => {
    const its = other[i]!;
    if (Math.abs(logit) < NEAR_BORDER && Math.abs(its) < NEAR_BORDER) {
      return;
    }
    both += Number(logit > 0 && its > 0);
    any += Number(logit > 0 || its > 0 || (Number.isNaN(its) && !Number.isNaN(logit)));
  });
  return any === 0 ? 1 : both / any;
}
