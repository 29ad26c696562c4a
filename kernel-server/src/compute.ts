/**
 * The compute process: SAM's encoder and decoder on native code that may die, so it runs outside the sidecar.
 *
 * Started by `sam-process.ts` with an IPC channel; works on one job at a time; reads the pixels of shared arrays itself.
 * It leaves when its parent does. The same bundle serves as the short-lived probe of GPUs.
 */
import { Worker } from 'node:worker_threads';
import type { InferenceSession } from 'onnxruntime-node';
import { BridgeError } from '../../src/kernel-bridge/errors';
import { embeddingLength, ITensor, Preprocessor, SamDecoder } from '../../src/sam';
import { SharedArray } from './arrays';
import {
  ComputeJob,
  FromCompute,
  IComputeStart,
  IEmbedJob,
  IEmbedResult,
  ISuggestJob,
  ISuggestResult,
  ToCompute
} from './sam-messages';
import { checkModelFile, encoderPath } from './sam-models';
import {
  IPlacedSession,
  loadRuntime,
  openOnCpu,
  placeSession,
  PROBE_ARGUMENT,
  ProbeKind,
  relativeDifference,
  runProbe,
  Runtime
} from './sam-providers';

/** Pixels are read in bands of about this many values. */
const BAND_VALUES = 1 << 21;

/** A GPU whose first embedding differs by more than this fraction of the largest value is not used. */
const GPU_TOLERANCE = 0.02;

const REINSTALL = 'Install SambaLab again, or set SAMBALAB_MODELS to a folder with the right files.';

type Progress = (stage: string, done: number, total: number, message?: string) => void;

/** The models of this process, opened when they are first needed. */
class Compute {
  constructor(private readonly _start: IComputeStart) {}

  async run(job: ComputeJob, progress: Progress, signal: AbortSignal): Promise<IEmbedResult | ISuggestResult> {
    return job.kind === 'embed' ? this._embed(job, progress, signal) : this._suggest(job, progress);
  }

  private async _embed(job: IEmbedJob, progress: Progress, signal: AbortSignal): Promise<IEmbedResult> {
    const { encoder } = this._start.manifest;
    progress('loading the model', 0, 1);
    await this._openEncoder();
    signal.throwIfAborted();
    const begin = performance.now();
    const runtime = this._runtime;
    const pixels = await this._preprocess(job, progress, signal);
    progress('encoding', 0, 1);
    const tensor = new runtime.Tensor('float32', pixels, [1, 3, encoder.size, encoder.size]);
    const embedding = await this._encode(tensor, progress);
    return { embedding, device: this._encoder!.device, seconds: (performance.now() - begin) / 1000 };
  }

  private async _preprocess(job: IEmbedJob, progress: Progress, signal: AbortSignal): Promise<Float32Array> {
    const { image, display, slice } = job;
    const [, rows, columns] = image.shape as [number, number, number];
    const array = await SharedArray.open(image, 'r');
    try {
      const preprocessor = new Preprocessor({ rows, columns }, array.channels, display, this._start.manifest);
      const band = Math.max(1, Math.floor(BAND_VALUES / (columns * array.channels)));
      for (let row0 = 0; row0 < rows; row0 += band) {
        signal.throwIfAborted();
        progress('reading the image', row0, rows);
        const row1 = Math.min(rows, row0 + band);
        preprocessor.add(await array.read({ slice, row0, row1, column0: 0, column1: columns }));
      }
      return preprocessor.finish();
    } finally {
      await array.close();
    }
  }

  /** Run the encoder; a GPU's first result is held against the CPU's. */
  private async _encode(tensor: ITensor, progress: Progress): Promise<Float32Array> {
    const placed = this._encoder!;
    const embedding = await this._runEncoder(placed.session, tensor);
    if (placed.device.provider === 'cpu' || this._gpuChecked) {
      return embedding;
    }
    progress('checking the GPU against the CPU', 0, 1);
    const session = await openOnCpu(this._runtime, this._encoderPath!);
    const expected = await this._runEncoder(session, tensor);
    const difference = relativeDifference(embedding, expected);
    if (difference <= GPU_TOLERANCE) {
      this._gpuChecked = true;
      await session.release();
      return embedding;
    }
    const { provider, adapter, note } = placed.device;
    const why = `${provider}${adapter ? ` on ${adapter}` : ''} differs from the CPU by ${(100 * difference).toFixed(1)} %`;
    if (this._start.provider !== 'auto') {
      throw new BridgeError('compute', `SAMBALAB_PROVIDER=${provider}, but ${why}. Leave it unset to use the CPU.`);
    }
    await placed.session.release();
    this._encoder = {
      session,
      device: { ...placed.device, provider: 'cpu', adapter: null, note: [note, why].filter(Boolean).join('; ') }
    };
    send({ kind: 'device', device: this._encoder.device });
    return expected;
  }

