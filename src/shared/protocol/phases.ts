/** Phase fractions with intervals; how they are computed is in `engine/core/phase-fractions.ts`. */
import { z } from 'zod';
import { CLASSES_MAX, PHASE_IMAGES_MAX } from '../limits';
import { MethodTable, zCount, zNatural, zSessionId, zStagedId } from './types';

/** A number, or null if it is not known. */
const zMaybe = z.number().nullable();
const zId = zNatural.max(CLASSES_MAX);

/** The phases of one image: what `phases.pool` needs of it. */
export const zImagePhases = z.object({
  /** Segmented pixels, over all slices and in a slice. */
  pixels: zCount,
  area: z.number().min(0),
  phases: z.array(
    z.object({
      id: zId,
      fraction: z.number().min(0).max(1),
      /** Variance of the fraction over fields of view of this size, its degrees of freedom, and the integral range in pixels. */
      variance: zMaybe,
      freedom: z.number().min(0),
      range: zMaybe,
      /** Of the probabilities: their mean less the fraction, and the mean of p (1 − p). */
      excess: zMaybe,
      doubt: zMaybe
    })
  )
});
export type ImagePhases = z.infer<typeof zImagePhases>;

/** A phase over one or more images. */
export const zPhaseFraction = z.object({
  id: zId,
  fraction: z.number(),
  /** The 95 % interval of the material's fraction; null if the images have only this phase, or not enough of them is known. */
  low: zMaybe,
  high: zMaybe,
  /** Standard error by the field of view and by the differences of images; null if unknown. */
  field: zMaybe,
  /** Standard error by the classification; null if unknown. */
  classification: zMaybe,
  /** The number of independent areas that the images are worth; null if unknown. */
  regions: zMaybe
});
export type PhaseFraction = z.infer<typeof zPhaseFraction>;

export const PHASE_METHODS = {
  /**
   * The phases of a session's corrected segmentation, in its region; or of a staged one, uint8 [slices, rows, columns] with 0 for pixels that do not
   * count, perhaps with staged probabilities, float32 [slices, rows, columns, classes], of the classes `ids`. `not-ready` for a session
   * without a segmentation.
   */
  'phases.measure': {
    params: z.union([
      z.object({ session: zSessionId }),
      z.object({
        segmentation: zStagedId,
        probabilities: z.object({ staged: zStagedId, ids: z.array(zId).min(1).max(CLASSES_MAX) }).optional()
      })
    ]),
    result: z.object({ image: zImagePhases, phases: z.array(zPhaseFraction) }),
    repeat: true
  },
  /**
   * The phases of several images as one. The request's buffer: JSON in UTF-8, a {@link zImagePhases} for each image. `weights`: the images' areas in one
   * unit; absent: their numbers of pixels.
   */
  'phases.pool': {
    params: z.object({ weights: z.array(z.number().min(0)).max(PHASE_IMAGES_MAX).optional() }),
    result: z.object({ phases: z.array(zPhaseFraction) }),
    repeat: true
  }
} as const satisfies MethodTable;
