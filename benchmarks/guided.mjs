/**
 * Two simulated users draw one short stroke a step: one in the most uncertain region without labels, the other at a random place. Prints the mean
 * intersection over union after a number of strokes, and the strokes that each needs for the same value. Both begin with the same stroke of each class.
 * A stroke has the true class of the pixel where it begins.
 */
import { writeFileSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { mean, paired, root } from './processes.mjs';
import { Work } from './work.mjs';

/** Strokes after which both are measured. */
const MEASURED = [5, 10, 15, 20, 25, 30, 40];
const SEEDS_MAX = 5;
/** The brush's radius, and the pixels that a stroke goes; it stays within its class. */
const RADIUS = 2;
const LENGTH = 6;
/** Side of the regions: the default of the method `regions`. */
const SIDE = 32;

export async function guided(bench) {
  const windows = await loadWindows(bench.folder);
  const curves = { told: perSeed(bench), random: perSeed(bench) };
  for (const name of [...(await bench.micrographs()), 'grains_9', 'particles_9']) {
    const work = await new Work(bench, name).load();
    for (let seed = 0; seed < curves.told.length; seed++) {
      for (const [who, list] of Object.entries(curves)) {
        list[seed].push(await label(work, seed, who === 'told' ? windows : null));
      }
    }
  }
  const at = (who, n) => curves[who].map(images => images.map(curve => curve[n]));
  for (const n of MEASURED) {
    const { interval, text } = paired(at('told', n), at('random', n));
    const values = ['told', 'random'].map(who => mean(at(who, n).flat()));
    bench.report('guided', `${n} strokes, where told against at random`, ...values, 'IoU', text, interval);
  }
  const [told, random] = ['told', 'random'].map(who => MEASURED.map(n => [n, mean(at(who, n).flat())]));
  for (const [n, value] of random.slice(2)) {
    const needed = strokesFor(told, value);
    if (needed !== null) {
      bench.report('guided', `strokes where told for the same as ${n} at random`, needed, n, 'strokes');
    }
  }
}

const perSeed = ({ seeds }) => Array.from({ length: Math.min(seeds, SEEDS_MAX) }, () => []);

/** The number of strokes at which a curve first reaches a value, interpolated; null if it never does. */
function strokesFor(curve, value) {
  const next = curve.findIndex(([, reached]) => reached >= value);
  if (next <= 0) {
    return next < 0 ? null : curve[0][0];
  }
  const [[from, low], [to, high]] = [curve[next - 1], curve[next]];
  return from + ((to - from) * (value - low)) / (high - low);
}

/** Draw strokes one after the other, and give the mean intersection over union after some of them. */
async function label(work, seed, windows) {
  const random = randoms(seed);
  const [, rows, columns] = work.shape;
  const labels = new Uint8Array(rows * columns);
  for (const id of work.classes) {
    const own = [...work.truth.keys()].filter(i => work.truth[i] === id);
    draw(work, labels, own[Math.floor(random() * own.length)], random);
  }
  const curve = {};
  for (let n = work.classes.length; ; n++) {
    const measured = MEASURED.includes(n);
    if (windows || measured) {
      writeFileSync(work.file('labels.raw'), labels);
      await work.train({ seed });
      await work.apply(work.trained, false, windows !== null);
    }
    if (measured) {
      curve[n] = work.iou();
    }
    if (n === MEASURED.at(-1)) {
      return curve;
    }
    const block = windows
      ? mostUncertain(work, labels, windows)
      : { row0: 0, row1: rows, column0: 0, column1: columns };
    const row = block.row0 + Math.floor(random() * (block.row1 - block.row0));
    const column = block.column0 + Math.floor(random() * (block.column1 - block.column0));
    draw(work, labels, row * columns + column, random);
  }
}

/** The region that the sidecar would suggest. */
function mostUncertain(work, labels, { WindowGrid, WindowSums, bestWindows }) {
  const [, rows, columns] = work.shape;
  const grid = new WindowGrid(rows, columns, SIDE);
  const all = { row0: 0, row1: rows, column0: 0, column1: columns };
  const sumsOf = values => {
    const sums = new WindowSums(grid);
    sums.add(all, values);
    return sums.finish();
  };
  const file = readFileSync(work.file('uncertainty.raw'));
  const uncertainty = sumsOf(new Float32Array(file.buffer, file.byteOffset, rows * columns));
  const labelled = sumsOf(labels.map(id => Number(id > 0)));
  const scores = Float64Array.from({ length: grid.count }, (_, window) => {
    const block = grid.block(window);
    return labelled.sum(block) > 0 ? -Infinity : uncertainty.mean(block);
  });
  return bestWindows(grid, scores, 1)[0] ?? all;
}

/** A short random walk from a pixel. */
function draw({ truth, shape }, labels, from, random) {
  const [, rows, columns] = shape;
  const own = truth[from];
  let [row, column] = [Math.floor(from / columns), from % columns];
  let angle = 2 * Math.PI * random();
  const dot = (r, c) => {
    const i = Math.min(rows - 1, Math.max(0, r)) * columns + Math.min(columns - 1, Math.max(0, c));
    labels[i] = truth[i] === own ? own : labels[i];
  };
  for (let step = 0; step < LENGTH; step++) {
    for (let r = -RADIUS; r <= RADIUS; r++) {
      for (let c = -RADIUS; c <= RADIUS; c++) {
        if (Math.hypot(r, c) <= RADIUS + 0.5) {
          dot(Math.round(row) + r, Math.round(column) + c);
        }
      }
    }
    // Box and Muller.
    angle += 0.3 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    row = Math.min(rows - 1, Math.max(0, row + Math.sin(angle)));
    column = Math.min(columns - 1, Math.max(0, column + Math.cos(angle)));
    if (truth[Math.round(row) * columns + Math.round(column)] !== own) {
      return;
    }
  }
}

/** Numbers from 0 to 1 that follow from a seed: a linear congruence (Numerical Recipes), whose high bits are good enough here. */
function randoms(seed) {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) / 2 ** 24;
}

/** The sidecar's own windows. */
async function loadWindows(folder) {
  const { build } = await import('esbuild');
  const outfile = join(folder, 'windows.cjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['kernel-server/src/next-region/score-windows.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'warning'
  });
  return createRequire(import.meta.url)(outfile);
}
