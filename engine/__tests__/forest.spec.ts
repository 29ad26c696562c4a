import {
  classWeights,
  ForestApplier,
  forestParams,
  IGrowOptions,
  ITrainingSet,
  ITrees,
  joinTrees,
  outOfBagScore,
  packForest,
  TreeGrower,
  VOTES
} from '../forest';
import { newEngine, randomSource } from './engine';

/** Rows of bins: class 1 where feature 2 is above 100 and feature 0 below 50, else 0 or, by feature 1, 2. */
function rowsOf(count: number, seed = 1): { set: ITrainingSet; rows: number[][] } {
  const random = randomSource(seed);
  const rows = Array.from({ length: count }, () => Array.from({ length: 5 }, () => Math.floor(random() * 256)));
  const classOf = rows.map(([a, b, c]) => (c! > 100 && a! < 50 ? 1 : b! > 128 ? 2 : 0));
  return { set: trainingSet(rows, classOf, 3), rows };
}

function trainingSet(rows: number[][], classOf: number[], classes: number): ITrainingSet {
  const features = rows[0]!.length;
  const columns = new Uint8Array(rows.length * features);
  rows.forEach((row, i) => row.forEach((bin, feature) => (columns[feature * rows.length + i] = bin)));
  return { columns, classOf: Uint8Array.from(classOf), features, classes };
}

function grow(set: ITrainingSet, options: Partial<IGrowOptions> = {}): { trees: ITrees; outOfBag: Uint32Array } {
  const { criterion, bootstrap, ...params } = options;
  const all = {
    ...forestParams({ trees: 20, ...params }),
    ...(criterion && { criterion }),
    ...(bootstrap !== undefined && { bootstrap })
  };
  const grower = new TreeGrower(newEngine(), set, all);
  const trees = joinTrees(
    Array.from({ length: all.trees }, (_, i) => grower.grow(i).trees),
    set.classes
  );
  return { trees, outOfBag: grower.outOfBag.slice() };
}

/** Votes of all trees for a row, by walking down. */
function walk(trees: ITrees, row: ArrayLike<number>, classes: number): number[] {
  const sums = new Array<number>(classes).fill(0);
  let first = 0;
  trees.counts.forEach(count => {
    let node = 0;
    while (trees.feature[first + node]! >= 0) {
      const low = row[trees.feature[first + node]!]! <= trees.threshold[first + node]!;
      node = low ? trees.left[first + node]! : trees.right[first + node]!;
    }
    const leaf = trees.left[first + node]!;
    sums.forEach((_, c) => (sums[c]! += trees.votes[leaf * classes + c]!));
    first += count;
  });
  return sums;
}

/** The mean Gini impurity of rows, with weights. */
function impurity(counts: number[], weights: ArrayLike<number>): number {
  const shares = counts.map((count, c) => count * weights[c]!);
  const total = shares.reduce((a, b) => a + b, 0);
  return total === 0 ? 0 : total - shares.reduce((sum, share) => sum + share ** 2, 0) / total;
}

