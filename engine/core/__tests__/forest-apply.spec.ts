import { ForestApplier, ITrees, joinTrees, packForest, VOTES } from '../forest';
import { blocksOf } from '../stack';
import { newEngine, randomSource } from '../../__tests__/support/engine';
import { blocksFrom, madeUpForest, walk } from '../../__tests__/support/forests';

const FEATURES = 7;

function tileOf(rows: number, columns: number) {
  return { row0: 0, row1: rows, column0: 0, column1: columns };
}

/** Bins that neighbours mostly share, as in images, with some noise. */
function binsOf(pixels: number, random: () => number): number[][] {
  let row = Array.from({ length: FEATURES }, () => Math.floor(random() * 256));
  return Array.from({ length: pixels }, () => {
    row = row.map(bin => (random() < 0.3 ? Math.floor(random() * 256) : bin));
    return row;
  });
}

function expectWalks(trees: ITrees, classes: number, rows: number, columns: number, seed: number): void {
  const pixels = binsOf(rows * columns, randomSource(seed));
  const tile = tileOf(rows, columns);
  const engine = newEngine();
  const applier = new ForestApplier(engine, packForest(engine, trees, FEATURES, classes));
  const blocks = blocksFrom(tile, FEATURES, (pixel, feature) => pixels[pixel]![feature]!);
  const { prediction, probabilities, uncertainty } = applier.apply(tile, blocks, {
    prediction: true,
    probabilities: true,
    uncertainty: true
  });
  const total = VOTES * trees.counts.length;
  pixels.forEach((pixel, i) => {
    const votes = walk(trees, pixel, classes);
    const [best, second = 0] = [...votes].sort((a, b) => b - a) as [number, number?];
    expect(prediction![i]).toBe(votes.indexOf(best));
    expect(uncertainty![i]).toBe(Math.fround(1 - (best - second) / total));
    expect(Array.from(probabilities!.subarray(i * classes, (i + 1) * classes))).toEqual(
      votes.map(vote => Math.fround(vote / total))
    );
  });
}

