import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import { DEFAULT_MODEL, encoderLayers } from '../../../src/shared/models';
import { decodeClassifier, encodeClassifier, IClassifier } from '../classifier';
import { featureNames, featureSpec } from '../features';
import { convertClassifier } from '../../codecs';
import { ForestApplier, packForest } from '../forest';
import { Cuts } from '../quantile';
import { FeatureStack } from '../stack';
import { applyToNoise, boostedClassifier, exampleClassifier } from '../../__tests__/support/classifiers';
import { newEngine } from '../../__tests__/support/engine';

type Json = { [key: string]: unknown };

function changed(bytes: Uint8Array, change: (json: Json) => void): Uint8Array {
  const json = JSON.parse(new TextDecoder().decode(bytes)) as Json;
  change(json);
  return new TextEncoder().encode(JSON.stringify(json));
}

/** A classifier that was trained and applied once, or the prediction of then. */
const fixture = (name: string) => readFileSync(join(__dirname, '../../__tests__/fixtures', name));

describe('a classifier from a file', () => {
  it('segments its image as when it was trained', () => {
    const classifier = decodeClassifier(fixture('bands.dat'));
    const membrane = { patch: 9, thickness: 1 };
    expect(classifier.features).toEqual(featureSpec({ set: 'samba', sigmas: [1, 3], membrane }));
    expect(classifier.classes.map(({ id }) => id)).toEqual([3, 1, 9]);
    // The image that it was trained on: three bands, each with a texture.
    const [rows, columns] = [36, 40];
    const image = Uint8Array.from({ length: rows * columns }, (_, i) => {
      const [r, c] = [Math.floor(i / columns), i % columns];
      const noise = (r * 7919 + c * 104729 + r * c * 31) % 23;
      return [60 + noise, 120 + ((r ^ c) & 4) * 10 + noise, 200 - (r % 5) * 12 + (noise >> 1)][Math.floor(c / 14)]!;
    });
    const whole = { row0: 0, row1: rows, column0: 0, column1: columns };
    const stack = new FeatureStack(newEngine(), classifier.features, 1);
    const { data } = stack.compute({ rows, columns }, whole, image);
    const blocks = stack.quantise(whole, data, classifier.cuts).slice();
    const packed = packForest(newEngine(), classifier.trees, classifier.names.length, 3);
    const { prediction } = new ForestApplier(newEngine(), packed).apply(whole, blocks, { prediction: true });
    const before = fixture('bands-prediction.dat');
    // Features may differ in their last digits.
    expect(prediction!.filter((own, i) => own !== before[i]).length).toBeLessThan(10);
  });

  it('segments bins as when it was trained', () => {
    const classifier = decodeClassifier(fixture('noise.dat'));
    const before = fixture('noise-prediction.dat');
    expect(Buffer.from(applyToNoise(classifier).prediction!).equals(before)).toBe(true);
  });
});

describe('a classifier with boosted trees', () => {
  const original = boostedClassifier();
  const bytes = encodeClassifier(original);

  it('is the same after a round trip through JSON', () => {
    const back = decodeClassifier(bytes);
    expect(back).toEqual(original);
    expect(applyToNoise(back)).toEqual(applyToNoise(original));
    expect(encodeClassifier(back)).toEqual(bytes);
  });

  it.each<[string, (json: Json) => void, RegExp]>([
    ['no scale', json => (json['scale'] = null), /boosted trees have a scale/],
    ['a scale of 0', json => (json['scale'] = 0), /scale/],
    ['the parameters of a forest', json => (json['forest'] = exampleClassifier().forest), /a forest has no scale/],
    ['scores of other classes', json => (json['scores'] = { source: 'held-out', confusion: [[1]] }), /2 by 2 classes/]
  ])('is refused with %s, by name', (_, change, message) => {
    expect(() => decodeClassifier(changed(bytes, change))).toThrow(message);
  });

  it('cannot become a forest of ml-random-forest', () => {
    expect(() => convertClassifier(bytes, 'ml-random-forest')).toThrow(/boosted trees.*\.json or \.onnx/);
  });
});

