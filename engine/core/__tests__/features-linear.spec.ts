import { featureNames, featureSpec, halo } from '../features';
import { newEngine, randomSource } from '../../__tests__/support/engine';
import { Plain } from '../../__tests__/support/reference';
import { stackOf } from '../../__tests__/support/stacks';

const families = {
  derivatives: { orders: [1, 2, 3, 5] },
  laplacian: {},
  structureTensor: { integrations: [0.7, 2] },
  neighbours: {},
  gabor: {}
};
/** Derivatives are computed in another way from σ 6, and in a third from σ 12 on. */
const spec = { sigmas: [0.6, 2, 7, 13], families };

/** The middle pixel of each channel, by name. */
function middle(image: Plain, partial: object): Record<string, number> {
  const stack = stackOf(image, undefined, partial);
  const at = Math.floor(image.rows / 2) * image.columns + Math.floor(image.columns / 2);
  return Object.fromEntries(featureNames(featureSpec(partial), 1).map((name, i) => [name, stack[i]![at]!]));
}

describe('derivatives, Laplacians, structure tensors, neighbours and Gabor filters', () => {
  it.each([
    [16, 16],
    [7, 13],
    [61, 5],
    [1, 40],
    [33, 90]
  ])('are the same to the last bit in tiles of %i × %i pixels', (rows, columns) => {
    const source = randomSource(3);
    const image = Plain.from(34, 45, () => source() * 1000 - 300);
    const names = featureNames(featureSpec(spec), 1);
    const whole = stackOf(image, undefined, spec);
    stackOf(image, { rows, columns }, spec).forEach((values, feature) => {
      const same = Buffer.compare(Buffer.from(values.buffer), Buffer.from(whole[feature]!.buffer)) === 0;
      expect({ feature: names[feature], same }).toEqual({ feature: names[feature], same: true });
    });
  });

  it.each([
    ['derivatives', { orders: [2] }, [2]],
    ['derivatives', { orders: [2] }, [8]],
    ['laplacian', {}, [14]],
    ['structureTensor', { integrations: [1] }, [3]],
    ['structureTensor', { integrations: [1] }, [6]],
    ['neighbours', {}, [9]],
    ['gabor', {}, [1]]
  ])('%s %j of σ %j look as far as the halo, and no further', (name, own, sigmas) => {
    const partial = { sigmas, families: { [name]: own } };
    const margin = halo(newEngine(), featureSpec(partial));
    const image = Plain.from(1, 300, () => 0);
    const impulse = Plain.from(1, 300, (_, column) => (column === 0 ? 1e30 : 0));
    const before = stackOf(image, undefined, partial);
    const after = stackOf(impulse, undefined, partial);
    const changed = after.map((values, i) =>
      values.reduce((last, value, at) => (value === before[i]![at] ? last : at), -1)
    );
    // A kernel's own end may be nothing in float32; where it is reached is compared in tiles above.
    expect(Math.max(...changed)).toBeLessThanOrEqual(margin);
    expect(Math.max(...changed)).toBeGreaterThan(0.7 * margin - 1);
  });
});

describe('derivatives', () => {
  it.each([2, 7, 13])('of a polynomial are those of calculus, at σ %d', sigma => {
    const centre = 200;
    const image = Plain.from(401, 401, (row, column) => {
      const x = (column - centre) / 50;
      const y = (row - centre) / 50;
      return 3 * x * y + x ** 2 * y ** 2 + 5 * x ** 2 - 2 * y ** 2 + 100;
    });
    const partial = { sigmas: [sigma], families: { derivatives: { orders: [1, 2] }, laplacian: {} } };
    const found = middle(image, partial);
    expect(found[`derivative x1y1 σ=${sigma}`]! * 50 ** 2).toBeCloseTo(3, 3);
    expect(found[`derivative x2y2 σ=${sigma}`]! * 50 ** 4).toBeCloseTo(4, 1);
    // Smoothing adds 2 · 2σ² to the second derivatives of x² y².
    expect(found[`laplacian σ=${sigma}`]! * 50 ** 2).toBeCloseTo(6 + (4 * sigma ** 2) / 50 ** 2, 2);
  });
});

