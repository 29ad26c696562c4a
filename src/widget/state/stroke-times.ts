/**
 * Where the time goes from a stroke to its effect on the screen, for tests and for who wonders. Times are those of `performance.now()`.
 */
import { IPatch } from '../labels/patches';

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
export class StrokeTimes {
  /** The last strokes, in order. */
  get all(): readonly Readonly<IStrokeTimes>[] {
    return this._all;
  }

  /** A stroke is over; `released` as in {@link IStrokeTimes}. */
  committed(patch: IPatch, released: number | null): void {
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

  sent(patch: IPatch): void {
    const times = this._of.get(patch);
    if (times) {
      times.sent ??= performance.now();
    }
  }

  acknowledged(patch: IPatch, version: number): void {
    const times = this._of.get(patch);
    if (times) {
      times.acknowledged = performance.now();
      times.version = version;
    }
  }

  /** Tiles came from a classifier that learned from these labels. */
  tiles(labelsVersion: number): void {
    for (const times of this._open()) {
      if (times.version! <= labelsVersion) {
        times.firstTiles ??= performance.now();
        times.lastTiles = performance.now();
      }
    }
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

  private _open(): IStrokeTimes[] {
    return this._all.filter(times => times.version !== null && times.painted === null);
  }

  private readonly _all: IStrokeTimes[] = [];
  private readonly _of = new WeakMap<IPatch, IStrokeTimes>();
}
