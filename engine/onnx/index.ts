/**
 * Classifiers as ONNX models: features and forest in one graph, which any ONNX runtime applies without SambaLab. The metadata hold the classifier's
 * JSON, from which SambaLab reads it again.
 *
 * Everything that knows ONNX belongs here; nothing here runs a model. Imports `core` and `src/shared`. Most files repeat the arithmetic of kernels in
 * `engine/assembly` and must change with them: each names its kernels.
 *
 * - `wire`, `fields`: protobuf; `graph`: a model under construction; `planes`: arithmetic on planes of the image's size
 * - `features`: the registry of families, built by `linear`, `wide`, `discs`, `lines`, `membrane`
 * - `embedding`, `intensity`: further inputs; `forest`: the trees; `refine`: smoothing along edges
 */
import { BridgeError } from '../../src/shared/errors';
import { encodeClassifier, IClassifier } from '../core/classifier';
import { featureOps, FeatureSpec, planesOf } from '../core/features';
import { GUIDE_CHANNEL, GUIDE_SPEC } from '../core/refine';
import { describeInput, embeddingLines, embeddingOf, embeddingReach, IEmbeddingMetadata } from './embedding';
import { ENTRY, MODEL } from '../../src/shared/onnx/fields';
import { Channel, featurePlanes, inexpressible } from './features';
import { forestVotes } from './forest';
import { Graph, Value } from './graph';
import { INTENSITY, Intensity } from './intensity';
import { Plane, Planes, reachOf } from './planes';
import { refined } from './refine';
import { IField, readFields } from '../../src/shared/onnx/wire';

/** Weights of red, green and blue in the luminance (ITU-R BT.709, as scikit-image's rgb2gray); `engine/assembly/tile.ts` has the same. */
const LUMINANCE = [0.2125, 0.7154, 0.0721];

/** Keys of the model's metadata. */
const METADATA = 'sambalab.';
const CLASSIFIER_KEY = `${METADATA}classifier`;

/**
 * A model with the input `image`, float32 [rows, columns] or [rows, columns, 3], and the outputs `labels`, uint8 [rows, columns], the class id of each
 * pixel; and `probabilities`, float32 [rows, columns, classes]. For a classifier that sees an embedding, the second input is `embedding`, or
 * there are several, `embedding_1`, …, one for each layer: float32 [1, components, grid rows, grid columns], as described by `sambalab.embedding` in the metadata.
 * A classifier with standardised pixels takes the image's mean and deviation as the input `intensity`, float64 [2]; for NaN the model computes them.
 *
 * @throws BridgeError `invalid` naming the features that ONNX cannot express
 */
export function encodeOnnx(classifier: IClassifier): Uint8Array {
  const { features: spec, channels, names, classes, trees, scale, cuts, forest, pixelSize, trainedOn } = classifier;
  const ops = featureOps(spec);
  const missing = inexpressible(ops);
  if (missing.length > 0) {
    throw new BridgeError(
      'invalid',
      `ONNX cannot express these features of the classifier: ${missing.join(', ')}. Train without them, or save it as .json.`
    );
  }
  const embedding = embeddingOf(classifier);
  const graph = new Graph();
  const planes = new Planes(graph);
  const intensity = new Intensity(graph);
  const stack = stackOf(graph, planes, channels, spec, intensity);
  const line = graph.constant('int64', [1, -1]);
  const lines = stack.map(({ value }, i) => graph.node('Reshape', [value, line], {}, { name: names[i]! }));
  lines.push(...(embedding?.layers ?? []).map(input => embeddingLines(graph, input)));
  const matrix = graph.node('Transpose', [graph.node('Concat', lines, { axis: 0 })], { perm: { ints: [1, 0] } });
  const forestSays = forestVotes(graph, matrix, trees, cuts, classes.length, scale);

  const shape = graph.node('Shape', ['image'], { start: 0, end: 2 });
  let { shares, votes: decisive } = forestSays;
  const radius = forest.refine ?? 0;
  let reach = Math.max(...reachOf(stack), embedding ? embeddingReach(embedding) : 0);
  if (radius > 0) {
    const guide = stackOf(graph, planes, channels, GUIDE_SPEC, intensity)[GUIDE_CHANNEL]!;
    shares = decisive = refined(graph, shares, guide.value, classes.length, radius);
    reach = Math.max(reach, ...guide.reach) + 2 * radius;
  }
  const shapeOfShares = graph.node('Concat', [shape, graph.constant('int64', [classes.length])], { axis: 0 });
  graph.node('Reshape', [shares, shapeOfShares], {}, { name: 'probabilities' });
  // The first class at a tie.
  const winner = graph.node('ArgMax', [decisive], { axis: 1, keepdims: 0 });
  const ids = graph.constant(
    'uint8',
    classes.map(({ id }) => id)
  );
  graph.node('Reshape', [graph.node('Gather', [ids, winner], { axis: 0 }), shape], {}, { name: 'labels' });

  const size = ['rows', 'columns'];
  const halo = reach;
  return graph.encode({
    inputs: [
      Graph.described('image', 'float', channels === 1 ? size : [...size, channels]),
      ...(embedding?.layers ?? []).map(describeInput),
      ...(intensity.used ? [Graph.described(INTENSITY, 'double', [2])] : [])
    ],
    outputs: [
      { name: 'labels', described: Graph.described('labels', 'uint8', size) },
      { name: 'probabilities', described: Graph.described('probabilities', 'float', [...size, classes.length]) }
    ],
    description: describe(classifier, halo, embedding, intensity.used),
    metadata: {
      [`${METADATA}version`]: '1',
      [`${METADATA}classes`]: JSON.stringify(classes),
      [`${METADATA}features`]: JSON.stringify(spec),
      [`${METADATA}halo`]: String(halo),
      ...(embedding && { [`${METADATA}embedding`]: JSON.stringify(embedding) }),
      [`${METADATA}pixelSize`]: JSON.stringify(pixelSize),
      [`${METADATA}trainedOn`]: JSON.stringify(trainedOn),
      [CLASSIFIER_KEY]: encodeClassifier(classifier)
    }
  });
}

