/** Features of an embedding: when a slice is encoded, what is kept, and that it helps. */
import { renameSync } from 'node:fs';
import { IBasisLayer, IEmbeddingBasis, ILayerMaps } from '../../../../engine';
import { LABEL_TILE } from '../../../../src/shared/limits';
import { IImageMaps } from '../../jobs/services';
import { agreement, context, EngineBench, someRows } from '../../__tests__/support/engine';

const bench = new EngineBench();
const { folder } = bench;

afterAll(async () => bench.dispose());

const CELL = 16;
const few = { set: 'samba', sigmas: [1], hessian: false, membrane: false, differenceOfGaussians: false };
const withLayers = (...components: number[]) => ({
  ...few,
  embedding: {
    window: 1024,
    layers: components.map((count, i) => ({ layer: ['output', 'stage1'][i]!, components: count }))
  }
});

function basisOf(seed: number, ...components: number[]): IEmbeddingBasis {
  const layers = components.map((count, i): IBasisLayer => ({
    layer: ['output', 'stage1'][i]!,
    channels: 3,
    components: count,
    mean: Float32Array.of(1, 2, 3),
    matrix: new Float32Array(count * 3).fill(seed)
  }));
  return { model: 'mobile-sam', digest: 'ab'.repeat(32), layers };
}

interface ICounted extends IImageMaps {
  asked: number[];
}

/** An embedding whose first component is that of the image's left or right half, others noise; it counts what it is asked for. */
function embeddingOf(rows: number, columns: number, { seed = 1, components = [2] } = {}): ICounted {
  const asked: number[] = [];
  return {
    asked,
    basis: basisOf(seed, ...components),
    slice: async slice => {
      asked.push(slice);
      return components.map((count): ILayerMaps => {
        const [gridRows, gridColumns] = [Math.ceil(rows / CELL), Math.ceil(columns / CELL)];
        const data = new Float32Array(new SharedArrayBuffer(count * gridRows * gridColumns * 4));
        data.forEach((_, i) => {
          const right = i % gridColumns >= gridColumns / 2;
          data[i] = i < gridRows * gridColumns ? (right ? 1 : -1) * seed : ((i * 7919) % 101) / 101 + slice;
        });
        return { data, components: count, rows: gridRows, columns: gridColumns, cell: CELL };
      });
    }
  };
}

/** Flat noise whose halves are two classes: the families cannot tell them apart, the embedding can. */
function halves(rows: number, columns: number, slices = 1, labelled = [0]) {
  const count = slices * rows * columns;
  const truth = Uint8Array.from({ length: count }, (_, i) => (i % columns < columns / 2 ? 4 : 9));
  let state = 7;
  const pixels = truth.map(() => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % 200);
  const drawn = someRows(truth, columns).map((id, i) => (labelled.includes(Math.floor(i / (rows * columns))) ? id : 0));
  return {
    image: folder.array('uint8', [slices, rows, columns, 1], pixels),
    labels: folder.array('uint8', [slices, rows, columns], drawn),
    truth,
    shape: [slices, rows, columns] as [number, number, number]
  };
}

