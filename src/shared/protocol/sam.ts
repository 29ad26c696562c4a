/** SAM's embedding, its decoder, and suggestions. */
import { z } from 'zod';
import { zContrast } from '../contrast';
import { MASK_GROW_MAX, MODEL_CHOICE_MAX, POINTS_MAX } from '../limits';
import { zDecoderManifest } from '../models';
import { zSamDevice } from './sam-device';
import { zSession } from './session';
import { MethodTable, zArray, zCount, zDigest, zNatural, zRect, zSessionId, zStagedId } from './types';

/** A point prompt: `label` 1 belongs to the object, 0 does not. Row and column are pixel indices, their centre at .0. */
export const zPoint = z.object({ row: z.number(), column: z.number(), label: z.union([z.literal(0), z.literal(1)]) });
export type PointPrompt = z.infer<typeof zPoint>;

/** How SAM's mask of an object is changed in shape. */
export const zObjectShape = z.object({
  /** Keep the connected part at the object's point alone. */
  connected: z.boolean(),
  /** Fill holes. */
  filled: z.boolean(),
  /** Smooth the border. */
  smooth: z.boolean(),
  /** Grow by so many pixels, or shrink if negative. */
  grow: z.number().int().min(-MASK_GROW_MAX).max(MASK_GROW_MAX),
  /** Move the border to the edges of the image. */
  edges: z.boolean()
});

/** Files of the model that were passed over: what is wrong with each, and what would do. Absent: none were. */
export const zProblem = z.string().optional();

/** A model of the SAM family, and whether its files are here. */
export const zSamModelInfo = z.object({
  id: z.string(),
  title: z.string(),
  /** SPDX identifier of the weights' licence. */
  license: z.string(),
  /** `broken`: files were found that are not the model's. */
  state: z.enum(['ready', 'broken', 'missing']),
  /** Where the files were found: by a path, in a folder of SAMBALAB_MODELS, of Jupyter's data directories or of Hugging Face's cache. Null: nowhere. */
  place: z.enum(['built-in', 'path', 'SAMBALAB_MODELS', 'jupyter', 'hugging-face']).nullable(),
  folder: z.string().nullable(),
  /** What is wrong, and what would do; of a model that is ready, with the files that were passed over. Null: nothing. */
  problem: z.string().nullable()
});
export type SamModelInfo = z.infer<typeof zSamModelInfo>;

/**
 * Why an object that is carried through a stack is on no further slice: the stack, or the part of it that is worked on, ends; no further one was asked for;
 * its outline changes by more than half; SAM is not sure of it; or SAM sees something else from a point inside it.
 */
export const zCarryEnd = z.enum(['stack', 'reach', 'changed', 'unsure', 'unseen']);
export type CarryEnd = z.infer<typeof zCarryEnd>;

/** Where an object ends before its first slice and after its last one. */
export const zCarryEnds = z.object({ before: zCarryEnd, after: zCarryEnd });
export type CarryEnds = z.infer<typeof zCarryEnds>;

