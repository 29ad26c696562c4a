/** Classifiers of sessions: what is chosen, several sessions at once, files, results that are computed at the first request. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { EventParams, LabelClass } from '../../../../src/shared/protocol';
import { TestClient } from '../../__tests__/support/client';
import { Home, label } from '../../__tests__/support/home';
import { EngineService } from '../../__tests__/support/small-engine';
import { Segmentation } from '../../session/segmentation';
import {
  bytesOf,
  CLASSES,
  halves,
  histogram,
  inflateTile,
  openSession,
  rectangle
} from '../../__tests__/support/images';

let home: Home<EngineService>;
let client: TestClient;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  home = await new Home(new EngineService()).start();
  client = await home.connect();
});

afterEach(async () => {
  await home.dispose();
  jest.restoreAllMocks();
});

const invalid = (message: RegExp) => ({ code: 'invalid', message: expect.stringMatching(message) });
const event = (name: string, session: string) => (heard: { event?: string; params?: unknown }) =>
  heard.event === name && (heard.params as { session: string }).session === session;

/** A classifier's file of the small engine. */
function file(classes: LabelClass[], means: number[]): Uint8Array[] {
  return [Buffer.from(JSON.stringify({ classes, means }))];
}

describe('The choice for the next training', () => {
  it('is sent to all peers, used by a training without parameters, and replaced by a training with parameters', async () => {
    const page = await home.connect('relay');
    const { session, choice } = await openSession(client);
    expect(choice).toEqual({ features: {}, forest: {} });
    await page.request('session.attach', { session });
    await label(client, session);
    const chosen = await page.request('session.choice', { session, features: { sigmas: [2] } });
    expect(chosen.choice).toEqual({ features: home.engine.featureSpec({ sigmas: [2] }), forest: {} });
    const told = await client.hear(
      heard => event('session', session)(heard) && 'version' in (heard.params as EventParams<'session'>).choice.features
    );
    expect((told.params as EventParams<'session'>).choice).toEqual(chosen.choice);
    await page.request('session.choice', { session, forest: { trees: 7 } });
    const trained = await client.request('train', { session });
    expect(home.engine.trained[0]).toMatchObject({ spec: { sigmas: [2] }, forest: { trees: 7, maxDepth: 1 } });
    expect(trained.segmentation!.classifier).toMatchObject({ spec: { sigmas: [2] }, forest: { trees: 7 } });
    const other = await client.request('train', { session, features: { sigmas: [3] } });
    expect(other.choice).toMatchObject({ features: { sigmas: [3] }, forest: { trees: 7 } });
    expect(home.engine.trained[1]).toMatchObject({ spec: { sigmas: [3] }, forest: { trees: 7 } });
  });

  it('is that of its own request, even if another training waits', async () => {
    const { session } = await openSession(client);
    await label(client, session);
    await Promise.all([1, 2, 3].map(sigma => client.request('train', { session, features: { sigmas: [sigma] } })));
    expect(home.engine.trained.map(({ spec }) => spec.sigmas)).toEqual([[1], [2], [3]]);
  });

  it('survives a restart of the sidecar', async () => {
    const { session } = await openSession(client);
    await client.request('session.choice', { session, forest: { preset: 'deep' } });
    await home.stop();
    await home.start();
    client = await home.connect();
    expect((await client.request('session.attach', { session })).choice.forest).toEqual({ preset: 'deep' });
  });

  it('is unchanged after an invalid request', async () => {
    const { session, choice } = await openSession(client);
    const refused = client.request('session.choice', { session, forest: { trees: 5 }, features: { nonsense: 1 } });
    await expect(refused).rejects.toMatchObject(invalid(/nonsense/));
    expect((await client.request('session.attach', { session })).choice).toEqual(choice);
  });
});

