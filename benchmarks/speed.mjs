/** The sections that measure time: features, each optional family, growing, applying, and from a stroke to a new segmentation. */
import { median } from './processes.mjs';
import { SAMPLES, Work } from './work.mjs';

const RUNS = 3;
/** Side of the image that is timed, in percent of a micrograph's 512 pixels: 0.70 megapixel. */
const PERCENT = 163;
/** A view's side in pixels, for the time from a stroke to its segmentation. */
const VIEW_PERCENT = 100;

/** Our presets, the preset of scikit-learn's forest for each, and its number of runs. */
const SAMBA = { title: 'samba', forest: { preset: 'samba' }, features: { set: 'samba' }, preset: 'samba', runs: RUNS };
const DEEP = {
  title: 'deep trees',
  forest: { preset: 'deep', refine: 0 },
  features: { set: 'samba' },
  preset: 'deep',
  runs: 1
};
/** scikit-learn has the same features, those of SAM among them, and does not refine. */
const DEFAULT = { title: 'the default', forest: {}, features: {}, preset: 'deep', runs: 1, shared: true };
const VARIANTS = [SAMBA, DEEP, DEFAULT];

/** The families that are not in SAMBA's stack, each alone. */
const FAMILIES = [
  'hessianOrientation',
  'mean',
  'variance',
  'minimum',
  'maximum',
  'median',
  'bilateral',
  'derivatives',
  'laplacian',
  'structureTensor',
  'entropy',
  'neighbours',
  'kuwahara',
  'gabor',
  'lipschitz',
  'anisotropicDiffusion'
];

/** Side of the image with `--quick`, in percent of a micrograph's 512 pixels. */
const QUICK_PERCENT = 25;

/** Run both sides in turn. @returns the medians in seconds */
async function interleaved({ quick }, ours, reference, runs = RUNS) {
  const times = { ours: [], reference: [] };
  for (let run = 0; run < (quick ? 1 : runs); run++) {
    times.ours.push(await ours(run));
    times.reference.push(await reference(run));
  }
  return { ours: median(times.ours), reference: median(times.reference) };
}

async function timed(bench, percent = PERCENT) {
  const work = await new Work(bench, 'superalloy_0').load(bench.quick ? QUICK_PERCENT : percent);
  // Longer strokes, so that there are as many labelled pixels as a forest takes at most.
  await work.strokes(0, 600, 20);
  return work;
}

/** Make the reference compute features. @returns which features they are */
async function shareFeatures(bench, work, { features, shared }) {
  const { name } = work;
  if (!shared) {
    await bench.reference.ask({ do: 'features', name });
    return 'own';
  }
  const { count } = await work.features(features);
  await bench.reference.ask({ do: 'take', name, file: work.file('features.raw'), features: count });
  return 'taken';
}

const megapixels = ({ pixels }) => `${(pixels / 1e6).toFixed(2)} MP`;

/** SAMBA's feature stack of a micrograph. */
export async function features(bench) {
  const work = await timed(bench);
  const { count } = await work.features(SAMBA.features);
  const times = await interleaved(
    bench,
    async () => (await work.features(SAMBA.features)).seconds,
    async () => (await bench.reference.ask({ do: 'features', name: work.name })).seconds
  );
  bench.time('features', `samba, ${count} channels, ${megapixels(work)}`, times);
}

export async function families(bench) {
  const work = await timed(bench);
  for (const family of FAMILIES) {
    const choice = { families: { [family]: {} } };
    const { count } = await work.features(choice);
    const times = await interleaved(
      bench,
      async () => (await work.features(choice)).seconds,
      async () => (await bench.reference.ask({ do: 'family', name: work.name, family })).seconds
    );
    bench.time('families', `${family}, ${count - 1} channels, ${megapixels(work)}`, times);
  }
}

export async function grow(bench) {
  const work = await timed(bench);
  for (const variant of VARIANTS) {
    const { title, forest, features, preset, runs } = variant;
    const source = await shareFeatures(bench, work, variant);
    await work.train({ ...forest, trees: 1 }, features);
    let samples = 0;
    const times = await interleaved(
      bench,
      async run => work.train({ ...forest, seed: run }, features),
      async run => {
        const grown = await bench.reference.ask({
          do: 'grow',
          name: work.name,
          seed: run,
          samples: SAMPLES,
          preset,
          source
        });
        samples = grown.samples;
        return grown.seconds;
      },
      runs
    );
    bench.time('grow', `${title}, ${samples} pixels, with out-of-bag score`, times);
  }
}

export async function apply(bench) {
  const work = await timed(bench);
  for (const variant of VARIANTS) {
    const { title, forest, features, preset, runs } = variant;
    const source = await shareFeatures(bench, work, variant);
    await work.train(forest, features);
    await bench.reference.ask({ do: 'grow', name: work.name, seed: 0, samples: SAMPLES, preset, source });
    await work.apply(undefined, true);
    const times = await interleaved(
      bench,
      async () => work.apply(undefined, true),
      async () => (await bench.reference.ask({ do: 'apply', name: work.name, source, out: work.folder })).seconds,
      runs
    );
    bench.time('apply', `${title}, ${megapixels(work)}, labels and probabilities`, times);
  }
}

/**
 * What a new stroke costs once features are there: the forest is grown again and a view of 512 × 512 pixels segmented. The reference is SAMBA's way
 * for the default too.
 */
export async function stroke(bench) {
  const work = await timed(bench, VIEW_PERCENT);
  await work.strokes(0);
  for (const { title, forest, features } of [SAMBA, DEFAULT]) {
    await work.train(forest, features);
    await work.apply();
    const times = await interleaved(
      bench,
      async run => (await work.train({ ...forest, seed: run }, features)) + (await work.apply()),
      async run => {
        // SAMBA's server keeps no features: it computes them with each training.
        const { reference } = bench;
        const computed = await reference.ask({ do: 'features', name: work.name });
        const grown = await reference.ask({ do: 'grow', name: work.name, seed: run, samples: SAMPLES });
        const applied = await reference.ask({ do: 'apply', name: work.name, out: work.folder });
        return computed.seconds + grown.seconds + applied.seconds;
      }
    );
    bench.time('stroke', `${title}, 40 strokes a class to a new segmentation, ${megapixels(work)}`, times);
  }
}
