/** Objects like an example in windows of a large image, with the real model in a real SAM process. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { packLogits, ShapedMask, SimilarWindows, unpackPart, windowAround } from '../../../../src/sam';
import { MOBILE_SAM } from '../../../../src/shared/models/mobile-sam';
import { LABEL_TILE, MASK_BYTES } from '../../../../src/shared/limits';
import { areaOf, Rect } from '../../../../src/shared/rect';
import { TestClient } from '../../__tests__/support/client';
import { Home } from '../../__tests__/support/home';
import { CLASSES } from '../../__tests__/support/images';
import { buildDecoder, bundleSamProcess, intersectionOverUnion, makeFolder } from '../../__tests__/support/sam-fixture';
import { EngineService } from '../../__tests__/support/small-engine';
import { SamService } from '../service';

const [ROWS, COLUMNS] = [1100, 1400];
const RADIUS = 16;
const SEEN: Rect = { row0: 0, row1: ROWS, column0: 0, column1: COLUMNS };
/**
 * A row of discs, and noise that repeats with them. Of the windows of 512 pixels some begin at column 0, the next at column 384: what is left of column 448
 * belongs to the first ones. The disc there is the fourth; the third lies in the middle of a window. A layer below is as bright as the discs, so that the
 * contrast, which SAM sees stretched, is the same in all windows.
 */
const PERIOD = 140;
const DISCS = Array.from({ length: 6 }, (_, i) => ({ row: 200, column: 28 + i * PERIOD }));
/** A darker disc, which is not like the others. */
const DARKER = { row: 320, column: 238 };
const around = ({ row, column }: { row: number; column: number }): Rect => ({
  row0: row - RADIUS - 3,
  row1: row + RADIUS + 4,
  column0: column - RADIUS - 3,
  column1: column + RADIUS + 4
});

/** The pixels around a disc of an image's mask. */
function part(mask: Uint8Array, disc: { row: number; column: number }): Uint8Array {
  const { row0, row1, column0, column1 } = around(disc);
  const rows = Array.from({ length: row1 - row0 }, (_, i) => (row0 + i) * COLUMNS);
  return Uint8Array.from(rows.flatMap(row => [...mask.subarray(row + Math.max(0, column0), row + column1)]));
}

