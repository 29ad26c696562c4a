import { featureNames, featureSpec, halo } from '../features';
import { newEngine, randomSource } from '../../__tests__/support/engine';
import { Plain } from '../../__tests__/support/reference';
import { stackOf } from '../../__tests__/support/stacks';

const NAMES = ['mean', 'variance', 'minimum', 'maximum', 'median', 'entropy'];
// The last is large enough for a median to slide, of bytes as of floats.
const RADII = [0.5, 1, 2, 3.3, 6];

const spec = {
  range: [-100, 700],
  sigmas: RADII,
  families: Object.fromEntries(NAMES.map(name => [name, name === 'entropy' ? { bins: [20, 256] } : {}]))
};
const names = featureNames(featureSpec(spec), 1);

/** The values of the disc around a pixel, ascending. */
function around(image: Plain, row: number, column: number, radius: number): number[] {
  const values: number[] = [];
  for (let y = -6; y <= 6; y++) {
    for (let x = -6; x <= 6; x++) {
      if (x * x + y * y <= radius * radius + 1) {
        values.push(image.at(row + y, column + x));
      }
    }
  }
  return values.sort((a, b) => a - b);
}

function entropy(values: number[], bins: number): number {
  const counts = new Map<number, number>();
  for (const value of values) {
    const level = Math.min(255, Math.max(0, Math.floor(((value + 100) * 255) / 800 + 0.5)));
    const bin = Math.floor((level * bins) / 256);
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  return [...counts.values()].reduce(
    (sum, count) => sum - (count / values.length) * Math.log2(count / values.length),
    0
  );
}

/** A feature of the pixel in the middle of a disc, by its name. */
function plainly(feature: string): (disc: number[]) => number {
  const [, family, bins] = /^(\w+) r=[\d.]+(?: bins=(\d+))?$/.exec(feature)!;
  return values => {
    const mean = values.reduce((a, b) => a + b) / values.length;
    switch (family) {
      case 'mean':
        return mean;
      case 'variance':
        return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      case 'minimum':
        return values[0]!;
      case 'maximum':
        return values.at(-1)!;
      case 'median':
        return values[(values.length - 1) / 2]!;
      default:
        return entropy(values, Number(bins));
    }
  };
}

const random = randomSource(12);
const images: Record<string, Plain> = {
  bytes: Plain.from(23, 38, () => Math.floor(random() * 256)),
  'values of 16 bits': Plain.from(23, 38, () => Math.floor(random() * 65536)),
  floats: Plain.from(31, 22, () => Math.fround(random() * 1000 - 300)),
  'a step': Plain.from(20, 37, (row, column) => (column + row / 4 > 19 ? 200 : 40)),
  'two values that are far apart': Plain.from(25, 25, () => (random() < 0.5 ? 0 : 255)),
  'one pixel': Plain.from(1, 1, () => 80),
  'one row': Plain.from(1, 37, () => Math.floor(random() * 256)),
  'three columns': Plain.from(40, 3, () => random())
};

describe('features over discs', () => {
  it.each(Object.keys(images))('equal plain statistics of the pixels on %s', name => {
    const image = images[name]!;
    const stack = stackOf(image, undefined, spec);
    expect(stack).toHaveLength(names.length);
    const discs = new Map(
      RADII.map(radius => [
        radius,
        Array.from(image.data, (_, i) => around(image, Math.floor(i / image.columns), i % image.columns, radius))
      ])
    );
    for (let i = 1; i < names.length; i++) {
      const feature = names[i]!;
      const radius = Number(/r=([\d.]+)/.exec(feature)![1]);
      const expected = discs.get(radius)!.map(plainly(feature));
      const exact = /minimum|maximum|median/.test(feature);
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      const wrong = stack[i]!.findIndex((value, j) =>
        exact ? value !== expected[j] : Math.abs(value - expected[j]!) > 1e-6 * largest
      );
      expect({ feature, value: stack[i]![wrong], expected: expected[wrong] }).toEqual({ feature });
    }
  });

  it.each([
    [16, 16],
    [7, 13],
    [64, 5],
    [1, 64],
    [33, 90]
  ])('are the same to the last bit in tiles of %i × %i pixels', (rows, columns) => {
    // Bytes on the left, floats on the right, −0 above: tiles go different ways.
    const source = randomSource(3);
    const image = Plain.from(61, 90, (row, column) =>
      column > 50 ? source() * 1000 - 300 : row < 20 && column < 30 ? -0 : Math.floor(source() * 256)
    );
    const whole = stackOf(image, undefined, spec);
    stackOf(image, { rows, columns }, spec).forEach((values, feature) => {
      const same = Buffer.compare(Buffer.from(values.buffer), Buffer.from(whole[feature]!.buffer)) === 0;
      expect({ feature: names[feature], same }).toEqual({ feature: names[feature], same: true });
    });
  });

  it('look as far as the disc reaches, and no farther', () => {
    const source = randomSource(4);
    const image = Plain.from(3, 90, () => source() * 255);
    const margin = halo(newEngine(), featureSpec(spec));
    const changed = new Plain(3, 90, image.data.slice());
    for (let row = 0; row < 3; row++) {
      changed.data[row * 90] = 9999;
    }
    const before = stackOf(image, undefined, spec);
    const after = stackOf(changed, undefined, spec);
    expect(margin).toBe(6);
    after.forEach((values, feature) => {
      expect(values.subarray(margin + 1, 90)).toEqual(before[feature]!.subarray(margin + 1, 90));
    });
    const last = names.indexOf('maximum r=6');
    expect(after[last]![margin]).toBe(9999);
  });

  it('take a disc of fewer than nine pixels for radii below 1', () => {
    const image = Plain.from(9, 9, (row, column) => (row === 4 && column === 4 ? 1 : 0));
    const [, cross, square] = stackOf(image, undefined, { sigmas: [0.5, 1], families: { maximum: {} } });
    expect(cross!.reduce((a, b) => a + b)).toBe(5);
    expect(square!.reduce((a, b) => a + b)).toBe(9);
  });
});
