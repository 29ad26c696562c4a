import { BoostingParams } from '../../../src/shared/learners';
import { BoostGrower, boostingScale, holdOut, IBoostRound, silentTree } from '../boosting';
import { ForestApplier, FOREST_PRESETS, ITrainingSet, ITrees, joinTrees, leafSum, packForest, ZERO } from '../forest';
import { faultOfTrees } from '../tree-check';
import { newEngine, randomSource } from '../../__tests__/support/engine';
import { blocksFrom, walk } from '../../__tests__/support/forests';

const FEATURES = 6;
const params = (change: Partial<BoostingParams> = {}): BoostingParams => ({
  ...FOREST_PRESETS.boosting,
  maxFeatures: 'all',
  minLeaf: 3,
  balanced: false,
  ...change
});

/** Rows whose class depends on two features, with some noise. */
function sample(rows: number, classes: number, seed = 1): ITrainingSet {
  const random = randomSource(seed);
  const columns = Uint8Array.from({ length: rows * FEATURES }, () => Math.floor(random() * 256));
  const classOf = Uint8Array.from({ length: rows }, (_, row) => {
    const place = (columns[row]! + 2 * columns[2 * rows + row]!) / 768;
    return random() < 0.1 ? Math.floor(random() * classes) : Math.min(classes - 1, Math.floor(place * classes));
  });
  return { columns, classOf, features: FEATURES, classes };
}

const binsOf = ({ columns, classOf }: ITrainingSet, row: number) =>
  Array.from({ length: FEATURES }, (_, f) => columns[f * classOf.length + row]!);

