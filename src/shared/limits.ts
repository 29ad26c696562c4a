/**
 * Limits and defaults that more than one part needs. Limits of a single parameter stand in its zod schema (`learners.ts`, `protocol/`).
 * The build writes what Python needs of both into `limits.json` (`limits-json.ts`).
 */

/** Side of an image tile in pixels. */
export const IMAGE_TILE = 512;
/** Side of a tile of labels or of the segmentation in pixels. */
export const LABEL_TILE = 256;

/**
 * The picture of a labeller that a notebook keeps: the longest side in pixels, the first one of these that gives at most so many
 * bytes of PNG, and opacities. The segmentation is drawn if it has at most so many tiles.
 */
export const PICTURE = {
  sides: [600, 480, 360, 270, 200],
  bytes: 100_000,
  labels: 0.65,
  segmentation: 0.4,
  tiles: 256
} as const;

/** Pixels of an image, or of a slice, that a format without strips and tiles is decoded to: 32,768 × 32,768. */
export const IMAGE_SLICE_PIXELS_MAX = 1 << 30;

/** Lines that tell how an image was opened: how many, and characters of each. */
export const IMAGE_NOTES = { count: 10, length: 1000 } as const;

/** Class ids run from 1 to this; 0 is unlabelled. */
export const CLASSES_MAX = 255;
/** Characters of a class name. */
export const CLASS_NAME_MAX = 200;
/** Class sets that a user keeps. */
export const CLASS_SETS_MAX = 200;
/** Most steps of a session that can be undone. */
export const HISTORY_STEPS_MAX = 1000;
/** Radius in pixels of the majority filter. */
export const MAJORITY_RADIUS_MAX = 50;
/** Most characters in the name of a tool or command, as a history step has it. */
export const TOOL_NAME_MAX = 40;
/** Characters of a file's name in a history step. */
export const FILE_NAME_MAX = 200;
/** Characters of the name of a notebook or script, and of a variable or cell in it. */
export const ORIGIN_MAX = { document: 700, place: 200 } as const;
/** Sessions that are suggested to a user whose session has no labels. */
export const RELATED_MAX = 5;
/** Characters of the unit of a pixel size. */
export const UNIT_MAX = 20;

/** Characters of a choice of a SAM model: its id, or a path. */
export const MODEL_CHOICE_MAX = 4096;

/** Pixels by which a suggestion's mask may grow or shrink. */
export const MASK_GROW_MAX = 5;

/** Radius in pixels of the filter that smooths probabilities. */
export const REFINE_MAX = 32;

/** Side in pixels of a region that is suggested for labelling. */
export const REGION_SIDE = { minimum: 8, maximum: 1024, default: 32 } as const;
/** Tiles of labels in one patch. */
export const PATCH_TILES_MAX = 65536;
/** Tiles of labels that a flood fill may reach: 134 million pixels. */
export const FLOOD_TILES_MAX = 2048;
/** Rows and columns of the largest object that is found at a pixel. */
export const OBJECT_SIDE_MAX = 2048;

/** Bytes of a tile's mask in a patch: one bit for each pixel. */
export const MASK_BYTES = (LABEL_TILE * LABEL_TILE) / 8;
/** The coarsest level of an image's tiles: level l is reduced 2^l times. */
export const LEVEL_MAX = 16;
/** Characters of the key of a session, and of its title. */
export const KEY_MAX = 1000;

/** Bytes of a file of labels, or of an image, that the page sends to the kernel: larger ones would delay all other messages. */
export const UPLOAD_BYTES_MAX = 64 << 20;

/** A request fails when so many sidecars went away while it waited for its reply: it may be the cause. */
export const SIDECARS_MAX = 3;

/** Tiles that one request asks for. */
export const REQUEST_TILES_MAX = 64;
/** Points of a prompt in one request; a model may allow fewer. */
export const POINTS_MAX = 64;
/** Regions that one request asks for. */
export const REGIONS_MAX = 1000;
/** Images whose phases one request pools. */
export const PHASE_IMAGES_MAX = 1000;

/** Scales in pixels of a feature spec or of a family: their range, and how many. */
export const SIGMAS = { minimum: 0.1, maximum: 64, list: 16 } as const;
/** Standard deviation of a Gaussian per σ. */
export const SIGMA_SCALE = { minimum: 0.1, maximum: 1 } as const;
/** Channels of a feature stack. */
export const FEATURES_MAX = 2048;
/** Features that are tried at a split. */
export const SPLIT_FEATURES_MAX = 4096;
/** Components of an encoder's layer in a feature stack. */
export const COMPONENTS_MAX = 64;
/** Layers of an encoder in a feature stack. */
export const LAYERS_MAX = 16;
/** Characters of the name of a feature. */
export const FEATURE_NAME_MAX = 200;

/** Bytes of a classifier's file, and of what is in it once unpacked. */
export const CLASSIFIER_FILE_BYTES_MAX = 512 << 20;
/** Bytes of a classifier document. */
export const CLASSIFIER_BYTES_MAX = 256 << 20;
/** Brackets, commas and colons in a classifier document: bounds what reading it allocates. */
export const CLASSIFIER_VALUES_MAX = 400_000;
/** Channels of an encoder's layer in a classifier document. */
export const LAYER_CHANNELS_MAX = 4096;
/** Whole numbers in a logit of 1 of boosted trees. */
export const BOOSTING_SCALE = { minimum: 1e-3, maximum: 1e9 } as const;
/** Cuts between the bins of a feature. `engine/assembly` repeats it: AssemblyScript cannot import this file. */
export const CUTS_MAX = 255;
/** Splits between the root of a tree and its deepest leaf. `engine/assembly/boost.ts` repeats it. */
export const DEPTH_MAX = 64;
/** Trees of a classifier. */
export const TREES_MAX = 2000;

/** Characters of the name of a model, a layer, a file format or a field of a feature spec. */
export const NAME_MAX = 100;
