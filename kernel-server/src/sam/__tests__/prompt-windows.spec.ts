/** Windows of a large image for prompts, with the real model in a real SAM process. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { toFloat16, windowAt } from '../../../../src/sam';
import type { EventParams } from '../../../../src/shared/protocol';
import { Rect } from '../../../../src/shared/rect';
import { TestClient } from '../../__tests__/support/client';
import { Home } from '../../__tests__/support/home';
import { bytesOf, CLASSES } from '../../__tests__/support/images';
import {
  buildDecoder,
  bundleSamProcess,
  intersectionOverUnion,
  makeContext,
  makeFolder
} from '../../__tests__/support/sam-fixture';
import { EngineService } from '../../__tests__/support/small-engine';
import { SamService } from '../service';

const [ROWS, COLUMNS] = [1100, 2600];
const SIDE = 1024;
/** Discs on a border: left of this column another window serves than on the right. */
const BORDER = 768;
const DISCS = [
  { row: 500, column: BORDER, radius: 16 },
  { row: 300, column: BORDER, radius: 40 },
  { row: 660, column: BORDER, radius: 100 }
];

const folder = makeFolder();
let pixels: Uint8Array;
let sam: SamService;
let home: Home<EngineService>;
let page: TestClient;
let session: string;

beforeAll(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const env = { ...process.env, SAMBALAB_PROVIDER: 'cpu' };
  const processPath = bundleSamProcess(folder.path);
  sam = new SamService({ processPath, decoderPath: buildDecoder(folder.path), env });
  home = await new Home(new EngineService(), sam).start();
  page = await home.connect('python');
  pixels = new Uint8Array(ROWS * COLUMNS);
  for (let i = 0, noise = 11; i < pixels.length; i++) {
    noise = (noise * 48271) % 2147483647;
    pixels[i] = 90 + (noise % 40);
  }
  DISCS.forEach(disc => truth(disc).forEach((value, i) => (pixels[i]! += 80 * value)));
  const digest = createHash('sha256').update(pixels).digest('hex');
  const { arrays, ...opened } = await page.request('session.open', {
    key: 'large',
    title: '',
    image: { shape: [1, ROWS, COLUMNS, 1], dtype: 'uint8', digest, display: { low: 0, high: 255 } },
    classes: CLASSES,
    keepClasses: false,
    fresh: false
  });
  session = opened.session;
  writeFileSync(arrays['image']!.path, pixels, { flag: 'r+' });
  await page.request('image.ready', { session });
  await page.request('session.choice', { session, features: { families: {} } });
});

afterAll(async () => {
  await home.dispose();
  await sam.dispose();
  folder.remove();
  jest.restoreAllMocks();
});

function truth({ row, column, radius }: (typeof DISCS)[number]): Uint8Array {
  const mask = new Uint8Array(ROWS * COLUMNS);
  for (let r = row - radius; r <= row + radius; r++) {
    for (let c = column - radius; c <= column + radius; c++) {
      mask[r * COLUMNS + c] = Number(Math.hypot(r - row, c - column) <= radius);
    }
  }
  return mask;
}

/** The mask that is suggested at a pixel. */
async function suggested(row: number, column: number): Promise<{ mask: Uint8Array; window: Rect }> {
  const window = windowAt({ row0: 0, row1: ROWS, column0: 0, column1: COLUMNS }, SIDE, row, column);
  const points = [{ row, column, label: 1 as const }];
  const { array, scores } = await page.request('sam.suggest', { session, slice: 0, points, window });
  const masks = bytesOf(array);
  const all = scores.map((_, i) => masks.subarray(i * ROWS * COLUMNS, (i + 1) * ROWS * COLUMNS));
  const shares = all.map(mask => mask.reduce((sum, value) => sum + value, 0) / SIDE ** 2);
  const useful = scores.map((score, i) => (shares[i]! > 0.9 ? -1 : score));
  return { mask: all[useful.indexOf(Math.max(...useful))]!, window };
}

describe('Windows for prompts', () => {
  it.each(DISCS)('give a disc of radius $radius whole, and the same from both sides of a border', async disc => {
    const left = await suggested(disc.row, disc.column - disc.radius / 2);
    const right = await suggested(disc.row, disc.column + disc.radius / 2);
    expect([left.window.column0, right.window.column0]).toEqual([0, 512]);
    const found = [
      intersectionOverUnion(left.mask, right.mask),
      intersectionOverUnion(left.mask, truth(disc)),
      intersectionOverUnion(right.mask, truth(disc))
    ];
    expect(Math.min(...found)).toBeGreaterThan(0.9);
  });

  it('are answered with their own embedding, or a clear error, if the SAM process is killed while it encodes them', async () => {
    await page.request('session.attach', { session });
    const windows = [0, 400].map(column0 => ({ row0: 200, row1: 712, column0, column1: column0 + 512 }));
    const embedding = async (window: Rect) => {
      const { buffers, within } = await page.request('sam.embedding', { session, slice: 0, window });
      expect(within).toEqual(window);
      return Buffer.from(buffers[0]!);
    };
    const encoding = () =>
      page.hear(({ event, params }) => event === 'job' && (params as EventParams<'job'>).stage === 'encoding');
    const killed: number[] = [];
    const kill = async () => {
      await encoding();
      killed.push(sam.pid!);
      process.kill(sam.pid!, 'SIGKILL');
    };
    const [found] = await Promise.all([Promise.all(windows.map(embedding)), kill()]);
    expect(sam.pid).not.toBe(killed[0]);
    // What a process that lives gives for the same pixels.
    const { image } = (await page.request('session.attach', { session })).arrays;
    for (const [i, window] of windows.entries()) {
      const { embedding: calm } = await sam.embed(image!, { low: 0, high: 255 }, 0, makeContext(), window);
      expect(found[i]!.equals(Buffer.from(toFloat16(calm).buffer))).toBe(true);
    }
    expect(new Set(found.map(each => each.toString('base64'))).size).toBe(windows.length);

    const other = { row0: 300, row1: 812, column0: 1200, column1: 1712 };
    page.heard.length = 0;
    const refused = expect(embedding(other)).rejects.toMatchObject({
      code: 'compute',
      message: expect.stringMatching(/The SAM process died 2 times over this \(SIGKILL\)\. .*Try again/)
    });
    await kill();
    await kill();
    await refused;
    expect(await embedding(other)).toHaveLength(2 * 256 * 64 * 64);
  }, 60_000);

  it('are refused outside of what SAM sees', async () => {
    const window = { row0: 0, row1: SIDE, column0: 2000, column1: 2601 };
    await expect(page.request('sam.embedding', { session, slice: 0, window })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('columns 0 to 2600')
    });
    const region = { slice0: 0, slice1: 1, row0: 100, row1: 900, column0: 0, column1: 1800 };
    await page.request('session.region', { session, region });
    const inside = { row0: 99, row1: 200, column0: 0, column1: 100 };
    await expect(page.request('sam.embedding', { session, slice: 0, window: inside })).rejects.toMatchObject({
      code: 'invalid'
    });
    const empty = { row0: 200, row1: 200, column0: 0, column1: 100 };
    await expect(page.request('sam.embedding', { session, slice: 0, window: empty })).rejects.toMatchObject({
      code: 'invalid'
    });
  });
});
