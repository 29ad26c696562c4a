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
/** How often it starts before it is given up. */
const STARTS_MAX = 3;

export class GpuRoute implements IDecoderRoute {
  constructor(private readonly _options: GpuRoute.IOptions) {
    this._worker = new WorkerRoute({
      name: 'gpu',
      createWorker: _options.createWorker,
      kernels: false,
      died: () => this._lost()
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

  /** Take the decoder's graph and its manifest. Nothing starts before {@link check}. */
  setModel(graph: Uint8Array, manifest: DecoderManifest): void {
    this._worker.stop();
    this._model = { graph, manifest };
    this._state = 'unchecked';
    this._starts = 0;
  }

  /**
   * Start, and compare some masks with those of WebAssembly.
   *
   * @param reference decodes prompts on the embedding by WebAssembly
   * @returns why the GPU does not decode, for users who may expect that it does; null if it does, or if there is none
   */
  async check(embedding: IEmbedding, reference: (prompts: IPrompts) => Promise<ICandidates>): Promise<string | null> {
    const model = this._model;
    if (!model || this._state !== 'unchecked') {
      return null;
    }
    this._state = 'checking';
    const isOld = () => this._model !== model || this.isDisposed;
    try {
      const adapter = await (this._options.findAdapter ?? findAdapter)();
      if (isOld()) {
        return null;
      }
      const { isForced } = this._options;
      if (!adapter || (isSoftwareAdapter(adapter) && !isForced)) {
        this._state = 'refused';
        return isForced ? 'The browser offers no GPU (WebGPU).' : null;
      }
      this._starts++;
      const differs = await this._compare(model, embedding, reference);
      if (isOld()) {
        return null;
      }
      if (differs !== null) {
        throw new BridgeError('compute', `${differs} (${adapterName(adapter)}).`);
      }
      this._state = 'checked';
      return null;
    } catch (error) {
      if (isOld()) {
        return null;
      }
      this._worker.stop();
      this._state = 'refused';
      return BridgeError.from(error).message;
    }
  }

  takes(): boolean {
    return this._state === 'checked';
  }

  hasPrepared(embedding: IEmbedding): boolean {
    return this._worker.hasPrepared(embedding);
  }

  prepare(embedding: IEmbedding): Promise<void> {
    return this._worker.prepare(embedding);
  }

  async decode(embedding: IEmbedding, prompts: IPrompts, _signal: AbortSignal, limitMs: number): Promise<IDecoded> {
    try {
      const limit = this._options.isForced ? START_MS : limitMs;
      return await within(limit, this._worker.decode(embedding, prompts));
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (error.code !== 'cancelled') {
        this._lost();
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

  /** What decodes on the GPU is gone, or must not be trusted: begin anew, with a comparison. */
  private _lost(): void {
    if (this._state === 'checked') {
      this._worker.stop();
      this._state = this._starts < STARTS_MAX ? 'unchecked' : 'refused';
    }
  }

  /** How the GPU's masks differ from those of WebAssembly, in words; null if they do not. */
  private async _compare(
    { graph, manifest }: NonNullable<GpuRoute['_model']>,
    embedding: IEmbedding,
    reference: (prompts: IPrompts) => Promise<ICandidates>
  ): Promise<string | null> {
    await within(START_MS, this._worker.load(graph, manifest));
    for (const prompts of checkPrompts(embedding.size)) {
      const right = await reference(prompts);
      const { candidates } = await within(START_MS, this._worker.decode(embedding, prompts));
      const differs = difference(right, candidates);
      if (differs !== null) {
        return differs;
      }
    }
    return null;
  }

  private readonly _worker: WorkerRoute;
  private _model: { graph: Uint8Array; manifest: DecoderManifest } | undefined;
  private _state: 'unchecked' | 'checking' | 'checked' | 'refused' = 'unchecked';
  private _starts = 0;
}

/** The namespace for {@link GpuRoute}. */
export namespace GpuRoute {
  export interface IOptions {
    createWorker(): IDecoderWorker;
    /** Whether the user wants this route: then a software adapter will do, and it may be slow. */
    isForced: boolean;
    /** The browser's adapter; null if there is none. */
    findAdapter?: () => Promise<IAdapterInfo | null>;
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

/** A promise that rejects if the other takes longer. */
async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new BridgeError('compute', `The GPU gave no answer in ${Math.round(milliseconds)} ms.`)),
      milliseconds
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
