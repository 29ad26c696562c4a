/** Classifiers that need more than the image's pixels, and onnxruntime to run their ONNX models. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IClassifier } from '../../core/classifier';
import { IEmbeddingBasis, ISliceMaps } from '../../core/embedding';
import { featureNames, featureSpec } from '../../core/features';
import { ForestApplier, joinTrees, packForest, TreeGrower } from '../../core/forest';
import { intensityOf } from '../../core/intensity';
import { Cuts, quantileCuts } from '../../core/quantile';
import { GUIDE_CHANNEL, GUIDE_SPEC, refineTile } from '../../core/refine';
import { FeatureStack } from '../../core/stack';
import { EXAMPLE_CLASSES } from './classifiers';
import { newEngine, randomSource } from './engine';
import { sambaForest } from './samba-forest';

/** Runs a model on files of floats with the shapes given, in a process of its own, since onnxruntime does not work with Jest's globals. */
const RUN = `
  const ort = require('onnxruntime-node');
  const { readFileSync, writeFileSync } = require('node:fs');
  const [model, ...feeds] = process.argv.slice(1);
  (async () => {
    const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
    const inputs = {};
    for (const feed of feeds) {
      const { name, path, shape, wide } = JSON.parse(feed);
      const { buffer } = new Uint8Array(readFileSync(path));
      const [type, data] = wide ? ['float64', new Float64Array(buffer)] : ['float32', new Float32Array(buffer)];
      inputs[name] = new ort.Tensor(type, data, shape);
    }
    const { labels, probabilities } = await session.run(inputs);
    writeFileSync(model + '.labels', labels.data);
    writeFileSync(model + '.probabilities', new Uint8Array(probabilities.data.buffer));
    console.log(JSON.stringify({ inputs: session.inputNames }));
  })();`;

/** The inputs of a model. */
export interface IFeed {
  name: string;
  shape: number[];
  data: Float32Array | Float64Array;
}

export function runModel(model: Uint8Array, feeds: readonly IFeed[]) {
  const folder = mkdtempSync(join(tmpdir(), 'sambalab-onnx-'));
  const path = join(folder, 'model.onnx');
  writeFileSync(path, model);
  const given = feeds.map(({ name, shape, data }) => {
    const file = join(folder, name);
    writeFileSync(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return JSON.stringify({ name, path: file, shape, wide: data instanceof Float64Array });
  });
  const said = execFileSync(process.execPath, ['-e', RUN, path, ...given], { cwd: __dirname, encoding: 'utf8' });
  const result = {
    inputs: (JSON.parse(said) as { inputs: string[] }).inputs,
    labels: new Uint8Array(readFileSync(`${path}.labels`)),
    probabilities: new Float32Array(new Uint8Array(readFileSync(`${path}.probabilities`)).buffer)
  };
  rmSync(folder, { recursive: true });
  return result;
}

const CELLS = { output: 64, stage1: 256 };
export const SIZE = { rows: 77, columns: 101 };

/** Layers of an embedding. */
export type Layers = { layer: 'output' | 'stage1'; components: number }[];

/**
 * An image, an embedding if there are layers, a forest grown on both, and its results.
 *
 * @param options.features on top of a few simple ones
 * @param options.refine radius of the refinement
 * @param options.odd a value, NaN for example, for some pixels
 */
export function example(
  layers: Layers,
  window: number,
  { features: more = {}, refine = 0, odd = null }: { features?: object; refine?: number; odd?: number | null } = {}
) {
  const { rows, columns } = SIZE;
  const random = randomSource(9);
  const embedding = layers.length > 0 ? { window, layers } : null;
  const spec = featureSpec({ set: 'samba', sigmas: [1], hessian: false, membrane: false, embedding, ...more });
  const maps: ISliceMaps = layers.map(({ layer, components }) => {
    const cell = window / CELLS[layer];
    const [gridRows, gridColumns] = [Math.ceil(rows / cell), Math.ceil(columns / cell)];
    const data = Float32Array.from({ length: components * gridRows * gridColumns }, () => random() * 9 - 4);
    return { data, components, rows: gridRows, columns: gridColumns, cell };
  });
  const pixels = Float32Array.from({ length: rows * columns }, (_, i) =>
    odd !== null && i % 1297 === 600 ? odd : Math.floor(120 + 60 * Math.sin(i / 7) + 40 * random())
  );
  const tile = { row0: 0, row1: rows, column0: 0, column1: columns };
  const stack = new FeatureStack(newEngine(), spec, 1);
  const intensity = intensityOf(newEngine(), pixels, columns);
  const image = { ...SIZE, intensity };
  const { data, stride, plane } = stack.compute(image, tile, pixels, maps);
  const planes = data.slice();
  const at = (feature: number, i: number) =>
    planes[feature * plane + Math.floor(i / columns) * stride + (i % columns)]!;
  const features = Array.from({ length: stack.count }, (_, f) => Float32Array.from(pixels, (__, i) => at(f, i)));
  const cuts = new Cuts(features.map(quantileCuts));
  const bins = stack.quantise(tile, planes, cuts).slice();
  // The classes follow from the embedding's first component, or else the smoothed image, and a little from the image.
  const components = maps.reduce((sum, map) => sum + map.components, 0);
  const first = components > 0 ? features[stack.count - components]! : features[1]!.map(value => (value - 120) / 40);
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
  const forest = sambaForest({ trees: 15, maxDepth: 7, refine });
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
    basis: embedding && basis,
    cuts,
    forest,
    samples: pixels.length,
    oobScore: null,
    pixelSize: null,
    trainedOn: null,
    scores: null,
    scale: null,
    importance: null,
    trees
  };
  const packed = packForest(newEngine(), trees, stack.count, 2);
  const wanted = { prediction: true, probabilities: true };
  let said = new ForestApplier(newEngine(), packed).apply(tile, bins, wanted);
  if (refine > 0) {
    const guide = new FeatureStack(newEngine(), GUIDE_SPEC, 1).compute(image, tile, pixels);
    const own = guide.data.subarray(GUIDE_CHANNEL * guide.plane, (GUIDE_CHANNEL + 1) * guide.plane);
    const { probabilities } = said;
    said = refineTile(newEngine(), tile, tile, probabilities!, 2, { data: own, stride: guide.stride }, refine, wanted);
  }
  const names = maps.map((_, i) => (maps.length === 1 ? 'embedding' : `embedding_${i + 1}`));
  const feeds = [
    { name: 'image', shape: [rows, columns], data: pixels },
    ...maps.map((map, i) => ({ name: names[i]!, shape: [1, map.components, map.rows, map.columns], data: map.data }))
  ];
  return {
    classifier,
    maps,
    feeds,
    intensity,
    labels: said.prediction!.map(index => EXAMPLE_CLASSES[index]!.id),
    probabilities: said.probabilities!.slice()
  };
}
