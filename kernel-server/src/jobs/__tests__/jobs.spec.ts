/** Long work through the sidecar: embeddings, training, features, classifiers; progress, sharing, cancel. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { EventParams } from '../../../../src/shared/protocol';
import { fromFloat16 } from '../../../../src/sam/float16';
import { ISidecarOptions } from '../../options';
import { Sidecar } from '../../sidecar';
import { TestClient } from '../../__tests__/support/client';
import {
  bytesOf,
  CLASSES,
  halves,
  histogram,
  inflateTile,
  openSession,
  rectangle
} from '../../__tests__/support/images';
import { EngineService } from '../../__tests__/support/small-engine';
import { until } from '../../__tests__/support/sam-fixture';
import { SmallSam } from '../../__tests__/support/small-sam';

let base: string;
let sidecar: Sidecar;
let engine: EngineService;
let sam: SmallSam;
const clients: TestClient[] = [];

async function connect(role: 'python' | 'relay' = 'python'): Promise<TestClient> {
  const client = await TestClient.connect(join(base, 'run'), role);
  clients.push(client);
  return client;
}

async function start(more: Partial<ISidecarOptions> = {}): Promise<void> {
  sidecar = await Sidecar.start(
    {
      runtimeDir: join(base, 'run'),
      dataDir: join(base, 'data'),
      arraysDir: join(base, 'arrays'),
      idleTimeout: 600,
      transport: 'ipc',
      ...more
    },
    { engine, sam }
  );
}

/** A gate that is shut until it is opened. */
function gate(): { shut: Promise<void>; open(): void } {
  let open!: () => void;
  const shut = new Promise<void>(resolve => (open = resolve));
  return { shut, open };
}

/** Draw the two classes where the image is dark and bright. */
async function label(client: TestClient, session: string): Promise<void> {
  for (const [id, tile, columns] of [
    [1, [0, 0], [0, 20]],
    [2, [0, 1], [100, 120]]
  ] as [number, [number, number], [number, number]][]) {
    const { patch, buffers } = rectangle(session, id, { tile, rows: [0, 20], columns });
    await client.request('labels.patch', patch, { buffers });
  }
}

const job = (state: string) => (heard: { event?: string; params?: unknown }) =>
  heard.event === 'job' && (heard.params as EventParams<'job'>).state === state;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  base = mkdtempSync(join(tmpdir(), 'sl-'));
  const path = join(base, 'decoder.onnx');
  const graph = new Uint8Array(3_000_000).map((_, i) => (i * i) >> 8);
  writeFileSync(path, graph);
  sam = new SmallSam({ path, digest: createHash('sha256').update(graph).digest('hex'), bytes: graph.byteLength });
  engine = new EngineService();
  await start();
});

afterEach(async () => {
  clients.splice(0).forEach(client => client.close());
  await sidecar.stop('the test is over');
  rmSync(base, { recursive: true, force: true });
  jest.restoreAllMocks();
});

