/**
 * The browser's end of the protocol: requests with ids, retries, cancel, and the sidecar's events as a signal.
 *
 * @example
 * ```ts
 * const client = new BridgeClient({ transport });
 * const state = await client.request('session.attach', { session });
 * await client.request('labels.patch', patch, { buffers, signal });
 * ```
 */
import { ISignal, Signal } from '@lumino/signaling';
import { IDisposable } from '@lumino/disposable';
import { BridgeError } from '../shared/errors';
import { encodeMessage, Frames, MessageAssembler } from '../shared/frames';
import { SIDECARS_MAX } from '../shared/limits';
import { BridgeEvent, Method, Params, parseIncoming, parseResult, Result } from '../shared/protocol';

/** A way to send and receive frames that may lose some of them. */
export interface ITransport extends IDisposable {
  /** Send one list of frames. */
  send(frames: Frames): void;
  /** Emits every list of frames that arrives. */
  readonly received: ISignal<ITransport, Frames>;
  /** Emits when the other end is gone for good. */
  readonly closed: ISignal<ITransport, void>;
}

/** A reply: its checked result and its buffers. */
export interface IReply<M extends Method> {
  result: Result<M>;
  buffers: Uint8Array[];
}

export interface IRequestOptions {
  buffers?: Uint8Array[];
  /** Aborting sends `cancel` and rejects with `cancelled`. */
  signal?: AbortSignal | undefined;
  /** Hears the request's id before it is sent: `job` events name it. */
  onId?(id: string): void;
}

interface IPending {
  method: Method;
  parts: Frames[];
  resolve(reply: { result: unknown; buffers: Uint8Array[] }): void;
  reject(error: BridgeError): void;
  /** The time of the next retry, as `performance.now()` counts. */
  due: number;
  /** Milliseconds between that retry and the one after it. */
  wait: number;
  /** Milliseconds until the first retry. */
  first: number;
  /** Sidecars that went away since the request was made. */
  lost: number;
}

/** First pause before a request without a reply is sent again; it doubles up to {@link RETRY_MAX_MS}. */
const RETRY_MS = 4000;
const RETRY_MAX_MS = 30000;
/** Extra time for large messages: one second a megabyte, so that a slow line does not carry the same message twice. */
const BYTES_PER_MS = 1000;

/** Sends requests until they are answered. */
export class BridgeClient implements IDisposable {
  constructor(options: BridgeClient.IOptions) {
    this._transport = options.transport;
    this._retryMs = options.retryMs ?? RETRY_MS;
    this._transport.received.connect(this._onFrames, this);
    this._transport.closed.connect(this._onClosed, this);
    this._timer = setInterval(() => this._retry(), Math.min(500, this._retryMs));
  }

  /** Emits each event of the sidecar or the relay, with its buffers. */
  get event(): ISignal<this, { event: BridgeEvent; buffers: Uint8Array[] }> {
    return this._event;
  }

  /** Emits an error for each message that could not be decoded; the console shows it. */
  get misunderstood(): ISignal<this, BridgeError> {
    return this._misunderstood;
  }

