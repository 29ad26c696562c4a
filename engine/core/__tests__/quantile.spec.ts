import { featureSpec } from '../features';
import { Cuts, quantileCuts, samplePositions, sortFloats } from '../quantile';
import { FeatureStack } from '../stack';
import { newEngine, randomSource } from '../../__tests__/support/engine';

const random = randomSource(11);
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

describe('quantile cuts', () => {
  it('lie half way between the values if these are few', () => {
    expect(Array.from(quantileCuts(Float32Array.of(3, 1, 1, 8, 3)))).toEqual([2, 5.5]);
    expect(quantileCuts(Float32Array.of(4, 4)).length).toBe(0);
    expect(quantileCuts(new Float32Array(0)).length).toBe(0);
  });

  it('divide many values into 256 bins of about the same size', () => {
    const sample = Float32Array.from({ length: 20000 }, normal);
    const cuts = quantileCuts(sample);
    expect(cuts.length).toBe(255);
    const sizes = new Array<number>(256).fill(0);
    sample.forEach(value => sizes[cuts.filter(cut => cut < value).length]!++);
    expect(Math.min(...sizes)).toBeGreaterThan(60);
    expect(Math.max(...sizes)).toBeLessThan(100);
  });

  it('ascend strictly and are finite for any sample', () => {
    const odd = [NaN, Infinity, -Infinity, 3.4e38, -3.4e38, 1e-45, -0, 0];
    const sample = Float32Array.from({ length: 5000 }, (_, i) => odd[i % 16] ?? Math.fround(normal() * 10 ** (i % 30)));
    const cuts = quantileCuts(sample);
    expect(cuts.length).toBeGreaterThan(100);
    cuts.forEach((cut, i) => {
      expect(Number.isFinite(cut)).toBe(true);
      expect(i === 0 || cut > cuts[i - 1]!).toBe(true);
    });
  });

  it('come from values sorted as numbers', () => {
    const sample = Float32Array.from({ length: 3000 }, (_, i) => normal() * 10 ** ((i % 60) - 30));
    expect(Array.from(sortFloats(sample))).toEqual(Array.from(sample).sort((a, b) => a - b));
  });

  it('survive being padded', () => {
    const cuts = new Cuts([
      Float32Array.of(1, 2),
      new Float32Array(0),
      Float32Array.from({ length: 255 }, (_, i) => i)
    ]);
    expect(Cuts.fromPadded(cuts.padded()).features).toEqual(cuts.features);
  });
});

describe('bins', () => {
  it('count the cuts below a value, for every kind of float', () => {
    const spec = featureSpec({
      set: 'samba',
      sigmas: [1],
      gaussian: false,
      sobel: false,
      hessian: false,
      differenceOfGaussians: false,
      membrane: null
    });
    const samples = [
      Float32Array.from({ length: 4000 }, normal),
      Float32Array.from({ length: 4000 }, () => Math.exp(normal() * 20)),
      Float32Array.from({ length: 4000 }, () => 1000 + normal()),
      Float32Array.from({ length: 256 }, (_, i) => i),
      Float32Array.of(-1e38, 1e38, 0),
      Float32Array.of(5),
      Float32Array.of(-0, 1e-45)
    ];
    for (const sample of samples) {
      const cuts = quantileCuts(sample);
      const values = Float32Array.from({ length: 64 * 64 }, (_, i) => {
        const odd = [NaN, -NaN, Infinity, -Infinity, 0, -0, 3.4e38, -3.4e38, 1e-45];
        return i < odd.length
          ? odd[i]!
          : i % 3
            ? sample[i % sample.length]!
            : (cuts[i % (cuts.length || 1)] ?? normal());
      });
      const tile = { row0: 0, row1: 64, column0: 0, column1: 64 };
      const stack = new FeatureStack(newEngine(), spec, 1);
      const bins = stack.quantise(tile, values, new Cuts([cuts]));
      values.forEach((value, i) => {
        const row = i >> 6;
        const column = i & 63;
        const at = ((row >> 2) * 16 + (column >> 2)) * 16 + (row & 3) * 4 + (column & 3);
        expect([value, bins[at]]).toEqual([value, cuts.filter(cut => cut < value).length]);
      });
    }
  });
});

describe('sample positions', () => {
  it('are spread, ascend and stay inside', () => {
    const positions = samplePositions(65536, 1000);
    expect(positions.length).toBe(1000);
    positions.forEach((position, i) => expect(i === 0 || position > positions[i - 1]!).toBe(true));
    expect(positions[999]).toBeLessThan(65536);
    expect(new Set(positions.map(position => position % 256)).size).toBeGreaterThan(200);
    expect(Array.from(samplePositions(3, 10))).toEqual([0, 1, 2]);
  });
});
