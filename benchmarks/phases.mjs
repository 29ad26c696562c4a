/**
 * How often the 95 % intervals of phase fractions hold the truth: on random structures cut from an endless one of known fraction, beside the binomial
 * interval that takes pixels for independent; for several images and for stacks; and on micrographs with truth, where the classification errs.
 */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mean, root } from './processes.mjs';
import { Work } from './work.mjs';

/** Seeds of each structure, unless `--seeds` asks for more. */
const SEEDS = 40;
const SIZE = [384, 512];
/** Fractions and lengths in pixels: radius of discs, or σ of the noise whose lowest part is the phase. */
const FRACTIONS = [0.1, 0.3, 0.6];
const LENGTHS = [4, 8, 16, 32];
/** Images of one sample, and what their own fractions differ by. */
const IMAGES = 5;
const DIFFERENCE = 0.1;
const SLICES = 12;
const TRAININGS = 5;

export async function phases(bench) {
  const own = await load(bench.folder);
  const seeds = Math.max(SEEDS, bench.seeds);
  const structures = {
    discs: (seed, [rows, columns], length, fraction) => own.discs({ seed, rows, columns, radius: length, fraction }),
    noise: (seed, size, length, fraction) => noise(own.randomNumbers(seed), size, length, fraction)
  };
  for (const [name, draw] of Object.entries(structures)) {
    for (const length of LENGTHS) {
      for (const fraction of FRACTIONS) {
        const found = each(seeds, seed => measure(own, [[draw(seed, SIZE, length, fraction)]], SIZE));
        told(bench, `${name} of ${length} pixels, fraction ${fraction}`, found, fraction);
      }
    }
    const size = [192, 256];
    const alike = each(seeds, seed =>
      measure(
        own,
        [...Array(IMAGES).keys()].map(i => [draw(seed * IMAGES + i, size, 8, 0.3)]),
        size
      )
    );
    told(bench, `${IMAGES} images of ${name}`, alike, 0.3);
    const differing = each(seeds, seed => {
      const random = own.randomNumbers(seed + 1e6);
      const at = i => [draw(seed * IMAGES + i, size, 8, 0.3 + DIFFERENCE * (random() < 0.5 ? -1 : 1))];
      return measure(own, [...Array(IMAGES).keys()].map(at), size);
    });
    told(bench, `${IMAGES} images of ${name} whose own fractions are 0.2 or 0.4`, differing, 0.3);
  }
  const size = [128, 160];
  const stacks = each(seeds, seed => measure(own, [layers(own.randomNumbers(seed), size, 8, 0.3)], size));
  told(bench, `stacks of ${SLICES} slices that are alike`, stacks, 0.3);
  await classified(bench, own);
}

const each = (seeds, of) => Array.from({ length: seeds }, (_, seed) => of(seed + 1));

/** Phase 2 over images, each of one or more slices, and its binomial interval's half width. */
function measure(own, images, [rows, columns]) {
  const measured = images.map(slices => {
    const cells = own.emptyCells(rows, columns);
    slices.forEach(ids => own.addToCells(cells, ids, columns, 0));
    return own.imagePhases(cells, slices.length);
  });
  const phase = own.pooledPhases(measured).find(({ id }) => id === 2) ?? { fraction: 0, low: null };
  const pixels = measured.reduce((sum, image) => sum + image.pixels, 0);
  return { ...phase, binomial: 1.96 * Math.sqrt((phase.fraction * (1 - phase.fraction)) / pixels) };
}

/** Report how many intervals hold the truth, and what they say beside how the fractions scatter. */
function told(bench, name, found, truth) {
  const known = found.filter(({ low }) => low !== null);
  const held = mean(known.map(({ low, high }) => Number(low <= truth && truth <= high)));
  const binomial = mean(known.map(({ fraction, binomial }) => Number(Math.abs(fraction - truth) <= binomial)));
  const scatter = Math.sqrt(mean(known.map(({ fraction }) => (fraction - truth) ** 2)));
  const said = Math.sqrt(mean(known.flatMap(({ field }) => (field === null ? [] : [field ** 2]))));
  const widths = known.map(({ low, high }) => high - low).sort((a, b) => a - b);
  const areas = known.map(({ regions }) => regions ?? 0).sort((a, b) => a - b);
  const middle = list => list[Math.floor(list.length / 2)];
  bench.report(
    'phases',
    `${name}: intervals that hold the truth, against binomial ones`,
    held,
    binomial,
    'part',
    `standard error ${said.toFixed(4)}, scatter ${scatter.toFixed(4)}, median width ${middle(widths).toFixed(3)}, ` +
      `${middle(areas).toFixed(0)} independent areas${known.length < found.length ? `, ${found.length - known.length} without the phase` : ''}`
  );
}

/** The lowest part of white noise that is smoothed by a Gaussian: phase 2 of exactly the expected fraction. */
function noise(random, [rows, columns], sigma, fraction) {
  const reach = Math.ceil(4 * sigma);
  const wide = columns + 2 * reach;
  const field = Float64Array.from({ length: (rows + 2 * reach) * wide }, () => normal(random));
  return threshold(smooth(field, rows + 2 * reach, wide, sigma), fraction);
}

