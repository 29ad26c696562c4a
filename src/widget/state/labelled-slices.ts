/** Which slices of a stack have labels, as the sidecar counts them: for the marks on the slider, and to jump from one to the next. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { SessionState } from '../../shared';
import { ISessionLink } from '../base/session-link';

/** Time between two requests, in milliseconds: strokes may come quickly. */
const AGAIN_MS = 200;

export class LabelledSlices implements IDisposable {
  constructor(private readonly _options: LabelledSlices.IOptions) {}

  /** Emits when the slices change. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Slices with labels of which some are drawn, suggested or set, in order. */
  get labelled(): readonly number[] {
    return this._labelled;
  }

  /** Slices whose labels are only interpolated, in order. */
  get interpolated(): readonly number[] {
    return this._interpolated;
  }

  /** Whether a slice without labels lies between two that have some. */
  get gap(): boolean {
    const all = this._all();
    return all.length > 1 && all[all.length - 1]! - all[0]! >= all.length;
  }

  /** Whether labels changed since the slices were asked for. */
  get isOutdated(): boolean {
    return this._asking || this._outdated || this._options.changedSince(this._version);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  has(slice: number): boolean {
    return this._labelled.includes(slice) || this._interpolated.includes(slice);
  }

  /** The next slice with labels in a direction; undefined if there is none. */
  next(slice: number, direction: 1 | -1): number | undefined {
    const all = this._all();
    return direction === 1 ? all.find(each => each > slice) : all.reverse().find(each => each < slice);
  }

  /** Follow the session's labels. */
  follow({ labels }: SessionState): void {
    if (this._options.slices > 1 && labels.version !== this._version) {
      this._version = labels.version;
      this._outdated = true;
      void this._fetch();
    }
  }

  /** The connection is back. */
  attached(): void {
    this._version = -1;
  }

  dispose(): void {
    this._disposed = true;
    clearTimeout(this._timer);
    Signal.clearData(this);
  }

  private _all(): number[] {
    return [...this._labelled, ...this._interpolated].sort((a, b) => a - b);
  }

  private async _fetch(): Promise<void> {
    if (this._busy || this._disposed) {
      return;
    }
    this._busy = true;
    this._asking = true;
    this._outdated = false;
    const { link } = this._options;
    try {
      const { result } = await link.request('labels.slices', { session: link.session });
      this._labelled = result.labelled;
      this._interpolated = result.interpolated;
    } catch {
      this._version = -1; // the next change asks again; the marks are no reason to disturb the user
    }
    this._asking = false;
    if (this._disposed) {
      return;
    }
    this._changed.emit();
    this._timer = setTimeout(() => {
      this._busy = false;
      if (this._outdated) {
        void this._fetch();
      }
    }, AGAIN_MS);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _labelled: readonly number[] = [];
  private _interpolated: readonly number[] = [];
  /** The version of the labels that was asked for last. */
  private _version = -1;
  /** Whether a request is under way, or was just answered. */
  private _busy = false;
  private _asking = false;
  private _outdated = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

/** The namespace for {@link LabelledSlices}. */
export namespace LabelledSlices {
  export interface IOptions {
    slices: number;
    link: ISessionLink;
    /** Whether labels have changed since a version, or strokes are on their way to the sidecar. */
    changedSince(version: number): boolean;
  }
}
