/**
 * The protocol: every request, reply and event that passes between the browser, Python and the sidecar, defined once.
 *
 * A request is `{v, id, method, params}` with buffers; its reply `{v, re, result}` or `{v, re, error: {code, message}}`.
 * The sidecar also sends events `{v, event, params}` to everyone attached to the session they concern.
 *
 * A request may be sent again under the same id: the sidecar carries it out once and repeats its reply.
 * `cancel` names the id of a running request, which then fails with `cancelled`.
 *
 * Pixels: arrays are [slice, row, column(, channel)], a single image is one slice. Tiles are square, clipped at the image's
 * right and lower edge, and named by tile row and tile column.
 */
import { z } from 'zod';
import { BridgeError, ERROR_CODES } from './errors';
import { zDecoderManifest } from './models';
import { SliceRect } from './rect';

/** Side of an image tile in pixels. */
export const IMAGE_TILE = 512;
/** Side of a tile of labels or of the segmentation in pixels. */
export const LABEL_TILE = 256;
/** Class ids run from 1 to this; 0 is unlabelled. */
export const CLASSES_MAX = 255;
/** Radius of the filter that smooths probabilities, at most. */
export const REFINE_MAX = 32;

const count = z.number().int().nonnegative();
const natural = z.number().int().positive();
const sessionId = z.string().regex(/^[0-9a-f]{16,64}$/, 'a session id: 16 to 64 hexadecimal digits');
const stagedId = z.string().regex(/^[0-9a-f]{16,64}$/, 'a staged id: 16 to 64 hexadecimal digits');
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 digest: 64 hexadecimal digits');

