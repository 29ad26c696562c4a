/**
 * A classifier as one JSON object: features, cuts into bins, trees, classes. This file and the engine are all that it takes to segment in
 * the same way elsewhere. `docs/engine.md` describes the fields.
 *
 * The reader trusts nothing: it refuses a file that was changed and names the wrong value. The kernels can apply what it accepts without
 * reading beyond an array or walking in a circle.
 */
import { z } from 'zod';
import { BridgeError } from '../../src/shared/errors';
import { isBoosting, LearnerParams, zBoostingParams, zForestParams } from '../../src/shared/learners';
import {
  BOOSTING_SCALE,
  CLASSES_MAX,
  CLASSIFIER_BYTES_MAX,
  CLASSIFIER_VALUES_MAX,
  CUTS_MAX,
  FEATURE_NAME_MAX,
  FEATURES_MAX,
  LAYER_CHANNELS_MAX,
  LAYERS_MAX,
  NAME_MAX,
  TREES_MAX
} from '../../src/shared/limits';
import {
  LabelClass,
  PixelSize,
  Scores,
  TrainedOn,
  zClass,
  zEmbeddingModel,
  zFeatureChoice,
  zPixelSize,
  zScores,
  zTrainedOn
} from '../../src/shared/protocol';
import { CLASSIFIER_VERSION } from '../../src/shared/versions';
import { fromBase64, toBase64 } from './base64';
import { IBasisLayer, IEmbeddingBasis } from './embedding';
import { featureNames, featureSpec, FeatureSpec } from './features';
import { ITrees } from './forest';
import { Cuts } from './quantile';
import { faultOfTrees } from './tree-check';

const CLASSIFIER_FORMAT = 'sambalab-classifier';

const zClassifier = z
  .object({
    format: z.literal(CLASSIFIER_FORMAT),
    version: z.literal(CLASSIFIER_VERSION),
    features: zFeatureChoice,
    channels: z.union([z.literal(1), z.literal(3)]),
    names: z.array(z.string().max(FEATURE_NAME_MAX)).max(FEATURES_MAX),
    classes: z.array(zClass.strict()).min(1).max(CLASSES_MAX),
    /** Side of a pixel of the images that it was trained on; null if unknown. */
    pixelSize: zPixelSize.strict().nullable(),
    /** The pixels of those images; null if unknown. */
    trainedOn: zTrainedOn
      .strict()
      .refine(({ low, high }) => low < high, 'low is not below high')
      .nullable(),
    forest: z.union([zBoostingParams.strict(), zForestParams.strict()]),
    /** Votes in a logit of 1, for boosted trees; null for a forest. */
    scale: z.number().min(BOOSTING_SCALE.minimum).max(BOOSTING_SCALE.maximum).nullable(),
    samples: z.number().int().positive(),
    oobScore: z.number().min(0).max(1).nullable(),
    /** Impurity importance of each feature; null if unknown. */
    importance: z.array(z.number().min(0).max(1)).nullable(),
    scores: zScores.strict().nullable(),
    /** How the embedding is reduced: for each layer float32 [channels] and float32 [components][channels], little endian, base64. */
    embedding: zEmbeddingModel
      .extend({
        layers: z
          .array(
            z
              .object({
                layer: z.string().max(NAME_MAX),
                channels: z.number().int().positive().max(LAYER_CHANNELS_MAX),
                components: z.number().int().positive().max(LAYER_CHANNELS_MAX),
                mean: z.string(),
                matrix: z.string()
              })
              .strict()
          )
          .min(1)
          .max(LAYERS_MAX)
      })
      .strict()
      .nullable(),
    /** Number of cuts of each feature, and all cuts as float32. */
    cuts: z.object({ counts: z.array(z.number().int().min(0).max(CUTS_MAX)), values: z.string() }).strict(),
    /** Nodes of each tree, and all nodes: int16, uint8, uint32, uint32; leaves' votes uint16. Little endian, base64. */
    trees: z
      .object({
        counts: z.array(z.number().int().positive().max(CLASSIFIER_BYTES_MAX)).min(1).max(TREES_MAX),
        feature: z.string(),
        threshold: z.string(),
        left: z.string(),
        right: z.string(),
        votes: z.string()
      })
      .strict()
  })
  .strict();
type File = z.infer<typeof zClassifier>;

