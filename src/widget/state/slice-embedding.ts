/** SAM for one labeller: requests the decoder and the embedding of a slice, and follows the encoder's progress. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, Contrast, DecoderManifest, ErrorCode, EventParams, Rect, SamDevice } from '../../shared';
import { ISize } from '../base/geometry';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { IDecoderRoutes, ISuggestionDecoder } from './suggestion-decoder';
import { IPointDecoder } from './suggestions';
import { WindowEmbeddings } from './window-embeddings';

/** The state of a slice's embedding. */
export type EmbeddingState =
  | { state: 'waiting' }
  | { state: 'computing'; fraction: number | null }
  | { state: 'ready'; device: SamDevice; seconds: number }
  | { state: 'failed'; message: string; code: ErrorCode };

/** Slices that are embedded ahead, at most. */
const AHEAD = 2;

/** The stage of a job that counts slices. */
const SLICES = 'slices';

/** Decoders that this page has fetched, by digest: all labellers share one copy. */
const decoders = new Map<string, Uint8Array>();

/** A request for slices that are not shown yet. */
interface IAhead {
  slices: readonly number[];
  stop: AbortController;
  /** That of its job. */
  id?: string;
}

/** What SAM sees of a slice. */
export interface ISees {
  /** The rows and columns that are worked on: SAM sees them alone. Absent: all. */
  region?: Rect | null | undefined;
  /** The model that suggests, as the session names it; absent for the one that is built in. */
  model?: string | undefined;
  /** Absent: the image's usual range. */
  contrast?: Contrast | undefined;
}

export class SliceEmbedding implements IDisposable {
  constructor(options: SliceEmbedding.IOptions) {
    this._options = options;
    options.link.on('job').connect(this._onJob, this);
    this._windows = new WindowEmbeddings({
      link: options.link,
      changed: () => this._progressed.emit(),
      improved: () => this._improved.emit(),
      restMs: options.restMs,
      retryMs: options.retryMs
    });
  }

  /** Emits when the state changes. */
  get changed(): ISignal<this, EmbeddingState> {
    return this._changed;
  }

  /** Emits when {@link closer} or {@link looking} may have changed. */
  get progressed(): ISignal<this, void> {
    return this._progressed;
  }

  /** Emits when a better embedding of the place of the last prompts is there. */
  get improved(): ISignal<this, void> {
    return this._improved;
  }

  get state(): EmbeddingState {
    return this._state;
  }

  /** Files of the model that were passed over: what is wrong with each, and what would do. Null: none that is known of. */
  get problem(): string | null {
    return this._problem;
  }

  /** Share of a large image's windows that the encoder has finished for the classifier, 0 to 1; null if it works on none. */
  get closer(): number | null {
    return this._closer && this._closer.done / this._closer.total;
  }

  /** Decodes prompts on the slice; null until it is ready. */
  get decoder(): IPointDecoder | null {
    return this._state.state === 'ready' ? this._windows.decoder : null;
  }

  /** How suggestions are decoded; null before there is a decoder. */
  get routes(): IDecoderRoutes | null {
    return this._decoder?.routes ?? null;
  }

  /** Whether {@link closer} counts slices that are embedded ahead instead. */
  get embedsSlices(): boolean {
    return this._closer?.stage === SLICES;
  }

  /** Whether suggestions at the pointer wait for an embedding of the region there. */
  get looking(): boolean {
    return this._state.state === 'ready' && this._windows.looking;
  }