function softmax(logits: readonly number[]): number[] {
  const top = Math.max(...logits);
  const powers = logits.map(logit => Math.exp(logit - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map(power => power / total);
}

function growAll(set: ITrainingSet, options: BoostingParams, rounds: number, held: Uint8Array | null = null) {
  const grower = new BoostGrower(newEngine(), set, held, options);
  const grown = Array.from({ length: rounds }, (_, round): IBoostRound => grower.grow(round));
  const trees = joinTrees(
    grown.map(({ trees: tree }) => tree ?? silentTree(set.classes)),
    set.classes
  );
  return { grower, grown, trees };
}

/** Logits of rows, by walking down. */
function logitsOf(set: ITrainingSet, trees: ITrees, options: BoostingParams): number[][] {
  return Array.from(set.classOf, (_, row) =>
    walk(trees, binsOf(set, row), set.classes).map(
      votes => (votes - ZERO * trees.counts.length) / boostingScale(options)
    )
  );
}

/** Derivatives of the loss at these probabilities, as a row's first and second. */
function derivatives(set: ITrainingSet, row: number, p: readonly number[]) {
  const k = set.classes;
  const g = p.map((share, c) => share - (set.classOf[row] === c ? 1 : 0));
  return { g, h: p.map(share => (share * (1 - share) * k) / (k - 1)) };
}

/** Σ G² / (H + λ), the count, and −G / (H + λ) less its mean, of some rows. */
function sumsOf(set: ITrainingSet, rows: readonly number[], at: readonly number[][], l2: number) {
  const g = new Array<number>(set.classes).fill(0);
  const h = new Array<number>(set.classes).fill(0);
  for (const row of rows) {
    const own = derivatives(set, row, at[row]!);
    own.g.forEach((value, c) => (g[c]! += value));
    own.h.forEach((value, c) => (h[c]! += value));
  }
  const steps = g.map((value, c) => -value / (h[c]! + l2));
  const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length;
  return {
    score: g.reduce((sum, value, c) => sum + (value * value) / (h[c]! + l2), 0),
    steps: steps.map(step => step - mean)
  };
}

describe('a boosted tree', () => {
  it.each([
    [2, 400, 0.1],
    [3, 900, 0.1],
    [4, 900, 0.3],
    [9, 700, 0.2]
  ])(
    'of %i classes and %i rows has in each node the cut that gains most, and Newton steps in its leaves',
    (classes, rows, learningRate) => {
      const set = sample(rows, classes);
      const options = params({ learningRate, maxLeaves: 9 });
      const { grower, grown } = growAll(set, options, 1);
      // A second tree, so that derivatives differ from row to row.
      const first = grown[0]!.trees!;
      const at = logitsOf(set, first, options).map(softmax);
      const { trees } = grower.grow(1);
      const scale = boostingScale(options);
      const visit = (node: number, members: number[]): void => {
        const feature = trees!.feature[node]!;
        const { score, steps } = sumsOf(set, members, at, options.l2);
        if (feature < 0) {
          const votes = trees!.votes.subarray(trees!.left[node]! * classes, (trees!.left[node]! + 1) * classes);
          expect(votes.reduce((sum, vote) => sum + vote, 0)).toBe(leafSum(scale, classes));
          // A longer step than there are whole numbers for is shortened.
          const longest = Math.max(...steps.map(Math.abs)) * learningRate * scale;
          const factor = learningRate * scale * Math.min(1, 510 / longest);
          steps.forEach((step, c) => expect(Math.abs(votes[c]! - ZERO - step * factor)).toBeLessThan(1.01));
          return;
        }
        const side = (f: number, threshold: number, low: boolean) =>
          members.filter(row => set.columns[f * rows + row]! <= threshold === low);
        const gain = (f: number, threshold: number) => {
          const parts = [side(f, threshold, true), side(f, threshold, false)];
          return parts.some(part => part.length < options.minLeaf)
            ? 0
            : parts.reduce((sum, part) => sum + sumsOf(set, part, at, options.l2).score, -score);
        };
        const taken = gain(feature, trees!.threshold[node]!);
        // Four bins are joined for so few rows.
        for (let f = 0; f < FEATURES; f++) {
          for (let threshold = 3; threshold < 255; threshold += 24) {
            expect(gain(f, threshold)).toBeLessThan(taken * 1.001 + 1e-4);
          }
        }
        expect(taken).toBeGreaterThan(0);
        visit(trees!.left[node]!, side(feature, trees!.threshold[node]!, true));
        visit(trees!.right[node]!, side(feature, trees!.threshold[node]!, false));
      };
      visit(0, [...set.classOf.keys()]);
    }
  );

  it.each([1, 2, 3, 4, 5, 8, 255])('is sound for %i classes, with leaves as few and as full as asked', classes => {
    const set = sample(600, classes);
    const options = params({ maxLeaves: 7, maxDepth: 4, minLeaf: 25, balanced: true });
    const { trees } = growAll(set, options, 12);
    const cuts = new Array<number>(FEATURES).fill(255);
    expect(faultOfTrees(trees, classes, cuts, boostingScale(options))).toBeUndefined();
    trees.counts.forEach(count => expect(count).toBeLessThanOrEqual(13));
    const leaves = new Map<number, number>();
    set.classOf.forEach((_, row) => {
      let node = 0;
      while (trees.feature[node]! >= 0) {
        const low = binsOf(set, row)[trees.feature[node]!]! <= trees.threshold[node]!;
        node = low ? trees.left[node]! : trees.right[node]!;
      }
      leaves.set(node, (leaves.get(node) ?? 0) + 1);
    });
    expect(Math.min(...leaves.values())).toBeGreaterThanOrEqual(25);
  });

  it('depends on the seed only if features are drawn', () => {
    const set = sample(500, 3);
    const grow = (seed: number) => growAll(set, params({ maxFeatures: 2, seed }), 5).trees;
    expect(grow(4)).toEqual(grow(4));
    expect(grow(4)).not.toEqual(grow(5));
    const used = new Set(Array.from(grow(4).feature).filter(f => f >= 0));
    expect(used.size).toBeGreaterThan(2);
  });

  it('is the same if histograms have no room and are counted anew', () => {
    const set = sample(1500, 3);
    const options = params({ maxLeaves: 40, minLeaf: 1 });
    const roomy = growAll(set, options, 3).trees;
    const tight = new BoostGrower(newEngine(), set, null, options, 4 * 64 * 32 * FEATURES);
    const trees = joinTrees(
      [0, 1, 2].map(round => tight.grow(round).trees!),
      3
    );
    // Differences of histograms round otherwise than sums: a cut or two may differ.
    const same = Array.from(trees.feature).filter((f, i) => f === roomy.feature[i]).length;
    expect(trees.feature.length).toBe(roomy.feature.length);
    expect(same / trees.feature.length).toBeGreaterThan(0.9);
  });
});

describe('boosting', () => {
  it('has the sums of its trees as scores of every row, held out or not, and the loss that follows', () => {
    const set = sample(800, 3);
    const held = set.classOf.map((_, row) => (row % 5 === 2 ? 1 : 0));
    const options = params({ rounds: 20 });
    const { grower, trees } = growAll(set, options, 20, held);
    const { loss, confusion } = grower.heldOut();
    const logits = logitsOf(set, trees, options);
    const rows = [...held.keys()].filter(row => held[row]);
    const means = [0, 1, 2].map(c => {
      const own = rows.filter(row => set.classOf[row] === c);
      expect(confusion[c]!.reduce((sum, n) => sum + n, 0)).toBe(own.length);
      expect(confusion[c]![c]).toBe(own.filter(row => logits[row]!.indexOf(Math.max(...logits[row]!)) === c).length);
      return own.reduce((sum, row) => sum - Math.log(softmax(logits[row]!)[c]!), 0) / own.length;
    });
    expect(loss).toBeCloseTo((means[0]! + means[1]! + means[2]!) / 3, 4);
    expect(loss).toBeLessThan(0.7);
  });

  it('learns nothing from rows that are held out', () => {
    const set = sample(600, 3);
    const held = set.classOf.map((_, row) => (row % 4 === 0 ? 1 : 0));
    const wrong = { ...set, classOf: set.classOf.map((c, row) => (held[row] ? (c + 1) % 3 : c)) };
    expect(growAll(wrong, params(), 6, held).trees).toEqual(growAll(set, params(), 6, held).trees);
  });

  it('continues in another grower from the scores alone', () => {
    const set = sample(700, 4);
    const whole = growAll(set, params({ maxFeatures: 3 }), 8);
    const { grower } = growAll(set, params({ maxFeatures: 3 }), 5);
    const other = new BoostGrower(newEngine(), set, null, params({ maxFeatures: 3 }));
    other.scores.set(grower.scores);
    [5, 6, 7].forEach(round => expect(other.grow(round)).toEqual(whole.grown[round]));
    expect(grower.scores).toHaveLength(BoostGrower.scoresLength(700, 4));
  });

  it('gives no tree if no cut gains anything', () => {
    const set = { ...sample(50, 2), classOf: new Uint8Array(50) };
    const { trees, importance } = new BoostGrower(
      newEngine(),
      { ...set, columns: new Uint8Array(300) },
      null,
      params()
    ).grow(0);
    expect(trees).toBeNull();
    expect(Array.from(importance)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('finds the features that matter', () => {
    const { grown } = growAll(sample(900, 3), params(), 5);
    const gains = [0, 1, 2, 3, 4, 5].map(f => grown.reduce((sum, { importance }) => sum + importance[f]!, 0));
    expect(Math.min(gains[0]!, gains[2]!)).toBeGreaterThan(3 * Math.max(gains[1]!, gains[3]!, gains[4]!, gains[5]!));
  });

  it.each([1, 2, 3, 5, 40])(
    'is applied as a softmax of the sums over a walk down each tree, for %i classes',
    classes => {
      const set = sample(500, classes);
      const options = params({ learningRate: 0.3 });
      const { trees } = growAll(set, options, 15);
      const [rows, columns] = [9, 14];
      const tile = { row0: 0, row1: rows, column0: 0, column1: columns };
      const packed = packForest(newEngine(), trees, FEATURES, classes, boostingScale(options));
      const applied = new ForestApplier(newEngine(), packed).apply(
        tile,
        blocksFrom(tile, FEATURES, (pixel, f) => binsOf(set, pixel)[f]!),
        { prediction: true, probabilities: true, uncertainty: true }
      );
      const logits = logitsOf(set, trees, options);
      for (let pixel = 0; pixel < rows * columns; pixel++) {
        const shares = softmax(logits[pixel]!);
        const [best, second = 0] = [...shares].sort((a, b) => b - a) as [number, number?];
        expect(applied.prediction![pixel]).toBe(logits[pixel]!.indexOf(Math.max(...logits[pixel]!)));
        expect(applied.uncertainty![pixel]).toBeCloseTo(1 - (best - second), 5);
        shares.forEach((share, c) => expect(applied.probabilities![pixel * classes + c]).toBeCloseTo(share, 5));
      }
    }
  );
});

describe('strokes that are held out', () => {
  const rows = (...sizes: [c: number, strokes: number, pixels: number][]) => {
    const classOf: number[] = [];
    const strokes: number[] = [];
    let stroke = 0;
    for (const [c, count, pixels] of sizes) {
      for (let i = 0; i < count; i++) {
        stroke++;
        for (let p = 0; p < pixels; p++) {
          classOf.push(c);
          strokes.push(stroke);
        }
      }
    }
    return { classOf: Uint8Array.from(classOf), strokes };
  };

  it('are whole ones, about a fifth of each class, others for another seed', () => {
    const { classOf, strokes } = rows([0, 20, 7], [1, 10, 3]);
    const held = holdOut(strokes, classOf, 2, 1)!;
    expect(held.enough).toBe(true);
    const of = (c: number) => new Set(strokes.filter((_, i) => held.rows[i] && classOf[i] === c)).size;
    expect([of(0), of(1)]).toEqual([4, 2]);
    strokes.forEach((stroke, i) => expect(held.rows[i]).toBe(held.rows[strokes.indexOf(stroke)]));
    expect(holdOut(strokes, classOf, 2, 1)).toEqual(held);
    expect(holdOut(strokes, classOf, 2, 2)).not.toEqual(held);
  });

  it('are none if a class has too few, or one with nearly all of its pixels', () => {
    const few = rows([0, 20, 7], [1, 2, 3]);
    expect(holdOut(few.strokes, few.classOf, 2, 1)).toBeNull();
    const large = rows([0, 2, 1], [0, 1, 100], [1, 5, 4]);
    const held = holdOut(large.strokes, large.classOf, 2, 1)!;
    expect(held.rows.reduce((sum, out, i) => sum + (large.classOf[i] === 0 ? out : 0), 0)).toBe(1);
  });

  it('are too few to stop by if a class has only one', () => {
    const { classOf, strokes } = rows([0, 5, 7], [1, 5, 3]);
    expect(holdOut(strokes, classOf, 3, 1)!.enough).toBe(false);
  });
});
