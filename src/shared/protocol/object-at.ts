/** An object of the segmentation, or of the labels, as the user points at it. */
import { z } from 'zod';
import { MethodTable, zCount, zNatural, zSessionId } from './types';

export const OBJECT_AT_METHODS = {
  /**
   * The object at a pixel: the pixels that are connected with it along rows and columns and have its class, in the segmentation with the labels on top, or
   * in the labels where there is no segmentation. `box`: its rows and columns; `point`: the pixel deepest inside; `pixels`: how many it has. `invalid` for a
   * pixel outside the image, or without a class, or an object of more than `OBJECT_SIDE_MAX` rows or columns (`limits.ts`).
   */
  'object.at': {
    params: z.object({ session: zSessionId, slice: zCount, row: zCount, column: zCount }),
    result: z.object({
      class: zNatural,
      of: z.enum(['segmentation', 'labels']),
      box: z.object({ row0: zCount, row1: zNatural, column0: zCount, column1: zNatural }),
      point: z.object({ row: zCount, column: zCount }),
      pixels: zNatural
    }),
    repeat: true
  }
} as const satisfies MethodTable;
