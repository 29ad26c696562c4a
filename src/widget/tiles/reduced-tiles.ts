/**
 * Tiles of an overlay of class ids for views that are zoomed out: each pixel of level l stands for 2^l × 2^l pixels, so that a view needs no
 * more tiles than it shows, whatever the size of the image. They are fetched for the view and kept up to a limit in bytes.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, LABEL_TILE, Lru } from '../../shared';
import { ITileRef } from '../base/geometry';
import { ISessionLink } from '../base/session-link';
import { decodeTile } from '../labels/patches';

/** Bytes kept; each tile has 64 KiB. */
const BYTES_MAX = 24 << 20;
/** Bytes kept of the overlay before. */
const BEFORE_BYTES_MAX = 8 << 20;
/** Tiles a request asks for, at most. */
const BATCH = 16;
const TILE_BYTES = LABEL_TILE * LABEL_TILE;

/** Levels above this are not used: a tile of this one covers 65,536 pixels. */
export const LEVELS = 8;

/** A tile of a level. */
export interface ILevelTile extends ITileRef {
  level: number;
}

/** A tile that is kept. */
export interface IReducedTile {
  /** Version of the array; −1 if the tile has to be fetched again. */
  version: number;
  /** Number of the training that made it. */
  training: number;
  /** Class ids; do not change them. */
  classes: Uint8Array;
}

/** Fetches and keeps reduced tiles of one overlay. */
export class ReducedTiles implements IDisposable {
  constructor(private readonly _options: ReducedTiles.IOptions) {
    const limit = _options.bytesMax ?? BYTES_MAX;
    this._tiles = new Lru({ limit, weight: () => TILE_BYTES });
  }

  /** Emits the keys of tiles that arrived. */
  get arrived(): ISignal<this, string[]> {
    return this._arrived;
  }

  /** Emits why tiles could not be fetched. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether all tiles wanted last have arrived. */
  get settled(): boolean {
    return !this._busy && this._wanted.length === 0;
  }

  /** Number of tiles kept. */
  get size(): number {
    return this._tiles.size;
  }

  /** The level that was wanted last; 0 if full resolution was. */
  get level(): number {
    return this._level;
  }

  /** Fetch those of these tiles that are missing or of another version, most wanted first, then those of `upcoming` slices. */
  want(
    slice: number,
    level: number,
    tiles: readonly ITileRef[],
    version: number,
    upcoming: readonly number[] = []
  ): void {
    this._level = level;
    // A view that shows more tiles than are kept would fetch them for ever.
    this._tiles.limit = Math.max(this._options.bytesMax ?? BYTES_MAX, 2 * tiles.length * TILE_BYTES);
    this._wanted = [slice, ...upcoming].flatMap(of =>
      tiles
        .map(({ row, column }) => ({ slice: of, level, row, column }))
        .filter(tile => this._tiles.get(reducedKey(of, tile))?.version !== version)
    );
    void this._pump();
  }

  /** Nothing is wanted any more: the view shows full resolution, or nothing. */
  rest(): void {
    this._level = 0;
    this._wanted = [];
  }

  get(slice: number, tile: ILevelTile): IReducedTile | undefined {
    return this._tiles.peek(reducedKey(slice, tile));
  }

  /** The tile of the training before this one. */
  before(slice: number, tile: ILevelTile, training: number): Uint8Array | undefined {
    const key = reducedKey(slice, tile);
    const kept = this._tiles.peek(key);
    const found = kept?.training === training - 1 ? kept : this._before.get(key);
    return found?.training === training - 1 ? found.classes : undefined;
  }

  /** These tiles of full resolution changed: fetch those that cover them again when they come into view. */
  stale(slice: number, tiles: readonly ITileRef[]): void {
    for (const key of coveringKeys(slice, tiles)) {
      this._changed.add(key);
      const kept = this._tiles.peek(key);
      if (kept) {
        kept.version = -1;
      }
    }
  }

