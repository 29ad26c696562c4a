/** What a mask is judged by: how much of the image it covers, how stable it is, and in how many parts it lies. */
import { DecoderManifest } from '../shared/models';
import { samplesOf } from './mask-shape';
import { stability } from './masks';
import type { ISize } from './prompts';

/** Parts of a mask beyond this number are not counted. */
export const PARTS_MAX = 20;

/** What a mask is judged by. Fractions are from 0 to 1. */
export interface IMaskTraits {
  /** The part of the image that the mask covers. */
  coverage: number;
  /** Overlap (IoU) of the masks of logits above 1 and above −1. */
  stability: number;
  /** The part of the mask that is connected with the point; 0 if the point is outside. */
  connected: number;
  /** Number of its connected parts; those beyond {@link PARTS_MAX} are counted as one. */
  parts: number;
}

/**
 * Judge a mask.
 *
 * @param lowRes logits of the padded frame, `maskSize`² of them
 * @param at the prompt's pixel
 * @param size of the image that the decoder saw
 */
export function maskTraits(
  lowRes: Float32Array,
  at: { row: number; column: number },
  size: ISize,
  manifest: DecoderManifest
): IMaskTraits {
  const side = manifest.decoder.maskSize;
  const { rows, columns } = samplesOf(size, manifest);
  const inside = new Uint8Array(rows * columns);
  let count = 0;
  for (let row = 0, to = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, to++) {
      inside[to] = lowRes[row * side + column]! > 0 ? 1 : 0;
      count += inside[to]!;
    }
  }
  const clip = (index: number, end: number) => Math.min(Math.max(Math.floor(index), 0), end - 1);
  const row = clip(((at.row + 0.5) * rows) / size.rows, rows);
  const column = clip(((at.column + 0.5) * columns) / size.columns, columns);
  const connected = connectedCount(inside, columns, row * columns + column);
  let parts = connected > 0 ? 1 : 0;
  for (let start = inside.indexOf(1); start >= 0 && parts <= PARTS_MAX; start = inside.indexOf(1, start)) {
    connectedCount(inside, columns, start);
    parts++;
  }
  return {
    coverage: count / (rows * columns),
    stability: stability(lowRes, size, manifest),
    connected: count > 0 ? connected / count : 0,
    parts
  };
}

/** Judge the masks of all scales, see {@link maskTraits}. */
export function traitsOf(
  lowRes: readonly Float32Array[],
  at: { row: number; column: number },
  size: ISize,
  manifest: DecoderManifest
): IMaskTraits[] {
  return lowRes.map(logits => maskTraits(logits, at, size, manifest));
}

/** Number of set samples that are connected with one, along rows and columns. Clears them. */
function connectedCount(inside: Uint8Array, columns: number, start: number): number {
  if (!inside[start]) {
    return 0;
  }
  const waiting = [start];
  inside[start] = 0;
  let count = 0;
  const visit = (index: number) => {
    if (inside[index]) {
      inside[index] = 0;
      waiting.push(index);
    }
  };
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    count++;
    const column = index % columns;
    visit(index - columns);
    visit(index + columns);
    if (column > 0) {
      visit(index - 1);
    }
    if (column < columns - 1) {
      visit(index + 1);
    }
  }
  return count;
}