export const SAM_METHODS = {
  /** The models that may suggest. */
  'sam.models': { params: z.object({}), result: z.object({ models: z.array(zSamModelInfo) }), repeat: true },
  /**
   * Choose the model that suggests in a session: its id, or the path of a folder with its files. Classifiers see MobileSAM as before. `model` if its
   * files are missing or wrong; the choice stays as it was then.
   */
  'sam.choose': {
    params: z.object({ session: zSessionId, model: z.string().min(1).max(MODEL_CHOICE_MAX) }),
    result: zSession
  },
  /**
   * The image is shown with this contrast; null: with the range `image.display`. SAM sees the same for prompts: embeddings of another contrast are removed,
   * and their requests end with `cancelled`. It is kept with the session until the image is replaced. Features and classifiers see the image as it is.
   */
  'sam.contrast': {
    params: z.object({ session: zSessionId, contrast: zContrast.nullable() }),
    result: zSession,
    repeat: true
  },
  /** Compute SAM's embedding of a slice, or of its part in the session's region, unless it is computed; it is then in the array `embedding` (float32 [slices, channels, rows, columns]). */
  'sam.embed': {
    params: z.object({ session: zSessionId, slice: zCount }),
    result: z.object({ device: zSamDevice, seconds: z.number(), array: zArray, problem: zProblem })
  },
  /**
   * Compute the embeddings of slices, those that are not computed yet, one after the other: one job whose stage `slices` counts them. With
   * `ahead` the reply does not wait for them, and the job ends when the session's last user leaves.
   */
  'sam.embed-slices': {
    params: z.object({
      session: zSessionId,
      slices: z.array(zCount).min(1),
      ahead: z.boolean().optional()
    }),
    result: z.object({ problem: zProblem })
  },
  /**
   * The same for the browser, or the embedding of a window, its rows and columns encoded as an image of their own. One buffer: the embedding as
   * float16 [channels, rows, columns]. `invalid` for a window that is not part of what SAM sees. `ahead`: the user does not see the place yet; the encoder
   * lays it aside for places that a user sees.
   */
  'sam.embedding': {
    params: z.object({ session: zSessionId, slice: zCount, window: zRect.optional(), ahead: z.boolean().optional() }),
    result: z.object({
      device: zSamDevice,
      seconds: z.number(),
      shape: z.tuple([zNatural, zNatural, zNatural]),
      /** The rows and columns that it is of: those of the window, or of the session's region. */
      within: zRect,
      problem: zProblem,
      /** Names it for `sam.decode`: what it was computed of, and by which model. */
      embedding: zDigest
    }),
    repeat: true
  },
  /**
   * Decode prompts on an embedding that `sam.embedding` gave, for a page that decodes slower itself. Rows and columns are those of the session's region,
   * or of the window. One buffer: SAM's masks by scale, then the single one if the model has it, as `packLogits` writes them (a byte a logit, maskSize²
   * for each), deflated: 0.15 MB instead of 1 MB. With neither points nor a box the embedding is only prepared, and there are no masks. A mask as a
   * prompt is not taken: the page has it, and decodes it. Nothing is encoded for it: `not-ready` if the embedding is not here any more, or if the
   * image, its region, its contrast or the model is another one since.
   */
  'sam.decode': {
    params: z.object({
      session: zSessionId,
      slice: zCount,
      /** As in `sam.embedding`. */
      window: zRect.optional(),
      /** Its name from `sam.embedding`. */
      embedding: zDigest,
      points: z.array(zPoint).max(POINTS_MAX),
      box: zRect.optional()
    }),
    result: z.object({
      /** The quality that SAM predicts for the mask of each scale, and for the single one; null for models without it. */
      scores: z.array(z.number()),
      single: z.number().nullable(),
      /** Whether the embedding was prepared before: else most of the time was spent on that. */
      prepared: z.boolean()
    }),
    repeat: true
  },
  /** The graph of the decoder of a session's model, and how to run it. One buffer, the graph, unless `known` is its digest. */
  'sam.decoder': {
    params: z.object({ session: zSessionId, known: zDigest.optional() }),
    result: z.object({ manifest: zDecoderManifest, digest: zDigest, bytes: zNatural }),
    repeat: true
  },
  /**
   * Decode the masks at some points: SAM's three scales, small to large, as a staged uint8 array [3, rows, columns] of 0 and 1,
   * and the quality that SAM predicts for each. With a window, as in `sam.embedding`, SAM sees that alone: the masks are 0 outside of it.
   */
  'sam.suggest': {
    params: z.object({
      session: zSessionId,
      slice: zCount,
      points: z.array(zPoint).min(1).max(POINTS_MAX),
      window: zRect.optional()
    }),
    result: z.object({ staged: zStagedId, array: zArray, scores: z.array(z.number()).length(3), problem: zProblem })
  },
  /**
   * Carry the object at a point through the slices before and after, until it fades: a staged uint8 array [slices, rows, columns] of 0 and 1, from the
   * slice `first` on, and the quality that SAM predicts on each. `invalid` if there is no object at the point.
   */
  'sam.carry': {
    params: z.object({
      session: zSessionId,
      slice: zCount,
      point: zPoint.omit({ label: true }),
      /** As in `sam.similar`. */
      scale: z.number().int().min(0).max(2).optional(),
      /** Slices that are looked at before and after; absent: all. */
      reach: zCount.optional()
    }),
    result: z.object({
      staged: zStagedId,
      array: zArray,
      first: zCount,
      scores: z.array(z.number()),
      ends: zCarryEnds,
      problem: zProblem
    })
  },
  /**
   * Draw the objects of a staged uint16 array [rows, columns], each by its number, anew, with its box, a pixel inside and its mask as prompts: a staged
   * array of the same kind. With `connected` the connected parts of what is not 0 are the objects. For each, in the order of numbers: its number, the
   * quality that SAM predicts, and the overlap (IoU) of SAM's mask with it; with less than a half it stays as it is. Where two overlap the one of
   * higher quality has the pixel. `invalid` for an array of another kind or without an object.
   */
  'sam.objects': {
    params: z.object({ session: zSessionId, slice: zCount, staged: zStagedId, connected: z.boolean() }),
    result: z.object({
      staged: zStagedId,
      array: zArray,
      numbers: z.array(zNatural),
      scores: z.array(z.number()),
      overlaps: z.array(z.number()),
      problem: zProblem
    })
  },
  /**
   * Find objects like the one at a point: a staged uint16 array [slices, rows, columns] with 1 in that object, 2 and up in the others, 0 elsewhere. For
   * each the quality that SAM predicts, and how similar its embedding is to that of the first, −1 to 1. `invalid` if there is no object at the point, or
   * there are more than 65,535.
   */
  'sam.similar': {
    params: z.object({
      session: zSessionId,
      slice: zCount,
      point: zPoint.omit({ label: true }),
      /** SAM's scale of the object at the point, 0 (small) to 2 (large); absent: the one that fits best. */
      scale: z.number().int().min(0).max(2).optional(),
      /**
       * `overview`: in what one look of SAM at the whole slice shows; `slice`: in windows over the slice, as large as the object asks for; `stack`: in those
       * of all slices. The array has all slices then, else one.
       */
      where: z.enum(['overview', 'slice', 'stack'])
    }),
    result: z.object({
      staged: zStagedId,
      array: zArray,
      scores: z.array(z.number()),
      similarities: z.array(z.number()),
      problem: zProblem
    })
  },
  /**
   * Find objects without a label that are like an example, in one of the windows over a slice that are as large as the example asks for. The windows of all
   * slices are the same, and counted from 0, those nearest to the example first. `windows`: how many there are; 0 if SAM does not see the example in windows
   * of its size. The example is a mask at a point; one buffer: its logits, of a decoder that saw the rows and columns `within` alone, as `packLogits` writes
   * them, deflated. The result has a buffer for each object: its pixels in its rectangle, in `shape`, row by row, a byte each, 0 and 1, deflated. After these, one
   * for each: the rows and columns `samples` of its logits as SAM gave them, as `packLogits` writes them, deflated. `seen`: what the decoder saw.
   */
  'sam.similar-window': {
    params: z.object({
      session: zSessionId,
      slice: zCount,
      window: zCount,
      example: z.object({ slice: zCount, point: zPoint.omit({ label: true }), within: zRect }),
      /** Absent: as SAM draws them. */
      shape: zObjectShape.optional()
    }),
    result: z.object({
      windows: zCount,
      objects: z.array(
        z.object({ point: z.object({ row: zCount, column: zCount }), rect: zRect, seen: zRect, samples: zRect })
      )
    })
  }
} as const satisfies MethodTable;