describe('a classifier that sees an embedding', () => {
  const plain = exampleClassifier();
  const layers = [
    { layer: 'output', components: 2 },
    { layer: encoderLayers(DEFAULT_MODEL)[0]!, components: 3 }
  ];
  const features = featureSpec({ ...plain.features, embedding: { model: 'mobile-sam', window: 1024, layers } });
  const names = featureNames(features, 1);
  const original: IClassifier = {
    ...plain,
    features,
    names,
    cuts: new Cuts(names.map(() => Float32Array.from({ length: 200 }, (_, i) => i))),
    importance: null,
    basis: {
      model: 'mobile-sam',
      digest: 'ab'.repeat(32),
      layers: layers.map(({ layer, components }, i) => ({
        layer,
        components,
        channels: 4 + i,
        mean: Float32Array.from({ length: 4 + i }, (_, c) => c / 7),
        matrix: Float32Array.from({ length: (4 + i) * components }, (_, c) => Math.sin(c))
      }))
    }
  };
  const bytes = encodeClassifier(original);
  const layerOf = (json: Json, i: number) => ((json['embedding'] as Json)['layers'] as Json[])[i]!;

  it('keeps its basis after a round trip through JSON', () => {
    const back = decodeClassifier(bytes);
    expect(back).toEqual(original);
    expect(encodeClassifier(back)).toEqual(bytes);
  });

  it.each<[string, (json: Json) => void, RegExp]>([
    ['no basis', json => (json['embedding'] = null), /embedding is missing/],
    [
      'no window',
      json => (((json['features'] as Json)['embedding'] as Json)['window'] = null),
      /window is null; it must be a number/
    ],
    ['another model', json => ((json['embedding'] as Json)['model'] = 'x'), /embedding\.model is x/],
    ['a digest that is none', json => ((json['embedding'] as Json)['digest'] = 'x'), /digest/],
    ['a layer less', json => ((json['embedding'] as Json)['layers'] as Json[]).pop(), /has 1 entries/],
    ['other components', json => (layerOf(json, 1)['components'] = 2), /layers\.1 makes 2 components/],
    ['a mean of another length', json => (layerOf(json, 0)['channels'] = 5), /layers\.0\.mean is not base64 of 20/],
    [
      'a number that is not finite',
      json => (layerOf(json, 0)['mean'] = Buffer.from(Float32Array.of(1, NaN, 0, 0).buffer).toString('base64')),
      /layers\.0 has a number that is not finite/
    ]
  ])('is refused with %s, by name', (_, change, message) => {
    expect(() => decodeClassifier(changed(bytes, change))).toThrow(message);
  });

  it('is refused with a basis although its features have no embedding', () => {
    expect(() =>
      decodeClassifier(
        changed(encodeClassifier(plain), json => {
          json['embedding'] = {
            model: 'mobile-sam',
            digest: 'ab'.repeat(32),
            layers: [layerOf(JSON.parse(new TextDecoder().decode(bytes)) as Json, 0)]
          };
        })
      )
    ).toThrow(/its features have none/);
  });
});