describe('Several sessions', () => {
  it('are trained on together and all segmented, images and stacks of any size', async () => {
    const first = await openSession(client, { key: 'first' });
    const stack = await openSession(client, { key: 'stack', slices: 3, rows: 270, columns: 390 });
    const blank = await openSession(client, { key: 'blank', rows: 10, columns: 20 });
    await label(client, first.session, [1]);
    await label(client, stack.session, [2]);
    const others = [stack.session, blank.session, first.session];
    const trained = await client.request('train', { session: first.session, others });
    expect(trained.segmentation!.classifier).toMatchObject({ samples: 800, labelsVersion: 1, classes: CLASSES });
    expect(histogram(bytesOf(trained.arrays['segmentation']!))).toEqual({ 1: 60000, 2: 60000 });
    for (const [{ session }, half, labelsVersion] of [
      [stack, 3 * 270 * 195, 1],
      [blank, 100, 0]
    ] as const) {
      await client.hear(event('segmentation', session));
      const state = await client.request('session.attach', { session });
      expect(state.segmentation).toMatchObject({ version: 1, classifier: { samples: 800, labelsVersion } });
      expect(histogram(bytesOf(state.arrays['segmentation']!))).toEqual({ 1: half, 2: half });
      expect((await client.request('classifier.get', { session })).buffers[0]!.byteLength).toBeGreaterThan(10);
    }
  });

  it('keep their arrays while a training uses them and no peer does', async () => {
    await home.stop();
    await home.start(0.1);
    client = await home.connect();
    const [one, two] = [await openSession(client, { key: 'one' }), await openSession(client, { key: 'two' })];
    await label(client, one.session);
    let open!: () => void;
    home.engine.gate = new Promise(resolve => (open = resolve));
    const training = client.request('train', { session: one.session, others: [two.session] });
    await client.hear(heard => heard.event === 'job');
    await client.request('session.detach', { session: two.session });
    await new Promise(resolve => setTimeout(resolve, 400));
    expect(existsSync(two.arrays['labels']!.path)).toBe(true);
    open();
    await training;
    while (existsSync(two.arrays['labels']!.path)) {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  });

  it('wait for each other, in whatever order a request names them', async () => {
    const [one, two] = [await openSession(client, { key: 'one' }), await openSession(client, { key: 'two' })];
    await label(client, one.session);
    const trainings = [
      client.request('train', { session: one.session, others: [two.session] }),
      client.request('train', { session: two.session, others: [one.session] }),
      client.request('train', { session: one.session })
    ];
    await Promise.all(trainings);
    const versions = [one, two].map(
      async ({ session }) => (await client.request('session.attach', { session })).segmentation
    );
    expect(await Promise.all(versions)).toMatchObject([{ version: 3 }, { version: 2 }]);
  });

  it('are refused with their titles if their images do not match', async () => {
    const { session } = await openSession(client, { key: 'steel' });
    await label(client, session);
    const open = (key: string, channels: 1 | 3, classes: LabelClass[]) => {
      const { info } = halves(1, 10, 20);
      const image = { ...info, shape: [1, 10, 20, channels] as [1, 10, 20, 1 | 3] };
      return client.request('session.open', { key, title: key, image, classes, keepClasses: false, fresh: false });
    };
    const train = async (other: { session: string }, ready = true) => {
      if (ready) {
        await client.request('image.ready', { session: other.session });
      }
      return client.request('train', { session, others: [other.session] });
    };
    await expect(train(await open('colour', 3, CLASSES))).rejects.toMatchObject(
      invalid(/image of “colour” has 3 channels, that of “steel” 1 channel;/)
    );
    const renamed = [CLASSES[0]!, { ...CLASSES[1]!, name: 'pores' }];
    await expect(train(await open('pores', 1, renamed))).rejects.toMatchObject(
      invalid(/classes of “pores” are 1 \(matrix\), 2 \(pores\), those of “steel” are 1 \(matrix\), 2 \(precipitate\)/)
    );
    await expect(train(await open('empty', 1, CLASSES), false)).rejects.toMatchObject({
      code: 'not-ready',
      message: expect.stringMatching(/“empty”: The pixels/)
    });
    await expect(train({ session: '0'.repeat(32) }, false)).rejects.toMatchObject({ code: 'unknown-session' });
  });
});

describe('Probabilities and uncertainty', () => {
  it('are computed at the first request, and again after the next training', async () => {
    const { session } = await openSession(client, { slices: 2 });
    await expect(client.request('segment', { session, arrays: ['probabilities'] })).rejects.toMatchObject({
      code: 'not-ready'
    });
    await label(client, session);
    const trained = await client.request('train', { session });
    expect(Object.keys(trained.arrays)).not.toContain('probabilities');
    const asked = [1, 2].map(() => client.request('segment', { session, arrays: ['probabilities', 'uncertainty'] }));
    const [first, same] = await Promise.all(asked);
    const { arrays, segmentation } = first!;
    expect(segmentation).toEqual(trained.segmentation);
    expect(arrays['probabilities']).toMatchObject({ dtype: 'float32', shape: [2, 300, 400, 2] });
    expect(arrays['uncertainty']).toMatchObject({ dtype: 'float32', shape: [2, 300, 400] });
    expect(same!.arrays).toEqual(arrays);
    const values = new Float32Array(new Uint8Array(readFileSync(arrays['probabilities']!.path)).buffer);
    expect([...values.slice(0, 2), ...values.slice(-2)]).toEqual([1, 0, 0, 1]);
    const again = await client.request('train', { session });
    expect(Object.keys(again.arrays)).not.toContain('uncertainty');
    expect(existsSync(arrays['uncertainty']!.path)).toBe(false);
  });
});

describe('A session whose arrays were freed', () => {
  it('is segmented again by its classifier at the next request', async () => {
    await home.stop();
    await home.start(0.2);
    client = await home.connect();
    const { session } = await openSession(client);
    await label(client, session);
    const before = await client.request('train', { session });
    await client.request('session.detach', { session });
    while (existsSync(dirname(before.arrays['labels']!.path))) {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    const back = await openSession(client);
    expect(back.segmentation).toBeNull();
    const state = await client.request('segment', { session, arrays: ['segmentation'] });
    expect(state.segmentation!.classifier).toEqual(before.segmentation!.classifier);
    expect(state.segmentation!.version).toBeGreaterThan(before.segmentation!.version);
    expect(histogram(bytesOf(state.arrays['segmentation']!))).toEqual({ 1: 60000, 2: 60000 });
    await client.hear(
      heard =>
        event('segmentation', session)(heard) &&
        (heard.params as EventParams<'segmentation'>).version === state.segmentation!.version
    );
    // Now there is something to keep in step.
    const { patch, buffers } = rectangle(session, 2, { rows: [200, 210], columns: [0, 10] });
    await client.request('labels.patch', patch, { buffers });
    expect(histogram(bytesOf(state.arrays['segmentation']!))).toEqual({ 1: 59900, 2: 60100 });
  });
});

describe("A classifier's file", () => {
  const pores = { id: 2, name: 'pores', color: '#123456' };
  const third = { id: 3, name: 'third', color: '#654321' };

  it('segments the image, adds its classes, and keeps the session’s classes', async () => {
    const page = await home.connect('relay');
    const { session } = await openSession(client);
    await page.request('session.attach', { session });
    await client.request('session.classes', { session, classes: [...CLASSES, { ...third, id: 7 }] });
    await label(client, session, [1]);
    const loaded = await page.request(
      'classifier.load',
      { session },
      { buffers: file([CLASSES[0]!, pores], [50, 200]) }
    );
    expect(loaded.classes).toEqual([CLASSES[0], pores, { ...third, id: 7 }]);
    expect(loaded.segmentation).toMatchObject({ version: 1, classifier: { labelsVersion: 0, oobScore: 1 } });
    expect(histogram(bytesOf(loaded.arrays['segmentation']!))).toEqual({ 1: 60000, 2: 60000 });
    expect((await client.hear(event('segmentation', session))).params).toMatchObject({ session, version: 1 });
    const jobs = page.heard.filter(heard => heard.event === 'job').map(heard => heard.params as EventParams<'job'>);
    expect(jobs.at(-1)).toMatchObject({ kind: 'load', state: 'done' });
    expect((await client.request('classifier.get', { session })).buffers[0]).toEqual(
      file([CLASSES[0]!, pores], [50, 200])[0]
    );
  });

  it('is refused for another number of channels, for labels of unknown classes, and for damaged bytes', async () => {
    const { session } = await openSession(client);
    const load = (buffers: Uint8Array[]) => client.request('classifier.load', { session }, { buffers });
    await expect(load([])).rejects.toMatchObject(invalid(/One buffer with the classifier/));
    await expect(load([Buffer.from('{')])).rejects.toMatchObject(invalid(/no classifier/));
    await label(client, session);
    await expect(load(file([CLASSES[0]!, third], [50, 200]))).rejects.toMatchObject(
      invalid(/labels of class 2 \(precipitate\); the classifier has the classes 1 \(matrix\), 3 \(third\)/)
    );
    await expect(load(file([CLASSES[0]!, pores], [50, 200]))).rejects.toMatchObject(invalid(/same id and name/));
    const described = home.engine.describe(file(CLASSES, [50, 200])[0]!);
    jest.spyOn(home.engine, 'describe').mockReturnValue({ ...described, channels: 3 });
    await expect(load(file(CLASSES, [50, 200]))).rejects.toMatchObject(
      invalid(/image has 1 channel, the classifier was trained on images with 3/)
    );
    const { segmentation, classes } = await client.request('session.attach', { session });
    expect({ segmentation, classes }).toEqual({ segmentation: null, classes: CLASSES });
  });

  it('can be written from a session in every format, and read without a session', async () => {
    const { session } = await openSession(client);
    await expect(client.request('classifier.export', { session, format: 'json' })).rejects.toMatchObject({
      code: 'not-ready'
    });
    await label(client, session);
    await client.request('train', { session });
    const { buffers } = await client.request('classifier.get', { session });
    const json = await client.request('classifier.export', { session, format: 'json' });
    expect(json).toEqual({ mediaType: 'application/json', extension: '.json', buffers });
    const onnx = await client.request('classifier.export', { session, format: 'onnx' });
    expect(onnx).toMatchObject({ extension: '.onnx', buffers: [Buffer.from('onnx')] });
    const forest = await client.request('classifier.convert', { format: 'ml-random-forest' }, { buffers });
    expect(forest).toMatchObject({ extension: '.json', buffers: [Buffer.from('ml-random-forest')] });
    const info = await client.request('classifier.read', {}, { buffers });
    expect(info).toMatchObject({ classes: CLASSES, labelsVersion: 0, buffers });
    await expect(client.request('classifier.read', {}, { buffers: [Buffer.from('?')] })).rejects.toMatchObject(
      invalid(/no classifier/)
    );
  });
});

describe('Tiles of a feature', () => {
  it('come as compressed bytes, one buffer each, in the requested order', async () => {
    const { session } = await openSession(client, { rows: 600, columns: 600 });
    const tiles = [
      { row: 2, column: 1 },
      { row: 0, column: 2 }
    ];
    const shown = await client.request('feature.tiles', { session, slice: 0, channel: 1, tiles });
    expect(shown).toMatchObject({ name: 'square', low: 0, high: 1 });
    expect(shown.buffers.map(buffer => inflateTile(buffer)[65535])).toEqual([33, 2]);
    await expect(client.request('feature.tiles', { session, slice: 1, channel: 1, tiles })).rejects.toMatchObject(
      invalid(/Slice 1 does not exist/)
    );
  });
});

it('A segmentation has its version only when its array is complete', async () => {
  const { session } = await openSession(client);
  await label(client, session);
  const recombine = Segmentation.prototype.recombine;
  const versions: (number | undefined)[] = [];
  const version = async () => (await client.request('session.attach', { session })).segmentation?.version;
  jest.spyOn(Segmentation.prototype, 'recombine').mockImplementation(async function (this: Segmentation, labels) {
    versions.push(await version());
    await recombine.call(this, labels);
  });
  for (const trained of [1, 2]) {
    await client.request('train', { session });
    expect(await version()).toBe(trained);
  }
  expect(versions).toEqual([undefined, 1]);
});