describe('A classifier that uses an embedding', () => {
  it('separates classes that the families cannot, with equal results from its JSON, from its handle, and without cached features', async () => {
    const images = halves(280, 300);
    const service = bench.service();
    const embedding = embeddingOf(280, 300);
    const without = await bench.train(service, images, { features: few });
    expect(agreement((await bench.apply(service, without, images)).prediction, images.truth)).toBeLessThan(0.7);
    const trained = await bench.train(service, images, { features: withLayers(2), embedding });
    expect(trained.featureNames.slice(-2)).toEqual(['SAM 1', 'SAM 2']);
    expect(service.basisOf(trained)).toEqual(embedding.basis);
    expect(service.describe(trained).info.embedding).toEqual({ model: 'mobile-sam', digest: 'ab'.repeat(32) });
    const result = await bench.apply(service, trained, images, images.image.path, embedding);
    expect(agreement(result.prediction, images.truth)).toBeGreaterThan(0.97);
    const fresh = bench.service({ threads: 1 });
    expect(await bench.apply(fresh, trained, images, undefined, embedding)).toEqual(result);
    const prediction = folder.array('uint8', images.shape);
    const { image } = images;
    await service.apply({ classifier: trained, image, slice: 0, out: { prediction }, embedding }, context());
    expect(folder.read(prediction)).toEqual(result.prediction);
    const again = await bench.train(fresh, images, { features: withLayers(2), embedding });
    expect(Buffer.from(again.json).equals(Buffer.from(trained.json))).toBe(true);
  });

  it('encodes only labelled slices for training, each slice before its segmentation, and no slice whose features are cached', async () => {
    const images = halves(64, 80, 5, [1, 3]);
    const embedding = embeddingOf(64, 80);
    const service = bench.service();
    const trained = await bench.train(service, images, { features: withLayers(2), embedding });
    expect([...new Set(embedding.asked)].sort()).toEqual([1, 3]);
    const out = { prediction: folder.array('uint8', images.shape) };
    const apply = async (slice: number) => {
      embedding.asked.length = 0;
      const request = { classifier: trained, image: images.image, slice, out, cacheKey: images.image.path, embedding };
      await service.apply(request, context());
      return embedding.asked;
    };
    expect(await apply(1)).toEqual([]);
    expect(await apply(4)).toEqual([4]);
    expect(await apply(4)).toEqual([]);
    const part = 64 * 80;
    for (const slice of [1, 4]) {
      const own = folder.read(out.prediction).slice(slice * part, slice * part + part);
      expect(agreement(own, images.truth.slice(0, part))).toBeGreaterThan(0.95);
    }
    embedding.asked.length = 0;
    await bench.train(service, images, { features: withLayers(2), embedding });
    expect(embedding.asked).toEqual([]);
  });

  it('depends on the labels, not on the order in which slices were labelled', async () => {
    const [few1, many] = [halves(64, 80, 4, [2]), halves(64, 80, 4, [0, 2])];
    const service = bench.service();
    const embedding = embeddingOf(64, 80);
    const options = { features: withLayers(2), embedding, cacheKey: 'order' };
    await bench.train(service, { image: many.image, labels: few1.labels }, options);
    const later = await bench.train(service, many, options);
    const atOnce = await bench.train(bench.service(), many, options);
    expect(Buffer.from(later.json).equals(Buffer.from(atOnce.json))).toBe(true);
  });

  it('does not recompute the families when the embedding arrives late or is replaced', async () => {
    const images = halves(280, 300);
    const service = bench.service();
    const cacheKey = images.image.path;
    await bench.train(service, images, { features: few });
    const kept = service.cachedBytes;
    renameSync(images.image.path, `${images.image.path}-hidden`);
    try {
      for (const seed of [1, 2]) {
        const embedding = embeddingOf(280, 300, { seed, components: [2, 3] });
        const trained = await bench.train(service, images, { features: withLayers(2, 3), embedding });
        const { prediction } = await bench.apply(service, trained, images, cacheKey, embedding);
        expect(agreement(prediction, images.truth)).toBeGreaterThan(0.97);
      }
    } finally {
      renameSync(`${images.image.path}-hidden`, images.image.path);
    }
    expect(service.cachedBytes).toBe(kept + (2 * 5 * kept) / service.featureNames(service.featureSpec(few), 1).length);
  });

  it('passes on an error of the embedding, and works again afterwards', async () => {
    const images = halves(64, 80);
    const service = bench.service();
    const good = embeddingOf(64, 80);
    const broken = { basis: good.basis, slice: async () => Promise.reject(new Error('no memory on the device')) };
    const features = withLayers(2);
    await expect(bench.train(service, images, { features, embedding: broken })).rejects.toThrow(/no memory/);
    const trained = await bench.train(service, images, { features, embedding: good });
    await expect(bench.apply(service, trained, images, 'other', broken)).rejects.toThrow(/no memory/);
    expect(
      agreement((await bench.apply(service, trained, images, 'other', good)).prediction, images.truth)
    ).toBeGreaterThan(0.95);
  });

  it('is refused without an embedding, with another basis, or with other layers', async () => {
    const images = halves(64, 80);
    const service = bench.service();
    const embedding = embeddingOf(64, 80);
    const internal = (message: RegExp) => ({ code: 'internal', message: expect.stringMatching(message) });
    const train = async (options: object) => bench.train(service, images, { features: withLayers(2), ...options });
    await expect(train({})).rejects.toMatchObject(internal(/embedding of every image/));
    await expect(train({ embedding: { ...embedding, basis: basisOf(1, 3) } })).rejects.toMatchObject(
      internal(/embedding of output: 2; output: 3 is given/)
    );
    const second = { ...halves(64, 80), cacheKey: 'second', embedding: embeddingOf(64, 80, { seed: 2 }) };
    await expect(train({ embedding, others: [second] })).rejects.toMatchObject(internal(/in the same way/));
    const trained = await train({ embedding });
    await expect(bench.apply(service, trained, images, 'none')).rejects.toMatchObject(internal(/has none/));
    await expect(bench.apply(service, trained, images, 'none', second.embedding)).rejects.toMatchObject(
      internal(/another basis/)
    );
  });

  it('gives its features as an array and as an overlay of one slice', async () => {
    const images = halves(40, 70, 3);
    const service = bench.service();
    const embedding = embeddingOf(40, 70);
    const spec = service.featureSpec(withLayers(2));
    const names = service.featureNames(spec, 1);
    const out = folder.array('float32', [1, 40, 70, names.length]);
    await service.features(images.image, 2, spec, out, context(), embedding);
    const values = folder.read(out);
    expect(values[names.length - 2]).toBe(-1);
    expect(values.at(-2)).toBe(1);
    for (const channel of [0, names.length - 1]) {
      embedding.asked.length = 0;
      const request = {
        image: images.image,
        slice: 2,
        spec,
        channel,
        tiles: [{ row: 0, column: 0 }],
        cacheKey: 'shown'
      };
      const { name, low, high, tiles } = await service.featureTiles({ ...request, embedding }, context());
      expect(name).toBe(names[channel]);
      expect(embedding.asked).toEqual(channel === 0 ? [] : [2]);
      const expected = new Uint8ClampedArray(1);
      for (let i = 0; i < 40 * 70; i++) {
        expected[0] = ((values[i * names.length + channel]! - low) / (high - low)) * 255;
        expect(tiles[0]![Math.floor(i / 70) * LABEL_TILE + (i % 70)]).toBe(expected[0]);
      }
    }
  });
});

