/**
 * The limits that Python reads. `node scripts/build.mjs server` runs this file and writes {@link LIMITS} to `sambalab/server/limits.json`.
 *
 * ```text
 * {
 *   "protocol": 1,                        version of the messages
 *   "versions": {"featureSpec", "classifier"},
 *   "tiles": {"image", "label"},          sides in pixels
 *   "image": {"slicePixels"},
 *   "picture": {"sides", "bytes", "labels", "segmentation", "tiles"},
 *   "messages": {"bytes", "headerBytes", "chunkBytes", "unfinished", "sidecars"},
 *   "features": {"channels", "components", "sigmas": {"minimum", "maximum", "list"}, "sigmaScale": {"minimum", "maximum"}},
 *   "classifier": {"fileBytes", "bytes", "values", "layerChannels", "scale": {"minimum", "maximum"}, "cuts"},
 *   "classes": {"count", "nameLength", "colors"}, default colours in the order of ids
 *   "correction": {"majorityRadius"},     in pixels
 *   "nameLength",                         of models, layers and formats
 *   "provenance",                         numbers for what made a label
 *   "parameters": {
 *     "forest", "boosting",               learner parameters, complete
 *     "session.open", "regions",          params of these methods
 *     "pixelSize", "contrast"
 *   }
 * }
 * ```
 *
 * All numbers but `minimum` are maxima. Each entry of `parameters` is the JSON Schema of its zod schema, `$schema` left out:
 *
 * ```text
 * {"type": "object", "properties": {
 *    "trees":       {"type": "integer", "minimum": 1, "maximum": 2000},
 *    "learningRate":{"type": "number", "exclusiveMinimum": 0, "maximum": 1},
 *    "maxFeatures": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 4096}, {"type": "string", "enum": ["sqrt", "all"]}]},
 *    "maxSamples":  {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9007199254740991}, {"type": "null"}]},
 *    "kind":        {"type": "string", "const": "boosting"},
 *    "balanced":    {"type": "boolean"}, …},
 *  "required": ["trees", …], "additionalProperties": false}
 * ```
 */
import { z } from 'zod';
import { CLASS_COLORS } from './class-colors';
import { zContrast } from './contrast';
import { CHUNK_BYTES, HEADER_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGES_UNFINISHED_MAX, PROTOCOL_VERSION } from './frames';
import { zBoostingParams, zForestParams } from './learners';
import {
  BOOSTING_SCALE,
  CLASS_NAME_MAX,
  CLASSES_MAX,
  CLASSIFIER_BYTES_MAX,
  CLASSIFIER_FILE_BYTES_MAX,
  CLASSIFIER_VALUES_MAX,
  COMPONENTS_MAX,
  CUTS_MAX,
  FEATURES_MAX,
  FILE_NAME_MAX,
  IMAGE_SLICE_PIXELS_MAX,
  IMAGE_TILE,
  LABEL_TILE,
  LAYER_CHANNELS_MAX,
  MAJORITY_RADIUS_MAX,
  NAME_MAX,
  PHASE_IMAGES_MAX,
  PICTURE,
  SIDECARS_MAX,
  SIGMA_SCALE,
  SIGMAS,
  UPLOAD_BYTES_MAX
} from './limits';
import { METHODS, zPixelSize } from './protocol';
import { PROVENANCE_CODES } from './provenance';
import { CLASSIFIER_VERSION, FEATURE_SPEC_VERSION } from './versions';

function schema(of: z.ZodType): object {
  return { ...z.toJSONSchema(of), $schema: undefined };
}

export const LIMITS = {
  protocol: PROTOCOL_VERSION,
  versions: { featureSpec: FEATURE_SPEC_VERSION, classifier: CLASSIFIER_VERSION },
  tiles: { image: IMAGE_TILE, label: LABEL_TILE },
  image: { slicePixels: IMAGE_SLICE_PIXELS_MAX },
  picture: PICTURE,
  messages: {
    bytes: MESSAGE_BYTES_MAX,
    headerBytes: HEADER_BYTES_MAX,
    chunkBytes: CHUNK_BYTES,
    unfinished: MESSAGES_UNFINISHED_MAX,
    sidecars: SIDECARS_MAX
  },
  features: { channels: FEATURES_MAX, components: COMPONENTS_MAX, sigmas: SIGMAS, sigmaScale: SIGMA_SCALE },
  classifier: {
    fileBytes: CLASSIFIER_FILE_BYTES_MAX,
    bytes: CLASSIFIER_BYTES_MAX,
    values: CLASSIFIER_VALUES_MAX,
    layerChannels: LAYER_CHANNELS_MAX,
    scale: BOOSTING_SCALE,
    cuts: CUTS_MAX
  },
  classes: { count: CLASSES_MAX, nameLength: CLASS_NAME_MAX, colors: CLASS_COLORS },
  correction: { majorityRadius: MAJORITY_RADIUS_MAX },
  phases: { images: PHASE_IMAGES_MAX },
  files: { upload: UPLOAD_BYTES_MAX, nameLength: FILE_NAME_MAX },
  nameLength: NAME_MAX,
  provenance: PROVENANCE_CODES,
  parameters: {
    forest: schema(zForestParams),
    boosting: schema(zBoostingParams),
    'session.open': schema(METHODS['session.open'].params),
    regions: schema(METHODS.regions.params),
    pixelSize: schema(zPixelSize),
    contrast: schema(zContrast)
  }
};
