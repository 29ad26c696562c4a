import {
  classWeights,
  featuresTried,
  forestImportance,
  IGrowOptions,
  ITrainingSet,
  joinTrees,
  outOfBagScore,
  TreeGrower,
  VOTES
} from '../forest';
import { newEngine, randomSource } from '../../__tests__/support/engine';
import { walk } from '../../__tests__/support/forests';
import { sambaForest } from '../../__tests__/support/samba-forest';

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

function grow(set: ITrainingSet, options: Partial<IGrowOptions> = {}) {
  const { bootstrap, ...params } = options;
  const all = {
    ...sambaForest({ trees: 20, ...params }),
    ...(bootstrap !== undefined && { bootstrap })
  };
  const grower = new TreeGrower(newEngine(), set, all);
  const grown = Array.from({ length: all.trees }, (_, i) => grower.grow(i));
  const trees = joinTrees(
    grown.map(tree => tree.trees),
    set.classes
  );
  const perTree = Float64Array.from(grown.flatMap(tree => Array.from(tree.importance)));
  return { trees, outOfBag: grower.outOfBag.slice(), importance: forestImportance(perTree, set.features) };
}

/** The mean Gini impurity of rows, with weights. */
function impurity(counts: number[], weights: ArrayLike<number>): number {
  const shares = counts.map((count, c) => count * weights[c]!);
  const total = shares.reduce((a, b) => a + b, 0);
  return total === 0 ? 0 : total - shares.reduce((sum, share) => sum + share ** 2, 0) / total;
}

describe('growing', () => {
  const { set, rows } = rowsOf(3000);

  it('separates separable classes', () => {
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

  it('gives the same trees in every grower for the same seed, and others for another', () => {
    const whole = grow(set, { seed: 5 });
    expect(grow(set, { seed: 5 })).toEqual(whole);
    const alone = new TreeGrower(newEngine(), set, sambaForest({ trees: 20, seed: 5 }));
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

  it.each([{ maxDepth: 1 }, { maxDepth: 64, maxFeatures: 1 }, { minLeaf: 100 }, { maxFeatures: 4096 }])(
    'keeps to %j',
    options => {
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
    }
  );

  it.each([{}, { balanced: false, maxFeatures: 5 }, { maxDepth: 4 }])(
    'says how much each feature lessens impurity, with %j',
    options => {
      const { trees, importance } = grow(set, { ...options, trees: 6, bootstrap: false });
      const weights = classWeights(set.classOf, 3, options.balanced ?? true);
      const cost = (members: number[]) => {
        const counts = [0, 0, 0];
        members.forEach(i => counts[set.classOf[i]!]!++);
        const shares = counts.map((count, c) => count * weights[c]!);
        const total = shares.reduce((a, b) => a + b, 0);
        return total * (1 - shares.reduce((sum, share) => sum + (share / total) ** 2, 0));
      };
      // Mean decrease of impurity as in scikit-learn: each tree's in sum 1, then their mean.
      const expected = new Array<number>(5).fill(0);
      let first = 0;
      trees.counts.forEach(count => {
        const own = new Array<number>(5).fill(0);
        const members = new Map([[0, rows.map((_, i) => i)]]);
        for (let node = 0; node < count; node++) {
          const feature = trees.feature[first + node]!;
          if (feature >= 0) {
            const here = members.get(node)!;
            const low = here.filter(i => rows[i]![feature]! <= trees.threshold[first + node]!);
            const high = here.filter(i => rows[i]![feature]! > trees.threshold[first + node]!);
            members.set(trees.left[first + node]!, low).set(trees.right[first + node]!, high);
            own[feature]! += cost(here) - cost(low) - cost(high);
          }
        }
        const sum = own.reduce((a, b) => a + b, 0);
        own.forEach((value, feature) => (expected[feature]! += value / sum / 6));
        first += count;
      });
      expect(importance.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
      importance.forEach((value, feature) => expect(value).toBeCloseTo(expected[feature]!, 9));
      expect(importance[2]).toBeGreaterThan(importance[4]!);
    }
  );

  it('has only importances of 0 if no tree has a split', () => {
    expect(grow(trainingSet([[3], [3]], [0, 1], 2), { trees: 2 }).importance).toEqual([0]);
  });

  it.each([1, 2, 3, 4, 5, 9, 60])('separates %i classes that one feature tells apart', classes => {
    const random = randomSource(classes);
    const many = Array.from({ length: 40 * classes }, (_, i) => [
      Math.floor(random() * 256),
      (i % classes) * Math.floor(256 / classes),
      Math.floor(random() * 256)
    ]);
    const classOf = many.map((_, i) => i % classes);
    const options = { trees: 3, maxDepth: 64, maxFeatures: 3, bootstrap: false };
    const { trees } = grow(trainingSet(many, classOf, classes), options);
    many.forEach((row, i) => expect(walk(trees, row, classes)[classOf[i]!]).toBe(3 * VOTES));
  });

  it('resolves the root of the number of features', () => {
    const wide = { ...set, features: 5 };
    expect(featuresTried('sqrt', 58)).toBe(7);
    expect(featuresTried('sqrt', 1)).toBe(1);
    expect(featuresTried(9, 5)).toBe(5);
    expect(grow(wide, { maxFeatures: 'sqrt', seed: 2 })).toEqual(grow(wide, { maxFeatures: 2, seed: 2 }));
  });

  it('makes a leaf of equal rows', () => {
    const { trees } = grow(trainingSet([[3], [3], [3]], [0, 1, 1], 2), { trees: 3 });
    expect(Array.from(trees.counts)).toEqual([1, 1, 1]);
  });

  it('refuses bins and classes that do not fit', () => {
    const params = sambaForest();
    expect(() => new TreeGrower(newEngine(), { ...set, features: 4 }, params)).toThrow(/do not make/);
    expect(() => new TreeGrower(newEngine(), { ...set, classes: 2 }, params)).toThrow(/not below 2/);
    expect(() => new TreeGrower(newEngine(), trainingSet([[1]], [0], 0), params)).toThrow(RangeError);
  });
});
