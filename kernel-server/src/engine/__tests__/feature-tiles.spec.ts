/** Which features are computed, which are kept, and how one of them looks. */
import { renameSync } from 'node:fs';
import { LABEL_TILE } from '../../../../src/shared/limits';
import { EngineService } from '../service';
import { specOfChannel } from '../feature-previews';
import { spreadTiles, tileSide } from '../feature-tiles';
import { agreement, context, EngineBench, IMicrograph, someRows } from '../../__tests__/support/engine';

const bench = new EngineBench();
const { folder } = bench;

afterAll(async () => bench.dispose());

/** Take the pixels away: nothing can be computed any more. */
function hide(...images: IMicrograph[]): void {
  images.forEach(({ image }) => renameSync(image.path, `${image.path}-hidden`));
}

function show(...images: IMicrograph[]): void {
  images.forEach(({ image }) => renameSync(`${image.path}-hidden`, image.path));
}

/** Labels of some rows, none left of a column. */
function labelsFrom({ truth, shape }: IMicrograph, column: number, step = 16) {
  const [, , columns] = shape;
  const some = someRows(truth, columns, step);
  return folder.array(
    'uint8',
    shape,
    some.map((id, i) => (i % columns < column ? 0 : id))
  );
}

const noLabels = ({ shape }: IMicrograph) => folder.array('uint8', shape);

describe('Training on several images', () => {
  const images = [bench.micrograph(280, 300), bench.micrograph(90, 70), bench.micrograph(64, 300)] as const;
  const [first, second, third] = images;
  const others = (...labels: [typeof first.labels, typeof first.labels]) => [
    { image: second.image, labels: labels[0], cacheKey: second.image.path },
    { image: third.image, labels: labels[1], cacheKey: third.image.path }
  ];

  it('gives one classifier that segments every image, labelled or not, the same on any number of threads', async () => {
    const one = bench.service({ threads: 1 });
    const two = bench.service();
    const labels = labelsFrom(first, 150);
    const request = { image: first.image, labels };
    const options = { others: others(second.labels, noLabels(third)), cacheKey: first.image.path };
    const trained = await bench.train(two, request, options);
    const count = (array: typeof labels) => folder.read(array).filter(id => id > 0).length;
    expect(trained.samples).toBe(count(labels) + count(second.labels));
    for (const image of images) {
      const { prediction } = await bench.apply(two, trained, image, image.image.path);
      expect(agreement(prediction, image.truth)).toBeGreaterThan(0.95);
    }
    expect(Buffer.from((await bench.train(one, request, options)).json).equals(Buffer.from(trained.json))).toBe(true);
  });

  it('computes no feature twice, neither for more labels nor for the first labels of an image', async () => {
    const service = bench.service();
    const request = { image: first.image, labels: labelsFrom(first, 150) };
    const trained = await bench.train(service, request, { others: others(second.labels, noLabels(third)) });
    for (const image of images) {
      await bench.apply(service, trained, image, image.image.path);
    }
    hide(...images);
    try {
      const more = { image: first.image, labels: labelsFrom(first, 0, 8) };
      const again = await bench.train(service, more, { others: others(second.labels, third.labels) });
      for (const image of images) {
        const { prediction } = await bench.apply(service, again, image, image.image.path);
        expect(agreement(prediction, image.truth)).toBeGreaterThan(0.95);
      }
    } finally {
      show(...images);
    }
  });

  it('requires the same number of channels in all images', async () => {
    const colour = bench.micrograph(40, 40, 3);
    const attempt = bench.train(bench.service(), first, { others: [{ ...colour, cacheKey: 'colour' }] });
    await expect(attempt).rejects.toMatchObject({ code: 'invalid', message: expect.stringMatching(/1 channels.* 3/) });
  });

  it('accepts a class that has labels in one image or one slice only', async () => {
    const service = bench.service();
    const only = (id: number, { labels, shape }: IMicrograph) =>
      folder.array(
        'uint8',
        shape,
        folder.read(labels).map(value => (value === id ? id : 0))
      );
    const trained = await bench.train(
      service,
      { image: first.image, labels: only(4, first) },
      { others: others(only(9, second), noLabels(third)) }
    );
    const { prediction } = await bench.apply(service, trained, third);
    expect(agreement(prediction, third.truth)).toBeGreaterThan(0.95);

    const pixels = folder.read(third.image);
    const image = folder.array('uint8', [2, 64, 300, 1], [...pixels, ...pixels]);
    const drawn = (id: number) => [...folder.read(only(id, third))];
    const labels = folder.array('uint8', [2, 64, 300], [...drawn(4), ...drawn(9)]);
    const stacked = await bench.train(service, { image, labels });
    const shape: [number, number, number] = [2, 64, 300];
    const both = { image, labels, truth: third.truth, shape };
    const result = await bench.apply(service, stacked, both);
    expect(agreement(result.prediction.slice(0, 64 * 300), third.truth)).toBeGreaterThan(0.95);
  });
});

