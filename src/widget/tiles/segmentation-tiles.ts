/**
 * The segmentation, as far as the user has looked at it. Tiles are kept compressed, as they arrive: a segmentation compresses
 * well, and one of 20,000² pixels would not fit in memory otherwise.
 *
 * Tiles arrive in two ways. Tiles of the session's array are requested when they come into view, and have the array's version.
 * Tiles of a live round arrive as events and are ahead of the array, which changes when the round is complete; until then no tile
 * of the array replaces them. Labels always lie on top, even if a tile was computed without them.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { IReply } from '../../kernel-bridge';
import { BridgeError, LABEL_TILE, Lru } from '../../shared';
import { ISize, ITileRef } from '../base/geometry';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { LabelStore } from '../labels/label-store';
import { decodeTile } from '../labels/patches';
import { layPiece, reduceMiddles } from '../labels/reduce';
import { partInImage } from './contours';
import { ReducedTiles } from './reduced-tiles';

/** Tiles a request asks for, at most. */
const BATCH = 32;
/** Compressed bytes kept; above that, the tiles that arrived longest ago are dropped. */
const BYTES_MAX = 64 << 20;
/** Rough size of a tile without its bytes. */
const TILE_BYTES = 200;
/** Compressed bytes kept of the segmentation before. */
const BEFORE_BYTES_MAX = 32 << 20;
/** Bytes of tiles kept that are reduced to lie on reduced ones. */
const PIECES_BYTES_MAX = 4 << 20;
/** Inflated tiles kept, 64 KiB each: those that labels are being drawn on. */
const INFLATED = 48;

interface ITile {
  /** Version of the array; −1 if the tile has to be fetched again. */
  version: number;
  /** The live round that brought it; 0 if it was fetched. */
  round: number;
  /** Whether its round is not complete yet, so that the array lacks it. */
  ahead: boolean;
  /** Number of the training that made it, among those that were seen; {@link SegmentationTiles.training} is the last. */
  training: number;
  /** Version of the labels that its classifier learned from; −1 if unknown. */
  labelsVersion: number;
  /** Compressed class ids; null if every pixel is 0. */
  bytes: Uint8Array | null;
}

