/**
 * The queue of patches, and of steps to undo or to make again, for the sidecar. It sends patches in order, several at a time, keeps each
 * until it is acknowledged, and reports the outcomes in order. A step that is undone waits for the answers to all before it, and what
 * follows waits for its answer.
 *
 * After a passing failure (disk full, no sidecar) a patch stays first in line and is sent again. After any other error it leaves
 * the queue as refused, and the labels have to be fetched again. The same holds when the sidecar took a later patch before one
 * that was sent again, which the versions of the acknowledgements show.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, ErrorCode } from '../../shared';
import { IMaskedPatch } from './patches';

/** Errors that pass: the patch is kept and sent again. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'disk-full',
  'disconnected',
  'not-ready',
  'unknown-session',
  'unauthorized',
  'cancelled'
]);

/** Patches sent and not answered, at most. Several, because an answer takes longer than a quick stroke while the sidecar trains. */
const UNDER_WAY_MAX = 16;

/** Pause before a patch is sent again after a passing error, in milliseconds. */
const RETRY_MS = 3000;

/** The sidecar's answer to a patch. */
export interface IPatchReply {
  version: number;
  changed: number;
}

/** A patch that the sidecar has taken, and the time from sending it to the answer. */
export interface IAcknowledgement {
  patch: IMaskedPatch;
  reply: IPatchReply;
  milliseconds: number;
}

/** A step to undo, or to make again. */
export type Move = 'undo' | 'redo';

interface IEntry {
  work: IMaskedPatch | Move;
  sent: boolean;
  outcome: { reply: IPatchReply; milliseconds: number } | { error: BridgeError } | null;
}

/** The queue of unacknowledged patches. */
export class PatchQueue implements IDisposable {
  constructor(options: PatchQueue.IOptions) {
    this._send = options.send;
    this._retryMs = options.retryMs ?? RETRY_MS;
  }

  /** The unacknowledged patches, in order. */
  get waiting(): readonly IMaskedPatch[] {
    return this._entries.flatMap(({ work }) => (typeof work === 'string' ? [] : [work]));
  }

  /** The passing error that holds the queue up; null if there is none. */
  get held(): BridgeError | null {
    return this._held;
  }

  /** Emits when the number of patches or {@link held} changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits each patch after it was handed to the connection. */
  get sent(): ISignal<this, IMaskedPatch> {
    return this._sent;
  }

  /** Emits each acknowledged patch. */
  get acknowledged(): ISignal<this, IAcknowledgement> {
    return this._acknowledged;
  }

  /** Emits each patch or move that the sidecar refused. */
  get refused(): ISignal<this, { work: IMaskedPatch | Move; error: BridgeError }> {
    return this._refused;
  }

  /** Emits when the sidecar took patches in another order than they were made here. */
  get disordered(): ISignal<this, void> {
    return this._disordered;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  push(work: IMaskedPatch | Move): void {
    this._entries.push({ work, sent: false, outcome: null });
    this._changed.emit();
    this._run();
  }

  /** While paused, the queue keeps patches and sends none. */
  set paused(paused: boolean) {
    this._paused = paused;
    if (!paused) {
      this.retry();
    }
  }

  get paused(): boolean {
    return this._paused;
  }

  /** Send the held patches again now. */
  retry(): void {
    clearTimeout(this._timer);
    this._timer = undefined;
    for (const entry of this._entries) {
      if (entry.outcome && 'error' in entry.outcome && PASSING.has(entry.outcome.error.code)) {
        entry.sent = false;
        entry.outcome = null;
      }
    }
    this._run();
  }

  /**
   * Resolves once the queue is empty or disposed.
   *
   * @throws BridgeError `cancelled` after an abort.
   */
  async drained(signal?: AbortSignal): Promise<void> {
    while (this._entries.length > 0 && !this._disposed) {
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
    this._changed.emit(); // resolves `drained`
    Signal.clearData(this);
  }

  private _run(): void {
    for (const [i, entry] of this._entries.entries()) {
      if (typeof entry.work === 'string' && i > 0) {
        return;
      }
      if (this._disposed || this._paused || this._timer !== undefined || this._underWay >= UNDER_WAY_MAX) {
        return;
      }
      if (!entry.sent) {
        void this._try(entry);
      }
      if (typeof entry.work === 'string') {
        return;
      }
    }
  }

  private async _try(entry: IEntry): Promise<void> {
    entry.sent = true;
    this._underWay++;
    const start = performance.now();
    try {
      const { work } = entry;
      const reply = this._send(work);
      if (typeof work !== 'string') {
        this._sent.emit(work);
      }
      entry.outcome = { reply: await reply, milliseconds: performance.now() - start };
    } catch (reason) {
      entry.outcome = { error: BridgeError.from(reason) };
    }
    this._underWay--;
    if (!this._disposed) {
      this._settle();
      this._run();
    }
  }

  /** Report and remove the patches at the head of the queue whose outcome is known. */
  private _settle(): void {
    for (let head = this._entries[0]; head?.outcome; head = this._entries[0]) {
      const { work, outcome } = head;
      if ('error' in outcome && PASSING.has(outcome.error.code)) {
        this._hold(outcome.error);
        return;
      }
      this._held = null;
      this._entries.shift();
      if ('error' in outcome) {
        this._refused.emit({ work, error: outcome.error });
      } else {
        const { reply, milliseconds } = outcome;
        if (typeof work !== 'string') {
          this._acknowledged.emit({ patch: work, reply, milliseconds });
        }
        if (reply.version < this._version) {
          this._disordered.emit();
        }
        this._version = reply.version;
      }
      this._changed.emit();
    }
  }

  private _hold(why: BridgeError): void {
    this._held = why;
    this._timer ??= setTimeout(() => this.retry(), this._retryMs);
    this._changed.emit();
  }

  private readonly _send: (work: IMaskedPatch | Move) => Promise<IPatchReply>;
  private readonly _retryMs: number;
  private readonly _entries: IEntry[] = [];
  private readonly _changed = new Signal<this, void>(this);
  private readonly _sent = new Signal<this, IMaskedPatch>(this);
  private readonly _acknowledged = new Signal<this, IAcknowledgement>(this);
  private readonly _disordered = new Signal<this, void>(this);
  private readonly _refused = new Signal<this, { work: IMaskedPatch | Move; error: BridgeError }>(this);
  private _held: BridgeError | null = null;
  private _underWay = 0;
  /** The version of the last acknowledgement. */
  private _version = 0;
  private _paused = false;
  private _disposed = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

/** The namespace for {@link PatchQueue}. */
export namespace PatchQueue {
  export interface IOptions {
    /** Send a patch, or undo a step or make it again. */
    send(work: IMaskedPatch | Move): Promise<IPatchReply>;
    /** Milliseconds before a patch is sent again after a passing error. */
    retryMs?: number;
  }
}
