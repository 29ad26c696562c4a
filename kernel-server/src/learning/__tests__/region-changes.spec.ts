/** The region to work on changes while something is learned or segmented, or the sidecar starts anew with one. The sidecar is real. */
import { EventParams, SessionState } from '../../../../src/shared/protocol';
import { Region } from '../../../../src/shared/region';
import { IHeard, TestClient } from '../../__tests__/support/client';
import { Home, label } from '../../__tests__/support/home';
import { bytesOf, draw, openSession } from '../../__tests__/support/images';
import { EngineService } from '../../__tests__/support/small-engine';

const [ROWS, COLUMNS] = [300, 400];
/** All that has labels; whole tiles, as this engine segments no parts of them. */
const OLD: Region = { slice0: 0, slice1: 1, row0: 0, row1: 256, column0: 0, column1: COLUMNS };
const NEW: Region = { ...OLD, row0: 100, row1: 280 };

let home: Home<EngineService>;
let engine: EngineService;
let page: TestClient;
let session: string;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  engine = new EngineService();
  home = await new Home(engine).start();
  page = await home.connect();
  session = (await openSession(page)).session;
  await label(page, session);
  await page.request('session.region', { session, region: OLD });
});

afterEach(async () => {
  await home.dispose();
  jest.restoreAllMocks();
});

const view = { slice: 0, row0: 0, row1: ROWS, column0: 0, column1: COLUMNS };
const stage = (name: string) => (heard: IHeard) =>
  heard.event === 'job' && (heard.params as EventParams<'job'>).stage === name;
const named = (event: string) => (heard: IHeard) => heard.event === event;

/** The first row and the row after the last one that have class ids, and whether those between all have them. */
function segmentedRows(state: SessionState): [number, number, boolean] {
  const bytes = bytesOf(state.arrays['segmentation']!);
  const row = (index: number) => Math.floor(index / COLUMNS);
  const first = row(bytes.findIndex(id => id > 0));
  const end =
    row(
      bytes.length -
        1 -
        bytes
          .slice()
          .reverse()
          .findIndex(id => id > 0)
    ) + 1;
  return [first, end, bytes.subarray(first * COLUMNS, end * COLUMNS).every(id => id > 0)];
}

/** A gate that is shut until it is opened. */
function gate(): { shut: Promise<void>; open(): void } {
  let open!: () => void;
  const shut = new Promise<void>(resolve => (open = resolve));
  return { shut, open };
}

/** What the engine segments from now on is held. `begun` settles when the first of it has come. */
function hold(): { begun: Promise<void>; open(): void } {
  const [begun, held] = [gate(), gate()];
  engine.applying = () => {
    begun.open();
    return held.shut;
  };
  return { begun: begun.shut, open: held.open };
}

it('marks the result of a training as that of the region that it began with', async () => {
  await page.request('session.view', { session, view });
  const held = hold();
  const training = page.request('train', { session });
  await held.begun;
  await page.request('session.region', { session, region: NEW });
  page.heard.length = 0;
  held.open();
  const trained = await training;
  expect(trained.region).toEqual(NEW);
  expect(trained.segmentation).toMatchObject({ outgrown: true, learnedElsewhere: true });
  expect(segmentedRows(trained)).toEqual([100, 256, true]);
  expect(trained.segmentation!.counts).toEqual({ 1: 156 * 200, 2: 156 * 200 });
  // A page that got tiles of the training must fetch them anew: they were cut to the older region.
  expect(trained.segmentation!.round).toBeUndefined();
  const told = await page.hear(named('segmentation'));
  expect(told.params).toEqual({ session, version: trained.segmentation!.version });

  const whole = await page.request('segment', { session, arrays: ['segmentation'] });
  expect(segmentedRows(whole)).toEqual([100, 280, true]);
  expect(whole.segmentation!.outgrown).toBeUndefined();
  expect(whole.segmentation!.learnedElsewhere).toBe(true);
  await draw(page, session, 120);
  await draw(page, session, 121, 2);
  const anew = await page.request('train', { session });
  expect(anew.segmentation!.learnedElsewhere).toBeUndefined();
});

