import { RandomForestClassifier } from 'ml-random-forest';
import { BridgeError } from '../../../src/shared/errors';
import { decodeClassifier, encodeClassifier, IClassifier } from '../../core/classifier';
import { VOTES } from '../../core/forest';
import { ForestMeaning } from '../../../src/shared/protocol';
import { mlRandomForest } from '../ml-random-forest';
import { EXAMPLE_CLASSES, exampleClassifier } from '../../__tests__/support/classifiers';
import { randomSource } from '../../__tests__/support/engine';

type Json = Record<string, unknown>;
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const json = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as Json;

/** Shares of the classes in the leaf of each tree that a pixel falls into, by its features' values. */
function leavesOf({ trees, cuts, classes }: IClassifier, values: ArrayLike<number>): number[][] {
  let first = 0;
  return Array.from(trees.counts, count => {
    let node = first;
    while (trees.feature[node]! >= 0) {
      const feature = trees.feature[node]!;
      const left = values[feature]! <= cuts.features[feature]![trees.threshold[node]!]!;
      node = first + (left ? trees.left[node]! : trees.right[node]!);
    }
    first += count;
    return classes.map((_, c) => trees.votes[trees.left[node]! * classes.length + c]! / VOTES);
  });
}

/** Rows of float32 features, a part of them on the cuts and next to them. */
function rowsFor({ names, cuts }: IClassifier, count: number): number[][] {
  const random = randomSource(8);
  const pick = (n: number) => Math.floor(random() * n);
  return Array.from({ length: count }, () =>
    names.map((_, f) => {
      const list = cuts.features[f]!;
      const near = list.length ? list[pick(list.length)]! : 0;
      return Math.fround(near + [0, 0, 1e-5, -1e-5, 30 * (random() - 0.5)][pick(5)]!);
    })
  );
}