describe('A cache that is smaller than the image', () => {
  const wide = bench.micrograph(60, 8 * 256);
  const tile = 58 * 60 * 256;

  it('keeps the training tiles when the whole image is segmented, and drops them for another image', async () => {
    const service = bench.service({ cacheBytes: 3 * tile });
    const labels = labelsFrom(wide, 6 * 256);
    const trained = await bench.train(service, { image: wide.image, labels });
    const { prediction } = await bench.apply(service, trained, wide, wide.image.path);
    expect(agreement(prediction, wide.truth)).toBeGreaterThan(0.95);
    expect(service.cachedBytes).toBeLessThanOrEqual(3 * tile);
    hide(wide);
    try {
      await bench.train(service, { image: wide.image, labels: labelsFrom(wide, 6 * 256, 8) });
    } finally {
      show(wide);
    }
    await bench.train(service, bench.micrograph(60, 3 * 256));
    hide(wide);
    try {
      await expect(bench.train(service, { image: wide.image, labels })).rejects.toThrow(/ENOENT/);
    } finally {
      show(wide);
    }
  });

  it('replaces tiles that were only segmented by newly labelled tiles', async () => {
    const service = bench.service({ cacheBytes: 3 * tile });
    const right = labelsFrom(wide, 7 * 256);
    const trained = await bench.train(service, { image: wide.image, labels: right });
    await bench.apply(service, trained, wide, wide.image.path);
    const more = labelsFrom(wide, 5 * 256);
    await bench.train(service, { image: wide.image, labels: more });
    hide(wide);
    try {
      await bench.train(service, { image: wide.image, labels: more });
    } finally {
      show(wide);
    }
  });
});

describe('Tiles', () => {
  it('are smaller if a thread could not hold all features of a larger tile', () => {
    for (const features of [1, 58, 256, 257, 1024, 2048]) {
      const side = tileSide(features);
      expect(side % 4).toBe(0);
      expect(side * side * features * 4).toBeLessThanOrEqual(64 << 20);
    }
    expect([tileSide(58), tileSide(2048)]).toEqual([256, 64]);
  });

  it('are spread over all slices of all images', () => {
    const image = (slices: number) => ({ image: { ...wideArray, shape: [slices, 300, 300, 1] } });
    const wideArray = folder.array('uint8', [1]);
    const sources = [image(3), image(1), image(20)];
    const tiles = spreadTiles(sources, 24, 256);
    expect(tiles).toHaveLength(24);
    expect(new Set(tiles.map(({ source }) => source)).size).toBe(3);
    expect(new Set(tiles.map(({ slice }) => slice)).size).toBeGreaterThan(15);
    tiles.forEach(({ source, slice }) => expect(slice).toBeLessThan(source.image.shape[0]!));
    expect(spreadTiles([image(1)], 24, 256)).toHaveLength(4);
  });
});

