/**
 * The segmentation of the slices as far as it was looked at. Tiles are kept as they came, compressed: a segmentation
 * compresses well, and one of 20,000² pixels would not fit otherwise.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, IReply, LABEL_TILE } from '../kernel-bridge';
import { ITileRef } from './geometry';
import { decodeTile } from './patches';

/** Tiles asked for in one request. */
const BATCH = 32;

interface ITile {
  version: number;
  /** Null where every pixel is 0. */
  bytes: Uint8Array | null;
}

/** Fetches and keeps tiles of the segmentation. */
export class SegmentationTiles implements IDisposable {
  constructor(options: SegmentationTiles.IOptions) {
    this._fetch = options.fetch;
  }

  /** Emits the keys of the tiles that came. */
  get arrived(): ISignal<this, string[]> {
    return this._arrived;
  }

  /** Emits the reason when tiles could not be had. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The version to show; 0 for none. Tiles of older versions are shown until the new ones come. */
  get version(): number {
    return this._version;
  }

  set version(version: number) {
    this._version = version;
    if (version === 0) {
      this._tiles.clear();
      this._wanted = [];
    }
  }

  /** Whether all tiles that were wanted last have come. */
  get settled(): boolean {
    return !this._busy && this._wanted.length === 0;
  }

  /** Labels changed in these tiles, and with them the segmentation: fetch them again once they are in view. */
  stale(slice: number, tiles: readonly ITileRef[]): void {
    for (const tile of tiles) {
      const key = segmentationKey(slice, tile);
      this._changedMeanwhile.add(key);
      const kept = this._tiles.get(key);
      if (kept) {
        kept.version = -1;
      }
    }
  }

  /** The labels were replaced as a whole: fetch everything again once it is in view. */
  staleAll(): void {
    this._allChangedMeanwhile = true;
    for (const tile of this._tiles.values()) {
      tile.version = -1;
    }
  }

  /** Name the tiles in view, most wanted first. */
  want(slice: number, tiles: ITileRef[]): void {
    if (this._version === 0) {
      this._wanted = [];
      return;
    }
    this._slice = slice;
    this._wanted = tiles.filter(tile => this._tiles.get(segmentationKey(slice, tile))?.version !== this._version);
    void this._pump();
  }

  /** The class ids of a tile, if it is here. */
  classes(slice: number, tile: ITileRef): Uint8Array | undefined {
    const kept = this._tiles.get(segmentationKey(slice, tile));
    return kept?.bytes ? decodeTile(kept.bytes) : undefined;
  }

  /** The class id of a pixel; 0 where nothing is known. */
  at(slice: number, row: number, column: number): number {
    const tile = { row: Math.floor(row / LABEL_TILE), column: Math.floor(column / LABEL_TILE) };
    return this.classes(slice, tile)?.[(row % LABEL_TILE) * LABEL_TILE + (column % LABEL_TILE)] ?? 0;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this._tiles.clear();
    Signal.clearData(this);
  }

  private async _pump(): Promise<void> {
    if (this._busy) {
      return;
    }
    this._busy = true;
    try {
      while (this._wanted.length > 0 && !this._disposed) {
        const slice = this._slice;
        const tiles = this._wanted.splice(0, BATCH);
        this._changedMeanwhile.clear();
        this._allChangedMeanwhile = false;
        const { result, buffers } = await this._fetch(slice, tiles);
        if (this._disposed) {
          return;
        }
        if (this._version === 0) {
          continue; // it was set aside while this was on its way
        }
        const keys = tiles.map(tile => segmentationKey(slice, tile));
        // What changed while it was on its way is shown, and fetched again.
        const version = (key: string) =>
          this._allChangedMeanwhile || this._changedMeanwhile.has(key) ? -1 : result.version;
        for (const key of keys) {
          this._tiles.set(key, { version: version(key), bytes: null });
        }
        result.tiles.forEach((tile, i) => {
          const key = segmentationKey(slice, tile);
          this._tiles.set(key, { version: version(key), bytes: buffers[i] ?? null });
        });
        this._version = Math.max(this._version, result.version);
        this._arrived.emit(keys);
      }
    } catch (error) {
      this._wanted = [];
      if (!this._disposed && this._version !== 0) {
        this._failed.emit(BridgeError.from(error));
      }
    } finally {
      this._busy = false;
    }
  }

  private readonly _fetch: (slice: number, tiles: ITileRef[]) => Promise<IReply<'overlay.tiles'>>;
  private readonly _tiles = new Map<string, ITile>();
  private readonly _arrived = new Signal<this, string[]>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  private _version = 0;
  private _slice = 0;
  private _wanted: ITileRef[] = [];
  private _busy = false;
  private readonly _changedMeanwhile = new Set<string>();
  private _allChangedMeanwhile = false;
  private _disposed = false;
}

/** The namespace for {@link SegmentationTiles}. */
export namespace SegmentationTiles {
  export interface IOptions {
    fetch(slice: number, tiles: ITileRef[]): Promise<IReply<'overlay.tiles'>>;
  }
}

/** Names a tile of the segmentation of a slice. */
export function segmentationKey(slice: number, tile: ITileRef): string {
  return `${slice}/${tile.row}/${tile.column}`;
}