describe('Training', () => {
  it('segments the image, with the labels on top, and tells its progress to everyone in the session', async () => {
    const [python, browser] = [await connect(), await connect('relay')];
    const { session } = await openSession(python);
    await browser.request('session.attach', { session });
    await label(python, session);
    // A label that the forest would not agree with.
    const odd = rectangle(session, 2, { rows: [250, 251], columns: [3, 5] });
    await python.request('labels.patch', odd.patch, { buffers: odd.buffers });
    const trained = await browser.request('train', { session });
    expect(trained.segmentation).toMatchObject({
      version: 1,
      classifier: { oobScore: 1, classes: CLASSES, samples: 802, labelsVersion: 3 }
    });
    const segmentation = bytesOf(trained.arrays['segmentation']!);
    expect(histogram(segmentation)).toEqual({ 1: 60000 - 2, 2: 60000 + 2 });
    expect([segmentation[250 * 400 + 2], segmentation[250 * 400 + 3]]).toEqual([1, 2]);
    expect((await browser.hear(job('running'))).params).toMatchObject({ session, kind: 'train' });
    expect((await browser.hear(job('done'))).params).toMatchObject({ session, kind: 'train' });
    expect((await python.hear(({ event }) => event === 'segmentation')).params).toMatchObject({ session, version: 1 });
    // 50 steps of progress in no time are told as a few.
    expect(python.heard.filter(({ event }) => event === 'job').length).toBeLessThan(10);
  });

  it('keeps the segmentation in step with later labels, in the same file', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    await label(client, session);
    const { arrays } = await client.request('train', { session });
    const path = arrays['segmentation']!.path;
    const draw = rectangle(session, 2, { rows: [100, 110], columns: [0, 10] });
    await client.request('labels.patch', draw.patch, { buffers: draw.buffers });
    expect(histogram(bytesOf(arrays['segmentation']!))).toEqual({ 1: 59900, 2: 60100 });
    const erase = rectangle(session, 0, { rows: [100, 105], columns: [0, 10] });
    await client.request('labels.patch', erase.patch, { buffers: erase.buffers });
    expect(histogram(bytesOf(arrays['segmentation']!))).toEqual({ 1: 59950, 2: 60050 });
    const tiles = [{ row: 0, column: 0 }];
    const shown = await client.request('overlay.tiles', { session, overlay: 'segmentation', slice: 0, tiles });
    expect(inflateTile(shown.buffers[0]!)[107 * 256 + 5]).toBe(2);
    const again = await client.request('train', { session });
    expect(again.segmentation!.version).toBe(2);
    expect(again.arrays['segmentation']!.path).toBe(path);
    expect(again.arrays['segmentation']!.version).toBeGreaterThan(arrays['segmentation']!.version);
    expect((await client.request('session.fresh', { session })).labels.counts).toEqual({});
    expect(histogram(bytesOf(again.arrays['segmentation']!))[1]).toBeGreaterThan(0);
  });

  it('is in step with labels that are replaced as a whole by the time everyone is told of them', async () => {
    const [python, page, other] = [await connect(), await connect('relay'), await connect('relay')];
    const { session } = await openSession(python);
    await page.request('session.attach', { session });
    await other.request('session.attach', { session });
    await label(python, session);
    const { arrays } = await python.request('train', { session });
    const shown = async (client: TestClient) => {
      await client.hear(({ event, params }) => event === 'labels' && !('layer' in (params as object))); // not of the correction
      const tiles = [{ row: 0, column: 0 }];
      const { buffers } = await client.request('overlay.tiles', { session, overlay: 'segmentation', slice: 0, tiles });
      return histogram(inflateTile(buffers[0]!));
    };
    const dark = 200 * 256; // of the first tile
    const both = { 1: dark, 2: 65536 - dark };
    const { staged, array } = await python.request('array.stage', { dtype: 'uint8', shape: [1, 300, 400] });
    writeFileSync(array.path, new Uint8Array(120000).fill(2, 0, 400 * 100), { flag: 'r+' });
    const set = python.request('labels.set', { session, staged });
    const drawn = { 1: dark - 100 * 200, 2: 65536 - dark + 100 * 200 };
    expect(await Promise.all([shown(page), shown(other)])).toEqual([drawn, drawn]);
    await set;
    expect(histogram(bytesOf(arrays['segmentation']!))).toEqual({ 1: 40000, 2: 80000 });

    const fresh = page.request('session.fresh', { session });
    expect(await Promise.all([shown(page), shown(other)])).toEqual([both, both]);
    await fresh;
    await python.request('labels.set', { session, staged });
    expect(await Promise.all([shown(page), shown(other)])).toEqual([drawn, drawn]);
    const reopened = openSession(python, { fresh: true });
    expect(await Promise.all([shown(page), shown(other)])).toEqual([both, both]);
    expect((await reopened).segmentation).not.toBeNull();
  });

  it('says what is missing: an image, labels, a second class', async () => {
    const client = await connect();
    const { info } = halves(1, 300, 400);
    const open = { key: 'dark', title: '', image: info, classes: CLASSES, keepClasses: false, fresh: false };
    const { session: empty } = await client.request('session.open', open);
    const notReady = (message: RegExp) => ({ code: 'not-ready', message: expect.stringMatching(message) });
    await expect(client.request('train', { session: empty })).rejects.toMatchObject(notReady(/pixels of the image/));
    const { session } = await openSession(client);
    await expect(client.request('train', { session })).rejects.toMatchObject(notReady(/There are no labels/));
    const { patch, buffers } = rectangle(session, 2, { rows: [0, 2], columns: [0, 2] });
    await client.request('labels.patch', patch, { buffers });
    await expect(client.request('train', { session })).rejects.toMatchObject(notReady(/Only class 2 \(precipitate\)/));
    expect((await client.hear(job('failed'))).params).toMatchObject({
      message: expect.stringMatching(/pixels of the image/)
    });
    await expect(client.request('classifier.get', { session })).rejects.toMatchObject(notReady(/no classifier/));
  });

  it('can be cancelled while it runs and while it waits, and leaves the older segmentation alone', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    await label(client, session);
    const before = await client.request('train', { session });
    const { shut, open } = gate();
    engine.gate = shut;
    const [first, second, third] = ['first', 'second', 'third'].map(id => client.request('train', { session }, { id }));
    const cancelled = { code: 'cancelled' };
    const endings = Promise.all([
      expect(first).rejects.toMatchObject(cancelled),
      expect(second).rejects.toMatchObject(cancelled)
    ]);
    expect((await client.request('cancel', { id: 'second' })).found).toBe(true);
    const other = await connect('relay');
    expect((await other.request('cancel', { id: 'first' })).found).toBe(true);
    await endings;
    const ended = (await client.hear(job('cancelled'))).params as EventParams<'job'>;
    expect(['first', 'second']).toContain(ended.job);
    open();
    expect((await third!).segmentation!.version).toBe(2);
    expect((await client.request('cancel', { id: 'third' })).found).toBe(false);
    expect(histogram(bytesOf(before.arrays['segmentation']!))).toEqual({ 1: 60000, 2: 60000 });
  });

  it('that is asked for twice under one id runs once, from another connection too', async () => {
    const [client, other] = [await connect(), await connect()];
    const { session } = await openSession(client);
    await label(client, session);
    const { shut, open } = gate();
    engine.gate = shut;
    const first = client.request('train', { session }, { id: 'same' });
    await client.hear(job('running'));
    const second = other.request('train', { session }, { id: 'same' });
    await other.request('ping', {});
    open();
    expect((await first).segmentation!.version).toBe(1);
    expect((await second).segmentation!.version).toBe(1);
  });

  it('outlives the sidecar: segmentation and classifier are there after a restart', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    await label(client, session);
    const trained = await client.request('train', { session });
    await sidecar.stop('restart');
    await start();
    const again = await connect();
    const state = await again.request('session.attach', { session });
    const { round, ...kept } = trained.segmentation!; // the number of a training is of no use after it
    expect(round).toBeDefined();
    expect(state.segmentation).toEqual(kept);
    expect(state.arrays['segmentation']!.path).toBe(trained.arrays['segmentation']!.path);
    expect((await again.request('classifier.get', { session })).buffers[0]!.byteLength).toBeGreaterThan(10);
  });
});

