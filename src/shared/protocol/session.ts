/** Sessions: an image or stack with its labels, classes and classifier. */
import { z } from 'zod';
import { zContrast } from '../contrast';
import { CLASSES_MAX, KEY_MAX, LEVEL_MAX, ORIGIN_MAX } from '../limits';
import { zClassifierInfo, zTrainingChoice } from './classifier-info';
import { zHistoryEnds } from './history';
import {
  MethodTable,
  zArray,
  zClasses,
  zCount,
  zDirection,
  zImage,
  zNatural,
  zRegion,
  zSessionId,
  zStagedId,
  zTileRef
} from './types';

/** Where a session was made: the notebook or script, and the variable, cell or function in it. */
export const zOrigin = z.object({
  document: z.string().max(ORIGIN_MAX.document),
  place: z.string().max(ORIGIN_MAX.place)
});

/** What the user marked classes with, by their ids; ids of removed classes may remain. */
export const zMarks = z.object({
  /** The tools of the widget do not change the labels of these classes. */
  locked: z.array(zNatural.max(CLASSES_MAX)).max(CLASSES_MAX),
  /** These classes are not drawn over the image. */
  hidden: z.array(zNatural.max(CLASSES_MAX)).max(CLASSES_MAX)
});
export type Marks = z.infer<typeof zMarks>;

/** Values of an image that are shown as black and white. */
const zRange = z
  .object({ low: z.number(), high: z.number() })
  .refine(({ low, high }) => low < high, 'the low end of a range must be below the high one');

/** The state of a session, without pixels. */
export const zSession = z.object({
  session: zSessionId,
  title: z.string(),
  image: zImage,
  /** False until the image's pixels are in their shared file. */
  imageReady: z.boolean(),
  classes: zClasses,
  marks: zMarks,
  /** The part of the image that is worked on: only its labels are learned, and only its pixels are segmented. Null: all of it. */
  region: zRegion.nullable(),
  labels: z.object({
    version: zCount,
    /** Labelled pixels of each class id. */
    counts: z.record(z.string(), zCount)
  }),
  /** What was drawn on the segmentation; null until that is done first. Counts as in `labels`. */
  correction: z.object({ version: zCount, counts: z.record(z.string(), zCount) }).nullable(),
  /**
   * The labels that the sidecar found when it opened the session for its first user: how many pixels, and when they last changed
   * (ISO 8601). Null if there were none, or if they were set aside since. The same for all users of the session.
   */
  resumed: z.object({ pixels: zNatural, changed: z.string() }).nullable(),
  /**
   * What damaged files have cost, found when the sidecar opened the session; null if they were whole. The same for all users, until the
   * session is opened the next time.
   */
  recovered: z
    .object({
      /** When, ISO 8601: tells two recoveries apart. */
      at: z.string(),
      /** Labelled pixels that were kept. */
      pixels: zCount,
      /** Strokes and other changes of the labels that are lost. */
      lostChanges: zCount,
      /** Labelled pixels that are lost beside those of `lostChanges`; null if unknown. */
      lostPixels: zCount.nullable(),
      /** Whether more may be lost, because bytes are damaged of which nothing is known. */
      lostMore: z.boolean(),
      /** Where `lostPixels` are. */
      lostRows: z.array(z.object({ slice: zCount, row0: zCount, row1: zNatural })),
      /** Damaged bytes. */
      lostBytes: zCount,
      /** Paths of the damaged files, which are kept. */
      copies: z.array(z.string()),
      /** All this in words. */
      text: z.string()
    })
    .nullable(),
  segmentation: z
    .object({
      version: zCount,
      /** The round of live segmentation, or the training, that made it. A browser that got that round's tiles need not fetch them again. Absent if no round made it. */
      round: zCount.optional(),
      /** Share of the tiles that are made, below 1 if the training was cancelled on the way: the others are 0. Absent if all are made. */
      part: z.number().min(0).max(1).optional(),
      /** The region grew since: the segmentation is 0 in the rest of it, until a training or `segment` makes it. */
      outgrown: z.literal(true).optional(),
      /** The classifier learned in another region than the one that is worked on now. */
      learnedElsewhere: z.literal(true).optional(),
      classifier: zClassifierInfo,
      /** Pixels of each class id over all slices, with the labels on top; absent until they are counted. */
      counts: z.record(z.string(), zCount).optional()
    })
    .nullable(),
  /** There is a classifier, but its segmentation was freed with the memory of the session: a training or `segment` makes it again. */
  segmentationFreed: z.literal(true).optional(),
  history: zHistoryEnds,
  /** Whether each change of the labels starts a training and a segmentation at once. */
  live: z.boolean(),
  /** The features and the learner of the next training: those of the last training, or a later choice. */
  choice: zTrainingChoice,
  /** The SAM model that suggests: its id, or the path of its folder. Absent: MobileSAM. */
  samModel: z.string().optional(),
  /** How the image is shown, which is what SAM sees for prompts; absent: the range `image.display`. */
  contrast: zContrast.optional(),
  arrays: z.record(z.string(), zArray)
});
export type SessionState = z.infer<typeof zSession>;

