/** Sections that take times: features, each optional family, growing, applying, and from a stroke to a new segmentation. */
import { median } from './processes.mjs';
import { SAMPLES, Work } from './work.mjs';

const RUNS = 3;
/** Side of the image that times are taken on, in percent of a micrograph's 512 pixels: 0.70 megapixel. */
const PERCENT = 163;
/** A view's side in pixels, for the time from a stroke to its segmentation. */
const VIEW_PERCENT = 100;

/** The families that the default stack has not, as each is alone. */
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

/** Run both sides in turn. @returns the medians in seconds */
async function interleaved(ours, reference, runs = RUNS) {
  const times = { ours: [], reference: [] };
  for (let run = 0; run < runs; run++) {
    times.ours.push(await ours(run));
    times.reference.push(await reference(run));
  }
  return { ours: median(times.ours), reference: median(times.reference) };
}

async function timed(bench, percent = PERCENT) {
  const work = await new Work(bench, 'superalloy_0').load(percent);
  // Longer strokes, for as many labelled pixels as a forest takes at most.
  await work.strokes(0, 600, 20);
  return work;
}

const megapixels = ({ pixels }) => `${(pixels / 1e6).toFixed(2)} MP`;

export async function features(bench) {
  const work = await timed(bench);
  const { count } = await work.features();
  const times = await interleaved(
    async () => (await work.features()).seconds,
    async () => (await bench.reference.ask({ do: 'features', name: work.name })).seconds
  );
  bench.time('features', `default, ${count} channels, ${megapixels(work)}`, times);
}

export async function families(bench) {
  const work = await timed(bench);
  for (const family of FAMILIES) {
    const choice = { families: { [family]: {} } };
    const { count } = await work.features(choice);
    const times = await interleaved(
      async () => (await work.features(choice)).seconds,
      async () => (await bench.reference.ask({ do: 'family', name: work.name, family })).seconds
    );
    bench.time('families', `${family}, ${count - 1} channels, ${megapixels(work)}`, times);
  }
}

export async function grow(bench) {
  const work = await timed(bench);
  await bench.reference.ask({ do: 'features', name: work.name });
  await work.train({ trees: 1 });
  let samples = 0;
  const times = await interleaved(
    async run => work.train({ seed: run }),
    async run => {
      const grown = await bench.reference.ask({ do: 'grow', name: work.name, seed: run, samples: SAMPLES });
      samples = grown.samples;
      return grown.seconds;
    }
  );
  bench.time('grow', `samba, 200 trees, ${samples} pixels, with out-of-bag score`, times);
  const deep = await interleaved(
    async run => work.train({ preset: 'deep', seed: run }),
    async run =>
      (await bench.reference.ask({ do: 'grow', name: work.name, seed: run, samples: SAMPLES, preset: 'deep' })).seconds,
    1
  );
  bench.time('grow', `deep, ${samples} pixels, with out-of-bag score`, deep);
}

export async function apply(bench) {
  const work = await timed(bench);
  await bench.reference.ask({ do: 'features', name: work.name });
  for (const preset of ['samba', 'deep']) {
    await work.train({ preset });
    await bench.reference.ask({ do: 'grow', name: work.name, seed: 0, samples: SAMPLES, preset });
    await work.apply(undefined, true);
    const times = await interleaved(
      async () => work.apply(undefined, true),
      async () => (await bench.reference.ask({ do: 'apply', name: work.name, out: work.folder })).seconds,
      preset === 'samba' ? RUNS : 1
    );
    bench.time('apply', `${preset}, ${megapixels(work)}, labels and probabilities`, times);
  }
}

/** What a new stroke costs once features are there: the forest is grown again and a view of 512 × 512 pixels segmented. */
export async function stroke(bench) {
  const work = await timed(bench, VIEW_PERCENT);
  await work.strokes(0);
  await work.train();
  await work.apply();
  const times = await interleaved(
    async run => (await work.train({ seed: run })) + (await work.apply()),
    async run => {
      // SAMBA's way has no feature that it kept: its server computes them with each training.
      const { reference } = bench;
      const computed = await reference.ask({ do: 'features', name: work.name });
      const grown = await reference.ask({ do: 'grow', name: work.name, seed: run, samples: SAMPLES });
      const applied = await reference.ask({ do: 'apply', name: work.name, out: work.folder });
      return computed.seconds + grown.seconds + applied.seconds;
    }
  );
  bench.time('stroke', `40 strokes a class to a new segmentation, ${megapixels(work)}`, times);
}
