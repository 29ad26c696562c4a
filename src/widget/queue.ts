/**
 * Strokes on their way to the sidecar: strictly in order, one at a time, kept until they are acknowledged.
 *
 * What fails for a reason that can pass (no room on the disk, no sidecar) stays first in line and is tried again; what
 * the sidecar refuses for good leaves the queue, and whoever listens has to fetch what the sidecar has.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, ErrorCode } from '../kernel-bridge';
import { IPatch } from './patches';

/** Causes that pass: the stroke is kept. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'disk-full',
  'disconnected',
  'not-ready',
  'unknown-session',
  'unauthorized',
  'cancelled'
]);

/** Pause before a stroke that could not be taken is sent again. */
const RETRY_MS = 3000;

/** What the sidecar says to a patch. */
export interface IPatchReply {
  version: number;
  changed: number;
}

/** The queue of unsent patches. */
export class PatchQueue implements IDisposable {
  constructor(options: PatchQueue.IOptions) {
    this._send = options.send;
    this._retryMs = options.retryMs ?? RETRY_MS;
  }

  /** Patches that are not acknowledged yet, in order. */
  get waiting(): readonly IPatch[] {
    return this._patches;
  }

  /** Why the first patch could not be taken, if it was tried and is tried again. */
  get held(): BridgeError | null {
    return this._held;
  }

  /** Emits when the number of patches or the reason for waiting changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits each patch when it was handed over to be sent. */
  get sent(): ISignal<this, IPatch> {
    return this._sent;
  }

  /** Emits each acknowledged patch. */
  get acknowledged(): ISignal<this, { patch: IPatch; reply: IPatchReply; milliseconds: number }> {
    return this._acknowledged;
  }

  /** Emits each patch that was refused for good. */
  get refused(): ISignal<this, { patch: IPatch; error: BridgeError }> {
    return this._refused;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  push(patch: IPatch): void {
    this._patches.push(patch);
    this._changed.emit();
    void this._run();
  }

  /** While paused nothing is sent; strokes gather. */
  set paused(paused: boolean) {
    this._paused = paused;
    if (!paused) {
      this.retry();
    }
  }

  get paused(): boolean {
    return this._paused;
  }

  /** Try again now what could not be taken. */
  retry(): void {
    clearTimeout(this._timer);
    this._timer = undefined;
    void this._run();
  }

  /** Resolves once every patch that is here now is acknowledged or refused. */
  async drained(signal?: AbortSignal): Promise<void> {
    while (this._patches.length > 0 && !this._disposed) {
      if (signal?.aborted) {
        throw new BridgeError('cancelled', 'The work was cancelled.');
      }
      await new Promise<void>(resolve => {
        const done = () => {
          this._changed.disconnect(done, this);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        this._changed.connect(done, this);
        signal?.addEventListener('abort', done, { once: true });
      });
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    clearTimeout(this._timer);
    this._changed.emit(); // lets those who wait for the queue go
    Signal.clearData(this);
  }

  private async _run(): Promise<void> {
    if (this._running || this._paused || this._timer !== undefined) {
      return;
    }
    this._running = true;
    try {
      for (;;) {
        const patch = this._patches[0];
        if (!patch || this._disposed || this._paused) {
          return;
        }
        const start = performance.now();
        let outcome: { reply: IPatchReply } | { error: BridgeError };
        try {
          const reply = this._send(patch);
          this._sent.emit(patch);
          outcome = { reply: await reply };
        } catch (reason) {
          outcome = { error: BridgeError.from(reason) };
        }
        if (this._disposed) {
          return;
        }
        if ('error' in outcome && PASSING.has(outcome.error.code)) {
          this._held = outcome.error;
          this._timer = setTimeout(() => this.retry(), this._retryMs);
          this._changed.emit();
          return;
        }
        this._held = null;
        this._patches.shift();
        if ('error' in outcome) {
          this._refused.emit({ patch, error: outcome.error });
        } else {
          this._acknowledged.emit({ patch, reply: outcome.reply, milliseconds: performance.now() - start });
        }
        this._changed.emit();
      }
    } finally {
      this._running = false;
    }
  }

  private readonly _send: (patch: IPatch) => Promise<IPatchReply>;
  private readonly _retryMs: number;
  private readonly _patches: IPatch[] = [];
  private readonly _changed = new Signal<this, void>(this);
  private readonly _sent = new Signal<this, IPatch>(this);
  private readonly _acknowledged = new Signal<this, { patch: IPatch; reply: IPatchReply; milliseconds: number }>(this);
  private readonly _refused = new Signal<this, { patch: IPatch; error: BridgeError }>(this);
  private _held: BridgeError | null = null;
  private _running = false;
  private _paused = false;
  private _disposed = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

/** The namespace for {@link PatchQueue}. */
export namespace PatchQueue {
  export interface IOptions {
    send(patch: IPatch): Promise<IPatchReply>;
    /** Milliseconds until a patch that could not be taken is sent again. */
    retryMs?: number;
  }
}