  /** The user sees these rows and columns of the slice; null: nothing. SAM looks at them closer, if they are a small part of it. */
  show(view: Rect | null): void {
    this._windows.show(view);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /**
   * Prepare a slice, instead of the one requested before. Sends no request if the decoder still has the slice's embedding, and none
   * if another slice is prepared within `rest` milliseconds.
   *
   * @param sees what SAM sees of a slice
   */
  async prepare(slice: number, rest = 0, sees: ISees = {}): Promise<void> {
    const signal = this._leave();
    const seen = JSON.stringify(sees);
    if (seen !== this._seen || ![...this._ahead].some(({ slices }) => slices.includes(slice))) {
      this._stopAhead(); // the user went elsewhere
    }
    if (seen !== this._seen) {
      this._seen = seen;
      this._known.clear();
    }
    this._use(sees.model ?? '');
    if (this._recall(slice, sees)) {
      this._embedAhead(slice);
      return;
    }
    const { link } = this._options;
    const { session } = link;
    const key = this._keyOf(slice, sees);
    this._windows.end();
    this._set({ state: 'computing', fraction: null });
    if (rest > 0 && !(await rested(rest, signal))) {
      return;
    }
    try {
      const loading = this._getDecoder();
      loading.catch(() => undefined); // awaited below; the embedding may fail first
      const { result, buffers } = await link.request('sam.embedding', { session, slice }, { signal });
      const bytes = buffers[0];
      if (!bytes) {
        throw new BridgeError('malformed', 'The embedding came without its buffer.');
      }
      const decoder = await loading;
      if (signal.aborted || this._disposed) {
        return;
      }
      const { device, seconds, within } = result;
      const size = { rows: within.row1 - within.row0, columns: within.column1 - within.column0 };
      decoder.setEmbedding(key, bytes, size, { slice, embedding: result.embedding });
      this._problem = result.problem ?? this._problem;
      this._computed.set(key, { device, seconds, within });
      this._begin(slice, key, within);
      this._set({ state: 'ready', device, seconds });
      this._known.add(slice);
      this._embedAhead(slice);
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (!signal.aborted && !this._disposed) {
        // When the connection is back, the slice is prepared again.
        const { code, message } = error;
        this._set(code === 'disconnected' ? { state: 'waiting' } : { state: 'failed', message, code });
      }
    }
  }

  /**
   * There is no connection: use the slice's embedding if the decoder has it, else wait for {@link prepare}. What is on its way for another slice no
   * longer counts.
   */
  hold(slice: number, sees: ISees = {}): void {
    this._leave();
    this._use(sees.model ?? '');
    if (!this._recall(slice, sees)) {
      this._windows.end();
      this._set({ state: 'waiting' });
    }
  }

  /** Attached again: forget the encoder's progress. The sidecar reports work that still runs. */
  attached(): void {
    this._closer = null;
    this._windows.retry();
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this._running?.abort();
    this._stopAhead();
    this._closing.abort();
    this._windows.dispose();
    this._decoder?.dispose();
    this._decoder = null;
    Signal.clearData(this);
  }

  /** Stop what is on its way for the slice before. Returns the signal of the next one. */
  private _leave(): AbortSignal {
    this._running?.abort();
    this._running = new AbortController();
    return this._running.signal;
  }

  private _keyOf(slice: number, { region, contrast }: ISees): string {
    const { session } = this._options.link;
    const place = region ? `/${region.row0},${region.row1},${region.column0},${region.column1}` : '';
    return `${session}/${slice}${place}${contrast ? `/${JSON.stringify(contrast)}` : ''}`;
  }

  /** Use a slice's embedding if the decoder has it. */
  private _recall(slice: number, sees: ISees): boolean {
    const key = this._keyOf(slice, sees);
    const computed = this._computed.get(key);
    if (!computed || !this._decoder?.useEmbedding(key)) {
      return false;
    }
    const { within, ...made } = computed;
    this._begin(slice, key, within);
    this._set({ state: 'ready', ...made });
    return true;
  }

  /** Let the sidecar embed the slices that probably come next, the nearest first. It keeps them until they are asked for. */
  private _embedAhead(slice: number): void {
    const { link, upcoming } = this._options;
    const asked = new Set([...this._ahead].flatMap(({ slices }) => slices));
    const slices = (upcoming?.(slice) ?? []).slice(0, AHEAD).filter(each => !this._known.has(each) && !asked.has(each));
    if (slices.length === 0) {
      return;
    }
    const ahead: IAhead = { slices, stop: new AbortController() };
    this._ahead.add(ahead);
    const { signal } = ahead.stop;
    link
      .request('sam.embed-slices', { session: link.session, slices }, { signal, onId: id => (ahead.id = id) })
      .then(() => slices.forEach(each => this._known.add(each)))
      .catch(() => undefined) // the slice tells when it is shown
      .finally(() => this._ahead.delete(ahead));
  }

  private _stopAhead(): void {
    this._ahead.forEach(({ stop }) => stop.abort());
    this._ahead.clear();
  }

  /** Request windows of a slice whose embedding is in the decoder. */
  private _begin(slice: number, key: string, within: Rect): void {
    this._windows.begin({ slice, key, within, decoder: this._decoder!, manifest: this._manifest! });
  }

  /** Follow the progress of the encoder. */
  private _onJob(_: ISessionLink, { params: job }: ISessionEvent<'job'>): void {
    if (job.kind !== 'embed' || [...this._ahead].some(({ id }) => id === job.job)) {
      return;
    }
    const { done, total } = job;
    if (job.state !== 'running') {
      this._closer = this._closer?.job === job.job ? null : this._closer;
    } else if (job.stage === SLICES) {
      this._closer = job;
    } else if (this._state.state === 'computing') {
      this._set({ state: 'computing', fraction: total > 0 ? done / total : null });
    } else if (total > 1 && job.stage === 'encoding') {
      // Windows of maps for the classifier; the stages of a run for prompts have another name.
      this._closer = job;
    }
    this._progressed.emit();
  }

  /** The decoder, loaded once for all slices; again after a failure. */
  private _getDecoder(): Promise<ISuggestionDecoder> {
    const model = this._model;
    this._loading ??= this._loadDecoder(model).catch(error => {
      if (model === this._model) {
        this._loading = null;
      }
      throw error;
    });
    return this._loading;
  }

  /** Forget the decoder of another model, and the embeddings in it. */
  private _use(model: string): void {
    if (model !== this._model) {
      this._model = model;
      this._windows.end();
      this._computed.clear();
      this._decoder?.dispose();
      this._decoder = null;
      this._manifest = null;
      this._loading = null;
      this._problem = null;
    }
  }

  private async _loadDecoder(model: string): Promise<ISuggestionDecoder> {
    const known = [...decoders.keys()].pop();
    const { signal } = this._closing;
    const { link } = this._options;
    const { session } = link;
    const { result, buffers } = await link.request('sam.decoder', { session, ...(known && { known }) }, { signal });
    const graph = buffers[0] ?? decoders.get(result.digest);
    if (!graph) {
      throw new BridgeError('model', `The decoder ${result.digest} came without its graph.`);
    }
    decoders.set(result.digest, graph);
    const decoder = await this._options.createDecoder();
    try {
      await decoder.load(graph, result.manifest);
      if (this._disposed) {
        throw new BridgeError('cancelled', 'The labeller was closed.');
      }
      if (model !== this._model) {
        throw new BridgeError('cancelled', 'Another model was chosen.');
      }
    } catch (error) {
      decoder.dispose();
      throw error;
    }
    this._decoder = decoder;
    this._manifest = result.manifest;
    return decoder;
  }

  private _set(state: EmbeddingState): void {
    this._state = state;
    this._changed.emit(state);
  }

  private readonly _options: SliceEmbedding.IOptions;
  private readonly _changed = new Signal<this, EmbeddingState>(this);
  private readonly _progressed = new Signal<this, void>(this);
  private readonly _improved = new Signal<this, void>(this);
  private readonly _windows: WindowEmbeddings;
  private _state: EmbeddingState = { state: 'waiting' };
  private readonly _closing = new AbortController();
  private _loading: Promise<ISuggestionDecoder> | null = null;
  private _decoder: ISuggestionDecoder | null = null;
  private _manifest: DecoderManifest | null = null;
  private _model = '';
  private _problem: string | null = null;
  private _running: AbortController | null = null;
  /** Where the embedding of each slice was computed, and how long it took. */
  private readonly _computed = new Map<string, { device: SamDevice; seconds: number; within: Rect }>();
  private _closer: EventParams<'job'> | null = null;
  /** The requests for slices that probably come next. */
  private readonly _ahead = new Set<IAhead>();
  /** What SAM sees, of the embeddings. */
  private _seen = '';
  /** Slices whose embedding the sidecar has made. */
  private readonly _known = new Set<number>();
  private _disposed = false;
}

/** Wait. Resolves to false at once when the signal is aborted. */
function rested(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(true), milliseconds);
    const abort = () => {
      clearTimeout(timer);
      resolve(false);
    };
    signal.addEventListener('abort', abort, { once: true });
  });
}

/** The namespace for {@link SliceEmbedding}. */
export namespace SliceEmbedding {
  export interface IOptions {
    link: ISessionLink;
    image: ISize;
    /** Makes the decoder; called when it is first needed. */
    createDecoder(): Promise<ISuggestionDecoder>;
    /** The slices that the user probably shows after one, the next first; they are embedded ahead. */
    upcoming?(slice: number): readonly number[];
    /** Milliseconds for which the view rests until windows of it are requested. */
    restMs?: number;
    /** Milliseconds after which a window that failed is requested again. */
    retryMs?: number;
  }
}
