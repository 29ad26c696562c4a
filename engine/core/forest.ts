/** Forests in flat arrays: growing, packing and applying them by the kernels. */
import { BridgeError } from '../../src/shared/errors';
export { FOREST_PRESETS, isBoosting } from '../../src/shared/learners';
import { ForestParams } from '../../src/shared/learners';
import { CLASSES_MAX } from '../../src/shared/limits';
import { Rect } from '../../src/shared/rect';
import { blocksOf } from './stack';
import { Engine } from './wasm';

/** A leaf's votes are whole numbers with this sum; `engine/assembly/grow.ts` has the same. */
export const VOTES = 1024;

/** A value of 0 as a vote of a boosted tree; `engine/assembly/boost.ts` has the same. */
export const ZERO = 512;

/** Sum of the votes of a leaf: of a forest, or of boosted trees, which have a `scale` (votes in a logit of 1). */
export function leafSum(scale: number | null, classes: number): number {
  return scale === null ? VOTES : ZERO * classes;
}

/** Blocks of one call, a multiple of the kernel's groups. */
const BLOCKS_PER_CALL = 64;

/** Features that a split tries out of `features`. */
export function featuresTried(maxFeatures: ForestParams['maxFeatures'], features: number): number {
  return maxFeatures === 'sqrt' ? Math.max(1, Math.floor(Math.sqrt(features))) : Math.min(maxFeatures, features);
}

/**
 * Trees in flat arrays: the nodes of tree t follow those of tree t − 1, and `left` and `right` count from the tree's first node.
 * A pixel goes left if its bin of `feature` is at most `threshold`. In a leaf `feature` is −1 and `left` is the leaf's number, counted
 * over all trees; `votes` is [leaf][class], each leaf's sum {@link leafSum}. A forest's votes are shares of the classes; those of boosted trees
 * are {@link ZERO} and a logit, in whole numbers.
 */
export interface ITrees {
  /** Nodes of each tree. */
  counts: Uint32Array;
  feature: Int16Array;
  threshold: Uint8Array;
  left: Uint32Array;
  right: Uint32Array;
  votes: Uint16Array;
}

/** Concatenate trees. */
export function joinTrees(parts: readonly ITrees[], classes: number): ITrees {
  const total = (pick: (trees: ITrees) => { length: number }) =>
    parts.reduce((sum, part) => sum + pick(part).length, 0);
  const nodes = total(part => part.feature);
  const out: ITrees = {
    counts: new Uint32Array(total(part => part.counts)),
    feature: new Int16Array(nodes),
    threshold: new Uint8Array(nodes),
    left: new Uint32Array(nodes),
    right: new Uint32Array(nodes),
    votes: new Uint16Array(total(part => part.votes))
  };
  let tree = 0;
  let node = 0;
  let vote = 0;
  for (const part of parts) {
    out.counts.set(part.counts, tree);
    out.feature.set(part.feature, node);
    out.threshold.set(part.threshold, node);
    out.right.set(part.right, node);
    const leaves = vote / classes;
    for (let i = 0; i < part.left.length; i++) {
      out.left[node + i] = part.left[i]! + (part.feature[i]! < 0 ? leaves : 0);
    }
    out.votes.set(part.votes, vote);
    tree += part.counts.length;
    node += part.feature.length;
    vote += part.votes.length;
  }
  return out;
}

/** Labelled pixels to learn from: bins [feature][row] and class index of each row. */
export interface ITrainingSet {
  columns: Uint8Array;
  classOf: Uint8Array;
  features: number;
  classes: number;
}

export interface IGrowOptions extends ForestParams {
  /** False grows every tree on all rows, for tests; there is no out-of-bag score then. */
  bootstrap?: boolean;
}

/** Weights of the classes: 1, or balanced as if all classes that occur had equally many pixels. */
export function classWeights(classOf: Uint8Array, classes: number, balanced: boolean): Float64Array {
  const counts = new Float64Array(classes);
  classOf.forEach(c => counts[c]!++);
  const present = counts.filter(count => count > 0).length;
  return counts.map(count => (balanced && count > 0 ? classOf.length / (present * count) : 1));
}

