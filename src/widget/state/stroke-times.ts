/**
 * Where the time goes from a stroke to its effect on the screen, for tests and for who wonders. Times are those of `performance.now()`.
 */
import { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { ISessionLink } from '../base/session-link';
import { ICommit, LabelStore } from '../labels/label-store';
import { IMaskedPatch } from '../labels/patches';
import { IAcknowledgement, PatchQueue } from '../labels/patch-queue';

/** What became of one stroke; null for what has not happened. */
export interface IStrokeTimes {
  /** When the pointer was lifted, as the browser's event says; null for what came otherwise. */
  released: number | null;
  /** When the stroke was over and its mask made. */
  committed: number;
  /** When it was handed to the connection. */
  sent: number | null;
  /** When the sidecar had it, and the version of the labels since. */
  acknowledged: number | null;
  version: number | null;
  /** When the first tiles came that learned from it. */
  firstTiles: number | null;
  /** When the last of those came that are in view. */
  lastTiles: number | null;
  /** When all of the view was drawn by them. */
  painted: number | null;
  /** The frame after that: by then it is on the screen. */
  shown: number | null;
}

/** Strokes that are remembered. */
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

  /** The view was drawn; `labelsVersion` finds out which labels all that is in view has learned from. */
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

  /** Tiles came from a classifier that learned from these labels. */
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
