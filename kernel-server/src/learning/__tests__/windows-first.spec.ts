/** A training on an image of many windows: the tiles in view wait for their windows only, and the result does not depend on the view. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { EventParams } from '../../../../src/shared/protocol';
import { MOBILE_SAM } from '../../../../src/shared/models/mobile-sam';
import { SliceRect } from '../../../../src/shared/rect';
import { EngineService } from '../../engine/service';
import { ISamService } from '../../jobs/services';
import { SamService } from '../../sam/service';
import { TestClient } from '../../__tests__/support/client';
import { CLASSES, EngineBench } from '../../__tests__/support/engine';
import { Home } from '../../__tests__/support/home';
import { bytesOf, rectangle } from '../../__tests__/support/images';
import { bundleSamProcess, makeFolder, tinyManifest } from '../../__tests__/support/sam-fixture';

const SIDE = 1280;
/** Windows of 128 pixels over the image. */
const WINDOWS = 13 ** 2;
/** A window for prompts. */
const VIEW_WINDOW = { row0: 512, row1: 768, column0: 768, column1: 1024 };
const VIEW = { slice: 0, row0: 520, row1: 760, column0: 780, column1: 1000 };

/** The SAM process; counts its windows, and makes only the first `most` while `gate` is shut. */
class GatedSam extends SamService {
  windows = 0;
  most = Infinity;
  gate: Promise<void> = Promise.resolve();
  /** Called at each step of the encoder. */
  step: (stage: string, done: number, total: number) => void = () => undefined;

  override async reduce(...args: Parameters<ISamService['reduce']>): ReturnType<ISamService['reduce']> {
    this.windows += args[5].length;
    const context = args[6];
    args[6] = {
      signal: context.signal,
      progress: (stage, done, total, message) => {
        context.progress(stage, done, total, message);
        this.step(stage, done, total);
      }
    };
    if (this.windows > this.most) {
      await this.gate;
    }
    return super.reduce(...args);
  }
}

const folder = makeFolder();
let processPath: string;
let bench: EngineBench;
let pixels: Uint8Array;
let sam: GatedSam;
let home: Home<EngineService>;
let page: TestClient;

beforeAll(() => {
  processPath = bundleSamProcess(folder.path);
  bench = new EngineBench();
  pixels = bytesOf(bench.micrograph(SIDE, SIDE).image);
});

afterAll(async () => {
  await bench.dispose();
  folder.remove();
});

/** Start a sidecar that has computed nothing yet. */
async function start(): Promise<void> {
  const env = { ...process.env, SAMBALAB_PROVIDER: 'cpu', SAMBALAB_MODELS: folder.path };
  const manifest = { ...tinyManifest(folder.path), id: MOBILE_SAM.id };
  sam = new GatedSam({ processPath, manifest, env });
  home = await new Home(bench.service(), sam).start();
  page = await home.connect('python');
}

async function end(): Promise<void> {
  await home.dispose();
  await sam.dispose();
}

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  await start();
});

afterEach(async () => {
  await end();
  jest.restoreAllMocks();
});

/** A labelled session of the image, and what the page shows of it. */
async function open(key: string, view: SliceRect | null): Promise<string> {
  const { session, arrays } = await page.request('session.open', {
    key,
    title: '',
    image: {
      shape: [1, SIDE, SIDE, 1],
      dtype: 'uint8',
      digest: createHash('sha256').update(pixels).digest('hex'),
      display: { low: 0, high: 255 }
    },
    classes: CLASSES,
    keepClasses: false,
    fresh: false
  });
  writeFileSync(arrays['image']!.path, pixels, { flag: 'r+' });
  await page.request('image.ready', { session });
  const embedding = { window: 128, views: 1, layers: [{ layer: 'output', components: 2 }] };
  await page.request('session.choice', {
    session,
    features: { set: 'samba', sigmas: [1], hessian: false, membrane: false, differenceOfGaussians: false, embedding },
    forest: { trees: 20 }
  });
  for (const [i, { id }] of CLASSES.slice(0, 2).entries()) {
    const where = { tile: [0, 0] as [number, number], rows: [20, 60] as [number, number] };
    const { patch, buffers } = rectangle(session, id, { ...where, columns: [20 + 100 * i, 60 + 100 * i] });
    await page.request('labels.patch', patch, { buffers });
  }
  await page.request('session.view', { session, view });
  return session;
}

