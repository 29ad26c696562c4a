/**
 * Tiles of one byte a pixel for an overlay that the sidecar computes on demand: a feature, or the uncertainty. Tiles in view are
 * fetched, requests for tiles that left the view are cancelled, and fetched tiles are kept up to a limit. A tile of an older
 * version is shown until the new one arrives.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, LABEL_TILE, Lru, REQUEST_TILES_MAX } from '../../shared';
import { ISize, ITileRef, levelSize } from '../base/geometry';
import { decodeTile } from '../labels/patches';

/** With more tiles of full resolution in view none is fetched, unless the sidecar has reduced ones: it would compute most of the image for a small picture. */
export const TILES_IN_VIEW_MAX = REQUEST_TILES_MAX;
/** Tiles a request asks for: few, so that the first ones arrive soon. */
const BATCH = 8;
/** Tiles kept, 64 KiB each. */
const KEPT = 320;

/**
 * The state of the overlay:
 * - `far`: more than {@link TILES_IN_VIEW_MAX} tiles are in view
 * - `gone`: the feature or the classifier does not exist at present; the overlay comes back with it
 * - `across`: slices in this direction cross those in which it is computed
 * - `ready`: `low` and `high` are the values of bytes 0 and 255
 */
export type ByteTilesState =
  | { state: 'off' }
  | { state: 'far' }
  | { state: 'gone' }
  | { state: 'across' }
  | { state: 'loading' }
  | { state: 'ready'; low: number; high: number }
  | { state: 'failed'; message: string };

/** A reply with tiles: one buffer for each. */
export interface ILevels {
  version: number;
  low: number;
  high: number;
  buffers: Uint8Array[];
}

interface IFlight {
  of: string;
  slice: number;
  level: number;
  version: number;
  tiles: ITileRef[];
  controller: AbortController;
}

interface IKeptTile {
  version: number;
  levels: Uint8Array;
}

/** Fetches and keeps the tiles of one overlay. A subclass names what the tiles show ({@link what}) and requests them ({@link load}). */
export abstract class ByteTiles implements IDisposable {
  constructor(private readonly _image: ISize) {}

  /** Emits when the state, the opacity or the overlay's content changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits the keys of tiles that arrived. */
  get arrived(): ISignal<this, string[]> {
    return this._arrived;
  }

  get state(): ByteTilesState {
    return this._state;
  }

  /** Whether the user has switched it on. */
  get shown(): boolean {
    return this._shown;
  }

  /** Whether to draw it now. When the view shows too many tiles, the few kept ones would look like a patchwork. */
  get drawn(): boolean {
    return this._shown && !['far', 'gone', 'across'].includes(this._state.state);
  }

  /** Say that the view shows slices across those in which it is computed, so that it cannot be shown. */
  set across(across: boolean) {
    this._across = across;
    this.begin();
  }