/** A tile of full resolution, or of a level; see `ReducedTiles`. */
export type SegmentationTile = ITileRef & { level?: number };

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
    this._reduced = new ReducedTiles({
      overlay: 'segmentation',
      link,
      seen: version => this._seen(version),
      training: () => this._training
    });
    this._reduced.arrived.connect((_, keys) => this._arrived.emit(keys), this);
    this._reduced.failed.connect((_, error) => this._version !== 0 && this._failed.emit(error), this);
    link.on('segmentation').connect((_, { params }) => {
      this.settle(params.version, params.round);
      this._outdated.emit();
    }, this);
    link.on('segmentation.tiles').connect(this._onTiles, this);
    link.on('labels').connect((_, { params }) => {
      this.staleAll(params.version);
      this._outdated.emit();
    }, this);
    for (const layer of [labels, options.correction]) {
      layer?.crossed.connect((_: unknown, version: number) => {
        this.staleAll(version);
        this._outdated.emit();
      }, this);
    }
    labels.stored.connect((_, { slice, tiles, erases, version }) => {
      // Labels that were drawn lie on top here too; only the sidecar knows the segmentation below erased ones.
      if (erases) {
        this.stale(slice, tiles, version);
      }
    }, this);
  }

  /** Emits the keys of tiles that arrived. */
  get arrived(): ISignal<this, string[]> {
    return this._arrived;
  }

  /** Emits when tiles in view may be outdated; {@link want} fetches them again. */
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

  /** The array's version; 0 if there is no segmentation. Tiles of older versions are shown until new ones arrive. */
  get version(): number {
    return this._version;
  }

  /** Counts the trainings whose segmentations were seen. */
  get training(): number {
    return this._training;
  }

  /** The level of the tiles that were wanted last. */
  get level(): number {
    return this._reduced.level;
  }

  /** Whether all tiles wanted last have arrived. */
  get settled(): boolean {
    return this._fetching !== this._slice && this._wanted.length === 0 && this._reduced.settled;
  }

  /** Whether tiles of an incomplete live round are kept. */
  get ahead(): boolean {
    return [...this._tiles.values()].some(tile => tile.ahead);
  }

  /** Number of tiles kept, and their bytes. */
  get size(): { tiles: number; bytes: number } {
    const reduced = this._reduced.size;
    return { tiles: this._tiles.size + reduced, bytes: this._tiles.weight + reduced * LABEL_TILE ** 2 };
  }

  /**
   * The array has this version, made by this live round (0: by none). Tiles of the round now belong to the array; older ones are
   * fetched again when they come into view.
   *
   * @returns whether version or round are new
   */
  settle(version: number, round = 0): boolean {
    if (version === this._version && round === this._settledRound) {
      return false;
    }
    if (version > this._version && (round === 0 || round !== this._countedRound)) {
      this._training++;
    }
    this._version = version;
    this._settledRound = round;
    if (version === 0) {
      this._wanted = this._upcoming = [];
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

  /** No live round will complete the tiles that are ahead: fetch the array's instead, or drop all tiles if there is no array. */
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

  /** Rounds count from 1 again, after a restart of the sidecar for example: take the next one as the newest. */
  forgetRounds(): void {
    this._round = this._countedRound = 0;
  }

  /** This version of the labels erased some in these tiles, so that the segmentation shows again: fetch the tiles when in view. */
  stale(slice: number, tiles: readonly ITileRef[], labelsVersion: number): void {
    this._reduced.stale(slice, tiles);
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

  /** This version replaced the labels as a whole: fetch every tile again when it comes into view. */
  staleAll(labelsVersion: number): void {
    this._allErased = labelsVersion;
    this._reduced.staleAll();
    this._erased.clear();
    this._allChangedMeanwhile = true;
    for (const tile of this._tiles.values()) {
      tile.version = -1;
    }
  }

  /**
   * Fetch the missing and outdated ones among the tiles in view, which come most wanted first, then those of `upcoming`, the same
   * places of slices that come into view next. At a level, the tiles are reduced ones.
   */
  want(slice: number, tiles: ITileRef[], upcoming: readonly number[] = [], level = 0): void {
    this._wanted = this._upcoming = [];
    if (this._version === 0) {
      return;
    }
    if (level > 0) {
      this._reduced.want(slice, level, tiles, this._version, upcoming);
      return;
    }
    this._reduced.rest();
    const missing = (of: number) =>
      tiles
        .filter(tile => {
          const kept = this._tiles.peek(segmentationKey(of, tile));
          return !kept || (!kept.ahead && kept.version !== this._version);
        })
        .map(tile => ({ ...tile, slice: of }));
    this._slice = slice;
    this._wanted = missing(slice);
    this._upcoming = upcoming.flatMap(missing);
    void this._pump();
  }

  /** The class ids of a tile with the labels on top, if it is kept. Do not change the array. */
  classes(slice: number, tile: SegmentationTile): Uint8Array | undefined {
    if (tile.level) {
      return this._reducedClasses(slice, { ...tile, level: tile.level });
    }
    const below = this._inflate(segmentationKey(slice, tile));
    let out = below;
    for (const layer of below ? [this._options.labels, this._options.correction] : []) {
      const over = layer?.slice(slice).tile(tile.row, tile.column);
      if (over) {
        out = out!.map((id, i) => over[i]! || id);
      }
    }
    return out;
  }

  /**
   * The class ids of a tile in the segmentation before the last training, with the labels of that time on top; undefined if the tile was not
   * shown then. Do not change the array.
   */
  before(slice: number, tile: SegmentationTile): Uint8Array | undefined {
    if (tile.level) {
      return this._reduced.before(slice, { ...tile, level: tile.level }, this._training);
    }
    const key = segmentationKey(slice, tile);
    const kept = this._tiles.peek(key);
    // A tile that was not fetched since is the one before.
    const found = kept && kept.training === this._training - 1 ? kept : this._before.get(key);
    if (!found?.bytes || found.training !== this._training - 1) {
      return undefined;
    }
    try {
      return decodeTile(found.bytes);
    } catch {
      return undefined; // it was reported when it was the present one
    }
  }

  /** The class id of a pixel; if its tile is not kept, that of the reduced pixel that shows it, or 0. */
  at(slice: number, row: number, column: number): number {
    const tile = { row: Math.floor(row / LABEL_TILE), column: Math.floor(column / LABEL_TILE) };
    const at = (row % LABEL_TILE) * LABEL_TILE + (column % LABEL_TILE);
    const below = this._inflate(segmentationKey(slice, tile))?.[at] ?? this._reducedAt(slice, row, column);
    if (below === undefined) {
      return 0;
    }
    const { labels, correction } = this._options;
    const over = (layer?: Pick<LabelStore, 'slice'>) => layer?.slice(slice).tile(tile.row, tile.column)?.[at];
    return over(correction) || over(labels) || below;
  }

  /** The oldest version of the labels that these tiles' classifiers learned from; −1 if a tile is missing or its version unknown. */
  labelsVersion(slice: number, tiles: readonly ITileRef[]): number {
    if (this._tiles.size === 0) {
      return -1;
    }
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
    this._reduced.dispose();
    Signal.clearData(this);
  }

  /** Keep the tiles of a live round, unless a newer round has sent tiles already. */
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
      const problem = outside
        ? `tile (${outside.row}, ${outside.column}) lies outside the image`
        : `${tiles.length} tiles of slice ${slice} have ${buffers.length} buffers; the image has ${slices} slices`;
      this._failed.emit(new BridgeError('malformed', `Live segmentation: ${problem}.`));
      return;
    }
    if (round > this._countedRound) {
      this._countedRound = round;
      this._training++;
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
    this._pieces.clear();
    this._reduced.clear();
  }

  /** A reduced tile, with tiles of full resolution on it that are newer, and with what was drawn since. */
  private _reducedClasses(slice: number, tile: ITileRef & { level: number }): Uint8Array | undefined {
    const { level } = tile;
    const { image, labels, correction } = this._options;
    const base = this._reduced.get(slice, tile);
    let out = base?.classes.slice();
    const by = 2 ** level;
    const drawn = [labels.slice(slice), ...(correction ? [correction.slice(slice)] : [])];
    const lay = (piece: Uint8Array, at: ITileRef) => {
      out ??= new Uint8Array(LABEL_TILE * LABEL_TILE);
      layPiece(out, piece, level, at);
    };
    for (let r = tile.row * by; r < (tile.row + 1) * by && r * LABEL_TILE < image.rows; r++) {
      for (let c = tile.column * by; c < (tile.column + 1) * by && c * LABEL_TILE < image.columns; c++) {
        const at = { row: r, column: c };
        const kept = this._tiles.size > 0 ? this._tiles.peek(segmentationKey(slice, at)) : undefined;
        if (kept && (!base || kept.ahead || kept.version > base.version)) {
          const piece = this._piece(slice, at, level);
          if (piece) {
            lay(piece, at);
          }
        }
        for (const layer of out ? drawn : []) {
          const piece = layer.reduced(r, c, level);
          if (piece) {
            lay(piece, at);
          }
        }
      }
    }
    return out;
  }

  /** A tile of full resolution, reduced. */
  private _piece(slice: number, tile: ITileRef, level: number): Uint8Array | undefined {
    const key = segmentationKey(slice, tile);
    const kept = this._pieces.get(key);
    if (kept?.level === level) {
      return kept.ids;
    }
    const classes = this._inflate(key);
    const ids = classes && reduceMiddles(classes, level, partInImage(tile, this._options.image));
    if (ids) {
      this._pieces.set(key, { level, ids });
    }
    return ids;
  }

  /** The class id of the reduced pixel that shows a pixel. */
  private _reducedAt(slice: number, row: number, column: number): number | undefined {
    const { level } = this._reduced;
    const side = LABEL_TILE * 2 ** level;
    const tile = { level, row: Math.floor(row / side), column: Math.floor(column / side) };
    const [r, c] = [(row % side) >> level, (column % side) >> level];
    return this._reduced.get(slice, tile)?.classes[r * LABEL_TILE + c];
  }

  /** A reply has this version of the array. */
  private _seen(version: number): void {
    if (version > this._version) {
      this._training++; // the reply was faster than the event
      this._version = version;
    }
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
        this._tiles.peek(key)!.bytes = null; // report the error once, not with each frame
        this._failed.emit(BridgeError.from(error));
        return undefined;
      }
      this._inflated.set(key, classes);
    }
    return classes;
  }

  private _put(key: string, without: Omit<ITile, 'training'>): void {
    const tile = { ...without, training: this._training };
    const kept = this._tiles.peek(key);
    if (kept && kept.training < tile.training) {
      this._before.set(key, { training: kept.training, bytes: kept.bytes });
    }
    this._inflated.delete(key);
    this._pieces.delete(key);
    this._tiles.set(key, tile);
  }

  private async _pump(): Promise<void> {
    if (this._busy) {
      return;
    }
    this._busy = true;
    try {
      for (let next = this._next(); next && !this._disposed; next = this._next()) {
        const { slice, tiles } = next;
        this._fetching = slice;
        this._changedMeanwhile.clear();
        this._allChangedMeanwhile = false;
        const { result, buffers } = await this._fetch(slice, tiles);
        if (this._disposed) {
          return;
        }
        if (this._version === 0) {
          continue; // the segmentation was dropped meanwhile
        }
        this._take(slice, tiles, result, buffers);
      }
    } catch (error) {
      this._wanted = this._upcoming = [];
      if (!this._disposed && this._version !== 0) {
        this._failed.emit(BridgeError.from(error));
      }
    } finally {
      this._busy = false;
      this._fetching = -1;
    }
  }

  /** Take the tiles to request next, all of one slice. */
  private _next(): { slice: number; tiles: ITileRef[] } | null {
    const list = this._wanted.length > 0 ? this._wanted : this._upcoming;
    const slice = list[0]?.slice;
    if (slice === undefined) {
      return null;
    }
    const end = list.findIndex(tile => tile.slice !== slice);
    const tiles = list.splice(0, Math.min(BATCH, end < 0 ? list.length : end));
    return { slice, tiles: tiles.map(({ row, column }) => ({ row, column })) };
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
    this._seen(version);
    const keys: string[] = [];
    for (const key of new Set([...asked.map(tile => segmentationKey(slice, tile)), ...came.keys()])) {
      const kept = this._tiles.peek(key);
      if (kept?.ahead || (kept && kept.version > version)) {
        continue; // a live round or a newer reply was faster
      }
      // A tile that changed during the request is shown, and fetched again.
      const changed = this._allChangedMeanwhile || this._changedMeanwhile.has(key);
      const bytes = copied(came.get(key));
      this._put(key, { version: changed ? -1 : version, round: 0, ahead: false, labelsVersion: -1, bytes });
      keys.push(key);
    }
    this._arrived.emit(keys);
  }

  private readonly _options: SegmentationTiles.IOptions;
  /** Read with `peek`, so that the tile that arrived longest ago is dropped first. */
  private readonly _tiles: Lru<string, ITile>;
  private readonly _reduced: ReducedTiles;
  private readonly _pieces = new Lru<string, { level: number; ids: Uint8Array }>({
    limit: PIECES_BYTES_MAX,
    weight: ({ ids }) => ids.byteLength + TILE_BYTES
  });
  private readonly _inflated = new Lru<string, Uint8Array>({ limit: INFLATED });
  private readonly _arrived = new Signal<this, string[]>(this);
  private readonly _outdated = new Signal<this, void>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  /** Tiles of earlier trainings that newer ones replaced. */
  private readonly _before = new Lru<string, Pick<ITile, 'training' | 'bytes'>>({
    limit: BEFORE_BYTES_MAX,
    weight: ({ bytes }) => TILE_BYTES + (bytes?.byteLength ?? 0)
  });
  private _training = 0;
  /** The live round that {@link _training} has counted. */
  private _countedRound = 0;
  private _version = 0;
  /** The newest live round that has sent tiles. */
  private _round = 0;
  /** The live round that made the array; 0 if none did. */
  private _settledRound = 0;
  private _slice = 0;
  /** The tiles in view that are not requested yet, and those of slices that come into view next. */
  private _wanted: (ITileRef & { slice: number })[] = [];
  private _upcoming: (ITileRef & { slice: number })[] = [];
  private _busy = false;
  /** The slice whose tiles are being requested; −1 for none. */
  private _fetching = -1;
  /** The version of the labels that last erased some in each tile, and in all tiles. */
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
    labels: Pick<LabelStore, 'slice' | 'stored' | 'crossed'>;
    /** What was drawn on the segmentation: it lies on top of the labels. */
    correction?: Pick<LabelStore, 'slice' | 'crossed'>;
    /** Compressed bytes kept at most. */
    bytesMax?: number;
  }
}

/** The key of a tile of the segmentation, and of the labels. */
export function segmentationKey(slice: number, tile: ITileRef): string {
  return `${slice}/${tile.row}/${tile.column}`;
}

/** Copy a received buffer: it is a view of a whole message, which would stay in memory with it. */
function copied(buffer: Uint8Array | undefined): Uint8Array | null {
  return buffer ? buffer.slice() : null;
}
