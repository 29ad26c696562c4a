/**
 * SAM's decoder in the browser: prompts in, masks out, without a round trip to the kernel.
 *
 * The decoder runs in a worker, one request at a time. Of the requests that follow the mouse only the newest waits; the others are cancelled.
 * Prompts that were clicked are all decoded, before those. While the user rests, points of a grid are decoded ahead. If the worker crashes, its requests fail, and the next request starts a new worker.
 */
import { IDisposable } from '@lumino/disposable';
import { BridgeError } from '../../shared/errors';
import { Lru } from '../../shared/lru';
import type { DecoderManifest } from '../../shared/models';
import { asHalves, fromFloat16, ICandidates, IPrompts, ISize, PromptGrid } from '../../sam';
import { EMBEDDINGS_KEPT, EMBEDDINGS_PREPARED, FromDecoderWorker, ToDecoderWorker } from './decoder-messages';
import { createDecoderWorker } from './decoder-worker-factory';

/** Points are decoded ahead when nothing was asked for during this time, in milliseconds. */
const REST_MS = 250;
/** No points are decoded ahead if a decode takes longer than this, in milliseconds: the next request would wait for it. */
const AHEAD_MS_MAX = 120;
/** Grids of points that are kept, up to 19 MB each. */
const GRIDS_KEPT = 3;