describe('A region of a slice', () => {
  const images = bench.micrograph(600, 530);

  it('can be segmented first and the rest later: together they equal the whole segmented at once', async () => {
    const service = bench.service();
    const trained = await bench.train(service, images);
    const whole = await bench.apply(service, trained, images);
    const out = { prediction: folder.array('uint8', images.shape) };
    const region = { row0: 250, row1: 300, column0: 0, column1: 100 };
    const request = { classifier: trained, image: images.image, slice: 0, out };
    const first: unknown[] = [];
    await service.apply({ ...request, region, written: tile => first.push(tile) }, context());
    const tile = (row0: number, column0: number) => ({
      row0,
      row1: Math.min(600, row0 + 256),
      column0,
      column1: Math.min(530, column0 + 256)
    });
    expect(first).toHaveLength(2);
    expect(first).toEqual(expect.arrayContaining([tile(0, 0), tile(256, 0)]));
    const half = folder.read(out.prediction);
    half.forEach((id, i) => {
      const inside = i < 512 * 530 && i % 530 < 256;
      if (id !== (inside ? whole.prediction[i] : 0)) {
        throw new Error(`pixel ${i}: ${id}`);
      }
    });
    const rest: unknown[] = [];
    const job = context();
    await service.apply({ ...request, skip: [region], written: item => rest.push(item) }, job);
    expect(rest).toHaveLength(7);
    expect(job.said.at(-1)).toEqual(['segmenting', 7, 7]);
    expect(folder.read(out.prediction)).toEqual(whole.prediction);
  });

  it('needs no work if it lies outside the image or is skipped as a whole', async () => {
    const service = bench.service();
    const trained = await bench.train(service, images);
    const out = { prediction: folder.array('uint8', images.shape) };
    const all = { row0: 0, row1: 600, column0: 0, column1: 530 };
    const request = { classifier: trained, image: images.image, slice: 0, out };
    await service.apply({ ...request, region: { ...all, row0: 600, row1: 700 } }, context());
    await service.apply(
      {
        ...request,
        skip: [
          { ...all, row1: 300 },
          { ...all, row0: 300 }
        ]
      },
      context()
    );
    expect(folder.read(out.prediction).some(id => id !== 0)).toBe(false);
  });
});
