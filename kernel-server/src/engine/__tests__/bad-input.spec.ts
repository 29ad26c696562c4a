/** Invalid input is refused by name; unusual but valid input works. The real engine, through the sidecar. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { FEATURE_FAMILIES } from '../../../../src/shared/features';
import { LABEL_TILE } from '../../../../src/shared/limits';
import { Dtype, SessionState } from '../../../../src/shared/protocol';
import { allocate } from '../../arrays/dtypes';
import { EngineService } from '../service';
import { TestClient } from '../../__tests__/support/client';
import { EngineBench } from '../../__tests__/support/engine';
import { Home } from '../../__tests__/support/home';
import { bytesOf, CLASSES, histogram } from '../../__tests__/support/images';

const bench = new EngineBench();
let home: Home<EngineService>;
let client: TestClient;

beforeAll(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  home = await new Home(bench.service()).start();
  client = await home.connect();
});

afterAll(async () => {
  await home.dispose();
  await bench.dispose();
  jest.restoreAllMocks();
});

let images = 0;

/** A session with this image, and labels: 1 in the upper left half of the pixels and 2 in the rest, or as given. */
async function open(
  dtype: Dtype,
  shape: [number, number, number, 1 | 3],
  value: (i: number) => number,
  labels: (i: number, count: number) => number = (i, count) => (i < count / 2 ? 1 : 2)
): Promise<SessionState> {
  const [slices, rows, columns, channels] = shape;
  const count = slices * rows * columns;
  const pixels = allocate(dtype, count * channels).map((_: number, i: number) => value(i)) as Uint8Array;
  const key = `image ${images++}`;
  const image = {
    shape,
    dtype,
    digest: createHash('sha256').update(key).digest('hex'),
    display: { low: 0, high: 255 }
  };
  const opened = await client.request('session.open', {
    key,
    title: key,
    image,
    classes: CLASSES,
    keepClasses: false,
    fresh: false
  });
  const bytes = new Uint8Array(pixels.buffer);
  writeFileSync(opened.arrays['image']!.path, bytes, { flag: 'r+' });
  const { session } = await client.request('image.ready', { session: opened.session });
  const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: shape.slice(0, 3) });
  writeFileSync(
    array.path,
    Uint8Array.from({ length: count }, (_, i) => labels(i, count)),
    { flag: 'r+' }
  );
  await client.request('labels.set', { session, staged });
  await client.request('array.release', { staged });
  return client.request('session.attach', { session });
}

function floats(state: SessionState, name: string): Float32Array {
  return new Float32Array(new Uint8Array(readFileSync(state.arrays[name]!.path)).buffer);
}

/** Train, and see that every pixel has a class, and probabilities that add up to 1. */
async function trainWholly(session: string, features: object, trees = 5): Promise<SessionState> {
  await client.request('train', { session, features: { ...features }, forest: { trees } });
  const state = await client.request('segment', { session, arrays: ['probabilities', 'uncertainty'] });
  const pixels = state.image.shape.slice(0, 3).reduce((product, n) => product * n);
  const counts = histogram(bytesOf(state.arrays['prediction']!));
  expect((counts[1] ?? 0) + (counts[2] ?? 0)).toBe(pixels);
  const probabilities = floats(state, 'probabilities');
  expect(probabilities.length).toBe(pixels * 2);
  for (let i = 0; i < pixels; i++) {
    expect(probabilities[2 * i]! + probabilities[2 * i + 1]!).toBeCloseTo(1, 5);
  }
  return state;
}

const invalid = (message: RegExp) => ({ code: 'invalid', message: expect.stringMatching(message) });
const all = Object.fromEntries(FEATURE_FAMILIES.map(({ name }) => [name, true]));
const SETS: [string, object][] = [
  ['the set samba', { set: 'samba' }],
  ['the set sam', {}],
  ['the set weka', { set: 'weka' }],
  ['all families', { set: 'samba', ...all, sigmas: [1, 4] }]
];

