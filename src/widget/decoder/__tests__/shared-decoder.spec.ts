/** A decode shared by several threads, with the real model and our kernels: the masks of one instance, whatever happens to the others. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { buildDecoder, inNode, makeFolder } from '../../../../kernel-server/src/__tests__/support/sam-fixture';
import { partsFor } from '../shared-decoder';

const ROOT = join(__dirname, '../../../..');

/** Threads of Node run the browser's worker: it has the page's `self`. */
const PROGRAM = `
  const { readFileSync } = require('node:fs');
  const { Worker } = require('node:worker_threads');
  const [bundle, partBundle, file] = process.argv.slice(1);
  const { SharedDecoder, WasmDecoder, MOBILE_SAM } = require(bundle);
  console.warn = () => undefined;
  const shim = 'const { parentPort } = require("node:worker_threads");' +
    'globalThis.self = { postMessage: (message, moved) => parentPort.postMessage(message, moved),' +
    ' set onmessage(listener) { parentPort.on("message", data => listener({ data })); } };' +
    'require(' + JSON.stringify(partBundle) + ');';
  const kernels = readFileSync('engine/build/decoder.wasm');
  const model = readFileSync(file);
  const workers = [];
  const createWorker = () => {
    const thread = new Worker(shim, { eval: true });
    const worker = { onmessage: null, onerror: null, thread,
      postMessage: (message, moved) => thread.postMessage(message, moved),
      terminate: () => void thread.terminate() };
    thread.on('message', data => worker.onmessage?.({ data }));
    thread.on('error', ({ message }) => worker.onerror?.({ message, preventDefault: () => undefined }));
    workers.push(worker);
    return worker;
  };
  const size = { rows: 300, columns: 512 };
  const embedding = k => Float32Array.from({ length: 256 * 4096 }, (_, i) => 0.3 * Math.sin(i * 0.37 * k));
  const alone = new WasmDecoder(kernels, model, MOBILE_SAM);
  const expected = [1, 2].map(k => alone.prepare(embedding(k)));
  const difference = (one, other) => {
    const pairs = one.lowRes.map((lowRes, i) => [lowRes, other.lowRes[i]]);
    pairs.push([one.single.lowRes, other.single.lowRes], [Float32Array.from(one.scores), Float32Array.from(other.scores)]);
    let most = 0;
    for (const [a, b] of pairs) {
      a.forEach((value, i) => { if (!(Math.abs(value - b[i]) <= most)) { most = Math.abs(value - b[i]); } });
    }
    return most;
  };
  const point = (row, column, label = 1) => ({ row, column, label });
  (async () => {
    const shared = await SharedDecoder.start(kernels, model, MOBILE_SAM, 3, createWorker);
    const images = [1, 2].map(k => shared.prepare('e' + k, embedding(k), ['e1', 'e2'].slice(0, k)));
    const compare = async (which, prompts) =>
      difference(await shared.decode(images[which], size, prompts), alone.decode(expected[which], size, prompts));
    const found = { parts: shared.parts, differences: [] };
    const mask = alone.decode(expected[0], size, { points: [point(30, 40)] }).lowRes[1].slice();
    for (const prompts of [
      { points: [point(5, 6)] }, { points: [point(290, 500), point(3, 3, 0)] }, { points: [point(30, 40)], mask },
      { points: [], box: { row0: 10, row1: 200, column0: 30, column1: 400 } }, { points: [point(100, 200)] }
    ]) {
      found.differences.push(await compare(0, prompts), await compare(1, prompts));
    }
    found.refused = await shared.decode(images[0], size, { points: [point(999, 6)] }).then(() => '', error => error.message);
    found.differences.push(await compare(0, { points: [point(7, 7)] }));
    // An embedding that the others have dropped, and a thread that ends in the middle of a decode.
    await workers[1].thread.terminate();
    workers[1].onerror({ message: 'it ended', preventDefault: () => undefined });
    found.differences.push(await compare(1, { points: [point(8, 8)] }));
    found.after = shared.parts;
    const second = await SharedDecoder.start(kernels, model, MOBILE_SAM, 2, createWorker);
    const kept = second.prepare('e1', embedding(1), ['e1']);
    second.prepare('e2', embedding(2), ['e2']);
    found.differences.push(difference(await second.decode(kept, size, { points: [point(9, 9)] }), alone.decode(expected[0], size, { points: [point(9, 9)] })));
    found.dropped = second.parts;
    const none = await SharedDecoder.start(kernels, model, MOBILE_SAM, 2, () => { throw new Error('no workers here'); });
    found.none = none.parts;
    found.bad = await SharedDecoder.start(kernels, model.subarray(0, 100000), MOBILE_SAM, 2, createWorker).then(() => '', error => error.message);
    console.log(JSON.stringify(found));
    process.exit(0);
  })();`;

function bundle(folder: string, name: string, contents: string): string {
  const outfile = join(folder, name);
  const stdin = { contents, resolveDir: ROOT, loader: 'ts' };
  const options = { absWorkingDir: ROOT, stdin, outfile, bundle: true, platform: 'node', format: 'cjs' };
  execFileSync(
    process.execPath,
    ['-e', `require('esbuild').buildSync(JSON.parse(process.argv[1]))`, JSON.stringify(options)],
    { cwd: ROOT }
  );
  return outfile;
}

describe('a shared decode', () => {
  const folder = makeFolder();
  afterAll(() => folder.remove());

  it('gives the masks of one instance, and goes on alone when another thread fails', () => {
    const decoder = bundle(
      folder.path,
      'shared.cjs',
      `export * from './src/widget/decoder/shared-decoder'; export { WasmDecoder } from './src/sam';
       export { MOBILE_SAM } from './src/shared/models/mobile-sam';`
    );
    const part = bundle(folder.path, 'part.cjs', `require('./src/widget/decoder/part.worker.ts');`);
    const found = inNode(PROGRAM, decoder, part, buildDecoder(folder.path)) as Record<string, unknown> & {
      differences: number[];
    };
    expect(found).toMatchObject({ parts: 3, after: 1, dropped: 1, none: 1 });
    expect(found.differences).toHaveLength(13);
    expect(Math.max(...found.differences)).toBeLessThan(1e-3); // logits are of the order of 10
    expect(found['refused']).toContain('row 999');
    expect(found['bad']).toContain('longer than the message');
  });

  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 2],
    [8, 4],
    [64, 4]
  ])('on a host of %i cores takes %i workers', (cores, workers) => {
    expect(partsFor(cores)).toBe(workers);
  });
});
