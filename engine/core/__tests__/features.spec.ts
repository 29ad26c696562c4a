import { featureNames, featureSpec, halo, withImage } from '../features';
import { FeatureStack } from '../stack';
import { newEngine, randomSource } from '../../__tests__/support/engine';
import { defaultStack, gaussian, Plain } from '../../__tests__/support/reference';
import { stackOf } from '../../__tests__/support/stacks';

/** SAMBA's families and nothing else. */
const SAMBA = { set: 'samba' };

const random = randomSource(7);
const images: Record<string, Plain> = {
  'an impulse': Plain.from(45, 41, (row, column) => (row === 20 && column === 22 ? 255 : 0)),
  'a step': Plain.from(33, 38, (row, column) => (column + row / 4 > 19 ? 200 : 40)),
  'a constant': Plain.from(21, 30, () => 117),
  'random pixels': Plain.from(52, 47, () => Math.floor(random() * 256)),
  'random values of 16 bits': Plain.from(19, 23, () => Math.floor(random() * 65536)),
  'one pixel': Plain.from(1, 1, () => 80),
  'one row': Plain.from(1, 37, () => Math.floor(random() * 256)),
  'three columns': Plain.from(40, 3, () => Math.floor(random() * 256))
};

describe('the default feature stack', () => {
  it('has SAMBA’s families of standardised pixels, and after them what SAM sees', () => {
    const spec = featureSpec();
    const { embedding, ...filters } = featureSpec(SAMBA);
    expect(embedding).toBeNull();
    expect(spec).toEqual({
      ...filters,
      standardise: true,
      embedding: { model: 'mobile-sam', window: null, views: 1, layers: [{ layer: 'output', components: 8 }] }
    });
    const names = featureNames(spec, 1);
    expect(names.slice(0, 58)).toEqual(featureNames(featureSpec(SAMBA), 1));
    expect(names.slice(58)).toEqual(Array.from({ length: 8 }, (_, i) => `SAM ${i + 1}`));
  });
});

describe('the feature stack of SAMBA', () => {
  const names = featureNames(featureSpec(SAMBA), 1);

  it('has 58 channels with different names', () => {
    expect(names).toHaveLength(58);
    expect(new Set(names).size).toBe(58);
    expect(names.slice(0, 9)).toEqual([
      'original',
      'sobel σ=0',
      'hessian module σ=0',
      'hessian trace σ=0',
      'hessian determinant σ=0',
      'hessian first eigenvalue σ=0',
      'hessian second eigenvalue σ=0',
      'gaussian σ=1',
      'sobel σ=1'
    ]);
    expect(names.at(-1)).toBe('membrane median');
  });

  it.each(Object.keys(images))('equals the plain reference on %s, feature by feature', name => {
    const image = images[name]!;
    const expected = defaultStack(image);
    const computed = stackOf(image, undefined, SAMBA);
    expect(computed).toHaveLength(expected.length);
    const scale = Math.max(...image.data);
    computed.forEach((values, feature) => {
      const reference = expected[feature]!.data;
      // A determinant is a product of two second derivatives; the rest is linear in the pixels. Sobel steps add up 64 pixels.
      const unit = names[feature]!.includes('determinant') ? (64 * scale) ** 2 : 64 * scale;
      let worst = 0;
      values.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - reference[i]!))));
      expect({ feature: names[feature], worst: worst <= 2e-6 * unit ? 'small' : worst }).toEqual({
        feature: names[feature],
        worst: 'small'
      });
    });
  });

  it.each([
    [16, 16],
    [7, 13],
    [64, 5],
    [1, 64],
    [33, 90]
  ])('is the same to the last bit in tiles of %i × %i pixels', (rows, columns) => {
    const source = randomSource(3);
    const image = Plain.from(61, 90, () => source() * 1000 - 300);
    const whole = stackOf(image, undefined, SAMBA);
    const tiled = stackOf(image, { rows, columns }, SAMBA);
    tiled.forEach((values, feature) => {
      const same = Buffer.compare(Buffer.from(values.buffer), Buffer.from(whole[feature]!.buffer)) === 0;
      expect({ feature: names[feature], same }).toEqual({ feature: names[feature], same: true });
    });
  });

  it('does not depend on pixels beyond the halo', () => {
    const source = randomSource(4);
    const image = Plain.from(3, 400, () => source() * 255);
    const margin = halo(newEngine(), featureSpec(SAMBA));
    const changed = new Plain(3, 400, image.data.slice());
    for (let row = 0; row < 3; row++) {
      changed.data[row * 400] = 9999;
    }
    const before = stackOf(image, undefined, SAMBA);
    const after = stackOf(changed, undefined, SAMBA);
    after.forEach((values, feature) => {
      expect(values.subarray(margin + 1, 400)).toEqual(before[feature]!.subarray(margin + 1, 400));
    });
    // and the halo is not wider than needed
    const differs = after.some((values, feature) => values[margin] !== before[feature]![margin]);
    expect(margin).toBe(66);
    expect(differs).toBe(true);
  });
});

