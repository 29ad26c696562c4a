import { FEATURE_FAMILIES } from '../../../src/shared/features';
import { encodeClassifier, IClassifier } from '../../core/classifier';
import { featureNames, featureSpec, halo } from '../../core/features';
import { classifierOfOnnx, encodeOnnx } from '../index';
import { byParts, gaborKernels } from '../lines';
import { rotatedLine } from '../membrane';
import { GRAPH, MODEL, NODE } from '../../../src/shared/onnx/fields';
import { Message, readFields } from '../../../src/shared/onnx/wire';
import { Cuts } from '../../core/quantile';
import { exampleClassifier } from '../../__tests__/support/classifiers';
import { newEngine, randomSource } from '../../__tests__/support/engine';

/** A classifier with these features and a forest that tests the first one. */
function classifierWith(features: object, channels: 1 | 3 = 1): IClassifier {
  const spec = featureSpec(features);
  const names = featureNames(spec, channels);
  return {
    ...exampleClassifier(),
    features: spec,
    channels,
    names,
    importance: null,
    cuts: new Cuts(names.map(() => Float32Array.of(1, 2))),
    trees: {
      counts: Uint32Array.of(3),
      feature: Int16Array.of(0, -1, -1),
      threshold: new Uint8Array(3),
      left: Uint32Array.of(1, 0, 1),
      right: Uint32Array.of(2, 0, 0),
      votes: Uint16Array.of(1024, 0, 24, 1000)
    }
  };
}

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

function metadataOf(model: Uint8Array): Record<string, string> {
  const entries = readFields(model).filter(({ number }) => number === MODEL.metadata);
  return Object.fromEntries(
    entries.map(({ bytes }) => {
      const [key, value] = readFields(bytes!);
      return [text(key!.bytes), text(value!.bytes)];
    })
  );
}

/** Operators of the graph's nodes. */
function operatorsOf(model: Uint8Array): string[] {
  const graph = readFields(model).find(({ number }) => number === MODEL.graph)!.bytes!;
  const nodes = readFields(graph).filter(({ number }) => number === GRAPH.node);
  return nodes.map(({ bytes }) => text(readFields(bytes!).find(({ number }) => number === NODE.operator)!.bytes));
}