describe('applying', () => {
  it.each([0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 20, 64])(
    'equals a walk down every tree of depth %i, for full, ragged and chain-like trees',
    depth => {
      for (const share of [1, 0.8, 0]) {
        if (2 ** (depth * share) < 5000) {
          const trees = madeUpForest(randomSource(depth + 1), {
            trees: 9,
            depth,
            share,
            features: FEATURES,
            classes: 3
          });
          expectWalks(trees, 3, 9, 6, depth);
        }
      }
      const ragged = madeUpForest(randomSource(depth), {
        trees: 20,
        depth,
        share: 0.45,
        features: FEATURES,
        classes: 3
      });
      expectWalks(ragged, 3, 13, 22, depth);
    }
  );

  it.each([1, 2, 4, 5, 8, 9, 40, 255])('equals a walk for %i classes', classes => {
    const trees = madeUpForest(randomSource(classes), { trees: 12, depth: 7, share: 0.8, features: FEATURES, classes });
    expectWalks(trees, classes, 6, 11, classes);
  });

  it.each([
    [1, 1],
    [1, 70],
    [4, 4],
    [5, 7],
    [64, 64]
  ])('equals a walk on %i × %i pixels, for more trees than 16-bit sums hold', (rows, columns) => {
    const trees = madeUpForest(randomSource(3), { trees: 130, depth: 6, share: 0.7, features: FEATURES, classes: 2 });
    expectWalks(trees, 2, rows, columns, rows);
  });

  it('equals a walk for trees of all kinds at once', () => {
    const random = randomSource(77);
    const kinds = [0, 64, 1, 13, 10, 3].map(depth =>
      madeUpForest(random, { trees: 5, depth, share: 0.45, features: FEATURES, classes: 3 })
    );
    const trees = joinTrees(kinds, 3);
    expectWalks(trees, 3, 17, 18, 5);
  });

  it('gives the same votes however the blocks are grouped', () => {
    const trees = madeUpForest(randomSource(8), { trees: 30, depth: 16, share: 0.5, features: FEATURES, classes: 3 });
    const tile = tileOf(30, 33);
    const random = randomSource(9);
    const pixels = binsOf(30 * 33, random);
    const { count } = blocksOf(tile);
    const engine = newEngine();
    const packed = packForest(engine, trees, FEATURES, 3);
    const blocks = engine.put(blocksFrom(tile, FEATURES, (pixel, feature) => pixels[pixel]![feature]!));
    const [quads, roots, tables] = [engine.put(packed.quads), engine.put(packed.roots), engine.put(packed.tables)];
    const scratch = engine.allocate(engine.kernels.applyScratch(3));
    const sumsFor = (step: number) => {
      const sums = engine.allocate(count * 3 * 64);
      for (let first = 0; first < count; first += step) {
        const size = Math.min(step, count - first);
        const from = blocks + first * FEATURES * 16;
        const to = sums + first * 3 * 64;
        engine.kernels.applyForest(from, size, FEATURES, quads, roots, 30, tables, 3, VOTES, to, scratch);
      }
      return engine.u32(sums, count * 3 * 16).slice();
    };
    const whole = sumsFor(count);
    [1, 3, 16, 17, 40].forEach(step => expect(sumsFor(step)).toEqual(whole));
  });

  it.each([
    [1, 40],
    [2, 40],
    [2, 200],
    [3, 131],
    [9, 60]
  ])(
    'finds the same labels where it stops as soon as they are certain, for %i classes and %i trees',
    (classes, trees) => {
      const random = randomSource(classes + trees);
      const spread = madeUpForest(random, { trees, depth: 6, share: 0.7, features: FEATURES, classes });
      // Leaves that mostly agree, as a trained forest's do: some blocks are certain early, some never.
      const agreeing = { ...spread, votes: spread.votes.slice() };
      for (let leaf = 0; leaf < agreeing.votes.length; leaf += classes) {
        if (random() < 0.8) {
          agreeing.votes.fill(0, leaf, leaf + classes);
          agreeing.votes[leaf + classes - 1] = VOTES;
        }
      }
      const tile = tileOf(70, 66);
      const pixels = binsOf(70 * 66, random);
      const blocks = blocksFrom(tile, FEATURES, (pixel, feature) => pixels[pixel]![feature]!);
      for (const forest of [spread, agreeing]) {
        const applier = new ForestApplier(newEngine(), packForest(newEngine(), forest, FEATURES, classes));
        const full = applier.apply(tile, blocks, { prediction: true, uncertainty: true }).prediction!.slice();
        expect(applier.apply(tile, blocks, { prediction: true }).prediction).toEqual(full);
      }
    }
  );

  it('gives a tie to the first class', () => {
    const leaf = {
      counts: Uint32Array.of(1, 1),
      feature: Int16Array.of(-1, -1),
      threshold: Uint8Array.of(0, 0),
      left: Uint32Array.of(0, 1),
      right: Uint32Array.of(0, 0),
      votes: Uint16Array.of(0, 0, VOTES, 0, VOTES, 0)
    };
    const applier = new ForestApplier(newEngine(), packForest(newEngine(), leaf, 1, 3));
    const { prediction, uncertainty } = applier.apply(tileOf(1, 1), new Uint8Array(16), {
      prediction: true,
      uncertainty: true
    });
    expect(prediction![0]).toBe(1);
    expect(uncertainty![0]).toBe(1);
  });

  it('refuses bins that do not fill the tile', () => {
    const trees = madeUpForest(randomSource(1), { trees: 1, depth: 2, share: 1, features: FEATURES, classes: 2 });
    const applier = new ForestApplier(newEngine(), packForest(newEngine(), trees, FEATURES, 2));
    expect(() => applier.apply(tileOf(8, 8), new Uint8Array(16), {})).toThrow(/do not fill/);
  });

  it('packs to the same bytes whatever the engine did before', () => {
    const trees = madeUpForest(randomSource(4), { trees: 6, depth: 15, share: 0.6, features: FEATURES, classes: 4 });
    const used = newEngine();
    used.u8(used.allocate(1 << 20), 1 << 20).fill(0xa5);
    used.release(used.kernels.heapBase());
    const mark = used.mark;
    const { quads, roots, tables } = packForest(used, trees, FEATURES, 4);
    const fresh = packForest(newEngine(), trees, FEATURES, 4);
    expect(used.mark).toBe(mark);
    expect(Array.from(tables)).toEqual(Array.from(fresh.tables));
    expect(Array.from(roots)).toEqual(Array.from(fresh.roots));
    expect(quads.length).toBe(fresh.quads.length);
  });
});
