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
const VIEW = { slice: 0, row0: 520, row1: 760, column0: 780, column1: 1000 };

/** The SAM process; counts its windows, and makes only the first `most` while `gate` is shut. */
class GatedSam extends SamService {
  windows = 0;
  most = Infinity;
  gate: Promise<void> = Promise.resolve();

  override async reduce(...args: Parameters<ISamService['reduce']>): ReturnType<ISamService['reduce']> {
    this.windows += args[5].length;
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
  const embedding = { window: 128, layers: [{ layer: 'output', components: 2 }] };
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
});
