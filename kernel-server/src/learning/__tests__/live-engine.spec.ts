/** Live segmentation with the real engine: it ends where a training of its own would, whatever came before; with SAM's embedding too. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { BridgeError } from '../../../../src/shared/errors';
import { FeatureSpec } from '../../../../src/shared/features';
import { ClassifierInfo, EventParams, Params, SessionState } from '../../../../src/shared/protocol';
import { SliceRect } from '../../../../src/shared/rect';
import { EngineService } from '../../engine/service';
import { IHeard, TestClient } from '../../__tests__/support/client';
import { CLASSES, EngineBench } from '../../__tests__/support/engine';
import { Home } from '../../__tests__/support/home';
import { bytesOf, histogram, inflateTile, rectangle } from '../../__tests__/support/images';

const ROWS = 300;
const COLUMNS = 420;
const VIEW: SliceRect = { slice: 0, row0: 0, row1: ROWS, column0: 0, column1: COLUMNS };
/** Enough to tell classifiers apart, and quick. */
const FOREST = { trees: 12, maxDepth: 6 };
const FILTERS = { set: 'samba', sigmas: [1, 3] };
const BOTH = { ...FILTERS, embedding: { layers: [{ layer: 'output', components: 3 }] } };

let bench: EngineBench;
let home: Home<EngineService>;
let page: TestClient;
/** Bytes of the micrograph. */
let pixels: Uint8Array;

beforeAll(() => {
  bench = new EngineBench();
  pixels = bytesOf(bench.micrograph(ROWS, COLUMNS).image);
});

afterAll(async () => bench.dispose());

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  home = await new Home(bench.service()).start();
  page = await home.connect('python');
});

afterEach(async () => {
  await home.dispose();
  jest.restoreAllMocks();
});

const event = (name: string) => (heard: IHeard) => heard.event === name;
const classifierWhere = (is: (info: ClassifierInfo) => boolean) => (heard: IHeard) => {
  const info = heard.event === 'session' ? (heard.params as SessionState).segmentation?.classifier : undefined;
  return info !== undefined && is(info);
};

async function open(key: string, choice: Omit<Params<'session.choice'>, 'session'>, slices = 1): Promise<string> {
  const all = new Uint8Array(slices * pixels.length);
  for (let slice = 0; slice < slices; slice++) {
    all.set(pixels, slice * pixels.length);
  }
  const opened = await page.request('session.open', {
    key,
    title: key,
    image: {
      shape: [slices, ROWS, COLUMNS, 1],
      dtype: 'uint8',
      digest: createHash('sha256').update(all).digest('hex'),
      display: { low: 0, high: 255 }
    },
    classes: CLASSES,
    keepClasses: false,
    fresh: false
  });
  const { session } = opened;
  writeFileSync(opened.arrays['image']!.path, all, { flag: 'r+' });
  await page.request('image.ready', { session });
  await page.request('session.choice', { session, ...choice });
  return session;
}

/** Draw a small square of some class somewhere; the same for the same number. */
function stroke(session: string, i: number): Promise<{ version: number }> {
  const row = (i * 37) % 240;
  const column = (i * 61) % 240;
  const id = i % 11 === 10 ? 0 : CLASSES[i % 2]!.id;
  const tile: [number, number] = [0, i % 3 === 2 ? 1 : 0];
  const { patch, buffers } = rectangle(session, id, {
    tile,
    rows: [row, row + 6],
    columns: [tile[1] ? column % 150 : column, (tile[1] ? column % 150 : column) + 6]
  });
  return page.request('labels.patch', patch, { buffers });
}

/** What a training on the same labels gives in a session of its own. */
async function afresh(from: string, choice: Omit<Params<'session.choice'>, 'session'>, slices = 1) {
  const session = await open(`afresh-${from}-${JSON.stringify(choice).length}`, choice, slices);
  const { arrays } = await page.request('session.attach', { session: from });
  const { staged, array } = await page.request('array.stage', { dtype: 'uint8', shape: [slices, ROWS, COLUMNS] });
  writeFileSync(array.path, bytesOf(arrays['labels']!), { flag: 'r+' });
  await page.request('labels.set', { session, staged });
  return page.request('train', { session });
}

