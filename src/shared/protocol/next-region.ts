/** Where to label next: the classifier's uncertainty and probabilities, and regions worth labelling. */
import { z } from 'zod';
import { CLASSES_MAX, REGION_SIDE, REGIONS_MAX, REQUEST_TILES_MAX } from '../limits';
import { MethodTable, zCount, zLevel, zNatural, zSessionId, zSliceRect, zTileRef } from './types';

/** How uncertainty is measured: 1 − (highest − second highest probability), or 1 − highest probability. */
export const zUncertaintyMeasure = z.enum(['margin', 'maximum']);
export type UncertaintyMeasure = z.infer<typeof zUncertaintyMeasure>;

/** A region that is worth labelling, and why. */
export const zSuggestedRegion = zSliceRect.extend({
  reason: z.enum(['uncertain', 'representative', 'unusual']),
  /**
   * `uncertain`: mean uncertainty of the region's pixels. `representative`: the share of the image that looks like it. `unusual`: its
   * distance from the regions that are most like it.
   */
  score: z.number()
});
export type SuggestedRegion = z.infer<typeof zSuggestedRegion>;

export const NEXT_REGION_METHODS = {
  /**
   * Uncertainty for an overlay: tiles of {@link LABEL_TILE} pixels, one buffer each, compressed as in `feature.tiles`. Byte 0 stands for 0 and
   * 255 for 1. At `level` l each pixel is the mean of up to 2^l × 2^l pixels. Fails with `not-ready` without a classifier.
   */
  'uncertainty.tiles': {
    params: z.object({
      session: zSessionId,
      slice: zCount,
      measure: zUncertaintyMeasure,
      level: zLevel.optional(),
      tiles: z.array(zTileRef).min(1).max(REQUEST_TILES_MAX)
    }),
    result: z.object({ version: zCount, low: z.number(), high: z.number() }),
    repeat: true
  },
  /**
   * The probability of one class for an overlay, as `uncertainty.tiles` sends uncertainty. Fails with `invalid` if the classifier does not
   * know the class.
   */
  'probability.tiles': {
    params: z.object({
      session: zSessionId,
      slice: zCount,
      class: zNatural.max(CLASSES_MAX),
      level: zLevel.optional(),
      tiles: z.array(zTileRef).min(1).max(REQUEST_TILES_MAX)
    }),
    result: z.object({ version: zCount, low: z.number(), high: z.number() }),
    repeat: true
  },
  /**
   * Where labels help most, the best first: square regions of `side` pixels without labels, over all slices. `uncertainty`: the regions
   * with the highest mean uncertainty, none of which overlap. `embedding`, which needs no labels: representative and unusual regions in
   * turn. `auto`: by uncertainty if there is a classifier, else by embedding.
   */
  regions: {
    params: z.object({
      session: zSessionId,
      count: zNatural.max(REGIONS_MAX),
      by: z.enum(['auto', 'uncertainty', 'embedding']),
      measure: zUncertaintyMeasure.optional(),
      /** Absent: `REGION_SIDE.default`. */
      side: zNatural.min(REGION_SIDE.minimum).max(REGION_SIDE.maximum).optional(),
      /** Only these slices; absent: all. */
      slices: z.array(zCount).min(1).max(100_000).optional()
    }),
    result: z.object({ by: z.enum(['uncertainty', 'embedding']), regions: z.array(zSuggestedRegion) })
  }
} as const satisfies MethodTable;
