import { rmSync } from 'node:fs';
import { BridgeError } from '../../../../src/shared/errors';
import { Dtype } from '../../../../src/shared/protocol';
import { EngineService } from '../service';
import {
  agreement,
  CLASSES as classes,
  context,
  EngineBench,
  IMicrograph,
  someRows
} from '../../__tests__/support/engine';

const bench = new EngineBench();
const { folder } = bench;
const newService = (options?: Partial<EngineService.IOptions>) => bench.service(options);
const sample = (rows: number, columns: number, channels?: number, dtype?: Dtype) =>
  bench.micrograph(rows, columns, channels, dtype);
const train = bench.train.bind(bench);
const apply = bench.apply.bind(bench);

afterAll(async () => bench.dispose());

describe('training and segmenting', () => {
  it.each<[string, IMicrograph, object]>([
    ['one channel of 8 bits, over several tiles', sample(300, 530), {}],
    ['three channels', sample(70, 90, 3), { sigmas: [1, 2] }],
    ['16 bits', sample(60, 50, 1, 'uint16'), {}],
    ['signed 8 bits', sample(60, 50, 1, 'int8'), {}],
    ['double precision', sample(40, 300, 1, 'float64'), {}]
  ])('separates particles from the matrix: %s', async (_, images, features) => {
    const service = newService();
    const trained = await train(service, images, { features });
    expect(trained.oobScore).toBeGreaterThan(0.9);
    expect(trained.trees).toBe(20);
    expect(trained.samples).toBe(folder.read(images.labels).filter(id => id > 0).length);
    expect(trained.featureNames).toEqual(
      service.featureNames(service.featureSpec({ set: 'samba', ...features }), images.image.shape[3]!)
    );
    expect(service.classesOf(trained.json)).toEqual(classes);
    const { prediction, probabilities, uncertainty } = await apply(service, trained, images);
    expect(agreement(prediction, images.truth)).toBeGreaterThan(0.95);
    prediction.forEach((id, i) => {
      const first = probabilities[2 * i]!;
      const second = probabilities[2 * i + 1]!;
      const wrong =
        Math.abs(first + second - 1) > 1e-6 ||
        id !== (second > first ? 9 : 4) ||
        Math.abs(uncertainty[i]! - (1 - Math.abs(first - second))) > 1e-6;
      if (wrong) {
        throw new Error(`pixel ${i}: ${id}, ${first}, ${second}, ${uncertainty[i]}`);
      }
    });
  });

  it('gives the same classifier and segmentation on one thread and on two, with and without cached features', async () => {
    const images = sample(290, 310);
    const [one, two] = [newService({ threads: 1 }), newService({ threads: 2 })] as const;
    const alone = await train(one, images);
    const together = await train(two, images);
    expect(Buffer.from(together.json).equals(Buffer.from(alone.json))).toBe(true);
    const fresh = await apply(one, alone, images);
    expect(await apply(two, together, images, images.image.path)).toEqual(fresh);
    expect(await apply(two, together, images, 'another key')).toEqual(fresh);
    expect(await apply(two, together, images, 'another key')).toEqual(fresh);
  });

  it('recomputes no feature after more labels', async () => {
    const images = sample(280, 270);
    const service = newService();
    await train(service, images, { cacheKey: 'kept' });
    const kept = service.cachedBytes;
    expect(kept).toBeGreaterThan(58 * 280 * 270);
    // Without its pixels nothing could be computed.
    const gone = { ...images.image, path: `${images.image.path}-gone` };
    const more = folder.array('uint8', images.shape, someRows(images.truth, 270, 8));
    const trained = await train(service, { image: gone, labels: more }, { cacheKey: 'kept' });
    const { prediction } = await apply(service, trained, { ...images, image: gone }, 'kept');
    expect(agreement(prediction, images.truth)).toBeGreaterThan(0.95);
    expect(service.cachedBytes).toBe(kept);
  });

  it('caches no more features than its limit, with the same segmentation', async () => {
    const images = sample(600, 300);
    const limit = 58 * 256 * 256 * 2;
    const small = newService({ cacheBytes: limit });
    const trained = await train(small, images, { cacheKey: 'small' });
    const result = await apply(small, trained, images, 'small');
    expect(small.cachedBytes).toBeLessThanOrEqual(limit);
    expect(small.cachedBytes).toBeGreaterThan(0);
    expect(result).toEqual(await apply(newService(), trained, images));
  });

  it('draws at most the requested number of samples, evenly from the classes', async () => {
    const images = sample(120, 120);
    const service = newService();
    expect((await train(service, images, { forest: { maxSamples: 100 } })).samples).toBe(100);
  });

  it('uses every labelled pixel if there is no limit, and reports feature importances', async () => {
    const images = sample(120, 120);
    const { samples, importance, featureNames } = await train(newService(), images, { forest: { maxSamples: null } });
    expect(samples).toBe(someRows(images.truth, 120).filter(id => id > 0).length);
    expect(importance).toHaveLength(featureNames.length);
    expect(importance!.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9);
  });

  it('reports progress', async () => {
    const images = sample(300, 300);
    const job = context();
    await train(newService(), images, { context: job });
    expect([...new Set(job.said.map(([stage]) => stage))]).toEqual(['features', 'growing trees']);
    expect(job.said.at(-1)).toEqual(['growing trees', 20, 20]);
    job.said.forEach(([, done, total]) => expect(done).toBeLessThanOrEqual(total));
  });

  it('computes the feature stack of a slice', async () => {
    const { image } = sample(280, 300);
    const service = newService();
    const spec = service.featureSpec({ set: 'samba' });
    const whole = folder.array('float32', [1, 280, 300, 58]);
    await service.features(image, 0, spec, whole, context());
    const values = folder.read(whole);
    const pixels = folder.read(image);
    const original = pixels.map((_, i) => values[i * 58]!);
    expect(original).toEqual(pixels);
    // The gaussian of σ 16 and the membrane's mean vary slowly, across tiles too.
    const names = service.featureNames(spec, 1);
    for (const name of ['gaussian σ=16', 'membrane mean']) {
      const feature = names.indexOf(name);
      const jump = Math.abs(values[(100 * 300 + 255) * 58 + feature]! - values[(100 * 300 + 256) * 58 + feature]!);
      expect(jump).toBeLessThan(12);
    }
  });
});

