/** Interpolated labels against distances that are computed pixel by pixel. */
import { LabelInterpolation } from '..';

const [ROWS, COLUMNS] = [23, 31];
let seed = 3;
const random = (n: number) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * n);
};

/** Signed distance of every pixel to the outline of a class, by comparing all pixels with all. A pixel beyond the edge is outside. */
function plainDistance(labels: Uint8Array, has: (id: number) => boolean): number[] {
  const is = (row: number, column: number) =>
    row >= 0 && row < ROWS && column >= 0 && column < COLUMNS && has(labels[row * COLUMNS + column]!);
  return Array.from(labels, (_, i) => {
    const [row, column] = [Math.floor(i / COLUMNS), i % COLUMNS];
    let nearest = Infinity;
    for (let r = -1; r <= ROWS; r++) {
      for (let c = -1; c <= COLUMNS; c++) {
        if (is(r, c) !== is(row, column)) {
          nearest = Math.min(nearest, Math.hypot(r - row, c - column));
        }
      }
    }
    return is(row, column) ? nearest - 0.5 : 0.5 - nearest;
  });
}

/** Whether a pixel lies in the rectangle around a class in both slices. */
function isInBox(id: number, pixel: number, slices: Uint8Array[]): boolean {
  const own = slices.flatMap(labels => [...labels.keys()].filter(i => labels[i] === id));
  const within = (of: (i: number) => number) => {
    const values = own.map(of);
    return Math.min(...values) <= of(pixel) && of(pixel) <= Math.max(...values);
  };
  return within(i => Math.floor(i / COLUMNS)) && within(i => i % COLUMNS);
}

function blobs(ids: number[]): Uint8Array {
  const labels = new Uint8Array(ROWS * COLUMNS);
  for (const id of ids) {
    const [row, column, radius] = [random(ROWS), random(COLUMNS), 2 + random(8)];
    for (let i = 0; i < labels.length; i++) {
      if (Math.hypot(Math.floor(i / COLUMNS) - row, (i % COLUMNS) - column) < radius) {
        labels[i] = id;
      }
    }
  }
  return labels;
}

it('takes the class of the highest mixed distance, where that of all labels together is positive', () => {
  for (let trial = 0; trial < 2; trial++) {
    const [before, after] = [blobs([1, 2, 7, 1]), blobs([2, 1, 7, 2])];
    const both = new LabelInterpolation(before, after, COLUMNS);
    const ids = [1, 2, 7].filter(id => before.includes(id) && after.includes(id));
    const distances = ids.map(id => [before, after].map(labels => plainDistance(labels, other => other === id)));
    const all = [before, after].map(labels => plainDistance(labels, id => id > 0));
    for (const fraction of [0.2, 0.5, 0.75]) {
      const found = both.at(fraction);
      found.forEach((id, i) => {
        const mix = ([a, b]: number[][]) => (1 - fraction) * a![i]! + fraction * b![i]!;
        const mixed = distances.map(mix);
        // Two classes may be equally good within rounding.
        const near = mixed.filter((_, k) => isInBox(ids[k]!, i, [before, after]));
        if (near.length > 0 && Math.abs(mix(all)) > 1e-4) {
          expect(id > 0).toBe(mix(all) > 0);
        }
        expect(id === 0 || Math.max(...near) - mixed[ids.indexOf(id)]! < 1e-4).toBe(true);
      });
    }
  }
});

it('has the labels of a slice where that slice is', () => {
  const [before, after] = [blobs([1, 2]), blobs([2, 1])];
  const both = new LabelInterpolation(before, after, COLUMNS);
  expect(both.at(0)).toEqual(before);
  expect(both.at(1)).toEqual(after);
});

it('leaves a class out that one slice lacks, and everything if nothing is labelled', () => {
  const before = blobs([1, 2, 5]);
  const after = Uint8Array.from(before, id => (id === 5 ? 0 : id));
  expect(new Set(new LabelInterpolation(before, after, COLUMNS).at(0.5))).toEqual(new Set(after));
  const none = new Uint8Array(ROWS * COLUMNS);
  expect(new LabelInterpolation(none, before, COLUMNS).at(0.5)).toEqual(none);
});

it('moves a disc that grows half way', () => {
  const disc = (radius: number) =>
    Uint8Array.from({ length: ROWS * COLUMNS }, (_, i) =>
      Math.hypot(Math.floor(i / COLUMNS) - 11, (i % COLUMNS) - 15) <= radius ? 3 : 0
    );
  const found = new LabelInterpolation(disc(3), disc(9), COLUMNS).at(0.5);
  const area = found.reduce((sum, id) => sum + (id === 3 ? 1 : 0), 0);
  expect(Math.abs(Math.sqrt(area / Math.PI) - 6)).toBeLessThan(0.4);
});
