import { Rect } from '../../../src/shared/rect';
import { intensityOf, refinedTile, refineTile, standardised } from '../..';
import { newEngine, randomSource } from '../../__tests__/support/engine';

const image = { rows: 41, columns: 53 };
const whole: Rect = { row0: 0, row1: image.rows, column0: 0, column1: image.columns };

/** Probabilities of `classes` and a guide with an edge, over the whole image. */
function scene(classes: number, seed = 1) {
  const random = randomSource(seed);
  const pixels = image.rows * image.columns;
  const probabilities = new Float32Array(pixels * classes);
  const guide = new Float32Array(pixels);
  for (let i = 0; i < pixels; i++) {
    guide[i] = (i % image.columns < 26 ? 90 : 170) + 20 * random();
    const weights = Array.from({ length: classes }, () => random());
    const sum = weights.reduce((a, b) => a + b, 0);
    weights.forEach((weight, c) => (probabilities[i * classes + c] = weight / sum));
  }
  return { probabilities, guide };
}

/** A part of planes with `values` numbers a pixel. */
function cut(data: Float32Array, tile: Rect, values: number): Float32Array {
  const out: number[] = [];
  for (let row = tile.row0; row < tile.row1; row++) {
    const from = (row * image.columns + tile.column0) * values;
    out.push(...data.subarray(from, from + (tile.column1 - tile.column0) * values));
  }
  return Float32Array.from(out);
}

/** The guided filter as its paper has it, in float64. */
function reference(probabilities: Float32Array, guide: Float32Array, classes: number, radius: number) {
  const { rows, columns } = image;
  const box = (x: Float64Array) =>
    x.map((_, i) => {
      const row = Math.floor(i / columns);
      const column = i % columns;
      let sum = 0;
      let count = 0;
      for (let r = Math.max(0, row - radius); r <= Math.min(rows - 1, row + radius); r++) {
        for (let c = Math.max(0, column - radius); c <= Math.min(columns - 1, column + radius); c++) {
          sum += x[r * columns + c]!;
          count++;
        }
      }
      return sum / count;
    });
  const epsilon = 0.05 * 42.5 ** 2;
  const mean = box(Float64Array.from(guide));
  const square = box(Float64Array.from(guide, v => v * v));
  return Array.from({ length: classes }, (_, k) => {
    const p = Float64Array.from({ length: guide.length }, (__, i) => probabilities[i * classes + k]!);
    const level = box(p);
    const product = box(p.map((v, i) => v * guide[i]!));
    const a = product.map((v, i) => (v - mean[i]! * level[i]!) / (square[i]! - mean[i]! ** 2 + epsilon));
    const b = level.map((v, i) => v - a[i]! * mean[i]!);
    const [slope, rest] = [box(a), box(b)];
    return slope.map((v, i) => v * guide[i]! + rest[i]!);
  });
}