describe('a feature spec', () => {
  it('chooses its families and scales', () => {
    const spec = { ...SAMBA, sigmas: [3], sobel: false, hessian: false, membrane: null };
    expect(featureNames(featureSpec(spec), 1)).toEqual(['original', 'gaussian σ=3']);
    const image = images['random pixels']!;
    const [original, smooth] = stackOf(image, undefined, spec);
    expect(Array.from(original!)).toEqual(Array.from(image.data));
    const expected = gaussian(image, 3).data;
    smooth!.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 3));
  });

  it('names the channels of a colour image one after the other and computes each alone', () => {
    const few = { sigmas: [1], hessian: false, differenceOfGaussians: false, membrane: null };
    const spec = featureSpec({ ...SAMBA, ...few });
    expect(featureNames(spec, 3)).toEqual(
      ['red', 'green', 'blue'].flatMap(colour =>
        ['original', 'sobel σ=0', 'gaussian σ=1', 'sobel σ=1'].map(name => `${colour}: ${name}`)
      )
    );
    const colours = [1, 2, 3].map(seed => {
      const source = randomSource(seed);
      return Plain.from(9, 11, () => Math.floor(source() * 256));
    });
    const tile = { row0: 0, row1: 9, column0: 0, column1: 11 };
    const mixed = Float32Array.from({ length: 9 * 11 * 3 }, (_, i) => colours[i % 3]!.data[Math.floor(i / 3)]!);
    const together = new FeatureStack(newEngine(), spec, 3).compute({ rows: 9, columns: 11 }, tile, mixed).data;
    const alone = colours.map(colour =>
      new FeatureStack(newEngine(), spec, 1).compute(colour, tile, colour.data).data.slice()
    );
    const part = together.length / 3;
    alone.forEach((values, i) => expect(together.slice(i * part, (i + 1) * part)).toEqual(values));
  });

  it.each([
    [[1, 40], 128],
    [[129, 128], 129],
    [[700, 950], 950],
    [[20000, 5], 1024]
  ])('is shown an image of %j pixels in a window of %i, wholly if it can', ([rows, columns], window) => {
    const image = { dtype: 'uint8', display: { low: 0, high: 255 }, shape: [1, rows!, columns!, 1] };
    const spec = withImage(featureSpec({ set: 'sam' }), image);
    expect(spec.embedding!.window).toBe(window);
    expect(featureSpec(spec)).toEqual(spec);
    expect(withImage(spec, { ...image, shape: [1, 300, 300, 1] })).toEqual(spec);
    expect(withImage(featureSpec(SAMBA), image)).toEqual(featureSpec(SAMBA));
  });

  it.each([
    [{ sigmas: [] }, /features\.sigmas is \[\]; a list of 1 to 16/],
    [{ sigmas: [2, 1] }, /numbers that ascend will do/],
    [{ sigmas: [1, 1] }, /numbers that ascend will do/],
    [{ sigmas: [-1] }, /features\.sigmas\.0/],
    [{ sigmas: [NaN] }, /features\.sigmas\.0/],
    [{ sobel: 'yes' }, /features\.sobel is "yes"; true, false/],
    [{ membrane: { patch: 18, thickness: 1 } }, /patch is 18; an odd number from 3 to 63/],
    [{ membrane: { patch: 5, thickness: 5 } }, /thickness is 5; a number below patch, 5, will do/],
    [{ sigma: [1] }, /features\.sigma is not known/],
    [{ embedding: { window: 127 } }, /embedding\.window is 127; a whole number from 128 to 1024 will do/],
    [{ embedding: { window: 1025 } }, /embedding\.window is 1025; a whole number from 128 to 1024 will do/],
    [{ embedding: { window: 200.5 } }, /embedding\.window is 200\.5; a whole number/]
  ])('refuses %j', (partial, message) => {
    expect(() => featureSpec(partial)).toThrow(message);
  });
});
