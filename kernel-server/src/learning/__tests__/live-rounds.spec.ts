/** Live segmentation through the sidecar, with a small engine whose every step can be held: what is made in which order, and what stops it. */
import { readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { BridgeError } from '../../../../src/shared/errors';
import { EventParams, SessionState } from '../../../../src/shared/protocol';
import { SliceRect } from '../../../../src/shared/rect';
import { IHeard, TestClient } from '../../__tests__/support/client';
import { Home, label } from '../../__tests__/support/home';
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

let home: Home<EngineService>;
let engine: EngineService;
let python: TestClient;
let page: TestClient;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  engine = new EngineService();
  home = await new Home(engine).start();
  python = await home.connect();
  page = await home.connect('relay');
});

afterEach(async () => {
  await home.dispose();
  jest.restoreAllMocks();
});

const event = (name: string) => (heard: IHeard) => heard.event === name;
const liveJob = (state: string) => (heard: IHeard) => {
  const job = heard.params as EventParams<'job'>;
  return heard.event === 'job' && job.kind === 'live' && job.state === state;
};
const stateWhere = (is: (state: SessionState) => boolean) => (heard: IHeard) =>
  heard.event === 'session' && is(heard.params as SessionState);
const whole = (view: Partial<SliceRect> = {}): SliceRect => ({
  slice: 0,
  row0: 0,
  row1: 300,
  column0: 0,
  column1: 400,
  ...view
});

async function draw(
  client: TestClient,
  session: string,
  id: number,
  rows: [number, number],
  columns: [number, number]
) {
  const { patch, buffers } = rectangle(session, id, { rows, columns });
  return client.request('labels.patch', patch, { buffers });
}

async function tilesFrom(client: TestClient) {
  const { params, buffers } = await client.hear(event('segmentation.tiles'));
  return { ...(params as EventParams<'segmentation.tiles'>), buffers: buffers.map(inflateTile) };
}

async function segmented(client: TestClient): Promise<EventParams<'segmentation'>> {
  return (await client.hear(event('segmentation'))).params as EventParams<'segmentation'>;
}

/** Open an image, let the page take part in it, and draw both classes. */
async function begin(options: Parameters<typeof openSession>[1] = {}): Promise<string> {
  const { session } = await openSession(python, options);
  await page.request('session.attach', { session });
  await label(python, session);
  return session;
}

/** A gate that is shut until it is opened. */
function gate(): { shut: Promise<void>; open(): void } {
  let open!: () => void;
  const shut = new Promise<void>(resolve => (open = resolve));
  return { shut, open };
}

