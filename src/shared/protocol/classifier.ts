/** Classifiers: their files, and applying them to images that are handed over. */
import { z } from 'zod';
import { NAME_MAX } from '../limits';
import { zClassifierInfo, zForestMeaning } from './classifier-info';
import { zSession } from './session';
import { MethodTable, zArray, zSessionId, zStagedId } from './types';

/** Name of a file format of classifiers. `classifier.formats` lists the formats; each is a codec in `engine/codecs`. */
export const zClassifierFormat = z.string().max(NAME_MAX);
export type ClassifierFormat = z.infer<typeof zClassifierFormat>;

/** A file format of classifiers. */
export const zClassifierFormatInfo = z.object({
  name: zClassifierFormat,
  title: z.string(),
  /** One line for a menu or a tooltip. */
  description: z.string(),
  /** With its dot: `.json`. */
  extension: z.string(),
  mediaType: z.string(),
  /** Whether the sidecar writes such files. */
  writes: z.boolean(),
  /** Whether the sidecar reads such files. */
  reads: z.boolean()
});
export type ClassifierFormatInfo = z.infer<typeof zClassifierFormatInfo>;

export const CLASSIFIER_METHODS = {
  /** The file formats of classifiers. */
  'classifier.formats': {
    params: z.object({}),
    result: z.object({ formats: z.array(zClassifierFormatInfo) }),
    repeat: true
  },
  /**
   * The session's classifier as a file: one buffer. Fails with `invalid` if the format does not exist or cannot express the classifier:
   * ONNX, for example, cannot express all features, and the message names those.
   */
  'classifier.export': {
    params: z.object({ session: zSessionId, format: zClassifierFormat }),
    result: z.object({ mediaType: z.string(), extension: z.string() })
  },
  /** The same for the classifier in the request's buffer (as `classifier.get` sends it). */
  'classifier.convert': {
    params: z.object({ format: zClassifierFormat }),
    result: z.object({ mediaType: z.string(), extension: z.string() })
  },
  /** Read a classifier's file (the request's buffer), whose format is known by its content. One buffer: its JSON, checked. */
  'classifier.read': {
    params: z.object({ meaning: zForestMeaning.optional() }),
    result: zClassifierInfo
  },
  /**
   * Take a classifier (the request's buffer, as for `classifier.read`) over into a session and segment all slices with it. Fails with
   * `invalid` if the image has another number of channels, or the labels have classes that the classifier does not know.
   */
  'classifier.load': { params: z.object({ session: zSessionId }), result: zSession },
  /** The session's classifier, complete: one buffer of JSON in UTF-8 (`engine/core/classifier.ts`). */
  'classifier.get': { params: z.object({ session: zSessionId }), result: zClassifierInfo },
  /**
   * The reduced embedding of a staged image that a classifier (the request's buffer) uses, as its ONNX form takes it: one staged float32 array
   * [slices, components, rows, columns] for each layer. Each of its values covers `cell` pixels of the image. No array if the
   * classifier uses no embedding.
   */
  'classifier.embedding': {
    params: z.object({ staged: zStagedId }),
    result: z.object({
      maps: z.array(z.object({ name: z.string(), staged: zStagedId, array: zArray, cell: z.number().positive() }))
    })
  },
  /**
   * Apply a classifier (the request's buffer, as `classifier.get` sends it) to a staged image [slices, rows, columns, channels].
   * The result is staged too: labels uint8 [slices, rows, columns], or probabilities float32 [slices, rows, columns, classes].
   */
  'classifier.apply': {
    params: z.object({ staged: zStagedId, output: z.enum(['labels', 'probabilities']) }),
    result: z.object({ staged: zStagedId, array: zArray })
  }
} as const satisfies MethodTable;
