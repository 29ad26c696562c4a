/**
 * Gradient-boosted trees on quantised features: multi-class log-loss, shrinkage, leaf-wise growth, one tree a round for all classes
 * (`engine/assembly/boost.ts` has the sources). Held-out strokes tell the best number of rounds.
 *
 * A leaf's values are whole numbers of 1 / scale that add up to 0, written as votes that are {@link ZERO} larger, so packing, application and
 * files are those of a forest.
 */
import { BoostingParams } from '../../src/shared/learners';
import { CLASSES_MAX } from '../../src/shared/limits';
import { classWeights, ITrainingSet, ITrees, ZERO } from './forest';
import { Engine } from './wasm';

/** Largest step of a leaf before shrinkage; longer steps are shortened. */
const STEP_MAX = 4;
/** Most bytes of histograms of leaves that may be divided. */
const HISTOGRAM_BYTES = 128 << 20;
/** Bins are joined while they have fewer rows than this on average: then noise hides the loss, and searching the bins costs more than counting the rows. */
const ROWS_PER_BIN = 400;
const SHIFT_MAX = 2;
/** One in this many strokes of a class is held out; a class needs at least {@link STROKES_LEAST}. */
const HELD_OUT = 5;
const STROKES_LEAST = 3;
/** With fewer held-out strokes of some class than this, they give a score, but do not decide the number of rounds. */
const HELD_OUT_LEAST = 2;
/** Strokes with more of their class's pixels than this are not held out. */
const STROKE_SHARE = 0.4;

/** Votes in a logit of 1. */
export function boostingScale({ learningRate }: BoostingParams): number {
  return (ZERO - 2) / (learningRate * STEP_MAX);
}

/** Features that a tree tries out of `features`. */
function featuresBoosted(maxFeatures: BoostingParams['maxFeatures'], features: number): number {
  if (maxFeatures === 'all') {
    return features;
  }
  return maxFeatures === 'sqrt' ? Math.max(1, Math.floor(Math.sqrt(features))) : Math.min(maxFeatures, features);
}

/** Bits that are dropped from bins for this number of rows. */
function binShift(rows: number): number {
  let shift = 0;
  while (shift < SHIFT_MAX && rows < (256 >> shift) * ROWS_PER_BIN) {
    shift++;
  }
  return shift;
}

/** Approximate bytes of a {@link BoostGrower} in its engine. */
export function boostBytes(
  { rows, features, classes }: { rows: number; features: number; classes: number },
  params: BoostingParams
): number {
  const vectors = Math.floor((classes + 4) / 4);
  const slot = (256 >> binShift(rows)) * 32 * vectors * featuresBoosted(params.maxFeatures, features);
  const kept = Math.min(params.maxLeaves * slot, Math.max(HISTOGRAM_BYTES, slot));
  return rows * (features + 9 + vectors * 80) + kept + slot + params.maxLeaves * (48 + vectors * 96 + classes * 2);
}

/**
 * Strokes to hold out: about a fifth of each class's, the same for the same seed.
 *
 * @param strokes number of each row's stroke; a stroke has one class
 * @returns `rows`: 1 for held-out rows; `enough`: whether they suffice to find the best number of rounds. Null if some class that occurs has too few
 * strokes to spare one
 */
export function holdOut(
  strokes: ArrayLike<number>,
  classOf: Uint8Array,
  classes: number,
  seed: number
): { rows: Uint8Array; enough: boolean } | null {
  const pixels = Array.from({ length: classes }, () => new Map<number, number>());
  classOf.forEach((c, row) => pixels[c]!.set(strokes[row]!, (pixels[c]!.get(strokes[row]!) ?? 0) + 1));
  const held = new Set<number>();
  let least = Infinity;
  for (const own of pixels) {
    if (own.size === 0) {
      continue;
    }
    const total = [...own.values()].reduce((sum, count) => sum + count, 0);
    const small = [...own.keys()].filter(stroke => own.get(stroke)! <= STROKE_SHARE * total);
    const wanted = Math.round(own.size / HELD_OUT) || 1;
    if (own.size < STROKES_LEAST || small.length < wanted) {
      return null;
    }
    small.sort((a, b) => scatter(a, seed) - scatter(b, seed) || a - b);
    const before = held.size;
    let spared = total;
    for (const stroke of small.slice(0, wanted)) {
      spared -= own.get(stroke)!;
      if (spared < total / 2) {
        break;
      }
      held.add(stroke);
    }
    least = Math.min(least, held.size - before);
  }
  return { rows: classOf.map((_, row) => (held.has(strokes[row]!) ? 1 : 0)), enough: least >= HELD_OUT_LEAST };
}