async function expectSame(live: string, fresh: SessionState): Promise<void> {
  const { arrays, segmentation } = await page.request('session.attach', { session: live });
  const its = bytesOf(fresh.arrays['segmentation']!);
  expect(Buffer.compare(bytesOf(arrays['segmentation']!), its)).toBe(0);
  expect(segmentation!.counts).toEqual(histogram(its));
  const json = async (session: string) => Buffer.from((await page.request('classifier.get', { session })).buffers[0]!);
  expect((await json(live)).equals(await json(fresh.session))).toBe(true);
}

/** A gate that is shut until it is opened. */
function gate(): { shut: Promise<void>; open(): void } {
  let open!: () => void;
  const shut = new Promise<void>(resolve => (open = resolve));
  return { shut, open };
}

describe('Live segmentation with the engine', () => {
  it('equals a training on the same labels bit for bit after 200 quick strokes, and leaves no array behind', async () => {
    const choice = { features: FILTERS, forest: FOREST };
    const session = await open('live', choice);
    await page.request('session.live', { session, on: true, view: VIEW });
    const applied = await Promise.all(Array.from({ length: 200 }, (_, i) => stroke(session, i)));
    const last = Math.max(...applied.map(({ version }) => version));
    await page.hear(classifierWhere(({ labelsVersion }) => labelsVersion === last));
    const { arrays, segmentation } = await page.request('session.attach', { session });
    await expectSame(session, await afresh(session, choice));
    const failed = page.heard.filter(
      heard => heard.event === 'job' && (heard.params as EventParams<'job'>).state === 'failed'
    );
    // There is one before the second class has labels.
    expect(failed).toEqual([]);
    const files = readdirSync(dirname(arrays['prediction']!.path)).map(name => name.replace(/-.*/, ''));
    expect(files.sort()).toEqual(['image', 'labels', 'prediction', 'provenance', 'segmentation']);
    // What was shown last is what the arrays hold.
    const shown = new Map<string, Uint8Array>();
    for (const { event: name, params, buffers } of page.heard) {
      const { round, tiles } = params as EventParams<'segmentation.tiles'>;
      if (name === 'segmentation.tiles' && round === segmentation!.round) {
        tiles.forEach(({ row, column }, i) => shown.set(`${row} ${column}`, inflateTile(buffers[i]!)));
      }
    }
    const whole = bytesOf(arrays['segmentation']!);
    expect(shown.size).toBe(4);
    expect(shown.get('1 1')![5 * 256 + 7]).toBe(whole[(256 + 5) * COLUMNS + 256 + 7]);
    const row = shown.get('0 0')!.subarray(100 * 256, 101 * 256);
    expect([...row]).toEqual([...whole.subarray(100 * COLUMNS, 100 * COLUMNS + 256)]);
  });

  it('segments all slices of a stack as a training does, although each stroke interrupts it', async () => {
    const choice = { features: FILTERS, forest: FOREST };
    const session = await open('stack', choice, 3);
    await page.request('session.live', { session, on: true, view: { ...VIEW, slice: 1 } });
    let last = 0;
    for (let i = 0; i < 12; i++) {
      ({ version: last } = await stroke(session, i));
      if (i % 4 === 3) {
        await page.hear(event('segmentation.tiles'));
      }
    }
    await page.hear(classifierWhere(({ labelsVersion }) => labelsVersion === last));
    await expectSame(session, await afresh(session, choice, 3));
  });

  it('gives the same result with boosted trees', async () => {
    const choice = { features: FILTERS, forest: { preset: 'boosting' as const, rounds: 8, minLeaf: 2 } };
    const session = await open('boosted', choice);
    await page.request('session.live', { session, on: true, view: VIEW });
    let last = 0;
    for (let i = 0; i < 40; i++) {
      ({ version: last } = await stroke(session, i));
    }
    await page.hear(classifierWhere(({ labelsVersion }) => labelsVersion === last));
    await expectSame(session, await afresh(session, choice));
  });
});

