import { overlaps } from '../../../../src/shared/rect';
import { clusters, loneliness } from '../clusters';
import { landmarks } from '../landmarks';
import { sampleWindows, viewed } from '../window-vectors';
import { bestWindows, WindowGrid, WindowSums } from '../score-windows';

const { signal } = new AbortController();

function randoms(seed: number): () => number {
  let state = seed;
  return () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) / 2 ** 24;
}

describe('Windows', () => {
  it.each([
    [64, 64, 32],
    [100, 77, 32],
    [40, 200, 9],
    [20, 300, 32],
    [5, 3, 32],
    [33, 1, 8]
  ])(
    'of an image of %i × %i pixels and side %i have the sums of their pixels and reach all of them',
    (rows, columns, side) => {
      const random = randoms(rows);
      const values = Float64Array.from({ length: rows * columns }, random);
      const grid = new WindowGrid(rows, columns, side);
      const sums = new WindowSums(grid);
      // In parts, as tiles come.
      for (const [row0, row1] of [
        [0, Math.floor(rows / 2)],
        [Math.floor(rows / 2), rows]
      ] as [number, number][]) {
        sums.add({ row0, row1, column0: 0, column1: columns }, values.subarray(row0 * columns, row1 * columns));
      }
      sums.finish();
      const reached = new Uint8Array(values.length);
      for (let window = 0; window < grid.count; window++) {
        const block = grid.block(window);
        let sum = 0;
        for (let row = block.row0; row < block.row1; row++) {
          for (let column = block.column0; column < block.column1; column++) {
            sum += values[row * columns + column]!;
            reached[row * columns + column] = 1;
          }
        }
        expect([block.row1 - block.row0, block.column1 - block.column0]).toEqual([
          Math.min(side, rows),
          Math.min(side, columns)
        ]);
        expect(sums.sum(block)).toBeCloseTo(sum, 9);
      }
      expect(reached).toEqual(reached.map(() => 1));
    }
  );

  it('are limited in number in an image of 20,000 × 20,000 pixels', () => {
    const grid = new WindowGrid(20_000, 20_000, 8);
    expect(new WindowSums(grid).bytes).toBeLessThan(200 << 20);
  });

  it('come best first, the upper left one first among equals, and none overlaps a better one', () => {
    const grid = new WindowGrid(160, 130, 16);
    const random = randoms(3);
    const scores = Float64Array.from(
      { length: grid.count },
      () => Math.floor(8 * random()) - (random() < 0.1 ? Infinity : 0)
    );
    const expected: number[] = [];
    [...scores.keys()]
      .filter(i => scores[i]! > -Infinity)
      .sort((a, b) => scores[b]! - scores[a]! || a - b)
      .forEach(i => {
        if (!expected.some(other => overlaps(grid.block(other), grid.block(i)))) {
          expected.push(i);
        }
      });
    const all = bestWindows(grid, scores, 1e6);
    expect(all).toEqual(expected.map(i => ({ ...grid.block(i), score: scores[i] })));
    expect(bestWindows(grid, scores, 3)).toEqual(all.slice(0, 3));
    expect(bestWindows(grid, scores.fill(-Infinity), 3)).toEqual([]);
  });
});

describe('Similar vectors', () => {
  /** Three clouds of 60, 30 and 10 points in a plane, and a lone point. */
  function clouds() {
    const random = randoms(5);
    const centres = [
      ...Array.from({ length: 60 }, () => [0, 0]),
      ...Array.from({ length: 30 }, () => [10, 0]),
      ...Array.from({ length: 10 }, () => [0, 10]),
      [30, 30]
    ];
    const values = Float32Array.from(centres.flatMap(centre => centre.map(value => value + random() - 0.5)));
    return { values, length: 2 };
  }

  it('form groups, the largest first, each sorted from its centre outwards', async () => {
    const groups = await clusters(clouds(), 4, signal);
    expect(groups.map(({ members }) => members.length)).toEqual([60, 30, 10, 1]);
    expect([...groups[0]!.members].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i));
    const { values } = clouds();
    const radius = (i: number) => Math.hypot(values[2 * i]!, values[2 * i + 1]!);
    const [nearest, farthest] = [groups[0]!.members[0]!, groups[0]!.members.at(-1)!];
    expect(radius(nearest)).toBeLessThan(0.25);
    expect(radius(farthest)).toBeGreaterThan(radius(nearest));
  });

  it('form one group if all are equal', async () => {
    const groups = await clusters({ values: new Float32Array(20).fill(2), length: 2 }, 4, signal);
    expect(groups).toEqual([{ members: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }]);
  });

  it('are scored as outliers by the mean distance to their nearest neighbours', async () => {
    const lonely = await loneliness(clouds(), 3, (a, b) => a !== b, signal);
    expect(lonely.indexOf(Math.max(...lonely))).toBe(100);
    const line = { values: Float32Array.from([0, 1, 3, 7]), length: 1 };
    const apart = (a: number, b: number) => Math.abs(a - b) > 1;
    expect([...(await loneliness(line, 2, apart, signal))]).toEqual([5, 6, 3, 6.5]);
  });

  it('stop grouping when the request is cancelled', async () => {
    const aborted = AbortSignal.abort();
    await expect(clusters(clouds(), 4, aborted)).rejects.toThrow();
    await expect(loneliness(clouds(), 3, () => true, aborted)).rejects.toThrow();
  });
});