  /** All tiles changed. */
  staleAll(): void {
    this._allChanged = true;
    for (const kept of this._tiles.values()) {
      kept.version = -1;
    }
  }

  /** Forget all tiles. */
  clear(): void {
    this._wanted = [];
    this._tiles.clear();
    this._before.clear();
    this._generation++;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this.clear();
    Signal.clearData(this);
  }

  private async _pump(): Promise<void> {
    if (this._busy) {
      return;
    }
    this._busy = true;
    try {
      while (this._wanted.length > 0 && !this._disposed) {
        await this._load();
      }
    } catch (reason) {
      this._wanted = [];
      if (!this._disposed) {
        this._failed.emit(BridgeError.from(reason));
      }
    } finally {
      this._busy = false;
    }
  }

  /** Request the next tiles, all of one slice and level. */
  private async _load(): Promise<void> {
    const { slice, level } = this._wanted[0]!;
    const other = this._wanted.findIndex(tile => tile.slice !== slice || tile.level !== level);
    const asked = this._wanted.splice(0, Math.min(BATCH, other < 0 ? BATCH : other));
    this._changed.clear();
    this._allChanged = false;
    const generation = this._generation;
    const { link, overlay, training } = this._options;
    const { result, buffers } = await link.request('overlay.tiles', {
      session: link.session,
      overlay,
      slice,
      level,
      tiles: asked.map(({ row, column }) => ({ row, column }))
    });
    if (this._disposed || generation !== this._generation) {
      return; // there is no overlay any more
    }
    this._options.seen(result.version);
    const keys = result.tiles.map((tile, i) => {
      const key = reducedKey(slice, { ...tile, level });
      const kept = this._tiles.peek(key);
      if (kept && kept.training < training()) {
        this._before.set(key, kept);
      }
      // A tile that changed during the request is shown, and fetched again.
      const changed = this._allChanged || this._changed.has(key);
      const classes = decodeTile(buffers[i] ?? new Uint8Array());
      this._tiles.set(key, { version: changed ? -1 : result.version, training: training(), classes });
      return key;
    });
    this._arrived.emit(keys);
  }

  private readonly _arrived = new Signal<this, string[]>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  private readonly _tiles: Lru<string, IReducedTile>;
  /** Tiles of earlier trainings that newer ones replaced. */
  private readonly _before = new Lru<string, IReducedTile>({ limit: BEFORE_BYTES_MAX, weight: () => TILE_BYTES });
  private _wanted: (ILevelTile & { slice: number })[] = [];
  private _level = 0;
  private _busy = false;
  /** Keys of tiles that changed while a request was under way. */
  private readonly _changed = new Set<string>();
  private _allChanged = false;
  /** Counts how often all tiles were forgotten. */
  private _generation = 0;
  private _disposed = false;
}

/** The namespace for {@link ReducedTiles}. */
export namespace ReducedTiles {
  export interface IOptions {
    overlay: 'labels' | 'segmentation' | 'correction';
    link: ISessionLink;
    /** Called with the version of tiles that arrived, before they are kept. */
    seen(version: number): void;
    /** Counts the trainings whose results were seen. */
    training(): number;
    /** Bytes kept at most. */
    bytesMax?: number;
  }
}

/** The key of a reduced tile; at level 0, that of a tile of full resolution. */
export function reducedKey(slice: number, { level, row, column }: ILevelTile): string {
  return level === 0 ? `${slice}/${row}/${column}` : `${slice}@${level}/${row}/${column}`;
}

/** The keys of the tiles of all levels that cover these tiles of full resolution. */
export function coveringKeys(slice: number, tiles: readonly ITileRef[]): Set<string> {
  const keys = new Set<string>();
  for (const { row, column } of tiles) {
    for (let level = 1; level <= LEVELS; level++) {
      keys.add(reducedKey(slice, { level, row: row >> level, column: column >> level }));
    }
  }
  return keys;
}
