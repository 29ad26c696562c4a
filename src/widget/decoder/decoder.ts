/**
 * SAM's decoder for one labeller: prompts in, masks out. The page's worker, the sidecar and the browser's GPU can decode; `route-choice.ts` says which one
 * does, and if one fails another one answers.
 *
 * One request is decoded at a time. Of the requests that follow the mouse only the newest waits; the others are cancelled. Prompts that were clicked are
 * all decoded, before those. While the user rests, points of a grid are decoded ahead; a few of them try the other routes.
 */
import { IDisposable } from '@lumino/disposable';
import { BridgeError } from '../../shared/errors';
import { Lru } from '../../shared/lru';
import type { DecoderManifest } from '../../shared/models';
import { asHalves, fromFloat16, ICandidates, IPrompts, ISize, PromptGrid } from '../../sam';
import type { IDecoderRoutes, IEmbeddingSource, ISuggestionDecoder, RouteName } from '../state/suggestion-decoder';
import { EMBEDDINGS_KEPT } from './decoder-messages';
import type { IDecoderRoute, IEmbedding } from './decoder-route';
import { createDecoderWorker } from './decoder-worker-factory';
import { GpuRoute } from './gpu-route';
import { createGpuWorker } from './gpu-worker-factory';
import { IDecoderWorker, WorkerRoute } from './worker-route';
import { RouteChoice } from './route-choice';
import { SidecarRoute } from './sidecar-route';

/** Points are decoded ahead when nothing was asked for during this time, in milliseconds. */
const REST_MS = 250;
/** No points are decoded ahead if a decode takes longer than this, in milliseconds: the next request would wait for it. */
const AHEAD_MS_MAX = 120;
/** A first answer may have to start a thread and to prepare the embedding: nobody waits for a point ahead, in milliseconds. */
const FIRST_MS = 20_000;
/** Grids of points that are kept, up to 19 MB each. */
const GRIDS_KEPT = 3;

interface ISuggestRequest {
  key: string;
  prompts: IPrompts;
  signal: AbortSignal;
  resolve(candidates: ICandidates): void;
  reject(error: Error): void;
}