/** Approximate bytes of a {@link TreeGrower} in its engine. */
export function growBytes(
  { rows, features, classes }: { rows: number; features: number; classes: number },
  maxDepth: number
): number {
  const leaves = Math.min(rows, 2 ** Math.min(maxDepth, 31));
  const perRow = features + 27 + classes * 4;
  return rows * perRow + leaves * (32 + classes * 2) + classes * 4096;
}

/** Grows trees on one training set. Keeps an engine to itself. */
export class TreeGrower {
  constructor(
    private readonly _engine: Engine,
    set: ITrainingSet,
    private readonly _options: IGrowOptions
  ) {
    const rows = set.classOf.length;
    const { features, classes } = set;
    if (rows < 1 || set.columns.length !== rows * features || classes < 1 || classes > CLASSES_MAX) {
      throw new RangeError(`${set.columns.length} bins do not make ${rows} rows of ${features} features.`);
    }
    if (set.classOf.some(c => c >= classes)) {
      throw new RangeError(`A row's class is not below ${classes}.`);
    }
    const engine = this._engine;
    this._rows = rows;
    this._features = features;
    this._classes = classes;
    const { maxDepth } = _options;
    // Rows and depth both bound the number of leaves.
    const leaves = Math.min(rows, 2 ** Math.min(maxDepth, 31));
    this._inputs = [engine.put(set.columns), engine.put(set.classOf)];
    const weights = new Float64Array(Math.ceil(classes / 4) * 4);
    weights.set(classWeights(set.classOf, classes, _options.balanced));
    this._weights = engine.put(weights);
    this._scratch = engine.allocate(engine.kernels.growScratch(rows, features, classes, maxDepth));
    this._nodes = engine.allocate((2 * leaves - 1) * 16);
    this._votes = engine.allocate(leaves * classes * 2);
    this._outOfBag = engine.allocate(rows * classes * 4);
    this._importance = engine.allocate(features * 8);
    this._result = engine.allocate(8);
    this.clearOutOfBag();
  }

  /** Grow the tree with this number; `importance` is each feature's share of the fall of impurity, or all 0 without a split. */
  grow(tree: number): { trees: ITrees; importance: Float64Array } {
    const { maxDepth, maxFeatures, minLeaf, seed, bootstrap = true } = this._options;
    const engine = this._engine;
    engine.kernels.growTree(
      this._inputs[0],
      this._rows,
      this._features,
      this._inputs[1],
      this._classes,
      this._weights,
      maxDepth,
      featuresTried(maxFeatures, this._features),
      minLeaf,
      bootstrap ? 1 : 0,
      seed,
      tree,
      this._scratch,
      this._nodes,
      this._votes,
      this._outOfBag,
      this._importance,
      this._result
    );
    const [count, leaves] = engine.u32(this._result, 2) as unknown as [number, number];
    const nodes = engine.i32(this._nodes, count * 4);
    const trees: ITrees = {
      counts: Uint32Array.of(count),
      feature: new Int16Array(count),
      threshold: new Uint8Array(count),
      left: new Uint32Array(count),
      right: new Uint32Array(count),
      votes: engine.u16(this._votes, leaves * this._classes).slice()
    };
    for (let i = 0; i < count; i++) {
      trees.feature[i] = nodes[i * 4]!;
      trees.threshold[i] = nodes[i * 4 + 1]!;
      trees.left[i] = nodes[i * 4 + 2]!;
      trees.right[i] = nodes[i * 4 + 3]!;
    }
    const importance = engine.f64(this._importance, this._features).slice();
    const sum = importance.reduce((total, value) => total + value, 0);
    return { trees, importance: sum > 0 ? importance.map(value => value / sum) : importance };
  }

  /** Votes [row][class] of all trees grown since {@link clearOutOfBag} that did not see the row. */
  get outOfBag(): Uint32Array {
    return this._engine.u32(this._outOfBag, this._rows * this._classes);
  }

  /** Bytes of memory that it holds. */
  get bytes(): number {
    return this._engine.bytes;
  }

  clearOutOfBag(): void {
    this.outOfBag.fill(0);
  }

  private readonly _rows: number;
  private readonly _features: number;
  private readonly _classes: number;
  private readonly _inputs: [number, number];
  private readonly _weights: number;
  private readonly _scratch: number;
  private readonly _nodes: number;
  private readonly _votes: number;
  private readonly _outOfBag: number;
  private readonly _importance: number;
  private readonly _result: number;
}