export const SESSION_METHODS = {
  /**
   * Find the session of `key`, or make it. Python only. `keepClasses` keeps the classes of a session that exists. `staged` has the image's pixels:
   * a session without an array for them takes this one, and `imageReady` is true. Else, or if the request fails, the array is removed.
   */
  'session.open': {
    params: z.object({
      key: z.string().min(1).max(KEY_MAX),
      title: z.string().max(KEY_MAX),
      /** Null if the key is a name. */
      origin: zOrigin.nullable().optional(),
      image: zImage,
      classes: zClasses,
      keepClasses: z.boolean(),
      /** True sets existing labels aside and begins without any. */
      fresh: z.boolean(),
      /** True if the caller had the session open and opens it again after the sidecar restarted: `resumed` is then null. */
      again: z.boolean().optional(),
      staged: zStagedId.optional()
    }),
    result: zSession
  },
  /** Join a session: from now on this peer gets the session's events. */
  'session.attach': { params: z.object({ session: zSessionId }), result: zSession, repeat: true },
  'session.detach': { params: z.object({ session: zSessionId }), result: z.object({}), repeat: true },
  /**
   * Set the classes. `relabel`: [old id, new id] of classes whose labels change in the same step, 0 for unlabelled; so classes are merged,
   * or removed with their labels. `invalid` if a class with labels is missing.
   */
  'session.classes': {
    params: z.object({
      session: zSessionId,
      classes: zClasses,
      relabel: z
        .array(z.tuple([zNatural.max(CLASSES_MAX), zCount.max(CLASSES_MAX)]))
        .max(CLASSES_MAX)
        .optional()
    }),
    result: zSession
  },
  /** Mark classes, instead of those that were marked before. No step that can be undone. */
  'session.marks': { params: zMarks.extend({ session: zSessionId }), result: zSession },
  /**
   * Work on a part of the image; null: on all of it. Labels outside stay and are not used. No step that can be undone: it changes neither
   * labels nor classes. `invalid` if the image does not have it.
   */
  'session.region': {
    params: z.object({ session: zSessionId, region: zRegion.nullable() }),
    result: zSession
  },
  /** Set the labels aside (they stay in the session's folder) and begin without any. */
  'session.fresh': { params: z.object({ session: zSessionId }), result: zSession },

  /** Python has written the pixels to `arrays.image`. */
  'image.ready': { params: z.object({ session: zSessionId }), result: zSession },
  /**
   * A tile of the image for display. Level l is the image reduced 2^l times by means; tiles count from the upper left of that level.
   * One buffer: rows × columns × channels values of `dtype`. 8-bit images are sent unchanged; all others are scaled so that
   * `range.low` becomes 0 and `range.high` becomes 65535; by default those of the image's `display`.
   */
  'image.tile': {
    params: z.object({
      session: zSessionId,
      direction: zDirection,
      slice: zCount,
      level: zCount.max(LEVEL_MAX),
      row: zCount,
      column: zCount,
      range: zRange.optional()
    }),
    result: z.object({ rows: zNatural, columns: zNatural, channels: zNatural, dtype: z.enum(['uint8', 'uint16']) }),
    repeat: true
  },
  /** How often grey values occur in the image, from about a million of them. */
  'image.histogram': {
    params: z.object({ session: zSessionId }),
    result: z.object({
      /** The values at the middle of the first and of the last bin. Values beyond them are not counted. */
      low: z.number(),
      high: z.number(),
      /** For each channel the number of values in each bin. */
      counts: z.array(z.array(zCount)),
      /** Ranges without this percentage of the values at either end; 0: from the least to the largest value. */
      cuts: z.array(z.object({ percent: z.number(), low: z.number(), high: z.number() }))
    }),
    repeat: true
  },
  /**
   * The region of a pixel: connected by edges, and different from it by at most `tolerance`, in the image's values, in every channel. One
   * buffer for each tile of {@link LABEL_TILE} pixels: a deflated bit mask, as in `labels.patch`. `too-large` for more than FLOOD_TILES_MAX tiles.
   */
  'image.flood': {
    params: z.object({
      session: zSessionId,
      direction: zDirection,
      slice: zCount,
      row: zCount,
      column: zCount,
      tolerance: z.number().min(0)
    }),
    result: z.object({ tiles: z.array(zTileRef) }),
    repeat: true
  },
  /** The values of a pixel, one for each channel. */
  'image.pixel': {
    params: z.object({ session: zSessionId, direction: zDirection, slice: zCount, row: zCount, column: zCount }),
    result: z.object({ values: z.array(z.number()) }),
    repeat: true
  }
} as const satisfies MethodTable;