it('keeps no tiles on pages that a cancelled training cut to the older region', async () => {
  await page.request('session.view', { session, view: { ...view, row1: 256, column1: 200 } });
  const [begun, held] = [gate(), gate()];
  let asked = 0;
  engine.applying = () => (asked++ === 0 ? undefined : (begun.open(), held.shut));
  const training = page.request('train', { session }, { id: 'asked' });
  const failed = expect(training).rejects.toMatchObject({ code: 'cancelled' });
  await page.hear(named('segmentation.tiles'));
  await begun.shut;
  await page.request('session.region', { session, region: NEW });
  page.heard.length = 0;
  await page.request('cancel', { id: 'asked' });
  held.open();
  await failed;
  const { params } = await page.hear(named('segmentation'));
  expect((params as EventParams<'segmentation'>).round).toBeUndefined();
});

it('does not train with maps of SAM that are of another region than the labels that are learned', async () => {
  const features = { embedding: { model: 'small', window: null, layers: [{ layer: 'output', components: 2 }] } };
  await page.request('session.choice', { session, features });
  const held = gate();
  home.sam.mapsGate = held.shut;
  const training = page.request('train', { session });
  const failed = expect(training).rejects.toMatchObject({
    code: 'not-ready',
    message: '“image”: the region to work on changed before SAM had seen it, so nothing was trained. Train again.'
  });
  await page.hear(stage('embedding'));
  await page.request('session.region', { session, region: NEW });
  held.open();
  await failed;
  expect(engine.trained).toHaveLength(0);
  expect((await page.request('session.attach', { session })).segmentation).toBeNull();
  const { segmentation } = await page.request('train', { session });
  expect(segmentation!.classifier).toMatchObject({ note: '', spec: { embedding: { window: COLUMNS } } });
  expect(segmentation!.learnedElsewhere).toBeUndefined();
});

it('makes probabilities of the new region when it changes while those of the older one are made', async () => {
  await page.request('train', { session });
  const held = hold();
  const asked = page.request('segment', { session, arrays: ['probabilities'] });
  await held.begun;
  await page.request('session.region', { session, region: NEW });
  held.open();
  const state = await asked;
  expect(state.arrays['probabilities']).toBeDefined();
  expect(engine.applied.length).toBeGreaterThan(2);
});

it('has its region and the segmentation of it again after a restart, and Live goes on from there', async () => {
  const before = await page.request('train', { session });
  expect(segmentedRows(before)).toEqual([0, 256, true]);
  await home.stop();
  await home.start();
  page = await home.connect();
  const state = await page.request('session.attach', { session });
  expect(state.region).toEqual(OLD);
  expect([state.segmentation!.outgrown, state.segmentation!.learnedElsewhere]).toEqual([undefined, undefined]);
  expect(segmentedRows(state)).toEqual([0, 256, true]);
  expect(state.segmentation!.counts).toEqual(before.segmentation!.counts);

  const learned = engine.trained.length;
  await page.request('session.live', { session, on: true, view });
  await page.request('session.view', { session, view });
  expect(engine.trained).toHaveLength(learned); // nothing has changed
  await draw(page, session, 20, 2);
  await page.hear(named('segmentation'));
  expect(engine.trained).toHaveLength(learned + 1);
  expect(engine.trained.at(-1)!.within).toEqual(OLD);
});

it('learns and segments the new region when it changes while Live is on, whatever round is under way', async () => {
  const held = hold();
  await page.request('session.live', { session, on: true, view });
  await held.begun;
  const changed = page.request('session.region', { session, region: NEW });
  held.open();
  await changed;
  let state: SessionState;
  do {
    await page.hear(named('segmentation'));
    state = await page.request('session.attach', { session });
  } while (!state.segmentation || state.segmentation.outgrown || state.segmentation.learnedElsewhere);
  expect(segmentedRows(state)).toEqual([100, 280, true]);
  expect(engine.trained.at(-1)!.within).toEqual(NEW);
});