describe('an ONNX model', () => {
  const inexpressible = ['bilateral', 'entropy', 'lipschitz', 'anisotropicDiffusion'];

  it.each(FEATURE_FAMILIES.map(({ name }) => name))('has %s, or says that it cannot', family => {
    const sigmas = [1, 2.5, ...(family === 'median' ? [4] : [7])];
    const classifier = classifierWith({ sigmas, families: { [family]: {} } });
    if (inexpressible.includes(family)) {
      expect(() => encodeOnnx(classifier)).toThrow(`ONNX cannot express these features of the classifier: ${family}.`);
    } else {
      expect(operatorsOf(encodeOnnx(classifier))).toContain('TreeEnsembleRegressor');
    }
  });

  it('names every feature that it cannot have, and a way out', () => {
    const classifier = classifierWith({ set: 'samba', sigmas: [1, 8], median: true, entropy: true, bilateral: true });
    expect(() => encodeOnnx(classifier)).toThrow(
      /: median r=8 \(r=4 at most\), bilateral, entropy\. Train without them, or save it as \.json\.$/
    );
  });

  it.each<[string, object]>([
    ['samba', { set: 'samba' }],
    ['the default without what SAM sees', { embedding: false }],
    ['weka', { set: 'weka' }],
    ['discs', { sigmas: [1, 2.5, 7], families: { mean: {}, variance: {}, minimum: {}, maximum: {} } }],
    ['medians', { sigmas: [4], families: { median: {} } }],
    ['derivatives', { sigmas: [2, 7, 13], families: { derivatives: {} } }],
    ['a Laplacian', { sigmas: [9], families: { laplacian: {} } }],
    ['structure tensors', { sigmas: [1, 8], families: { structureTensor: {} } }],
    ['neighbours', { sigmas: [0.4, 11], families: { neighbours: {} } }],
    ['Kuwahara', { families: { kuwahara: { length: 9 } } }],
    ['Gabor', { families: { gabor: {} } }]
  ])('looks as far as the engine does, with %s', (_, features) => {
    const classifier = classifierWith(features);
    const own = Number(metadataOf(encodeOnnx(classifier))['sambalab.halo']);
    expect(own).toBe(halo(newEngine(), classifier.features));
  });

  it('has the classifier in its metadata to the last bit, and a description for other programs', () => {
    const classifier = exampleClassifier();
    const model = encodeOnnx(classifier);
    expect(classifierOfOnnx(model)).toEqual(encodeClassifier(classifier));
    const metadata = metadataOf(model);
    expect(JSON.parse(metadata['sambalab.classes']!)).toEqual(classifier.classes);
    expect(JSON.parse(metadata['sambalab.features']!)).toEqual(classifier.features);
    expect(JSON.parse(metadata['sambalab.pixelSize']!)).toEqual({ value: 0.1, unit: 'µm' });
    expect(JSON.parse(metadata['sambalab.trainedOn']!)).toEqual({ dtypes: ['uint16'], low: 300, high: 4095 });
    expect(encodeOnnx(classifier)).toEqual(model);
  });

  it('leaves out nodes that no feature needs', () => {
    // The sorting of ten averages is needed for their median alone, and there is none of both without the membrane.
    const count = (features: object) => operatorsOf(encodeOnnx(classifierWith(features))).length;
    expect(count({ families: {} })).toBeLessThan(20);
    expect(operatorsOf(encodeOnnx(classifierWith({ families: { gaussian: {} } })))).not.toContain('Sqrt');
  });

  it('has its trees in several operators, so that those of one stay in a cache', () => {
    const { trees, ...rest } = classifierWith({ families: {} });
    const many = 3000;
    const repeat = <T extends Uint32Array | Int16Array | Uint8Array | Uint16Array>(list: T): number[] =>
      Array.from({ length: many }, () => Array.from(list)).flat();
    const forest = {
      counts: Uint32Array.from(repeat(trees.counts)),
      feature: Int16Array.from(repeat(trees.feature)),
      threshold: Uint8Array.from(repeat(trees.threshold)),
      left: Uint32Array.from(repeat(trees.left), (left, i) => (i % 3 ? left + 2 * Math.floor(i / 3) : left)),
      right: Uint32Array.from(repeat(trees.right)),
      votes: Uint16Array.from(repeat(trees.votes))
    };
    const ensembles = operatorsOf(encodeOnnx({ ...rest, trees: forest })).filter(name => name.startsWith('Tree'));
    expect(ensembles).toHaveLength(3);
  });

  it('has Gabor kernels of mean 0 and sum of magnitudes 1', () => {
    for (let direction = 0; direction < 10; direction++) {
      const { real, imaginary } = gaborKernels(2, 0.5, 2, 12, direction);
      for (const kernel of [real, imaginary]) {
        expect(Math.abs(kernel.reduce((sum, weight) => sum + weight, 0))).toBeLessThan(1e-7);
        expect(kernel.reduce((sum, weight) => sum + Math.abs(weight), 0)).toBeCloseTo(1, 5);
      }
    }
  });

  it('applies weights of mean 0 to differences of neighbours with the same result', () => {
    const side = 5;
    const random = randomSource(9);
    const some = Array.from({ length: side * side }, () => random() - 0.5);
    const mean = some.reduce((sum, weight) => sum + weight, 0) / some.length;
    const weights = some.map(weight => weight - mean);
    const pixels = some.map(() => 1000 + random());
    const direct = weights.reduce((sum, weight, i) => sum + weight * pixels[i]!, 0);
    const { right, down } = byParts(weights, side);
    const alongRows = right.map((weight, i) => {
      const at = Math.floor(i / (side - 1)) * side + (i % (side - 1));
      return weight * (pixels[at + 1]! - pixels[at]!);
    });
    const alongColumn = down.map((weight, row) => weight * (pixels[(row + 1) * side + 2]! - pixels[row * side + 2]!));
    expect([...alongRows, ...alongColumn].reduce((sum, term) => sum + term, 0)).toBeCloseTo(direct, 9);
  });

  it('turns membrane lines to their directions in the image', () => {
    const upright = rotatedLine(5, 1, 0);
    expect(Array.from(upright.subarray(0, 5))).toEqual([0, 0, 1, 1, 0]);
    const flat = rotatedLine(5, 1, 5);
    expect(flat.reduce((sum, one) => sum + one, 0)).toBe(10);
    expect([0, 1, 2, 3, 4].filter(row => flat.subarray(row * 5, row * 5 + 5).every(Boolean))).toHaveLength(2);
  });
});

describe("protobuf's wire format", () => {
  it('reads the fields that were written', () => {
    const inner = new Message()
      .integer(1, 300)
      .text(2, 'γ′')
      .integers(3, [0, 127, 128, 2 ** 40]);
    const outer = new Message().integer(4, 1).message(7, inner).floats(9, Float32Array.of(1, -2)).toBytes();
    const fields = readFields(outer);
    expect(fields.map(({ number }) => number)).toEqual([4, 7, 9]);
    const [packed, floats] = [fields[1]!.bytes!, fields[2]!.bytes!];
    const [, name, list] = readFields(packed);
    expect(text(name!.bytes)).toBe('γ′');
    expect(Array.from(list!.bytes!)).toEqual([0, 127, 128, 1, 128, 128, 128, 128, 128, 32]);
    expect(new Float32Array(floats.slice().buffer)).toEqual(Float32Array.of(1, -2));
    const copy = new Message();
    fields.forEach(field => copy.field(field));
    expect(copy.toBytes()).toEqual(outer);
    // As https://protobuf.dev/programming-guides/encoding has it.
    expect(Array.from(new Message().integer(1, 150).toBytes())).toEqual([8, 150, 1]);
    expect(Array.from(new Message().text(2, 'testing').toBytes())).toEqual([18, 7, ...Buffer.from('testing')]);
  });

  it.each<[string, number[], RegExp]>([
    ['a field of number 0', [2, 0], /number 0 at byte 0/],
    ['a length beyond the end', [10, 5, 1], /field 1 at byte 0 is longer/],
    ['an unknown wire type', [11], /wire type 3/],
    ['a number that breaks off', [8, 200], /does not end before byte 2/],
    ['a number of eleven bytes', [8, ...new Array<number>(10).fill(200), 1], /does not end/],
    ['eight bytes that are seven', [9, 1, 2, 3, 4, 5, 6, 7], /longer than the message/]
  ])('is refused with %s', (_, bytes, message) => {
    expect(() => readFields(Uint8Array.from(bytes))).toThrow(message);
  });
});
