/** Growing the forest and segmenting: one request, its progress, its end. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeClient, BridgeError, EventParams, SessionState } from '../kernel-bridge';
import { PatchQueue } from './queue';

/** How the training is. `own` is false where Python or another view began it. */
export type TrainingState =
  | { state: 'idle' }
  | { state: 'running'; stage: string; fraction: number | null; message: string; own: boolean }
  | { state: 'failed'; message: string };

/** The training of one session. */
export class Training implements IDisposable {
  /** Emits when the state changes. */
  get changed(): ISignal<this, TrainingState> {
    return this._changed;
  }

  get state(): TrainingState {
    return this._state;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /**
   * Send what was drawn, then train.
   *
   * @returns the session afterwards; null if it was cancelled or failed, which the state then says.
   */
  async start(client: BridgeClient, session: string, queue: PatchQueue): Promise<SessionState | null> {
    if (this._running) {
      return null;
    }
    const running = new AbortController();
    this._running = running;
    this._set({ state: 'running', stage: 'labels', fraction: null, message: '', own: true });
    try {
      await queue.drained(running.signal);
      const { result } = await client.request('train', { session }, { signal: running.signal });
      this._running = null;
      this._set({ state: 'idle' });
      return result;
    } catch (reason) {
      const error = BridgeError.from(reason);
      this._running = null;
      this._set(error.code === 'cancelled' ? { state: 'idle' } : { state: 'failed', message: error.message });
      return null;
    }
  }

  cancel(): void {
    this._running?.abort();
  }

  /** The sidecar tells how far a training is, whoever began it. */
  progress(job: EventParams<'job'>): void {
    if (job.state === 'running') {
      const fraction = job.total > 0 ? Math.min(job.done / job.total, 1) : null;
      const { stage, message } = job;
      this._set({ state: 'running', stage, fraction, message, own: this._running !== null });
    } else if (!this._running) {
      this._set(job.state === 'failed' ? { state: 'failed', message: job.message } : { state: 'idle' });
    }
  }

  /** The sidecar is another one: a training that somebody else began is over. */
  reset(): void {
    if (!this._running) {
      this._set({ state: 'idle' });
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    // The training goes on: its result belongs to the session, not to this view of it.
    Signal.clearData(this);
  }

  private _set(state: TrainingState): void {
    if (!this._disposed) {
      this._state = state;
      this._changed.emit(state);
    }
  }

  private readonly _changed = new Signal<this, TrainingState>(this);
  private _state: TrainingState = { state: 'idle' };
  private _running: AbortController | null = null;
  private _disposed = false;
}
