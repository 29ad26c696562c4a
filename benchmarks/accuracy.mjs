/**
 * Mean intersection over union from strokes that are drawn on the truth: 5 and 40 strokes a class on the same image, and trained with 40 on
 * one micrograph and applied to the others. Strokes, seeds and pixels are the same on both sides, so differences are paired.
 */
import { mean, paired } from './processes.mjs';
import { SAMPLES, Work } from './work.mjs';

/** Ours. The scales of `weka` mean a standard deviation of 0.4 σ. */
const VARIANTS = {
  samba: [{}, {}],
  deep: [{ preset: 'deep' }, {}],
  'samba with the features of weka': [{}, { set: 'weka' }]
};

export async function accuracy(bench) {
  const works = [];
  for (const name of await bench.micrographs()) {
    works.push(await new Work(bench.folder, bench.service, bench.reference, name).load());
  }
  for (const work of works) {
    await bench.reference.ask({ do: 'features', name: work.name });
    // For scikit-learn's forest on our features.
    const { count } = await work.features();
    await bench.reference.ask({ do: 'take', name: work.name, file: work.file('features.raw'), features: count });
  }
  const variants = Object.keys(VARIANTS);
  const cells = new Map();
  const note = (where, who, seed, value) => {
    const key = `${where}|${who}`;
    const seeds = cells.get(key) ?? Array.from({ length: bench.seeds }, () => []);
    seeds[seed].push(value);
    cells.set(key, seeds);
  };
  for (const strokes of [5, 40]) {
    for (const work of works) {
      const others = strokes === 40 ? works.filter(other => other !== work) : [];
      for (let seed = 0; seed < bench.seeds; seed++) {
        await work.strokes(seed, strokes);
        for (const variant of variants) {
          const [forest, features] = VARIANTS[variant];
          await work.train({ ...forest, seed }, features);
          for (const on of [work, ...others]) {
            await on.apply(work.trained);
            note(on === work ? `${strokes} strokes` : 'other images', variant, seed, on.iou());
          }
        }
        for (const [who, source] of [
          ['reference', 'own'],
          ['exact', 'taken']
        ]) {
          await bench.reference.ask({ do: 'grow', name: work.name, seed, samples: SAMPLES, source });
          for (const on of [work, ...others]) {
            await bench.reference.ask({ do: 'apply', name: on.name, source, out: on.folder });
            note(on === work ? `${strokes} strokes` : 'other images', who, seed, on.iou('reference.raw'));
          }
        }
      }
    }
  }
  for (const where of ['5 strokes', '40 strokes', 'other images']) {
    const compare = (variant, who, what) => {
      const [ours, reference] = [cells.get(`${where}|${variant}`), cells.get(`${where}|${who}`)];
      if (ours) {
        const name = `${where}, ${variant} against ${what}`;
        const { interval, text } = paired(ours, reference);
        bench.report('accuracy', name, mean(ours.flat()), mean(reference.flat()), 'IoU', text, interval);
      }
    };
    variants.forEach(variant => compare(variant, 'reference', "scikit-image and scikit-learn, SAMBA's way"));
    compare('samba', 'exact', "scikit-learn's forest on the same features");
  }
}
