/**
 * The connection of a labeller to its session: opens the transport, attaches, and attaches again whenever the sidecar or the
 * browser's socket was gone.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeClient, IReply, IRequestOptions, ITransport } from '../../kernel-bridge';
import { BridgeError, BridgeEvent, EventName, Method, Params, SessionState } from '../../shared';
import { ISessionEvent, ISessionLink } from '../base/session-link';

/** What happened to the kernel. */
export type Closed = 'restarted' | 'stopped';

/**
 * The state of the connection: `lost` and `offline`, while the kernel cannot be reached, recover by themselves; after `failed` the user has to act;
 * after `stopped` the user's next action starts the sidecar again; after `closed` the kernel is gone, and only running the cell again helps.
 */
export type ConnectionState =
  | { state: 'connecting' }
  | { state: 'connected' }
  | { state: 'lost'; message: string }
  | { state: 'offline' }
  | { state: 'failed'; message: string }
  | { state: 'stopped' }
  | { state: 'closed'; why: Closed };

/** What the page asks for by itself, to show it. All other requests are the user's actions and start a stopped sidecar again. */
const SHOWN: ReadonlySet<Method> = new Set<Method>([
  'image.tile',
  'image.histogram',
  'image.pixel',
  'overlay.tiles',
  'feature.tiles',
  'uncertainty.tiles',
  'probability.tiles',
  'session.view',
  'session.backups',
  'session.list',
  'session.related',
  'history.list',
  'labels.slices',
  'classifier.formats',
  'kernel.files',
  'class-sets.list',
  'sam.models',
  'sam.contrast',
  'sam.decoder',
  'sam.embedding',
  'sam.decode'
]);

/** The time in which an answer comes if the kernel can be reached, in milliseconds. */
const ANSWER_MS = 3000;

/** Pause after an error before attaching is tried again, in milliseconds. */
const RETRY_MS = 3000;

/** The connection of one labeller. */
export class Connection implements IDisposable, ISessionLink {
  constructor(options: Connection.IOptions) {
    this.session = options.session;
    this._connect = options.connect;
    this._retryMs = options.retryMs ?? RETRY_MS;
    this._answerMs = options.answerMs ?? ANSWER_MS;
  }

  readonly session: string;

  /** Emits when the state changes. */
  get changed(): ISignal<this, ConnectionState> {
    return this._changed;
  }

  /** Emits the session after each attach. */
  get attached(): ISignal<this, SessionState> {
    return this._attached;
  }

  on<E extends EventName>(event: E): ISignal<this, ISessionEvent<E>> {
    let signal = this._events.get(event);
    if (!signal) {
      signal = new Signal(this);
      this._events.set(event, signal);
    }
    return signal as unknown as ISignal<this, ISessionEvent<E>>;
  }

  // `async`, so that a missing client rejects the promise and does not throw.
  async request<M extends Method>(method: M, params: Params<M>, options?: IRequestOptions): Promise<IReply<M>> {
    if (!SHOWN.has(method)) {
      this.start();
    }
    return this.client.request(method, params, options);
  }

  get state(): ConnectionState {
    return this._state;
  }

