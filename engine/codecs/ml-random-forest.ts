/**
 * Forests in the format of the npm package ml-random-forest: the JSON of `RandomForestClassifier.toJSON()`, version 2, with trees of ml-cart. It has
 * the forest only; a section `sambalab` beside it, which the package ignores, has the features and classes.
 *
 * In the package a value goes left if it is below the split, in the engine if it is at most the cut, so a split is the float32 next above its cut.
 * A leaf's distribution has a column for each class id. In the package each tree votes for the class with the largest share of its leaf, and the
 * class with most trees wins; the engine adds up the shares. So labels may differ where trees are in doubt.
 */
import { z } from 'zod';
import { BridgeError } from '../../src/shared/errors';
import { CLASSES_MAX, CUTS_MAX, DEPTH_MAX, TREES_MAX } from '../../src/shared/limits';
import { ForestMeaning, zClass, zFeatureChoice } from '../../src/shared/protocol';
import { IClassifier, parseBounded } from '../core/classifier';
import { featureNames, featureSpec } from '../core/features';
import { isBoosting, ITrees, VOTES } from '../core/forest';
import { Cuts } from '../core/quantile';
import { beginsAsJson, IClassifierCodec } from './codec';

/** Most nodes of a file: each takes a text. */
const NODES_MAX = 2_000_000;
/** Most brackets, commas and colons of a file, about ten a node. */
const SIGNS_MAX = 20_000_000;

const zMeaning = z.object({
  features: zFeatureChoice,
  channels: z.union([z.literal(1), z.literal(3)]),
  classes: z.array(zClass).min(1).max(CLASSES_MAX)
});

const zForest = z.object({
  name: z.literal('RFClassifier'),
  baseModel: z.object({
    isClassifier: z.literal(true),
    indexes: z.array(z.array(z.number().int().min(0))).max(TREES_MAX),
    estimators: z
      .array(z.object({ name: z.literal('DTClassifier'), root: z.unknown() }))
      .min(1)
      .max(TREES_MAX)
  })
});

export const mlRandomForest: IClassifierCodec = {
  name: 'ml-random-forest',
  title: 'ml-random-forest',
  description: 'The forest alone, for the npm package ml-random-forest',
  extension: '.json',
  mediaType: 'application/json',
  write: encodeMlRandomForest,
  reads: isMlRandomForest,
  read: decodeMlRandomForest
};

/** The forest of a classifier, for `RandomForestClassifier.load`. @throws BridgeError `invalid` for one that is too large, or no forest */
function encodeMlRandomForest(classifier: IClassifier): Uint8Array {
  const { features, channels, classes, names, cuts, forest, trees } = classifier;
  if (isBoosting(forest)) {
    fail(
      "This classifier has boosted trees, whose leaves add to logits; ml-random-forest's trees vote. Save it as .json or .onnx, or train a forest."
    );
  }
  if (features.embedding) {
    fail(
      "This classifier has SAM's embedding among its features, which ml-random-forest's JSON cannot describe. Save it as .json, or train without the embedding."
    );
  }
  if (trees.feature.length > NODES_MAX) {
    fail(`The forest has ${trees.feature.length} nodes; ml-random-forest's JSON holds ${NODES_MAX}.`);
  }
  const columns = Math.max(...classes.map(({ id }) => id)) + 1;
  const all = names.map((_, i) => i);
  const options = {
    kind: 'classifier',
    gainFunction: 'gini',
    splitFunction: 'mean',
    minNumSamples: forest.minLeaf,
    maxDepth: forest.maxDepth,
    gainThreshold: 0
  };
  let first = 0;
  const estimators = Array.from(trees.counts, count => {
    const nodes: object[] = [];
    for (let i = count - 1; i >= 0; i--) {
      const node = first + i;
      const splitColumn = trees.feature[node]!;
      if (splitColumn >= 0) {
        const splitValue = floatAfter(cuts.features[splitColumn]![trees.threshold[node]!]!);
        nodes[i] = { splitColumn, splitValue, left: nodes[trees.left[node]!], right: nodes[trees.right[node]!] };
        continue;
      }
      const distribution = new Array<number>(columns).fill(0);
      classes.forEach(({ id }, c) => (distribution[id] = trees.votes[trees.left[node]! * classes.length + c]! / VOTES));
      nodes[i] = { distribution: [distribution] };
    }
    first += count;
    return { options, root: nodes[0], name: 'DTClassifier' };
  });
  const baseModel = {
    indexes: estimators.map(() => all),
    n: all.length,
    replacement: false,
    maxFeatures: all.length,
    nEstimators: estimators.length,
    treeOptions: options,
    isClassifier: true,
    seed: forest.seed,
    estimators,
    useSampleBagging: true
  };
  const sambalab = { features, channels, classes, names };
  return new TextEncoder().encode(JSON.stringify({ baseModel, name: 'RFClassifier', sambalab }));
}

