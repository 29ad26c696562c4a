/** The decoder for pages in the sidecar, with the real model, against the page's own decoder on the same embedding. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { ICandidates, IPrompts, ISize, stability, unpackLogits, upscaleMask } from '../../../../src/sam';
import { DEFAULT_MODEL } from '../../../../src/shared/models';
import { Rect } from '../../../../src/shared/rect';
import { TestClient } from '../../__tests__/support/client';
import { Home } from '../../__tests__/support/home';
import { CLASSES } from '../../__tests__/support/images';
import {
  buildDecoder,
  bundleDecoderThread,
  bundleSam,
  bundleSamProcess,
  inNode,
  intersectionOverUnion,
  makeFolder,
  until
} from '../../__tests__/support/sam-fixture';
import { EngineService } from '../../__tests__/support/small-engine';
import { DecoderThreads } from '../decoder-thread';
import { SamService } from '../service';

/** The page's decoder: kernels where they take the prompts, else the graph. Its masks go to a file. */
const PAGE = `
  const { readFileSync, writeFileSync } = require('node:fs');
  const ort = require('onnxruntime-node');
  const [bundle, file, halves, asked, out] = process.argv.slice(1);
  const sam = require(bundle);
  const manifest = sam.MOBILE_SAM;
  const tensor = (data, dims) => new ort.Tensor('float32', data, dims);
  (async () => {
    const embedding = sam.fromFloat16(sam.asHalves(new Uint8Array(readFileSync(halves))));
    const kernels = new sam.WasmDecoder(readFileSync('engine/build/decoder.wasm'), readFileSync(file), manifest);
    const graph = new sam.SamDecoder({ manifest, session: await ort.InferenceSession.create(file), tensor });
    const [image, forGraph] = [kernels.prepare(embedding), graph.prepare(embedding)];
    const { size, prompts } = JSON.parse(asked);
    const [masks, scores] = [[], []];
    for (const each of prompts) {
      const { lowRes, scores: three, single } = kernels.takes(each)
        ? kernels.decode(image, size, each)
        : await graph.decode(forGraph, size, each);
      masks.push(...lowRes, single.lowRes);
      scores.push([...three, single.score]);
    }
    writeFileSync(out, Buffer.concat(masks.map(mask => Buffer.from(mask.buffer, mask.byteOffset, mask.byteLength))));
    console.log(JSON.stringify(scores));
  })();`;

const SIZE = { rows: 240, columns: 320 };
const WINDOW = { row0: 40, row1: 200, column0: 60, column1: 260 };
const CORNER = { row0: 0, row1: 100, column0: 0, column1: 100 };
const LENGTH = DEFAULT_MODEL.decoder.maskSize ** 2;

const folder = makeFolder();
let decoderPath: string;
let sam: SamService;
let threads: DecoderThreads;
let home: Home<EngineService>;
let page: TestClient;
let session: string;

