/** ONNX models of classifiers that see an embedding: a runtime of ONNX gives what the engine gives. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IClassifier } from '../classifier';
import { IEmbeddingBasis, ISliceEmbedding } from '../embedding';
import { featureNames, featureSpec } from '../features';
import { ForestApplier, forestParams, joinTrees, packForest, TreeGrower } from '../forest';
import { encodeOnnx } from '../onnx';
import { readFields } from '../onnx/wire';
import { Cuts, quantileCuts } from '../quantile';
import { FeatureStack } from '../stack';
import { EXAMPLE_CLASSES } from './classifiers';
import { newEngine, randomSource } from './engine';

const folder = mkdtempSync(join(tmpdir(), 'sambalab-onnx-'));

afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a model on float32 files with the shapes given, in a process of its own, since onnxruntime does not bear Jest's globals. */
const RUN = `
  const ort = require('onnxruntime-node');
  const { readFileSync, writeFileSync } = require('node:fs');
  const [model, ...feeds] = process.argv.slice(1);
  (async () => {
    const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
    const inputs = {};
    for (const feed of feeds) {
      const { name, path, shape } = JSON.parse(feed);
      const bytes = readFileSync(path);
      inputs[name] = new ort.Tensor('float32', new Float32Array(new Uint8Array(bytes).buffer), shape);
    }
    const { labels, probabilities } = await session.run(inputs);
    writeFileSync(model + '.labels', labels.data);
    writeFileSync(model + '.probabilities', new Uint8Array(probabilities.data.buffer));
    console.log(JSON.stringify({ inputs: session.inputNames }));
  })();`;

interface IFeed {
  name: string;
  shape: number[];
  data: Float32Array;
}

function runModel(model: Uint8Array, feeds: IFeed[]) {
  const path = join(folder, 'model.onnx');
  writeFileSync(path, model);
  const given = feeds.map(({ name, shape, data }) => {
    const file = join(folder, name);
    writeFileSync(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return JSON.stringify({ name, path: file, shape });
  });
  const said = execFileSync(process.execPath, ['-e', RUN, path, ...given], { cwd: __dirname, encoding: 'utf8' });
  return {
    inputs: (JSON.parse(said) as { inputs: string[] }).inputs,
    labels: new Uint8Array(readFileSync(`${path}.labels`)),
    probabilities: new Float32Array(new Uint8Array(readFileSync(`${path}.probabilities`)).buffer)
  };
}

const CELLS = { output: 64, stage1: 256 };
const SIZE = { rows: 77, columns: 101 };

/** An image, an embedding, a forest grown on both, and what it says. */
function example(layers: { layer: 'output' | 'stage1'; components: number }[], window: number) {
  const { rows, columns } = SIZE;
  const random = randomSource(9);
  const spec = featureSpec({ sigmas: [1], hessian: false, membrane: false, embedding: { window, layers } });
  const maps: ISliceEmbedding = layers.map(({ layer, components }) => {
    const cell = window / CELLS[layer];
    const [gridRows, gridColumns] = [Math.ceil(rows / cell), Math.ceil(columns / cell)];
    const data = Float32Array.from({ length: components * gridRows * gridColumns }, () => random() * 9 - 4);
    return { data, components, rows: gridRows, columns: gridColumns, cell };
  });
  const pixels = Float32Array.from({ length: rows * columns }, (_, i) =>
    Math.floor(120 + 60 * Math.sin(i / 7) + 40 * random())
  );
  const tile = { row0: 0, row1: rows, column0: 0, column1: columns };
  const stack = new FeatureStack(newEngine(), spec, 1);
  const { data, stride, plane } = stack.compute(SIZE, tile, pixels, maps);
  const planes = data.slice();
  const at = (feature: number, i: number) =>
    planes[feature * plane + Math.floor(i / columns) * stride + (i % columns)]!;
  const features = Array.from({ length: stack.count }, (_, f) => Float32Array.from(pixels, (__, i) => at(f, i)));
  const cuts = new Cuts(features.map(quantileCuts));
  const bins = stack.quantise(tile, planes, cuts).slice();
  // The classes follow from the embedding's first component and a little from the image.
  const first = features[stack.count - maps.reduce((sum, map) => sum + map.components, 0)]!;
  const set = {
    columns: new Uint8Array(stack.count * pixels.length),
    classOf: Uint8Array.from(pixels, (value, i) => (first[i]! + value / 200 > 0.5 ? 1 : 0)),
    features: stack.count,
    classes: 2
  };
  features.forEach((values, f) =>
    values.forEach(
      (value, i) => (set.columns[f * pixels.length + i] = cuts.features[f]!.filter(cut => cut < value).length)
    )
  );
  const forest = forestParams({ trees: 15, maxDepth: 7 });
  const grower = new TreeGrower(newEngine(), set, forest);
  const trees = joinTrees(
    Array.from({ length: forest.trees }, (_, i) => grower.grow(i).trees),
    2
  );
  const basis: IEmbeddingBasis = {
    model: 'mobile-sam',
    digest: '0123456789abcdef'.repeat(4),
    layers: layers.map(({ layer, components }) => ({
      layer,
      channels: 5,
      components,
      mean: new Float32Array(5),
      matrix: new Float32Array(5 * components).fill(0.5)
    }))
  };
  const classifier: IClassifier = {
    features: spec,
    channels: 1,
    names: featureNames(spec, 1),
    classes: EXAMPLE_CLASSES,
    basis,
    cuts,
    forest,
    samples: pixels.length,
    oobScore: null,
    importance: null,
    trees
  } as IClassifier;
  const packed = packForest(newEngine(), trees, stack.count, 2);
  const said = new ForestApplier(newEngine(), packed).apply(tile, bins, { prediction: true, probabilities: true });
  const names = maps.map((_, i) => (maps.length === 1 ? 'embedding' : `embedding_${i + 1}`));
  const feeds = [
    { name: 'image', shape: [rows, columns], data: pixels },
    ...maps.map((map, i) => ({ name: names[i]!, shape: [1, map.components, map.rows, map.columns], data: map.data }))
  ];
  return {
    classifier,
    maps,
    feeds,
    labels: said.prediction!.map(index => EXAMPLE_CLASSES[index]!.id),
    probabilities: said.probabilities!.slice()
  };
}

function metadataOf(model: Uint8Array): Record<string, string> {
  const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
  const entries = readFields(model)!.filter(({ field }) => field === 14);
  return Object.fromEntries(
    entries.map(({ bytes }) => {
      const [key, value] = readFields(bytes)!;
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

  it('gives a tile that begins with a cell, with its halo around, what it gives the whole image', () => {
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
    const [map] = maps as [ISliceEmbedding[number]];
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

  it('says in its metadata which model, by hash, in which windows, and what the inputs are', () => {
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
    const plain = featureSpec({ sigmas: [1], hessian: false, membrane: false });
    const without = { ...classifier, features: plain, names: featureNames(plain, 1), basis: null };
    const few = { ...without, cuts: new Cuts(classifier.cuts.features.slice(0, without.names.length)) };
    few.trees = { ...few.trees, feature: few.trees.feature.map(f => Math.min(f, without.names.length - 1)) };
    expect(metadataOf(encodeOnnx(few))).not.toHaveProperty('sambalab.embedding');
  });

  it('is not written of a classifier that does not say how the embedding was made', () => {
    const { classifier } = example([{ layer: 'output', components: 1 }], 1024);
    expect(() => encodeOnnx({ ...classifier, basis: null })).toThrow(/does not say how it was made/);
  });
});