/** Whether a JSON file begins with a key that only that package's files begin with. */
function isMlRandomForest(file: Uint8Array): boolean {
  const start = new TextDecoder().decode(file.subarray(0, 1200));
  return beginsAsJson(file) && /^\s*\{\s*("(baseModel|sambalab)"|"name"\s*:\s*"RFClassifier")/.test(start);
}

/**
 * Read a forest of the package. The classifier's cuts are the splits of the trees; its importances are unknown.
 *
 * @param meaning features and classes of the forest; needed if the file has no section `sambalab`
 * @throws BridgeError `invalid` naming what is wrong: another kind of file, more than 255 splits of one feature, an unknown class
 */
function decodeMlRandomForest(file: Uint8Array, meaning?: ForestMeaning): IClassifier {
  const json = parseBounded(file, SIGNS_MAX);
  const parsed = zForest.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    fail(`This is no RandomForestClassifier of ml-random-forest: ${issue.path.join('.') || 'it'}: ${issue.message}.`);
  }
  const { channels, classes, labels, features } = meaning ?? meaningOf(json);
  const spec = featureSpec(features);
  const names = featureNames(spec, channels);
  const ids = classes.map(({ id }) => id);
  if (new Set(ids).size !== ids.length) {
    fail('classes: an id occurs twice.');
  }
  const { estimators, indexes } = parsed.data.baseModel;
  if (indexes.length !== estimators.length) {
    fail(`baseModel.indexes has ${indexes.length} entries for ${estimators.length} trees.`);
  }
  const stranger = indexes.flat().find(index => index >= names.length);
  if (stranger !== undefined) {
    fail(`baseModel.indexes has feature ${stranger}; the spec has 0 to ${names.length - 1}.`);
  }
  const reader = new TreeReader(labels ?? ids, names);
  estimators.forEach(({ root }, tree) => reader.read(root, indexes[tree]!, tree));
  const { trees, cuts } = reader.finish();
  return {
    features: spec,
    channels,
    names,
    classes: classes.map(({ id, name, color }) => ({ id, name, color })),
    pixelSize: null,
    trainedOn: null,
    cuts,
    forest: {
      trees: estimators.length,
      maxDepth: DEPTH_MAX,
      maxFeatures: names.length,
      minLeaf: 1,
      balanced: false,
      maxSamples: null,
      seed: 0
    },
    samples: reader.samples,
    oobScore: null,
    importance: null,
    scores: null,
    scale: null,
    basis: null,
    trees
  };
}

/** Turns trees of objects into trees in flat arrays. */
class TreeReader {
  constructor(
    /** The package's number of each class. */
    private readonly _labels: readonly number[],
    private readonly _names: readonly string[]
  ) {
    this._splits = _names.map(() => new Set<number>());
  }

  /** Labelled pixels of the first tree, if the file has their number. */
  samples = 1;