/** The tiles that the page has got of a session. */
function shown(session: string): string[] {
  return page.heard.flatMap(({ event, params }) => {
    const { session: its, tiles } = params as EventParams<'segmentation.tiles'>;
    return event === 'segmentation.tiles' && its === session ? tiles.map(({ row, column }) => `${row} ${column}`) : [];
  });
}

describe('A training on an image of many windows', () => {
  it('paints what a page shows before half of the windows are made, and ends the same for any view', async () => {
    const session = await open('first', VIEW);
    sam.most = WINDOWS / 2;
    let openGate!: () => void;
    sam.gate = new Promise(resolve => (openGate = resolve));
    const training = page.request('train', { session });
    await page.hear(() => shown(session).length > 0);
    expect(shown(session).sort()).toEqual(['2 3']);
    openGate();
    const { arrays } = await training;
    expect(sam.windows).toBe(WINDOWS);
    const segmentation = bytesOf(arrays['segmentation']!);
    expect(segmentation.includes(0)).toBe(false);
    for (const view of [{ slice: 0, row0: 0, row1: 1280, column0: 900, column1: 1280 }, null]) {
      await end();
      await start();
      const other = await open('other view', view);
      const { arrays: its } = await page.request('train', { session: other });
      expect(Buffer.compare(bytesOf(its['segmentation']!), segmentation)).toBe(0);
      expect(sam.windows).toBe(WINDOWS);
    }
  }, 120_000);

  it('keeps what is painted when it is cancelled', async () => {
    const session = await open('cancelled', VIEW);
    sam.most = WINDOWS / 2;
    let openGate!: () => void;
    sam.gate = new Promise(resolve => (openGate = resolve));
    const failed = expect(page.request('train', { session }, { id: 'some' })).rejects.toMatchObject({
      code: 'cancelled'
    });
    await page.hear(() => shown(session).length > 0);
    await page.request('cancel', { id: 'some' });
    await failed;
    await page.hear(({ event }) => event === 'segmentation');
    openGate();
    const { arrays, segmentation } = await page.request('session.attach', { session });
    expect(segmentation!.part).toBeGreaterThan(0);
    expect(segmentation!.part).toBeLessThan(1);
    const bytes = bytesOf(arrays['segmentation']!);
    expect(bytes[640 * SIDE + 900]).toBeGreaterThan(0);
    expect(sam.windows).toBeLessThan(WINDOWS);
  }, 120_000);

  it('counts the windows that come first, and stops at once when it is cancelled there; the segmentation before stays', async () => {
    const session = await open('cancelled early', VIEW);
    const { features } = (await page.request('session.attach', { session })).choice;
    await page.request('session.choice', { session, features: { ...features, embedding: null } });
    const { arrays, segmentation: before } = await page.request('train', { session });
    const painted = bytesOf(arrays['segmentation']!);
    const labels = bytesOf(arrays['labels']!);
    await page.request('session.choice', { session, features });
    page.heard.length = 0;

    const counted: number[] = [];
    let pid = 0;
    sam.step = (stage, done, total) => {
      if (stage === 'encoding' && total === 9) {
        counted.push(done);
        if (done === 2) {
          pid = sam.pid!;
          process.kill(pid, 'SIGSTOP'); // the window takes long
        }
      }
    };
    const failed = expect(page.request('train', { session }, { id: 'early' })).rejects.toMatchObject({
      code: 'cancelled'
    });
    const { params } = await page.hear(({ event, params }) => {
      const { kind, stage, done } = params as EventParams<'job'>;
      return event === 'job' && kind === 'train' && stage === 'encoding' && done >= 2; // it may have gone on until the signal came
    });
    expect(params).toMatchObject({ job: 'early', state: 'running', total: 9 });
    await page.request('cancel', { id: 'early' });
    await failed; // while the window is still being made
    process.kill(pid, 'SIGCONT');
    expect(counted.slice(0, 3)).toEqual([0, 1, 2]);
    expect(counted.length).toBeLessThan(6);
    const after = await page.request('session.attach', { session });
    expect(after.segmentation).toEqual(before);
    expect(Buffer.compare(bytesOf(after.arrays['segmentation']!), painted)).toBe(0);
    expect(Buffer.compare(bytesOf(after.arrays['labels']!), labels)).toBe(0);
    expect(shown(session)).toEqual([]);

    sam.step = () => undefined;
    const { segmentation } = await page.request('train', { session });
    expect(segmentation!.version).toBeGreaterThan(before!.version);
    expect(segmentation!.classifier.embedding).not.toBeNull();
    expect(segmentation!.part).toBeUndefined();
  }, 120_000);

  it('tells a training that waits for windows under way at which one they are', async () => {
    const session = await open('under way', VIEW);
    let goOn!: () => void;
    const seen = new Promise<void>(resolve => (goOn = resolve));
    let pid = 0;
    sam.step = (stage, done, total) => {
      if (stage === 'encoding' && total === 9 && done === 4) {
        pid = sam.pid!;
        process.kill(pid, 'SIGSTOP');
        goOn();
      }
    };
    await page.request('sam.embedding', { session, slice: 0 }); // the windows that any training needs follow
    await seen;
    const training = page.request('train', { session }, { id: 'waits' });
    const { params } = await page.hear(({ event, params }) => {
      const { job, stage } = params as EventParams<'job'>;
      return event === 'job' && job === 'waits' && stage === 'encoding';
    });
    const { done, total } = params as EventParams<'job'>;
    expect(total).toBe(9);
    expect(done).toBeGreaterThanOrEqual(4); // the process may have gone on until the signal came
    expect(done).toBeLessThan(9);
    process.kill(pid, 'SIGCONT');
    await training;
  }, 120_000);
});