describe('one pixel', () => {
  it('can be trained on and segmented, in a stack of two', async () => {
    const image = folder.array('uint8', [2, 1, 1, 1], [10, 200]);
    const labels = folder.array('uint8', [2, 1, 1], [4, 9]);
    const service = newService();
    const trained = await train(service, { image, labels }, { forest: { trees: 50 } });
    expect(trained.samples).toBe(2);
    const prediction = folder.array('uint8', [2, 1, 1]);
    for (const slice of [0, 1]) {
      await service.apply({ classifier: trained.json, image, slice, out: { prediction } }, context());
    }
    expect(Array.from(folder.read(prediction))).toEqual([4, 9]);
  });
});

describe('requests that cannot be done are refused with the wrong value named:', () => {
  const images = sample(32, 32);
  const labelled = (ids: number[]) => folder.array('uint8', [1, 32, 32], ids);

  it.each<[string, Promise<unknown> | (() => Promise<unknown>), string, RegExp]>([
    [
      'no label',
      async () => train(newService(), { ...images, labels: labelled([]) }),
      'not-ready',
      /No pixel is labelled yet/
    ],
    [
      'one class',
      async () => train(newService(), { ...images, labels: labelled([9, 9]) }),
      'not-ready',
      /Only “particles”/
    ],
    [
      'labels without a class',
      async () => train(newService(), { ...images, labels: labelled([9, 5]) }),
      'invalid',
      /labelled 5/
    ],
    [
      'labels of another shape',
      async () => train(newService(), { ...images, labels: folder.array('uint8', [1, 32, 31]) }),
      'invalid',
      /\[1, 32, 31\]; it must be uint8 \[1, 32, 32\]/
    ],
    [
      'an image without pixels',
      async () => train(newService(), { ...images, image: { ...images.image, shape: [1, 0, 32, 1] } }),
      'invalid',
      /shape \[1, 0, 32, 1\]/
    ],
    [
      'an image with other channels than the classifier',
      async () => {
        const service = newService();
        const trained = await train(service, images);
        await apply(service, trained, sample(32, 32, 3));
      },
      'invalid',
      /has 3 channels, the classifier was trained on images with 1/
    ],
    [
      'a slice that does not exist',
      async () => {
        const service = newService();
        const trained = await train(service, images);
        await service.apply({ classifier: trained.json, image: images.image, slice: 1, out: {} }, context());
      },
      'invalid',
      /no slice 1/
    ],
    [
      'an array for results of the wrong type',
      async () => {
        const service = newService();
        const trained = await train(service, images);
        const out = { uncertainty: folder.array('uint8', [1, 32, 32]) };
        await service.apply({ classifier: trained.json, image: images.image, slice: 0, out }, context());
      },
      'invalid',
      /must be float32 \[1, 32, 32\]/
    ],
    ['what is no classifier', async () => newService().classesOf(Buffer.from('{}')), 'invalid', /not a classifier/]
  ])('%s', async (_, attempt, code, message) => {
    const error = await (typeof attempt === 'function' ? attempt() : attempt).then(
      () => undefined,
      (reason: unknown) => reason
    );
    expect(error).toBeInstanceOf(BridgeError);
    expect((error as BridgeError).code).toBe(code);
    expect((error as BridgeError).message).toMatch(message);
  });

  it('a missing file of the engine', () => {
    expect(() => newService({ wasm: '/nowhere/engine.wasm' })).toThrow(/\/nowhere\/engine\.wasm is missing/);
  });
});

describe('errors while a request runs', () => {
  it.each(['features', 'growing trees'])(
    'stops when it is cancelled at %s, and works again afterwards',
    async stage => {
      const images = sample(300, 300);
      const service = newService();
      const controller = new AbortController();
      const job = context(controller.signal);
      const { progress } = job;
      job.progress = (name, done, total) => {
        progress(name, done, total);
        if (name === stage && done > 0) {
          controller.abort();
        }
      };
      const cancelled = train(service, images, { forest: { trees: 2000 }, context: job });
      await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
      expect(job.said.some(([name, done, total]) => name === 'growing trees' && done === total)).toBe(false);
      const trained = await train(service, images);
      const { prediction } = await apply(service, trained, images);
      expect(agreement(prediction, images.truth)).toBeGreaterThan(0.95);
    }
  );

  it('reports a missing or truncated array, and works again afterwards', async () => {
    const images = sample(64, 64);
    const service = newService();
    const short = { ...images.image, shape: [1, 640, 64, 1] };
    const labels = folder.array('uint8', [1, 640, 64], [4, 9]);
    await expect(train(service, { image: short, labels })).rejects.toThrow(/is not the file that was made for it/);
    const gone = sample(64, 64);
    rmSync(gone.image.path);
    await expect(train(service, gone)).rejects.toThrow(/ENOENT/);
    expect((await train(service, images)).samples).toBeGreaterThan(0);
  });
});
