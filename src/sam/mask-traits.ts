/** What a mask is judged by: how much of the image it covers, how stable it is, and in how many parts it lies. */
import { DecoderManifest } from '../shared/models';
import { connectedParts } from './connected-parts';
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
  const { runs, sizes } = connectedParts(lowRes, side, { rows, columns });
  const count = sizes.reduce((sum, part) => sum + part, 0);
  const clip = (index: number, end: number) => Math.min(Math.max(Math.floor(index), 0), end - 1);
  const row = clip(((at.row + 0.5) * rows) / size.rows, rows);
  const column = clip(((at.column + 0.5) * columns) / size.columns, columns);
  const own = runs.find(run => run.row === row && run.from <= column && column < run.to);
  return {
    coverage: count / (rows * columns),
    stability: stability(lowRes, size, manifest),
    connected: own ? sizes[own.part]! / count : 0,
    parts: Math.min(sizes.length, PARTS_MAX + 1)
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