describe('growing', () => {
  const { set, rows } = rowsOf(3000);

  it('separates what is separable', () => {
    const { trees, outOfBag } = grow(set, { maxFeatures: 3, trees: 50 });
    const fresh = rowsOf(2000, 99);
    const right = fresh.rows.filter((row, i) => {
      const votes = walk(trees, row, 3);
      return votes.indexOf(Math.max(...votes)) === fresh.set.classOf[i];
    });
    expect(right.length / 2000).toBeGreaterThan(0.97);
    expect(outOfBagScore(outOfBag, set.classOf, 3)).toBeGreaterThan(0.97);
  });

  it('finds the split with the least impurity, if all features are tried', () => {
    const { trees } = grow(set, { trees: 1, maxDepth: 1, maxFeatures: 5, bootstrap: false });
    const weights = classWeights(set.classOf, 3, true);
    const cost = (feature: number, threshold: number) => {
      const sides = [
        [0, 0, 0],
        [0, 0, 0]
      ];
      rows.forEach((row, i) => sides[row[feature]! <= threshold ? 0 : 1]![set.classOf[i]!]!++);
      return sides.reduce((sum, side) => sum + impurity(side, weights), 0);
    };
    let best = Infinity;
    for (let feature = 0; feature < 5; feature++) {
      for (let threshold = 0; threshold < 255; threshold++) {
        best = Math.min(best, cost(feature, threshold));
      }
    }
    expect(trees.counts[0]).toBe(3);
    expect(cost(trees.feature[0]!, trees.threshold[0]!)).toBeCloseTo(best, 6);
  });

  it('puts the weighted shares of the classes into leaves', () => {
    const small = trainingSet([[0], [0], [0], [0], [200]], [0, 0, 0, 1, 1], 2);
    for (const balanced of [false, true]) {
      const { trees } = grow(small, { trees: 1, bootstrap: false, balanced });
      const share = balanced ? (3 / 3) * VOTES * (1 / (1 + 1 / 2)) : (3 / 4) * VOTES;
      const votes = walk(trees, [0], 2);
      expect(Math.abs(votes[0]! - share)).toBeLessThanOrEqual(1);
      expect(votes[0]! + votes[1]!).toBe(VOTES);
      expect(walk(trees, [200], 2)).toEqual([0, VOTES]);
      expect(trees.threshold[0]).toBe(99);
    }
  });

  it('gives the same trees for the same seed, whoever grows them, and others for another', () => {
    const whole = grow(set, { seed: 5 });
    expect(grow(set, { seed: 5 })).toEqual(whole);
    const alone = new TreeGrower(newEngine(), set, forestParams({ trees: 20, seed: 5 }));
    const backwards = Array.from({ length: 20 }, (_, i) => alone.grow(19 - i).trees).reverse();
    expect(joinTrees(backwards, 3)).toEqual(whole.trees);
    expect(alone.outOfBag).toEqual(whole.outOfBag);
    expect(grow(set, { seed: 6 }).trees).not.toEqual(whole.trees);
  });

  it('adds up the votes of the trees that did not see a row', () => {
    const { trees, outOfBag } = grow(set, { trees: 30 });
    let unseen = 0;
    for (let row = 0; row < rows.length; row++) {
      unseen += (outOfBag[row * 3]! + outOfBag[row * 3 + 1]! + outOfBag[row * 3 + 2]!) / VOTES;
      const all = walk(trees, rows[row]!, 3);
      [0, 1, 2].forEach(c => expect(outOfBag[row * 3 + c]!).toBeLessThanOrEqual(all[c]!));
    }
    expect(unseen / rows.length / 30).toBeCloseTo(Math.exp(-1), 2);
    expect(outOfBagScore(new Uint32Array(6), Uint8Array.of(0, 1), 3)).toBeNull();
    expect(outOfBagScore(Uint32Array.of(1, 1, 0, 3, 0, 0), Uint8Array.of(0, 1), 2)).toBe(1);
  });

  it.each([
    { maxDepth: 1 },
    { maxDepth: 64, maxFeatures: 1 },
    { minLeaf: 100 },
    { criterion: 'entropy' as const },
    { maxFeatures: 4096 }
  ])('keeps to %j', options => {
    const { trees } = grow(set, { ...options, trees: 5, bootstrap: false });
    let first = 0;
    trees.counts.forEach(count => {
      const reached = new Map([[0, rows.map((_, i) => i)]]);
      const depth = new Map([[0, 0]]);
      for (let node = 0; node < count; node++) {
        const own = reached.get(node)!;
        const feature = trees.feature[first + node]!;
        expect(own.length).toBeGreaterThanOrEqual(options.minLeaf ?? 1);
        if (feature < 0) {
          continue;
        }
        const { left, right, threshold } = trees;
        const low = (i: number) => rows[i]![feature]! <= threshold[first + node]!;
        reached.set(
          left[first + node]!,
          own.filter(i => low(i))
        );
        reached.set(
          right[first + node]!,
          own.filter(i => !low(i))
        );
        depth.set(left[first + node]!, depth.get(node)! + 1);
        depth.set(right[first + node]!, depth.get(node)! + 1);
      }
      expect(Math.max(...depth.values())).toBeLessThanOrEqual(options.maxDepth ?? 10);
      first += count;
    });
  });

  it('makes a leaf of rows that are all alike', () => {
    const { trees } = grow(trainingSet([[3], [3], [3]], [0, 1, 1], 2), { trees: 3 });
    expect(Array.from(trees.counts)).toEqual([1, 1, 1]);
  });

  it('refuses bins and classes that do not fit', () => {
    const params = forestParams();
    expect(() => new TreeGrower(newEngine(), { ...set, features: 4 }, params)).toThrow(/do not make/);
    expect(() => new TreeGrower(newEngine(), { ...set, classes: 2 }, params)).toThrow(/not below 2/);
    expect(() => new TreeGrower(newEngine(), trainingSet([[1]], [0], 0), params)).toThrow(RangeError);
  });
});

