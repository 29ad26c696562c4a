/**
 * A classifier as one JSON object: which features, how they are cut into bins, the forest, the classes. Whoever has this file and the
 * engine segments alike. Nothing in it is believed: a file that was changed is refused with the name of the wrong value, and what
 * is accepted can be applied without looking beyond an array or walking in a circle.
 */
import { z } from 'zod';
import { BridgeError } from '../src/kernel-bridge/errors';
import { ForestParams, LabelClass, zClass, zFeatureChoice, zForestParams } from '../src/kernel-bridge/protocol';
import { featureNames, featureSpec, FeatureSpec } from './features';
import { ITrees, VOTES } from './forest';
import { Cuts, CUTS_MAX } from './quantile';

export const CLASSIFIER_FORMAT = 'sambalab-classifier';
export const CLASSIFIER_VERSION = 1;

/** No classifier is larger than this. */
const JSON_BYTES_MAX = 256 << 20;
const NODES_MAX = 50_000_000;

const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/, 'base64');
const zClassifier = z
  .object({
    format: z.literal(CLASSIFIER_FORMAT),
    version: z.literal(CLASSIFIER_VERSION),
    features: zFeatureChoice,
    channels: z.union([z.literal(1), z.literal(3)]),
    names: z.array(z.string().max(200)).max(20000),
    classes: z.array(zClass.strict()).min(1).max(255),
    /** Number of cuts of each feature, and all cuts as float32. */
    cuts: z.object({ counts: z.array(z.number().int().min(0).max(CUTS_MAX)), values: base64 }).strict(),
    forest: zForestParams.strict(),
    samples: z.number().int().positive(),
    oobScore: z.number().min(0).max(1).nullable(),
    /** Impurity importance of each feature; absent or null where it is not known. */
    importance: z.array(z.number().min(0).max(1)).nullable().optional(),
    /** Nodes of each tree, and all nodes: int16, uint8, uint32, uint32; leaves' votes uint16. Little endian. */
    trees: z
      .object({
        counts: z.array(z.number().int().positive()).min(1).max(2000),
        feature: base64,
        threshold: base64,
        left: base64,
        right: base64,
        votes: base64
      })
      .strict()
  })
  .strict();

export interface IClassifier {
  features: FeatureSpec;
  /** Channels of the images it is for. */
  channels: 1 | 3;
  /** Names of the features. */
  names: string[];
  classes: LabelClass[];
  cuts: Cuts;
  forest: ForestParams;
  /** Labelled pixels that it was trained on. */
  samples: number;
  oobScore: number | null;
  /** Impurity importance of each feature, in sum 1 (or 0 where no tree has a split); null where it is not known. */
  importance: number[] | null;
  trees: ITrees;
}

/** The classifier as JSON in UTF-8. */
export function encodeClassifier(classifier: IClassifier): Uint8Array {
  const { features, channels, names, classes, cuts, forest, samples, oobScore, importance, trees } = classifier;
  const values = new Float32Array(cuts.features.reduce((sum, list) => sum + list.length, 0));
  let offset = 0;
  for (const list of cuts.features) {
    values.set(list, offset);
    offset += list.length;
  }
  const file: z.infer<typeof zClassifier> = {
    format: CLASSIFIER_FORMAT,
    version: CLASSIFIER_VERSION,
    features: { ...features },
    channels,
    names,
    classes,
    cuts: { counts: cuts.features.map(list => list.length), values: toBase64(values) },
    forest,
    samples,
    oobScore,
    importance,
    trees: {
      counts: Array.from(trees.counts),
      feature: toBase64(trees.feature),
      threshold: toBase64(trees.threshold),
      left: toBase64(trees.left),
      right: toBase64(trees.right),
      votes: toBase64(trees.votes)
    }
  };
  return new TextEncoder().encode(JSON.stringify(file));
}

/**
 * Read and check a classifier.
 *
 * @throws BridgeError `invalid`, naming the value that is wrong.
 */
