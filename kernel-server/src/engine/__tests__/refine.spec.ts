import {
  decodeClassifier,
  encodeClassifier,
  GUIDE_CHANNEL,
  GUIDE_SPEC,
  refineTile,
  FeatureStack
} from '../../../../engine';
import { newEngine } from '../../../../engine/__tests__/support/engine';
import { Intensities } from '../intensities';
import { EnginePool } from '../pool';
import { ITrained } from '../../jobs/services';
import { agreement, context, EngineBench, IMicrograph } from '../../__tests__/support/engine';
import { wasm } from '../../__tests__/support/engine-build';

const bench = new EngineBench();
const { folder } = bench;

afterAll(async () => bench.dispose());

/** The same classifier with another radius. */
function withRadius(trained: ITrained, refine: number): ITrained {
  const classifier = decodeClassifier(trained.json);
  const json = encodeClassifier({ ...classifier, forest: { ...classifier.forest, refine } });
  return { ...trained, json };
}

async function intensityOf({ image }: IMicrograph) {
  const pool = new EnginePool({ threads: 2, script: folder.worker, wasm });
  try {
    return await new Intensities(pool).of(image, undefined, context().signal);
  } finally {
    await pool.dispose();
  }
}

/** Names of the arrays that are not the same, bit by bit. */
function unequal<T extends Record<string, ArrayBufferView>>(a: T, b: T): string[] {
  const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength);
  return Object.keys(a).filter(name => !bytes(a[name]!).equals(bytes(b[name]!)));
}

describe('refined segmentations', () => {
  it('are the forest’s probabilities, filtered over the whole image', async () => {
    const images = bench.micrograph(300, 530);
    const service = bench.service();
    const trained = await bench.train(service, images, { forest: { refine: 5 } });
    const refined = await bench.apply(service, trained, images);
    const plain = await bench.apply(service, withRadius(trained, 0), images);

    const intensity = await intensityOf(images);
    const whole = { row0: 0, row1: 300, column0: 0, column1: 530 };
    const guide = new FeatureStack(newEngine(), GUIDE_SPEC, 1).compute(
      { rows: 300, columns: 530, intensity },
      whole,
      Uint8Array.from(folder.read(images.image))
    );
    const plane = guide.data.subarray(GUIDE_CHANNEL * guide.plane, (GUIDE_CHANNEL + 1) * guide.plane);
    const expected = refineTile(
      newEngine(),
      whole,
      whole,
      Float32Array.from(plain.probabilities),
      2,
      { data: plane, stride: guide.stride },
      5,
      { prediction: true, probabilities: true, uncertainty: true }
    );
    expect(refined.probabilities).toEqual(expected.probabilities);
    expect(refined.uncertainty).toEqual(expected.uncertainty);
    expect(refined.prediction).toEqual(expected.prediction!.map(index => [4, 9][index]!));
    expect(agreement(refined.prediction, images.truth)).toBeGreaterThan(0.95);
    expect(refined.probabilities).not.toEqual(plain.probabilities);
  });

  it('are the same bits with and without kept features, in parts and at once', async () => {
    const images = bench.micrograph(300, 530);
    const service = bench.service();
    const trained = await bench.train(service, images, { forest: { refine: 6 }, cacheKey: 'kept' });
    const expected = await bench.apply(service, trained, images);
    for (const [label, other] of [
      ['kept', service],
      ['partly', bench.service({ cacheBytes: 59 * 256 * 256 * 4 })],
      ['one thread', bench.service({ threads: 1 })]
    ] as const) {
      for (let time = 0; time < 2; time++) {
        const again = await bench.apply(other, trained, images, label);
        expect([label, time, ...unequal(again, expected)]).toEqual([label, time]);
      }
    }
    const { image, shape } = images;
    const out = { prediction: folder.array('uint8', shape) };
    const region = { row0: 100, row1: 200, column0: 300, column1: 400 };
    const request = { classifier: trained.json, image, slice: 0, out, cacheKey: 'regions' };
    await service.apply({ ...request, region }, context());
    await service.apply({ ...request, skip: [region] }, context());
    expect(folder.read(out.prediction)).toEqual(expected.prediction);
  });
});

describe('standardised features', () => {
  it('do not depend on brightness and contrast', async () => {
    const images = bench.micrograph(200, 300);
    const darker = folder.array(
      'float32',
      images.image.shape,
      Float32Array.from(folder.read(images.image), value => value * 0.25 - 1000)
    );
    const service = bench.service();
    const options = { features: { set: 'samba', standardise: true }, forest: { refine: 4 } };
    const trained = await bench.train(service, images, options);
    const own = await bench.apply(service, trained, images);
    const its = await bench.apply(service, trained, { ...images, image: darker });
    expect(agreement(its.prediction, Uint8Array.from(own.prediction))).toBeGreaterThan(0.999);
    const plain = await bench.train(service, images, { features: { set: 'samba' } });
    const lost = await bench.apply(service, plain, { ...images, image: darker });
    expect(agreement(lost.prediction, images.truth)).toBeLessThan(0.9);
  });

  it('use the mean and standard deviation over all slices, for every element type', async () => {
    const images = bench.micrograph(70, 50, 1, 'uint16');
    const values = Float64Array.from(folder.read(images.image));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const intensity = await intensityOf(images);
    expect(intensity.mean).toBeCloseTo(mean, 6);
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(intensity.deviation).toBeCloseTo(Math.sqrt(variance), 6);
  });
});