describe('forest params', () => {
  it('are those of SAMBA by default', () => {
    expect(forestParams({ trees: undefined, seed: 3 })).toEqual({
      trees: 200,
      maxDepth: 10,
      maxFeatures: 2,
      minLeaf: 1,
      balanced: true,
      maxSamples: 40000,
      seed: 3
    });
  });

  it.each([{ trees: 0 }, { maxDepth: 65 }, { seed: -1 }, { balanced: 1 }, { tree: 3 }, { maxSamples: NaN }])(
    'refuse %j by name',
    partial => {
      expect(() => forestParams(partial)).toThrow(Object.keys(partial)[0]!);
    }
  );
});

describe('applying', () => {
  /** Bins of a tile in blocks, as the kernels read them. */
  function blocks(rows: number, columns: number, features: number, bin: (pixel: number, feature: number) => number) {
    const across = Math.ceil(columns / 4);
    const out = new Uint8Array(Math.ceil(rows / 4) * across * features * 16);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const block = (row >> 2) * across + (column >> 2);
        for (let feature = 0; feature < features; feature++) {
          out[(block * features + feature) * 16 + (row & 3) * 4 + (column & 3)] = bin(row * columns + column, feature);
        }
      }
    }
    return out;
  }

  it.each([
    [1, 1, 3, 20, 10],
    [5, 7, 3, 20, 10],
    [64, 64, 3, 70, 10],
    [33, 18, 2, 130, 64],
    [9, 40, 40, 30, 12]
  ])(
    'equals a walk down every tree, %i × %i pixels, %i classes, %i trees, depth %i',
    (rows, columns, classes, trees, maxDepth) => {
      const random = randomSource(rows);
      const training = Array.from({ length: 800 }, () => Array.from({ length: 6 }, () => Math.floor(random() * 256)));
      const set = trainingSet(
        training,
        training.map(() => Math.floor(random() * classes)),
        classes
      );
      const grown = grow(set, { trees, maxDepth }).trees;
      const pixels = Array.from({ length: rows * columns }, () =>
        Array.from({ length: 6 }, () => Math.floor(random() * 256))
      );
      const tile = { row0: 0, row1: rows, column0: 0, column1: columns };
      const applier = new ForestApplier(newEngine(), packForest(newEngine(), grown, 6, classes));
      const input = blocks(rows, columns, 6, (pixel, feature) => pixels[pixel]![feature]!);
      const { prediction, probabilities, uncertainty } = applier.apply(tile, input, {
        prediction: true,
        probabilities: true,
        uncertainty: true
      });
      const total = VOTES * trees;
      pixels.forEach((pixel, i) => {
        const votes = walk(grown, pixel, classes);
        const [best, second] = [...votes].sort((a, b) => b - a) as [number, number];
        expect(prediction![i]).toBe(votes.indexOf(best));
        expect(uncertainty![i]).toBe(Math.fround(1 - (best - second) / total));
        expect(Array.from(probabilities!.subarray(i * classes, (i + 1) * classes))).toEqual(
          votes.map(vote => Math.fround(vote / total))
        );
      });
    }
  );

  it('gives a tie to the class that comes first', () => {
    const leaf = {
      counts: Uint32Array.of(1, 1),
      feature: Int16Array.of(-1, -1),
      threshold: Uint8Array.of(0, 0),
      left: Uint32Array.of(0, 1),
      right: Uint32Array.of(0, 0),
      votes: Uint16Array.of(0, 0, VOTES, 0, VOTES, 0)
    };
    const applier = new ForestApplier(newEngine(), packForest(newEngine(), leaf, 1, 3));
    const tile = { row0: 0, row1: 1, column0: 0, column1: 1 };
    const { prediction, uncertainty } = applier.apply(tile, new Uint8Array(16), {
      prediction: true,
      uncertainty: true
    });
    expect(prediction![0]).toBe(1);
    expect(uncertainty![0]).toBe(1);
  });

  it('refuses bins that do not fill the tile', () => {
    const applier = new ForestApplier(newEngine(), packForest(newEngine(), grow(rowsOf(100).set).trees, 5, 3));
    const tile = { row0: 0, row1: 8, column0: 0, column1: 8 };
    expect(() => applier.apply(tile, new Uint8Array(16), {})).toThrow(/do not fill/);
  });
});
