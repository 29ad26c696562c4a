/** Mean and deviation of images with hot and dead pixels, and what standardised pixels become. */
import { featureSpec, FeatureStack, intensityOf, standardised } from '../..';
import { newEngine, randomSource } from '../../__tests__/support/engine';

const COLUMNS = 100;

/** A smooth image with noise, from 700 to 1,300. */
function image(values = 40_000): number[] {
  const random = randomSource(5);
  return Array.from({ length: values }, (_, i) => Math.floor(1000 + 200 * Math.sin(i / 37) + 200 * (random() - 0.5)));
}

/** The same with another value at `count` places, spread evenly; the first row has one. */
function spoilt(values: readonly number[], count: number, value: number): number[] {
  return values.map((own, i) => (i % Math.floor(values.length / count) === 11 ? value : own));
}

describe('the intensity of an image', () => {
  const clean = image();
  const plain = intensityOf(newEngine(), Uint16Array.from(clean), COLUMNS);

  it.each([
    ['10 hot pixels', 10, 65_535],
    ['10 dead pixels', 10, 0],
    ['100 hot pixels', 100, 65_535]
  ])('hardly changes by %s among 40,000', (_, count, value) => {
    const found = intensityOf(newEngine(), Uint16Array.from(spoilt(clean, count, value)), COLUMNS);
    expect(Math.abs(found.mean - plain.mean)).toBeLessThan(0.03 * plain.deviation);
    expect(found.deviation / plain.deviation).toBeGreaterThan(0.99);
    expect(found.deviation / plain.deviation).toBeLessThan(1.2);
  });

  it.each([1e30, -3e38, -9999])('hardly changes by one pixel of %d in a float image', value => {
    const floats = Float32Array.from(clean, own => own / 1000);
    const { mean, deviation } = intensityOf(newEngine(), floats, COLUMNS);
    floats[7] = value;
    const found = intensityOf(newEngine(), floats, COLUMNS);
    expect(Math.abs(found.mean - mean)).toBeLessThan(0.01 * deviation);
    expect(Math.abs(found.deviation - deviation)).toBeLessThan(0.01 * deviation);
  });

  it('is the plain mean and deviation if no value is 10 deviations away', () => {
    const values = spoilt(clean, 400, 3000);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect((3000 - mean) / Math.sqrt(variance)).toBeLessThan(10);
    const found = intensityOf(newEngine(), Uint16Array.from(values), COLUMNS);
    expect(found.mean).toBeCloseTo(mean, 9);
    expect(found.deviation).toBeCloseTo(Math.sqrt(variance), 9);
  });

  it.each([0, 7, 1000.1])('is the plain mean and deviation if all pixels but a few are %d', even => {
    const values = Float64Array.from(clean, (_, i) => (i === 5000 || i === 9000 ? 200_000 : even));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    const found = intensityOf(newEngine(), values, COLUMNS);
    expect(found.mean).toBeCloseTo(mean, 6);
    expect(found.deviation / Math.sqrt(variance)).toBeCloseTo(1, 6);
  });
});

describe('a standardised pixel', () => {
  const rows = 4;
  const intensity = { mean: 1000, deviation: 100 };
  const tile = { row0: 0, row1: rows, column0: 0, column1: COLUMNS };
  /** The standardised pixels of an image of these values. */
  function taken(values: Float64Array): Float32Array {
    const spec = featureSpec({ families: {}, standardise: true });
    const { data, stride } = new FeatureStack(newEngine(), spec, 1).compute(
      { rows, columns: COLUMNS, intensity },
      tile,
      values
    );
    return values.map((_, i) => data[Math.floor(i / COLUMNS) * stride + (i % COLUMNS)]!) as unknown as Float32Array;
  }

  it('keeps its value up to 10 deviations from the mean', () => {
    const { origin, gain } = standardised(intensity);
    const values = Float64Array.from({ length: rows * COLUMNS }, (_, i) => i * 5);
    expect([...taken(values)]).toEqual([...values].map(value => Math.fround((value - origin) * gain)));
  });

  it('is at most 30 deviations away, and grows with its value', () => {
    const values = Float64Array.from({ length: rows * COLUMNS }, (_, i) => (i - 200) * 300);
    const found = [...taken(values)];
    const far = 127.5 + 42.5 * 30;
    expect(found.every((value, i) => i === 0 || value > found[i - 1]!)).toBe(true);
    expect(Math.max(...found)).toBeLessThan(far);
    const huge = [...taken(values.fill(0).map((_, i) => [1e30, Infinity, -1e30, NaN][i % 4]!))].slice(0, 4);
    expect(huge).toEqual([far, far, 127.5 - 42.5 * 30, NaN]);
  });
});