describe('the structure tensor', () => {
  it.each([2, 8])('of a slope has the squared gradient and nothing, at σ %d', sigma => {
    const image = Plain.from(121, 131, (row, column) => 3 * column - 4 * row);
    const found = middle(image, { sigmas: [sigma], families: { structureTensor: { integrations: [2] } } });
    expect(found[`structure tensor largest eigenvalue σ=${sigma} ρ=2`]).toBeCloseTo(25, 3);
    expect(found[`structure tensor smallest eigenvalue σ=${sigma} ρ=2`]).toBeCloseTo(0, 3);
  });

  it('is the same for a spec of one integration scale and of several', () => {
    const source = randomSource(5);
    const image = Plain.from(30, 40, () => source() * 255);
    const of = (integrations: number[]) =>
      stackOf(image, undefined, { sigmas: [1, 7], families: { structureTensor: { integrations } } });
    const [, oneLargest, oneSmallest, sevenLargest, sevenSmallest] = of([1]);
    const several = of([1, 4]);
    expect([1, 2, 5, 6].map(i => several[i])).toEqual([oneLargest, oneSmallest, sevenLargest, sevenSmallest]);
  });
});

describe('neighbours', () => {
  it.each([
    [0.3, 1],
    [2.5, 3],
    [4, 4]
  ])('at σ %d are %i pixels away, and the edge beyond the image', (sigma, distance) => {
    const image = Plain.from(6, 9, (row, column) => 100 * row + column);
    const directions = [-1, 0, 1].flatMap(down => [-1, 0, 1].map(right => [down, right] as const));
    const expected = directions
      .filter(([down, right]) => down || right)
      .map(([down, right]) => Plain.from(6, 9, (y, x) => image.at(y + down * distance, x + right * distance)).data);
    const [, ...found] = stackOf(image, undefined, { sigmas: [sigma], families: { neighbours: {} } });
    expect(found.map(values => [...values])).toEqual(expected.map(values => [...values]));
  });
});

describe('Gabor filters', () => {
  const partial = { families: { gabor: {} } };
  const names = featureNames(featureSpec(partial), 1).slice(1);

  it('find nothing in a constant', () => {
    const [, ...found] = stackOf(
      Plain.from(40, 33, () => 200),
      undefined,
      partial
    );
    expect(found).toHaveLength(44);
    found.forEach(values => expect(Math.max(...values.map(Math.abs))).toBe(0));
  });

  const source = randomSource(9);
  const image = Plain.from(30, 41, () => source() * 255);
  const [, ...straight] = stackOf(image, undefined, partial);

  function worst(found: ArrayLike<number>, expected: ArrayLike<number>): number {
    return Array.from(found).reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  }

  it('of phase 0 give the same where the image is turned by 90°, as their angles do', () => {
    const turned = Plain.from(41, 30, (row, column) => image.at(column, 40 - row));
    const [, ...found] = stackOf(turned, undefined, partial);
    const even = names.flatMap((name, i) => (name.endsWith('ψ=0') ? [i] : []));
    expect(even).toHaveLength(22);
    for (const i of even) {
      const plane = new Plain(30, 41, Float64Array.from(straight[i]!));
      const expected = Plain.from(41, 30, (row, column) => plane.at(column, 40 - row));
      expect({ feature: names[i], close: worst(found[i]!, expected.data) < 1e-3 }).toMatchObject({ close: true });
    }
  });

  it('change maximum for minimum where bright and dark are changed', () => {
    const negative = new Plain(
      30,
      41,
      image.data.map(value => -value)
    );
    const [, ...found] = stackOf(negative, undefined, partial);
    names.forEach((name, i) => {
      const other = name.includes('maximum') ? i + 1 : i - 1;
      const expected = straight[other]!.map(value => -value);
      expect({ feature: name, close: worst(found[i]!, expected) === 0 }).toMatchObject({ close: true });
    });
  });
});
