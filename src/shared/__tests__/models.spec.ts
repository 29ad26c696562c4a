/** The registry of SAM models, and what follows from a second line in it. */
import { dependencies } from '../../../kernel-server/package.json';
import type * as Features from '../features';
import { encoderLayers, embeddingLength, IModelManifest, MODELS, zDecoderManifest } from '../models';
import { MOBILE_SAM } from '../models/mobile-sam';

describe.each(MODELS.map(model => [model.id, model] as const))('The manifest %s', (_, model) => {
  const { layers, defaultLayers, window, size } = model.encoder;

  it('names a package that the sidecar depends on', () => {
    expect(Object.keys(dependencies)).toContain(model.package.name);
  });

  it('has layers that fit the frame, and the embedding last', () => {
    const side = layers.output.shape[1];
    for (const { shape } of Object.values(layers)) {
      expect([shape[1] % side, size % shape[1], shape[2]]).toEqual([0, 0, shape[1]]);
    }
    expect(encoderLayers(model).pop()).toBe('output');
    expect(embeddingLength(model)).toBe(layers.output.shape[0] * side * side);
  });

  it('has default layers and windows that a feature spec may have', () => {
    for (const { layer, components } of defaultLayers) {
      expect(components).toBeLessThanOrEqual(layers[layer]!.shape[0]);
    }
    expect(window.minimum).toBeLessThan(window.maximum);
  });

  it('has a decoder manifest that the protocol carries', () => {
    const carried = zDecoderManifest.parse(JSON.parse(JSON.stringify(model)));
    expect(carried.decoder).toMatchObject({ inputs: model.decoder.inputs, outputs: model.decoder.outputs });
    expect(JSON.stringify(carried)).not.toContain('sha256');
    expect(Math.max(...carried.decoder.scales)).toBeLessThan(model.decoder.masks);
  });
});

it('No two models share an id or a decoder file', () => {
  expect(new Set(MODELS.map(({ id }) => id)).size).toBe(MODELS.length);
  expect(new Set(MODELS.map(({ decoder }) => decoder.file.name)).size).toBe(MODELS.length);
});

describe('A second model', () => {
  const tiny: IModelManifest = {
    ...MOBILE_SAM,
    id: 'tiny',
    encoder: {
      ...MOBILE_SAM.encoder,
      layers: {
        fine: { title: 'Fine', tensor: 'fine', shape: [6, 8, 8] },
        output: { title: 'Output', tensor: 'embedding', shape: [4, 4, 4] }
      },
      defaultLayers: [{ layer: 'fine', components: 3 }],
      window: { minimum: 8, maximum: 32 }
    }
  };
  let features: typeof Features;

  beforeAll(() => {
    jest.isolateModules(() => {
      jest.doMock('../models', () => ({
        ...jest.requireActual<object>('../models'),
        MODELS: [tiny, ...MODELS],
        DEFAULT_MODEL: tiny,
        findModel: (id: string) => [tiny, ...MODELS].find(model => model.id === id)
      }));
      features = jest.requireActual<typeof Features>('../features');
    });
    jest.dontMock('../models');
  });

  it('gives feature specs its layers and windows by its manifest alone', () => {
    const spec = features.featureSpec({});
    expect(spec.embedding).toEqual({
      model: 'tiny',
      window: null,
      views: 1,
      layers: [{ layer: 'fine', components: 3 }]
    });
    const image = { dtype: 'uint8', display: { low: 0, high: 255 }, shape: [1, 20, 100, 1] };
    expect(features.withImage(spec, image).embedding!.window).toBe(32);
    expect(features.embeddingNames(spec)).toEqual(['SAM fine 1', 'SAM fine 2', 'SAM fine 3']);
    expect(() => features.featureSpec({ embedding: { window: 128 } })).toThrow('a whole number from 8 to 32 will do.');
    const layers = [{ layer: 'stage1', components: 1 }];
    expect(() => features.featureSpec({ embedding: { layers } })).toThrow('fine, output will do.');
    // Specs that name another model still mean that one.
    const { model, layers: others } = features.featureSpec({ embedding: { model: 'mobile-sam', layers } }).embedding!;
    expect([model, others]).toEqual(['mobile-sam', layers]);
  });
});