describe('Live on an image of many windows', () => {
  /** A view of the labels, which few windows show. */
  const NEAR: SliceRect = { slice: 0, row0: 0, row1: 100, column0: 0, column1: 180 };

  /** Hold the windows after the first `most`. @returns what lets them go on */
  function hold(most: number): () => void {
    let openGate!: () => void;
    sam.gate = new Promise(resolve => (openGate = resolve));
    sam.most = most;
    return openGate;
  }

  it('uses the maps as soon as the windows of labels and view are made, and makes no more when it is switched off', async () => {
    const session = await open('live', NEAR);
    const most = 24; // 9 stand for the image, 8 more show the view and the tile with the labels
    const openGate = hold(most);
    await page.request('session.live', { session, on: true, view: NEAR });
    // A round with the maps has made the first tiles; the rest waits for further windows.
    await page.hear(({ event, params }) => {
      const { kind, stage, done } = params as EventParams<'job'>;
      return event === 'job' && kind === 'live' && stage === 'encoding and segmenting' && done > 0;
    });
    expect(shown(session)).toContain('0 0');
    expect(sam.windows).toBeLessThanOrEqual(most + 2); // two are asked for at once, of 169
    await page.request('session.live', { session, on: false });
    const { windows } = sam;
    openGate();
    await page.request('sam.embedding', { session, slice: 0, window: VIEW_WINDOW }); // the encoder is free again
    expect(sam.windows).toBe(windows);
  }, 120_000);
});

it('No window of an image is made before it has labels, and none after its page was closed', async () => {
  const session = await open('opened', null);
  await page.request('history.undo', { session });
  await page.request('history.undo', { session });
  const tab = await home.connect('relay');
  await tab.request('session.attach', { session });
  await tab.request('session.view', { session, view: VIEW });
  await tab.request('sam.embedding', { session, slice: 0 });
  await tab.request('sam.embedding', { session, slice: 0, window: VIEW_WINDOW });
  expect(sam.windows).toBe(0);
  let openGate!: () => void;
  sam.gate = new Promise(resolve => (openGate = resolve));
  sam.most = 8; // before the nine that the basis is fitted to
  let encoded = 0;
  sam.step = stage => (encoded += stage === 'encoding' ? 1 : 0);
  await page.request('history.redo', { session });
  await page.hear(() => sam.windows === 9);
  const ended = page.hear(({ event, params }) => {
    const { kind, state } = params as EventParams<'job'>;
    return event === 'job' && kind === 'embed' && state === 'cancelled';
  });
  await tab.request('leave', {});
  await ended;
  openGate();
  await page.request('sam.embedding', { session, slice: 0, window: VIEW_WINDOW }); // the encoder is free again
  expect([sam.windows, encoded]).toEqual([9, 0]);
}, 120_000);