/**
 * Share of the rows whose class has the most out-of-bag votes, the lowest class at a tie; rows that every tree saw do not count.
 * Null if all are such rows. (`oob_score_` of scikit-learn.)
 */
export function outOfBagScore(votes: Uint32Array, classOf: Uint8Array, classes: number): number | null {
  const confusion = outOfBagConfusion(votes, classOf, classes);
  const seen = confusion.flat().reduce((sum, count) => sum + count, 0);
  const right = confusion.reduce((sum, row, c) => sum + row[c]!, 0);
  return seen > 0 ? right / seen : null;
}

/**
 * Pixels [labelled class][predicted class] by the out-of-bag votes, the lowest class at a tie; rows that every tree saw do not count.
 */
export function outOfBagConfusion(votes: Uint32Array, classOf: Uint8Array, classes: number): number[][] {
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  classOf.forEach((own, row) => {
    const base = row * classes;
    let best = 0;
    for (let c = 1; c < classes; c++) {
      if (votes[base + c]! > votes[base + best]!) {
        best = c;
      }
    }
    if (votes[base + best]! > 0) {
      confusion[own]![best]!++;
    }
  });
  return confusion;
}

/** Copy trees to an engine's memory; the caller releases them. @returns their addresses */
function putTrees(engine: Engine, { counts, feature, threshold, left, right, votes }: ITrees) {
  return {
    counts: engine.put(counts),
    feature: engine.put(feature),
    threshold: engine.put(threshold),
    left: engine.put(left),
    right: engine.put(right),
    votes: engine.put(votes)
  };
}

/**
 * Impurity importance of the features: the mean over the trees, in sum 1 (`feature_importances_` of scikit-learn).
 *
 * @param perTree [tree][feature], in the order of the trees, so that the sum has the same bits; a tree without a split has only 0 and does not count
 */
export function forestImportance(perTree: Float64Array, features: number): number[] {
  const sums = new Array<number>(features).fill(0);
  perTree.forEach((value, i) => (sums[i % features]! += value));
  const total = sums.reduce((sum, value) => sum + value, 0);
  return total > 0 ? sums.map(value => value / total) : sums;
}

/** A forest in the form in which kernels apply it (`engine/assembly/pack.ts`); threads share it without a copy. */
export interface IPackedForest {
  quads: Uint8Array;
  roots: Uint32Array;
  tables: Uint8Array;
  trees: number;
  features: number;
  classes: number;
  /** Votes in a logit of 1, for boosted trees; null for a forest. */
  scale: number | null;
}

/**
 * Pack checked trees, by any engine, into memory that threads share.
 *
 * @throws BridgeError `invalid` for a forest beyond 32-bit addresses.
 */
export function packForest(
  engine: Engine,
  trees: ITrees,
  features: number,
  classes: number,
  scale: number | null = null
): IPackedForest {
  const count = trees.counts.length;
  const bottom = engine.mark;
  try {
    const { counts, feature, threshold, left, right, votes } = putTrees(engine, trees);
    const scratch = engine.allocate(16 * (trees.counts.reduce((most, n) => Math.max(most, n), 0) + 8));
    const result = engine.allocate(8);
    const pack = (quads: number, roots: number, tables: number) =>
      engine.kernels.packForest(
        counts,
        count,
        feature,
        threshold,
        left,
        right,
        votes,
        classes,
        quads,
        roots,
        tables,
        scratch,
        result
      );
    pack(0, 0, 0);
    const [quadCount, bottoms] = engine.u32(result, 2) as unknown as [number, number];
    const quadBytes = quadCount * 16;
    const tableBytes = bottoms * (classes - 1) * 8;
    if (quadBytes >= 2 ** 32 || tableBytes >= 2 ** 32) {
      throw new BridgeError(
        'invalid',
        `The forest has ${trees.feature.length} nodes, too many for ${classes} classes; fewer trees or less depth will do.`
      );
    }
    const quads = engine.allocate(quadBytes);
    const roots = engine.allocate(count * 8);
    const tables = engine.allocate(tableBytes);
    pack(quads, roots, tables);
    const shared = (address: number, bytes: number) => {
      const copy = new Uint8Array(new SharedArrayBuffer(bytes));
      copy.set(engine.u8(address, bytes));
      return copy;
    };
    return {
      quads: shared(quads, quadBytes),
      roots: new Uint32Array(shared(roots, count * 8).buffer),
      tables: shared(tables, tableBytes),
      trees: count,
      features,
      classes,
      scale
    };
  } finally {
    engine.release(bottom);
  }
}