describe('A classifier', () => {
  it('segments another image, as labels and as probabilities', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    await label(client, session);
    await client.request('train', { session });
    const { buffers } = await client.request('classifier.get', { session });
    const { pixels } = halves(2, 10, 30);
    const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: [2, 10, 30, 1] });
    writeFileSync(array.path, pixels, { flag: 'r+' });
    const labels = await client.request('classifier.apply', { staged, output: 'labels' }, { buffers });
    expect(labels.array.shape).toEqual([2, 10, 30]);
    expect(histogram(bytesOf(labels.array))).toEqual({ 1: 300, 2: 300 });
    const probabilities = await client.request('classifier.apply', { staged, output: 'probabilities' }, { buffers });
    expect(probabilities.array).toMatchObject({ dtype: 'float32', shape: [2, 10, 30, 2] });
    const values = new Float32Array(new Uint8Array(readFileSync(probabilities.array.path)).buffer);
    expect([values[0], values[1]]).toEqual([1, 0]);
    await expect(client.request('classifier.apply', { staged, output: 'labels' })).rejects.toMatchObject({
      code: 'invalid'
    });
    const bad = [Buffer.from('no classifier')];
    await expect(
      client.request('classifier.apply', { staged, output: 'labels' }, { buffers: bad })
    ).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('Features', () => {
  it('are computed into their array once, and anew for another slice', async () => {
    const client = await connect();
    const { session } = await openSession(client, { slices: 2 });
    const first = await client.request('features', { session, slice: 0 });
    expect(first).toMatchObject({ names: ['value', 'square'], array: { dtype: 'float32', shape: [300, 400, 2] } });
    const values = new Float32Array(new Uint8Array(readFileSync(first.array.path)).buffer);
    expect([...values.slice(0, 2)]).toEqual([50, 2500]);
    const again = await client.request('features', { session, slice: 0 });
    expect(again.array).toEqual(first.array);
    const other = await client.request('features', { session, slice: 1 });
    expect(other.array.path).not.toBe(first.array.path);
    await expect(client.request('features', { session, slice: 2 })).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('Embeddings', () => {
  it('are computed once a slice, shared by those who wait, and come as halves for the browser', async () => {
    const [python, browser] = [await connect(), await connect('relay')];
    const { session } = await openSession(python, { slices: 2 });
    await browser.request('session.attach', { session });
    const { shut, open } = gate();
    sam.gate = shut;
    const both = [
      python.request('sam.embed', { session, slice: 1 }),
      browser.request('sam.embedding', { session, slice: 1 })
    ] as const;
    await browser.hear(job('running'));
    open();
    const [floats, halfs] = await Promise.all(both);
    expect(sam.embedded).toBe(1);
    expect(floats).toMatchObject({ device: { model: 'small' }, seconds: 0.25, array: { shape: [2, 256, 64, 64] } });
    const values = new Float32Array(new Uint8Array(readFileSync(floats.array.path)).buffer);
    expect([values[0], values[256 * 64 * 64], values[values.length - 1]]).toEqual([0, 1.5, 1.5]);
    const sent = new Uint16Array(new Uint8Array(halfs.buffers[0]!).buffer);
    expect(sent.length).toBe(256 * 64 * 64);
    expect(new Set(fromFloat16(sent))).toEqual(new Set([1.5]));
    await python.request('sam.embed', { session, slice: 1 });
    expect(sam.embedded).toBe(1);
  });

  it('go on when one of two who wait cancels, and stop when both do', async () => {
    const [one, two] = [await connect(), await connect()];
    const { session } = await openSession(one);
    const { shut, open } = gate();
    sam.gate = shut;
    const ask = (client: TestClient, id: string) => client.request('sam.embed', { session, slice: 0 }, { id });
    const first = expect(ask(one, 'one')).rejects.toMatchObject({ code: 'cancelled' });
    const second = ask(two, 'two');
    // Requests for a session take turns: once this one is answered, the second has joined.
    await two.request('session.attach', { session });
    await two.request('ping', {});
    await one.request('cancel', { id: 'one' });
    await first;
    open();
    expect((await second).seconds).toBe(0.25);
    expect(sam).toMatchObject({ embedded: 1, stopped: 0 });

    const { session: other } = await openSession(one, { key: 'other', rows: 299 });
    sam.gate = gate().shut;
    const alone = expect(one.request('sam.embed', { session: other, slice: 0 }, { id: 'alone' })).rejects.toMatchObject(
      { code: 'cancelled' }
    );
    await one.hear(job('running'));
    await one.request('cancel', { id: 'alone' });
    await alone;
    expect((await one.hear(job('cancelled'))).params).toMatchObject({ kind: 'embed' });
    expect(sam).toMatchObject({ embedded: 1, stopped: 1 });
  });

  it('of several slices are one job that counts them, goes on ahead where asked, and stops when it is cancelled', async () => {
    const client = await connect();
    const { session } = await openSession(client, { slices: 4 });
    await client.request('sam.embed-slices', { session, slices: [2, 0] }, { id: 'some' });
    expect(sam.embedded).toBe(2);
    const counted = client.heard
      .filter(({ event }) => event === 'job')
      .map(({ params }) => params as EventParams<'job'>)
      .filter(({ job, stage }) => job === 'some' && stage === 'slices');
    expect(counted.map(({ total }) => total)).toEqual(counted.map(() => 2));
    expect(counted[counted.length - 1]).toMatchObject({ kind: 'embed', state: 'done', done: 2 });
    sam.gate = gate().shut;
    const { begun } = sam;
    await client.request('sam.embed-slices', { session, slices: [0, 1, 2, 3], ahead: true }, { id: 'ahead' });
    await until('the first of them is being embedded', () => sam.begun > begun); // the request is answered before
    const cancelled = client.hear(job('cancelled'));
    await client.request('cancel', { id: 'ahead' });
    await cancelled;
    expect(sam).toMatchObject({ embedded: 2, stopped: 1 });
    await expect(client.request('sam.embed-slices', { session, slices: [4] })).rejects.toMatchObject({
      code: 'invalid'
    });
  });

  it('give suggestions as a staged array, for points inside the image', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    const points = [{ row: 12, column: 34, label: 1 as const }];
    const { array, scores } = await client.request('sam.suggest', { session, slice: 0, points });
    expect(array).toMatchObject({ dtype: 'uint8', shape: [3, 300, 400] });
    expect(bytesOf(array)[12 * 400 + 34]).toBe(1);
    expect(scores).toEqual([0.5, 0.5, 0.25]);
    const outside = [{ row: 300, column: 34, label: 1 as const }];
    await expect(client.request('sam.suggest', { session, slice: 0, points: outside })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/\(300, 34\) is outside the image of 300 × 400/)
    });
  });

  it('and the decoder is sent unless it is known', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    const first = await client.request('sam.decoder', { session });
    expect(createHash('sha256').update(first.buffers[0]!).digest('hex')).toBe(first.digest);
    expect((await client.request('sam.decoder', { session, known: first.digest })).buffers).toEqual([]);
  });
});

describe('Shared arrays', () => {
  const gone = async (path: string) => {
    while (existsSync(path)) {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  };

  it('are freed when no peer has used the session for long; the next peer finds the labels', async () => {
    await sidecar.stop('other options');
    await start({ releaseAfter: 0.2 });
    const [one, page] = [await connect(), await connect('relay')];
    const { session } = await openSession(one);
    const watched = await openSession(one, { key: 'watched' });
    await page.request('session.attach', { session: watched.session });
    await label(one, session);
    const { arrays } = await one.request('train', { session });
    await one.request('sam.embed', { session, slice: 0 });
    await one.request('session.detach', { session });
    await one.request('session.detach', { session: watched.session });
    await gone(dirname(arrays['labels']!.path));
    expect(existsSync(watched.arrays['labels']!.path)).toBe(true);
    const back = await one.request('session.attach', { session });
    expect(back).toMatchObject({ imageReady: false, labels: { counts: { 1: 400, 2: 400 } }, segmentation: null });
    expect(histogram(bytesOf(back.arrays['labels']!))).toMatchObject({ 1: 400, 2: 400 });
    await one.request('session.detach', { session });
    const opened = await openSession(one);
    expect(opened).toMatchObject({ imageReady: true, resumed: { pixels: 800 } });
    expect((await one.request('train', { session })).segmentation).not.toBeNull();
  });

  it('are freed soon after the last labeller was closed, and are kept when its kernel only vanished', async () => {
    await sidecar.stop('other options');
    await start({ releaseClosedAfter: 0.2 });
    const [one, two, page] = [await connect(), await connect(), await connect('relay')];
    const closed = await openSession(one, { key: 'closed' });
    const shared = await openSession(one, { key: 'shared' });
    await two.request('session.attach', { session: shared.session });
    await page.request('session.attach', { session: closed.session });
    await label(one, closed.session);
    for (const { session } of [closed, shared]) {
      await one.request('session.detach', { session });
    }
    await new Promise(resolve => setTimeout(resolve, 500));
    expect(existsSync(closed.arrays['labels']!.path)).toBe(true); // the page still shows it
    await page.request('session.detach', { session: closed.session });
    await gone(dirname(closed.arrays['labels']!.path));
    expect(existsSync(shared.arrays['labels']!.path)).toBe(true);
    const back = await openSession(one, { key: 'closed' });
    expect(back.labels.counts).toEqual({ 1: 400, 2: 400 });
    [one, two].forEach(client => client.close());
    await new Promise(resolve => setTimeout(resolve, 500));
    expect(existsSync(shared.arrays['labels']!.path)).toBe(true);
    expect(existsSync(back.arrays['labels']!.path)).toBe(true);
  });

  it('stay while a job uses them, even if no request waits for the job', async () => {
    await sidecar.stop('other options');
    await start({ releaseAfter: 0.1 });
    const [one, other] = [await connect(), await connect()];
    const { session, arrays } = await openSession(one);
    await label(one, session);
    const { shut, open } = gate();
    engine.gate = shut;
    const trained = other.request('train', { session });
    await one.hear(job('running'));
    await one.request('session.detach', { session });
    await new Promise(resolve => setTimeout(resolve, 400));
    open();
    expect((await trained).segmentation).not.toBeNull();
    await gone(arrays['labels']!.path);
  });

  it('of a large image are freed although its maps were being made: nobody needs them any more', async () => {
    await sidecar.stop('other options');
    await start({ releaseClosedAfter: 0.2 });
    const one = await connect();
    const { session, arrays } = await openSession(one, { columns: 2000 });
    const { shut, open } = gate();
    sam.mapsGate = shut;
    const running = one.hear(job('running'));
    await one.request('sam.embed', { session, slice: 0 });
    await running;
    await new Promise(resolve => setTimeout(resolve, 500));
    expect(sam.stopped).toBe(0); // the labeller is open
    await one.request('session.detach', { session });
    await gone(arrays['labels']!.path);
    expect(sam.stopped).toBe(1);
    open();
  });

  it('of features go as soon as no Python takes part; the segmentation stays in step with the labels', async () => {
    const [one, two, page] = [await connect(), await connect(), await connect('relay')];
    const { session } = await openSession(one);
    await page.request('session.attach', { session });
    await two.request('session.attach', { session });
    await label(one, session);
    const { arrays } = await one.request('train', { session });
    const features = await one.request('features', { session, slice: 0 });
    await two.request('session.detach', { session });
    expect(existsSync(features.array.path)).toBe(true);
    await one.request('session.detach', { session });
    expect(existsSync(features.array.path)).toBe(false);
    expect(existsSync(arrays['segmentation']!.path)).toBe(true);
    const draw = rectangle(session, 2, { rows: [100, 110], columns: [0, 10] });
    await page.request('labels.patch', draw.patch, { buffers: draw.buffers });
    expect(histogram(bytesOf(arrays['segmentation']!))).toEqual({ 1: 59900, 2: 60100 });

    // The same when the connection is gone: the next thing it would be told shows it.
    const again = await two.request('features', { session, slice: 0 });
    expect(again).toMatchObject({ names: features.names });
    await two.request('session.attach', { session });
    two.close();
    for (let i = 0; existsSync(again.array.path); i++) {
      const { patch, buffers } = rectangle(session, 1 + (i % 2), { rows: [0, 2], columns: [0, 2] });
      await page.request('labels.patch', patch, { buffers });
    }
    expect(existsSync(again.array.path)).toBe(false);
  });
});

describe('Staged arrays', () => {
  it('go when their peer is gone', async () => {
    const [one, two] = [await connect(), await connect()];
    const { session } = await openSession(one);
    await two.request('session.attach', { session });
    const { array } = await two.request('array.stage', { dtype: 'uint8', shape: [10] });
    two.close();
    for (let i = 0; existsSync(array.path); i++) {
      const { patch, buffers } = rectangle(session, 1 + (i % 2), { rows: [0, 2], columns: [0, 2] });
      await one.request('labels.patch', patch, { buffers });
    }
    expect(existsSync(array.path)).toBe(false);
  });

  it('belong to one peer and are bounded', async () => {
    const [one, two] = [await connect(), await connect()];
    const { staged } = await one.request('array.stage', { dtype: 'uint8', shape: [10] });
    await expect(two.request('classifier.apply', { staged, output: 'labels' })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/no staged array/)
    });
    for (let i = 1; i < 64; i++) {
      await one.request('array.stage', { dtype: 'uint8', shape: [10] });
    }
    await expect(one.request('array.stage', { dtype: 'uint8', shape: [10] })).rejects.toMatchObject({
      code: 'invalid'
    });
    await one.request('array.release', { staged });
    await one.request('array.stage', { dtype: 'uint8', shape: [10] });
    await expect(two.request('array.stage', { dtype: 'uint8', shape: [0, 5] })).rejects.toMatchObject({
      code: 'invalid'
    });
  });
});