describe('Live segmentation', () => {
  it('follows every change: visible tiles come at once with the labels on top, the arrays when the round ends', async () => {
    const session = await begin();
    const switched = await page.request('session.live', { session, on: true, view: whole() });
    expect(switched.live).toBe(true);
    const first = await tilesFrom(page);
    expect(first).toMatchObject({ session, labelsVersion: 2, slice: 0 });
    expect(first.tiles).toEqual([
      { row: 0, column: 0 },
      { row: 0, column: 1 },
      { row: 1, column: 0 },
      { row: 1, column: 1 }
    ]);
    expect(histogram(first.buffers[0]!)).toEqual({ 1: 200 * 256, 2: 56 * 256 });
    expect(histogram(first.buffers[3]!)).toEqual({ 0: 65536 - 44 * 144, 2: 44 * 144 });
    expect(await segmented(page)).toEqual({ session, version: 1, round: first.round });

    await draw(page, session, 2, [100, 110], [0, 10]);
    const second = await tilesFrom(page);
    expect(second.labelsVersion).toBe(3);
    expect(second.round).toBeGreaterThan(first.round);
    expect(second.buffers[0]![100 * 256]).toBe(2);
    expect(await segmented(page)).toEqual({ session, version: 2, round: second.round });
    const { segmentation, arrays } = await page.request('session.attach', { session });
    expect(segmentation).toMatchObject({ version: 2, round: second.round, classifier: { labelsVersion: 3, note: '' } });
    const found = histogram(bytesOf(arrays['segmentation']!));
    expect(segmentation!.counts).toEqual(found);
    expect(found[2]).toBe(60100);

    expect((await python.request('session.live', { session, on: false })).live).toBe(false);
    await draw(page, session, 2, [120, 130], [0, 10]);
    await page.request('train', { session });
    expect(engine.trained).toHaveLength(3);
  });

  it('does not learn anew from a correction, its undo or its cleaning, which leave the version of the labels as it is', async () => {
    const session = await begin();
    await page.request('session.live', { session, on: true, view: whole() });
    await segmented(page);
    await page.hear(liveJob('done'));
    const before = await page.request('session.attach', { session });
    expect(before.segmentation!.classifier.labelsVersion).toBe(before.labels.version);
    const { patch, buffers } = rectangle(session, 2, { rows: [100, 110], columns: [0, 10] });
    await page.request('labels.patch', { ...patch, layer: 'correction' }, { buffers });
    await page.request('history.undo', { session });
    await page.request('history.redo', { session });
    await page.request('correction.clear', { session, slice: 0 });
    const after = await page.request('session.attach', { session });
    expect(after.correction!.version).toBeGreaterThan(before.labels.version);
    expect(after.labels).toEqual(before.labels);
    expect(engine.trained).toHaveLength(1);
    await home.stop();
    await home.start();
    const later = await home.connect();
    const { labels, segmentation } = await later.request('session.attach', { session });
    expect([labels.version, segmentation!.classifier.labelsVersion]).toEqual(Array(2).fill(before.labels.version));
    await later.request('session.live', { session, on: true });
    await draw(later, session, 2, [120, 130], [0, 10]);
    await segmented(later);
    expect(engine.trained).toHaveLength(2);
  });

  it('counts the pixels of each class as labels change on top of the segmentation', async () => {
    const session = await begin();
    await python.request('train', { session });
    await draw(page, session, 2, [100, 110], [0, 10]);
    await draw(page, session, 0, [100, 105], [0, 10]);
    const state = await page.request('session.attach', { session });
    expect(state.segmentation!.counts).toEqual({ 1: 59950, 2: 60050 });
    await page.request('session.fresh', { session });
    const fresh = await page.request('session.attach', { session });
    expect(fresh.segmentation!.counts).toEqual({ 1: 60000, 2: 60000 });
    expect(histogram(bytesOf(fresh.arrays['segmentation']!))).toEqual({ 1: 60000, 2: 60000 });
  });

  it('segments every peer’s view first, then the rest of these slices, then the other slices', async () => {
    const session = await begin({ slices: 3, rows: 520, columns: 530 });
    const other = await home.connect('relay');
    await other.request('session.attach', { session });
    await other.request('session.view', { session, view: whole({ slice: 2, row1: 10, column1: 10 }) });
    const view = { slice: 1, row0: 300, row1: 500, column0: 10, column1: 900 };
    await page.request('session.live', { session, on: true, view });
    await segmented(page);
    expect(
      engine.applied
        .map(({ slice }) => slice)
        .slice(0, 2)
        .sort()
    ).toEqual([1, 2]);
    expect(engine.applied).toContainEqual({ slice: 1, region: { row0: 256, row1: 512, column0: 0, column1: 530 } });
    expect(engine.applied).toContainEqual({ slice: 2, region: { row0: 0, row1: 256, column0: 0, column1: 256 } });
    expect(engine.applied.at(-1)!.slice).toBe(0);
    const [mine, its] = [await tilesFrom(page), await tilesFrom(other)];
    expect([mine.slice, mine.tiles.length, its.slice, its.tiles.length]).toEqual([1, 3, 2, 1]);
    expect(python.heard.some(event('segmentation.tiles'))).toBe(false);
    const { arrays } = await page.request('session.attach', { session });
    expect(histogram(bytesOf(arrays['segmentation']!))).toEqual({ 1: 3 * 520 * 265, 2: 3 * 520 * 265 });
  });

  it('sends tiles that come into view during the round', async () => {
    const session = await begin({ rows: 30, columns: 256 * 45 });
    const { shut, open } = gate();
    engine.applying = (_, region) => (region!.column0 > 0 ? shut : undefined);
    await page.request('session.live', { session, on: true, view: whole({ column1: 200 }) });
    await tilesFrom(page);
    const view = whole({ column0: 256 * 40, column1: 256 * 40 + 10, row1: 5 });
    await page.request('session.view', { session, view });
    open();
    expect(await tilesFrom(page)).toMatchObject({ tiles: [{ row: 0, column: 40 }] });
    await segmented(page);
    const brought = engine.applied.findIndex(({ region }) => region!.column0 === 256 * 40);
    expect(brought).toBe(2);
    await page.request('session.view', { session, view: null });
    await draw(page, session, 1, [0, 5], [0, 5]);
    await segmented(page);
    expect(page.heard.some(event('segmentation.tiles'))).toBe(false);
  });

  it('drops tiles outside every view for a newer change, and leaves no array behind', async () => {
    const session = await begin({ slices: 2 });
    const { shut, open } = gate();
    let held = 0;
    engine.applying = slice => (slice === 1 && held++ === 0 ? shut : undefined);
    await page.request('session.live', { session, on: true, view: whole() });
    const first = await tilesFrom(page);
    await draw(page, session, 2, [100, 110], [0, 10]);
    const second = await tilesFrom(page);
    expect(second.round).toBeGreaterThan(first.round);
    expect(await segmented(page)).toMatchObject({ version: 1, round: second.round });
    open();
    const { arrays } = await page.request('session.attach', { session });
    const files = readdirSync(dirname(arrays['prediction']!.path)).map(name => name.replace(/-.*/, ''));
    expect(files.sort()).toEqual(['image', 'labels', 'prediction', 'provenance', 'segmentation']);
  });

  it('shows results while the user keeps drawing, and ends with the last stroke', async () => {
    const session = await begin();
    const slow = () => new Promise<void>(resolve => setTimeout(resolve, 150));
    Object.defineProperty(engine, 'gate', { get: slow });
    await page.request('session.live', { session, on: true, view: whole() });
    let version = 0;
    for (let i = 0; !page.heard.some(event('segmentation.tiles')); i++) {
      ({ version } = await draw(page, session, 2, [i % 256, (i % 256) + 1], [0, 10]));
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    await page.hear(stateWhere(({ segmentation }) => segmentation?.classifier.labelsVersion === version));
    await page.hear(liveJob('done'));
  });

  it('waits while fewer than two classes have labels, says so, and keeps the older segmentation', async () => {
    const { session } = await openSession(python);
    await page.request('session.attach', { session });
    await page.request('session.live', { session, on: true, view: whole() });
    const none = (await page.hear(liveJob('done'))).params;
    expect(none).toMatchObject({
      stage: 'waiting',
      message: expect.stringMatching(/^There are no labels\. Label a few/)
    });
    await label(python, session);
    await segmented(page);
    await page.hear(liveJob('done'));
    page.heard.splice(0);
    await draw(page, session, 0, [0, 20], [0, 20]);
    const one = (await page.hear(liveJob('done'))).params;
    expect(one).toMatchObject({ stage: 'waiting', message: expect.stringMatching(/^Only class 2 \(precipitate\)/) });
    const { segmentation, live, arrays } = await page.request('session.attach', { session });
    expect([segmentation!.version, segmentation!.classifier.labelsVersion, live]).toEqual([1, 2, true]);
    expect(histogram(bytesOf(arrays['segmentation']!))).toEqual(segmentation!.counts);
    await draw(page, session, 1, [0, 20], [0, 20]);
    expect((await segmented(page)).version).toBe(2);
  });

  it('gives way to a requested training, and does not repeat it', async () => {
    const session = await begin();
    const { shut, open } = gate();
    engine.gate = shut;
    await page.request('session.live', { session, on: true, view: whole() });
    await page.hear(liveJob('running'));
    const training = page.request('train', { session }, { id: 'asked' });
    await page.hear(heard => heard.event === 'job' && (heard.params as EventParams<'job'>).stage === 'growing trees');
    open();
    const trained = await training;
    expect(trained.segmentation!.version).toBe(1);
    await page.hear(liveJob('done'));
    expect(engine.trained).toHaveLength(1);
    await draw(page, session, 2, [100, 110], [0, 10]);
    await page.hear(
      heard => event('segmentation')(heard) && (heard.params as EventParams<'segmentation'>).version === 2
    );
    expect(engine.trained).toHaveLength(2);
  });

  it('keeps a loaded classifier until the labels change', async () => {
    const session = await begin();
    await page.request('session.live', { session, on: true, view: whole() });
    await segmented(page);
    await page.hear(liveJob('done'));
    // Everything is of class 2, but for what is very dark.
    const file = [Buffer.from(JSON.stringify({ classes: CLASSES, means: [-100, 60] }))];
    const loaded = await page.request('classifier.load', { session }, { buffers: file });
    expect(loaded.segmentation!.classifier.labelsVersion).toBe(0);
    await page.request('session.live', { session, on: true, view: whole() });
    await page.request('ping', {});
    expect(engine.trained).toHaveLength(1);
    await draw(page, session, 2, [100, 110], [0, 10]);
    await page.hear(stateWhere(({ segmentation }) => segmentation?.classifier.labelsVersion === 3));
    expect(engine.trained).toHaveLength(2);
  });

  it('follows changes of the training choice and of the classes, and ignores equal ones', async () => {
    const session = await begin();
    await page.request('session.live', { session, on: true });
    await segmented(page);
    await page.request('session.choice', { session, forest: { trees: 7 } });
    await segmented(page);
    expect(engine.trained[1]!.forest).toMatchObject({ trees: 7 });
    await page.hear(liveJob('done'));
    await page.request('session.choice', { session, forest: { trees: 7 } });
    await page.request('session.classes', { session, classes: CLASSES });
    const renamed = CLASSES.map(item => ({ ...item, name: `${item.name}s` }));
    await page.request('session.classes', { session, classes: renamed });
    await segmented(page);
    expect(engine.trained).toHaveLength(3);
    expect(engine.trained[2]!.classes).toEqual(renamed);
  });

  it('ends without a class that was erased and removed during the round', async () => {
    const session = await begin();
    const more = [...CLASSES, { id: 3, name: 'pore', color: '#009e73' }];
    await page.request('session.classes', { session, classes: more });
    await draw(page, session, 3, [200, 210], [0, 10]);
    const { shut, open } = gate();
    engine.gate = shut;
    await page.request('session.live', { session, on: true, view: whole() });
    await page.hear(liveJob('running'));
    await draw(page, session, 0, [200, 210], [0, 10]);
    await page.request('session.classes', { session, classes: CLASSES });
    engine.gate = undefined;
    open();
    const { version } = await page.request('session.attach', { session }).then(({ labels }) => labels);
    const told = await page.hear(stateWhere(({ segmentation }) => segmentation?.classifier.labelsVersion === version));
    const { segmentation, arrays } = told.params as SessionState;
    expect(segmentation!.classifier.classes).toEqual(CLASSES);
    expect(histogram(bytesOf(arrays['segmentation']!))).toEqual({ 1: 60000, 2: 60000 });
  });

  it('accepts a new image in the middle of a round', async () => {
    const session = await begin();
    const { shut, open } = gate();
    engine.applying = () => shut;
    await page.request('session.live', { session, on: true, view: whole() });
    await page.hear(liveJob('running'));
    const { info, pixels } = halves(1, 300, 400);
    const image = { ...info, digest: 'f'.repeat(64) };
    const reopened = await python.request('session.open', {
      key: 'image',
      title: 'other',
      image,
      classes: CLASSES,
      keepClasses: false,
      fresh: false
    });
    engine.applying = () => undefined;
    open();
    expect(reopened).toMatchObject({ imageReady: false, live: true, segmentation: null });
    writeFileSync(
      reopened.arrays['image']!.path,
      pixels.map(value => 250 - value),
      { flag: 'r+' }
    );
    await python.request('image.ready', { session });
    await segmented(page);
    const { arrays, segmentation } = await page.request('session.attach', { session });
    expect(histogram(bytesOf(arrays['segmentation']!))).toEqual(segmentation!.counts);
    expect(bytesOf(arrays['segmentation']!)[299 * 400]).toBe(engine.trained.length > 0 ? 1 : 0);
  });

  it('retries once when the engine dies, then reports it and goes on with the next change', async () => {
    const session = await begin();
    const died = () => new BridgeError('compute', 'A thread of the engine died.');
    engine.failures.push(died());
    await page.request('session.live', { session, on: true, view: whole() });
    await segmented(page);
    expect((await page.hear(liveJob('done'))).params).toMatchObject({
      message: expect.stringMatching(/Trying once more/)
    });
    engine.failures.push(died(), died());
    await draw(page, session, 2, [100, 110], [0, 10]);
    expect((await page.hear(liveJob('failed'))).params).toMatchObject({ message: 'A thread of the engine died.' });
    expect((await page.request('session.attach', { session })).live).toBe(true);
    await draw(page, session, 2, [110, 120], [0, 10]);
    expect((await segmented(page)).version).toBe(2);
  });

  it('can cancel the running round, and stays on', async () => {
    const session = await begin();
    const { shut, open } = gate();
    engine.gate = shut;
    await page.request('session.live', { session, on: true, view: whole() });
    const { job } = (await page.hear(liveJob('running'))).params as EventParams<'job'>;
    expect((await page.request('cancel', { id: job })).found).toBe(true);
    await page.hear(liveJob('cancelled'));
    open();
    engine.gate = undefined;
    expect((await page.request('session.attach', { session })).live).toBe(true);
    expect(engine.trained).toHaveLength(0);
    await draw(page, session, 2, [100, 110], [0, 10]);
    await segmented(page);
    expect(engine.trained).toHaveLength(1);
  });

  it('stays on when the page reloads, forgets the old page’s view, and is off after a restart of the sidecar', async () => {
    const session = await begin();
    await page.request('session.live', { session, on: true, view: whole() });
    await segmented(page);
    await page.request('session.detach', { session });
    const again = await home.connect('relay');
    expect((await again.request('session.attach', { session })).live).toBe(true);
    await draw(again, session, 2, [100, 110], [0, 10]);
    await segmented(again);
    expect(again.heard.some(event('segmentation.tiles'))).toBe(false);
    await home.stop();
    await home.start();
    const later = await home.connect('relay');
    const state = await later.request('session.attach', { session });
    expect([state.live, state.segmentation!.counts]).toEqual([
      false,
      histogram(bytesOf(state.arrays['segmentation']!))
    ]);
  });

  it('refuses a view outside the image', async () => {
    const session = await begin();
    for (const [view, message] of [
      [whole({ slice: 1 }), /Slice 1 does not exist/],
      [whole({ row0: 300, row1: 400 }), /300 × 400 pixels/],
      [whole({ column0: 50, column1: 50 }), /columns 50 to 50/]
    ] as const) {
      const refused = { code: 'invalid', message: expect.stringMatching(message) };
      await expect(page.request('session.view', { session, view })).rejects.toMatchObject(refused);
      await expect(page.request('session.live', { session, on: true, view })).rejects.toMatchObject(refused);
    }
    expect((await page.request('session.attach', { session })).live).toBe(false);
  });
});