/** A pseudo-random number in [0, 2³²) (the last steps of Murmur3, Appleby, public domain). */
function scatter(value: number, seed: number): number {
  let h = Math.imul(value + 1, 0x9e3779b1) ^ seed;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** One round: its tree, or null if no cut gains anything, and what each feature gained. */
export interface IBoostRound {
  trees: ITrees | null;
  importance: Float64Array;
}

/** Grows boosted trees on one training set, round after round. Keeps an engine to itself. */
export class BoostGrower {
  /**
   * @param held 1 for rows that are held out; null holds none out
   * @param histogramBytes most bytes of histograms of leaves that may be divided
   */
  constructor(
    private readonly _engine: Engine,
    set: ITrainingSet,
    held: Uint8Array | null,
    private readonly _params: BoostingParams,
    histogramBytes = HISTOGRAM_BYTES
  ) {
    const rows = set.classOf.length;
    const { features, classes } = set;
    if (rows < 1 || set.columns.length !== rows * features || classes < 1 || classes > CLASSES_MAX) {
      throw new RangeError(`${set.columns.length} bins do not make ${rows} rows of ${features} features.`);
    }
    if (set.classOf.some(c => c >= classes)) {
      throw new RangeError(`A row's class is not below ${classes}.`);
    }
    const order = [0, 1].flatMap(side => [...set.classOf.keys()].filter(row => (held?.[row] ? 1 : 0) === side));
    this._rows = rows;
    this._grown = held ? held.reduce((count, out) => count + (out ? 0 : 1), 0) : rows;
    if (this._grown < 1) {
      throw new RangeError('Every row is held out.');
    }
    this._features = features;
    this._classes = classes;
    this._tried = featuresBoosted(_params.maxFeatures, features);
    this._shift = binShift(this._grown);
    this._scale = boostingScale(_params);
    this._vectors = Math.floor((classes + 4) / 4);
    const engine = this._engine;
    const { kernels } = engine;
    this._columns = engine.allocate(rows * features);
    for (let feature = 0; feature < features; feature++) {
      const column = set.columns.subarray(feature * rows, (feature + 1) * rows);
      const to = engine.u8(this._columns + feature * rows, rows);
      if (held) {
        order.forEach((row, i) => (to[i] = column[row]!));
      } else {
        to.set(column);
      }
    }
    const classOf = Uint8Array.from(order, row => set.classOf[row]!);
    this._classOf = engine.put(classOf);
    const weights = new Float32Array(this._vectors * 4);
    weights.set(classWeights(classOf.subarray(0, this._grown), classes, _params.balanced));
    this._weights = engine.put(weights);
    this._scores = engine.allocate(rows * this._vectors * 16);
    engine.u8(this._scores, rows * this._vectors * 16).fill(0);
    this._records = engine.allocate(this._grown * this._vectors * 32);
    const { maxLeaves } = _params;
    const slot = kernels.boostSlot(this._tried, classes, this._shift) >>> 0;
    this._slots = Math.max(1, Math.min(maxLeaves, Math.floor(histogramBytes / slot)));
    this._scratch = engine.allocate(kernels.boostScratch(rows, features, classes, maxLeaves, slot, this._slots) >>> 0);
    this._nodes = engine.allocate((2 * maxLeaves - 1) * 16);
    this._votes = engine.allocate(maxLeaves * classes * 2);
    this._importance = engine.allocate(features * 8);
    this._result = engine.allocate(8);
    this._confusion = engine.allocate(classes * classes * 4);
    this._lossScratch = engine.allocate(this._vectors * 16 + classes * 8);
  }

  /** Grow the tree of a round; call it for round 0, 1, 2, … */
  grow(round: number): IBoostRound {
    const { maxLeaves, maxDepth, minLeaf, l2, learningRate, seed } = this._params;
    const engine = this._engine;
    const { kernels } = engine;
    const step = 1 / this._scale;
    const classes = this._classes;
    kernels.boostGradients(this._grown, this._classOf, classes, this._weights, this._scores, step, this._records);
    kernels.boostTree(
      this._columns,
      this._rows,
      this._grown,
      this._features,
      classes,
      this._records,
      this._scores,
      this._scale,
      learningRate,
      maxLeaves,
      maxDepth,
      this._tried,
      minLeaf,
      l2,
      this._shift,
      this._slots,
      seed,
      round,
      this._scratch,
      this._nodes,
      this._votes,
      this._importance,
      this._result
    );
    const [count, leaves] = engine.u32(this._result, 2) as unknown as [number, number];
    const importance = engine.f64(this._importance, this._features).slice();
    if (leaves === 1) {
      return { trees: null, importance };
    }
    const nodes = engine.i32(this._nodes, count * 4);
    const field = (at: number) => (_: unknown, i: number) => nodes[i * 4 + at]!;
    const trees: ITrees = {
      counts: Uint32Array.of(count),
      feature: Int16Array.from({ length: count }, field(0)),
      threshold: Uint8Array.from({ length: count }, field(1)),
      left: Uint32Array.from({ length: count }, field(2)),
      right: Uint32Array.from({ length: count }, field(3)),
      votes: engine.u16(this._votes, leaves * classes).slice()
    };
    return { trees, importance };
  }

  /** Log-loss of the held-out rows, with equal weights of the classes, and their confusion: pixels [labelled class][predicted class]. */
  heldOut(): { loss: number; confusion: number[][] } {
    const engine = this._engine;
    const classes = this._classes;
    const loss = engine.kernels.boostLoss(
      this._grown,
      this._rows,
      this._classOf,
      classes,
      this._scores,
      1 / this._scale,
      this._confusion,
      this._lossScratch
    );
    const cells = engine.u32(this._confusion, classes * classes);
    return {
      loss,
      confusion: Array.from({ length: classes }, (_, c) => Array.from(cells.subarray(c * classes, (c + 1) * classes)))
    };
  }

  /** Scores [row][lanes] after the rounds that were grown, whole numbers. */
  get scores(): Int32Array {
    return this._engine.i32(this._scores, this._rows * this._vectors * 4);
  }

  /** Length of {@link scores} for a number of rows. */
  static scoresLength(rows: number, classes: number): number {
    return rows * Math.floor((classes + 4) / 4) * 4;
  }

  /** Bytes of memory that it holds. */
  get bytes(): number {
    return this._engine.bytes;
  }

  private readonly _rows: number;
  /** Rows that are learned from; the held-out rows stand behind them. */
  private readonly _grown: number;
  private readonly _features: number;
  private readonly _classes: number;
  private readonly _tried: number;
  private readonly _shift: number;
  private readonly _scale: number;
  private readonly _vectors: number;
  private readonly _slots: number;
  private readonly _columns: number;
  private readonly _classOf: number;
  private readonly _weights: number;
  private readonly _scores: number;
  private readonly _records: number;
  private readonly _scratch: number;
  private readonly _nodes: number;
  private readonly _votes: number;
  private readonly _importance: number;
  private readonly _result: number;
  private readonly _confusion: number;
  private readonly _lossScratch: number;
}

/** A tree of one leaf with the values 0, for an ensemble without trees. */
export function silentTree(classes: number): ITrees {
  return {
    counts: Uint32Array.of(1),
    feature: Int16Array.of(-1),
    threshold: Uint8Array.of(0),
    left: Uint32Array.of(0),
    right: Uint32Array.of(0),
    votes: new Uint16Array(classes).fill(ZERO)
  };
}