describe('The embedding', () => {
  const choice = { features: BOTH, forest: FOREST };

  it('does not delay live segmentation, which uses it as soon as it is ready', async () => {
    const { shut, open: let_ } = gate();
    home.sam.gate = shut;
    const session = await open('late', choice);
    await stroke(session, 0);
    await stroke(session, 1);
    await page.request('session.live', { session, on: true, view: VIEW });
    const without = await page.hear(classifierWhere(() => true));
    const early = (without.params as SessionState).segmentation!.classifier;
    expect(early).toMatchObject({ embedding: null, note: expect.stringMatching(/being computed/) });
    expect(early.features.some(name => name.startsWith('SAM'))).toBe(false);
    let_();
    const told = await page.hear(classifierWhere(({ embedding }) => embedding !== null));
    const { classifier } = (told.params as SessionState).segmentation!;
    expect(classifier).toMatchObject({ embedding: { digest: home.sam.encoder.digest }, note: '' });
    expect(classifier.features.slice(-3)).toEqual(['SAM 1', 'SAM 2', 'SAM 3']);
    await expectSame(session, await afresh(session, choice));
  });

  it('is seen in one view until the mean over mirrored views is there', async () => {
    const { shut, open: let_ } = gate();
    home.sam.viewsGate = shut;
    const mirrored = { ...choice, features: { ...BOTH, embedding: { ...BOTH.embedding, views: 4 } } };
    const session = await open('views', mirrored);
    await stroke(session, 0);
    await stroke(session, 1);
    await page.request('session.live', { session, on: true, view: VIEW });
    const of = (views: number) => classifierWhere(({ spec }) => (spec as FeatureSpec).embedding?.views === views);
    const early = (await page.hear(of(1))).params as SessionState;
    expect(early.segmentation!.classifier.note).toMatch(/being computed/);
    let_();
    const late = (await page.hear(of(4))).params as SessionState;
    expect(late.segmentation!.classifier.note).toBe('');
    await expectSame(session, await afresh(session, mirrored));
  });

  it('is seen in all its views also if they are there before the training on one view has ended', async () => {
    const { shut, open: let_ } = gate();
    home.sam.viewsGate = shut;
    const { train } = EngineService.prototype;
    jest.spyOn(EngineService.prototype, 'train').mockImplementation(async function (this: EngineService, ...args) {
      if (args[0].spec.embedding?.views === 1) {
        let_();
        await new Promise(resolve => setTimeout(resolve, 300));
      }
      return train.apply(this, args);
    });
    const mirrored = { ...choice, features: { ...BOTH, embedding: { ...BOTH.embedding, views: 4 } } };
    const session = await open('overtaken', mirrored);
    await stroke(session, 0);
    await stroke(session, 1);
    await page.request('session.live', { session, on: true, view: VIEW });
    await page.hear(classifierWhere(({ spec }) => (spec as FeatureSpec).embedding?.views === 4));
    await expectSame(session, await afresh(session, mirrored));
  });

  it('is waited for once the view is painted, so that the encoder has the cores', async () => {
    const { shut, open: let_ } = gate();
    home.sam.gate = shut;
    const session = await open('rest', choice, 3);
    await stroke(session, 0);
    await stroke(session, 1);
    page.heard.length = 0;
    await page.request('session.live', { session, on: true, view: VIEW });
    const tiles = await page.hear(event('segmentation.tiles'));
    expect(tiles.params).toMatchObject({ slice: 0 });
    await new Promise(resolve => setTimeout(resolve, 1500)); // enough to segment the other slices
    let_();
    await page.hear(classifierWhere(({ embedding }) => embedding !== null));
    expect(page.heard.some(classifierWhere(({ embedding }) => embedding === null))).toBe(false);
    await expectSame(session, await afresh(session, choice, 3));
  });

  it('delays a requested training on labelled slices, and is used by later segmentations', async () => {
    const session = await open('stack', choice, 3);
    await stroke(session, 0);
    await stroke(session, 1);
    const trained = await page.request('train', { session });
    expect(trained.segmentation!.classifier).toMatchObject({ note: '', spec: { embedding: { window: COLUMNS } } });
    const more = await page.request('segment', { session, arrays: ['probabilities'] });
    expect(more.arrays['probabilities']!.shape).toEqual([3, ROWS, COLUMNS, 2]);
    expect(histogram(bytesOf(more.arrays['segmentation']!))).toEqual(more.segmentation!.counts);
  });

  it('may fail: requested and live trainings go on without it, and say why', async () => {
    home.sam.failure = new BridgeError('compute', 'The SAM process died.');
    const session = await open('fails', choice);
    await stroke(session, 0);
    await stroke(session, 1);
    const trained = await page.request('train', { session });
    const said = { embedding: null, note: expect.stringMatching(/could not be computed: The SAM process died\./) };
    expect(trained.segmentation!.classifier).toMatchObject({ ...said, spec: { embedding: null } });
    await page.request('session.live', { session, on: true, view: VIEW });
    const { version } = await stroke(session, 2);
    await page.hear(classifierWhere(info => info.labelsVersion === version && /died/.test(info.note ?? '')));
    await expectSame(session, await afresh(session, { ...choice, features: FILTERS }));
    home.sam.failure = undefined;
    const again = await page.request('train', { session });
    expect(again.segmentation!.classifier).toMatchObject({ note: '', embedding: { model: expect.any(String) } });
  });

  it('may fail for a slice without labels: the training goes on without it', async () => {
    home.sam.fails = slice => (slice === 2 ? new BridgeError('compute', 'The SAM process died.') : undefined);
    const session = await open('fails later', { ...choice, forest: FOREST }, 12);
    await page.request('session.live', { session, on: true, view: VIEW });
    await stroke(session, 0);
    const { version } = await stroke(session, 1);
    await page.hear(classifierWhere(info => info.labelsVersion === version && /died/.test(info.note ?? '')));
    await expectSame(session, await afresh(session, { ...choice, features: FILTERS }, 12));
    const trained = await page.request('train', { session });
    expect(trained.segmentation!.classifier).toMatchObject({ embedding: null, note: expect.stringMatching(/died/) });
  });

  it('is reduced with the first session’s basis in all sessions', async () => {
    const [first, second] = [await open('first', choice), await open('second', choice, 2)];
    await stroke(first, 0);
    await stroke(second, 1);
    const trained = await page.request('train', { session: first, others: [second] });
    expect(trained.segmentation!.classifier.embedding).not.toBeNull();
    expect(home.sam.reduced).toBe(3); // another image, of two slices: results of the same one would be at hand
    const other = await page.request('session.attach', { session: second });
    expect(bytesOf(other.arrays['segmentation']!)).toHaveLength(2 * ROWS * COLUMNS);
  });

  it('of another model than the classifier’s is refused, and a new training uses that model', async () => {
    const session = await open('switched', choice);
    await stroke(session, 0);
    await stroke(session, 1);
    await page.request('train', { session });
    const { buffers } = await page.request('classifier.get', { session });
    home.sam.encoder = { model: 'small', digest: 'a'.repeat(64) };
    // Another image, so that nothing of it is at hand.
    const other = await open('switched too', choice, 2);
    await expect(page.request('classifier.load', { session: other }, { buffers })).rejects.toMatchObject({
      code: 'model'
    });
    await stroke(other, 0);
    await stroke(other, 1);
    const anew = await page.request('train', { session: other });
    expect(anew.segmentation!.classifier.embedding).toMatchObject({ digest: 'a'.repeat(64) });
    expect(existsSync(anew.arrays['segmentation']!.path)).toBe(true);
  });
});