export interface IClassifier {
  features: FeatureSpec;
  /** Channels of the images that it takes. */
  channels: 1 | 3;
  /** Names of the features. */
  names: string[];
  classes: LabelClass[];
  /** Side of a pixel of the images that it was trained on; null if unknown. */
  pixelSize: PixelSize | null;
  /** The pixels of those images; null if unknown. */
  trainedOn: TrainedOn | null;
  cuts: Cuts;
  forest: LearnerParams;
  /** Votes in a logit of 1, for boosted trees; null for a forest. */
  scale: number | null;
  /** How the embedding among the features is reduced; null without one. */
  basis: IEmbeddingBasis | null;
  /** Labelled pixels that it was trained on. */
  samples: number;
  oobScore: number | null;
  /** Impurity importance of each feature, in sum 1 (or 0 if no tree has a split); null if unknown. */
  importance: number[] | null;
  /** Confusion on labelled pixels that it had not seen; null if unknown. */
  scores: Scores | null;
  trees: ITrees;
}

/**
 * Write a classifier as JSON in UTF-8, one line for each field.
 *
 * @throws BridgeError `invalid` for a forest whose file would be too large to be read.
 */
export function encodeClassifier(classifier: IClassifier): Uint8Array {
  const { features, channels, names, classes, pixelSize, cuts, forest, samples, oobScore } = classifier;
  const { importance, trees, scale, basis, scores, trainedOn } = classifier;
  const bytes = trees.feature.length * 11 + trees.votes.length * 2;
  if (Math.ceil(bytes / 3) * 4 > CLASSIFIER_BYTES_MAX * 0.9) {
    fail(
      `The forest has ${trees.feature.length} nodes, more than a file of ${CLASSIFIER_BYTES_MAX >> 20} MiB holds; ` +
        'fewer trees, less depth, a larger minLeaf or fewer maxSamples will do.'
    );
  }
  const values = new Float32Array(cuts.features.reduce((sum, list) => sum + list.length, 0));
  let offset = 0;
  for (const list of cuts.features) {
    values.set(list, offset);
    offset += list.length;
  }
  const file: File = {
    format: CLASSIFIER_FORMAT,
    version: CLASSIFIER_VERSION,
    features: { ...features },
    channels,
    names,
    classes,
    pixelSize,
    trainedOn,
    forest,
    scale,
    samples,
    oobScore,
    importance,
    scores,
    embedding: basis && {
      model: basis.model,
      digest: basis.digest,
      layers: basis.layers.map(({ layer, channels, components, mean, matrix }) => ({
        layer,
        channels,
        components,
        mean: toBase64(mean),
        matrix: toBase64(matrix)
      }))
    },
    cuts: { counts: cuts.features.map(list => list.length), values: toBase64(values) },
    trees: {
      counts: Array.from(trees.counts),
      feature: toBase64(trees.feature),
      threshold: toBase64(trees.threshold),
      left: toBase64(trees.left),
      right: toBase64(trees.right),
      votes: toBase64(trees.votes)
    }
  };
  const lines = Object.entries(file).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return new TextEncoder().encode(`{\n${lines.join(',\n')}\n}\n`);
}

/**
 * Read and check a classifier.
 *
 * @throws BridgeError `invalid`, naming the value that is wrong.
 */
export function decodeClassifier(bytes: Uint8Array): IClassifier {
  const json = parseBounded(bytes);
  if (typeof json === 'object' && json !== null) {
    const { format, version } = json as { format?: unknown; version?: unknown };
    if (format === CLASSIFIER_FORMAT && typeof version === 'number' && version !== CLASSIFIER_VERSION) {
      fail(`This classifier's version is ${version}; ${CLASSIFIER_VERSION} will do. Another SambaLab made it.`);
    }
  }
  const parsed = zClassifier.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    damaged(`${issue.path.join('.') || 'it'}: ${issue.message}`);
  }
  const file = parsed.data;
  const features = specOf(file.features);
  const names = featureNames(features, file.channels);
  if (names.length !== file.names.length || names.some((name, i) => name !== file.names[i])) {
    damaged(`names are not the ${names.length} names that its features have`);
  }
  const ids = new Set(file.classes.map(({ id }) => id));
  if (ids.size !== file.classes.length) {
    damaged('classes: an id occurs twice');
  }
  const cuts = decodeCuts(file.cuts.counts, file.cuts.values, names.length);
  const trees = decodeTrees(file.trees, file.classes.length);
  const counts = cuts.features.map(list => list.length);
  const { channels, classes, pixelSize, trainedOn, forest, scale, samples, oobScore } = file;
  if (isBoosting(forest) !== (scale !== null)) {
    damaged(isBoosting(forest) ? 'boosted trees have a scale, it has none' : `a forest has no scale, it has ${scale}`);
  }
  const fault = faultOfTrees(trees, classes.length, counts, scale);
  if (fault !== undefined) {
    damaged(`trees: ${fault}`);
  }
  const { importance, scores } = file;
  if (importance && importance.length !== names.length) {
    damaged(`importance has ${importance.length} entries for ${names.length} features`);
  }
  if (scores && [scores.confusion, ...scores.confusion].some(({ length }) => length !== classes.length)) {
    damaged(`scores.confusion is not a table of ${classes.length} by ${classes.length} classes`);
  }
  const basis = decodeBasis(features, file.embedding);
  const values = {
    features,
    channels,
    names,
    classes,
    pixelSize,
    trainedOn,
    cuts,
    forest,
    scale,
    basis,
    samples,
    oobScore
  };
  return { ...values, importance, scores, trees };
}

