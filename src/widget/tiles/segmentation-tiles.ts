/**
 * The segmentation of the slices as far as it was looked at. Tiles are kept as they came, compressed: a segmentation
 * compresses well, and one of 20,000² pixels would not fit otherwise.
 *
 * Tiles come in two ways. Those of the session's array are asked for, once they are in view, and have its version. Those of a round
 * of live segmentation come by themselves and run ahead of the array, which changes when the round is complete; until then no tile of
 * the array takes their place. Labels drawn here lie on top at once, whatever the tile below knows of them.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { IReply } from '../../kernel-bridge';
import { BridgeError, LABEL_TILE, Lru } from '../../shared';
import { ISize, ITileRef } from '../base/geometry';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { LabelStore } from '../labels/label-store';
import { decodeTile } from '../labels/patches';

/** Tiles asked for in one request. */
const BATCH = 32;
/** Compressed bytes that are kept; beyond, what came longest ago goes. */
const BYTES_MAX = 64 << 20;
/** What a tile takes besides, roughly: a blank one as well. */
const TILE_BYTES = 200;
/** Tiles that are kept inflated, of 64 KiB each: those that are being drawn on. */
const INFLATED = 48;

interface ITile {
  /** Version of the array that it is of; −1 if it has to be fetched again. */
  version: number;
  /** The live round that brought it; 0 if it was fetched. */
  round: number;
  /** Whether the array is not as far as this. */
  ahead: boolean;
  /** Version of the labels that the classifier behind it learned from, where that is known; else −1. */
  labelsVersion: number;
  /** Null where every pixel is 0. */
  bytes: Uint8Array | null;
}

/** Fetches, receives and keeps tiles of the segmentation. */
export class SegmentationTiles implements IDisposable {
  constructor(options: SegmentationTiles.IOptions) {
    this._options = options;
    this._tiles = new Lru({
      limit: options.bytesMax ?? BYTES_MAX,
      weight: ({ bytes }) => TILE_BYTES + (bytes?.byteLength ?? 0),
      onEvict: key => this._inflated.delete(key)
    });
    const { link, labels } = options;
    link.on('segmentation').connect((_, { params }) => {
      this.settle(params.version, params.round);
      this._outdated.emit();
    }, this);
    link.on('segmentation.tiles').connect(this._onTiles, this);
    link.on('labels').connect((_, { params }) => {
      this.staleAll(params.version);
      this._outdated.emit();
    }, this);
    labels.stored.connect((_, { patch, version }) => {
      // Labels that were drawn lie on top here too; only the sidecar knows the segmentation below erased ones.
      if (patch.classId === 0) {
        this.stale(patch.slice, patch.tiles, version);
      }
    }, this);
  }

  /** Emits the keys of the tiles that came. */
  get arrived(): ISignal<this, string[]> {
    return this._arrived;
  }

  /** Emits when tiles in view may be older than the array: name them again with {@link want}. */
  get outdated(): ISignal<this, void> {
    return this._outdated;
  }

  /** Emits why tiles could not be fetched. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The array's version; 0 for none. Tiles of older versions are shown until the new ones come. */
  get version(): number {
    return this._version;
  }

  /** Whether all tiles that were wanted last have come. */
  get settled(): boolean {
    return !this._busy && this._wanted.length === 0;
  }

  /** Whether tiles of a live round are shown that is not complete. */
  get ahead(): boolean {
    return [...this._tiles.values()].some(tile => tile.ahead);
  }

  /** How much is kept. */
  get size(): { tiles: number; bytes: number } {
    return { tiles: this._tiles.size, bytes: this._tiles.weight };
  }

  /**
   * The array has this version, made by this live round or by none. Tiles of the round are the array's, and older ones are fetched again
   * once they are in view.
   *
   * @returns whether anything is different now
   */
  settle(version: number, round = 0): boolean {
    if (version === this._version && round === this._settledRound) {
      return false;
    }
    this._version = version;
    this._settledRound = round;
    if (version === 0) {
      this._wanted = [];
      this._clear();
      return true;
    }
    for (const tile of this._tiles.values()) {
      if (tile.ahead && (round === 0 || tile.round <= round)) {
        tile.ahead = false;
        tile.version = tile.round === round && tile.version !== -1 ? version : -1;
      }
    }
    return true;
  }