/** The part of a web worker that the decoder uses. */
export interface IDecoderWorker {
  postMessage(message: ToDecoderWorker): void;
  terminate(): void;
  onmessage: ((event: MessageEvent<FromDecoderWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  onmessageerror: ((event: MessageEvent) => void) | null;
}

interface IEmbedding {
  halves: Uint8Array;
  size: ISize;
}

interface ICall {
  resolve(candidates: ICandidates | undefined): void;
  reject(error: Error): void;
}

interface ISuggestRequest extends ICall {
  key: string;
  prompts: IPrompts;
}

export class SuggestionDecoder implements IDisposable {
  constructor(options: SuggestionDecoder.IOptions = {}) {
    this._createWorker = options.createWorker ?? (createDecoderWorker as () => IDecoderWorker);
    this._kernels = options.kernels ?? true;
    this._restMs = options.restMs ?? REST_MS;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether points may be decoded ahead. Not while the encoder works on what the user waits for, often on the same cores. */
  get mayDecodeAhead(): boolean {
    return this._mayDecodeAhead;
  }

  set mayDecodeAhead(may: boolean) {
    this._mayDecodeAhead = may;
    void this._pump();
  }

  /**
   * Take the decoder's graph, an ONNX file, and the manifest that says how to run it, and start a worker with them.
   *
   * @throws BridgeError `model` if it does not load.
   */
  async load(graph: Uint8Array, manifest: DecoderManifest): Promise<void> {
    this._checkUsable();
    this._stopWorker(new BridgeError('cancelled', 'Another decoder was loaded.'));
    const model = { graph, manifest };
    this._model = model;
    try {
      await this._startWorker();
    } catch (error) {
      if (this._model === model) {
        this._model = undefined;
      }
      throw error;
    }
  }

  /** Decode prompts on this embedding from now on, if it is still kept. Returns whether it is. */
  useEmbedding(key: string): boolean {
    if (!this._embeddings.get(key)) {
      return false;
    }
    this._key = key;
    return true;
  }

  /** A kept embedding, float32 [channels, rows, columns]; null if other ones have displaced it. */
  embedding(key: string): Float32Array | null {
    const kept = this._embeddings.peek(key);
    return kept ? fromFloat16(asHalves(kept.halves)) : null;
  }

  /**
   * Keep an embedding, and decode prompts on it from now on.
   *
   * @param key names it, for instance by session and slice
   * @param embedding float16 [channels, rows, columns], as bytes
   * @param size of its image
   */
  setEmbedding(key: string, embedding: Uint8Array, size: ISize): void {
    this._checkUsable();
    this._inWorker.delete(key);
    this._grids.delete(key);
    this._embeddings.set(key, { halves: embedding, size });
    this._key = key;
    void this._pump();
  }

  /** What SAM will probably answer to a point of the embedding in use, at once; null if nothing like it was decoded ahead. */
  first(at: { row: number; column: number }): ICandidates | null {
    const grid = this._key === null ? undefined : this._grids.get(this._key);
    return grid?.near(at) ?? null;
  }

  /**
   * SAM's answer to prompts.
   *
   * @param prompts must not change afterwards; their mask is copied to the worker
   * @param urgent decode these prompts before all that only follow the mouse, and do not cancel them for newer ones
   * @throws BridgeError `cancelled` when a newer request took its place or the signal was aborted; `not-ready` without
   * decoder or embedding; `compute` when the worker died or could not decode.
   */
  suggest(prompts: IPrompts, signal?: AbortSignal, urgent = false): Promise<ICandidates> {
    const key = this._key;
    return new Promise<ICandidates>((resolve, reject) => {
      this._checkUsable();
      if (!this._model) {
        throw new BridgeError('not-ready', 'The decoder is not loaded yet.');
      }
      if (key === null) {
        throw new BridgeError('not-ready', 'The image has no embedding yet.');
      }
      if (signal?.aborted) {
        throw cancelled();
      }
      const abort = () => {
        if (this._next === request) {
          this._next = undefined;
        }
        this._urgent = this._urgent.filter(one => one !== request);
        request.reject(cancelled());
      };
      const request: ISuggestRequest = {
        key,
        prompts,
        resolve: candidates => {
          signal?.removeEventListener('abort', abort);
          resolve(candidates!);
        },
        reject: error => {
          signal?.removeEventListener('abort', abort);
          reject(error);
        }
      };
      signal?.addEventListener('abort', abort, { once: true });
      this._asked = { at: performance.now(), place: prompts.points[0] };
      if (urgent) {
        this._urgent.push(request);
      } else {
        this._next?.reject(cancelled());
        this._next = request;
      }
      void this._pump();
    });
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    clearTimeout(this._timer);
    this._stopWorker(cancelled());
    this._embeddings.clear();
    this._grids.clear();
    this._model = undefined;
  }

  /** Decode the waiting requests, one after the other. */
  private async _pump(): Promise<void> {
    if (this._pumping) {
      return;
    }
    this._pumping = true;
    try {
      for (;;) {
        const request = this._urgent.shift() ?? this._next;
        if (!request) {
          // A request may come while nothing else is done.
          if ((await this._sendAhead()) || (await this._decodeAhead()) || this._urgent.length > 0 || this._next) {
            continue;
          }
          return;
        }
        if (request === this._next) {
          this._next = undefined;
        }
        try {
          request.resolve(await this._decode(request));
        } catch (error) {
          request.reject(error as Error);
        }
      }
    } finally {
      this._pumping = false;
    }
  }

  private async _decode({ key, prompts }: ISuggestRequest): Promise<ICandidates | undefined> {
    await (this._starting ?? this._startWorker());
    const embedding = this._embeddings.peek(key);
    if (!embedding) {
      throw cancelled(); // other slices have displaced it
    }
    await this._send(key, embedding);
    const begun = performance.now();
    const candidates = await this._call(id => ({ kind: 'suggest', id, key, prompts }));
    this._decodeMs = performance.now() - begun;
    return candidates;
  }

  /** Decode a point of the grid, if the user rests. Returns whether one was decoded. */
  private async _decodeAhead(): Promise<boolean> {
    const { _key: key, _model: model } = this;
    const embedding = key === null ? undefined : this._embeddings.peek(key);
    if (key === null || !model || !embedding || !this._inWorker.peek(key) || !this._asked) {
      return false;
    }
    if (!this._mayDecodeAhead || this._decodeMs > AHEAD_MS_MAX || globalThis.document?.hidden) {
      return false;
    }
    const wait = this._asked.at + this._restMs - performance.now();
    if (wait > 0) {
      this._timer ??= setTimeout(() => {
        this._timer = undefined;
        void this._pump();
      }, wait);
      return false;
    }
    const grid = this._grids.get(key) ?? new PromptGrid(embedding.size, model.manifest);
    this._grids.set(key, grid);
    const at = grid.next(this._asked.place);
    if (!at) {
      return false;
    }
    try {
      const prompts: IPrompts = { points: [{ ...at, label: 1 }] };
      const candidates = await this._call(id => ({ kind: 'suggest', id, key, prompts }));
      grid.add(at, candidates!);
      return true;
    } catch {
      return false; // the next request reports why
    }
  }

  /** Let the worker prepare the embedding that the next request is likely to need. Returns whether there was one to send. */
  private async _sendAhead(): Promise<boolean> {
    const key = this._key;
    const embedding = key === null ? undefined : this._embeddings.peek(key);
    if (key === null || !embedding || !this._worker || this._inWorker.peek(key)) {
      return false;
    }
    try {
      await this._starting;
      await this._send(key, embedding);
      return true;
    } catch {
      return false; // a request for it reports why
    }
  }

  private async _send(key: string, { halves, size }: IEmbedding): Promise<void> {
    if (!this._inWorker.get(key)) {
      await this._call(id => ({ kind: 'embedding', id, key, halves, size }));
      this._inWorker.set(key, true);
    }
  }

  /** Start a worker with the graph. */
  private _startWorker(): Promise<void> {
    const model = this._model;
    if (!model) {
      return Promise.reject(new BridgeError('not-ready', 'The decoder is not loaded yet.'));
    }
    const worker = this._createWorker();
    this._worker = worker;
    worker.onmessage = ({ data }) => this._onMessage(data);
    // Ignore failures of a worker that was replaced.
    const died = (why: string) => {
      if (this._worker === worker) {
        this._stopWorker(
          new BridgeError('compute', `The decoder's worker died (${why}). Move the mouse to try again.`)
        );
      }
    };
    worker.onerror = event => died(event.message || 'it could not start');
    worker.onmessageerror = () => died('its message could not be read');
    const starting = this._call(id => ({ kind: 'load', id, ...model, kernels: this._kernels })).then(
      () => undefined,
      (error: unknown) => {
        const { code, message } = BridgeError.from(error);
        if (this._worker === worker) {
          this._stopWorker(BridgeError.from(error));
        }
        throw code === 'cancelled' ? error : new BridgeError('model', `SAM's decoder does not load: ${message}`);
      }
    );
    this._starting = starting;
    return starting;
  }

  private _stopWorker(error: Error): void {
    this._worker?.terminate();
    this._worker = undefined;
    this._starting = undefined;
    this._inWorker.clear();
    const calls = [...this._calls.values()];
    this._calls.clear();
    calls.forEach(call => call.reject(error));
    this._next?.reject(error);
    this._next = undefined;
    this._urgent.splice(0).forEach(request => request.reject(error));
  }

  private _call(message: (id: number) => ToDecoderWorker): Promise<ICandidates | undefined> {
    return new Promise((resolve, reject) => {
      const id = this._ids++;
      this._calls.set(id, { resolve, reject });
      if (!this._worker) {
        this._calls.delete(id);
        throw cancelled();
      }
      this._worker.postMessage(message(id));
    });
  }

  private _onMessage(message: FromDecoderWorker): void {
    const call = this._calls.get(message.id);
    this._calls.delete(message.id);
    if (!call) {
      return;
    }
    if (message.kind === 'error') {
      call.reject(new BridgeError('compute', message.message));
      return;
    }
    call.resolve(message.candidates);
  }

  private _checkUsable(): void {
    if (this._disposed) {
      throw new BridgeError('cancelled', 'The widget is closed.');
    }
  }

  private readonly _createWorker: () => IDecoderWorker;
  private readonly _kernels: boolean;
  private _worker: IDecoderWorker | undefined;
  /** Settles once the worker has loaded the graph. */
  private _starting: Promise<void> | undefined;
  private _model: { graph: Uint8Array; manifest: DecoderManifest } | undefined;
  private _key: string | null = null;
  /** For {@link useEmbedding}, and for a new worker. */
  private readonly _embeddings = new Lru<string, IEmbedding>({ limit: EMBEDDINGS_KEPT });
  /** The embeddings that the worker has: its own cache is used in the same order. */
  private readonly _inWorker = new Lru<string, true>({ limit: EMBEDDINGS_PREPARED });
  private readonly _calls = new Map<number, ICall>();
  private _next: ISuggestRequest | undefined;
  /** Requests of prompts that were clicked, in order. */
  private _urgent: ISuggestRequest[] = [];
  private _pumping = false;
  private readonly _restMs: number;
  /** Answers to points that were decoded ahead. */
  private readonly _grids = new Lru<string, PromptGrid>({ limit: GRIDS_KEPT });
  /** When something was last asked for, and about where. */
  private _asked: { at: number; place: { row: number; column: number } | undefined } | undefined;
  /** How long the last decode took. */
  private _decodeMs = 0;
  private _mayDecodeAhead = true;
  /** Goes on with the grid. */
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _ids = 0;
  private _disposed = false;
}

/** The namespace for {@link SuggestionDecoder}. */
export namespace SuggestionDecoder {
  export interface IOptions {
    /** Starts a worker; tests bring their own. */
    createWorker?: () => IDecoderWorker;
    /** Whether our own kernels may run the decoder, which they do faster than the graph; true by default. */
    kernels?: boolean;
    /** See {@link REST_MS}. */
    restMs?: number;
  }
}

function cancelled(): BridgeError {
  return new BridgeError('cancelled', 'A newer request took the place of this one.');
}