describe('Vectors of an encoder', () => {
  /** Maps of two layers with cells of 8 and of 64 pixels: the left half is one thing, the right another, and one place a third. */
  const map = (rows: number, columns: number, cell: number, value: (row: number, column: number) => number) => ({
    data: Float32Array.from({ length: rows * columns }, (_, i) =>
      value(Math.floor(i / columns) * cell, (i % columns) * cell)
    ),
    components: 1,
    rows,
    columns,
    cell
  });

  it('are averaged over windows, give each half a region, and find the unusual place', async () => {
    const odd = (row: number, column: number) => row >= 96 && row < 136 && column >= 160 && column < 200;
    const fine = map(32, 32, 8, (row, column) => (odd(row, column) ? 40 : column < 128 ? -1 : 1));
    const coarse = map(4, 4, 64, (_, column) => (column < 128 ? 0 : 100));
    const grid = new WindowGrid(256, 256, 32);
    const places = sampleWindows(grid, 1000).map(block => ({ slice: 0, ...block }));
    expect(places).toHaveLength(grid.count);
    const vectors = viewed(places, new Map([[0, [fine, coarse]]]));
    expect(vectors.length).toBe(2);
    const variance = (k: number) => {
      const own = vectors.values.filter((_, i) => i % 2 === k);
      return own.reduce((sum, value) => sum + value * value, 0) / own.length;
    };
    expect([variance(0), variance(1)]).toEqual([expect.closeTo(1, 4), expect.closeTo(1, 4)]);
    const found = await landmarks({ places, views: [vectors], rows: 256, columns: 256, count: 4 }, signal);
    expect(found.map(({ reason }) => reason)).toEqual(['representative', 'unusual', 'representative', 'unusual']);
    const [first, unusual, second] = found as [(typeof found)[0], (typeof found)[0], (typeof found)[0]];
    expect([first.column0 < 128, second.column0 < 128].sort()).toEqual([false, true]);
    expect(unusual.row0 < 136 && unusual.row1 > 96 && unusual.column0 < 200 && unusual.column1 > 160).toBe(true);
  });

  it('are unusual only if embedding and texture agree, and give no region if all are equal', async () => {
    const grid = new WindowGrid(320, 320, 32);
    const places = sampleWindows(grid, 1000).map(block => ({ slice: 0, ...block }));
    const random = randoms(11);
    const at = (row: number, column: number) =>
      places.findIndex(({ row0, column0 }) => row0 === row && column0 === column);
    const view = (odd: Record<number, number>) => ({
      values: Float32Array.from(places, (_, i) => odd[i] ?? random()),
      length: 1
    });
    const [both, one] = [at(64, 64), at(208, 208)];
    const views = [view({ [both]: 5, [one]: 9 }), view({ [both]: 5 })];
    const first = async (some: typeof views) => {
      const found = await landmarks({ places, views: some, rows: 320, columns: 320, count: 2 }, signal);
      return found.find(({ reason }) => reason === 'unusual');
    };
    expect(await first(views)).toMatchObject(places[both]!);
    expect(await first([views[0]!])).toMatchObject(places[one]!);
    expect(await first([view({}), { values: new Float32Array(places.length), length: 1 }])).toBeDefined();
  });

  it('give at most as many regions as there are windows, and none without windows', async () => {
    const grid = new WindowGrid(40, 40, 32);
    const places = sampleWindows(grid, 1000).map(block => ({ slice: 0, ...block }));
    const vectors = { values: new Float32Array(places.length), length: 1 };
    expect(await landmarks({ places, views: [vectors], rows: 40, columns: 40, count: 9 }, signal)).toHaveLength(1);
    expect(await landmarks({ places: [], views: [vectors], rows: 40, columns: 40, count: 9 }, signal)).toEqual([]);
  });
});