describe.each(SETS)('Images smaller than the halo and the patch, with %s', (_, features) => {
  it.each([
    [1, 2],
    [2, 1],
    [3, 700],
    [300, 1],
    [5, 5]
  ])('are trained on, segmented and shown: %i × %i', async (rows, columns) => {
    const { session } = await open('uint8', [1, rows, columns, 1], i => (i * 37) % 251);
    const state = await trainWholly(session, features);
    const last = state.segmentation!.classifier.features.length - 1;
    const tiles = [{ row: Math.floor((rows - 1) / LABEL_TILE), column: Math.floor((columns - 1) / LABEL_TILE) }];
    const shown = await client.request('feature.tiles', { session, slice: 0, channel: last, tiles });
    expect(shown.name).toBe(state.segmentation!.classifier.features[last]);
    expect(Number.isFinite(shown.low) && shown.low < shown.high).toBe(true);
  });
});

describe.each(SETS)('Odd pixels, with %s', (_, features) => {
  it.each<[string, Dtype, (i: number) => number]>([
    ['constant', 'uint8', () => 128],
    ['constant and large', 'float64', () => 1e300],
    ['floats of all sizes', 'float32', i => (i % 2 ? 1 : -1) * 10 ** ((i % 76) - 38)],
    ['the largest floats', 'float32', i => (i % 3 ? 3.4e38 : -3.4e38)],
    ['the smallest floats', 'float32', i => (i % 7) * 1e-45],
    ['floats without a meaning', 'float32', i => [0, NaN, Infinity, -Infinity][i % 4]!],
    ['the ends of 32 bits', 'int32', i => (i % 2 ? 2 ** 31 - 1 : -(2 ** 31))]
  ])('make a classifier like any other: %s', async (__, dtype, value) => {
    const { session } = await open(dtype, [1, 20, 30, 1], value);
    await trainWholly(session, features);
  });
});

describe('A constant image', () => {
  it('gives both classes the probability one half', async () => {
    const { session } = await open('uint16', [1, 10, 10, 1], () => 7);
    const state = await trainWholly(session, {}, 50);
    floats(state, 'probabilities').forEach(probability => expect(Math.abs(probability - 0.5)).toBeLessThan(0.2));
  });
});

