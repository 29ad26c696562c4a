/** The correction of the segmentation, beside its strokes, which are patches of that layer. Each change is one step. */
import { z } from 'zod';
import { CLASSES_MAX, MAJORITY_RADIUS_MAX } from '../limits';
import { MethodTable, zCount, zNatural, zSessionId } from './types';

/** How to clean the segmentation with its corrections (`engine/core/cleaning.ts`). */
export const zCleaning = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('islands'), below: zNatural, class: zNatural.max(CLASSES_MAX).optional() }),
  z.object({ kind: z.literal('holes'), below: zNatural, class: zNatural.max(CLASSES_MAX) }),
  z.object({ kind: z.literal('majority'), radius: zNatural.max(MAJORITY_RADIUS_MAX) })
]);

/** A slice, or all; and rows and columns of it, the ends exclusive, or all. */
const zPart = z.object({
  session: zSessionId,
  slice: zCount.optional(),
  rows: z.tuple([zCount, zNatural]).optional(),
  columns: z.tuple([zCount, zNatural]).optional()
});
export type Part = z.infer<typeof zPart>;

const zChanged = z.object({ version: zCount, changed: zCount });

export const CORRECTION_METHODS = {
  /** Clean the corrected segmentation of a slice, or of the whole volume; what changes becomes correction. */
  'correction.clean': {
    params: z.object({ session: zSessionId, slice: zCount.optional(), cleaning: zCleaning }),
    result: zChanged
  },
  /** Make the correction of a part labels, over older ones. It stays in the correction as well. */
  'correction.use': { params: zPart, result: zChanged },
  /** Remove the correction of a part. */
  'correction.clear': { params: zPart, result: zChanged }
} as const satisfies MethodTable;
