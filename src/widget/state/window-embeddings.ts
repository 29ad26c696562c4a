/**
 * Embeddings of windows of the slice that is shown, for prompts on small objects of a large image and in a view that is zoomed in. The view decides
 * how large windows are (`windowSide`). They are requested one after the other: the one under the pointer, the others in view, then their neighbours.
 * When the view moves, those that wait are dropped. So is the one that the encoder works on, if it is not in view any more and one in view is missing;
 * otherwise it is finished, since a user often comes back.
 */
import { IDisposable } from '@lumino/disposable';
import { areaOf, BridgeError, DecoderManifest, moved, overlapArea, Rect } from '../../shared';
import { IPrompts, isCut, windowAt, windowsFor, windowSide } from '../../sam';
import { ISessionLink } from '../base/session-link';
import { ISuggestionDecoder } from './suggestion-decoder';
import { IPointDecoder } from './suggestions';

/** No window is requested until the view has rested for this time, in milliseconds. */
const REST_MS = 150;
/** A larger window, or the whole image, answers meanwhile if its longer side is at most this many times that of the windows. */
const COARSER = 4;
/** Windows beside the view that are requested ahead. */
const AHEAD = 4;
/** After a failure of a window the coarser embedding answers there for this time, in milliseconds. */
const RETRY_MS = 10_000;

/** The slice whose windows are requested, and the embedding of all that SAM sees of it. */
export interface IWholeSlice {
  slice: number;
  /** Names the whole embedding in the decoder. */
  key: string;
  within: Rect;
  decoder: ISuggestionDecoder;
  manifest: DecoderManifest;
}

/** Prompts on a window that is not there yet. */
interface IWaiting {
  key: string;
  window: Rect;
  urgent: boolean;
  go(): void;
  fail(error: BridgeError): void;
}

export class WindowEmbeddings implements IDisposable {
  constructor(private readonly _options: WindowEmbeddings.IOptions) {}

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether suggestions at the pointer wait for the window there. */
  get looking(): boolean {
    const { _of: of, _side: side } = this;
    if (!of || side === null) {
      return false;
    }
    const window = windowAt(of.within, side, ...this._place());
    return !this._has(of, window) && !this._failed(keyOf(of, window)) && !this._coarser(of, side, window);
  }

  /** The whole embedding of a slice is in the decoder: request windows of it from now on, and none of another slice. */
  begin(of: IWholeSlice): void {
    this.end();
    this._of = of;
    this._update();
    this._rest();
  }

  /** Request no more windows. */
  end(): void {
    clearTimeout(this._timer);
    clearTimeout(this._again);
    this._running?.abort.abort();
    this._running = null;
    if (this._of) {
      this._of.decoder.mayDecodeAhead = true;
    }
    this._of = null;
    this._cursor = null;
    this._served = '';
    this._cancel(() => true);
  }

  /** The user sees this part of the slice; null: nothing. */
  show(view: Rect | null): void {
    if (JSON.stringify(view) !== JSON.stringify(this._view)) {
      this._view = view;
      this._update();
      this._rest();
    }
  }

  /** The connection is back: request again what failed. */
  retry(): void {
    this._failures.clear();
    this._rest();
  }

  /** Decodes prompts on the whole slice; {@link IPointDecoder.serving} finds the window for them. */
  get decoder(): IPointDecoder | null {
    const of = this._of;
    return of && { ...this._bound(of, of.key, of.within), serving: prompts => this._serving(of, prompts) };
  }

  dispose(): void {
    this._disposed = true;
    this.end();
  }

