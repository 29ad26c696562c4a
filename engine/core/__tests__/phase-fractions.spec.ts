/** Intervals of phase fractions, on random structures whose fraction is known. */
import { addToCells, emptyCells, imagePhases, joinCells, pooledPhases, studentQuantile } from '../..';
import { discs, randomNumbers } from './support/structures';

const [ROWS, COLUMNS] = [160, 200];
const SEEDS = 40;

/** Phases of one or several slices of rows × columns. */
function phasesOf(slices: readonly Uint8Array[], rows = ROWS, columns = COLUMNS) {
  const cells = emptyCells(rows, columns);
  slices.forEach(ids => addToCells(cells, ids, columns, 0));
  return imagePhases(cells, slices.length);
}

/** Share of the seeds for which the interval of phase 2 holds the truth. */
function coverage(truth: number, draw: (seed: number) => Parameters<typeof pooledPhases>[0]): number {
  const held = Array.from({ length: SEEDS }, (_, seed) => {
    const { low, high } = pooledPhases(draw(seed + 1)).find(({ id }) => id === 2)!;
    return low! <= truth && truth <= high!;
  });
  return held.filter(Boolean).length / SEEDS;
}

describe('phase fractions', () => {
  it.each([
    { radius: 3, fraction: 0.3 },
    { radius: 6, fraction: 0.5 },
    { radius: 6, fraction: 0.15 }
  ])(
    'have intervals that hold the truth for discs of radius $radius and fraction $fraction, unlike binomial ones',
    given => {
      const { radius, fraction } = given;
      let binomial = 0;
      const held = coverage(fraction, seed => {
        const image = phasesOf([discs({ seed, rows: ROWS, columns: COLUMNS, radius, fraction })]);
        const found = image.phases.find(({ id }) => id === 2)!.fraction;
        binomial += Number(Math.abs(found - fraction) < 1.96 * Math.sqrt((found * (1 - found)) / image.pixels)) / SEEDS;
        return [image];
      });
      expect(held).toBeGreaterThanOrEqual(0.85);
      expect(binomial).toBeLessThan(0.5);
    }
  );

  it('have intervals as wide as fractions of different fields scatter', () => {
    const given = { rows: ROWS, columns: COLUMNS, radius: 5, fraction: 0.4 };
    const found = Array.from({ length: SEEDS }, (_, seed) => {
      const [, phase] = pooledPhases([phasesOf([discs({ seed: seed + 1, ...given })])]);
      return phase!;
    });
    const scatter = Math.sqrt(found.reduce((sum, { fraction }) => sum + (fraction - 0.4) ** 2, 0) / SEEDS);
    const said = Math.sqrt(found.reduce((sum, { field }) => sum + field! ** 2, 0) / SEEDS);
    expect(said / scatter).toBeGreaterThan(0.7);
    expect(said / scatter).toBeLessThan(1.6);
  });

  it('of several images hold the mean of a material whose places differ', () => {
    const held = coverage(0.3, seed => {
      const random = randomNumbers(seed * 977);
      return Array.from({ length: 5 }, (_, i) => {
        const fraction = 0.3 + (random() < 0.5 ? -0.1 : 0.1);
        return phasesOf([discs({ seed: seed * 10 + i, rows: 90, columns: 90, radius: 3, fraction })], 90, 90);
      });
    });
    expect(held).toBeGreaterThanOrEqual(0.85);
  });

  it('of several images of one kind have narrower intervals than one image', () => {
    const draw = (seed: number) => phasesOf([discs({ seed, rows: ROWS, columns: COLUMNS, radius: 4, fraction: 0.3 })]);
    const width = (images: ReturnType<typeof draw>[]) => {
      const { low, high } = pooledPhases(images)[1]!;
      return high! - low!;
    };
    expect(width([1, 2, 3, 4, 5, 6].map(draw)) / width([draw(1)])).toBeLessThan(0.75);
  });

  it('of a stack do not gain by slices that repeat each other, and gain by independent ones', () => {
    const slice = (seed: number) => discs({ seed, rows: ROWS, columns: COLUMNS, radius: 5, fraction: 0.4 });
    const field = (slices: Uint8Array[]) => pooledPhases([phasesOf(slices)])[1]!.field!;
    const one = field([slice(1)]);
    expect(field(Array.from({ length: 8 }, () => slice(1))) / one).toBeCloseTo(1, 6);
    expect(field(Array.from({ length: 8 }, (_, i) => slice(i + 1))) / one).toBeLessThan(0.6);
  });

  it('are the same from parts of the image and from cells of several pixels', () => {
    const [rows, columns] = [300, 340];
    const ids = discs({ seed: 5, rows, columns, radius: 9, fraction: 0.35 });
    const [cells, part] = [emptyCells(rows, columns), emptyCells(rows, columns)];
    expect(cells.side).toBe(3);
    addToCells(cells, ids.subarray(0, 100 * columns), columns, 0);
    addToCells(part, ids.subarray(100 * columns), columns, 100);
    joinCells(cells, part);
    const [, coarse] = imagePhases(cells, 1).phases;
    const fine = { ...emptyCells(rows, columns), rows, columns, side: 1, covered: new Float64Array(ids.length) };
    addToCells(fine, ids, columns, 0);
    const [, exact] = imagePhases(fine, 1).phases;
    expect(coarse!.fraction).toBeCloseTo(ids.filter(id => id === 2).length / ids.length, 12);
    expect(coarse!.fraction).toBeCloseTo(exact!.fraction, 12);
    expect(Math.sqrt(coarse!.variance! / exact!.variance!)).toBeCloseTo(1, 0.5);
  });

  it('know nothing of an image with one phase, and little of one that is smaller than its phases', () => {
    const [alone] = pooledPhases([phasesOf([new Uint8Array(ROWS * COLUMNS).fill(3)])]);
    expect(alone).toMatchObject({ id: 3, fraction: 1, low: null, high: null, field: null, regions: null });
    const halves = Uint8Array.from({ length: 40 * 40 }, (_, i) => (i % 40 < 20 ? 1 : 2));
    const [left] = pooledPhases([phasesOf([halves], 40, 40)]);
    expect(left!.fraction).toBe(0.5);
    expect(left!.high! - left!.low!).toBeGreaterThan(0.8);
    expect(left!.regions ?? 0).toBeLessThan(5);
  });

  it('leave pixels out that are not segmented', () => {
    const ids = discs({ seed: 8, rows: ROWS, columns: COLUMNS, radius: 4, fraction: 0.4 });
    const half = ids.map((id, i) => (i % COLUMNS < 100 ? id : 0));
    const left = Uint8Array.from({ length: ROWS * 100 }, (_, i) => ids[Math.floor(i / 100) * COLUMNS + (i % 100)]!);
    const [masked, cut] = [phasesOf([half]), phasesOf([left], ROWS, 100)];
    expect(masked.pixels).toBe(ROWS * 100);
    expect(masked.phases[1]!.fraction).toBe(cut.phases[1]!.fraction);
    expect(masked.phases[1]!.variance! / cut.phases[1]!.variance!).toBeCloseTo(1, 0.7);
  });

  it('have wider intervals where the probabilities disagree with the segmentation', () => {
    const cells = emptyCells(ROWS, COLUMNS);
    addToCells(cells, discs({ seed: 2, rows: ROWS, columns: COLUMNS, radius: 3, fraction: 0.3 }), COLUMNS, 0);
    const [plain] = [pooledPhases([imagePhases(cells, 1)])[1]!];
    const sure = pooledPhases([imagePhases(cells, 1, [{ id: 2, excess: 0, doubt: 0 }])])[1]!;
    const unsure = pooledPhases([imagePhases(cells, 1, [{ id: 2, excess: 0.05, doubt: 0.1 }])])[1]!;
    expect(plain.classification).toBeNull();
    expect({ ...sure, classification: null }).toEqual(plain);
    expect(unsure.classification).toBeGreaterThan(0.05);
    expect(unsure.high! - unsure.low!).toBeGreaterThan(1.5 * (plain.high! - plain.low!));
  });

  it.each([
    [1, 12.706],
    [2, 4.303],
    [3.5, 2.9367],
    [10, 2.228],
    [60, 2.0],
    [1e9, 1.96]
  ])("take Student's quantile for %p degrees of freedom", (freedom, quantile) => {
    expect(studentQuantile(freedom) / quantile).toBeCloseTo(1, 2);
  });
});
