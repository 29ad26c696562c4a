/**
 * The SAM process: runs SAM's encoder and decoder outside the sidecar, since their native code may crash.
 *
 * `sam-process.ts` starts it with an IPC channel. It works on one job at a time, lays it aside for a more urgent one, reads the pixels of shared arrays itself, and ends when the
 * sidecar does. The same bundle serves as the short-lived probe of GPUs.
 */
import { Worker } from 'node:worker_threads';
import { BridgeError } from '../../../src/shared/errors';
import { OUTPUT_LAYER } from '../../../src/shared/models';
import { Rect } from '../../../src/shared/rect';
import { rectOf } from '../../../src/shared/region';
import {
  EncoderWindows,
  IPrompts,
  ISeenContrast,
  ISimilarOptions,
  IView,
  Preprocessor,
  SamDecoder,
  similarObjects,
  wholeView
} from '../../../src/sam';
import { TileFile } from '../arrays/tile-file';
import { breathe } from '../base/files';
import type { IJobContext } from '../jobs/job-context';
import { Encoder, Progress, REINSTALL, verifyAgain } from './encoder';
import {
  SamJob,
  FromSamProcess,
  ISamStart,
  IEmbedJob,
  IEmbedResult,
  IReduceJob,
  IReduceResult,
  ISimilarJob,
  ISimilarResult,
  ISuggestJob,
  ISuggestResult,
  ToSamProcess
} from './messages';
import { MirroredViews } from './mirrored-views';
import { checkModelFile } from './model-files';
import { loadRuntime, openOnCpu, PROBE_ARGUMENT, ProbeKind, runProbe, Runtime } from './providers';
import { Reduction } from './reduction';
import { GiveWay, Turns } from './turns';

/** Pixels are read in bands of about this many values. */
const BAND_VALUES = 1 << 21;

/** How urgent jobs are: prompts first, since a user waits at the mouse; then what a user looks at. */
const URGENCY = { prompts: 0, seen: 1, ahead: 2, classifiers: 3 } as const;

/** What a job works with. */
interface IRun {
  progress: Progress;
  signal: AbortSignal;
  /** Receive messages, and wait until no more urgent job waits. Throws the signal's reason if the job was cancelled. */
  giveWay: GiveWay;
  onEmbedding(result: IEmbedResult): Promise<void>;
}

/** Runs jobs on the models of this process, which are opened when they are first needed. */
class JobRunner {
  constructor(private readonly _start: ISamStart) {
    this._encoder = new Encoder(
      _start,
      () => this._runtime,
      device => void send({ kind: 'device', device })
    );
  }

  async run(job: SamJob, run: IRun): Promise<IEmbedResult | ISuggestResult | ISimilarResult | IReduceResult> {
    switch (job.kind) {
      case 'embed':
        return this._embed(job, run);
      case 'reduce':
        return this._reduce(job, run);
      case 'suggest':
        return this._suggest(job, run);
      case 'similar':
        return this._similar(job, run);
    }
  }

  private async _embed(job: IEmbedJob, run: IRun): Promise<IEmbedResult> {
    await this._encoder.open([OUTPUT_LAYER], run.progress);
    run.signal.throwIfAborted();
    return this._prompted(job, run, performance.now());
  }