  /** The decoder for prompts: that of the window at their middle if it holds all of them, of a larger one, or of the whole slice. */
  private _serving(of: IWholeSlice, prompts: IPrompts): IPointDecoder {
    const whole = this._bound(of, of.key, of.within);
    const bounds = boundsOf(prompts);
    if (of !== this._of) {
      return whole;
    }
    this._cursor = [(bounds.row0 + bounds.row1 - 1) / 2, (bounds.column0 + bounds.column1 - 1) / 2];
    const side = this._side;
    const window = side !== null && windowAt(of.within, side, ...this._cursor);
    if (side === null || !window || !contains(window, bounds)) {
      return whole;
    }
    const key = keyOf(of, window);
    if (key !== this._served) {
      this._served = key;
      this._options.changed();
    }
    if (this._has(of, window)) {
      return this._bound(of, key, window);
    }
    this._next();
    const coarser = this._coarser(of, side, bounds);
    if (coarser || this._failed(key)) {
      return coarser ? this._bound(of, ...coarser) : whole;
    }
    return this._waitingFor(of, key, window);
  }

  /** Decodes prompts once the window is there. Of the prompts that follow the pointer only the newest wait. */
  private _waitingFor(of: IWholeSlice, key: string, window: Rect): IPointDecoder {
    const bound = this._bound(of, key, window);
    const suggest: IPointDecoder['suggest'] = (prompts, signal, urgent) => {
      if (!urgent) {
        this._cancel(waiting => !waiting.urgent);
      }
      return new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(cancelled());
          return;
        }
        const leave = () => this._waiting.delete(waiting);
        const waiting: IWaiting = {
          key,
          window,
          urgent,
          go: () => (leave(), resolve(bound.suggest(prompts, signal, urgent))),
          fail: error => (leave(), reject(error))
        };
        this._waiting.add(waiting);
        signal.addEventListener('abort', () => waiting.fail(cancelled()), { once: true });
        this._next();
      });
    };
    return { ...bound, suggest };
  }

  /** What sees more around a mask that a window cuts: a larger window, or the whole slice; null if it is not cut. See {@link IPointDecoder.wider}. */
  private _wider(of: IWholeSlice, window: Rect, bounds: Rect): IPointDecoder | null {
    if (of !== this._of || !isCut(bounds, window, of.within)) {
      return null;
    }
    const side = longest(window);
    const there = this._coarser(of, side, bounds);
    if (there) {
      return this._bound(of, ...there);
    }
    const middle = [(bounds.row0 + bounds.row1 - 1) / 2, (bounds.column0 + bounds.column1 - 1) / 2] as const;
    for (let larger = 2 * side; larger < longest(of.within); larger *= 2) {
      const next = windowAt(of.within, larger, ...middle);
      if (contains(next, bounds) && !this._failed(keyOf(of, next))) {
        return this._waitingFor(of, keyOf(of, next), next);
      }
    }
    return this._bound(of, of.key, of.within);
  }

  /** A larger window with the rectangle, or the whole slice, that can answer meanwhile: its key and its rectangle. */
  private _coarser(of: IWholeSlice, side: number, rect: Rect): [string, Rect] | null {
    const middle = [(rect.row0 + rect.row1 - 1) / 2, (rect.column0 + rect.column1 - 1) / 2] as const;
    for (let larger = 2 * side; larger <= COARSER * side; larger *= 2) {
      const window = windowAt(of.within, larger, ...middle);
      if (contains(window, rect) && this._has(of, window)) {
        return [keyOf(of, window), window];
      }
    }
    return longest(of.within) <= COARSER * side ? [of.key, of.within] : null;
  }

  private _bound(of: IWholeSlice, key: string, within: Rect): IPointDecoder {
    const { decoder, manifest } = of;
    const { row0, column0 } = within;
    return {
      manifest,
      within,
      ...(key === of.key ? {} : { part: areaOf(within) / areaOf(of.within) }),
      wider: bounds => this._wider(of, within, bounds),
      embedding: () => decoder.embedding(key),
      first: ({ row, column }) =>
        decoder.useEmbedding(key) ? decoder.first({ row: row - row0, column: column - column0 }) : null,
      suggest: ({ points, box, mask }, signal, urgent) => {
        if (!decoder.useEmbedding(key)) {
          this._there.delete(key);
          return Promise.reject(cancelled()); // others have displaced it; it is requested again
        }
        const inside = {
          points: points.map(({ row, column, label }) => ({ row: row - row0, column: column - column0, label })),
          box: box && moved(box, -row0, -column0),
          mask
        };
        return decoder.suggest(inside, signal, urgent);
      }
    };
  }

  /** Choose the size of windows for the view. */
  private _update(): void {
    const side = this._of && this._view && windowSide(this._of.within, this._view);
    if (side !== this._side) {
      this._side = side;
      this._cancel(({ urgent }) => !urgent); // they wait for windows of another size; a click waits for its own
      const key = this._atCursor();
      if (key !== null && this._there.has(key)) {
        this._options.improved(); // the pointer rests while the view changes
      }
    }
    this._options.changed();
  }

  /** Request windows when the view has rested. */
  private _rest(): void {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      this._timer = undefined;
      this._next();
    }, this._options.restMs ?? REST_MS);
  }

  /** Request the next window. If another one is on its way, it is dropped for a window in view. */
  private _next(): void {
    const of = this._of;
    if (!of || this._timer !== undefined || this._disposed) {
      return;
    }
    const seen = this._seen(of);
    const running = this._running;
    if (running) {
      if (seen.some(window => keyOf(of, window) === running.key) || !seen.some(window => this._missing(of, window))) {
        return;
      }
      running.abort.abort();
      this._running = null;
    }
    const window = this._wanted(of, seen);
    of.decoder.mayDecodeAhead = !window;
    if (window) {
      void this._request(of, window, !seen.includes(window));
    }
  }

  /** @param ahead the window is not in view */
  private async _request(of: IWholeSlice, window: Rect, ahead: boolean): Promise<void> {
    const abort = new AbortController();
    const { signal } = abort;
    this._running = { key: keyOf(of, window), abort };
    const { slice, decoder } = of;
    const key = keyOf(of, window);
    try {
      const { link } = this._options;
      const { session } = link;
      const { result, buffers } = await link.request('sam.embedding', { session, slice, window, ahead }, { signal });
      if (signal.aborted) {
        return;
      }
      const size = { rows: window.row1 - window.row0, columns: window.column1 - window.column0 };
      decoder.setEmbedding(key, buffers[0]!, size, { slice, window, embedding: result.embedding });
      decoder.useEmbedding(of.key); // it is not displaced by its windows
      this._there.add(key);
      this._failures.delete(key);
      const waiting = [...this._waiting].filter(each => each.key === key);
      waiting.forEach(each => each.go());
      if (key === this._atCursor() && waiting.length === 0) {
        this._options.improved();
      }
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (signal.aborted) {
        return;
      }
      this._failures.set(key, performance.now());
      clearTimeout(this._again);
      this._again = setTimeout(() => {
        this._failures.delete(key); // the timer may be a little early by the clock that `_failed` reads
        this._next();
      }, this._options.retryMs ?? RETRY_MS);
      [...this._waiting].filter(waiting => waiting.key === key).forEach(waiting => waiting.fail(error));
    }
    this._running = null;
    this._options.changed();
    this._next();
  }

  /** The windows that prompts wait for, and those in view, that at the pointer first. */
  private _seen(of: IWholeSlice): Rect[] {
    const { _side: side, _view: view } = this;
    const waited = [...this._waiting].map(({ window }) => window);
    const inView = side === null || !view ? [] : windowsFor(of.within, side, view, ...this._place());
    return [...new Map([...waited, ...inView].map(window => [keyOf(of, window), window])).values()];
  }

  private _missing(of: IWholeSlice, window: Rect): boolean {
    return !this._has(of, window) && !this._failed(keyOf(of, window));
  }

  /** The window to request next: of those in view, or one beside them. */
  private _wanted(of: IWholeSlice, seen: readonly Rect[]): Rect | undefined {
    const { _side: side, _view: view } = this;
    const missing = (window: Rect) => this._missing(of, window);
    const first = seen.find(missing);
    if (first || side === null || !view) {
      return first;
    }
    const known = new Set(seen.map(window => keyOf(of, window)));
    return windowsFor(of.within, side, grown(view, side / 4), ...this._place())
      .filter(window => !known.has(keyOf(of, window)))
      .slice(0, AHEAD)
      .find(missing);
  }

  /** Key of the window that serves the place of the last prompts; null if the whole slice does, or there were none. */
  private _atCursor(): string | null {
    const { _of: of, _side: side, _cursor: cursor } = this;
    return of && side !== null && cursor ? keyOf(of, windowAt(of.within, side, ...cursor)) : null;
  }

  /** Row and column of the pointer if it is in view, else the middle of the view. */
  private _place(): [number, number] {
    const { _cursor: cursor, _view: view } = this;
    const { row0, row1, column0, column1 } = view ?? this._of!.within;
    const [row, column] = cursor ?? [NaN, NaN];
    return row >= row0 && row < row1 && column >= column0 && column < column1
      ? [row, column]
      : [(row0 + row1 - 1) / 2, (column0 + column1 - 1) / 2];
  }

  private _has(of: IWholeSlice, window: Rect): boolean {
    return this._there.has(keyOf(of, window));
  }

  private _failed(key: string): boolean {
    const at = this._failures.get(key);
    return at !== undefined && performance.now() - at < (this._options.retryMs ?? RETRY_MS);
  }

  private _cancel(which: (waiting: IWaiting) => boolean): void {
    [...this._waiting].filter(which).forEach(waiting => waiting.fail(cancelled()));
  }

  private _of: IWholeSlice | null = null;
  private _view: Rect | null = null;
  /** Row and column of the last prompt. */
  private _cursor: [number, number] | null = null;
  private _side: number | null = null;
  /** Key of the window that serves the last prompts. */
  private _served = '';
  /** Keys of windows that were given to the decoder; it may have dropped them since. */
  private readonly _there = new Set<string>();
  /** When windows failed, by key. */
  private readonly _failures = new Map<string, number>();
  private readonly _waiting = new Set<IWaiting>();
  /** The window that is on its way. */
  private _running: { key: string; abort: AbortController } | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  /** Requests again what failed. */
  private _again: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

