import { featureNames, featureSpec, halo } from '../features';
import { newEngine, randomSource } from '../../__tests__/support/engine';
import { Plain } from '../../__tests__/support/reference';
import { stackOf } from '../../__tests__/support/stacks';

const FAMILIES: Record<string, object> = {
  bilateral: { radii: [1, 4], ranges: [40, 120] },
  kuwahara: { length: 11 },
  lipschitz: { slopes: [9, 40] },
  anisotropicDiffusion: { iterations: 7, conductances: [5, 40] }
};
const RANGE = [-200, 600];

function specOf(families: object): object {
  return { range: RANGE, families };
}

function noise(rows: number, columns: number, seed: number): Plain {
  const source = randomSource(seed);
  return Plain.from(rows, columns, () => source() * 1000 - 300);
}

/** Names of the channels that two stacks do not share to the last bit. */
function differing(a: Float32Array[], b: Float32Array[], names: string[]): string[] {
  return names.filter((_, i) => Buffer.compare(Buffer.from(a[i]!.buffer), Buffer.from(b[i]!.buffer)) !== 0);
}

describe('bilateral, Kuwahara, Lipschitz and diffusion features', () => {
  const names = featureNames(featureSpec(specOf(FAMILIES)), 1);

  it('are named after their parameters, in the order of their loops', () => {
    expect(names).toEqual([
      'original',
      'bilateral r=1 range=40',
      'bilateral r=1 range=120',
      'bilateral r=4 range=40',
      'bilateral r=4 range=120',
      'kuwahara variance',
      'kuwahara variance/mean',
      'kuwahara variance/mean²',
      'lipschitz slope=9',
      'lipschitz slope=40',
      'anisotropic diffusion K=5',
      'anisotropic diffusion K=40'
    ]);
  });

  it.each([
    [16, 16],
    [7, 13],
    [64, 5],
    [1, 64],
    [33, 150]
  ])('are the same to the last bit in tiles of %i × %i pixels', (rows, columns) => {
    const image = noise(45, 150, 3);
    const spec = specOf(FAMILIES);
    const whole = stackOf(image, undefined, spec);
    expect(differing(stackOf(image, { rows, columns }, spec), whole, names)).toEqual([]);
  });

  it('are the same alone as after the others', () => {
    const image = noise(30, 41, 4);
    const together = stackOf(image, undefined, specOf({ ...FAMILIES, entropy: { sigmas: [2] } }));
    const named = featureNames(featureSpec(specOf({ ...FAMILIES, entropy: { sigmas: [2] } })), 1);
    for (const family of Object.keys(FAMILIES)) {
      const spec = specOf({ [family]: FAMILIES[family] });
      const own = featureNames(featureSpec(spec), 1);
      const part = own.map(name => together[named.indexOf(name)]!);
      expect(differing(stackOf(image, undefined, spec), part, own)).toEqual([]);
    }
  });

  it.each([
    ['bilateral', { radii: [6], ranges: [1000] }, 6],
    ['kuwahara', { length: 13 }, 12],
    ['lipschitz', { slopes: [20] }, 12],
    ['anisotropicDiffusion', { iterations: 9, conductances: [255] }, 9]
  ])('of the family %s look as far as their halo, and no farther', (family, parameters, expected) => {
    const spec = specOf({ [family]: parameters });
    const margin = halo(newEngine(), featureSpec(spec));
    expect(margin).toBe(expected);
    const plain = Plain.from(3, 80, () => RANGE[0]!);
    const changed = Plain.from(3, 80, (_, column) => (column === 0 ? RANGE[1]! : RANGE[0]!));
    const before = stackOf(plain, undefined, spec).slice(1);
    const after = stackOf(changed, undefined, spec).slice(1);
    before.forEach((values, i) => expect(after[i]!.subarray(margin + 1, 80)).toEqual(values.subarray(margin + 1, 80)));
    // Kuwahara prefers flat lines, so a far pixel does not matter here; the comparison with SciPy shows its reach.
    if (family !== 'kuwahara') {
      expect(before.some((values, i) => after[i]![margin] !== values[margin])).toBe(true);
    }
  });

  it.each([
    ['the steepest and the flattest cones', { lipschitz: { slopes: [2, 255] } }],
    ['the longest lines', { kuwahara: { length: 63 } }],
    ['the largest window', { bilateral: { radii: [32], ranges: [1, 1000] } }],
    ['the most iterations', { anisotropicDiffusion: { iterations: 60, conductances: [0.5, 255] } }]
  ])('allow %s, on small tiles and on one pixel', (_, families) => {
    const spec = specOf(families);
    const own = featureNames(featureSpec(spec), 1);
    const image = noise(20, 31, 5);
    const whole = stackOf(image, undefined, spec);
    expect(differing(stackOf(image, { rows: 9, columns: 14 }, spec), whole, own)).toEqual([]);
    whole.forEach(values => expect(values.every(Number.isFinite)).toBe(true));
    const dot = stackOf(noise(1, 1, 6), undefined, spec);
    dot.forEach(values => expect(Number.isFinite(values[0])).toBe(true));
  });

  it('do not change a constant image', () => {
    const image = Plain.from(12, 15, () => 232);
    const grey = Math.floor(((232 - RANGE[0]!) * 255) / (RANGE[1]! - RANGE[0]!) + 0.5);
    const stack = stackOf(image, undefined, specOf(FAMILIES));
    names.forEach((name, i) => {
      const expected =
        name === 'original' || name.startsWith('kuwahara')
          ? 232
          : name.startsWith('lipschitz')
            ? 255
            : name.startsWith('bilateral')
              ? grey
              : Math.fround((432 * 255) / 800);
      expect({ name, values: [...new Set(stack[i])] }).toEqual({ name, values: [expected] });
    });
  });
});