describe('The preview of a feature', () => {
  const service: EngineService = bench.service();

  it.each([
    ['the set samba', 1, {}],
    ['the set weka', 1, { set: 'weka' }],
    ['colours', 3, { sigmas: [1, 2, 4] }],
    ['luminance', 3, { sigmas: [1], color: 'luminance' }],
    ['scales of its own', 1, { gaussian: { sigmas: [3, 5] }, hessian: { sigmas: [2] } }]
  ] as [string, number, object][])(
    'has the values of the stack, every channel of it: %s',
    async (_, channels, partial) => {
      const { image } = bench.micrograph(30, 41, channels);
      const spec = service.featureSpec({ set: 'samba', ...partial });
      const names = service.featureNames(spec, channels);
      const out = folder.array('float32', [1, 30, 41, names.length]);
      await service.features(image, 0, spec, out, context());
      const values = folder.read(out);
      for (const [channel, name] of names.entries()) {
        const request = { image, slice: 0, spec, channel, tiles: [{ row: 0, column: 0 }], cacheKey: image.path };
        const shown = await service.featureTiles(request, context());
        expect(shown.name).toBe(name);
        expect(shown.tiles).toHaveLength(1);
        const expected = new Uint8ClampedArray(LABEL_TILE ** 2);
        for (let i = 0; i < 30 * 41; i++) {
          const value = values[i * names.length + channel]!;
          const { low, high } = shown;
          expected[Math.floor(i / 41) * LABEL_TILE + (i % 41)] = ((value - low) / (high - low)) * 255;
        }
        expect(Buffer.from(shown.tiles[0]!).equals(Buffer.from(expected.buffer))).toBe(true);
      }
    }
  );

  it('is black and white at the 1st and 99th percentile, over all tiles and slices', async () => {
    const pixels = Float32Array.from({ length: 2 * 300 * 700 }, (_, i) => ((i * 7919) % 100003) / 100003);
    const image = folder.array('float32', [2, 300, 700, 1], pixels);
    const spec = service.featureSpec({ set: 'samba' });
    const all = [0, 1, 2].flatMap(column => [0, 1].map(row => ({ row, column })));
    const request = { image, slice: 1, spec, channel: 0, tiles: all, cacheKey: image.path };
    const { low, high, tiles } = await service.featureTiles(request, context());
    expect(low).toBeCloseTo(0.01, 2);
    expect(high).toBeCloseTo(0.99, 2);
    const place = (row: number, column: number) => {
      const tile = all.findIndex(({ row: r, column: c }) => r === row >> 8 && c === column >> 8);
      return tiles[tile]![(row & 255) * 256 + (column & 255)]!;
    };
    for (const [row, column] of [
      [0, 0],
      [299, 699],
      [255, 256],
      [256, 511]
    ] as const) {
      const value = pixels[(300 + row) * 700 + column]!;
      const byte = Math.min(255, Math.max(0, ((value - low) / (high - low)) * 255));
      expect(Math.abs(place(row, column) - byte)).toBeLessThanOrEqual(0.5);
    }
    expect(tiles[all.findIndex(({ row, column }) => row === 1 && column === 0)]![60 * 256]).toBe(0); // below the image
  });

  it('is black if the feature is constant', async () => {
    const image = folder.array('uint16', [1, 20, 20, 1], new Uint16Array(400).fill(700));
    const request = { image, slice: 0, spec: service.featureSpec({ set: 'samba' }), channel: 0, cacheKey: image.path };
    const shown = await service.featureTiles({ ...request, tiles: [{ row: 0, column: 0 }] }, context());
    expect(shown.low).toBe(700);
    expect(shown.high).toBeGreaterThan(700);
    expect(shown.tiles[0]!.every(byte => byte === 0)).toBe(true);
  });

  it('computes that feature alone, and is cached', async () => {
    const spec = service.featureSpec({ set: 'samba' });
    for (const [channel, name] of service.featureNames(spec, 1).entries()) {
      const alone = specOfChannel(spec, 1, channel);
      const names = service.featureNames(alone.spec, 1);
      expect(names[alone.channel]).toBe(name);
      expect(names.length).toBeLessThan(14);
    }
    const images = bench.micrograph(30, 40);
    const request = { image: images.image, slice: 0, spec, channel: 7, cacheKey: images.image.path };
    const first = await service.featureTiles({ ...request, tiles: [{ row: 0, column: 0 }] }, context());
    hide(images);
    expect(await service.featureTiles({ ...request, tiles: [{ row: 0, column: 0 }] }, context())).toEqual(first);
  });

  it('is refused with the wrong channel, tile or slice named, and stops when it is cancelled', async () => {
    const { image } = bench.micrograph(30, 40);
    const request = { image, slice: 0, spec: service.featureSpec({ set: 'samba' }), channel: 0, cacheKey: image.path };
    const tiles = [{ row: 0, column: 0 }];
    const invalid = (message: RegExp) => ({ code: 'invalid', message: expect.stringMatching(message) });
    const ask = async (more: object) => service.featureTiles({ ...request, tiles, ...more }, context());
    await expect(ask({ channel: 58 })).rejects.toMatchObject(invalid(/no feature 58; there are 58, counted from 0/));
    await expect(ask({ tiles: [{ row: 0, column: 1 }] })).rejects.toMatchObject(
      invalid(/\(0, 1\) is outside; .* 1 × 1/)
    );
    await expect(ask({ slice: 1 })).rejects.toMatchObject(invalid(/no slice 1/));
    const stopped = service.featureTiles({ ...request, tiles }, context(AbortSignal.abort()));
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  });
});
