import { applyBasis, fitBasis } from '../basis';

const CHANNELS = 7;
const COUNT = 500;

/** Channels that depend on each other, of different strength, about means that are not 0. */
function cloud(seed: number): Float32Array {
  let state = seed;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647 - 0.5;
  const out = new Float32Array(CHANNELS * COUNT);
  for (let i = 0; i < COUNT; i++) {
    const hidden = [8, 5, 3, 2, 1, 0.5, 0.2].map(strength => strength * random());
    for (let c = 0; c < CHANNELS; c++) {
      out[c * COUNT + i] = 10 * c + hidden.reduce((sum, value, j) => sum + value * Math.cos(1 + c * (j + 1)), 0);
    }
  }
  return out;
}

/** The covariance by its definition. */
function covariance(values: Float32Array): number[][] {
  const row = (c: number) => [...values.subarray(c * COUNT, (c + 1) * COUNT)];
  const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  const centred = Array.from({ length: CHANNELS }, (_, c) => row(c).map(value => value - mean(row(c))));
  return centred.map(a => centred.map(b => mean(a.map((value, i) => value * b[i]!))));
}

/** The largest eigenvalue and its eigenvector, by power iteration. */
function dominant(matrix: number[][]): { value: number; vector: number[] } {
  let vector = matrix.map((_, i) => 1 + i / 10);
  let value = 0;
  for (let step = 0; step < 5000; step++) {
    const next = matrix.map(row => row.reduce((sum, entry, i) => sum + entry * vector[i]!, 0));
    value = Math.hypot(...next);
    vector = next.map(entry => entry / value);
  }
  return { value, vector };
}

describe('fitBasis', () => {
  const values = cloud(3);
  const basis = fitBasis('output', values, CHANNELS, COUNT, 4);
  const row = (k: number) => [...basis.matrix.subarray(k * CHANNELS, (k + 1) * CHANNELS)];

  it('finds the principal components, the strongest first, as power iteration with deflation does', () => {
    let left = covariance(values);
    for (let k = 0; k < 4; k++) {
      const { value, vector } = dominant(left);
      const sign = Math.sign(row(k).reduce((sum, entry, i) => sum + entry * vector[i]!, 0));
      row(k).forEach((entry, i) => expect(entry).toBeCloseTo(sign * vector[i]!, 4));
      left = left.map((line, i) => line.map((entry, j) => entry - value * vector[i]! * vector[j]!));
    }
  });

  it('is orthonormal, and the largest entry of each component is positive', () => {
    for (let a = 0; a < 4; a++) {
      for (let b = 0; b < 4; b++) {
        expect(row(a).reduce((sum, entry, i) => sum + entry * row(b)[i]!, 0)).toBeCloseTo(a === b ? 1 : 0, 5);
      }
      expect(Math.max(...row(a))).toBe(Math.max(...row(a).map(Math.abs)));
    }
  });

  it('is the same every time', () => {
    expect(fitBasis('output', cloud(3), CHANNELS, COUNT, 4)).toEqual(basis);
  });

  it('gives uncorrelated components of mean 0, whose variances are the eigenvalues', () => {
    const components = applyBasis(basis, values);
    const covered = covariance(values);
    for (let a = 0; a < 4; a++) {
      const own = components.subarray(a * COUNT, (a + 1) * COUNT);
      expect(own.reduce((sum, value) => sum + value, 0) / COUNT).toBeCloseTo(0, 4);
      const variance = own.reduce((sum, value) => sum + value * value, 0) / COUNT;
      const expected = row(a).reduce(
        (sum, entry, i) => sum + entry * covered[i]!.reduce((inner, value, j) => inner + value * row(a)[j]!, 0),
        0
      );
      expect(variance / expected).toBeCloseTo(1, 4);
      for (let b = 0; b < a; b++) {
        const other = components.subarray(b * COUNT, (b + 1) * COUNT);
        const together = own.reduce((sum, value, i) => sum + value * other[i]!, 0) / COUNT;
        expect(Math.abs(together)).toBeLessThan(1e-4 * variance + 1e-4);
      }
    }
  });

  it('works if all cells are equal, or fewer than the components', () => {
    const flat = fitBasis('output', new Float32Array(CHANNELS * 3).fill(2), CHANNELS, 3, 5);
    expect([...applyBasis(flat, new Float32Array(CHANNELS * 2).fill(2))]).toEqual(new Array(10).fill(0));
    const one = fitBasis('output', Float32Array.of(1, 2, 3), 3, 1, 3);
    expect([...one.mean]).toEqual([1, 2, 3]);
    expect(one.matrix.every(Number.isFinite)).toBe(true);
  });

  it('refuses NaN and infinite values', () => {
    const broken = cloud(3);
    broken[100] = NaN;
    expect(() => fitBasis('stage2', broken, CHANNELS, COUNT, 2)).toThrow(
      'layer stage2 has values that are NaN or infinite'
    );
  });
});