  /** Whether tiles of it have arrived before, of any version. */
  get any(): boolean {
    return this._what !== null && this._ranges.has(this._what);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Switch it on or off. */
  show(shown: boolean): void {
    if (shown !== this._shown) {
      this._shown = shown;
      this.begin();
    }
  }

  /** Fetch again after a failure. */
  retry(): void {
    if (this._shown && this._state.state === 'failed') {
      this.begin();
    }
  }

  /** Whether the sidecar has reduced tiles of it, so that it shows at any zoom. */
  get reduces(): boolean {
    return false;
  }

  /** Fetch the missing ones among the tiles in view, which come most wanted first. At a level, they are reduced ones. */
  want(slice: number, tiles: ITileRef[], level = 0): void {
    if (!this._shown || this._what === null || this._across) {
      return;
    }
    if (this._slice !== slice) {
      this._slice = slice;
      this.begin();
    }
    this._level = level;
    this._tiles.limit = Math.max(KEPT, 2 * tiles.length);
    if (tiles.length > TILES_IN_VIEW_MAX && !this.reduces) {
      this._flight?.controller.abort();
      this._wanted = [];
      this._set({ state: 'far' });
      return;
    }
    if (this._state.state === 'failed') {
      return;
    }
    const missing = tiles.filter(tile => (this._kept(slice, tile, level)?.version ?? -1) < this.version);
    const given = this._flight;
    const same = given && given.of === this._what && given.slice === slice && given.level === level;
    const alive = same && !given.controller.signal.aborted;
    if (given && !same) {
      given.controller.abort();
    }
    const flight = alive ? given : null;
    const coming = (tile: ITileRef) => flight?.tiles.some(one => one.row === tile.row && one.column === tile.column);
    if (flight && missing.length > 0 && !missing.some(coming)) {
      flight.controller.abort(); // the view has moved on
      this._wanted = missing;
    } else {
      this._wanted = missing.filter(tile => !coming(tile));
    }
    if (missing.length > 0) {
      this._set({ state: 'loading' });
    } else {
      this._settle();
    }
    void this._pump();
  }

  /** The key of a tile of the overlay that is shown. */
  key(slice: number, tile: ITileRef, level = 0): string {
    return keyOf(this._what ?? '', slice, tile, level);
  }

  /** The bytes of a tile, if it is kept. Beyond the image's edge the last pixels are repeated. */
  levels(slice: number, tile: ITileRef, level = 0): Uint8Array | undefined {
    return this._kept(slice, tile, level)?.levels;
  }

  /** The byte of a pixel, or of the reduced pixel in view that shows it; −1 if its tile is not kept. */
  at(slice: number, row: number, column: number): number {
    for (const level of [0, this._level]) {
      const [r, c] = [row >> level, column >> level];
      const tile = { row: Math.floor(r / LABEL_TILE), column: Math.floor(c / LABEL_TILE) };
      const levels = this.levels(slice, tile, level);
      if (levels) {
        return levels[(r % LABEL_TILE) * LABEL_TILE + (c % LABEL_TILE)]!;
      }
    }
    return -1;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this._flight?.controller.abort();
    this._wanted = [];
    this._tiles.clear();
    Signal.clearData(this);
  }

  /** The version to show; tiles of older versions are fetched again. */
  protected get version(): number {
    return 0;
  }

  /** Name of what the tiles show; null if it does not exist at present. */
  protected abstract what(): string | null;

  /** Request tiles. */
  protected abstract load(slice: number, tiles: ITileRef[], signal: AbortSignal, level: number): Promise<ILevels>;

  /** Start over, because the content changed or has to be fetched anew; running requests are cancelled. */
  protected begin(): void {
    this._what = this.what();
    this._flight?.controller.abort();
    this._wanted = [];
    this._state = { state: !this._shown ? 'off' : this._across ? 'across' : this._what === null ? 'gone' : 'loading' };
    this._changed.emit();
  }

  protected emitChanged(): void {
    this._changed.emit();
  }

  private _kept(slice: number, tile: ITileRef, level: number): IKeptTile | undefined {
    return this._tiles.get(this.key(slice, tile, level));
  }

  private _set(state: ByteTilesState): void {
    if (JSON.stringify(state) !== JSON.stringify(this._state)) {
      this._state = state;
      this._changed.emit();
    }
  }

  /** All tiles in view have arrived. */
  private _settle(): void {
    const range = this._what === null ? undefined : this._ranges.get(this._what);
    if (range && this._shown) {
      this._set({ state: 'ready', ...range });
    }
  }

  private async _pump(): Promise<void> {
    while (!this._flight && this._wanted.length > 0 && this._what !== null && !this._disposed) {
      const flight: IFlight = {
        of: this._what,
        slice: this._slice,
        level: this._level,
        version: this.version,
        // A reduced tile covers the pixels of many.
        tiles: this._wanted.splice(0, this._level > 0 ? 1 : BATCH),
        controller: new AbortController()
      };
      this._flight = flight;
      try {
        await this._load(flight);
      } catch (reason) {
        const error = BridgeError.from(reason);
        if (error.code !== 'cancelled' && !flight.controller.signal.aborted && !this._disposed) {
          this._wanted = [];
          this._set({ state: 'failed', message: error.message });
        }
      } finally {
        this._flight = null;
      }
    }
  }

  private async _load({ of, slice, level, version, tiles, controller }: IFlight): Promise<void> {
    const result = await this.load(slice, tiles, controller.signal, level);
    if (this._disposed || controller.signal.aborted) {
      return;
    }
    if (result.buffers.length !== tiles.length) {
      throw new BridgeError(
        'malformed',
        `The reply to a request for ${tiles.length} tiles has ${result.buffers.length} buffers.`
      );
    }
    this._ranges.set(of, { low: result.low, high: result.high });
    const keys = tiles.map(tile => keyOf(of, slice, tile, level));
    keys.forEach((key, i) =>
      this._tiles.set(key, {
        // The sidecar answers with the version of the request, or a newer one.
        version: Math.max(version, result.version),
        levels: this._decode(tiles[i]!, result.buffers[i]!, level)
      })
    );
    if (this._wanted.length === 0 && version >= this.version) {
      this._settle();
    }
    this._arrived.emit(keys);
  }

  private _decode(tile: ITileRef, buffer: Uint8Array, level: number): Uint8Array {
    const levels = decodeTile(buffer);
    const image = levelSize(this._image, level);
    // Repeat the last pixels beyond the edge: a reduced picture would have a dark seam otherwise.
    const rows = Math.min(LABEL_TILE, image.rows - tile.row * LABEL_TILE);
    const columns = Math.min(LABEL_TILE, image.columns - tile.column * LABEL_TILE);
    for (let at = 0; columns < LABEL_TILE && at < rows * LABEL_TILE; at += LABEL_TILE) {
      levels.fill(levels[at + columns - 1]!, at + columns, at + LABEL_TILE);
    }
    for (let row = rows; row < LABEL_TILE; row++) {
      levels.copyWithin(row * LABEL_TILE, (rows - 1) * LABEL_TILE, rows * LABEL_TILE);
    }
    return levels;
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _arrived = new Signal<this, string[]>(this);
  private readonly _tiles = new Lru<string, IKeptTile>({ limit: KEPT });
  private readonly _ranges = new Map<string, { low: number; high: number }>();
  private _what: string | null = null;
  private _shown = false;
  private _across = false;
  private _slice = 0;
  /** The level in view. */
  private _level = 0;
  private _state: ByteTilesState = { state: 'off' };
  private _wanted: ITileRef[] = [];
  private _flight: IFlight | null = null;
  private _disposed = false;
}

function keyOf(what: string, slice: number, { row, column }: ITileRef, level: number): string {
  return `${what}/${slice}@${level}/${row}/${column}`;
}
