/**
 * SAM's decoder in a web worker of the page, on the processor or on the GPU. If the worker crashes, its calls fail, and the next one starts a new
 * worker.
 */
import { BridgeError } from '../../shared/errors';
import { Lru } from '../../shared/lru';
import type { DecoderManifest } from '../../shared/models';
import type { ICandidates, IPrompts } from '../../sam';
import type { RouteName } from '../state/suggestion-decoder';
import { EMBEDDINGS_PREPARED, FromDecoderWorker, ToDecoderWorker } from './decoder-messages';
import type { IDecoded, IDecoderRoute, IEmbedding } from './decoder-route';

/** The part of a web worker that the decoder uses. */
export interface IDecoderWorker {
  postMessage(message: ToDecoderWorker): void;
  terminate(): void;
  onmessage: ((event: MessageEvent<FromDecoderWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  onmessageerror: ((event: MessageEvent) => void) | null;
}

interface ICall {
  resolve(candidates: ICandidates | undefined): void;
  reject(error: Error): void;
}

export class WorkerRoute implements IDecoderRoute {
  constructor(private readonly _options: WorkerRoute.IOptions) {}

  get name(): RouteName {
    return this._options.name;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /**
   * Take the decoder's graph, an ONNX file, and the manifest that says how to run it, and start a worker with them.
   *
   * @throws BridgeError `model` if it does not load.
   */
  async load(graph: Uint8Array, manifest: DecoderManifest): Promise<void> {
    this._stop(new BridgeError('cancelled', 'Another decoder was loaded.'));
    this._model = { graph, manifest };
    await this._start();
  }

  takes(): boolean {
    return this._model !== undefined;
  }

  hasPrepared({ key }: IEmbedding): boolean {
    return this._inWorker.has(key);
  }

  async prepare(embedding: IEmbedding): Promise<void> {
    if (!this._starting) {
      throw new BridgeError('not-ready', 'The worker has died; the next request starts it.');
    }
    await this._starting;
    await this._send(embedding);
  }

  async decode(embedding: IEmbedding, prompts: IPrompts): Promise<IDecoded> {
    await (this._starting ?? this._start());
    const { key } = embedding;
    const prepared = this._inWorker.has(key);
    await this._send(embedding);
    const candidates = await this._call(id => ({ kind: 'suggest', id, key, prompts }));
    return { candidates: candidates!, prepared };
  }

  /** The embedding of a key is another one from now on. */
  forget(key: string): void {
    this._inWorker.delete(key);
  }

  /** End the worker; its calls fail. The next call starts it again. */
  stop(): void {
    this._stop(new BridgeError('compute', "The decoder's worker was stopped."));
  }

  dispose(): void {
    this._disposed = true;
    this._stop(new BridgeError('cancelled', 'The widget is closed.'));
    this._model = undefined;
  }

  private async _send({ key, halves, size }: IEmbedding): Promise<void> {
    if (!this._inWorker.get(key)) {
      await this._call(id => ({ kind: 'embedding', id, key, halves, size }));
      this._inWorker.set(key, true);
    }
  }

  /** Start a worker with the graph. */
  private _start(): Promise<void> {
    const model = this._model;
    if (!model) {
      return Promise.reject(new BridgeError('not-ready', 'The decoder is not loaded yet.'));
    }
    const worker = this._options.createWorker();
    this._worker = worker;
    worker.onmessage = ({ data }) => this._onMessage(data);
    // Ignore failures of a worker that was replaced.
    const died = (why: string) => {
      if (this._worker === worker) {
        const error = new BridgeError('compute', `The decoder's worker died (${why}). Move the mouse to try again.`);
        this._stop(error);
        this._options.died(error);
      }
    };
    worker.onerror = event => died(event.message || 'it could not start');
    worker.onmessageerror = () => died('its message could not be read');
    const starting = this._call(id => ({ kind: 'load', id, ...model, kernels: this._options.kernels })).then(
      () => undefined,
      (error: unknown) => {
        const { code, message } = BridgeError.from(error);
        if (this._worker === worker) {
          this._stop(BridgeError.from(error));
        }
        throw code === 'cancelled' ? error : new BridgeError('model', `SAM's decoder does not load: ${message}`);
      }
    );
    this._starting = starting;
    return starting;
  }

  private _stop(error: Error): void {
    this._worker?.terminate();
    this._worker = undefined;
    this._starting = undefined;
    this._inWorker.clear();
    const calls = [...this._calls.values()];
    this._calls.clear();
    calls.forEach(call => call.reject(error));
  }

  private _call(message: (id: number) => ToDecoderWorker): Promise<ICandidates | undefined> {
    return new Promise((resolve, reject) => {
      const id = this._ids++;
      this._calls.set(id, { resolve, reject });
      if (!this._worker) {
        this._calls.delete(id);
        throw this._disposed
          ? new BridgeError('cancelled', 'The decoder was stopped.')
          : new BridgeError('not-ready', 'The worker was stopped; the next request starts it.');
      }
      this._worker.postMessage(message(id));
    });
  }

  private _onMessage(message: FromDecoderWorker): void {
    const call = this._calls.get(message.id);
    this._calls.delete(message.id);
    if (message.kind === 'error') {
      call?.reject(new BridgeError('compute', message.message));
    } else {
      call?.resolve(message.candidates);
    }
  }

  private _worker: IDecoderWorker | undefined;
  /** Settles once the worker has loaded the graph. */
  private _starting: Promise<void> | undefined;
  private _model: { graph: Uint8Array; manifest: DecoderManifest } | undefined;
  /** The embeddings that the worker has: its own cache is used in the same order. */
  private readonly _inWorker = new Lru<string, true>({ limit: EMBEDDINGS_PREPARED });
  private readonly _calls = new Map<number, ICall>();
  private _ids = 0;
  private _disposed = false;
}

/** The namespace for {@link WorkerRoute}. */
export namespace WorkerRoute {
  export interface IOptions {
    name: RouteName;
    createWorker(): IDecoderWorker;
    /** Whether our own kernels may run the decoder. */
    kernels: boolean;
    /** Called when the worker died, after its calls were rejected. */
    died(error: BridgeError): void;
  }
}
