/**
 * Tiles of one byte a pixel for an overlay that is computed on demand: what is in view is fetched as the view moves, given up when it
 * moves on, and kept up to a bound. Tiles of an older version are shown until the new ones come.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, LABEL_TILE, Lru } from '../../shared';
import { ISize, ITileRef } from '../base/geometry';
import { decodeTile } from '../labels/patches';

/** Tiles in view at most: beyond, most of the image would have to be computed for a small picture. */
export const PREVIEW_TILES_MAX = 64;
/** Tiles asked for in one request: few, so that the first are soon seen. */
const BATCH = 8;
/** Tiles kept, of 64 KiB each. */
const KEPT = 320;

/**
 * How the overlay is. `low` and `high` are the values that bytes 0 and 255 stand for. `gone`: there is no such thing at present; it is
 * shown again once there is.
 */
export type PreviewState =
  | { state: 'off' }
  | { state: 'far' }
  | { state: 'gone' }
  | { state: 'loading' }
  | { state: 'ready'; low: number; high: number }
  | { state: 'failed'; message: string };

/** What a request brings: a buffer a tile. */
export interface ILevels {
  version: number;
  low: number;
  high: number;
  buffers: Uint8Array[];
}

interface IFlight {
  of: string;
  slice: number;
  version: number;
  tiles: ITileRef[];
  controller: AbortController;
}

interface IKeptTile {
  version: number;
  levels: Uint8Array;
}

/** Fetches and keeps the tiles of one session. What they are of, and whether it is there, is said by {@link begin}. */
export abstract class PreviewTiles implements IDisposable {
  constructor(private readonly _image: ISize) {}

  /** Emits when the state or the opacity changes, or what is shown. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits the keys of the tiles that came. */
  get arrived(): ISignal<this, string[]> {
    return this._arrived;
  }

  get state(): PreviewState {
    return this._state;
  }

  /** Whether it is to be shown: whoever switched it on has not switched it off. */
  get shown(): boolean {
    return this._shown;
  }

  /** Whether there is something to draw now. From far off a few tiles that happen to be here would be a patchwork. */
  get drawn(): boolean {
    return this._shown && this._state.state !== 'far' && this._state.state !== 'gone';
  }

  /** Whether tiles of it came before, of whatever version. */
  get any(): boolean {
    return this._what !== null && this._ranges.has(this._what);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  show(shown: boolean): void {
    if (shown !== this._shown) {
      this._shown = shown;
      this.begin();
    }
  }

  /** Ask again for what could not be had. */
  retry(): void {
    if (this._shown && this._state.state === 'failed') {
      this.begin();
    }
  }

  /** Name the tiles in view, most wanted first. */
  want(slice: number, tiles: ITileRef[]): void {
    if (!this._shown || this._what === null) {
      return;
    }
    if (this._slice !== slice) {
      this._slice = slice;
      this.begin();
    }
    if (tiles.length > PREVIEW_TILES_MAX) {
      this._flight?.controller.abort();
      this._wanted = [];
      this._set({ state: 'far' });
      return;
    }
    if (this._state.state === 'failed') {
      return;
    }
    const missing = tiles.filter(tile => (this._kept(slice, tile)?.version ?? -1) < this.version);
    const given = this._flight;
    const alive = given && given.of === this._what && given.slice === slice && !given.controller.signal.aborted;
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

  /** Names a tile of what is shown. */
  key(slice: number, tile: ITileRef): string {
    return keyOf(this._what ?? '', slice, tile);
  }

  /** The bytes of a tile, if it is here. Beyond the image's edge its last pixels go on. */
  levels(slice: number, tile: ITileRef): Uint8Array | undefined {
    return this._kept(slice, tile)?.levels;
  }

  /** The byte of a pixel; −1 where it is not known. */
  at(slice: number, row: number, column: number): number {
    const tile = { row: Math.floor(row / LABEL_TILE), column: Math.floor(column / LABEL_TILE) };
    return this.levels(slice, tile)?.[(row % LABEL_TILE) * LABEL_TILE + (column % LABEL_TILE)] ?? -1;
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

  /** The version to show; tiles of older ones are fetched again. */
  protected get version(): number {
    return 0;
  }

  /** Names what is shown; null if there is no such thing at present. */
  protected abstract what(): string | null;

  /** Get tiles. */
  protected abstract load(slice: number, tiles: ITileRef[], signal: AbortSignal): Promise<ILevels>;

  /** Something else is shown, or the same anew: what was asked for before is given up. */
  protected begin(): void {
    this._what = this.what();
    this._flight?.controller.abort();
    this._wanted = [];
    this._state = { state: !this._shown ? 'off' : this._what === null ? 'gone' : 'loading' };
    this._changed.emit();
  }

  protected emitChanged(): void {
    this._changed.emit();
  }

  private _kept(slice: number, tile: ITileRef): IKeptTile | undefined {
    return this._tiles.get(this.key(slice, tile));
  }

  private _set(state: PreviewState): void {
    if (JSON.stringify(state) !== JSON.stringify(this._state)) {
      this._state = state;
      this._changed.emit();
    }
  }

  /** Everything in view is here. */
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
        version: this.version,
        tiles: this._wanted.splice(0, BATCH),
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

  private async _load({ of, slice, version, tiles, controller }: IFlight): Promise<void> {
    const result = await this.load(slice, tiles, controller.signal);
    if (this._disposed || controller.signal.aborted) {
      return;
    }
    if (result.buffers.length !== tiles.length) {
      throw new BridgeError('malformed', `${tiles.length} tiles came with ${result.buffers.length} buffers.`);
    }
    this._ranges.set(of, { low: result.low, high: result.high });
    const keys = tiles.map(tile => keyOf(of, slice, tile));
    keys.forEach((key, i) =>
      this._tiles.set(key, {
        // What was asked for when a version was known is of that version at least.
        version: Math.max(version, result.version),
        levels: this._decode(tiles[i]!, result.buffers[i]!)
      })
    );
    if (this._wanted.length === 0 && version >= this.version) {
      this._settle();
    }
    this._arrived.emit(keys);
  }

  private _decode(tile: ITileRef, buffer: Uint8Array): Uint8Array {
    const levels = decodeTile(buffer);
    // So that no black seam comes in when the picture is reduced.
    const rows = Math.min(LABEL_TILE, this._image.rows - tile.row * LABEL_TILE);
    const columns = Math.min(LABEL_TILE, this._image.columns - tile.column * LABEL_TILE);
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
  private _slice = 0;
  private _state: PreviewState = { state: 'off' };
  private _wanted: ITileRef[] = [];
  private _flight: IFlight | null = null;
  private _disposed = false;
}

function keyOf(what: string, slice: number, { row, column }: ITileRef): string {
  return `${what}/${slice}/${row}/${column}`;
}