describe('Bad input is refused:', () => {
  it.each<[object, RegExp]>([
    [{ nonsense: true }, /features\.nonsense is not known; .*gaussian/],
    [{ sigmas: [0.01] }, /features\.sigmas\.0 is 0\.01; a number from 0\.1 to 64/],
    [{ sigmas: [1, 100] }, /features\.sigmas\.1 is 100; a number from 0\.1 to 64/],
    [{ sigmas: [4, 2] }, /\[4,2\]; numbers that ascend/],
    [{ membrane: { patch: 18 } }, /features\.membrane\.patch is 18; an odd number/],
    [{ membrane: { patch: 5, thickness: 7 } }, /thickness is 7; a number below patch, 5/],
    [{ set: 'best' }, /features\.set is "best"; sam, samba, weka will do/],
    [{ entropy: { bins: [1e9] } }, /entropy\.bins/]
  ])('features %j', async (features, message) => {
    const { session, choice } = await open('uint8', [1, 4, 4, 1], i => i);
    const asked = { session, features: { ...features } };
    const tiles = [{ row: 0, column: 0 }];
    await expect(client.request('train', asked)).rejects.toMatchObject(invalid(message));
    await expect(client.request('session.choice', asked)).rejects.toMatchObject(invalid(message));
    await expect(client.request('features', { ...asked, slice: 0 })).rejects.toMatchObject(invalid(message));
    await expect(client.request('feature.tiles', { ...asked, slice: 0, channel: 0, tiles })).rejects.toMatchObject(
      invalid(message)
    );
    expect((await client.request('session.attach', { session })).choice).toEqual(choice);
  });

  it('a forest without trees, or an unknown preset', async () => {
    const { session } = await open('uint8', [1, 4, 4, 1], i => i);
    await expect(client.request('train', { session, forest: { trees: 0 } })).rejects.toMatchObject(
      invalid(/forest\.trees/)
    );
    const preset = 'best' as 'deep';
    await expect(client.request('train', { session, forest: { preset } })).rejects.toMatchObject(
      invalid(/forest\.preset/)
    );
  });

  it('labels of only one class, or no labels', async () => {
    const one = await open(
      'uint8',
      [1, 4, 4, 1],
      i => i,
      () => 2
    );
    await expect(client.request('train', { session: one.session })).rejects.toMatchObject({
      code: 'not-ready',
      message: expect.stringMatching(/Only class 2 \(precipitate\) has labels/)
    });
    const none = await open(
      'uint8',
      [1, 4, 4, 1],
      i => i,
      () => 0
    );
    await expect(client.request('train', { session: none.session })).rejects.toMatchObject({
      code: 'not-ready',
      message: expect.stringMatching(/no labels/)
    });
  });

  it('a classifier of another number of channels, and a damaged one', async () => {
    const grey = await open('uint8', [1, 20, 20, 1], i => i % 256);
    const colour = await open('uint8', [1, 20, 20, 3], i => i % 256);
    await client.request('train', { session: grey.session, forest: { trees: 3 } });
    const { buffers } = await client.request('classifier.get', { session: grey.session });
    const load = (bytes: Uint8Array[]) =>
      client.request('classifier.load', { session: colour.session }, { buffers: bytes });
    await expect(load(buffers)).rejects.toMatchObject(
      invalid(/image has 3 channels, the classifier was trained on images with 1/)
    );
    const half = [buffers[0]!.subarray(0, buffers[0]!.length / 2)];
    await expect(load(half)).rejects.toMatchObject({ code: 'invalid' });
    expect((await client.request('session.attach', { session: colour.session })).segmentation).toBeNull();
  });
});

describe('A loaded classifier', () => {
  it('gives the segmentation of its own session, and sets the features and the forest of the next training', async () => {
    const first = await open('uint8', [1, 60, 70, 1], i => (i * 31) % 256);
    const other = await open(
      'uint8',
      [2, 60, 70, 1],
      i => ((i % 4200) * 31) % 256,
      () => 0
    );
    const trained = await trainWholly(first.session, { sigmas: [1, 2] }, 9);
    const { buffers } = await client.request('classifier.export', { session: first.session, format: 'json' });
    const loaded = await client.request('classifier.load', { session: other.session }, { buffers });
    const prediction = bytesOf(trained.arrays['prediction']!);
    expect(bytesOf(loaded.arrays['segmentation']!)).toEqual(Uint8Array.from([...prediction, ...prediction]));
    const { seconds } = loaded.segmentation!.classifier;
    const expected = { ...trained.segmentation!.classifier, labelsVersion: 0, seconds };
    expect(loaded.segmentation!.classifier).toEqual(expected);
    expect(loaded.choice).toMatchObject({ features: { sigmas: [1, 2] }, forest: { trees: 9 } });
  });

  it('notes an image of another dtype and grey range, unless it standardises pixels', async () => {
    const first = await open('uint8', [1, 60, 70, 1], i => (i * 31) % 256);
    const wide = await open(
      'uint16',
      [1, 60, 70, 1],
      i => ((i * 31) % 256) * 200,
      () => 0
    );
    for (const standardise of [false, true]) {
      await trainWholly(first.session, { set: 'samba', sigmas: [1, 2], standardise }, 3);
      const { buffers } = await client.request('classifier.export', { session: first.session, format: 'json' });
      const same = await client.request('classifier.load', { session: first.session }, { buffers });
      expect(same.segmentation!.classifier.note).toBe('');
      const loaded = await client.request('classifier.load', { session: wide.session }, { buffers });
      const said = /trained on images of uint8 with grey values from 0 to 255; this image is uint16 from 0 to 5\.?\d*/;
      expect(loaded.segmentation!.classifier.note).toMatch(standardise ? /^$/ : said);
    }
  });
});