describe('a classifier', () => {
  const original = exampleClassifier();
  const bytes = encodeClassifier(original);

  it('is the same after a round trip through JSON', () => {
    const back = decodeClassifier(bytes);
    expect(back).toEqual(original);
    expect(applyToNoise(back)).toEqual(applyToNoise(original));
    expect(encodeClassifier(back)).toEqual(bytes);
  });

  const number =
    (view: (buffer: ArrayBuffer) => { [i: number]: number }, index: number, value: number) => (text: unknown) => {
      const data = Uint8Array.from(Buffer.from(text as string, 'base64'));
      view(data.buffer)[index] = value;
      return Buffer.from(data).toString('base64');
    };
  const tree = (field: string, change: (text: unknown) => unknown) => (json: Json) => {
    const trees = json['trees'] as Json;
    trees[field] = change(trees[field]);
  };
  const u32 = (buffer: ArrayBuffer) => new Uint32Array(buffer);
  const i16 = (buffer: ArrayBuffer) => new Int16Array(buffer);
  const f32 = (buffer: ArrayBuffer) => new Float32Array(buffer);

  it.each<[string, (json: Json) => void, RegExp]>([
    ['another format', json => (json['format'] = 'zip'), /format/],
    ['another version', json => (json['version'] = 2), /version is 2; 1 will do/],
    ['a version that is no number', json => (json['version'] = '1'), /version/],
    ['no pixel size', json => delete json['pixelSize'], /pixelSize/],
    ['no importances', json => delete json['importance'], /importance/],
    ['no scores', json => delete json['scores'], /scores/],
    ['a field too many', json => (json['code'] = 'x'), /code/],
    ['names of other features', json => (json['names'] = [...original.names.slice(1), 'nose']), /names/],
    ['a spec of other features', json => ((json['features'] as Json)['hessian'] = true), /names/],
    ['classes with equal ids', json => ((json['classes'] as Json[])[1]!['id'] = 7), /id occurs twice/],
    ['a class id of 0', json => ((json['classes'] as Json[])[1]!['id'] = 0), /classes\.1\.id/],
    ['a child before its parent', tree('left', number(u32, 2, 0)), /child/],
    ['a child beyond the tree', tree('right', number(u32, 0, 4000)), /has child 4000/],
    ['two parents of a child', tree('right', number(u32, 0, 1)), /another node's child/],
    ['an unknown feature number', tree('feature', number(i16, 0, 99)), /feature 99/],
    ['a feature of −2', tree('feature', number(i16, 0, -2)), /feature -2/],
    [
      'an unknown cut',
      tree(
        'threshold',
        number(b => new Uint8Array(b), 0, 201)
      ),
      /cut 201/
    ],
    [
      'votes that do not add up',
      tree(
        'votes',
        number(b => new Uint16Array(b), 0, 3000)
      ),
      /add up/
    ],
    ['bytes too few', tree('votes', text => (text as string).slice(4)), /trees\.votes is not base64 of/],
    ['no pixels that it was trained on', json => delete json['trainedOn'], /trainedOn/],
    ['an empty grey range', json => (json['trainedOn'] = { dtypes: ['uint8'], low: 5, high: 5 }), /trainedOn/],
    ['an unknown dtype', json => (json['trainedOn'] = { dtypes: ['int64'], low: 5, high: 6 }), /trainedOn\.dtypes/],
    ['a pixel size of 0', json => (json['pixelSize'] = { value: 0, unit: 'nm' }), /pixelSize\.value/],
    ['an unknown feature', json => ((json['features'] as Json)['nose'] = true), /features\.nose is not known/],
    ['importances of other features', json => (json['importance'] = [1]), /importance has 1/],
    ['a string that is no base64', tree('left', () => '*'), /trees\.left/],
    [
      'a cut that is not finite',
      json => {
        const cuts = json['cuts'] as Json;
        cuts['values'] = number(f32, 5, NaN)(cuts['values']);
      },
      /cut 5 of feature 0 is NaN/
    ],
    [
      'cuts that do not ascend',
      json => {
        const cuts = json['cuts'] as Json;
        cuts['values'] = number(f32, 5, 1e6)(cuts['values']);
      },
      /ascend/
    ]
  ])('is refused with %s, by name', (_, change, message) => {
    const attempt = () => decodeClassifier(changed(bytes, change));
    expect(attempt).toThrow(BridgeError);
    expect(attempt).toThrow(message);
  });

  it('has a line for each of its fields', () => {
    const lines = new TextDecoder().decode(bytes).split('\n');
    expect(lines).toContain('  "version": 1,');
    expect(lines).toContain('  "pixelSize": {"value":0.1,"unit":"µm"},');
    expect(lines).toContain('  "trainedOn": {"dtypes":["uint16"],"low":300,"high":4095},');
    expect(lines.length).toBe(Object.keys(original).length + 2 + 3);
  });

  it('is refused if it is deeper than any forest may be', () => {
    // A chain: the left child of each split is a leaf, the right one the next split.
    const splits = 66;
    const count = 2 * splits + 1;
    const trees = {
      counts: Uint32Array.of(count),
      feature: Int16Array.from({ length: count }, (_, i) => (i % 2 === 0 && i < count - 1 ? 0 : -1)),
      threshold: new Uint8Array(count),
      left: Uint32Array.from({ length: count }, (_, i) => (i % 2 ? (i - 1) / 2 : i < count - 1 ? i + 1 : splits)),
      right: Uint32Array.from({ length: count }, (_, i) => (i % 2 === 0 && i < count - 1 ? i + 2 : 0)),
      votes: Uint16Array.from({ length: 2 * (splits + 1) }, (_, i) => (i % 2 ? 0 : 1024))
    };
    expect(() => decodeClassifier(encodeClassifier({ ...original, trees }))).toThrow(/deeper than 64/);
  });

  it('is refused before a million values are allocated', () => {
    const text = new TextEncoder().encode('['.repeat(1_000_000));
    expect(() => decodeClassifier(text)).toThrow(/more than 400000 values/);
  });

  it('is refused if it is no JSON at all', () => {
    for (const text of ['', '{', 'null', '[]', '"sambalab-classifier"', '\u0000\u0001']) {
      expect(() => decodeClassifier(new TextEncoder().encode(text))).toThrow(/not a classifier/);
    }
    expect(() => decodeClassifier(Uint8Array.of(0xff, 0xfe, 0x00))).toThrow(/not JSON/);
  });
});
