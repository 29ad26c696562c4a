/**
 * One feature as a picture over the image: tiles of grey levels for what is in view, fetched as the view moves, given up when it
 * moves on, and kept up to a bound.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, featureKey, featureNames, FeatureSpec, IReply, LABEL_TILE } from '../kernel-bridge';
import { ISize, ITileRef } from './geometry';
import { LruCache } from './lru';
import { decodeTile } from './patches';

/** Tiles in view at most: beyond, most of the image's features would have to be computed for a small picture. */
export const PREVIEW_TILES_MAX = 64;
/** Tiles asked for in one request: few, so that the first are soon seen. */
const BATCH = 8;
/** Tiles kept, of 64 KiB each. */
const KEPT = 320;

/**
 * How the preview is. `low` and `high` are the feature's values that are black and white. `gone`: the feature is not among those
 * that there are; it is shown again once it is.
 */
export type PreviewState =
  | { state: 'off' }
  | { state: 'far' }
  | { state: 'gone' }
  | { state: 'loading' }
  | { state: 'ready'; low: number; high: number }
  | { state: 'failed'; message: string };

/** What a request asks for. */
export interface IFeatureTiles {
  slice: number;
  features: FeatureSpec;
  channel: number;
  tiles: ITileRef[];
}

interface IFlight {
  of: string;
  slice: number;
  tiles: ITileRef[];
  controller: AbortController;
}

/** The preview of one session. */
export class FeaturePreview implements IDisposable {
  constructor(options: FeaturePreview.IOptions) {
    this._image = options.image;
    this._channels = options.channels;
    this._fetch = options.fetch;
  }

  /** Emits when the state, the feature or the opacity changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits when tiles came. */
  get arrived(): ISignal<this, void> {
    return this._arrived;
  }

  get state(): PreviewState {
    return this._state;
  }

  /** Names of the channels that can be chosen. */
  get names(): readonly string[] {
    return this._names;
  }

  /** Name of the channel that is chosen; one that is not there now keeps its name. */
  get name(): string {
    return this._names[this._channel] ?? this._chosen;
  }

  /** Number of the channel that is chosen, in the stack; −1 if it is not there. */
  get channel(): number {
    return this._channel;
  }

  /** Whether the feature is to be shown: whoever switched it on has not switched it off. */
  get shown(): boolean {
    return this._shown;
  }

  /** Whether there is something to draw now. From far off a few tiles that happen to be here would be a patchwork. */
  get drawn(): boolean {
    return this._shown && this._state.state !== 'far' && this._state.state !== 'gone';
  }

  /** 0 to 1. */
  get opacity(): number {
    return this._opacity;
  }

