/**
 * SAM's decoder on the GPU of the browser's computer, which a hub's server does not have. It is taken only if the browser has a real GPU, and after its masks
 * were found to be those of WebAssembly (`gpu-check.ts`). If it fails later, as when the device is lost, it starts anew and is compared again.
 */
import { BridgeError } from '../../shared/errors';
import { adapterName, IAdapterInfo, isSoftwareAdapter } from '../../shared/gpu-adapters';
import type { DecoderManifest } from '../../shared/models';
import type { ICandidates, IPrompts } from '../../sam';
import type { IDecoded, IDecoderRoute, IEmbedding } from './decoder-route';
import { checkPrompts, difference } from './gpu-check';
import { IDecoderWorker, WorkerRoute } from './worker-route';

/** Starting means to load 27 MB and to compile shaders, in milliseconds. */
const START_MS = 120_000;
/** Time to take an embedding, and for a prompt of the comparison, the first of which compiles shaders, in milliseconds. */
const ANSWER_MS = 10_000;
/** The same on a software adapter, which only serves users who chose the GPU. */
const SOFTWARE_MS = 120_000;
/** How often it starts before it is given up, unless it answered this many prompts meanwhile. */
const STARTS_MAX = 3;
const ANSWERS_WELL = 20;
/** One answer may be late on a busy GPU; after two in a row the worker counts as lost. */
const LATE_MAX = 2;

type State = 'unchecked' | 'checking' | 'checked' | 'refused';

export class GpuRoute implements IDecoderRoute {
  constructor(private readonly _options: GpuRoute.IOptions) {
    this._worker = new WorkerRoute({
      name: 'gpu',
      createWorker: _options.createWorker,
      kernels: false,
      died: error => this._lost(error.message)
    });
  }

  readonly name = 'gpu';

  get isDisposed(): boolean {
    return this._worker.isDisposed;
  }

  /** Whether {@link check} would find out something new. */
  get isUnchecked(): boolean {
    return this._state === 'unchecked' && this._model !== undefined;
  }

  /** Why the GPU does not decode, as a sentence for users who may expect that it does; null if it does, or if there is none. */
  get problem(): string | null {
    return this._state === 'checked' ? null : this._problem;
  }

  /** Take the decoder's graph and its manifest. Nothing starts before {@link check}. */
  setModel(graph: Uint8Array, manifest: DecoderManifest): void {
    this._worker.stop();
    this._model = { graph, manifest };
    this._state = 'unchecked';
    this._starts = 0;
    this._problem = this._options.isForced ? 'Its masks were not yet compared with those of WebAssembly.' : null;
  }

  /**
   * Start, and compare some masks with those of WebAssembly. If those fail, that says nothing about the GPU, and it stays unchecked.
   *
   * @param reference decodes prompts on the embedding by WebAssembly
   */
  async check(embedding: IEmbedding, reference: (prompts: IPrompts) => Promise<ICandidates>): Promise<void> {
    const model = this._model;
    if (!model || this._state !== 'unchecked') {
      return;
    }
    this._state = 'checking';
    const isOld = () => this._model !== model || this.isDisposed;
    let differs: string | null;
    try {
      const adapter = await (this._options.findAdapter ?? findAdapter)();
      if (isOld()) {
        return;
      }
      const { isForced } = this._options;
      this._isSoftware = adapter !== null && isSoftwareAdapter(adapter);
      if (!adapter || (this._isSoftware && !isForced)) {
        this._refuse(isForced ? 'The browser offers no GPU (WebGPU).' : null);
        return;
      }
      this._starts++;
      differs = await this._compare(model, embedding, reference);
      differs &&= `${differs} (${adapterName(adapter)}).`;
    } catch (reason) {
      if (isOld()) {
        return;
      }
      if (reason instanceof ReferenceFailed && this._starts < STARTS_MAX) {
        this._worker.stop();
        this._state = 'unchecked';
        return;
      }
      differs = BridgeError.from(reason instanceof ReferenceFailed ? reason.reason : reason).message;
    }
    if (isOld()) {
      return;
    }
    if (differs === null) {
      this._state = 'checked';
      this._answers = this._late = 0;
    } else {
      this._refuse(differs);
    }
  }

  takes(): boolean {
    return this._state === 'checked';
  }

  hasPrepared(embedding: IEmbedding): boolean {
    return this._worker.hasPrepared(embedding);
  }

  async prepare(embedding: IEmbedding): Promise<void> {
    this._checkTaken();
    try {
      await within(this._isSoftware ? SOFTWARE_MS : ANSWER_MS, this._worker.prepare(embedding));
    } catch (reason) {
      const error = BridgeError.from(reason);
      this._lost(error.message);
      throw error;
    }
  }

