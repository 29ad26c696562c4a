/**
 * Live segmentation in one labeller: whether it is on, the view that the sidecar segments first, and the progress of rounds.
 * The sidecar runs one round after the other; short rounds are not shown.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, EventParams, SliceRect, SessionState, Rect } from '../../shared';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { IJobStage, stageOf } from './job-stage';

/** The state of live segmentation. `working`: a round takes longer than a moment. */
export type LiveStatus =
  | { state: 'off' }
  | { state: 'ready' }
  | ({ state: 'working'; message: string } & IJobStage)
  | { state: 'failed'; message: string };

/** Time after the last move of the view before it is sent, in milliseconds. */
const VIEW_AFTER_MS = 100;
/** Rounds that take longer than this are shown, in milliseconds. */
const SHOW_AFTER_MS = 1000;
/** The next round begins within this time after a cancelled one, in milliseconds. */
const GAP_MS = 150;
/** Without an event of a round for this time, none is under way, in milliseconds. */
const QUIET_MS = 1000;

/** Live segmentation of one session. */
export class LiveState implements IDisposable {
  constructor(options: LiveState.IOptions) {
    this._options = options;
    options.link.on('job').connect(this._onJob, this);
    options.link.on('segmentation.tiles').connect(this._onTiles, this);
    options.link.attached.connect(this._onAttached, this);
  }

  /** Emits when the state changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits when no round is under way any more, whether the last one was completed or not. */
  get quiet(): ISignal<this, void> {
    return this._quiet;
  }

  /** Emits when {@link inView} may have changed. */
  get moved(): ISignal<this, void> {
    return this._moved;
  }

  /** Whether it is on: the value requested last, until the sidecar answers. */
  get on(): boolean {
    return this._wanted ?? this._on;
  }

  get state(): LiveStatus {
    if (!this._on) {
      return { state: 'off' };
    }
    const job = [...this._jobs.values()].pop();
    if (job && this._slow) {
      return { state: 'working', ...stageOf(job), message: job.message };
    }
    return this._failure === null ? { state: 'ready' } : { state: 'failed', message: this._failure };
  }