  set opacity(opacity: number) {
    this._opacity = Math.min(Math.max(opacity, 0), 1);
    this._changed.emit();
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The features that there are. The one that is chosen is followed by its name; it may go for a while and come back. */
  offer(spec: FeatureSpec): void {
    if (this._spec && featureKey(spec) === featureKey(this._spec)) {
      return;
    }
    this._spec = spec;
    this._names = featureNames(spec, this._channels);
    if (this._chosen === '') {
      this._chosen = this._names[0]!;
    }
    this._channel = this._find();
    this._begin();
  }

  /** Choose another channel, by its number in the stack. */
  choose(channel: number): void {
    const name = this._names[channel];
    if (name !== undefined && name !== this._chosen) {
      this._chosen = name;
      this._channel = channel;
      this._begin();
    }
  }

  show(shown: boolean): void {
    if (shown !== this._shown) {
      this._shown = shown;
      this._begin();
    }
  }

  /** Ask again for what could not be had. */
  retry(): void {
    if (this._shown && this._state.state === 'failed') {
      this._begin();
    }
  }

  /** Name the tiles in view, most wanted first. */
  want(slice: number, tiles: ITileRef[]): void {
    if (!this._shown || this._channel < 0) {
      return;
    }
    if (this._slice !== slice) {
      this._slice = slice;
      this._begin();
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
    const missing = tiles.filter(tile => !this._tiles.has(this.key(slice, tile)));
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
    return `${this._what}/${slice}/${tile.row}/${tile.column}`;
  }

  /** The grey levels of a tile, if it is here. Beyond the image's edge its last pixels go on. */
  levels(slice: number, tile: ITileRef): Uint8Array | undefined {
    return this._tiles.get(this.key(slice, tile));
  }

  /** The grey level of a pixel; −1 where it is not known. */
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

  /** Where the chosen channel is among the names; −1 if it is not. Per channel or of the luminance, it is the same feature. */
  private _find(): number {
    const exact = this._names.indexOf(this._chosen);
    if (exact >= 0) {
      return exact;
    }
    const bare = (name: string) => name.replace(/^(?:red|green|blue): /, '');
    return this._names.findIndex(name => bare(name) === bare(this._chosen));
  }

  /** Another feature, or the same anew: what was asked for before is given up. */
  private _begin(): void {
    const key = `${featureKey(this._spec!)}${this.name}`;
    let what = this._known.get(key);
    if (what === undefined) {
      what = String(this._known.size);
      this._known.set(key, what);
    }
    this._what = what;
    this._flight?.controller.abort();
    this._wanted = [];
    this._state = { state: !this._shown ? 'off' : this._channel < 0 ? 'gone' : 'loading' };
    this._changed.emit();
  }

  private _set(state: PreviewState): void {
    if (JSON.stringify(state) !== JSON.stringify(this._state)) {
      this._state = state;
      this._changed.emit();
    }
  }

  /** Everything in view is here. */
  private _settle(): void {
    const range = this._ranges.get(this._what);
    if (range && this._shown) {
      this._set({ state: 'ready', ...range });
    }
  }

  private async _pump(): Promise<void> {
    while (!this._flight && this._wanted.length > 0 && !this._disposed) {
      const flight: IFlight = {
        of: this._what,
        slice: this._slice,
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

  private async _load({ of, slice, tiles, controller }: IFlight): Promise<void> {
    const wanted = { slice, features: this._spec!, channel: this.channel, tiles };
    const { result, buffers } = await this._fetch(wanted, controller.signal);
    if (this._disposed || controller.signal.aborted) {
      return;
    }
    if (buffers.length !== tiles.length) {
      throw new BridgeError('malformed', `${tiles.length} tiles of a feature came with ${buffers.length} buffers.`);
    }
    this._ranges.set(of, { low: result.low, high: result.high });
    tiles.forEach((tile, i) =>
      this._tiles.set(`${of}/${slice}/${tile.row}/${tile.column}`, this._decode(tile, i, buffers))
    );
    if (this._wanted.length === 0) {
      this._settle();
    }
    this._arrived.emit();
  }

  private _decode(tile: ITileRef, i: number, buffers: Uint8Array[]): Uint8Array {
    const levels = decodeTile(buffers[i]!);
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

  private readonly _image: ISize;
  private readonly _channels: number;
  private readonly _fetch: FeaturePreview.IOptions['fetch'];
  private readonly _changed = new Signal<this, void>(this);
  private readonly _arrived = new Signal<this, void>(this);
  private readonly _tiles = new LruCache<string, Uint8Array>(KEPT);
  /** Short names of the features that were shown, by spec and channel. */
  private readonly _known = new Map<string, string>();
  private readonly _ranges = new Map<string, { low: number; high: number }>();
  private _spec: FeatureSpec | null = null;
  private _names: string[] = [];
  private _chosen = '';
  private _channel = 0;
  private _what = '';
  private _shown = false;
  private _opacity = 1;
  private _slice = 0;
  private _state: PreviewState = { state: 'off' };
  private _wanted: ITileRef[] = [];
  private _flight: IFlight | null = null;
  private _disposed = false;
}

/** The namespace for {@link FeaturePreview}. */
export namespace FeaturePreview {
  export interface IOptions {
    image: ISize;
    /** Channels of the image: 1 or 3. */
    channels: number;
    fetch(wanted: IFeatureTiles, signal: AbortSignal): Promise<IReply<'feature.tiles'>>;
  }
}