export function decodeClassifier(bytes: Uint8Array): IClassifier {
  if (bytes.byteLength > JSON_BYTES_MAX) {
    fail(`it has ${bytes.byteLength} bytes, more than ${JSON_BYTES_MAX}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    fail(`it is not JSON (${(error as Error).message})`);
  }
  const parsed = zClassifier.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    fail(`${issue.path.join('.') || 'it'}: ${issue.message}`);
  }
  const file = parsed.data!;
  const features = featureSpec(file.features);
  const names = featureNames(features, file.channels);
  if (names.length !== file.names.length || names.some((name, i) => name !== file.names[i])) {
    fail(`names are not the ${names.length} names that its features have`);
  }
  const ids = new Set(file.classes.map(({ id }) => id));
  if (ids.size !== file.classes.length) {
    fail('classes: an id occurs twice');
  }
  const cuts = decodeCuts(file.cuts.counts, file.cuts.values, names.length);
  const trees = decodeTrees(file.trees, names.length, file.classes.length, cuts);
  const { channels, classes, forest, samples, oobScore, importance = null } = file;
  if (importance && importance.length !== names.length) {
    fail(`importance has ${importance.length} entries for ${names.length} features`);
  }
  return { features, channels, names, classes, cuts, forest, samples, oobScore, importance, trees };
}

function decodeCuts(counts: number[], values: string, features: number): Cuts {
  if (counts.length !== features) {
    fail(`cuts.counts has ${counts.length} entries for ${features} features`);
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  const all = new Float32Array(fromBase64(values, 'cuts.values', total * 4).buffer);
  let offset = 0;
  const lists = counts.map((count, f) => {
    const list = all.slice(offset, (offset += count));
    list.forEach((cut, i) => {
      if (!Number.isFinite(cut) || (i > 0 && !(cut > list[i - 1]!))) {
        fail(`cuts.values: cut ${i} of feature ${f} is ${cut}; cuts are finite and ascend`);
      }
    });
    return list;
  });
  return new Cuts(lists);
}

function decodeTrees(
  file: z.infer<typeof zClassifier>['trees'],
  features: number,
  classes: number,
  cuts: Cuts
): ITrees {
  const nodes = file.counts.reduce((sum, count) => sum + count, 0);
  if (nodes > NODES_MAX) {
    fail(`trees.counts add up to ${nodes} nodes; at most ${NODES_MAX} will do`);
  }
  const feature = new Int16Array(fromBase64(file.feature, 'trees.feature', nodes * 2).buffer);
  const threshold = fromBase64(file.threshold, 'trees.threshold', nodes);
  const left = new Uint32Array(fromBase64(file.left, 'trees.left', nodes * 4).buffer);
  const right = new Uint32Array(fromBase64(file.right, 'trees.right', nodes * 4).buffer);
  const leaves = feature.reduce((sum, f) => sum + (f === -1 ? 1 : 0), 0);
  const strange = feature.find(f => f < -1 || f >= features);
  if (strange !== undefined) {
    fail(`trees.feature: there is a node with feature ${strange}; features are 0 to ${features - 1}, and -1 in leaves`);
  }
  const votes = new Uint16Array(fromBase64(file.votes, 'trees.votes', leaves * classes * 2).buffer);
  let first = 0;
  const numbered = new Uint8Array(leaves);
  file.counts.forEach((count, t) => {
    const reached = new Uint8Array(count);
    reached[0] = 1;
    for (let i = 0; i < count; i++) {
      const node = first + i;
      const where = `node ${i} of tree ${t}`;
      if (!reached[i]) {
        fail(`trees: ${where} is nobody's child`);
      }
      const f = feature[node]!;
      if (f === -1) {
        const leaf = left[node]!;
        if (leaf >= leaves || numbered[leaf]) {
          fail(`trees.left: ${where} is leaf ${leaf}, which is another's number or not below ${leaves}`);
        }
        if (right[node] !== 0 || threshold[node] !== 0) {
          fail(`trees: ${where} is a leaf, whose right child and threshold must be 0`);
        }
        numbered[leaf] = 1;
        continue;
      }
      if (threshold[node]! >= cuts.features[f]!.length) {
        fail(`trees.threshold: ${where} has cut ${threshold[node]}, feature ${f} has ${cuts.features[f]!.length}`);
      }
      for (const child of [left[node]!, right[node]!]) {
        if (child <= i || child >= count || reached[child]) {
          fail(`trees: ${where} has child ${child}, which is before it, beyond ${count} or another's`);
        }
        reached[child] = 1;
      }
    }
    first += count;
  });
  for (let i = 0; i < leaves; i++) {
    let sum = 0;
    for (let c = 0; c < classes; c++) {
      sum += votes[i * classes + c]!;
    }
    if (sum !== VOTES) {
      fail(`trees.votes: those of leaf ${i} add up to ${sum}, not ${VOTES}`);
    }
  }
  return { counts: Uint32Array.from(file.counts), feature, threshold, left, right, votes };
}

function fail(reason: string): never {
  throw new BridgeError('invalid', `This is not a classifier of SambaLab, or it was damaged: ${reason}.`);
}

const ALPHABET = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');

/** By hand, since `btoa` wants a string and a forest has megabytes. */
function toBase64(data: ArrayBufferView): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let to = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out[to++] = ALPHABET[bits >>> 18]!;
    out[to++] = ALPHABET[(bits >>> 12) & 63]!;
    out[to++] = ALPHABET[(bits >>> 6) & 63]!;
    out[to++] = ALPHABET[bits & 63]!;
  }
  out.fill(0x3d, out.length - ((3 - (bytes.length % 3)) % 3));
  return new TextDecoder().decode(out);
}

/** Bytes in memory of their own. */
function fromBase64(text: string, name: string, expected: number): Uint8Array {
  let binary = '';
  try {
    binary = atob(text);
  } catch {
    fail(`${name} is not base64`);
  }
  if (binary.length !== expected) {
    fail(`${name} has ${binary.length} bytes, not ${expected}`);
  }
  const bytes = new Uint8Array(expected);
  for (let i = 0; i < expected; i++) {
    bytes[i] = binary.charCodeAt(i);
  }
  return bytes;
}