/** The namespace for {@link WindowEmbeddings}. */
export namespace WindowEmbeddings {
  export interface IOptions {
    link: ISessionLink;
    /** Called when {@link WindowEmbeddings.looking} may have changed. */
    changed(): void;
    /** Called when the window arrives that serves prompts where the last ones were answered from a coarser embedding. */
    improved(): void;
    /** See {@link REST_MS}. */
    restMs?: number | undefined;
    /** See {@link RETRY_MS}. */
    retryMs?: number | undefined;
  }
}

/** The pixels that points and box cover. */
function boundsOf({ points, box }: IPrompts): Rect {
  const rows = [...points.map(({ row }) => Math.round(row)), ...(box ? [box.row0, box.row1 - 1] : [])];
  const columns = [...points.map(({ column }) => Math.round(column)), ...(box ? [box.column0, box.column1 - 1] : [])];
  return {
    row0: Math.min(...rows),
    row1: Math.max(...rows) + 1,
    column0: Math.min(...columns),
    column1: Math.max(...columns) + 1
  };
}

function keyOf({ key }: IWholeSlice, { row0, row1, column0, column1 }: Rect): string {
  return `${key}/${row0}-${row1},${column0}-${column1}`;
}

function contains(outer: Rect, inner: Rect): boolean {
  return overlapArea(outer, inner) === areaOf(inner);
}

function longest({ row0, row1, column0, column1 }: Rect): number {
  return Math.max(row1 - row0, column1 - column0);
}

function grown({ row0, row1, column0, column1 }: Rect, by: number): Rect {
  return { row0: row0 - by, row1: row1 + by, column0: column0 - by, column1: column1 + by };
}

function cancelled(): BridgeError {
  return new BridgeError('cancelled', 'A newer request took the place of this one.');
}
