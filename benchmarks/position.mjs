/**
 * How much of a cell's place a linear model finds in the components of the embedding that trees see: a ridge regression of row and column, fitted to a random
 * half of the cells, and R² on the other half. On noise and on real micrographs, with one view and with the mean of four.
 */
import { writeFileSync } from 'node:fs';
import { mean } from './processes.mjs';
import { randoms } from './suggestions.mjs';
import { Work } from './work.mjs';

const VIEWS = [1, 2, 4];
const RIDGE = 1e-3;

export async function position(bench) {
  for (const kind of ['superalloy', 'coating', 'tomography', 'particles']) {
    for (const name of await bench.micrographs(kind)) {
      await probe(bench, name, await new Work(bench, name).load());
    }
  }
  const noise = await new Work(bench, (await bench.micrographs('particles'))[0]).load();
  const random = randoms('noise');
  writeFileSync(
    noise.file('image.raw'),
    Uint8Array.from({ length: noise.pixels }, () => 256 * random())
  );
  noise.forget();
  await probe(bench, 'noise', noise);
}

async function probe(bench, name, work) {
  for (const views of VIEWS) {
    const { slice } = await work.embedding(work.spec({ embedding: { views } }));
    const [{ data, components, rows, columns }] = await slice();
    const cells = rows * columns;
    const random = randoms(name);
    const inTraining = Array.from({ length: cells }, () => random() < 0.5);
    const of = (cell, k) => data[k * cells + cell];
    const r2 = ['row', 'column'].map(axis => {
      const target = cell => (axis === 'row' ? Math.floor(cell / columns) : cell % columns);
      return fit(cells, components, of, target, cell => inTraining[cell]);
    });
    bench.report('position', `${name}, ${views} view${views > 1 ? 's' : ''}`, mean(r2), null, 'part');
  }
}

/** R² of a ridge regression on the cells that were left out. */
function fit(cells, components, of, target, isTraining) {
  const all = [...Array(cells).keys()];
  const [seen, kept] = [all.filter(isTraining), all.filter(cell => !isTraining(cell))];
  const middle = Array.from({ length: components }, (_, k) => mean(seen.map(cell => of(cell, k))));
  const spread = middle.map((m, k) => Math.sqrt(mean(seen.map(cell => (of(cell, k) - m) ** 2))) || 1);
  const x = cell => middle.map((m, k) => (of(cell, k) - m) / spread[k]);
  const offset = mean(seen.map(target));
  const rows = seen.map(x);
  const matrix = middle.map((_, i) =>
    middle.map((__, j) => rows.reduce((sum, row) => sum + row[i] * row[j], i === j ? RIDGE * rows.length : 0))
  );
  const right = middle.map((_, i) => rows.reduce((sum, row, n) => sum + row[i] * (target(seen[n]) - offset), 0));
  const weights = solve(matrix, right);
  const error = mean(
    kept.map(cell => (x(cell).reduce((sum, value, k) => sum + value * weights[k], offset) - target(cell)) ** 2)
  );
  const average = mean(kept.map(target));
  return 1 - error / mean(kept.map(cell => (target(cell) - average) ** 2));
}

/** Solve a positive definite system by Gaussian elimination. */
function solve(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  rows.forEach((pivot, i) => {
    rows.slice(i + 1).forEach(row => {
      const factor = row[i] / pivot[i];
      pivot.forEach((value, j) => (row[j] -= factor * value));
    });
  });
  const out = [];
  for (let i = rows.length - 1; i >= 0; i--) {
    out[i] = (rows[i].at(-1) - out.reduce((sum, value, j) => sum + value * rows[i][j], 0)) / rows[i][i];
  }
  return out;
}
