/** The steps of a session that can be undone and made again: changes of labels and of classes, whoever made them. */
import { z } from 'zod';
import { CLASSES_MAX, FILE_NAME_MAX, TOOL_NAME_MAX } from '../limits';
import { MethodTable, zCount, zLayer, zSessionId } from './types';

/** What decided where labels are: a hand, SAM's suggestion, the interpolation between slices, or Python. */
export const zProvenance = z.enum(['hand', 'sam', 'interpolation', 'python']);
export type Provenance = z.infer<typeof zProvenance>;

/** What made a change: where it comes from, the name of the tool or command, and of the file whose labels it took. */
export const zMadeBy = z.object({
  provenance: zProvenance,
  tool: z.string().min(1).max(TOOL_NAME_MAX),
  file: z.string().min(1).max(FILE_NAME_MAX).optional()
});
export type MadeBy = z.infer<typeof zMadeBy>;

/** A step. */
export const zHistoryStep = zMadeBy.extend({
  /** When it was made, ISO 8601. */
  at: z.string(),
  /** Pixels whose label it changed. */
  pixels: zCount,
  /** What it changed; absent: the labels or the classes. */
  layer: zLayer.optional(),
  /** Slice and class of the labels, for a change of one class in one slice; class 0 is unlabelled. */
  slice: zCount.optional(),
  class: zCount.max(CLASSES_MAX).optional()
});
export type HistoryStep = z.infer<typeof zHistoryStep>;

/** The steps that `history.undo` and `history.redo` would take; null if there is none. */
export const zHistoryEnds = z.object({ undo: zHistoryStep.nullable(), redo: zHistoryStep.nullable() });
export type HistoryEnds = z.infer<typeof zHistoryEnds>;

const zMoved = z.object({ version: zCount, changed: zCount });

export const HISTORY_METHODS = {
  /** Undo the last step. `invalid` if there is none. */
  'history.undo': { params: z.object({ session: zSessionId }), result: zMoved },
  /** Make the step again that was undone last. `invalid` if there is none. */
  'history.redo': { params: z.object({ session: zSessionId }), result: zMoved },
  /** The steps, the oldest first; the first `position` of them are done, the rest are undone. */
  'history.list': {
    params: z.object({ session: zSessionId }),
    result: z.object({ steps: z.array(zHistoryStep), position: zCount }),
    repeat: true
  }
} as const satisfies MethodTable;