  /** No round is under way any more that could complete what is shown: the array holds, or there is nothing. */
  fallBack(): void {
    if (this._version === 0) {
      this._clear();
      return;
    }
    for (const tile of this._tiles.values()) {
      if (tile.ahead) {
        tile.ahead = false;
        tile.version = -1;
      }
    }
  }

  /** The sidecar may be another one, or another round counts from 1: what comes next is the newest. */
  forgetRounds(): void {
    this._round = 0;
  }

  /**
   * Labels were erased in these tiles with this version of the labels, and what lies below is to be seen again: fetch them again once they
   * are in view.
   */
  stale(slice: number, tiles: readonly ITileRef[], labelsVersion: number): void {
    for (const tile of tiles) {
      const key = segmentationKey(slice, tile);
      this._erased.set(key, labelsVersion);
      this._changedMeanwhile.add(key);
      const kept = this._tiles.peek(key);
      if (kept) {
        kept.version = -1;
      }
    }
  }

  /** The labels were replaced as a whole: fetch everything again once it is in view. */
  staleAll(labelsVersion: number): void {
    this._allErased = labelsVersion;
    this._erased.clear();
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
    this._wanted = tiles.filter(tile => {
      const kept = this._tiles.peek(segmentationKey(slice, tile));
      return !kept || (!kept.ahead && kept.version !== this._version);
    });
    void this._pump();
  }

  /** The class ids of a tile with the labels on top, if it is here. The array is not to be changed. */
  classes(slice: number, tile: ITileRef): Uint8Array | undefined {
    const below = this._inflate(segmentationKey(slice, tile));
    const labels = below && this._options.labels.slice(slice).tile(tile.row, tile.column);
    if (!labels) {
      return below;
    }
    const out = below.slice();
    for (let i = 0; i < out.length; i++) {
      if (labels[i] !== 0) {
        out[i] = labels[i]!;
      }
    }
    return out;
  }

  /** The class id of a pixel; 0 where nothing is known. */
  at(slice: number, row: number, column: number): number {
    const tile = { row: Math.floor(row / LABEL_TILE), column: Math.floor(column / LABEL_TILE) };
    const at = (row % LABEL_TILE) * LABEL_TILE + (column % LABEL_TILE);
    const below = this._inflate(segmentationKey(slice, tile));
    return below ? this._options.labels.slice(slice).tile(tile.row, tile.column)?.[at] || below[at]! : 0;
  }

  /** The oldest labels that a classifier behind one of these tiles learned from; −1 where one is missing, or that is not known. */
  labelsVersion(slice: number, tiles: readonly ITileRef[]): number {
    return tiles.reduce(
      (oldest, tile) => Math.min(oldest, this._tiles.peek(segmentationKey(slice, tile))?.labelsVersion ?? -1),
      tiles.length > 0 ? Infinity : -1
    );
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this._clear();
    Signal.clearData(this);
  }

  /** Tiles of a live round came. Those of an older round than was seen are dropped. */
  private _onTiles(_: ISessionLink, { params, buffers }: ISessionEvent<'segmentation.tiles'>): void {
    const { slice, round, labelsVersion, tiles } = params;
    if (round < this._round) {
      return;
    }
    const { image, slices } = this._options;
    const outside = tiles.find(
      ({ row, column }) => row * LABEL_TILE >= image.rows || column * LABEL_TILE >= image.columns
    );
    if (buffers.length !== tiles.length || slice >= slices || outside) {
      const what = outside
        ? `tile (${outside.row}, ${outside.column}), which is outside the image`
        : `${tiles.length} tiles of slice ${slice} with ${buffers.length} buffers; the image has ${slices} slices`;
      this._failed.emit(new BridgeError('malformed', `Live segmentation came with ${what}.`));
      return;
    }
    this._round = round;
    const keys = tiles.map((tile, i) => {
      const key = segmentationKey(slice, tile);
      const erased = Math.max(this._allErased, this._erased.get(key) ?? 0);
      const version = erased > labelsVersion ? -1 : 0;
      this._put(key, { version, round, ahead: true, labelsVersion, bytes: copied(buffers[i]) });
      return key;
    });
    this._arrived.emit(keys);
  }