describe('SimilarFinder', () => {
  const folder = makeFolder();
  let sam: SamService;
  let home: Home<EngineService>;
  let client: TestClient;
  let session: string;
  const pixels = new Uint8Array(ROWS * COLUMNS);
  /** The first disc, as a decoder draws it that sees the window around it. */
  const within = windowAround(SEEN, 512, DISCS[0]!.row, DISCS[0]!.column);
  const example = { slice: 0, point: DISCS[0]!, within };
  const logits = Float32Array.from({ length: 256 * 256 }, (_, i) => {
    const [row, column] = [2 * Math.floor(i / 256) + 0.5, 2 * (i % 256) + 0.5];
    return RADIUS - Math.hypot(row + within.row0 - DISCS[0]!.row, column + within.column0 - DISCS[0]!.column);
  });
  const packed = (mask: Float32Array) => deflateRawSync(packLogits([mask]));
  const buffers = [packed(logits)];

  beforeAll(async () => {
    const env = { ...process.env, SAMBALAB_PROVIDER: 'cpu' };
    const processPath = bundleSamProcess(folder.path);
    sam = new SamService({ processPath, decoderPath: buildDecoder(folder.path), env });
    home = await new Home(new EngineService(), sam).start();
    client = await home.connect('python');
    let random = 11;
    const noise = Uint8Array.from({ length: ROWS * PERIOD }, () => (random = (random * 48271) % 2147483647) % 40);
    for (let i = 0; i < pixels.length; i++) {
      const [row, column] = [Math.floor(i / COLUMNS), i % COLUMNS];
      const isIn = row > 420 || DISCS.some(disc => Math.hypot(row - disc.row, column - disc.column) <= RADIUS);
      const isDarker = Math.hypot(row - DARKER.row, column - DARKER.column) <= RADIUS;
      pixels[i] = 80 + noise[row * PERIOD + (column % PERIOD)]! + (isIn ? 80 : isDarker ? -60 : 0);
    }
    const digest = createHash('sha256').update(pixels).digest('hex');
    const { arrays, ...opened } = await client.request('session.open', {
      key: 'large',
      title: '',
      image: { shape: [1, ROWS, COLUMNS, 1], dtype: 'uint8', digest, display: { low: 0, high: 255 } },
      classes: CLASSES,
      keepClasses: false,
      fresh: false
    });
    session = opened.session;
    writeFileSync(arrays['image']!.path, pixels, { flag: 'r+' });
    await client.request('image.ready', { session });
    await client.request('session.choice', { session, features: { families: {} } });
  });
  afterAll(async () => {
    await home.dispose();
    await sam.dispose();
    folder.remove();
  });

  it('finds an object at the border between windows once, as one that lies in the middle', async () => {
    const windows = new SimilarWindows(SEEN, around(DISCS[0]!));
    const upper = windows.all.filter(({ row0, column0 }) => row0 === 0 && column0 <= 384);
    expect(upper.map(({ column0, column1 }) => [column0, column1])).toEqual([
      [0, 512],
      [384, 896]
    ]);
    const found: { mask: Uint8Array; index: number }[] = [];
    for (const window of upper) {
      const answer = await client.request(
        'sam.similar-window',
        { session, slice: 0, window: windows.all.indexOf(window), example },
        { buffers }
      );
      expect(answer.windows).toBe(windows.all.length);
      expect(answer.buffers).toHaveLength(2 * answer.objects.length);
      answer.objects.forEach(({ point, rect }, i) => {
        const bytes = inflateRawSync(answer.buffers[i]!);
        expect(bytes).toHaveLength(areaOf(rect));
        const mask = new Uint8Array(ROWS * COLUMNS);
        const width = rect.column1 - rect.column0;
        bytes.forEach((inside, k) => {
          mask[(rect.row0 + Math.floor(k / width)) * COLUMNS + rect.column0 + (k % width)] = inside;
        });
        expect(mask[point.row * COLUMNS + point.column]).toBe(1);
        const overlaps = DISCS.map(disc => part(mask, disc).reduce((sum, inside) => sum + inside, 0));
        const index = overlaps.indexOf(Math.max(...overlaps));
        found.push({ mask: part(mask, DISCS[index]!), index });
      });
    }
    // Not the example, nor the darker disc, nor what belongs to windows further right; the one on the border once, or by both windows as the same mask.
    const indices = found.map(({ index }) => index).sort((a, b) => a - b);
    expect([...new Set(indices)]).toEqual([1, 2, 3, 4, 5]);
    expect(indices.filter(index => index !== 3)).toEqual([1, 2, 4, 5]);
    const central = found.find(({ index }) => index === 2)!;
    for (const { mask } of found.filter(({ index }) => index === 3)) {
      expect(intersectionOverUnion(mask, central.mask)).toBeGreaterThan(0.9);
    }
  });

  it('draws objects in the shape that is asked for, as the page would of their logits', async () => {
    const shape = { connected: true, filled: true, smooth: true, grow: 2, edges: true };
    const params = { session, slice: 0, window: 0, example, shape };
    const { objects, buffers: found } = await client.request('sam.similar-window', params, { buffers });
    expect(objects.length).toBeGreaterThan(0);
    const greys = ({ row0, row1, column0, column1 }: Rect) =>
      Float32Array.from({ length: (row1 - row0) * (column1 - column0) }, (_, i) => {
        const [row, column] = [row0 + Math.floor(i / (column1 - column0)), column0 + (i % (column1 - column0))];
        return pixels[row * COLUMNS + column]!;
      });
    let [same, all] = [0, 0];
    objects.forEach(({ point, rect, seen, samples }, i) => {
      const codes = inflateRawSync(found[objects.length + i]!);
      const drawn = { logits: unpackPart({ samples, codes }, 256), seen, points: [point] };
      const shown = new ShapedMask(drawn, shape, { rows: ROWS, columns: COLUMNS }, MOBILE_SAM, greys);
      expect(shown.isRefined).toBe(true);
      const mask = inflateRawSync(found[i]!);
      same += shown.region(rect).reduce((sum, inside, k) => sum + Number(inside === mask[k]), 0);
      all += areaOf(rect);
    });
    // The logits travel as bytes: a pixel here and there may differ.
    expect(same / all).toBeGreaterThan(0.998);
  });

  it('leaves out what has a label, and tells if it does not see the example', async () => {
    const params = { session, slice: 0, window: 0, example };
    const before = await client.request('sam.similar-window', params, { buffers });
    const { row, column } = DISCS[1]!;
    const bits = new Uint8Array(MASK_BYTES);
    for (let y = row - RADIUS; y <= row + RADIUS; y++) {
      bits.fill(0xff, (y * LABEL_TILE + column - RADIUS) >> 3, (y * LABEL_TILE + column + RADIUS) >> 3);
    }
    const patch = { session, slice: 0, class: 1, replaces: 'all' as const, tiles: [{ row: 0, column: 0 }] };
    await client.request('labels.patch', patch, { buffers: [deflateRawSync(bits)] });
    const after = await client.request('sam.similar-window', params, { buffers });
    expect(after.objects).toHaveLength(before.objects.length - 1);
    expect(after.objects.some(({ point }) => Math.hypot(point.row - row, point.column - column) < RADIUS)).toBe(false);
    await client.request('history.undo', { session });
    // A stripe through the ground is no object of SAM's.
    const stripe = new Float32Array(256 * 256).map((_, i) => (Math.floor(i / 256) % 16 === 3 ? 1 : -1));
    const unseen = await client.request('sam.similar-window', params, { buffers: [packed(stripe)] });
    expect([unseen.windows, unseen.objects]).toEqual([0, []]);
  });

  it('tells how far it is, can be cancelled, and refuses what is no example', async () => {
    const searching = client
      .request('sam.similar', { session, slice: 0, point: DISCS[0]!, where: 'stack' }, { id: 'searches' })
      .catch((error: { code: string }) => error.code);
    const told = () =>
      client.heard.some(({ event, params }) => {
        const { kind, stage } = params as { kind?: string; stage?: string };
        return event === 'job' && kind === 'similar' && stage === 'windows';
      });
    while (!told()) {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    await client.request('cancel', { id: 'searches' });
    expect(await searching).toBe('cancelled');
    const params = { session, slice: 0, window: 0, example };
    const nothing = [packed(new Float32Array(256 * 256))];
    await expect(client.request('sam.similar-window', params, { buffers: nothing })).rejects.toThrow('0 are above 0');
    await expect(
      client.request('sam.similar-window', params, { buffers: [new Uint8Array([1, 2, 3])] })
    ).rejects.toThrow('not a deflated mask');
    await expect(client.request('sam.similar-window', { ...params, window: 999 }, { buffers })).rejects.toThrow(
      'There is no window 999; the slice has'
    );
    await expect(
      client.request('sam.similar', { session, slice: 0, point: { row: ROWS, column: 0 }, where: 'slice' })
    ).rejects.toThrow('The point (1100, 0) is outside');
  });
});