  async decode(embedding: IEmbedding, prompts: IPrompts, signal: AbortSignal, limitMs: number): Promise<IDecoded> {
    this._checkTaken();
    try {
      const decoded = await within(
        this._isSoftware ? SOFTWARE_MS : limitMs,
        this._worker.decode(embedding, prompts),
        signal
      );
      this._late = 0;
      if (++this._answers >= ANSWERS_WELL) {
        this._starts = 0;
      }
      return decoded;
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (error.code !== 'cancelled' && (!(error instanceof LateError) || ++this._late >= LATE_MAX)) {
        this._lost(error.message);
      }
      throw error;
    }
  }

  /** The embedding of a key is another one from now on. */
  forget(key: string): void {
    this._worker.forget(key);
  }

  dispose(): void {
    this._worker.dispose();
    this._model = undefined;
  }

  /** Throw unless the masks of the worker that runs now were compared: the state may have changed since {@link takes} was asked. */
  private _checkTaken(): void {
    if (!this.takes()) {
      throw new BridgeError('not-ready', 'The GPU does not decode now.');
    }
  }

  private _refuse(why: string | null): void {
    this._worker.stop();
    this._state = 'refused';
    this._problem = why;
  }

  /** What decodes on the GPU is gone, or must not be trusted: begin anew, with a comparison. */
  private _lost(why: string): void {
    if (this._state === 'checked') {
      this._worker.stop();
      this._state = this._starts < STARTS_MAX ? 'unchecked' : 'refused';
      this._problem = why;
      this._options.lost(why);
    }
  }

  /** How the GPU's masks differ from those of WebAssembly, in words; null if they do not. */
  private async _compare(
    { graph, manifest }: NonNullable<GpuRoute['_model']>,
    embedding: IEmbedding,
    reference: (prompts: IPrompts) => Promise<ICandidates>
  ): Promise<string | null> {
    await within(START_MS, this._worker.load(graph, manifest));
    let fed: Float32Array | undefined;
    for (const prompts of checkPrompts(embedding.size)) {
      const asked = prompts.mask && fed ? { ...prompts, mask: fed } : prompts;
      const right = await reference(asked).catch(reason => Promise.reject(new ReferenceFailed(reason)));
      fed ??= right.lowRes[0];
      const { candidates } = await within(
        this._isSoftware ? SOFTWARE_MS : ANSWER_MS,
        this._worker.decode(embedding, asked)
      );
      const differs = difference(right, candidates);
      if (differs !== null) {
        return differs;
      }
    }
    return null;
  }

  private readonly _worker: WorkerRoute;
  private _model: { graph: Uint8Array; manifest: DecoderManifest } | undefined;
  private _state: State = 'unchecked';
  private _problem: string | null = null;
  private _isSoftware = false;
  private _starts = 0;
  /** Prompts that were answered since the comparison, and the last ones in a row that were late. */
  private _answers = 0;
  private _late = 0;
}

/** The namespace for {@link GpuRoute}. */
export namespace GpuRoute {
  export interface IOptions {
    createWorker(): IDecoderWorker;
    /** Whether the user wants this route: then a software adapter will do, and it may be slow. */
    isForced: boolean;
    /** Called when the GPU does not decode any more, though it did. */
    lost(why: string): void;
    /** The browser's adapter; null if there is none. */
    findAdapter?: () => Promise<IAdapterInfo | null>;
  }
}

/** WebAssembly did not answer a prompt of the comparison. */
class ReferenceFailed extends Error {
  constructor(readonly reason: unknown) {
    super('The reference failed.');
  }
}

class LateError extends BridgeError {
  constructor(milliseconds: number) {
    super('compute', `The GPU gave no answer in ${Math.round(milliseconds)} ms.`);
  }
}

/** The part of WebGPU that is used here; TypeScript does not know it yet. */
interface INavigatorGpu {
  gpu?: { requestAdapter(options: object): Promise<{ info: IAdapterInfo } | null> };
}

async function findAdapter(): Promise<IAdapterInfo | null> {
  const { gpu } = navigator as INavigatorGpu;
  return (await gpu?.requestAdapter({ powerPreference: 'high-performance' }))?.info ?? null;
}

/** A promise that rejects if the other takes longer, or if the signal is aborted. */
async function within<T>(milliseconds: number, promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let abort: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError(milliseconds)), milliseconds);
    abort = () => reject(new BridgeError('cancelled', 'The request was cancelled.'));
    signal?.addEventListener('abort', abort);
  });
  promise.catch(() => undefined); // it may fail after the limit
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort!);
  }
}
