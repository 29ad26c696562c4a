/** An object that the sidecar carries through the slices of a stack, for its labels: how far it is, and how it ended. */
import { deflateSync } from 'fflate';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, Replaces, Result } from '../../shared';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { Suggestion } from './suggestion';

/** What is carried, and what it may change. */
export interface ICarriedObject {
  suggestion: Suggestion;
  slice: number;
  classId: number;
  /** The labels that it may change. */
  replaces: Replaces;
  /** Whether it changes on each slice only the one label on which most of it lies. */
  one: boolean;
  /** Whether it is labelled on its own slice as well. */
  itself: boolean;
}

/** The object of one labeller that is being carried. */
export class Carrying implements IDisposable {
  constructor(private readonly _options: Carrying.IOptions) {
    _options.link.on('job').connect(this._onJob, this);
  }

  /** Emits when {@link slices} changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The number of further slices on which the object is so far; null while none is carried. */
  get slices(): number | null {
    return this._slices;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /**
   * Carry an object and label it, instead of one that is being carried.
   *
   * @returns where it is; null if it was cancelled: then nothing is labelled
   * @throws BridgeError as the sidecar fails
   */
  async start({
    suggestion,
    slice,
    classId,
    replaces,
    one,
    itself
  }: ICarriedObject): Promise<Result<'labels.carry'> | null> {
    this.cancel();
    const { link } = this._options;
    const running = { abort: new AbortController(), job: '' };
    const { signal } = running.abort;
    this._running = running;
    this._set(0);
    const { shaped, shape, seen, bounds } = suggestion;
    const { connected, filled, smooth, grow, edges = false } = shape;
    // Its own slice gets the very pixels that the user sees.
    const shown = itself ? [deflateSync(suggestion.region(bounds))] : [];
    try {
      const { result } = await link.request(
        'labels.carry',
        {
          session: link.session,
          slice,
          within: seen,
          class: classId,
          replaces,
          ...(one && { one: true as const }),
          itself,
          shape: { connected, filled, smooth, grow, edges },
          ...(itself && { shown: bounds })
        },
        {
          signal,
          buffers: [new Uint8Array(shaped.slice().buffer), ...shown],
          onId: id => (running.job = id)
        }
      );
      return result;
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (signal.aborted || error.code === 'cancelled') {
        return null;
      }
      throw error;
    } finally {
      if (this._running === running) {
        this._running = null;
        this._set(null);
      }
    }
  }

  /** Carry it no further: nothing is labelled. Returns whether one was carried. */
  cancel(): boolean {
    const running = this._running;
    this._running = null;
    running?.abort.abort();
    if (running) {
      this._set(null);
    }
    return running !== null;
  }

  dispose(): void {
    if (!this._disposed) {
      // It goes on: its labels belong to the session, not to this view.
      this._disposed = true;
      this._running = null;
      Signal.clearData(this);
    }
  }

  private _onJob(_: ISessionLink, { params: job }: ISessionEvent<'job'>): void {
    if (this._running && job.job === this._running.job && job.state === 'running' && job.stage === 'slices') {
      this._set(job.done);
    }
  }

  private _set(slices: number | null): void {
    if (slices !== this._slices && !this._disposed) {
      this._slices = slices;
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _slices: number | null = null;
  private _running: { abort: AbortController; job: string } | null = null;
  private _disposed = false;
}

/** The namespace for {@link Carrying}. */
export namespace Carrying {
  export interface IOptions {
    link: ISessionLink;
  }
}
