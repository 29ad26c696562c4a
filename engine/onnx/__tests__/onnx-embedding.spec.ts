/** ONNX models of classifiers that see an embedding: an ONNX runtime agrees with the engine. */
import { ISliceMaps } from '../../core/embedding';
import { featureNames, featureSpec } from '../../core/features';
import { encodeOnnx } from '../index';
import { MODEL } from '../../../src/shared/onnx/fields';
import { readFields } from '../../../src/shared/onnx/wire';
import { Cuts } from '../../core/quantile';
import { example, runModel, SIZE } from '../../__tests__/support/onnx-models';

function metadataOf(model: Uint8Array): Record<string, string> {
  const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
  const entries = readFields(model).filter(({ number }) => number === MODEL.metadata);
  return Object.fromEntries(
    entries.map(({ bytes }) => {
      const [key, value] = readFields(bytes!);
      return [text(key!.bytes), text(value!.bytes)];
    })
  );
}

describe('An ONNX model of a classifier that sees an embedding', () => {
  it.each<[string, Parameters<typeof example>[0], number]>([
    ['one layer, cells of 16 pixels', [{ layer: 'output', components: 4 }], 1024],
    [
      'two layers, cells of 5 pixels and of a fraction',
      [
        { layer: 'stage1', components: 2 },
        { layer: 'output', components: 3 }
      ],
      320
    ],
    ['cells smaller than a pixel', [{ layer: 'stage1', components: 2 }], 128]
  ])('takes it as further inputs and gives the same labels and probabilities in every bit: %s', (_, layers, window) => {
    const { classifier, feeds, labels, probabilities } = example(layers, window);
    expect(labels.filter(id => id === 7).length / labels.length).toBeGreaterThan(0.2);
    const result = runModel(encodeOnnx(classifier), feeds);
    expect(result.inputs).toEqual(feeds.map(({ name }) => name));
    expect(Buffer.from(result.labels).equals(Buffer.from(labels))).toBe(true);
    expect(result.probabilities).toEqual(probabilities);
  });

  it('gives a tile that begins at a cell, with its halo, the results of the whole image', () => {
    const { classifier, maps, feeds, labels } = example([{ layer: 'output', components: 4 }], 1024);
    const model = encodeOnnx(classifier);
    const halo = Number(metadataOf(model)['sambalab.halo']);
    expect(halo).toBeGreaterThanOrEqual(8);
    const [cell, from] = [16, 32];
    const crop = (data: Float32Array, rows: number, columns: number, first: number) =>
      Float32Array.from({ length: (rows - first) * (columns - first) }, (_, i) => {
        const row = first + Math.floor(i / (columns - first));
        return data[row * columns + first + (i % (columns - first))]!;
      });
    const [map] = maps as [ISliceMaps[number]];
    const { rows, columns } = SIZE;
    const size = map.rows * map.columns;
    const cells = [0, 1, 2, 3].map(k =>
      crop(map.data.subarray(k * size, (k + 1) * size), map.rows, map.columns, from / cell)
    );
    const data = Float32Array.from(cells.flatMap(component => [...component]));
    const shape = [1, 4, map.rows - from / cell, map.columns - from / cell];
    const part = runModel(model, [
      { name: 'image', shape: [rows - from, columns - from], data: crop(feeds[0]!.data, rows, columns, from) },
      { name: 'embedding', shape, data }
    ]);
    for (let row = halo; row < rows - from; row++) {
      for (let column = halo; column < columns - from; column++) {
        expect(part.labels[row * (columns - from) + column]).toBe(labels[(row + from) * columns + column + from]);
      }
    }
  });

  it('has model, hash, window and inputs in its metadata', () => {
    const { classifier } = example(
      [
        { layer: 'stage1', components: 2 },
        { layer: 'output', components: 3 }
      ],
      320
    );
    const metadata = metadataOf(encodeOnnx(classifier));
    expect(JSON.parse(metadata['sambalab.embedding']!)).toEqual({
      model: 'mobile-sam',
      digest: '0123456789abcdef'.repeat(4),
      window: 320,
      layers: [
        { name: 'embedding_1', layer: 'stage1', components: 2, cell: 1.25 },
        { name: 'embedding_2', layer: 'output', components: 3, cell: 5 }
      ]
    });
    const plain = featureSpec({ set: 'samba', sigmas: [1], hessian: false, membrane: false });
    const without = { ...classifier, features: plain, names: featureNames(plain, 1), basis: null };
    const few = { ...without, cuts: new Cuts(classifier.cuts.features.slice(0, without.names.length)) };
    few.trees = { ...few.trees, feature: few.trees.feature.map(f => Math.min(f, without.names.length - 1)) };
    expect(metadataOf(encodeOnnx(few))).not.toHaveProperty('sambalab.embedding');
  });

  it('is not written for a classifier without a basis', () => {
    const { classifier } = example([{ layer: 'output', components: 1 }], 1024);
    expect(() => encodeOnnx({ ...classifier, basis: null })).toThrow(/no basis for it/);
  });
});
