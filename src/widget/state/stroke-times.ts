/** Records the times from a stroke to its effect on the screen, for tests and measurements, as `performance.now()` gives them. */
import { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { ISessionLink } from '../base/session-link';
import { ICommit, LabelStore } from '../labels/label-store';
import { IMaskedPatch } from '../labels/patches';
import { IAcknowledgement, PatchQueue } from '../labels/patch-queue';

/** The times of one stroke; null for events that have not happened. */
export interface IStrokeTimes {
  /** When the pointer was lifted, by the browser's event; null for a patch that is no stroke. */
  released: number | null;
  /** When its patch was made. */
  committed: number;
  /** When the patch was handed to the connection. */
  sent: number | null;
  /** When the sidecar's answer arrived, and the version of the labels in it. */
  acknowledged: number | null;
  version: number | null;
  /** When the first tiles of a classifier that learned from it arrived. */
  firstTiles: number | null;
  /** When the last such tiles in view arrived. */
  lastTiles: number | null;
  /** When the whole view was drawn with them. */
  painted: number | null;
  /** The next frame, when the drawing is on the screen. */
  shown: number | null;
}

/** Strokes and round trips that are remembered. */
const KEPT = 500;

/** Follows strokes through the widget. */
export class StrokeTimes implements IDisposable {
  constructor(options: StrokeTimes.IOptions) {
    options.link.on('segmentation.tiles').connect((_, { params }) => this._onTiles(params.labelsVersion), this);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Milliseconds from sending to acknowledgement of the last patches. */
  get roundTrips(): readonly number[] {
    return this._roundTrips;
  }

  /** Follow the patches of these labels. */
  follow(labels: LabelStore): void {
    labels.committed.connect(this._onCommitted, this);
    labels.queue.sent.connect(this._onSent, this);
    labels.queue.acknowledged.connect(this._onAcknowledged, this);
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  /** The last strokes, in order. */
  get all(): readonly Readonly<IStrokeTimes>[] {
    return this._all;
  }

  /** The view was drawn; `labelsVersion` gives the oldest labels that the tiles in view learned from. */
  drawn(labelsVersion: () => number): void {
    const open = this._open().filter(times => times.firstTiles !== null);
    const version = open.length > 0 ? labelsVersion() : -1;
    const done = open.filter(times => times.version! <= version);
    const now = performance.now();
    done.forEach(times => (times.painted = now));
    if (done.length > 0) {
      requestAnimationFrame(() => done.forEach(times => (times.shown = performance.now())));
    }
  }

  private _onCommitted(_: LabelStore, { patch, released }: ICommit): void {
    const times: IStrokeTimes = {
      released,
      committed: performance.now(),
      sent: null,
      acknowledged: null,
      version: null,
      firstTiles: null,
      lastTiles: null,
      painted: null,
      shown: null
    };
    this._of.set(patch, times);
    this._all.push(times);
    this._all.splice(0, this._all.length - KEPT);
  }

  private _onSent(_: PatchQueue, patch: IMaskedPatch): void {
    const times = this._of.get(patch);
    if (times) {
      times.sent ??= performance.now();
    }
  }

  private _onAcknowledged(_: PatchQueue, { patch, reply, milliseconds }: IAcknowledgement): void {
    this._roundTrips = [...this._roundTrips.slice(1 - KEPT), milliseconds];
    const times = this._of.get(patch);
    if (times) {
      times.acknowledged = performance.now();
      times.version = reply.version;
    }
  }

  /** Tiles of a classifier that learned from these labels arrived. */
  private _onTiles(labelsVersion: number): void {
    for (const times of this._open()) {
      if (times.version! <= labelsVersion) {
        times.firstTiles ??= performance.now();
        times.lastTiles = performance.now();
      }
    }
  }

  private _open(): IStrokeTimes[] {
    return this._all.filter(times => times.version !== null && times.painted === null);
  }

  private readonly _all: IStrokeTimes[] = [];
  private _roundTrips: readonly number[] = [];
  private _disposed = false;
  private readonly _of = new WeakMap<IMaskedPatch, IStrokeTimes>();
}

/** The namespace for {@link StrokeTimes}. */
export namespace StrokeTimes {
  export interface IOptions {
    link: ISessionLink;
  }
}