beforeAll(async () => {
  bundleDecoderThread(folder.path);
  decoderPath = buildDecoder(folder.path);
  const env = { ...process.env, SAMBALAB_PROVIDER: 'cpu' };
  sam = new SamService({ processPath: bundleSamProcess(folder.path), decoderPath, env });
  threads = new DecoderThreads({ folder: folder.path });
  home = await new Home(new EngineService(), sam, threads).start();
  page = await home.connect('python');
  // Discs of several sizes and greys, and noise.
  const pixels = new Uint8Array(SIZE.rows * SIZE.columns);
  for (let i = 0, noise = 5; i < pixels.length; i++) {
    const [row, column] = [Math.floor(i / SIZE.columns), i % SIZE.columns];
    noise = (noise * 48271) % 2147483647;
    const inside = ((column % 64) - 32) ** 2 + ((row % 60) - 30) ** 2 < (8 + row / 16) ** 2;
    pixels[i] = 60 + (noise % 30) + (inside ? 70 + column / 5 : 0);
  }
  const digest = createHash('sha256').update(pixels).digest('hex');
  const { arrays, ...opened } = await page.request('session.open', {
    key: 'discs',
    title: '',
    image: { shape: [1, SIZE.rows, SIZE.columns, 1], dtype: 'uint8', digest, display: { low: 0, high: 255 } },
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

const point = (row: number, column: number, label: 0 | 1 = 1) => ({ row, column, label });
const HERE = point(30, 96);

/** Ask the sidecar as the page does. */
async function decode(embedding: string, { points, box }: IPrompts, window?: Rect) {
  const asked = { session, slice: 0, embedding, points: [...points], ...(box && { box }), ...(window && { window }) };
  const { scores, single, prepared, buffers } = await page.request('sam.decode', asked);
  const masks = buffers[0] ? unpackLogits(new Uint8Array(inflateRawSync(buffers[0])), LENGTH) : [];
  const candidates: ICandidates = {
    lowRes: masks.slice(0, 3),
    scores,
    single: single === null ? null : { lowRes: masks[3]!, score: single }
  };
  return { candidates, prepared, bytes: buffers[0]?.length ?? 0 };
}

/** The decoder's thread of the model. */
async function thread() {
  const { digest, path } = await sam.decoder();
  return threads.of(digest, path, DEFAULT_MODEL)!;
}

describe('The decoder in the sidecar', () => {
  it.each([
    ['the whole slice', undefined],
    ['a window', WINDOW]
  ])('gives the masks and scores of the page, on an embedding of %s', async (_, window) => {
    const size: ISize = window ? { rows: window.row1 - window.row0, columns: window.column1 - window.column0 } : SIZE;
    const made = await page.request('sam.embedding', { session, slice: 0, ...(window && { window }) });
    const prompts: IPrompts[] = [1, 2, 3, 4, 5].map(n => ({
      points: [point((n * 37) % size.rows, (n * 91) % size.columns)]
    }));
    prompts.push({ points: [point(30, 96), point(60, 20, 0)] });
    prompts.push({ points: [], box: { row0: 20, row1: 70, column0: 70, column1: 125 } });
    // More points than the kernels take.
    prompts.push({ points: Array.from({ length: 14 }, (__, n) => point(30 + n, 96 - n)) });
    const [halves, out] = ['halves', 'masks'].map(name => join(folder.path, name)) as [string, string];
    writeFileSync(halves, made.buffers[0]!);
    const asked = JSON.stringify({ size, prompts });
    const expected = inNode(PAGE, bundleSam(folder.path), decoderPath, halves, asked, out) as number[][];
    const bytes = new Uint8Array(readFileSync(out)).buffer;
    let [same, logits] = [0, 0];
    for (const [i, each] of prompts.entries()) {
      const { candidates, bytes: sent } = await decode(made.embedding, each, window);
      const { lowRes, scores, single } = candidates;
      [...scores, single!.score].forEach((score, k) => expect(score).toBeCloseTo(expected[i]![k]!, 3));
      [...lowRes, single!.lowRes].forEach((found, k) => {
        const wanted = new Float32Array(bytes, 4 * LENGTH * (4 * i + k), LENGTH);
        for (let at = 0; at < LENGTH; at++) {
          same += Number([-1, 0, 1].every(level => found[at]! > level === wanted[at]! > level));
        }
        logits += LENGTH;
        const [mine, its] = [found, wanted].map(mask => upscaleMask(mask, size, DEFAULT_MODEL)) as [
          Uint8Array,
          Uint8Array
        ];
        if (its.includes(1)) {
          // Where all logits are near 0 each rounding shows.
          const least = stability(wanted, size, DEFAULT_MODEL) > 0.5 ? 0.99 : 0.98;
          expect(intersectionOverUnion(mine, its)).toBeGreaterThan(least);
        }
      });
      expect(sent).toBeGreaterThan(1000);
      expect(sent).toBeLessThan(4 * LENGTH);
    }
    // The thresholds of a mask and of its stability: exact, but for rounding in kernels of another kind.
    expect(same / logits).toBeGreaterThan(0.9999);
  });

  it('prepares an embedding ahead, and tells whether it was prepared', async () => {
    const window = CORNER;
    const { embedding } = await page.request('sam.embedding', { session, slice: 0, window });
    expect(await decode(embedding, { points: [] }, window)).toEqual({
      candidates: { lowRes: [], scores: [], single: null },
      prepared: false,
      bytes: 0
    });
    expect(await decode(embedding, { points: [HERE] }, window)).toMatchObject({ prepared: true });
  });

  it('names what is wrong with a request', async () => {
    const { embedding } = await page.request('sam.embedding', { session, slice: 0 });
    const refused = (asked: Partial<IPrompts & { window: Rect; slice: number; session: string; embedding: string }>) =>
      page
        .request('sam.decode', { session, slice: 0, embedding, points: [HERE], ...(asked as object) })
        .catch((error: { code: string; message: string }) => `${error.code}: ${error.message}`);
    const box = { row0: 10, row1: 250, column0: 0, column1: 30 };
    expect(await refused({ points: [point(240, 3)] })).toMatch(
      /^invalid: Point \(row 240, column 3\) is outside .*240 rows/
    );
    expect(await refused({ box })).toMatch(/^invalid: Box .*250.* outside the image of 240 rows/);
    expect(await refused({ window: box })).toMatch(/^invalid: The window has rows 10 to 250.*rows 0 to 240/);
    expect(await refused({ slice: 1 })).toMatch(/^invalid: Slice 1 does not exist/);
    expect(await refused({ session: 'f'.repeat(32) })).toMatch(/^unknown-session: /);
    expect(await refused({ points: Array(65).fill(HERE) })).toMatch(/^invalid: sam.decode: points: .*64/);
    expect(await refused({ points: [{ ...HERE, label: 2 as 1 }] })).toMatch(/^invalid: sam.decode: points.*label/);
    expect(await refused({ embedding: 'nothing' })).toMatch(/^invalid: sam.decode: embedding: .*64 hexadecimal/);
  });

  it('decodes on no other embedding than the one that is named, and encodes none', async () => {
    const { embedding } = await page.request('sam.embedding', { session, slice: 0 });
    const window = { row0: 10, row1: 110, column0: 10, column1: 110 };
    const kept = join(home.base, 'data', 'embeddings');
    const refused = (name: string, of?: Rect) =>
      decode(name, { points: [HERE] }, of).catch((error: { code: string; message: string }) => [
        error.code,
        error.message
      ]);
    expect(await refused(embedding, window)).toEqual(['not-ready', expect.stringContaining('is not that of slice 0')]);
    const near = await page.request('sam.embedding', { session, slice: 0, window });
    await until('it is on disk', () => readdirSync(kept).filter(name => name.endsWith('.embedding')).length >= 4);
    for (const other of [WINDOW, CORNER]) {
      await page.request('sam.embedding', { session, slice: 0, window: other }); // they displace it in memory
    }
    rmSync(kept, { recursive: true });
    expect(await refused(near.embedding, window)).toEqual(['not-ready', expect.stringContaining('is not here')]);
    const region = { slice0: 0, slice1: 1, row0: 0, row1: 200, column0: 0, column1: 320 };
    await page.request('session.region', { session, region });
    expect(await refused(embedding)).toEqual(['not-ready', expect.stringContaining('its region')]);
    await page.request('session.region', { session, region: null });
  });

  it('says that its thread died, and starts a new one at the next request', async () => {
    const { embedding } = await page.request('sam.embedding', { session, slice: 0 });
    await decode(embedding, { points: [HERE] });
    const before = await decode(embedding, { points: [HERE] });
    const running = await thread();
    await running['_worker']!.terminate();
    const dying = decode(embedding, { points: [HERE] });
    await until('the thread works', () => running['_current'] !== undefined);
    await running['_worker']!.terminate();
    await expect(dying).rejects.toMatchObject({ code: 'compute', message: expect.stringContaining('died') });
    const after = await decode(embedding, { points: [HERE] });
    expect([before.prepared, after.prepared]).toEqual([true, false]);
    expect(after.candidates).toEqual(before.candidates);
  });
});