  private async _reduce(job: IReduceJob, run: IRun): Promise<IReduceResult> {
    const { progress, signal, giveWay } = run;
    const { manifest } = this._start;
    const { row0, row1, column0, column1 } = partOf(job);
    const [rows, columns] = [row1 - row0, column1 - column0];
    const windows = new EncoderWindows({ rows, columns }, job.window, manifest);
    const contrast = windows.isWhole ? job.contrast : null;
    const names = [...new Set([...job.layers.map(({ layer }) => layer), ...(contrast ? [OUTPUT_LAYER] : [])])];
    await this._encoder.open(names, progress);
    signal.throwIfAborted();
    const begin = performance.now();
    const reduction = new Reduction(windows, job.layers, manifest, job.basis);
    for (const [done, index] of job.windows.entries()) {
      await giveWay();
      if (contrast) {
        // The user waits for suggestions, so their embedding comes first.
        await run.onEmbedding(await this._prompted({ ...job, contrast }, run, begin));
        await giveWay();
      }
      const view = windows.view(index);
      const pixels = await this._preprocess(
        job,
        job.display,
        view,
        windows.count === 1 ? progress : () => undefined,
        signal
      );
      const views = new MirroredViews(job.views, view.frame, manifest);
      progress('encoding', done, job.windows.length);
      for (let each = 0; each < job.views; each++) {
        views.add(await this._encoder.encode(views.input(pixels, each), names, progress, giveWay), each);
        await giveWay();
      }
      reduction.add(index, views.mean());
    }
    return { ...reduction.finish(), device: this._encoder.device, seconds: since(begin) };
  }

  /** The embedding for prompts, of all rows and columns of a job. */
  private async _prompted(job: Omit<IEmbedJob, 'kind'>, run: IRun, begin: number): Promise<IEmbedResult> {
    const { progress, signal, giveWay } = run;
    const pixels = await this._preprocess(job, job.contrast, undefined, progress, signal);
    progress('encoding', 0, 1);
    const embedding = await this._encoder.encodeForPrompts(pixels, progress, async (stage, stages) => {
      await giveWay();
      progress('encoding one window', stage, stages); // `encoding` counts windows
    });
    return { embedding, device: this._encoder.device, seconds: since(begin) };
  }

  /** The encoder's input for a view of the image, as classifiers see it; for prompts, and of the whole image, if none is given. */
  private async _preprocess(
    job: Omit<IEmbedJob, 'kind' | 'contrast'>,
    contrast: ISeenContrast,
    view: IView | undefined,
    progress: Progress,
    signal: AbortSignal
  ): Promise<Float32Array> {
    const { manifest } = this._start;
    const { image, slice } = job;
    const part = partOf(job);
    const whole = { rows: part.row1 - part.row0, columns: part.column1 - part.column0 };
    const shown = view ?? wholeView(whole, manifest);
    const [top, left] = [Math.floor(shown.row0), Math.floor(shown.column0)];
    const [rows, columns] = [Math.ceil(shown.row1) - top, Math.ceil(shown.column1) - left];
    const moved = {
      row0: shown.row0 - top,
      row1: shown.row1 - top,
      column0: shown.column0 - left,
      column1: shown.column1 - left,
      frame: shown.frame
    };
    const array = new TileFile(image, 'r');
    try {
      const preprocessor = new Preprocessor({ rows, columns }, array.channels, contrast, manifest, moved, !view);
      const band = Math.max(1, Math.floor(BAND_VALUES / (columns * array.channels)));
      for (let row0 = 0; row0 < rows; row0 += band) {
        await breathe(); // a message that cancels the job is received here
        signal.throwIfAborted();
        progress('reading the image', row0, rows);
        const row1 = Math.min(rows, row0 + band);
        const first = part.row0 + top;
        const column0 = part.column0 + left;
        const region = { slice, row0: first + row0, row1: first + row1, column0, column1: column0 + columns };
        preprocessor.add(array.read(region));
      }
      return preprocessor.finish();
    } finally {
      array.close();
    }
  }

  private async _suggest(job: ISuggestJob, { progress }: IRun): Promise<ISuggestResult> {
    const decoder = await this._openDecoder(progress);
    progress('decoding', 0, 1);
    const { prompts, size, embedding } = job;
    return decoder.decode(decoder.prepare(embedding), size, prompts);
  }