/**
 * Parse JSON with a bounded number of values, so that a hostile file takes little memory.
 *
 * @throws BridgeError `invalid`
 */
export function parseBounded(bytes: Uint8Array, signsMax = CLASSIFIER_VALUES_MAX): unknown {
  if (bytes.byteLength > CLASSIFIER_BYTES_MAX) {
    damaged(`it has ${bytes.byteLength} bytes, more than ${CLASSIFIER_BYTES_MAX}`);
  }
  let signs = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    // [ { , : do not occur in base64.
    if (byte === 0x2c || byte === 0x3a || byte === 0x5b || byte === 0x7b) {
      signs++;
    }
  }
  if (signs > signsMax) {
    damaged(`it has more than ${signsMax} values`);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    damaged(`it is not JSON (${(error as Error).message})`);
  }
}

function specOf(features: object): FeatureSpec {
  try {
    return featureSpec(features);
  } catch (error) {
    damaged((error as Error).message.replace(/\.$/, ''));
  }
}

function decodeCuts(counts: number[], text: string, features: number): Cuts {
  if (counts.length !== features) {
    damaged(`cuts.counts has ${counts.length} entries for ${features} features`);
  }
  const all = new Float32Array(decode('cuts.values', text, sum(counts) * 4));
  let offset = 0;
  const lists = counts.map((count, f) => {
    const list = all.slice(offset, (offset += count));
    list.forEach((cut, i) => {
      if (!Number.isFinite(cut) || (i > 0 && !(cut > list[i - 1]!))) {
        damaged(`cuts.values: cut ${i} of feature ${f} is ${cut}; cuts are finite and ascend`);
      }
    });
    return list;
  });
  return new Cuts(lists);
}

/** The basis of the embedding, checked against the features. */
function decodeBasis({ embedding: spec }: FeatureSpec, file: File['embedding']): IEmbeddingBasis | null {
  if (!spec || !file) {
    if (spec || file) {
      damaged(spec ? 'its features have an embedding, embedding is missing' : 'embedding: its features have none');
    }
    return null;
  }
  if (spec.window === null) {
    damaged('features.embedding.window is null; it must be a number');
  }
  if (file.model !== spec.model) {
    damaged(`embedding.model is ${file.model}, its features are of ${spec.model}`);
  }
  if (file.layers.length !== spec.layers.length) {
    damaged(`embedding.layers has ${file.layers.length} entries, its features have ${spec.layers.length}`);
  }
  const layers = file.layers.map((own, i): IBasisLayer => {
    const { layer, channels, components } = own;
    const wanted = spec.layers[i]!;
    if (layer !== wanted.layer || components !== wanted.components) {
      damaged(
        `embedding.layers.${i} makes ${components} components of ${layer}, its features are ${wanted.components} of ${wanted.layer}`
      );
    }
    const mean = new Float32Array(decode(`embedding.layers.${i}.mean`, own.mean, channels * 4));
    const matrix = new Float32Array(decode(`embedding.layers.${i}.matrix`, own.matrix, channels * components * 4));
    if (![...mean, ...matrix].every(Number.isFinite)) {
      damaged(`embedding.layers.${i} has a number that is not finite`);
    }
    return { layer, channels, components, mean, matrix };
  });
  return { model: file.model, digest: file.digest, layers };
}

function decodeTrees(file: File['trees'], classes: number): ITrees {
  const nodes = sum(file.counts);
  const feature = new Int16Array(decode('trees.feature', file.feature, nodes * 2));
  const leaves = feature.reduce((count, f) => count + (f === -1 ? 1 : 0), 0);
  return {
    counts: Uint32Array.from(file.counts),
    feature,
    threshold: new Uint8Array(decode('trees.threshold', file.threshold, nodes)),
    left: new Uint32Array(decode('trees.left', file.left, nodes * 4)),
    right: new Uint32Array(decode('trees.right', file.right, nodes * 4)),
    votes: new Uint16Array(decode('trees.votes', file.votes, leaves * classes * 2))
  };
}

function decode(name: string, text: string, bytes: number): ArrayBuffer {
  const decoded = fromBase64(text, bytes);
  if (!decoded) {
    damaged(`${name} is not base64 of ${bytes} bytes`);
  }
  return decoded.buffer;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function damaged(reason: string): never {
  fail(`This is not a classifier of SambaLab, or it was damaged: ${reason}.`);
}

function fail(message: string): never {
  throw new BridgeError('invalid', message);
}
