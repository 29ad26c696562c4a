/**
 * The trainings of a session: that of this labeller, and those that Python or other views began. The sidecar runs them one after
 * the other.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, EventParams, SessionState } from '../../shared';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { PatchQueue } from '../labels/patch-queue';
import { IJobStage, stageOf } from './job-stage';

/** The state of the training that is shown. `own` is false if Python or another view began it. */
export type TrainingState =
  | { state: 'idle' }
  | ({ state: 'running'; message: string; own: boolean } & IJobStage)
  | { state: 'failed'; message: string };

/** The training that this labeller requested. */
interface IOwn {
  controller: AbortController;
  /** Null until all strokes are sent. */
  job: string | null;
}

/** The trainings of one session. */
export class Training implements IDisposable {
  constructor(options: Training.IOptions) {
    this._link = options.link;
    this._link.on('job').connect(this._onJob, this);
    this._link.on('labels').connect(this.dismiss, this);
    this._link.attached.connect(this._onAttached, this);
  }

  /** Emits when the state changes. */
  get changed(): ISignal<this, TrainingState> {
    return this._changed;
  }

  /** The training of this labeller if there is one, else another one. */
  get state(): TrainingState {
    return this._state;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /**
   * Train once all strokes are sent.
   *
   * @returns the session after it; null if it was cancelled, or failed, which the state describes.
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

  /** Cancel the training that is shown. */
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

  /** Clear the error of a failed training. */
  dismiss(): void {
    if (this._failure !== null) {
      this._failure = null;
      this._update();
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    // The training goes on: its result belongs to the session, not to this view.
    Signal.clearData(this);
  }

  /** Attached again: forget the trainings, whose events were missed. The sidecar reports those that still run. */
  private _onAttached(): void {
    this._jobs.clear();
    this._update();
  }

  /** Follow the progress of a training. */
  private _onJob(_: ISessionLink, { params: job }: ISessionEvent<'job'>): void {
    if (job.kind !== 'train' || this._over.has(job.job)) {
      return; // a training that ended here may still report
    }
    if (job.state === 'running') {
      if (!this._jobs.has(job.job)) {
        this._failure = null; // a new training
      }
      this._jobs.set(job.job, job);
    } else {
      this._jobs.delete(job.job);
      // The reply says how our own training ended.
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

  /** The job that is shown: our own, else the running one. */
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
      this._state = { state: 'running', ...stageOf(shown), message: shown.message, own };
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
  /** Running trainings by the id of their request. */
  private readonly _jobs = new Map<string, EventParams<'job'>>();
  /** Ids of our own trainings that ended. */
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