/** Slices of noise that goes over into another from slice to slice: each keeps nine tenths of the one before. */
function layers(random, [rows, columns], sigma, fraction) {
  const reach = Math.ceil(4 * sigma);
  const size = (rows + 2 * reach) * (columns + 2 * reach);
  let field = Float64Array.from({ length: size }, () => normal(random));
  return Array.from({ length: SLICES }, () => {
    const found = threshold(smooth(field, rows + 2 * reach, columns + 2 * reach, sigma), fraction);
    field = field.map(value => 0.9 * value + Math.sqrt(1 - 0.81) * normal(random));
    return found;
  });
}

const normal = random => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Smooth a field, and cut off where the kernel reaches beyond it. White noise of deviation 1 keeps this deviation. */
function smooth(field, rows, columns, sigma) {
  const reach = Math.ceil(4 * sigma);
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)));
  const norm = Math.sqrt(kernel.reduce((sum, value) => sum + value ** 2, 0));
  const narrow = columns - 2 * reach;
  const low = rows - 2 * reach;
  const across = new Float64Array(rows * narrow);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < narrow; column++) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) {
        sum += kernel[k] * field[row * columns + column + k];
      }
      across[row * narrow + column] = sum / norm;
    }
  }
  const out = new Float64Array(low * narrow);
  for (let row = 0; row < low; row++) {
    for (let k = 0; k < kernel.length; k++) {
      const weight = kernel[k] / norm;
      for (let column = 0; column < narrow; column++) {
        out[row * narrow + column] += weight * across[(row + k) * narrow + column];
      }
    }
  }
  return out;
}

/** The quantiles of the normal distribution for {@link FRACTIONS} and the two fractions of differing images. */
const QUANTILES = { 0.1: -1.2815516, 0.2: -0.8416212, 0.3: -0.5244005, 0.4: -0.2533471, 0.6: 0.2533471 };

function threshold(field, fraction) {
  const limit = QUANTILES[fraction.toFixed(1)];
  return Uint8Array.from(field, value => (value < limit ? 2 : 1));
}

/** The errors of classifications on micrographs with truth, beside those that their probabilities say. */
async function classified(bench, own) {
  for (const kind of ['superalloy', 'grains', 'particles', 'steel']) {
    for (const strokes of [5, 40]) {
      const [errors, said, held] = [[], [], []];
      for (const name of await bench.micrographs(kind).catch(() => [])) {
        const work = await new Work(bench, name).load();
        for (let seed = 0; seed < Math.min(bench.seeds, TRAININGS); seed++) {
          await work.strokes(seed, strokes);
          await work.train({ seed });
          await work.apply(work.trained, true);
          for (const { fraction, truth, classification } of ofWork(own, work)) {
            errors.push(Math.abs(fraction - truth));
            said.push(classification);
            held.push(Number(Math.abs(fraction - truth) <= 1.96 * classification));
          }
        }
      }
      if (errors.length > 0) {
        bench.report(
          'phases',
          `${kind}, ${strokes} strokes: classifications within 1.96 of their errors`,
          mean(held),
          null,
          'part',
          `mean distance from the truth ${mean(errors).toFixed(4)}, mean classification error ${mean(said).toFixed(4)}`
        );
      }
    }
  }
}

/** The phases of the segmentation, with their true fractions. */
function ofWork(own, work) {
  const [, rows, columns] = work.shape;
  const ids = new Uint8Array(readFileSync(work.file('prediction.raw')));
  const bytes = readFileSync(work.file('probabilities.raw'));
  const probabilities = new Float32Array(bytes.buffer, bytes.byteOffset, ids.length * work.classes.length);
  const order = work.trained.info?.classes.map(({ id }) => id) ?? work.classes;
  const soft = new own.SoftPhases(order);
  soft.add(ids, probabilities);
  const cells = own.emptyCells(rows, columns);
  own.addToCells(cells, ids, columns, 0);
  return own.pooledPhases([own.imagePhases(cells, 1, soft.phases)]).flatMap(({ id, fraction, classification }) => {
    const truth = work.truth.reduce((sum, own) => sum + Number(own === id), 0) / work.truth.length;
    return classification === null ? [] : [{ fraction, truth, classification }];
  });
}

/** Our statistics and the structures of their tests. */
async function load(folder) {
  const { build } = await import('esbuild');
  const outfile = join(folder, 'phases.cjs');
  const files = [
    'engine/core/phase-fractions',
    'engine/core/__tests__/support/structures',
    'kernel-server/src/phases/soft-phases'
  ];
  await build({
    absWorkingDir: root,
    stdin: { contents: files.map(file => `export * from './${file}';`).join('\n'), resolveDir: root, loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'warning'
  });
  return createRequire(import.meta.url)(outfile);
}
