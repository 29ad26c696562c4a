/** ONNX models with standardised pixels or refined probabilities. */
import { encodeOnnx } from '../index';
import { example, IFeed, Layers, runModel, SIZE } from '../../__tests__/support/onnx-models';

const output: Layers = [{ layer: 'output', components: 3 }];

describe('An ONNX model of a classifier with standardised pixels', () => {
  it.each<[string, Layers, object]>([
    ['standardised features', [], { features: { standardise: true } }],
    ['refined probabilities', [], { refine: 3 }],
    [
      'refined probabilities of standardised features and an embedding',
      output,
      { features: { standardise: true }, refine: 6 }
    ]
  ])('gives the same labels and probabilities with and without the intensity as an input: %s', (_, layers, options) => {
    const { classifier, feeds, intensity, labels, probabilities } = example(layers, 1024, options);
    const model = encodeOnnx(classifier);
    const told: IFeed = {
      name: 'intensity',
      shape: [2],
      data: Float64Array.of(intensity.mean, intensity.deviation)
    };
    const result = runModel(model, [...feeds, told]);
    expect(Buffer.from(result.labels).equals(Buffer.from(labels))).toBe(true);
    expect(result.probabilities).toEqual(probabilities);
    // Sums in another order: a value a last digit away from a cut may take the other branch.
    const alone = runModel(model, [...feeds, { ...told, data: Float64Array.of(NaN, NaN) }]);
    const different = alone.labels.filter((id, i) => id !== labels[i]).length;
    expect(different).toBeLessThanOrEqual(2);
    const far = alone.probabilities.filter((value, i) => Math.abs(value - probabilities[i]!) > 1e-3).length;
    expect(far).toBeLessThanOrEqual(20);
    const other = runModel(model, [
      ...feeds,
      { ...told, data: Float64Array.of(intensity.mean + 40, intensity.deviation / 3) }
    ]);
    expect(other.probabilities).not.toEqual(probabilities);
  });

  it.each([NaN, Infinity, -3e38])('refines around pixels of %d, as the engine does', odd => {
    const { classifier, feeds, intensity, labels, probabilities } = example([], 1024, { refine: 3, odd });
    expect(probabilities.every(value => value >= 0 && value <= 1)).toBe(true);
    const told = { name: 'intensity', shape: [2], data: Float64Array.of(intensity.mean, intensity.deviation) };
    const result = runModel(encodeOnnx(classifier), [...feeds, told]);
    expect(Buffer.from(result.labels).equals(Buffer.from(labels))).toBe(true);
    expect(result.probabilities).toEqual(probabilities);
  });

  it.each([65_535, -1e30])('keeps a few pixels of %d from changing mean and deviation, as the engine does', odd => {
    const options = { features: { standardise: true }, refine: 3, odd };
    const { classifier, feeds, intensity, labels, probabilities } = example([], 1024, options);
    expect(intensity.deviation).toBeLessThan(60);
    const model = encodeOnnx(classifier);
    const run = (...values: number[]) =>
      runModel(model, [...feeds, { name: 'intensity', shape: [2], data: Float64Array.from(values) }]);
    const told = run(intensity.mean, intensity.deviation);
    expect(told.probabilities).toEqual(probabilities);
    const alone = run(NaN, NaN);
    expect(alone.labels.filter((id, i) => id !== labels[i]).length).toBeLessThanOrEqual(2);
    expect(
      alone.probabilities.filter((value, i) => Math.abs(value - probabilities[i]!) > 1e-3).length
    ).toBeLessThanOrEqual(20);
  });

  it('leaves values that are not finite out of mean and deviation', () => {
    const { classifier, feeds } = example([], 1024, { features: { standardise: true } });
    const [image] = feeds as [IFeed];
    const holes = Float32Array.from(image.data, (value, i) => (i % 97 === 0 ? (i % 2 ? NaN : Infinity) : value));
    const finite = holes.filter(Number.isFinite);
    const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
    const deviation = Math.sqrt(finite.reduce((sum, value) => sum + (value - mean) ** 2, 0) / finite.length);
    const model = encodeOnnx(classifier);
    const broken = { ...image, data: holes };
    const alone = runModel(model, [broken, { name: 'intensity', shape: [2], data: Float64Array.of(NaN, NaN) }]);
    const told = runModel(model, [broken, { name: 'intensity', shape: [2], data: Float64Array.of(mean, deviation) }]);
    const different = alone.probabilities.filter((value, i) => value !== told.probabilities[i]).length;
    expect(different).toBeLessThan(SIZE.rows * SIZE.columns * 0.01);
  });
});