  read(root: unknown, columns: readonly number[], tree: number): void {
    const waiting: { node: unknown; parent: number; side: 'left' | 'right'; depth: number }[] = [
      { node: root, parent: -1, side: 'left', depth: 0 }
    ];
    const first = this._feature.length;
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const { parent, side, depth } = next;
      const i = this._feature.length - first;
      const where = `node ${i} of tree ${tree}`;
      const node = record(next.node, where);
      if (parent >= 0) {
        this[side === 'left' ? '_left' : '_right'][first + parent] = i;
      }
      if (i === 0 && tree === 0 && Number.isSafeInteger(node['numberSamples'])) {
        this.samples = Math.max(1, node['numberSamples'] as number);
      }
      this._left.push(0);
      this._right.push(0);
      if (node['distribution'] !== undefined) {
        this._feature.push(-1);
        this._cut.push(0);
        this._left[first + i] = this._leaves++;
        this._votes.push(...votesOf(node['distribution'], this._labels, where));
        continue;
      }
      const { splitColumn, splitValue } = node;
      const feature = columns[splitColumn as number];
      if (!Number.isInteger(splitColumn) || feature === undefined) {
        fail(`${where}: splitColumn is ${show(splitColumn)}; 0 to ${columns.length - 1} will do.`);
      }
      const cut = typeof splitValue === 'number' ? floatBefore(splitValue) : NaN;
      if (!Number.isFinite(cut)) {
        fail(`${where}: splitValue is ${show(splitValue)}; a number in the range of float32 will do.`);
      }
      if (depth >= DEPTH_MAX) {
        fail(`${where} is deeper than ${DEPTH_MAX} splits.`);
      }
      const splits = this._splits[feature]!.add(cut);
      if (splits.size > CUTS_MAX) {
        fail(
          `The trees split feature ${feature}, ${this._names[feature]}, at more than ${CUTS_MAX} values, ` +
            'the most that a classifier has; fewer or shallower trees will do.'
        );
      }
      this._feature.push(feature);
      this._cut.push(cut);
      waiting.push({ node: node['right'], parent: i, side: 'right', depth: depth + 1 });
      waiting.push({ node: node['left'], parent: i, side: 'left', depth: depth + 1 });
    }
    this._counts.push(this._feature.length - first);
  }

  finish(): { trees: ITrees; cuts: Cuts } {
    const cuts = this._splits.map(splits => Float32Array.from(splits).sort());
    const places = cuts.map(list => new Map(Array.from(list, (cut, i) => [cut, i])));
    const trees = {
      counts: Uint32Array.from(this._counts),
      feature: Int16Array.from(this._feature),
      threshold: Uint8Array.from(this._cut, (cut, i) =>
        this._feature[i]! < 0 ? 0 : places[this._feature[i]!]!.get(cut)!
      ),
      left: Uint32Array.from(this._left),
      right: Uint32Array.from(this._right),
      votes: Uint16Array.from(this._votes)
    };
    return { trees, cuts: new Cuts(cuts) };
  }

  private readonly _splits: Set<number>[];
  private readonly _counts: number[] = [];
  private readonly _feature: number[] = [];
  private readonly _cut: number[] = [];
  private readonly _left: number[] = [];
  private readonly _right: number[] = [];
  private readonly _votes: number[] = [];
  private _leaves = 0;
}

/** Shares as whole votes: rounded down; the missing votes go to the classes that lost most, the first at a tie. */
function votesOf(distribution: unknown, labels: readonly number[], where: string): number[] {
  const rows: unknown[] = Array.isArray(distribution) ? (distribution as unknown[]) : [];
  const shares: unknown[] = rows.length === 1 && Array.isArray(rows[0]) ? (rows[0] as unknown[]) : [];
  const strange = shares.find(share => typeof share !== 'number' || !(share >= 0 && share < 2));
  const numbers = shares as number[];
  const total = numbers.reduce((sum, share) => sum + share, 0);
  if (strange !== undefined || Math.abs(total - 1) > 1e-6) {
    fail(`${where}: distribution is ${show(distribution)}; one row of shares that add up to 1 will do.`);
  }
  const unknown = numbers.findIndex((share, label) => share > 0 && !labels.includes(label));
  if (unknown >= 0) {
    fail(`${where} has pixels of class ${unknown}; there are ${labels.join(', ')}.`);
  }
  const exact = labels.map(label => ((numbers[label] ?? 0) / total) * VOTES);
  const votes = exact.map(Math.floor);
  const order = exact.map((_, c) => c).sort((a, b) => exact[b]! - votes[b]! - (exact[a]! - votes[a]!) || a - b);
  const missing = VOTES - votes.reduce((sum, count) => sum + count, 0);
  for (let i = 0; i < missing; i++) {
    votes[order[i % order.length]!]!++;
  }
  return votes;
}

function meaningOf(json: unknown): ForestMeaning {
  const parsed = zMeaning.safeParse((json as { sambalab?: unknown }).sambalab);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    fail(
      `This forest of ml-random-forest does not name its features and classes: ` +
        `${['sambalab', ...issue.path].join('.')}: ${issue.message}.`
    );
  }
  return parsed.data;
}

/** The float32 next above one. */
function floatAfter(value: number): number {
  return step(value, 1);
}

/** The greatest float32 below a number. */
function floatBefore(value: number): number {
  const nearest = Math.fround(value);
  return nearest < value ? nearest : step(nearest, -1);
}

/** The next float32 up or down. */
function step(value: number, direction: 1 | -1): number {
  if (value === 0) {
    return direction * 2 ** -149;
  }
  const bits = new Int32Array(Float32Array.of(value).buffer);
  bits[0]! += value > 0 === direction > 0 ? 1 : -1;
  return new Float32Array(bits.buffer)[0]! + 0;
}

function record(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail(`${where} is ${show(value)}; an object will do.`);
  }
  return value as Record<string, unknown>;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function fail(message: string): never {
  throw new BridgeError('invalid', message);
}