  private async _runEncoder(session: InferenceSession, tensor: ITensor): Promise<Float32Array> {
    const { input, output } = this._start.manifest.encoder;
    const results = await session.run({ [input]: tensor as never });
    const data = results[output]?.data;
    const length = embeddingLength(this._start.manifest);
    if (!(data instanceof Float32Array) || data.length !== length) {
      throw new BridgeError('model', `The encoder's ${output} is no embedding of ${length} numbers of float32.`);
    }
    return data;
  }

  private async _suggest(job: ISuggestJob, progress: Progress): Promise<ISuggestResult> {
    if (!this._decoder) {
      progress('loading the decoder', 0, 1);
      const { manifest, decoderPath } = this._start;
      await checkModelFile(decoderPath, manifest.decoder.file, REINSTALL);
      const runtime = this._runtime;
      this._decoder = new SamDecoder({
        manifest,
        session: (await openOnCpu(runtime, decoderPath)) as never,
        tensor: (data, dims) => new runtime.Tensor('float32', data, dims)
      });
    }
    progress('decoding', 0, 1);
    return this._decoder.decode(this._decoder.prepare(job.embedding), job.size, job.points);
  }

  private async _openEncoder(): Promise<void> {
    if (this._encoder) {
      return;
    }
    const { manifest, modelsDir, provider, note } = this._start;
    const path = encoderPath(manifest.encoder.file, modelsDir, __dirname);
    await checkModelFile(path, manifest.encoder.file, REINSTALL);
    this._encoder = await placeSession(this._runtime, { id: manifest.id, path }, provider, note);
    this._encoderPath = path;
    send({ kind: 'device', device: this._encoder.device });
  }

  private get _runtime(): Runtime {
    return (this._loaded ??= loadRuntime());
  }

  private _loaded: Runtime | undefined;
  private _encoder: IPlacedSession | undefined;
  private _encoderPath: string | undefined;
  private _gpuChecked = false;
  private _decoder: SamDecoder | undefined;
}

function send(message: FromCompute): void {
  if (process.connected) {
    process.send!(message);
  }
}

/** Leave with the parent, also when native code holds the main thread and `disconnect` is not heard. */
function leaveWithParent(): void {
  process.on('disconnect', () => process.exit(0));
  const watch = `
    const parent = process.ppid;
    setInterval(() => {
      let alive = process.ppid === parent;
      try { process.kill(parent, 0); } catch (error) { alive = alive && error.code === 'EPERM'; }
      if (!alive) process.kill(process.pid, 'SIGKILL');
    }, 2000);`;
  new Worker(watch, { eval: true }).unref();
}

function serve(): void {
  let compute: Compute | undefined;
  let last: Promise<void> = Promise.resolve();
  const aborts = new Map<number, AbortController>();

  const work = async (id: number, job: ComputeJob, abort: AbortController) => {
    try {
      abort.signal.throwIfAborted();
      const progress: Progress = (stage, done, total, message) =>
        send({ kind: 'progress', id, stage, done, total, ...(message === undefined ? {} : { message }) });
      send({ kind: 'result', id, result: await compute!.run(job, progress, abort.signal) });
    } catch (error) {
      const { code, message } = BridgeError.from(error);
      send({ kind: 'error', id, code, message });
    } finally {
      aborts.delete(id);
    }
  };

  process.on('message', (message: ToCompute) => {
    if (message.kind === 'start') {
      compute = new Compute(message);
    } else if (message.kind === 'job') {
      const abort = new AbortController();
      aborts.set(message.id, abort);
      last = last.then(() => work(message.id, message.job, abort));
    } else {
      aborts.get(message.id)?.abort();
    }
  });
}

const probe = process.argv.find(argument => argument.startsWith(PROBE_ARGUMENT));
if (probe) {
  void runProbe(probe.slice(PROBE_ARGUMENT.length) as ProbeKind);
} else {
  leaveWithParent();
  serve();
}
