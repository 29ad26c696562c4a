/**
 * Ours against the reference, in one run: `npm run bench [-- section…] [--json] [--seeds N]`.
 *
 *   accuracy   mean intersection over union on superalloy micrographs, from strokes drawn from the truth
 *   features   the default feature stack
 *   grow       the forest, with its out-of-bag score
 *   apply      segmenting an image whose features are at hand
 *
 * Times are medians of runs that alternate between the two sides, so that a busy machine slows both. Ours runs through the sidecar's engine
 * service, with arrays in shared files, as in use. `reference.py` is the other side.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const data = join(root, '../shared/data');
const RUNS = 3;
const STROKES = { strokes: 40, length: 6, radius: 2 };
const SAMPLES = 40000;
/** The scales of Trainable Weka Segmentation, whose σ means a standard deviation of 0.4 σ. */
const WEKA = { sigmas: [0.4, 0.8, 1.6, 3.2, 6.4] };
/** Side of the image that times are taken on, in percent of a micrograph's 512 pixels: 0.70 megapixel. */
const TIMED_PERCENT = 163;

/** Build the engine's service and worker beside each other, and load the service. */
async function loadEngine(folder) {
  const { build } = await import('esbuild');
  const wasm = join(root, 'engine/build/engine.wasm');
  if (!existsSync(wasm)) {
    throw new Error('engine/build/engine.wasm is missing; run: npm run build -- engine');
  }
  await build({
    absWorkingDir: root,
    entryPoints: ['kernel-server/src/engine-service.ts', 'kernel-server/src/engine-worker.ts'],
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'warning'
  });
  copyFileSync(wasm, join(folder, 'engine.wasm'));
  return createRequire(import.meta.url)(join(folder, 'engine-service.cjs')).EngineService;
}