describe('refining probabilities', () => {
  const all = { prediction: true, probabilities: true, uncertainty: true };

  it.each([
    [2, 1],
    [3, 6],
    [4, 9]
  ])('is the guided filter for %i classes and radius %i', (classes, radius) => {
    const { probabilities, guide } = scene(classes);
    const stride = image.columns;
    const out = refineTile(newEngine(), whole, whole, probabilities, classes, { data: guide, stride }, radius, all);
    const expected = reference(probabilities, guide, classes, radius);
    let worst = 0;
    expected[0]!.forEach((_, i) => {
      const kept = expected.map(plane => Math.max(0, plane[i]!));
      const sum = kept.reduce((a, b) => a + b, 0);
      kept.forEach((v, c) => (worst = Math.max(worst, Math.abs(v / sum - out.probabilities![i * classes + c]!))));
      const sorted = kept.map(v => v / sum).sort((a, b) => b - a);
      worst = Math.max(worst, Math.abs(1 - (sorted[0]! - sorted[1]!) - out.uncertainty![i]!));
      expect(kept[out.prediction![i]!]! / sum).toBeGreaterThan(sorted[0]! - 2e-4);
    });
    expect(worst).toBeLessThan(2e-4);
  });

  it('gives the same bits for any tiles', () => {
    const classes = 3;
    const radius = 5;
    const { probabilities, guide } = scene(classes, 7);
    const engine = newEngine();
    const untiled = refineTile(
      engine,
      whole,
      whole,
      probabilities,
      classes,
      { data: guide, stride: image.columns },
      radius,
      all
    );
    const expected = untiled.probabilities!.slice();
    const labels = untiled.prediction!.slice();
    for (let row0 = 0; row0 < image.rows; row0 += 24) {
      for (let column0 = 0; column0 < image.columns; column0 += 20) {
        const tile = {
          row0,
          row1: Math.min(image.rows, row0 + 24),
          column0,
          column1: Math.min(image.columns, column0 + 20)
        };
        const outer = refinedTile(image, tile, radius);
        const data = cut(guide, outer, 1);
        const stride = outer.column1 - outer.column0;
        const part = cut(probabilities, outer, classes);
        const out = refineTile(newEngine(), outer, tile, part, classes, { data, stride }, radius, all);
        expect(out.probabilities).toEqual(cut(expected, tile, classes));
        expect(Array.from(out.prediction!)).toEqual(Array.from(cut(Float32Array.from(labels), tile, 1)));
      }
    }
  });

  it('removes noise and keeps the border at an edge of the guide', () => {
    const random = randomSource(3);
    const guide = Float32Array.from({ length: image.rows * image.columns }, (_, i) =>
      i % image.columns < 26 ? 80 : 180
    );
    const probabilities = new Float32Array(guide.length * 2);
    guide.forEach((value, i) => {
      const p = Math.min(1, Math.max(0, (value > 100 ? 0.65 : 0.35) + 0.6 * (random() - 0.5)));
      probabilities.set([1 - p, p], i * 2);
    });
    const { prediction } = refineTile(
      newEngine(),
      whole,
      whole,
      probabilities,
      2,
      { data: guide, stride: image.columns },
      6,
      all
    );
    const wrong = Array.from(prediction!).filter((c, i) => c !== (guide[i]! > 100 ? 1 : 0)).length;
    const before = Array.from(guide).filter((v, i) => probabilities[2 * i + 1]! > 0.5 !== v > 100).length;
    expect(before).toBeGreaterThan(200);
    expect(wrong).toBe(0);
  });
});

describe('the intensity of an image', () => {
  it.each([Uint8Array, Int16Array, Uint16Array, Float32Array, Float64Array])('is mean and deviation: %p', type => {
    const random = randomSource(5);
    const pixels = new type(600).map(() => 20 + 100 * random());
    const { mean, deviation } = intensityOf(newEngine(), pixels, 60);
    const expected = Array.from(pixels).reduce((a, b) => a + b, 0) / 600;
    const variance = Array.from(pixels).reduce((a, b) => a + (b - expected) ** 2, 0) / 600;
    expect(mean).toBeCloseTo(expected, 8);
    expect(deviation).toBeCloseTo(Math.sqrt(variance), 8);
    const { origin, gain } = standardised({ mean, deviation });
    expect((mean - origin) * gain).toBeCloseTo(127.5, 8);
    expect((mean + deviation - origin) * gain).toBeCloseTo(170, 8);
  });

  it('ignores values that are not finite, and may have no deviation', () => {
    const pixels = Float32Array.of(2, NaN, 4, Infinity, 6, 4);
    expect(intensityOf(newEngine(), pixels, 3)).toEqual({ mean: 4, deviation: Math.sqrt(2) });
    const flat = intensityOf(newEngine(), Uint8Array.of(7, 7), 2);
    expect((7 - standardised(flat).origin) * standardised(flat).gain).toBe(127.5);
  });
});
