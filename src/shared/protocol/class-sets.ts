/** Class sets: names and colours of classes that the user keeps under a name, for all sessions. */
import { z } from 'zod';
import { CLASS_NAME_MAX, CLASS_SETS_MAX, CLASSES_MAX } from '../limits';
import { zSession } from './session';
import { MethodTable, zClass, zSessionId } from './types';

const zSetName = z.string().min(1).max(CLASS_NAME_MAX);

/** A class set. Its classes have an order and no ids. */
export const zClassSet = z.object({
  name: zSetName,
  classes: z
    .array(zClass.omit({ id: true }))
    .min(1)
    .max(CLASSES_MAX)
    .refine(
      classes => new Set(classes.map(({ name }) => name)).size === classes.length,
      'class names must differ from each other'
    )
});
export type ClassSet = z.infer<typeof zClassSet>;

export const CLASS_SET_METHODS = {
  /** All class sets, by name. */
  'class-sets.list': {
    params: z.object({}),
    result: z.object({ sets: z.array(zClassSet).max(CLASS_SETS_MAX) }),
    repeat: true
  },
  /** Keep a set, in place of one of the same name. */
  'class-sets.save': { params: zClassSet, result: z.object({}) },
  /** Forget a set. */
  'class-sets.remove': { params: z.object({ name: zSetName }), result: z.object({}) },
  /**
   * Give a session the names and colours of a set, by position, as one step; ids stay. Classes beyond the set stay if they have labels.
   */
  'class-sets.use': { params: z.object({ session: zSessionId, name: zSetName }), result: zSession }
} as const satisfies MethodTable;