/** The reference process: `ask({do: …})` sends a command and waits for its answer. */
function startReference() {
  const python = join(root, process.platform === 'win32' ? '.venv/Scripts/python.exe' : '.venv/bin/python');
  if (!existsSync(python)) {
    throw new Error('There is no .venv; run: npm start -- --no-browser, or npm test.');
  }
  const child = spawn(python, [join(root, 'benchmarks/reference.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', line => waiting.shift()?.resolve(JSON.parse(line)));
  child.on('exit', code =>
    waiting.splice(0).forEach(({ reject }) => reject(new Error(`the reference ended: ${code}`)))
  );
  return {
    ask: command =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify(command)}\n`);
      }),
    stop: () => child.stdin.end()
  };
}

const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
const spread = values => Math.sqrt(mean(values.map(value => (value - mean(values)) ** 2)));

/** Intersection over union, averaged over the classes of the truth. */
function meanIoU(prediction, truth, classes) {
  return mean(
    classes.map(id => {
      let both = 0;
      let either = 0;
      truth.forEach((own, i) => {
        both += own === id && prediction[i] === id;
        either += own === id || prediction[i] === id;
      });
      return both / either;
    })
  );
}

/** One image, its labels and results in raw files, as both sides see them. */
class Work {
  constructor(folder, service, reference) {
    Object.assign(this, { folder, service, reference });
    this.context = { signal: new AbortController().signal, progress: () => undefined };
    this.cacheKey = 0;
  }

  file(name) {
    return join(this.folder, name);
  }

  async load(name, percent = 100) {
    const found = await this.reference.ask({
      do: 'load',
      image: join(data, `${name}.png`),
      truth: join(data, `${name}_truth.png`),
      out: this.folder,
      percent
    });
    this.shape = [1, ...found.shape];
    this.classes = found.classes;
    this.pixels = found.shape[0] * found.shape[1];
    this.image = this.array('image.raw', 'uint8', [...this.shape, 1]);
    this.truth = readFileSync(this.file('truth.raw'));
    this.forget();
  }

  /** Let no feature that was computed be found again. */
  forget() {
    this.cacheKey++;
  }

  array(name, dtype, shape) {
    return { path: this.file(name), dtype, shape, version: this.cacheKey };
  }

  /** An array for results. */
  result(name, dtype, shape) {
    const bytes = shape.reduce((product, n) => product * n, dtype === 'float32' ? 4 : 1);
    writeFileSync(this.file(name), Buffer.alloc(bytes));
    return this.array(name, dtype, shape);
  }

  async strokes(seed) {
    return this.reference.ask({ do: 'strokes', seed, ...STROKES, out: this.folder });
  }

  async train(forest = {}, features = {}) {
    const start = performance.now();
    this.trained = await this.service.train(
      {
        image: this.image,
        labels: this.array('labels.raw', 'uint8', this.shape),
        classes: this.classes.map(id => ({ id, name: `class ${id}`, color: '#808080' })),
        spec: this.service.featureSpec(features),
        forest: this.service.forestParams({ maxSamples: SAMPLES, ...forest }),
        cacheKey: String(this.cacheKey)
      },
      this.context
    );
    return (performance.now() - start) / 1000;
  }

  async apply() {
    const prediction = this.result('prediction.raw', 'uint8', this.shape);
    const probabilities = this.result('probabilities.raw', 'float32', [...this.shape, this.classes.length]);
    const start = performance.now();
    await this.service.apply(
      {
        classifier: this.trained.json,
        image: this.image,
        slice: 0,
        out: { prediction, probabilities },
        cacheKey: String(this.cacheKey)
      },
      this.context
    );
    return (performance.now() - start) / 1000;
  }

  iou(name) {
    return meanIoU(readFileSync(this.file(name)), this.truth, this.classes);
  }
}

const sections = {
  async accuracy(work, report, { seeds }) {
    const all = { ours: [], weka: [], reference: [] };
    for (const name of ['superalloy_0', 'superalloy_1', 'superalloy_2']) {
      await work.load(name);
      await work.reference.ask({ do: 'features' });
      const ours = [];
      const weka = [];
      const reference = [];
      for (let seed = 0; seed < seeds; seed++) {
        await work.strokes(seed);
        await work.train({ seed }, WEKA);
        await work.apply();
        weka.push(work.iou('prediction.raw'));
        await work.train({ seed });
        await work.apply();
        ours.push(work.iou('prediction.raw'));
        await work.reference.ask({ do: 'grow', seed, samples: SAMPLES, trees: 200 });
        await work.reference.ask({ do: 'apply', out: work.folder });
        reference.push(work.iou('reference.raw'));
      }
      all.ours.push(...ours);
      all.weka.push(...weka);
      all.reference.push(...reference);
      report('accuracy', `${name}, mean IoU`, mean(ours), mean(reference), 'IoU', describe(ours, reference));
    }
    const both = (name, ours) =>
      report('accuracy', name, mean(ours), mean(all.reference), 'IoU', describe(ours, all.reference));
    both('all, mean IoU', all.ours);
    both('all, mean IoU, with the scales of Weka', all.weka);
  },

  async features(work, report) {
    await timed(work);
    const ours = [];
    const reference = [];
    const names = work.service.featureNames(work.service.featureSpec(), 1);
    const out = work.result('features.raw', 'float32', [...work.shape, names.length]);
    for (let run = 0; run < RUNS; run++) {
      const start = performance.now();
      await work.service.features(work.image, 0, work.service.featureSpec(), out, work.context);
      ours.push((performance.now() - start) / 1000);
      reference.push((await work.reference.ask({ do: 'features' })).seconds);
    }
    report('features', `${names.length} features, ${megapixels(work)}`, median(ours), median(reference), 's');
  },

  async grow(work, report) {
    await timed(work);
    await work.reference.ask({ do: 'features' });
    const ours = [];
    const reference = [];
    let samples = 0;
    await work.train({ trees: 1 });
    for (let run = 0; run < RUNS; run++) {
      ours.push(await work.train({ seed: run }));
      const grown = await work.reference.ask({ do: 'grow', seed: run, samples: SAMPLES, trees: 200 });
      reference.push(grown.seconds);
      samples = grown.samples;
    }
    report('grow', `200 trees, ${samples} pixels, with score`, median(ours), median(reference), 's');
  },

  async apply(work, report) {
    await timed(work);
    await work.reference.ask({ do: 'features' });
    await work.train();
    await work.reference.ask({ do: 'grow', seed: 0, samples: SAMPLES, trees: 200 });
    await work.apply();
    const ours = [];
    const reference = [];
    for (let run = 0; run < RUNS; run++) {
      ours.push(await work.apply());
      reference.push((await work.reference.ask({ do: 'apply', out: work.folder })).seconds);
    }
    report('apply', `200 trees, ${megapixels(work)}`, median(ours), median(reference), 's');
  }
};

const megapixels = ({ pixels }) => `${(pixels / 1e6).toFixed(2)} MP`;

async function timed(work) {
  await work.load('superalloy_0', TIMED_PERCENT);
  // Longer strokes, for as many labelled pixels as a forest takes at most.
  await work.reference.ask({ do: 'strokes', seed: 0, strokes: 600, length: 20, radius: 2, out: work.folder });
}

function describe(ours, reference) {
  const difference = ours.map((value, i) => value - reference[i]);
  const signed = value => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;
  return `± ${spread(ours).toFixed(4)} against ± ${spread(reference).toFixed(4)}, paired difference ${signed(mean(difference))} ± ${spread(difference).toFixed(4)}`;
}

async function main(args) {
  const json = args.includes('--json');
  const seedsAt = args.indexOf('--seeds');
  const seeds = seedsAt < 0 ? 5 : Number(args[seedsAt + 1]);
  const chosen = args.filter((arg, i) => !arg.startsWith('--') && (seedsAt < 0 || i !== seedsAt + 1));
  const unknown = chosen.find(name => !(name in sections));
  if (unknown !== undefined || !(seeds >= 1)) {
    throw new Error(`Sections are ${Object.keys(sections).join(', ')}; --seeds takes a number from 1.`);
  }
  if (!existsSync(data)) {
    throw new Error(`The micrographs are missing: ${data}.`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'sambalab-bench-'));
  mkdirSync(join(folder, 'engine'));
  const reference = startReference();
  let service;
  const rows = [];
  try {
    service = new (await loadEngine(join(folder, 'engine')))();
    const work = new Work(folder, service, reference);
    const report = (section, name, ours, other, unit, note = '') => {
      const ratio = unit === 's' ? other / ours : ours / other;
      rows.push({ section, name, ours, reference: other, ratio, unit });
      if (!json) {
        const digits = unit === 's' ? 3 : 4;
        const figures = `${ours.toFixed(digits)} ${unit} against ${other.toFixed(digits)} ${unit}`;
        console.log(`${section}: ${name}: ${figures}, ratio ${ratio.toFixed(2)} ${note}`);
      }
    };
    for (const name of chosen.length ? chosen : Object.keys(sections)) {
      await sections[name](work, report, { seeds });
    }
    if (json) {
      console.log(JSON.stringify(rows, null, 2));
    }
  } finally {
    reference.stop();
    await service?.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main(process.argv.slice(2)).catch(error => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});