  private _clear(): void {
    this._tiles.clear();
    this._inflated.clear();
  }

  private _inflate(key: string): Uint8Array | undefined {
    const bytes = this._tiles.peek(key)?.bytes;
    if (!bytes) {
      return undefined;
    }
    let classes = this._inflated.get(key);
    if (!classes) {
      try {
        classes = decodeTile(bytes);
      } catch (error) {
        this._tiles.peek(key)!.bytes = null; // not to be said again with each frame
        this._failed.emit(BridgeError.from(error));
        return undefined;
      }
      this._inflated.set(key, classes);
    }
    return classes;
  }

  private _put(key: string, tile: ITile): void {
    this._inflated.delete(key);
    this._tiles.set(key, tile);
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
        this._take(slice, tiles, result, buffers);
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

  private _fetch(slice: number, tiles: ITileRef[]): Promise<IReply<'overlay.tiles'>> {
    const { link } = this._options;
    return link.request('overlay.tiles', { session: link.session, overlay: 'segmentation', slice, tiles });
  }

  private _take(
    slice: number,
    asked: readonly ITileRef[],
    { version, tiles }: IReply<'overlay.tiles'>['result'],
    buffers: readonly Uint8Array[]
  ): void {
    const came = new Map(tiles.map((tile, i) => [segmentationKey(slice, tile), buffers[i]]));
    const keys: string[] = [];
    for (const key of new Set([...asked.map(tile => segmentationKey(slice, tile)), ...came.keys()])) {
      const kept = this._tiles.peek(key);
      if (kept?.ahead || (kept && kept.version > version)) {
        continue; // a live round was faster
      }
      // What changed while it was on its way is shown, and fetched again.
      const changed = this._allChangedMeanwhile || this._changedMeanwhile.has(key);
      const bytes = copied(came.get(key));
      this._put(key, { version: changed ? -1 : version, round: 0, ahead: false, labelsVersion: -1, bytes });
      keys.push(key);
    }
    this._version = Math.max(this._version, version);
    this._arrived.emit(keys);
  }

  private readonly _options: SegmentationTiles.IOptions;
  /** Reading a tile does not mark it as used: what came longest ago goes first. */
  private readonly _tiles: Lru<string, ITile>;
  private readonly _inflated = new Lru<string, Uint8Array>({ limit: INFLATED });
  private readonly _arrived = new Signal<this, string[]>(this);
  private readonly _outdated = new Signal<this, void>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  private _version = 0;
  /** The newest live round that was seen. */
  private _round = 0;
  /** The live round that made the array; 0 for none. */
  private _settledRound = 0;
  private _slice = 0;
  private _wanted: ITileRef[] = [];
  private _busy = false;
  /** The version of the labels with which labels were last erased in a tile, and in all. */
  private readonly _erased = new Map<string, number>();
  private _allErased = 0;
  private readonly _changedMeanwhile = new Set<string>();
  private _allChangedMeanwhile = false;
  private _disposed = false;
}

/** The namespace for {@link SegmentationTiles}. */
export namespace SegmentationTiles {
  export interface IOptions {
    image: ISize;
    slices: number;
    link: ISessionLink;
    labels: Pick<LabelStore, 'slice' | 'stored'>;
    /** Compressed bytes that are kept at most. */
    bytesMax?: number;
  }
}

/** Names a tile of the segmentation of a slice. */
export function segmentationKey(slice: number, tile: ITileRef): string {
  return `${slice}/${tile.row}/${tile.column}`;
}

/** A buffer of its own: what came is a view of a whole message, which would be kept for it. */
function copied(buffer: Uint8Array | undefined): Uint8Array | null {
  return buffer ? buffer.slice() : null;
}