/** Whether a file can be a model: a protobuf message that has a field with bytes. */
export function isOnnx(file: Uint8Array): boolean {
  return fieldsOf(file).some(({ bytes }) => bytes !== undefined);
}

/**
 * The classifier's JSON in the metadata of a model that {@link encodeOnnx} made. The graph beside it is not compared with it.
 *
 * @throws BridgeError `invalid` for a model without a classifier
 */
export function classifierOfOnnx(model: Uint8Array): Uint8Array {
  for (const { bytes } of fieldsOf(model).filter(({ number }) => number === MODEL.metadata)) {
    const entry = fieldsOf(bytes ?? new Uint8Array());
    const key = entry.find(({ number }) => number === ENTRY.key)?.bytes;
    const value = entry.find(({ number }) => number === ENTRY.value)?.bytes;
    if (key && value && new TextDecoder().decode(key.subarray(0, 100)) === CLASSIFIER_KEY) {
      return value;
    }
  }
  throw new BridgeError(
    'invalid',
    `This ONNX model has no classifier of SambaLab: its metadata have no ${CLASSIFIER_KEY}.`
  );
}

/** The fields of a message; none for bytes that are no message. */
function fieldsOf(message: Uint8Array): IField[] {
  try {
    return readFields(message);
  } catch {
    return [];
  }
}

/** The channels of a feature spec without those of the embedding. */
function stackOf(graph: Graph, planes: Planes, channels: number, spec: FeatureSpec, intensity: Intensity): Plane[] {
  return sources(graph, planes, channels, planesOf(spec, channels), spec.standardise ? intensity : null).flatMap(
    source => {
      const channel = new Channel(planes, source);
      return featureOps(spec).flatMap(op => featurePlanes(channel, op));
    }
  );
}

/** The planes that features are computed from: the channels, or the luminance. */
function sources(graph: Graph, planes: Planes, channels: number, wanted: number, intensity: Intensity | null): Plane[] {
  const pick = (image: Value, channel: number) =>
    graph.node('Gather', [image, graph.constant('int64', [channel], [])], { axis: 2 });
  const plane = (value: Value) => {
    const taken = intensity ? intensity.standardised(planes.cast(value, 'double')) : value;
    return new Plane(taken, [0, 0]);
  };
  if (channels === 1) {
    return [plane('image')];
  }
  if (wanted === channels) {
    return Array.from({ length: channels }, (_, channel) => plane(pick('image', channel)));
  }
  const image = planes.cast('image', 'double');
  const sum = LUMINANCE.map((weight, channel) =>
    graph.node('Mul', [pick(image, channel), graph.double(weight)])
  ).reduce((total, term) => graph.node('Add', [total, term]));
  return [new Plane(intensity ? intensity.standardised(sum) : planes.cast(sum, 'float'), [0, 0])];
}

function describe(
  { channels, classes, names }: IClassifier,
  halo: number,
  embedding: IEmbeddingMetadata | null,
  byIntensity: boolean
): string {
  const shape = channels === 1 ? '[rows, columns]' : `[rows, columns, ${channels}]`;
  const list = classes.map(({ id, name }, i) => `${i}: ${name} (id ${id})`).join(', ');
  return (
    `Pixel classifier of SambaLab: ${names.length} features and a forest. Input image: float32 ${shape}, the image's own values. ` +
    (embedding ? describeEmbedding(embedding) : '') +
    (byIntensity
      ? `Input ${INTENSITY}, float64 [mean, standard deviation] of the finite values of the image, of all slices of a stack, without outliers, as ` +
        'sambalab.engine.intensity gives them; NaN for what ' +
        'is to be taken of what is given as the image, which is wrong for tiles and for slices of a stack. '
      : '') +
    `Outputs: labels, uint8 class ids, and probabilities by index: ${list}. ` +
    `A pixel depends on ${halo} pixels to each side: give tiles so much more of the image around them and cut it off the results.`
  );
}

function describeEmbedding({ model, digest, window, layers }: IEmbeddingMetadata): string {
  const inputs = layers.map(
    ({ name, layer, components, cell }) => `${name} (${layer}, ${components}, ${cell} pixels a cell)`
  );
  const coarsest = Math.max(...layers.map(({ cell }) => cell));
  return (
    `Further inputs: the embedding of the image by ${model}, whose encoder has SHA-256 ${digest}, shown to it in windows of ${window} pixels and ` +
    `reduced to principal components, float32 [1, components, rows, columns] from the image's upper left: ${inputs.join(', ')}. ` +
    `Tiles begin at multiples of ${coarsest} pixels and get the cells from there on. `
  );
}
