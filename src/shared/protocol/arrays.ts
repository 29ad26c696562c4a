/** Staged arrays: shared files that hand an array over with a request or a reply. */
import { z } from 'zod';
import { MethodTable, zArray, zDtype, zShape, zStagedId } from './types';

export const ARRAY_METHODS = {
  /** Make a shared file for the caller to fill. It belongs to the connection and is deleted with it. */
  'array.stage': {
    params: z.object({ dtype: zDtype, shape: zShape }),
    result: z.object({ staged: zStagedId, array: zArray })
  },
  'array.release': { params: z.object({ staged: zStagedId }), result: z.object({}) }
} as const satisfies MethodTable;