  /** Whether the last round was cancelled, so that the newest labels are not learned until the next one. */
  get left(): boolean {
    return this._on && this._left && this._quietTimer === undefined;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /**
   * Switch it on or off for the session.
   *
   * @throws BridgeError if the sidecar refuses.
   */
  async set(on: boolean): Promise<SessionState> {
    const asked = ++this._asked;
    this._wanted = on;
    this._failure = null;
    this._changed.emit();
    try {
      const view = on ? this._view() : null;
      this._sent = JSON.stringify(view);
      const { link } = this._options;
      const params = { session: link.session, on, ...(view ? { view } : {}) };
      return (await link.request('session.live', params)).result;
    } finally {
      if (asked === this._asked) {
        this._wanted = null;
        this._changed.emit();
      }
    }
  }

  /**
   * Follow the session.
   *
   * @returns whether it was switched on or off.
   */
  take({ live }: SessionState): boolean {
    if (live === this._on) {
      return false;
    }
    this._on = live;
    this._failure = null;
    this._left = false;
    if (live) {
      this._send();
    } else {
      this._sent = '';
    }
    this._changed.emit();
    return true;
  }

  /** `owner` shows this part of a slice; null if it shows nothing. */
  show(owner: object, slice: number, visible: Rect | null): void {
    this._views.delete(owner);
    if (visible && visible.row1 > visible.row0 && visible.column1 > visible.column0) {
      const { row0, row1, column0, column1 } = visible;
      this._views.set(owner, { slice, row0, row1, column0, column1 }); // the last entry is the view that moved last
    }
    this._moved.emit();
    clearTimeout(this._viewTimer);
    this._viewTimer = setTimeout(() => this._send(), this._options.viewAfterMs ?? VIEW_AFTER_MS);
  }

  /** The part of this slice that is in view, of several views the one that moved last; null if none shows the slice. */
  inView(slice: number): Rect | null {
    return [...this._views.values()].reverse().find(view => view.slice === slice) ?? null;
  }

  /** Clear the error of a failed round. */
  dismiss(): void {
    if (this._failure !== null) {
      this._failure = null;
      this._changed.emit();
    }
  }

  /** Cancel the running round; the next stroke begins another. */
  async cancel(): Promise<void> {
    await Promise.all([...this._jobs.keys()].map(id => this._options.link.request('cancel', { id })));
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    clearTimeout(this._viewTimer);
    clearTimeout(this._gapTimer);
    clearTimeout(this._slowTimer);
    clearTimeout(this._quietTimer);
    Signal.clearData(this);
  }

  /** Follow the progress of a round. */
  /** Forget the rounds, whose events were missed, and send the view: the sidecar may be new. */
  private _onAttached(): void {
    this._jobs.clear();
    this._others.clear();
    this._left = false;
    this._sent = '';
    this._settle();
    this._send();
  }

  private _onJob(_: ISessionLink, { params: job }: ISessionEvent<'job'>): void {
    if (job.kind === 'train' || job.kind === 'load') {
      // They send tiles as well, but have a progress of their own.
      if (job.state === 'running') {
        this._others.add(job.job);
      } else {
        this._others.delete(job.job);
      }
      this._settle();
      return;
    }
    if (job.kind !== 'live') {
      return;
    }
    if (job.state === 'running') {
      this._jobs.set(job.job, job);
      this._left = false;
    } else {
      this._jobs.delete(job.job);
      this._left = job.state === 'cancelled' && this._jobs.size === 0;
      this._failure = job.state === 'failed' ? job.message : null;
    }
    this._settle();
    this._changed.emit();
  }

  /** Tiles of a round arrived, so that a round is under way. */
  private _onTiles(): void {
    clearTimeout(this._quietTimer);
    this._quietTimer = undefined;
    this._settle();
  }

  private _settle(): void {
    if (this._jobs.size > 0) {
      clearTimeout(this._quietTimer);
      clearTimeout(this._gapTimer);
      this._quietTimer = this._gapTimer = undefined;
      this._slowTimer ??= setTimeout(() => {
        this._slow = true;
        this._changed.emit();
      }, this._options.showAfterMs ?? SHOW_AFTER_MS);
      return;
    }
    // The next round begins at once after a cancelled one: keep showing progress between them.
    this._gapTimer ??= setTimeout(() => {
      clearTimeout(this._slowTimer);
      this._slowTimer = this._gapTimer = undefined;
      this._slow = false;
    }, GAP_MS);
    if (this._others.size > 0) {
      clearTimeout(this._quietTimer);
      this._quietTimer = undefined;
      return;
    }
    this._quietTimer ??= setTimeout(() => {
      this._quietTimer = undefined;
      this._quiet.emit();
      if (this._left) {
        this._changed.emit();
      }
    }, this._options.quietAfterMs ?? QUIET_MS);
  }

  /** The smallest rectangle around all views of the slice that the view which moved last shows; null without views. */
  private _view(): SliceRect | null {
    const views = [...this._views.values()];
    const last = views[views.length - 1];
    return views
      .filter(({ slice }) => slice === last!.slice)
      .reduce<SliceRect | null>(
        (all, one) => ({
          slice: one.slice,
          row0: Math.min(all?.row0 ?? one.row0, one.row0),
          row1: Math.max(all?.row1 ?? one.row1, one.row1),
          column0: Math.min(all?.column0 ?? one.column0, one.column0),
          column1: Math.max(all?.column1 ?? one.column1, one.column1)
        }),
        null
      );
  }

  private _send(): void {
    clearTimeout(this._viewTimer);
    const view = this._view();
    const key = JSON.stringify(view);
    if (this._disposed || key === this._sent || (view === null && this._sent === '')) {
      return;
    }
    this._sent = key;
    const { link } = this._options;
    link.request('session.view', { session: link.session, view }).catch(reason => {
      // Only a priority hint. After a lost connection it is sent again.
      const error = BridgeError.from(reason);
      if (error.code !== 'disconnected') {
        console.warn('sambalab:', error.message);
      }
    });
  }

  private readonly _options: LiveState.IOptions;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _quiet = new Signal<this, void>(this);
  private readonly _moved = new Signal<this, void>(this);
  private readonly _views = new Map<object, SliceRect>();
  /** Running rounds by the id of their job: one, or two while one replaces the other. */
  private readonly _jobs = new Map<string, EventParams<'job'>>();
  private _on = false;
  private _wanted: boolean | null = null;
  private _asked = 0;
  private _sent = '';
  private _slow = false;
  private _left = false;
  private _failure: string | null = null;
  private _viewTimer: ReturnType<typeof setTimeout> | undefined;
  private _gapTimer: ReturnType<typeof setTimeout> | undefined;
  private _slowTimer: ReturnType<typeof setTimeout> | undefined;
  /** Trainings and loadings of classifiers that run. */
  private readonly _others = new Set<string>();
  private _quietTimer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

/** The namespace for {@link LiveState}. */
export namespace LiveState {
  export interface IOptions {
    link: ISessionLink;
    /** Milliseconds; by default the constants of this file. */
    viewAfterMs?: number;
    showAfterMs?: number;
    quietAfterMs?: number;
  }
}
