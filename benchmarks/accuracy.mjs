/**
 * Mean intersection over union from strokes drawn on the truth: with 5 and 40 strokes a class on the same image, and with a classifier that was trained
 * with 40 strokes on one micrograph and is applied to the others of its kind. Strokes, seeds and pixels are the same on both sides, so differences are paired.
 *
 * The superalloys are measured step by step, which shows what each step adds. The other kinds of image, real and synthetic, show whether this holds elsewhere.
 */
import { mean, paired } from './processes.mjs';
import { SAMPLES, Work } from './work.mjs';

/** Ours: forest and features. Each step of the ablation adds one thing. */
const DEFAULT = ['the default', {}, {}];
const SAMBA = ['samba', { preset: 'samba' }, { set: 'samba' }];
const STEPS = [
  ['deep trees', { preset: 'deep', refine: 0 }, { set: 'samba' }],
  ['deep trees + SAM', { preset: 'deep', refine: 0 }, { set: 'samba', embedding: true }],
  ['deep trees + SAM + standardised', { preset: 'deep', refine: 0 }, { set: 'sam' }],
  ['deep trees + SAM + standardised + refined', { preset: 'deep' }, { set: 'sam' }],
  ['deep trees + standardised + refined, without SAM', { preset: 'deep' }, { set: 'sam', embedding: false }],
  ['samba + SAM + standardised + refined', { preset: 'samba', refine: 6 }, { set: 'sam' }],
  ['boosting + SAM + standardised', { preset: 'boosting', refine: 0 }, { set: 'sam' }],
  ['boosting + SAM + standardised + refined', { preset: 'boosting' }, { set: 'sam' }]
];
/** The most seeds of the steps, and of scikit-learn's forest on our features. */
const STEP_SEEDS = 4;
/** Kinds of images besides the superalloys, and the most seeds of each: a seed of the coating takes half a minute. */
const OTHERS = { coating: 3, tomography: 5, grains: 5, particles: 5, layers: 5, lamellar: 5 };
const WHERE = ['5 strokes', '40 strokes', 'other images'];
const REFERENCE = "scikit-image and scikit-learn, SAMBA's way";

export async function accuracy(bench) {
  await compare(bench, 'superalloy', bench.seeds, [DEFAULT, SAMBA], STEPS);
  for (const [kind, seeds] of Object.entries(OTHERS)) {
    await compare(bench, kind, Math.min(bench.seeds, seeds), [DEFAULT, SAMBA], []);
  }
}

/** @param steps further variants, for some of the seeds; with them scikit-learn's forest on our features, beside ours on the same */
async function compare(bench, kind, seeds, always, steps) {
  const exact = steps.length > 0;
  const works = [];
  for (const name of await bench.micrographs(kind)) {
    works.push(await new Work(bench, name).load());
  }
  const sources = [['reference', 'own']];
  for (const work of works) {
    await bench.reference.ask({ do: 'features', name: work.name });
    if (exact) {
      const { count } = await work.features(SAMBA[2]);
      await bench.reference.ask({ do: 'take', name: work.name, file: work.file('features.raw'), features: count });
    }
  }
  const cells = new Map();
  for (const strokes of [5, 40]) {
    for (const work of works) {
      const others = strokes === 40 ? works.filter(other => other !== work) : [];
      for (let seed = 0; seed < seeds; seed++) {
        const note = (on, who, value) => {
          const key = `${on === work ? `${strokes} strokes` : 'other images'}|${who}`;
          const perSeed = cells.get(key) ?? [];
          (perSeed[seed] ??= []).push(value);
          cells.set(key, perSeed);
        };
        await work.strokes(seed, strokes);
        const some = seed < STEP_SEEDS;
        for (const [who, forest, features] of some ? [...always, ...steps] : always) {
          await work.train({ ...forest, seed }, features);
          for (const on of [work, ...others]) {
            await on.apply(work.trained);
            note(on, who, on.iou());
          }
        }
        for (const [who, source] of exact && some ? [...sources, ['exact', 'taken']] : sources) {
          await bench.reference.ask({ do: 'grow', name: work.name, seed, samples: SAMPLES, source });
          for (const on of [work, ...others]) {
            await bench.reference.ask({ do: 'apply', name: on.name, source, out: on.folder });
            note(on, who, on.iou('reference.raw'));
          }
        }
      }
    }
  }
  for (const where of WHERE) {
    const tell = (variant, who, what) => {
      const [ours, reference] = [variant, who].map(name => cells.get(`${where}|${name}`)?.slice());
      if (ours) {
        // A variant with fewer seeds is compared on its own seeds.
        const same = Math.min(ours.length, reference.length);
        [ours, reference].forEach(list => list.splice(same));
        const { interval, text } = paired(ours, reference);
        const spread = `single images ${range(ours)} against ${range(reference)}`;
        const name = `${kind}, ${where}, ${variant} against ${what}`;
        bench.report(
          'accuracy',
          name,
          mean(ours.flat()),
          mean(reference.flat()),
          'IoU',
          `${text}; ${spread}`,
          interval
        );
      }
    };
    [...always, ...steps].forEach(([name]) => tell(name, 'reference', REFERENCE));
    if (exact) {
      tell('samba', 'exact', "scikit-learn's forest on the same features");
    }
  }
}

function range(perSeed) {
  const values = perSeed.flat();
  return `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`;
}