  /** The number of requests without a reply. */
  get pending(): number {
    return this._pending.size;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /**
   * Send a request and wait for its reply. Without a reply the request is sent again; the sidecar runs each id only once.
   *
   * @throws BridgeError with the sidecar's error; `cancelled` after an abort; `disconnected` when the transport closes, or when
   * {@link SIDECARS_MAX} sidecars went away before they answered.
   */
  async request<M extends Method>(method: M, params: Params<M>, options: IRequestOptions = {}): Promise<IReply<M>> {
    const { signal } = options;
    if (this._disposed) {
      throw new BridgeError('disconnected', 'The connection to the kernel is closed. Run the cell again.');
    }
    if (signal?.aborted) {
      throw new BridgeError('cancelled', `${method} was cancelled.`);
    }
    const id = `${this._name}-${this._requests++}`;
    options.onId?.(id);
    const parts = encodeMessage({ id, method, params }, options.buffers);
    const answered = new Promise<{ result: unknown; buffers: Uint8Array[] }>((resolve, reject) => {
      const bytes = (options.buffers ?? []).reduce((sum, buffer) => sum + buffer.byteLength, 0);
      const first = this._retryMs + bytes / BYTES_PER_MS;
      const due = performance.now() + first;
      this._pending.set(id, { method, parts, resolve, reject, due, wait: first, first, lost: 0 });
    });
    const abort = () => {
      const pending = this._pending.get(id);
      if (pending) {
        this._pending.delete(id);
        // The reply to `cancel` is ignored: the request is over for the caller either way.
        this._send(encodeMessage({ id: `${id}-cancel`, method: 'cancel', params: { id } }));
        pending.reject(new BridgeError('cancelled', `${method} was cancelled.`));
      }
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      this._send(parts);
      const { result, buffers } = await answered;
      return { result: understood(method, result), buffers };
    } finally {
      this._pending.delete(id);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Send nothing until {@link resume}; requests wait. */
  pause(): void {
    this._paused = true;
  }

  resume(): void {
    this._paused = false;
  }

  /** Send all unanswered requests again now, for example because the sidecar is back. */
  resend(): void {
    for (const pending of this._pending.values()) {
      pending.due = performance.now() + pending.first;
      pending.wait = pending.first;
      this._send(pending.parts);
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    clearInterval(this._timer);
    this._fail('The connection to the kernel is closed. Run the cell again.');
    this._transport.dispose();
    Signal.clearData(this);
  }

  private _send(parts: Frames[]): void {
    if (this._paused) {
      return;
    }
    for (const frames of parts) {
      this._transport.send(frames);
    }
  }

  private _retry(): void {
    const now = performance.now();
    for (const pending of this._pending.values()) {
      if (pending.due <= now) {
        pending.wait = Math.max(pending.first, Math.min(pending.wait * 2, RETRY_MAX_MS));
        pending.due = now + pending.wait;
        this._send(pending.parts);
      }
    }
  }

  private _onFrames(_: ITransport, frames: Frames): void {
    try {
      const message = this._assembler.accept(frames);
      const incoming = message && parseIncoming(message.header);
      if (!message || !incoming) {
        return;
      }
      if ('event' in incoming) {
        if (incoming.event === 'relay' && incoming.params.state === 'lost') {
          this._giveUpDeadly();
        }
        this._event.emit({ event: incoming, buffers: message.buffers });
        return;
      }
      const pending = this._pending.get(incoming.re);
      if (!pending) {
        return; // the answer to a request that was sent twice, or to a cancel
      }
      this._pending.delete(incoming.re);
      if ('error' in incoming) {
        const { code, message } = incoming.error;
        pending.reject(code === 'unknown-method' ? new BridgeError(code, otherVersions(message)) : incoming.error);
      } else {
        pending.resolve({ result: incoming.result, buffers: message.buffers });
      }
    } catch (error) {
      this._misunderstood.emit(BridgeError.from(error));
    }
  }

  /** A sidecar went away. Fail the requests that saw as many go as they may, so that one that kills each sidecar is not sent for ever. */
  private _giveUpDeadly(): void {
    for (const [id, pending] of [...this._pending]) {
      pending.lost++;
      if (pending.lost >= SIDECARS_MAX) {
        this._pending.delete(id);
        const reason = `SambaLab's sidecar went away ${SIDECARS_MAX} times during this request (${pending.method}).`;
        pending.reject(new BridgeError('disconnected', `${reason} The sidecar's log may say why.`));
      }
    }
  }

  private _onClosed(): void {
    this._fail('The connection to the kernel is closed. Run the cell again.');
    this.dispose();
  }

  private _fail(message: string): void {
    for (const pending of this._pending.values()) {
      pending.reject(new BridgeError('disconnected', message));
    }
    this._pending.clear();
  }

  private readonly _transport: ITransport;
  private readonly _retryMs: number;
  private readonly _timer: ReturnType<typeof setInterval>;
  private readonly _assembler = new MessageAssembler();
  private readonly _pending = new Map<string, IPending>();
  private readonly _event = new Signal<this, { event: BridgeEvent; buffers: Uint8Array[] }>(this);
  private readonly _misunderstood = new Signal<this, BridgeError>(this);
  private readonly _name = Math.random().toString(36).slice(2, 12);
  private _requests = 0;
  private _paused = false;
  private _disposed = false;
}

/** The result of a reply. Throws BridgeError `malformed` that says why a sidecar would answer like that, and what to do. */
function understood<M extends Method>(method: M, result: unknown): Result<M> {
  try {
    return parseResult(method, result);
  } catch (reason) {
    throw new BridgeError('malformed', otherVersions(BridgeError.from(reason).message));
  }
}

/** Says that page and sidecar do not fit. `why` is what the one did not understand of the other. */
function otherVersions(why: string): string {
  return (
    'This page and SambaLab’s sidecar are of different versions. Restart the kernel, reload the page, and run the cell again; ' +
    `if that does not help, restart Jupyter. (${why.replace(/\.$/, '')})`
  );
}

/** The namespace for {@link BridgeClient}. */
export namespace BridgeClient {
  export interface IOptions {
    transport: ITransport;
    /** Milliseconds until an unanswered request is first sent again. */
    retryMs?: number;
  }
}
