/**
 * The intervals of the phase fractions. The sidecar computes them while somebody looks at them, a moment after the last change, so that strokes and live
 * rounds go first.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { PhaseFraction, SessionState } from '../../shared';
import { ISessionLink } from '../base/session-link';

/** Time after the last change, in milliseconds. */
const AFTER_MS = 1000;

/** The intervals of one image. */
export class PhaseIntervals implements IDisposable {
  constructor(private readonly _options: PhaseIntervals.IOptions) {}

  /** Emits when {@link phases} or {@link isOutdated} changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The phases as they were measured last; empty before. */
  get phases(): readonly PhaseFraction[] {
    return this._phases;
  }

  /** Whether the segmentation changed since, or nothing is measured yet. */
  get isOutdated(): boolean {
    return this._measured !== this._stamp;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether an owner, for example a section of a panel, shows the intervals. */
  want(owner: object, wanted: boolean): void {
    if (wanted !== this._owners.has(owner) && !this._disposed) {
      this._owners[wanted ? 'add' : 'delete'](owner);
      this._schedule(0);
    }
  }

  /** Follow the session's segmentation. */
  follow({ segmentation, labels, correction, region }: SessionState): void {
    const stamp = segmentation
      ? JSON.stringify([segmentation.version, segmentation.counts, labels.version, correction?.version, region])
      : '';
    if (stamp === this._stamp) {
      return;
    }
    this._stamp = stamp;
    if (stamp === '') {
      this._phases = [];
    }
    this._schedule(this._options.afterMs ?? AFTER_MS);
    this._changed.emit();
  }

  /** The connection is back: ask again for what is missing. */
  retry(): void {
    this._schedule(0);
  }

  dispose(): void {
    this._disposed = true;
    this._stop();
    Signal.clearData(this);
  }

  private _stop(): void {
    clearTimeout(this._timer);
    this._asking?.abort();
    this._asking = null;
  }

  private _schedule(afterMs: number): void {
    this._stop();
    if (this._owners.size > 0 && this._stamp !== '' && this.isOutdated && !this._disposed) {
      this._timer = setTimeout(() => void this._measure(), afterMs);
    }
  }

  private async _measure(): Promise<void> {
    const { link } = this._options;
    const asking = (this._asking = new AbortController());
    const stamp = this._stamp;
    try {
      const { result } = await link.request('phases.measure', { session: link.session }, { signal: asking.signal });
      if (!asking.signal.aborted) {
        this._phases = result.phases;
        this._measured = stamp;
        this._changed.emit();
      }
    } catch {
      // The next change asks again; the intervals are no reason to disturb the user.
    } finally {
      if (this._asking === asking) {
        this._asking = null;
      }
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _owners = new Set<object>();
  private _phases: readonly PhaseFraction[] = [];
  /** What the segmentation is now; empty: there is none. */
  private _stamp = '';
  /** What it was when the phases were measured. */
  private _measured = '';
  private _asking: AbortController | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

/** The namespace for {@link PhaseIntervals}. */
export namespace PhaseIntervals {
  export interface IOptions {
    link: ISessionLink;
    /** Time after the last change, in milliseconds; for tests. */
    afterMs?: number;
  }
}