  private async _similar(job: ISimilarJob, { progress, signal, giveWay }: IRun): Promise<ISimilarResult> {
    const { embedding, size, query } = job;
    const { manifest } = this._start;
    const decoder = await this._openDecoder(progress);
    const prepared = decoder.prepare(embedding);
    const decode = async (prompts: IPrompts) => {
      await giveWay();
      return decoder.decode(prepared, size, prompts);
    };
    const found: ISimilarResult = [];
    const places: NonNullable<ISimilarOptions['progress']> = (done, total) =>
      progress('looking at places', done, total);
    for await (const each of similarObjects({
      ...query,
      manifest,
      embedding,
      size,
      decode,
      signal,
      progress: places
    })) {
      found.push(each);
    }
    return found;
  }

  /** The decoder, opened when it is first needed. */
  private async _openDecoder(progress: Progress): Promise<SamDecoder> {
    if (!this._decoder) {
      progress('loading the decoder', 0, 1);
      const { manifest, encoder, decoder } = this._start;
      await checkModelFile(decoder.path, decoder.file, 'builtIn' in encoder ? REINSTALL : verifyAgain(manifest));
      const runtime = this._runtime;
      this._decoder = new SamDecoder({
        manifest,
        session: (await openOnCpu(runtime, decoder.path)) as never,
        tensor: (data, dims) =>
          data instanceof Float32Array
            ? new runtime.Tensor('float32', data, dims)
            : new runtime.Tensor('int64', data, dims)
      });
    }
    return this._decoder;
  }

  private get _runtime(): Runtime {
    return (this._loaded ??= loadRuntime());
  }

  private _loaded: Runtime | undefined;
  private readonly _encoder: Encoder;
  private _decoder: SamDecoder | undefined;
}

/** The rows and columns that a job encodes. */
function partOf({ image, within }: Pick<IEmbedJob, 'image' | 'within'>): Rect {
  return within ?? rectOf(null, image.shape);
}

/** Seconds since a time of performance.now(). */
function since(begin: number): number {
  return (performance.now() - begin) / 1000;
}

/** Send a message. Resolves when it is written to the channel; large messages need the event loop for that. */
function send(message: FromSamProcess): Promise<void> {
  return new Promise(resolve => {
    if (process.connected) {
      process.send!(message, undefined, undefined, () => resolve());
    } else {
      resolve();
    }
  });
}

/** End with the parent, also while native code blocks the main thread so that `disconnect` is not received. */
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

function urgencyOf(job: SamJob, urgency: IJobContext['urgency']): number {
  switch (job.kind) {
    case 'suggest':
      return URGENCY.prompts;
    case 'embed':
      return urgency === 'ahead' ? URGENCY.ahead : URGENCY.seen;
    case 'similar':
      return URGENCY.ahead;
    case 'reduce':
      return job.contrast && urgency === 'now' ? URGENCY.seen : URGENCY.classifiers;
  }
}

function serve(): void {
  let runner: JobRunner | undefined;
  const turns = new Turns();
  const aborts = new Map<number, AbortController>();

  const work = async (id: number, job: SamJob, urgency: number) => {
    const abort = new AbortController();
    aborts.set(id, abort);
    const { signal } = abort;
    const progress: Progress = (stage, done, total, message) =>
      void send({ kind: 'progress', id, stage, done, total, ...(message === undefined ? {} : { message }) });
    try {
      const result = await turns.run(urgency, signal, (turn, become) =>
        runner!.run(job, {
          progress,
          signal,
          giveWay: async () => {
            await breathe();
            await turn();
          },
          onEmbedding: async made => {
            become(URGENCY.classifiers); // the maps are left
            await send({ kind: 'embedding', id, result: made });
          }
        })
      );
      void send({ kind: 'result', id, result });
    } catch (error) {
      const { code, message } = BridgeError.from(error);
      void send({ kind: 'error', id, code, message });
    } finally {
      aborts.delete(id);
    }
  };

  process.on('message', (message: ToSamProcess) => {
    if (message.kind === 'start') {
      runner = new JobRunner(message);
    } else if (message.kind === 'job') {
      void work(message.id, message.job, urgencyOf(message.job, message.urgency));
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