describe("ml-random-forest's JSON", () => {
  const classifier = exampleClassifier({ trees: 7 });
  const bytes = mlRandomForest.write!(classifier);

  it('loads in the package, which predicts the class id with most trees', () => {
    const forest = RandomForestClassifier.load(json(bytes) as never);
    const rows = rowsFor(classifier, 500);
    const wanted = rows.map(row => {
      const trees = leavesOf(classifier, row).map(shares => (shares[0]! > shares[1]! ? 7 : 2));
      return trees.filter(id => id === 7).length > 3 ? 7 : 2;
    });
    expect(forest.predict(rows)).toEqual(wanted);
    expect(new Set(wanted)).toEqual(new Set([2, 7]));
  });

  it('gives every pixel the same leaf after reading it back', () => {
    const back = mlRandomForest.read!(bytes);
    expect(back.features).toEqual(classifier.features);
    expect(back.classes).toEqual(classifier.classes);
    for (const row of rowsFor(classifier, 500)) {
      expect(leavesOf(back, row)).toEqual(leavesOf(classifier, row));
    }
    // As a file of our own it is accepted as well.
    const written = encodeClassifier(back);
    expect(encodeClassifier(decodeClassifier(written))).toEqual(written);
  });

  describe('of a forest that the package trained', () => {
    const random = randomSource(4);
    const meaning: ForestMeaning = {
      features: { sigmas: [1], families: { gaussian: {}, sobel: {} } },
      channels: 1,
      classes: EXAMPLE_CLASSES,
      labels: [0, 1]
    };
    const rows = Array.from({ length: 150 }, () => Array.from({ length: 4 }, () => Math.fround(random() * 20 - 10)));
    const labels = rows.map(row => (row[0]! + row[2]! * 0.5 > 0 ? 1 : 0));
    const options = {
      seed: 3,
      nEstimators: 9,
      maxFeatures: 3,
      replacement: false,
      noOOB: true,
      treeOptions: { minNumSamples: 4 }
    };
    const forest = new RandomForestClassifier(options as never);
    forest.train(rows, labels);
    const trained = text(forest.toJSON());

    it('becomes a classifier whose trees vote as in the package', () => {
      const back = mlRandomForest.read!(trained, meaning);
      const others = Array.from({ length: 300 }, () =>
        Array.from({ length: 4 }, () => Math.fround(random() * 20 - 10))
      );
      const predicted = forest.predict([...rows, ...others]);
      [...rows, ...others].forEach((row, i) => {
        const ones = leavesOf(back, row).filter(shares => shares[1]! > shares[0]!).length;
        expect(ones > 4 ? 1 : 0).toBe(predicted[i]);
      });
      expect(back.samples).toBe(150);
      expect(back.names).toHaveLength(4);
    });

    it('needs the features and classes from outside', () => {
      expect(() => mlRandomForest.read!(trained)).toThrow(/does not name its features and classes.*sambalab/);
    });

    it('is refused if it uses more features or other classes than those', () => {
      const few = { ...meaning, features: { sigmas: [1], families: { gaussian: {} } } };
      expect(() => mlRandomForest.read!(trained, few)).toThrow(/has feature [23]; the spec has 0 to 1/);
      expect(() => mlRandomForest.read!(trained, { ...meaning, labels: [1, 2] })).toThrow(/pixels of class 0/);
    });
  });

  const leaf = { distribution: [[0, 0, 1]] };
  const split = (splitValue: unknown, left: unknown = leaf, right: unknown = leaf) => ({
    splitColumn: 0,
    splitValue,
    left,
    right
  });
  const forestOf = (...roots: unknown[]) => ({
    name: 'RFClassifier',
    baseModel: {
      isClassifier: true,
      indexes: roots.map(() => [0]),
      estimators: roots.map(root => ({ name: 'DTClassifier', root }))
    },
    sambalab: { features: { families: {} }, channels: 1, classes: EXAMPLE_CLASSES }
  });
  const chain = (length: number): unknown => (length ? split(length, leaf, chain(length - 1)) : leaf);

  it('puts the cut below the split: smaller values go left, equal ones right', () => {
    const values = [0, 1.5, -1.5, 0.1, 1e-45, -0];
    values.forEach(value => {
      const { cuts } = mlRandomForest.read!(text(forestOf(split(value))));
      const cut = cuts.features[0]![0]!;
      expect(cut).toBeLessThan(value);
      // Between them there is no other float32.
      const middle = Math.fround((cut + value) / 2);
      expect(middle <= cut || middle >= value).toBe(true);
    });
  });

  it('tells its files from other JSON that begins with a name', () => {
    const is = (json: object) => mlRandomForest.reads!(new TextEncoder().encode(JSON.stringify(json)));
    const { name, baseModel } = forestOf(leaf);
    expect([is({ name, baseModel }), is({ baseModel, name }), is({ sambalab: {}, baseModel, name })]).toEqual([
      true,
      true,
      true
    ]);
    expect([is({ name: 'a-package', version: '1.0.0' }), is({}), is({ format: 'x', name })]).toEqual([
      false,
      false,
      false
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ['another model', { name: 'RFRegression' }, /name/],
    ['no tree', forestOf(), /estimators/],
    [
      'a tree without its features',
      { ...forestOf(leaf), ...{ baseModel: { ...forestOf(leaf).baseModel, indexes: [] } } },
      /indexes/
    ],
    ['a node that is no object', forestOf(split(1, 5)), /node 1 of tree 0 is 5/],
    ['a branch that is missing', forestOf(split(1, leaf, null)), /node 2 of tree 0 is null/],
    ['an unknown feature', forestOf({ ...split(1), splitColumn: 1 }), /splitColumn is 1; 0 to 0/],
    ['a split that is no number', forestOf(split('1')), /splitValue is "1"/],
    ['a split below all numbers', forestOf(split(-3.5e38)), /splitValue/],
    ['shares that are no list', forestOf({ distribution: 1 }), /distribution is 1/],
    ['shares that do not add up', forestOf({ distribution: [[0.5, 0, 0]] }), /distribution/],
    ['a negative share', forestOf({ distribution: [[-1, 2]] }), /distribution/],
    ['an unknown class', forestOf({ distribution: [[0, 1]] }), /pixels of class 1; there are 7, 2/],
    ['a tree that is too deep', forestOf(chain(65)), /deeper than 64/],
    [
      'too many splits of a feature',
      forestOf(...Array.from({ length: 256 }, (_, i) => split(i))),
      /more than 255 values/
    ]
  ])('is refused with %s', (_, file, message) => {
    expect(() => mlRandomForest.read!(text(file))).toThrow(BridgeError);
    expect(() => mlRandomForest.read!(text(file))).toThrow(message);
  });

  it('rounds shares to votes that add up', () => {
    const thirds = { distribution: [[0, 0, 1 / 3, 0, 0, 0, 0, 2 / 3]] };
    const { trees } = mlRandomForest.read!(text(forestOf(thirds)));
    expect(Array.from(trees.votes)).toEqual([683, 341]);
  });
});