export class SuggestionDecoder implements ISuggestionDecoder, IDisposable {
  constructor(options: SuggestionDecoder.IOptions = {}) {
    const { route = 'auto', sidecar } = options;
    this._restMs = options.restMs ?? REST_MS;
    this._page = new WorkerRoute({
      name: 'page',
      createWorker: options.createWorker ?? (createDecoderWorker as () => IDecoderWorker),
      kernels: options.kernels ?? true,
      died: error => {
        const embedding = this._embedding;
        if (!embedding || !this._usable(embedding, {}).some(({ name }) => name !== 'page')) {
          this._rejectWaiting(error);
        }
      }
    });
    this._sidecar = sidecar && route !== 'page' ? new SidecarRoute(sidecar) : null;
    this._gpu =
      route === 'auto' || route === 'gpu'
        ? new GpuRoute({
            createWorker: options.createGpuWorker ?? (createGpuWorker as () => IDecoderWorker),
            isForced: route === 'gpu',
            lost: why => this._choice.failed('gpu', why),
            ...(options.findAdapter && { findAdapter: options.findAdapter })
          })
        : null;
    this._choice = options.choice ?? new RouteChoice({ forced: route === 'auto' ? null : route });
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

  get routes(): IDecoderRoutes {
    const embedding = this._embedding;
    const report = this._choice.report(embedding && this._usable(embedding, {}).map(({ name }) => name));
    return { ...report, problems: { ...report.problems, gpu: this._gpu?.problem ?? report.problems.gpu } };
  }

  /**
   * Take the decoder's graph, an ONNX file, and the manifest that says how to run it, and start a worker with them. If the page cannot run it, the
   * sidecar serves while it is there.
   *
   * @throws BridgeError `model` if it does not load.
   */
  async load(graph: Uint8Array, manifest: DecoderManifest): Promise<void> {
    this._checkUsable();
    this._rejectWaiting(new BridgeError('cancelled', 'Another decoder was loaded.'));
    this._manifest = manifest;
    if (this._sidecar) {
      this._sidecar.manifest = manifest;
    }
    this._gpu?.setModel(graph, manifest);
    try {
      await this._page.load(graph, manifest);
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (error.code === 'model' && this._manifest === manifest && this._sidecar?.isConnected) {
        this._choice.failed('page', error.message);
        return;
      }
      if (this._manifest === manifest) {
        this._manifest = undefined;
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
   * @param source what the sidecar knows it by
   */
  setEmbedding(key: string, embedding: Uint8Array, size: ISize, source?: IEmbeddingSource): void {
    this._checkUsable();
    this._page.forget(key);
    this._gpu?.forget(key);
    this._grids.delete(key);
    this._embeddings.set(key, { key, halves: embedding, size, source: source ?? null });
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
      if (!this._manifest) {
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
        signal: signal ?? this._end.signal,
        resolve: candidates => {
          signal?.removeEventListener('abort', abort);
          resolve(candidates);
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
    this._end.abort();
    this._page.dispose();
    this._sidecar?.dispose();
    this._gpu?.dispose();
    this._rejectWaiting(cancelled());
    this._embeddings.clear();
    this._grids.clear();
    this._manifest = undefined;
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

  /** Decode by the route that answers soonest; by another one if that fails. */
  private async _decode({ key, prompts, signal }: ISuggestRequest): Promise<ICandidates> {
    const embedding = this._embeddings.peek(key);
    if (!embedding) {
      throw cancelled(); // other slices have displaced it
    }
    const failures: { route: IDecoderRoute; error: BridgeError }[] = [];
    for (const route of this._routesFor(embedding, prompts)) {
      try {
        const candidates = await this._run(route, embedding, prompts, signal, this._choice.limit(route.name));
        failures.forEach(failure => this._note(failure.route, failure.error));
        return candidates;
      } catch (reason) {
        const error = BridgeError.from(reason);
        if (error.code === 'cancelled') {
          throw error;
        }
        failures.push({ route, error });
      }
    }
    // All failed: the prompts may be the cause, so none is left out.
    throw (failures.find(({ route }) => route === this._page) ?? failures[0])?.error ?? cancelled();
  }

  /** Decode by one route, and remember how long it took. */
  private async _run(
    route: IDecoderRoute,
    embedding: IEmbedding,
    prompts: IPrompts,
    signal: AbortSignal,
    limitMs: number
  ): Promise<ICandidates> {
    const begun = performance.now();
    const { candidates, prepared } = await route.decode(embedding, prompts, signal, limitMs);
    const milliseconds = performance.now() - begun;
    this._lastMs[route.name] = milliseconds;
    const { points, box, mask } = prompts;
    if (prepared && points.length === 1 && !box && !mask) {
      this._choice.took(route.name, milliseconds);
    } else {
      this._choice.worked(route.name);
    }
    return candidates;
  }

  /** Leave a route out for a while, unless it is the only one, or is well and only does not have what was asked for. */
  private _note({ name }: IDecoderRoute, { code, message }: BridgeError): void {
    if ((this._sidecar ?? this._gpu) && code !== 'not-ready' && code !== 'invalid' && code !== 'cancelled') {
      this._choice.failed(name, message);
    }
  }

  /** The routes that can decode prompts, the one that serves first. */
  private _routesFor(embedding: IEmbedding, prompts: Pick<IPrompts, 'mask'>): IDecoderRoute[] {
    const usable = this._usable(embedding, prompts);
    return this._choice.order(usable.map(({ name }) => name)).map(name => this._routeOf(name));
  }

  private _usable(embedding: IEmbedding, prompts: Pick<IPrompts, 'mask'>): IDecoderRoute[] {
    return this._all.filter(route => route.takes(embedding, prompts));
  }

  private get _all(): IDecoderRoute[] {
    return [this._page, this._sidecar, this._gpu].filter(route => route !== null);
  }

  private _routeOf(name: RouteName): IDecoderRoute {
    return this._all.find(route => route.name === name) ?? this._page;
  }

  /** Find out whether the browser's GPU may decode. Requests do not wait for it, but for its single decodes in the page. */
  private _checkGpu(embedding: IEmbedding): void {
    const gpu = this._gpu;
    if (gpu?.isUnchecked) {
      const reference = (prompts: IPrompts) => this._run(this._page, embedding, prompts, this._end.signal, FIRST_MS);
      void gpu.check(embedding, reference).then(() => {
        if (gpu.takes()) {
          this._choice.worked('gpu');
          void this._pump(); // points ahead try it
        }
      });
    }
  }

  /** Decode a point of the grid, if the user rests. Returns whether one was decoded. */
  private async _decodeAhead(): Promise<boolean> {
    const { _manifest: manifest, _asked: asked, _embedding: embedding } = this;
    if (!manifest || !embedding || !asked || this._trial || globalThis.document?.hidden) {
      return false;
    }
    const [serving] = this._routesFor(embedding, {});
    if (!this._mayDecodeAhead || !serving?.hasPrepared(embedding)) {
      return false;
    }
    const wait = asked.at + this._restMs - performance.now();
    if (wait > 0) {
      this._timer ??= setTimeout(() => {
        this._timer = undefined;
        void this._pump();
      }, wait);
      return false;
    }
    this._checkGpu(embedding);
    const isSlow = this._lastMs[serving.name] > AHEAD_MS_MAX;
    const usable = this._usable(embedding, {}).map(({ name }) => name);
    const route = this._routeOf(this._choice.ahead(usable, isSlow) ?? 'page');
    if (route === serving && isSlow) {
      return false;
    }
    const grid = this._grids.get(embedding.key) ?? new PromptGrid(embedding.size, manifest);
    this._grids.set(embedding.key, grid);
    const at = grid.next(asked.place);
    if (!at) {
      if (route !== serving && this._choice.median(route.name) === null) {
        // The grid is complete before the route has any times.
        const { rows, columns } = embedding.size;
        const place = asked.place ?? { row: rows >> 1, column: columns >> 1 };
        this._try(route, embedding, { points: [{ row: place.row, column: place.column, label: 1 }] }, () => undefined);
      }
      return false;
    }
    const prompts: IPrompts = { points: [{ ...at, label: 1 }] };
    if (route !== serving) {
      this._try(route, embedding, prompts, candidates => grid.add(at, candidates));
      return false; // requests are decoded meanwhile; the grid goes on after it
    }
    try {
      grid.add(at, await this._run(route, embedding, prompts, this._end.signal, FIRST_MS));
      return true;
    } catch (error) {
      this._note(route, BridgeError.from(error));
      return false; // the next request reports why
    }
  }

  /** Decode a point by a route that does not serve. */
  private _try(route: IDecoderRoute, embedding: IEmbedding, prompts: IPrompts, done: (of: ICandidates) => void): void {
    const limit = route.hasPrepared(embedding) ? this._choice.limit(route.name) : FIRST_MS;
    const trial = this._run(route, embedding, prompts, this._end.signal, limit)
      .then(done)
      .catch(error => this._note(route, BridgeError.from(error)))
      .finally(() => {
        this._trial = null;
        void this._pump();
      });
    this._trial = trial;
  }

  /** Let the serving route prepare the embedding that the next request is likely to need. Returns whether there was one to prepare. */
  private async _sendAhead(): Promise<boolean> {
    const embedding = this._embedding;
    const [route] = embedding ? this._routesFor(embedding, {}) : [];
    if (!embedding || !route || route.hasPrepared(embedding)) {
      return false;
    }
    if (route !== this._page) {
      this._prepareElsewhere(route, embedding);
      return false;
    }
    try {
      await route.prepare(embedding);
      return true;
    } catch {
      return false; // a request for it reports why
    }
  }

  /** Let the sidecar, which may have to start a thread, or the GPU prepare an embedding. Requests do not wait for it: if it takes too long the page answers. */
  private _prepareElsewhere(route: IDecoderRoute, embedding: IEmbedding): void {
    if (this._preparing !== embedding) {
      this._preparing = embedding;
      void route
        .prepare(embedding)
        .catch(error => this._note(route, BridgeError.from(error)))
        .finally(() => {
          if (this._preparing === embedding) {
            this._preparing = null;
          }
          void this._pump();
        });
    }
  }

  private _rejectWaiting(error: Error): void {
    this._next?.reject(error);
    this._next = undefined;
    this._urgent.splice(0).forEach(request => request.reject(error));
  }

  /** The embedding in use. */
  private get _embedding(): IEmbedding | undefined {
    return this._key === null ? undefined : this._embeddings.peek(this._key);
  }

  private _checkUsable(): void {
    if (this._disposed) {
      throw new BridgeError('cancelled', 'The widget is closed.');
    }
  }

  private readonly _page: WorkerRoute;
  /** Null if it must not be asked. */
  private readonly _sidecar: SidecarRoute | null;
  private readonly _gpu: GpuRoute | null;
  private readonly _choice: RouteChoice;
  private _manifest: DecoderManifest | undefined;
  private _key: string | null = null;
  private readonly _embeddings = new Lru<string, IEmbedding>({ limit: EMBEDDINGS_KEPT });
  /** What the sidecar or the GPU prepares. */
  private _preparing: IEmbedding | null = null;
  /** A point that another route decodes. */
  private _trial: Promise<void> | null = null;
  private readonly _end = new AbortController();
  private _next: ISuggestRequest | undefined;
  /** Requests of prompts that were clicked, in order. */
  private _urgent: ISuggestRequest[] = [];
  private _pumping = false;
  private readonly _restMs: number;
  /** Answers to points that were decoded ahead. */
  private readonly _grids = new Lru<string, PromptGrid>({ limit: GRIDS_KEPT });
  /** When something was last asked for, and about where. */
  private _asked: { at: number; place: { row: number; column: number } | undefined } | undefined;
  /** How long the last decode of each route took, in milliseconds. */
  private readonly _lastMs: Record<RouteName, number> = { page: 0, sidecar: 0, gpu: 0 };
  private _mayDecodeAhead = true;
  /** Goes on with the grid. */
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

/** The namespace for {@link SuggestionDecoder}. */
export namespace SuggestionDecoder {
  export interface IOptions {
    /** Starts a worker; tests bring their own. */
    createWorker?: () => IDecoderWorker;
    /** Whether our own kernels may run the decoder in the page, which they do faster than the graph; true by default. */
    kernels?: boolean;
    /** Starts the worker for the browser's GPU. */
    createGpuWorker?: () => IDecoderWorker;
    /** The browser's GPU; null if there is none. */
    findAdapter?: GpuRoute.IOptions['findAdapter'];
    /** Where prompts are decoded: where it is done soonest (the default), in the page alone, or in the sidecar or on the browser's GPU while it answers. */
    route?: 'auto' | RouteName;
    /** The way to the sidecar; absent: the page decodes alone. */
    sidecar?: SidecarRoute.IOptions;
    /** Chooses between the routes; by default one that begins with the page. */
    choice?: RouteChoice;
    /** See {@link REST_MS}. */
    restMs?: number;
  }
}

function cancelled(): BridgeError {
  return new BridgeError('cancelled', 'A newer request took the place of this one.');
}