  /** The client; throws BridgeError `disconnected` while there is none. */
  get client(): BridgeClient {
    if (!this._client) {
      throw new BridgeError('disconnected', 'There is no connection to the kernel yet.');
    }
    return this._client;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Open the transport and attach. Errors become states. */
  async open(): Promise<void> {
    if (this._disposed || this.state.state === 'closed') {
      return;
    }
    try {
      const transport = await this._connect();
      if (this._disposed || this._state.state === 'closed') {
        transport.dispose();
        return;
      }
      transport.closed.connect(() => this.close(), this);
      this._client = new BridgeClient({ transport });
      this._client.event.connect(this._onEvent, this);
      this._client.misunderstood.connect((_, error) => console.warn('sambalab:', error.message), this);
    } catch (error) {
      this._set({ state: 'failed', message: BridgeError.from(error).message });
      return;
    }
    await this.attach();
  }

  /** Attach to the session, for the first time or again, and repeat unanswered requests. */
  async attach(): Promise<void> {
    const client = this._client;
    if (!client || this._disposed) {
      return;
    }
    clearTimeout(this._timer);
    this._attaching?.abort(); // it may have been sent to a sidecar that is gone
    const attaching = new AbortController();
    this._attaching = attaching;
    try {
      const { result } = await client.request(
        'session.attach',
        { session: this.session },
        { signal: attaching.signal }
      );
      if (this._disposed || client !== this._client) {
        return;
      }
      this._set({ state: 'connected' });
      this._attached.emit(result);
      client.resend();
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (this._disposed || error.code === 'cancelled' || this._state.state === 'closed') {
        return;
      }
      this._set({ state: 'failed', message: error.message });
      if (error.code !== 'protocol-version' && error.code !== 'malformed') {
        this._timer = setTimeout(() => void this.attach(), this._retryMs);
      }
    }
  }

  /** The socket to the kernel is closed. It is opened again by itself; then attach. */
  away(): void {
    if (this._state.state === 'connected' || this._state.state === 'lost') {
      this._set({ state: 'offline' });
    }
  }

  /** See whether the kernel answers: a socket may stay open though nothing passes. Attaches again once it answers. */
  async check(): Promise<void> {
    const client = this._client;
    if (!client || this._state.state !== 'connected') {
      return;
    }
    const late = setTimeout(() => this.away(), this._answerMs);
    await client.request('ping', {}).catch(() => undefined);
    clearTimeout(late);
    if (this.state.state === 'offline' && client === this._client) {
      await this.attach();
    }
  }

  /** The network is back: repeat what is not answered, at once. */
  resend(): void {
    this._client?.resend();
  }

  /** Start the sidecar again if the user has stopped it. */
  start(): void {
    if (this._state.state === 'stopped') {
      this._client?.resume();
      this._set({ state: 'lost', message: '' });
      void this.attach();
    }
  }

  /** Close for good: the kernel is gone. */
  close(why?: Closed): void {
    // The comm may close before the kernel's status says why.
    if (!this._disposed && (why || this._state.state !== 'closed')) {
      clearTimeout(this._timer);
      this._set({ state: 'closed', why: why ?? 'restarted' });
      this._client?.dispose();
      this._client = null;
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    clearTimeout(this._timer);
    this._client?.dispose();
    this._client = null;
    Signal.clearData(this);
  }

  private _onEvent(_: BridgeClient, { event, buffers }: { event: BridgeEvent; buffers: Uint8Array[] }): void {
    if (event.event !== 'relay') {
      const { session } = event.event === 'patch' ? event.params.patch : event.params;
      if (session === this.session) {
        this._events.get(event.event)?.emit({ params: event.params, buffers });
      }
      return;
    }
    const { state, message } = event.params;
    if (state === 'connected') {
      // The relay also sends this while an attach is under way.
      if (this._state.state !== 'connecting') {
        void this.attach();
      }
    } else if (state === 'stopped') {
      clearTimeout(this._timer);
      this._client?.pause(); // first: a message would start the sidecar
      this._attaching?.abort();
      this._set({ state });
    } else {
      this._set({ state, message });
    }
  }

  private _set(state: ConnectionState): void {
    this._state = state;
    this._changed.emit(state);
  }

  private readonly _connect: () => Promise<ITransport>;
  private readonly _retryMs: number;
  private readonly _answerMs: number;
  private readonly _changed = new Signal<this, ConnectionState>(this);
  private readonly _attached = new Signal<this, SessionState>(this);
  private readonly _events = new Map<EventName, Signal<this, ISessionEvent<EventName>>>();
  private _state: ConnectionState = { state: 'connecting' };
  private _client: BridgeClient | null = null;
  private _attaching: AbortController | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

/** The namespace for {@link Connection}. */
export namespace Connection {
  export interface IOptions {
    session: string;
    /** Opens a transport to the kernel's relay. */
    connect(): Promise<ITransport>;
    retryMs?: number;
    /** The time in which {@link Connection.check} expects an answer, in milliseconds. */
    answerMs?: number;
  }
}
