/**
 * Requests that the notebook's kernel answers itself, in Python (`sambalab/labeller/widget_files.py`): files, their formats, and images. The
 * relay takes them out of the browser's messages by the beginning of their names. They have no chunks: their buffers are below CHUNK_BYTES.
 *
 * Paths without a folder are beside the notebook.
 */
import { z } from 'zod';
import { KEY_MAX, NAME_MAX } from '../limits';
import { MethodTable, zCount, zSessionId } from './types';

/** What can be saved: the names of Python's `Labeller.save`, in its order. */
const zSavedArray = z.string().max(NAME_MAX);

/** A file format of labels and results, as `sambalab/files/exports/formats.py` lists it. */
export const zSavedFormat = z.object({
  /** The end of its files' names, with the dot. */
  ending: z.string().max(NAME_MAX),
  title: z.string(),
  description: z.string(),
  /** Whether it holds more than one slice. */
  stacks: z.boolean(),
  /** What it can hold. */
  arrays: z.array(zSavedArray),
  /** What it can hold with ids spread over 0 to 255. */
  spreads: z.array(zSavedArray)
});
export type SavedFormat = z.infer<typeof zSavedFormat>;

/** A file: its path as the kernel knows it, or the id of one that was uploaded. */
const PLACE = { session: zSessionId, path: z.string().optional(), upload: z.string().max(NAME_MAX).optional() };

export const KERNEL_METHODS = {
  /** What can be saved, in which formats, and which files beside the notebook may hold labels, the latest first. */
  'kernel.files': {
    params: z.object({ session: zSessionId }),
    result: z.object({
      folder: z.string(),
      /** The name of the image's file without its ending. */
      stem: z.string(),
      arrays: z.array(zSavedArray),
      formats: z.array(zSavedFormat),
      files: z.array(z.string())
    })
  },
  /** Save an array. `saved` is false if the file exists and `replace` is false: nothing is written then. */
  'kernel.save': {
    params: z.object({
      session: zSessionId,
      path: z.string(),
      what: zSavedArray,
      /** What an overlay shows, and its opacity. */
      of: z.enum(['segmentation', 'labels']).optional(),
      alpha: z.number().min(0).max(1).optional(),
      /** One slice; absent: all. */
      slice: zCount.optional(),
      spread: z.boolean().optional(),
      replace: z.boolean()
    }),
    result: z.object({ path: z.string(), saved: z.boolean() })
  },
  /** A part of a file from the user's computer, one buffer, at an offset of bytes. `upload` names the file in later requests. */
  'kernel.upload': {
    params: z.object({
      session: zSessionId,
      upload: z.string().max(NAME_MAX),
      name: z.string().max(KEY_MAX),
      offset: zCount
    }),
    result: z.object({})
  },
  /**
   * Open a file as labels, in place of all labels. Without `sure`, a file that looks like an image is not opened: `kind` is then `image`,
   * `fits` tells whether it could be labels, and `problem` why not. Fails with `invalid` if the file is neither.
   */
  'kernel.open': {
    params: z.object({ ...PLACE, sure: z.boolean() }),
    result: z.object({
      kind: z.enum(['labels', 'image']),
      /** The file's name. */
      path: z.string(),
      fits: z.boolean(),
      /** Whether the ids were spread over 0 to 255. */
      spread: z.boolean(),
      /** Why an image does not fit, or what may be wrong with labels: pixels of another size. */
      problem: z.string()
    })
  },
  /** The code of a cell that labels the image in a file. An uploaded file is put beside the notebook first. */
  'kernel.cell': { params: z.object(PLACE), result: z.object({ source: z.string(), path: z.string() }) }
} as const satisfies MethodTable;
