/**
 * Growing the forest and segmenting: the request of this labeller, and the trainings that Python and other views began.
 * The sidecar runs those of one session one after the other.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, EventParams, SessionState } from '../../shared';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { PatchQueue } from '../labels/patch-queue';

/** How the training is. `own` is false where Python or another view began it. */
export type TrainingState =
  | { state: 'idle' }
  | { state: 'running'; stage: string; fraction: number | null; message: string; own: boolean }
  | { state: 'failed'; message: string };

/** The training that this labeller asked for. */
interface IOwn {
  controller: AbortController;
  /** Null until everything that was drawn is sent. */
  job: string | null;
}

/** The trainings of one session. */
export class Training implements IDisposable {
  constructor(options: Training.IOptions) {
    this._link = options.link;
    this._link.on('job').connect(this._onJob, this);
    this._link.on('labels').connect(this.dismiss, this);
  }

  /** Emits when the state changes. */
  get changed(): ISignal<this, TrainingState> {
    return this._changed;
  }

  /** The training of this labeller if there is one, else that of somebody else. */
  get state(): TrainingState {
    return this._state;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /**
   * Send what was drawn, then train.
   *
   * @returns the session after it; null if it was cancelled or failed, which the state then says.
   */
  async start(queue: PatchQueue): Promise<SessionState | null> {
    if (this._own) {
      return null;
    }
    const own: IOwn = { controller: new AbortController(), job: null };
    const { signal } = own.controller;
    this._own = own;
    this._failure = null;
    this._update();
    try {
      await queue.drained(signal);
      const onId = (id: string) => (own.job = id);
      const { result } = await this._link.request('train', { session: this._link.session }, { signal, onId });
      this._end(own, null);
      return result;
    } catch (reason) {
      const error = BridgeError.from(reason);
      this._end(own, error.code === 'cancelled' ? null : error.message);
      return null;
    }
  }

  /** Cancel the training that is shown, whoever began it. */
  async cancel(): Promise<void> {
    if (this._own) {
      this._own.controller.abort();
      return;
    }
    const other = this._shown();
    if (other) {
      await this._link.request('cancel', { id: other.job });
    }
  }

  /** Something else happened since: that a training failed is no news any more. */
  dismiss(): void {
    if (this._failure !== null) {
      this._failure = null;
      this._update();
    }
  }

  /** The sidecar is another one, or events were missed: trainings that still run are told again. */
  reset(): void {
    this._jobs.clear();
    this._update();
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    // The training goes on: its result belongs to the session, not to this view of it.
    Signal.clearData(this);
  }

  /** The sidecar tells how far a training is, whoever began it. */
  private _onJob(_: ISessionLink, { params: job }: ISessionEvent<'job'>): void {
    if (job.kind !== 'train' || this._over.has(job.job)) {
      return; // what was cancelled here still cleans up
    }
    if (job.state === 'running') {
      if (!this._jobs.has(job.job)) {
        this._failure = null; // a new one
      }
      this._jobs.set(job.job, job);
    } else {
      this._jobs.delete(job.job);
      // How our own ended its reply tells.
      if (job.state === 'failed' && job.job !== this._own?.job) {
        this._failure = job.message;
      }
    }
    this._update();
  }

  private _end(own: IOwn, failure: string | null): void {
    if (own.job !== null) {
      this._over.add(own.job);
      this._jobs.delete(own.job);
    }
    this._own = null;
    this._failure = failure;
    this._update();
  }

  /** The job that is shown: our own, else the one that is being worked on. */
  private _shown(): EventParams<'job'> | undefined {
    if (this._own) {
      return this._own.job === null ? undefined : this._jobs.get(this._own.job);
    }
    const jobs = [...this._jobs.values()];
    return jobs.find(({ stage }) => stage !== 'waiting') ?? jobs[0];
  }

  private _update(): void {
    if (this._disposed) {
      return;
    }
    const own = this._own !== null;
    const shown = this._shown();
    if (shown) {
      const { stage, message, done, total } = shown;
      const fraction = total > 0 ? Math.min(done / total, 1) : null;
      this._state = { state: 'running', stage, fraction, message, own };
    } else if (own) {
      this._state = { state: 'running', stage: 'labels', fraction: null, message: '', own };
    } else {
      this._state = this._failure === null ? { state: 'idle' } : { state: 'failed', message: this._failure };
    }
    this._changed.emit(this._state);
  }

  private readonly _link: ISessionLink;
  private readonly _changed = new Signal<this, TrainingState>(this);
  private _state: TrainingState = { state: 'idle' };
  private _own: IOwn | null = null;
  /** Trainings that run, by the id of the request that began each. */
  private readonly _jobs = new Map<string, EventParams<'job'>>();
  /** Ids of our own trainings that have ended. */
  private readonly _over = new Set<string>();
  private _failure: string | null = null;
  private _disposed = false;
}

/** The namespace for {@link Training}. */
export namespace Training {
  export interface IOptions {
    link: ISessionLink;
  }
}
