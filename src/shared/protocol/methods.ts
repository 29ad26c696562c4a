/** All methods. A new method is one entry in its topic's table, and a handler in `kernel-server/src/methods`, or in Python for `kernel`. */
import { z } from 'zod';
import { ARRAY_METHODS } from './arrays';
import { BACKUP_METHODS } from './backups';
import { CLASS_SET_METHODS } from './class-sets';
import { CLASSIFIER_METHODS } from './classifier';
import { CORRECTION_METHODS } from './correction';
import { HISTORY_METHODS } from './history';
import { KERNEL_METHODS } from './kernel';
import { LABEL_METHODS } from './labels';
import { NEXT_REGION_METHODS } from './next-region';
import { OBJECT_AT_METHODS } from './object-at';
import { PHASE_METHODS } from './phases';
import { SAM_METHODS } from './sam';
import { SESSION_LIST_METHODS } from './session-list';
import { SESSION_METHODS } from './session';
import { SIDECAR_METHODS } from './sidecar';
import { TRAINING_METHODS } from './training';
import { IMethod } from './types';

export const METHODS = {
  ...SIDECAR_METHODS,
  ...SESSION_METHODS,
  ...SESSION_LIST_METHODS,
  ...CLASS_SET_METHODS,
  ...BACKUP_METHODS,
  ...LABEL_METHODS,
  ...CORRECTION_METHODS,
  ...HISTORY_METHODS,
  ...ARRAY_METHODS,
  ...SAM_METHODS,
  ...OBJECT_AT_METHODS,
  ...TRAINING_METHODS,
  ...NEXT_REGION_METHODS,
  ...PHASE_METHODS,
  ...CLASSIFIER_METHODS,
  ...KERNEL_METHODS
};

export type Method = keyof typeof METHODS;
/** The methods that the sidecar answers: all but the kernel's own. */
export type SidecarMethod = Exclude<Method, keyof typeof KERNEL_METHODS>;
export type Params<M extends Method> = z.infer<(typeof METHODS)[M]['params']>;
export type Result<M extends Method> = z.infer<(typeof METHODS)[M]['result']>;

/** Whether a request of this method may run twice under the same id ({@link IMethod.repeat}). */
export function isRepeatable(method: Method): boolean {
  const { repeat }: IMethod = METHODS[method];
  return repeat === true;
}
