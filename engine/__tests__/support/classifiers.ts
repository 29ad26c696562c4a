/** Small classifiers for tests, and their results for random bins. */
import { LabelClass } from '../../../src/shared/protocol';
import { IClassifier } from '../../core/classifier';
import { featureNames, featureSpec } from '../../core/features';
import { BoostGrower, boostingScale } from '../../core/boosting';
import { FOREST_PRESETS, ForestApplier, ISegmentedTile, joinTrees, packForest, TreeGrower } from '../../core/forest';
import { Cuts } from '../../core/quantile';
import { newEngine, randomSource } from './engine';
import { sambaForest } from './samba-forest';

export const EXAMPLE_CLASSES: LabelClass[] = [
  { id: 7, name: 'matrix', color: '#102030' },
  { id: 2, name: 'Ausscheidung γ′', color: '#ffffff' }
];
const tile = { row0: 0, row1: 8, column0: 0, column1: 8 };

/** A classifier that was grown on noise. */
export function exampleClassifier(
  options: { features?: object; trees?: number; depth?: number; cuts?: number; channels?: 1 | 3 } = {}
): IClassifier {
  const { features, trees = 4, depth = 4, cuts = 200, channels = 1 } = options;
  const spec = featureSpec({
    set: 'samba',
    ...(features ?? { sigmas: [1], hessian: false, membrane: null })
  });
  const names = featureNames(spec, channels);
  const random = randomSource(21);
  const rows = 300;
  const set = {
    columns: Uint8Array.from({ length: rows * names.length }, () => Math.floor(random() * (cuts + 1))),
    classOf: Uint8Array.from({ length: rows }, () => Math.floor(random() * 2)),
    features: names.length,
    classes: 2
  };
  const forest = sambaForest({ trees, maxDepth: depth });
  const grower = new TreeGrower(newEngine(), set, forest);
  return {
    features: spec,
    channels,
    names,
    classes: EXAMPLE_CLASSES,
    pixelSize: { value: 0.1, unit: 'µm' },
    trainedOn: { dtypes: ['uint16'], low: 300, high: 4095 },
    cuts: new Cuts(names.map(() => Float32Array.from({ length: cuts }, (_, i) => i * 1.1 - 40))),
    forest,
    samples: rows,
    oobScore: 0.5,
    importance: names.map(() => 1 / names.length),
    scores: null,
    scale: null,
    basis: null,
    trees: joinTrees(
      Array.from({ length: forest.trees }, (_, i) => grower.grow(i).trees),
      2
    )
  };
}

/** A classifier with boosted trees, grown on noise. */
export function boostedClassifier(): IClassifier {
  const base = exampleClassifier();
  const random = randomSource(5);
  const [rows, features] = [400, base.names.length];
  const columns = Uint8Array.from({ length: rows * features }, () => Math.floor(random() * 201));
  const classOf = Uint8Array.from({ length: rows }, (_, row) => (columns[row]! + 60 * random() > 130 ? 1 : 0));
  const forest = { ...FOREST_PRESETS.boosting, rounds: 8, maxLeaves: 6 };
  const grower = new BoostGrower(newEngine(), { columns, classOf, features, classes: 2 }, null, forest);
  return {
    ...base,
    forest,
    scale: boostingScale(forest),
    scores: {
      source: 'held-out',
      confusion: [
        [30, 4],
        [3, 40]
      ]
    },
    oobScore: null,
    trees: joinTrees(
      Array.from({ length: forest.rounds }, (_, round) => grower.grow(round).trees!),
      2
    )
  };
}

/** Segment 8 × 8 pixels with the same random bins each time. */
export function applyToNoise(classifier: IClassifier): ISegmentedTile {
  const random = randomSource(3);
  const bins = Uint8Array.from({ length: 4 * classifier.names.length * 16 }, () => Math.floor(random() * 256));
  const packed = packForest(
    newEngine(),
    classifier.trees,
    classifier.names.length,
    classifier.classes.length,
    classifier.scale
  );
  return new ForestApplier(newEngine(), packed).apply(tile, bins, { prediction: true, probabilities: true });
}