/** Results of a forest for a tile, row by row; class indices, not ids. */
export interface ISegmentedTile {
  prediction?: Uint8Array;
  /** [pixel][class] */
  probabilities?: Float32Array;
  uncertainty?: Float32Array;
}

/** Applies one forest to tiles. Keeps an engine to itself. */
export class ForestApplier {
  constructor(
    private readonly _engine: Engine,
    private readonly _forest: IPackedForest
  ) {
    this._quads = _engine.put(_forest.quads);
    this._roots = _engine.put(_forest.roots);
    this._tables = _engine.put(_forest.tables);
    this._scratch = _engine.allocate(_engine.kernels.applyScratch(_forest.classes));
    this._bottom = _engine.mark;
  }

  /**
   * Segment a tile.
   *
   * @param blocks u8 [block][feature][16], as {@link FeatureStack.quantise} gives them; or two such arrays, of the first features and of the others
   * @returns views of the engine's memory, good until the next call
   */
  apply(
    tile: Rect,
    blocks: Uint8Array | readonly Uint8Array[],
    wanted: { [name in keyof ISegmentedTile]?: boolean }
  ): ISegmentedTile {
    const engine = this._engine;
    const { features, classes, trees, scale } = this._forest;
    const { count, columns: blockColumns } = blocksOf(tile);
    const parts = blocks instanceof Uint8Array ? [blocks] : blocks;
    const bins = parts.reduce((sum, part) => sum + part.length, 0);
    if (parts.length < 1 || parts.length > 2 || bins !== count * features * 16) {
      throw new RangeError(`${bins} bins do not fill ${count} blocks of ${features} features.`);
    }
    engine.release(this._bottom);
    const rows = tile.row1 - tile.row0;
    const columns = tile.column1 - tile.column0;
    const pixels = rows * columns;
    const input = engine.allocate(bins);
    if (parts.length === 1) {
      engine.u8(input, bins).set(parts[0]!);
    } else {
      const mark = engine.mark;
      const [first, second] = parts.map(part => engine.put(part)) as [number, number];
      const bytes = (part: Uint8Array) => part.length / count;
      engine.kernels.joinBlocks(first, bytes(parts[0]!), second, bytes(parts[1]!), count, input);
      engine.release(mark);
    }
    const sums = engine.allocate(count * classes * 64);
    const prediction = wanted.prediction ? engine.allocate(pixels) : 0;
    const probabilities = wanted.probabilities ? engine.allocate(pixels * classes * 4) : 0;
    const uncertainty = wanted.uncertainty ? engine.allocate(pixels * 4) : 0;
    const { kernels } = engine;
    // Only labels can do with partial sums, and only a forest's votes have the bound that this needs.
    const labelsAlone = scale === null && !wanted.probabilities && !wanted.uncertainty;
    const applyTo = labelsAlone ? kernels.applyForestForLabels : kernels.applyForest;
    // Many short calls, since a running call keeps its code: V8 replaces its first, slow code only between calls.
    for (let block = 0; block < count; block += BLOCKS_PER_CALL) {
      applyTo(
        input + block * features * 16,
        Math.min(BLOCKS_PER_CALL, count - block),
        features,
        this._quads,
        this._roots,
        trees,
        this._tables,
        classes,
        leafSum(scale, classes),
        sums + block * classes * 64,
        this._scratch
      );
    }
    const results = [prediction, probabilities, uncertainty] as const;
    if (scale === null) {
      kernels.decide(sums, blockColumns, rows, columns, classes, trees * VOTES, ...results);
    } else {
      kernels.decideBoosted(sums, blockColumns, rows, columns, classes, 1 / scale, ...results);
    }
    return {
      ...(prediction && { prediction: engine.u8(prediction, pixels) }),
      ...(probabilities && { probabilities: engine.f32(probabilities, pixels * classes) }),
      ...(uncertainty && { uncertainty: engine.f32(uncertainty, pixels) })
    };
  }

  private readonly _quads: number;
  private readonly _roots: number;
  private readonly _tables: number;
  private readonly _scratch: number;
  private readonly _bottom: number;
}
