/** Boosted trees beside LightGBM and scikit-learn's histogram gradient boosting: the same features, labels and parameters, on as many threads. */
import { mean, median } from './processes.mjs';
import { SAMPLES, Work } from './work.mjs';

const SEEDS = 3;
const FEATURES = { set: 'samba' };
/** Both sides grow all rounds, so the work is the same. */
const SAME = { preset: 'boosting', refine: 0, patience: null };
const VARIANTS = [
  ['the preset', {}],
  ['all features, 31 leaves', { maxFeatures: 'all', maxLeaves: 31, minLeaf: 20 }]
];

/** The median time and the mean IoU of each learner that is installed. */
export async function boosting(bench) {
  const { learners } = await bench.reference.ask({ do: 'boosters' });
  for (const name of ['superalloy_0', 'superalloy_1']) {
    const work = await new Work(bench, name).load();
    const { count } = await work.features(FEATURES);
    await bench.reference.ask({ do: 'take', name, file: work.file('features.raw'), features: count });
    for (const [strokes, length] of [
      [40, 6],
      [600, 20]
    ]) {
      for (const [variant, change] of VARIANTS) {
        const params = bench.service.learnerParams({ ...SAME, ...change, maxSamples: SAMPLES });
        const found = new Map(['ours', ...learners].map(learner => [learner, { seconds: [], ious: [] }]));
        for (let seed = 0; seed < SEEDS; seed++) {
          await work.strokes(seed, strokes, length);
          // Compute the features before the clock starts.
          await work.train({ ...SAME, rounds: 1 }, FEATURES);
          found.get('ours').seconds.push(await work.train({ ...SAME, ...change, seed }, FEATURES));
          await work.apply();
          found.get('ours').ious.push(work.iou());
          for (const learner of learners) {
            const { seconds } = await bench.reference.ask({
              do: 'boost',
              name,
              learner,
              params: { ...params, seed },
              source: 'taken'
            });
            await bench.reference.ask({ do: 'apply', name, source: 'taken', out: work.folder });
            found.get(learner).seconds.push(seconds);
            found.get(learner).ious.push(work.iou('reference.raw'));
          }
        }
        const ours = found.get('ours');
        for (const learner of learners) {
          const { seconds, ious } = found.get(learner);
          const title = `${name}, ${strokes} strokes a class, ${variant}, against ${learner}`;
          bench.report('boosting', title, median(ours.seconds), median(seconds), 's');
          bench.report('boosting', title, mean(ours.ious), mean(ious), 'IoU');
        }
      }
    }
  }
}
