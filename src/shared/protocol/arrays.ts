/** Staged arrays: shared files that hand an array over with a request or a reply. */
import { z } from 'zod';
import { MethodTable, zArray, zCount, zDtype, zShape, zStagedId } from './types';

export const ARRAY_METHODS = {
  /**
   * Make a shared file for the caller to fill. It belongs to the connection and is deleted with it. `ahead`: before it is known whether it is
   * needed, so no other session gives up its arrays for it, and its blocks are not reserved: the caller writes all of it, and may find the disk full.
   */
  'array.stage': {
    params: z.object({ dtype: zDtype, shape: zShape, ahead: z.boolean().optional() }),
    result: z.object({ staged: zStagedId, array: zArray })
  },
  /** The first bytes of a staged image [slices, rows, columns, channels] are written: its overview is begun with them. */
  'array.written': { params: z.object({ staged: zStagedId, bytes: zCount }), result: z.object({}) },
  'array.release': { params: z.object({ staged: zStagedId }), result: z.object({}) }
} as const satisfies MethodTable;