/** Element types of shared arrays, named as NumPy names them; little endian. */
export const zDtype = z.enum(['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'float32', 'float64']);
export type Dtype = z.infer<typeof zDtype>;

/** An array in a file that several processes see: C order, no header. */
export const zArray = z.object({
  path: z.string(),
  dtype: zDtype,
  shape: z.array(count).min(1).max(4),
  /** Rises whenever the content changes. */
  version: count
});
export type ArrayDescriptor = z.infer<typeof zArray>;

/** A class, or phase: its id is what stands in the label arrays. */
export const zClass = z.object({
  id: natural.max(CLASSES_MAX),
  name: z.string().min(1).max(200),
  color: z.string().regex(/^#[0-9a-f]{6}$/, 'a colour as #rrggbb')
});
export type LabelClass = z.infer<typeof zClass>;
const classes = z
  .array(zClass)
  .min(1)
  .max(CLASSES_MAX)
  .refine(list => new Set(list.map(item => item.id)).size === list.length, 'class ids that differ from each other');
/** Classes as they are given: their names differ too. What was kept by an older version may not be so, and is still read. */
const newClasses = classes.superRefine((list, context) => {
  const names = list.map(item => item.name);
  const twice = [...new Set(names.filter((name, i) => names.indexOf(name) !== i))];
  if (twice.length > 0) {
    const named = twice.map(name => JSON.stringify(name)).join(', ');
    context.addIssue({ code: 'custom', message: `class names that differ from each other; more than one is ${named}` });
  }
});

/** Side of a pixel in some unit, `nm` for example. */
export const zPixelSize = z.object({ value: z.number().positive(), unit: z.string().min(1).max(20) });
export type PixelSize = z.infer<typeof zPixelSize>;

/** What an image is. `shape` is always [slices, rows, columns, channels] with 1 or 3 channels. */
export const zImage = z.object({
  shape: z.tuple([natural, natural, natural, z.union([z.literal(1), z.literal(3)])]),
  dtype: zDtype,
  /** SHA-256 over dtype, shape and pixels. */
  digest,
  /** The values shown as black and white: for integers of 8 bits 0 and 255, else the 0.1 and 99.9 percentile. */
  display: z.object({ low: z.number(), high: z.number() }),
  /** Null or absent where nobody said it. */
  pixelSize: zPixelSize.nullable().optional()
});
export type ImageInfo = z.infer<typeof zImage>;

/**
 * Which features the classifier sees, as somebody chose them: a spec (`features.ts`) or what differs from the set `samba`. The engine
 * checks it, since only it knows all families.
 */
export const zFeatureChoice = z.record(z.string().max(100), z.unknown());
export type FeatureChoice = z.infer<typeof zFeatureChoice>;

/** How the forest is grown. */
export const zForestParams = z.object({
  trees: natural.max(2000),
  maxDepth: natural.max(64),
  /** Features tried at each split; `sqrt`: the root of their number, rounded down. */
  maxFeatures: z.union([natural.max(4096), z.literal('sqrt')]),
  minLeaf: natural.max(1_000_000),
  balanced: z.boolean(),
  /** Labelled pixels used at most, drawn evenly from the classes; null: all of them. */
  maxSamples: natural.nullable(),
  seed: count.max(0xffffffff),
  /** Radius in pixels of the guided filter that smooths the probabilities along the image's edges; 0 or absent: none. */
  refine: count.max(REFINE_MAX).optional()
});
export type ForestParams = z.infer<typeof zForestParams>;

/** How boosted trees are grown: one tree a round, whose leaves have a value for every class. */
export const zBoostingParams = z.object({
  kind: z.literal('boosting'),
  /** Trees at most. */
  rounds: natural.max(2000),
  /** Shrinkage: the share of a tree's step that is taken. */
  learningRate: z.number().positive().max(1),
  /** Leaves of a tree at most; the leaf whose split gains most is split next. */
  maxLeaves: natural.min(2).max(1024),
  maxDepth: natural.max(64),
  /** Features tried for a tree; `sqrt`: the root of their number; `all`. */
  maxFeatures: z.union([natural.max(4096), z.enum(['sqrt', 'all'])]),
  minLeaf: natural.max(1_000_000),
  /** Added to the sum of second derivatives in a leaf. */
  l2: z.number().nonnegative().max(1e6),
  balanced: z.boolean(),
  /** As for a forest. */
  maxSamples: natural.nullable(),
  /** Rounds without a better loss on held-out strokes after which growing stops; null: it never does. */
  patience: natural.max(2000).nullable(),
  seed: count.max(0xffffffff),
  /** As for a forest. */
  refine: count.max(REFINE_MAX).optional()
});
export type BoostingParams = z.infer<typeof zBoostingParams>;

/** How an ensemble of trees is grown; `kind` tells boosted trees from a forest. */
export const zLearnerParams = z.union([zBoostingParams, zForestParams]);
export type LearnerParams = z.infer<typeof zLearnerParams>;

/** Changes to the parameters of a preset; the default one if none is named. */
export const zForestRequest = zBoostingParams
  .omit({ kind: true })
  .partial()
  .extend({
    ...zForestParams.partial().shape,
    maxFeatures: zBoostingParams.shape.maxFeatures.optional(),
    preset: z.enum(['samba', 'deep', 'boosting']).optional()
  });
export type ForestRequest = z.infer<typeof zForestRequest>;

/** How well a classifier does on labelled pixels that it had not seen. */
export const zScores = z.object({
  /** Forests: the trees that had not drawn the pixel. Boosting: strokes that were held out while the number of rounds was found. */
  source: z.enum(['out-of-bag', 'held-out']),
  /** Pixels [labelled class][predicted class], both in the order of the classes. */
  confusion: z.array(z.array(count))
});
export type Scores = z.infer<typeof zScores>;

/** The model whose embedding a classifier sees. */
export const zEmbeddingModel = z.object({
  model: z.string().max(100),
  /** SHA-256 of the encoder's file. */
  digest
});
export type EmbeddingModel = z.infer<typeof zEmbeddingModel>;

/** A point prompt: `label` 1 belongs to the object, 0 does not. Row and column are pixel indices, their centre at .0. */
export const zPoint = z.object({ row: z.number(), column: z.number(), label: z.union([z.literal(0), z.literal(1)]) });
export type PointPrompt = z.infer<typeof zPoint>;

/** Where SAM's encoder runs, and why not on something faster. */
export const zSamDevice = z.object({
  model: z.string(),
  provider: z.enum(['cuda', 'webgpu', 'cpu']),
  /** The adapter's name, as its driver gives it. */
  adapter: z.string().nullable(),
  /** What was tried before and why it was not taken; empty if nothing was. */
  note: z.string()
});
export type SamDevice = z.infer<typeof zSamDevice>;

/** A summary of a trained classifier. */
export const zClassifierInfo = z.object({
  /** Fraction of labelled pixels that the trees which did not see them get right; null if every tree saw all. */
  oobScore: z.number().nullable(),
  classes,
  features: z.array(z.string()),
  trees: natural,
  samples: natural,
  /** The complete feature spec; absent in what an older version kept. */
  spec: zFeatureChoice.optional(),
  /** How the trees were grown. */
  forest: zLearnerParams.optional(),
  /** Null if nothing is known; absent in what an older version kept. */
  scores: zScores.nullable().optional(),
  /** The model whose embedding is among the features; null if none is. */
  embedding: zEmbeddingModel.nullable().optional(),
  /** What the person should know of the training: that the embedding was to be had too late, for example. Empty if nothing. */
  note: z.string().max(1000).optional(),
  /** Mean decrease of impurity of each feature, adding up to 1; null if it is not known. */
  importance: z.array(z.number()).nullable().optional(),
  /** Version of the labels that it was trained on; 0 if it was loaded from a file. */
  labelsVersion: count,
  seconds: z.number()
});
export type ClassifierInfo = z.infer<typeof zClassifierInfo>;

/** What a person chose for the next training: features and forest, each on top of its default. */
export const zTrainingChoice = z.object({ features: zFeatureChoice, forest: zForestRequest });
export type TrainingChoice = z.infer<typeof zTrainingChoice>;

/** Everything small about a session. */
export const zSession = z.object({
  session: sessionId,
  title: z.string(),
  image: zImage,
  /** False until the image's pixels are in their shared file. */
  imageReady: z.boolean(),
  classes,
  labels: z.object({
    version: count,
    /** Labelled pixels of each class id. */
    counts: z.record(z.string(), count)
  }),
  /**
   * Labels that this session had when it was opened and nobody used it: how many pixels, and when they were last changed
   * (ISO 8601). Null if there were none, or they were set aside since; the same for all who come later.
   */
  resumed: z.object({ pixels: natural, changed: z.string() }).nullable(),
  segmentation: z
    .object({
      version: count,
      /** The round of live segmentation that made it, so that tiles which that round brought are not asked for again; absent for another. */
      round: count.optional(),
      classifier: zClassifierInfo,
      /** Pixels of each class id over all slices, labels on top; absent until they are counted. */
      counts: z.record(z.string(), count).optional()
    })
    .nullable(),
  /** Whether every change of the labels is learned and segmented at once. */
  live: z.boolean(),
  /** What the next training uses unless it is told otherwise; what the last one used, or somebody chose since. */
  choice: zTrainingChoice,
  arrays: z.record(z.string(), zArray)
});
export type SessionState = z.infer<typeof zSession>;

/** A change of labels: one class (0 erases) under one bit mask a tile. Buffer i belongs to tile i. */
export const zPatch = z.object({
  session: sessionId,
  slice: count,
  class: count.max(CLASSES_MAX),
  /** True leaves pixels alone that carry a label already. Erasing ignores it. */
  preserve: z.boolean(),
  /**
   * The tiles, {@link LABEL_TILE} pixels wide. Each has one buffer: a raw-deflate compressed mask of LABEL_TILE² bits, row by
   * row, the most significant bit first; bits outside the image are 0.
   */
  tiles: z
    .array(z.object({ row: count, column: count }))
    .min(1)
    .max(65536)
});
export type LabelPatch = z.infer<typeof zPatch>;

/** Names of the arrays that are shown over the image. */
export const zOverlay = z.enum(['labels', 'segmentation']);
export type OverlayName = z.infer<typeof zOverlay>;

const tileRef = z.object({ row: count, column: count });

/** A rectangle in one slice. */
export const zSliceRect = z.object({
  slice: count,
  row0: count,
  row1: natural,
  column0: count,
  column1: natural
}) satisfies z.ZodType<SliceRect>;

/** How uncertainty is measured: 1 − (highest − second highest probability), or 1 − highest probability. */
export const zUncertaintyMeasure = z.enum(['margin', 'maximum']);
export type UncertaintyMeasure = z.infer<typeof zUncertaintyMeasure>;

/** A region that would be worth labels, and why. */
export const zSuggestedRegion = zSliceRect.extend({
  reason: z.enum(['uncertain', 'representative', 'unusual']),
  /** Mean uncertainty of the region's pixels; or what share of the image looks like it (`representative`); or how far it is from all others (`unusual`). */
  score: z.number()
});
export type SuggestedRegion = z.infer<typeof zSuggestedRegion>;

/** What a foreign forest is for: its features, and its classes in the order of their numbers from 0. */
export const zForestMeaning = z.object({
  /** Any spec; its features are the columns of what the forest was trained on, in their order. */
  features: zFeatureChoice.optional(),
  channels: z.union([z.literal(1), z.literal(3)]),
  classes: newClasses,
  /** The numbers that the forest has for the classes; their ids where it is absent. */
  labels: z.array(z.number().int()).optional()
});
export type ForestMeaning = z.infer<typeof zForestMeaning>;

/** Forms in which a classifier leaves. */
export const zClassifierFormat = z.enum(['json', 'onnx', 'ml-random-forest']);
export type ClassifierFormat = z.infer<typeof zClassifierFormat>;

/** Requests: what goes in, what comes back. Buffers are described beside each. */
export const METHODS = {
  /** First on every connection. `secret` from the connection file is what lets a ZeroMQ peer in; a relay says it for its browser. */
  hello: {
    params: z.object({
      role: z.enum(['python', 'relay', 'browser']),
      secret: z.string().optional(),
      version: z.string()
    }),
    result: z.object({ version: z.string(), protocol: natural, pid: natural, instance: z.string() })
  },
  ping: { params: z.object({}), result: z.object({}) },
  status: {
    params: z.object({}),
    result: z.object({
      version: z.string(),
      pid: natural,
      /** Process id of the SAM process; null while none runs. */
      samPid: natural.nullable(),
      uptime: z.number(),
      threads: natural,
      sessions: z.array(sessionId),
      /** Null until the model was first needed. */
      sam: zSamDevice.nullable(),
      arraysDir: z.string(),
      dataDir: z.string(),
      residentBytes: count
    })
  },
  shutdown: { params: z.object({}), result: z.object({}) },
  cancel: { params: z.object({ id: z.string() }), result: z.object({ found: z.boolean() }) },

  /** Find the session of `key` or make it. Python only. `keepClasses` keeps an older session's classes if there are some. */
  'session.open': {
    params: z.object({
      key: z.string().min(1).max(1000),
      title: z.string().max(1000),
      image: zImage,
      classes: newClasses,
      keepClasses: z.boolean(),
      /** True sets older labels aside and begins without any. */
      fresh: z.boolean(),
      /** True if the caller had it open and opens it again for itself, on a sidecar that was started anew: nothing was taken up. */
      again: z.boolean().optional()
    }),
    result: zSession
  },
  /** Take part: from now on this peer gets the session's events. */
  'session.attach': { params: z.object({ session: sessionId }), result: zSession },
  'session.detach': { params: z.object({ session: sessionId }), result: z.object({}) },
  'session.classes': { params: z.object({ session: sessionId, classes: newClasses }), result: zSession },
  /** Set the labels aside (they stay in the session's folder) and begin again. */
  'session.fresh': { params: z.object({ session: sessionId }), result: zSession },

  /** Python has written the pixels to `arrays.image`. */
  'image.ready': { params: z.object({ session: sessionId }), result: zSession },
  /**
   * A tile of the image for display. Level l is the image reduced 2^l times by means; tiles count from the upper left of that level.
   * One buffer: rows × columns × channels values of `dtype`; 8-bit images as they are, all others scaled so that
   * `display.low` becomes 0 and `display.high` 65535.
   */
  'image.tile': {
    params: z.object({ session: sessionId, slice: count, level: count.max(16), row: count, column: count }),
    result: z.object({ rows: natural, columns: natural, channels: natural, dtype: z.enum(['uint8', 'uint16']) })
  },

  'labels.patch': { params: zPatch, result: z.object({ version: count, changed: count }) },
  /** Take the labels of all slices from a staged uint8 array of shape [slices, rows, columns]. */
  'labels.set': {
    params: z.object({ session: sessionId, staged: stagedId }),
    result: z.object({ version: count, changed: count })
  },
  /**
   * Tiles of an overlay at full resolution: those named, or all that are not empty. One buffer a tile of the result, the
   * raw-deflate compressed LABEL_TILE² class ids, row by row, 0 outside the image.
   */
  'overlay.tiles': {
    params: z.object({
      session: sessionId,
      overlay: zOverlay,
      slice: count,
      tiles: z.array(tileRef).max(65536).optional()
    }),
    result: z.object({ version: count, tiles: z.array(tileRef) })
  },

  /** Make a shared file that the caller fills, to hand an array over. It belongs to the connection and goes with it. */
  'array.stage': {
    params: z.object({ dtype: zDtype, shape: z.array(count).min(1).max(4) }),
    result: z.object({ staged: stagedId, array: zArray })
  },
  'array.release': { params: z.object({ staged: stagedId }), result: z.object({}) },

  /** Compute SAM's embedding of a slice, or find it computed; it is then in the array `embedding` (float32 [slices, channels, rows, columns]). */
  'sam.embed': {
    params: z.object({ session: sessionId, slice: count }),
    result: z.object({ device: zSamDevice, seconds: z.number(), array: zArray })
  },
  /** The same, for the browser: one buffer, the embedding as float16, [channels, rows, columns]. */
  'sam.embedding': {
    params: z.object({ session: sessionId, slice: count }),
    result: z.object({ device: zSamDevice, seconds: z.number(), shape: z.tuple([natural, natural, natural]) })
  },
  /** The decoder's graph with all its masks as outputs, and how to run it. One buffer, the graph, unless `known` is its digest. */
  'sam.decoder': {
    params: z.object({ known: digest.optional() }),
    result: z.object({ manifest: zDecoderManifest, digest, bytes: natural })
  },
  /**
   * What SAM suggests at the points: its three scales, small to large, as a staged uint8 array [3, rows, columns] of 0 and 1,
   * and the quality that SAM predicts for each.
   */
  'sam.suggest': {
    params: z.object({ session: sessionId, slice: count, points: z.array(zPoint).min(1).max(64) }),
    result: z.object({ staged: stagedId, array: zArray, scores: z.array(z.number()).length(3) })
  },

  /**
   * Choose features and forest for the next training; what is left out stays. The features are kept as a complete spec, so a change of
   * one family is sent as the whole choice.
   */
  'session.choice': {
    params: z.object({
      session: sessionId,
      features: zFeatureChoice.optional(),
      forest: zForestRequest.optional()
    }),
    result: zSession
  },
  /**
   * Grow a forest on the labels, then segment every slice. Progress comes as `job` events. Features and forest that are given become
   * the session's choice; left out, its choice is taken. `others`: sessions whose labels are learned from as well and which are
   * segmented too; their classes must have the ids and names of this one's, their images as many channels.
   */
  train: {
    params: z.object({
      session: sessionId,
      others: z.array(sessionId).max(256).optional(),
      features: zFeatureChoice.optional(),
      forest: zForestRequest.optional()
    }),
    result: zSession
  },
  /**
   * Live segmentation on or off, for all who take part. While it is on, every change of the labels grows the classifier anew by the session's
   * choice; tiles in somebody's view are segmented first and sent with `segmentation.tiles`, then the rest. A newer change takes the place
   * of older work. Arrays change when a segmentation is complete. `view`: what this peer sees.
   */
  'session.live': {
    params: z.object({ session: sessionId, on: z.boolean(), view: zSliceRect.optional() }),
    result: zSession
  },
  /** What this peer sees of a session, so that it is segmented first. Null: nothing. */
  'session.view': { params: z.object({ session: sessionId, view: zSliceRect.nullable() }), result: z.object({}) },
  /**
   * Uncertainty for an overlay: tiles of {@link LABEL_TILE} pixels, one buffer each, as `feature.tiles` has them; byte 0 stands for 0 and
   * 255 for 1. Fails with `not-ready` without a classifier.
   */
  'uncertainty.tiles': {
    params: z.object({
      session: sessionId,
      slice: count,
      measure: zUncertaintyMeasure,
      tiles: z.array(tileRef).min(1).max(64)
    }),
    result: z.object({ version: count, low: z.number(), high: z.number() })
  },
  /**
   * Where labels would help most, the best first: square regions of `side` pixels without labels, over all slices. By `uncertainty` they are
   * those of the highest mean uncertainty, no two of which overlap. By `embedding` they are representative and unusual ones in turn,
   * before there is any label. `auto`: by uncertainty if there is a classifier.
   */
  regions: {
    params: z.object({
      session: sessionId,
      count: natural.max(1000),
      by: z.enum(['auto', 'uncertainty', 'embedding']),
      measure: zUncertaintyMeasure.optional(),
      side: natural.min(4).max(1024).optional(),
      /** Only these slices; all if left out. */
      slices: z.array(count).min(1).max(100_000).optional()
    }),
    result: z.object({ by: z.enum(['uncertainty', 'embedding']), regions: z.array(zSuggestedRegion) })
  },
  /**
   * What the classifier says of the image, in arrays: those named are computed unless they are there. `probabilities` (float32 [slices,
   * rows, columns, classes]) and `uncertainty` (float32 [slices, rows, columns], 1 − (highest − second highest probability)) are large,
   * so training leaves them out; `segmentation` is missing where a session gave its arrays back that nobody had looked at for long.
   */
  segment: {
    params: z.object({
      session: sessionId,
      arrays: z.array(z.enum(['segmentation', 'probabilities', 'uncertainty'])).min(1)
    }),
    result: zSession
  },
  /** The feature stack of a slice, in the array `features` (float32 [rows, columns, features]). */
  features: {
    params: z.object({ session: sessionId, slice: count, features: zFeatureChoice.optional() }),
    result: z.object({ names: z.array(z.string()), array: zArray })
  },
  /**
   * One feature as it looks, for an overlay: tiles of {@link LABEL_TILE} pixels of channel `channel` of the stack. One buffer a tile, the
   * raw-deflate compressed LABEL_TILE² bytes, row by row, 0 outside the image; byte 0 stands for `low` and 255 for `high` (the 1st and 99th
   * percentile of the feature in the image), and what lies beyond is clipped.
   */
  'feature.tiles': {
    params: z.object({
      session: sessionId,
      slice: count,
      features: zFeatureChoice.optional(),
      channel: count,
      tiles: z.array(tileRef).min(1).max(64)
    }),
    result: z.object({ name: z.string(), low: z.number(), high: z.number() })
  },
  /**
   * The session's classifier as a file: one buffer. `json` is complete and readable; `onnx` has features and forest in one graph, and
   * fails with `invalid` naming the features that ONNX cannot express; `ml-random-forest` is that package's JSON, the forest alone.
   */
  'classifier.export': {
    params: z.object({ session: sessionId, format: zClassifierFormat }),
    result: z.object({ mediaType: z.string(), extension: z.string() })
  },
  /** The same of a classifier that the request's buffer brings (as `classifier.get` gave it). */
  'classifier.convert': {
    params: z.object({ format: zClassifierFormat }),
    result: z.object({ mediaType: z.string(), extension: z.string() })
  },
  /** Read a classifier's file (the request's buffer: `json` or `onnx`, told apart by its content). One buffer: its JSON, checked. */
  'classifier.read': {
    params: z.object({ meaning: zForestMeaning.optional() }),
    result: zClassifierInfo
  },
  /**
   * Take a classifier over into a session (the request's buffer, as for `classifier.read`) and segment every slice with it. Fails with
   * `invalid` if the image has another number of channels, or the session's labels have classes that it does not know.
   */
  'classifier.load': { params: z.object({ session: sessionId }), result: zSession },
  /** The session's classifier, complete: one buffer of JSON in UTF-8 (`engine/core/classifier.ts`). */
  'classifier.get': { params: z.object({ session: sessionId }), result: zClassifierInfo },
  /**
   * The reduced embedding that a classifier (the request's buffer) sees of a staged image, as its ONNX form takes it: one staged float32 array
   * [slices, components, rows, columns] for each layer; `cell` pixels of the image lie under each of its values. No array if the
   * classifier sees none.
   */
  'classifier.embedding': {
    params: z.object({ staged: stagedId }),
    result: z.object({
      maps: z.array(z.object({ name: z.string(), staged: stagedId, array: zArray, cell: z.number().positive() }))
    })
  },
  /**
   * Apply a classifier (the request's buffer, as `classifier.get` gave it) to a staged image [slices, rows, columns, channels].
   * The result is staged too: labels uint8 [slices, rows, columns], or probabilities float32 [slices, rows, columns, classes].
   */
  'classifier.apply': {
    params: z.object({ staged: stagedId, output: z.enum(['labels', 'probabilities']) }),
    result: z.object({ staged: stagedId, array: zArray })
  }
} as const satisfies Record<string, { params: z.ZodType; result: z.ZodType }>;

export type Method = keyof typeof METHODS;
export type Params<M extends Method> = z.infer<(typeof METHODS)[M]['params']>;
export type Result<M extends Method> = z.infer<(typeof METHODS)[M]['result']>;

/** What the sidecar tells without being asked. */
export const EVENTS = {
  /** Something small about the session changed: classes, versions, whether it is segmented. */
  session: zSession,
  /** Somebody else changed labels: the patch, with its buffers. Not sent to the peer it came from. */
  patch: z.object({ origin: z.string(), version: count, patch: zPatch }),
  /** The labels of the session were replaced as a whole: fetch what is in view again. */
  labels: z.object({ session: sessionId, version: count }),
  /** The segmentation is new: fetch what is in view again, but for tiles of the round of live segmentation that made it, if one did. */
  segmentation: z.object({ session: sessionId, version: count, round: count.optional() }),
  /**
   * Tiles of a segmentation that is being made, {@link LABEL_TILE} pixels wide, with the labels on top of it: one buffer each, as
   * `overlay.tiles` has them. `round` counts the trainings of live segmentation; tiles of an older round than was seen are of no use.
   * When a segmentation is complete `segmentation` tells.
   */
  'segmentation.tiles': z.object({
    session: sessionId,
    round: count,
    /** Version of the labels that the classifier was trained on. */
    labelsVersion: count,
    slice: count,
    tiles: z.array(tileRef).min(1)
  }),
  /** How a long request is doing. `job` is the id of the request that began it; `done` of `total` in no particular unit. */
  job: z.object({
    session: sessionId,
    job: z.string(),
    kind: z.enum(['embed', 'train', 'features', 'apply', 'load', 'live', 'regions']),
    state: z.enum(['running', 'done', 'failed', 'cancelled']),
    /** What is going on, for the person who waits: "features", "growing trees". */
    stage: z.string(),
    done: z.number(),
    total: z.number(),
    /** Why it failed, or what had to be done differently ("the SAM process died, trying once more"). */
    message: z.string()
  }),
  /** From the relay: whether the sidecar is reachable. After `connected` attach again and send again what was not answered. */
  relay: z.object({ state: z.enum(['connected', 'lost', 'failed']), message: z.string() })
} as const satisfies Record<string, z.ZodType>;

export type EventName = keyof typeof EVENTS;
export type EventParams<E extends EventName> = z.infer<(typeof EVENTS)[E]>;
/** An event with its name, as a union over all events. */
export type BridgeEvent = { [E in EventName]: { event: E; params: EventParams<E> } }[EventName];

/** A request as it is on the wire. */
export interface IRequest<M extends Method = Method> {
  id: string;
  method: M;
  params: Params<M>;
}

const zEnvelope = z.union([
  z.object({ id: z.string().min(1).max(100), method: z.string(), params: z.unknown() }),
  z.object({ re: z.string(), result: z.unknown() }),
  z.object({ re: z.string(), error: z.object({ code: z.enum(ERROR_CODES), message: z.string() }) }),
  z.object({ event: z.string(), params: z.unknown() })
]);

/** Check a request's header: is it a request, of a known method, with params of the right form? */
export function parseRequest(header: Record<string, unknown>): IRequest {
  const envelope = zEnvelope.safeParse(header);
  if (!envelope.success || !('method' in envelope.data)) {
    throw new BridgeError('malformed', 'A request needs id (a string of 1 to 100 characters), method and params.');
  }
  const { id, method, params } = envelope.data;
  if (!Object.hasOwn(METHODS, method)) {
    throw new BridgeError('unknown-method', `There is no method ${JSON.stringify(method.slice(0, 100))}.`);
  }
  const checked = METHODS[method as Method].params.safeParse(params);
  if (!checked.success) {
    throw new BridgeError('invalid', `${method}: ${describe(checked.error)}`);
  }
  return { id, method: method as Method, params: checked.data as Params<Method> };
}

/** What came back from the sidecar: a reply or an event, or `undefined` for what this version does not know. */
export type Incoming = { re: string; result: unknown } | { re: string; error: BridgeError } | BridgeEvent;

/** Check the header of a reply or an event. Results are checked by {@link parseResult}, once the method is known. */
export function parseIncoming(header: Record<string, unknown>): Incoming | undefined {
  const envelope = zEnvelope.safeParse(header);
  if (!envelope.success) {
    throw new BridgeError('malformed', 'What came is neither a reply nor an event.');
  }
  const data = envelope.data;
  if ('error' in data) {
    return { re: data.re, error: new BridgeError(data.error.code, data.error.message) };
  }
  if ('re' in data) {
    return { re: data.re, result: data.result };
  }
  if (!('event' in data) || !Object.hasOwn(EVENTS, data.event)) {
    return undefined;
  }
  const params = EVENTS[data.event as EventName].safeParse(data.params);
  if (!params.success) {
    throw new BridgeError('malformed', `event ${data.event}: ${describe(params.error)}`);
  }
  return { event: data.event, params: params.data } as BridgeEvent;
}

/** Check the result of a request. */
export function parseResult<M extends Method>(method: M, result: unknown): Result<M> {
  const checked = METHODS[method].result.safeParse(result);
  if (!checked.success) {
    throw new BridgeError('malformed', `reply to ${method}: ${describe(checked.error)}`);
  }
  return checked.data as Result<M>;
}

function describe(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map(issue => `${issue.path.join('.') || 'value'}: ${issue.message}`)
    .join('; ');
}
