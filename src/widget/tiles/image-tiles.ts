/**
 * The image's tiles: fetched for the view, those in its middle first, and kept up to a limit, as pixels and as small canvases. No canvas of
 * the image's size exists. Where the contrast changes, the canvases are drawn anew from the pixels.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { areaOf, BridgeError, Contrast, IMAGE_TILE, Lru, Rect, Result } from '../../shared';
import { release } from '../base/dom';
import { ISize, ITileRef, levelSize, tilesIn, topLevel } from '../base/geometry';
import { ISessionLink } from '../base/session-link';
import { IRange, makeLut, storedValues, toRgba } from './display-map';

/** Requests under way: enough to keep the connection busy, few enough that tiles of the current view arrive soon. */
const IN_FLIGHT = 4;
/** Requests under way while tiles are fetched ahead: the rest is free for the view. */
const IN_FLIGHT_AHEAD = 3;
/**
 * Bytes of tiles kept, as pixels and as canvases; more if the tiles in view have more. A tile of 16-bit greys has 1.5 MiB, so that these
 * are those of two views of 1900 × 1000 device pixels.
 */
const BYTES_MAX = 128 << 20;
/** Pause after a failure before tiles are requested again, in milliseconds. */
const RETRY_MS = 2000;

/** A tile of one level of one slice. */
export interface IImageTileRef extends ITileRef {
  slice: number;
  level: number;
}

/** The part of a canvas that shows a tile. */
export interface ITilePicture {
  canvas: HTMLCanvasElement;
  x: number;
  y: number;
  width: number;
  height: number;
  /** False if it is a part of a coarser level. */
  exact: boolean;
}

/** The values of the first and the last stored number of tiles, and how they are shown. */
export interface ILook {
  /** Of 16-bit tiles; those of 8 bits hold the image's values. */
  range: IRange;
  display: Contrast;
}

/** A tile that is kept. */
interface IKept {
  bytes: Uint8Array;
  tile: Result<'image.tile'>;
  /** The values of the first and the last stored number. */
  range: IRange;
  canvas: HTMLCanvasElement;
  /** How the canvas shows it; null before it is drawn. */
  display: Contrast | null;
}

/** The tile cache of one session. */
export class ImageTiles implements IDisposable {
  constructor(options: ImageTiles.IOptions) {
    this._image = options.image;
    this._link = options.link;
    this._usual = options.look.range;
    this._look = options.look;
    this._bytesMax = options.bytesMax ?? BYTES_MAX;
    this._cache = new Lru({ limit: this._bytesMax, weight: weightOf, onEvict: (_, { canvas }) => release(canvas) });
  }

  /** Emits when a tile arrived, or when failed tiles may be wanted again. */
  get arrived(): ISignal<this, void> {
    return this._arrived;
  }

  /** Emits why a tile could not be fetched. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** How tiles are shown from now on. Those of another range stay until new ones arrive. */
  set look(look: ILook) {
    this._look = look;
  }

  /** Bytes kept, as pixels and as canvases. */
  get bytes(): number {
    return this._cache.weight;
  }

  /** Number of tiles in view that are requested or wait to be. */
  get pending(): number {
    return this._inView.filter(tile => this._inFlight.has(keyOf(tile))).length + this._wanted.length;
  }

  /**
   * Fetch the tiles in view, most wanted first, then those of `upcoming`, the same places of slices that come into view next. Tiles
   * that were wanted before and are not requested yet are dropped.
   */
  want(tiles: IImageTileRef[], upcoming: readonly number[] = []): void {
    this._needed = Math.ceil(1.25 * tiles.length) + 1; // with a quarter more for the next move, and the coarsest level
    this._bound();
    // The coarsest level, the whole image in one tile, is drawn where finer tiles are missing.
    const slice = tiles[0]?.slice ?? 0;
    const top = { slice, level: topLevel(this._image), row: 0, column: 0 };
    this._cache.get(keyOf(top)); // so that it is not dropped
    const isTop = (tile: IImageTileRef) => keyOf(tile) === keyOf(top);
    this._inView = tiles.some(isTop) ? tiles : [top, ...tiles];
    const missing = (tile: IImageTileRef) => !this._has(tile) && !this._inFlight.has(keyOf(tile));
    this._wanted = this._inView.filter(missing);
    this._ahead = upcoming.flatMap(next => tiles.map(tile => ({ ...tile, slice: next }))).filter(missing);
    this._pump();
  }

  /** The picture of a tile, from a coarser level if need be; undefined if no level of it is kept. */
  picture(tile: IImageTileRef): ITilePicture | undefined {
    const whole = this._canvas(tile);
    if (whole) {
      return { canvas: whole, x: 0, y: 0, width: whole.width, height: whole.height, exact: true };
    }
    for (let up = 1; tile.level + up <= topLevel(this._image); up++) {
      const by = 2 ** up;
      const level = tile.level + up;
      const row = Math.floor(tile.row / by);
      const column = Math.floor(tile.column / by);
      const canvas = this._canvas({ slice: tile.slice, level, row, column });
      if (canvas) {
        const size = levelSize(this._image, tile.level);
        return {
          canvas,
          x: (tile.column * IMAGE_TILE) / by - column * IMAGE_TILE,
          y: (tile.row * IMAGE_TILE) / by - row * IMAGE_TILE,
          width: Math.min(IMAGE_TILE, size.columns - tile.column * IMAGE_TILE) / by,
          height: Math.min(IMAGE_TILE, size.rows - tile.row * IMAGE_TILE) / by,
          exact: false
        };
      }
    }
    return undefined;
  }

  /**
   * The stored numbers of a pixel of the image, one for each channel, with the values that the first and the last number stand for; null if
   * its tile is not kept at full resolution.
   */
  at(
    slice: number,
    row: number,
    column: number
  ): { stored: number[]; dtype: 'uint8' | 'uint16'; range: IRange } | null {
    const at = { row: Math.floor(row / IMAGE_TILE), column: Math.floor(column / IMAGE_TILE) };
    const kept = this._cache.peek(keyOf({ slice, level: 0, ...at }));
    if (!kept) {
      return null;
    }
    const { tile, bytes, range } = kept;
    const values = storedValues(bytes, tile);
    const first = ((row % IMAGE_TILE) * tile.columns + (column % IMAGE_TILE)) * tile.channels;
    return { stored: [...values.subarray(first, first + tile.channels)], dtype: tile.dtype, range };
  }

  /**
   * The grey values of a rectangle, float32 rows × columns, the mean of channels, as stored numbers; null if a tile of it is not kept at full resolution,
   * or if tiles of it have other ranges.
   */
  greys(slice: number, rect: Rect): Float32Array | null {
    const columns = rect.column1 - rect.column0;
    const out = new Float32Array(areaOf(rect));
    let first: IKept | undefined;
    for (const at of tilesIn(rect, IMAGE_TILE)) {
      const kept = this._cache.peek(keyOf({ slice, level: 0, ...at }));
      first ??= kept;
      if (!kept || !isSame(kept.range, first!.range)) {
        return null;
      }
      const { tile, bytes } = kept;
      const values = storedValues(bytes, tile);
      const [top, left] = [at.row * IMAGE_TILE, at.column * IMAGE_TILE];
      for (let row = Math.max(rect.row0, top); row < Math.min(rect.row1, top + tile.rows); row++) {
        for (
          let column = Math.max(rect.column0, left);
          column < Math.min(rect.column1, left + tile.columns);
          column++
        ) {
          const from = ((row - top) * tile.columns + column - left) * tile.channels;
          let sum = 0;
          for (let channel = 0; channel < tile.channels; channel++) {
            sum += values[from + channel]!;
          }
          out[(row - rect.row0) * columns + column - rect.column0] = sum / tile.channels;
        }
      }
    }
    return out;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    clearTimeout(this._timer);
    this._wanted = this._ahead = [];
    for (const { canvas } of this._cache.values()) {
      release(canvas);
    }
    this._cache.clear();
    Signal.clearData(this);
  }

  private _bound(): void {
    this._cache.limit = Math.max(this._bytesMax, this._needed * this._largest);
  }

  /** Whether a tile is kept as it has to be shown. */
  private _has(tile: IImageTileRef): boolean {
    const kept = this._cache.peek(keyOf(tile));
    return kept !== undefined && (kept.tile.dtype === 'uint8' || isSame(kept.range, this._look.range));
  }

  /** The canvas of a tile, drawn anew if it shows another contrast. */
  private _canvas(tile: IImageTileRef): HTMLCanvasElement | undefined {
    const kept = this._cache.get(keyOf(tile));
    const { display } = this._look;
    if (kept && kept.display !== display) {
      kept.display = display;
      this._draw(kept, display);
    }
    return kept?.canvas;
  }

  private _draw({ bytes, tile, range, canvas }: IKept, display: Contrast): void {
    const wide = tile.dtype === 'uint16';
    if (this._lut?.display !== display || this._lut.wide !== wide || (wide && !isSame(this._lut.range, range))) {
      const table = wide ? makeLut(65536, range, display) : makeLut(256, BYTES, display);
      this._lut = { display, wide, range, table };
    }
    const rgba = toRgba(bytes, tile, this._lut.table, display.channels);
    canvas.getContext('2d')!.putImageData(new ImageData(rgba, tile.columns, tile.rows), 0, 0);
  }

  private _pump(): void {
    while (this._inFlight.size < IN_FLIGHT && this._wanted.length > 0 && this._timer === undefined) {
      void this._load(this._wanted.shift()!);
    }
    while (this._inFlight.size < IN_FLIGHT_AHEAD && this._ahead.length > 0 && this._timer === undefined) {
      void this._load(this._ahead.shift()!);
    }
  }

  private async _load(tile: IImageTileRef): Promise<void> {
    const key = keyOf(tile);
    this._inFlight.add(key);
    try {
      const { range } = this._look;
      const { result, buffers } = await this._link.request('image.tile', {
        session: this._link.session,
        ...tile,
        ...(!isSame(range, this._usual) && { range })
      });
      if (this._disposed) {
        return;
      }
      // A copy: the buffer is a part of a message.
      const bytes = (buffers[0] ?? new Uint8Array()).slice();
      storedValues(bytes, result);
      const canvas = document.createElement('canvas');
      canvas.width = result.columns;
      canvas.height = result.rows;
      const kept: IKept = { bytes, tile: result, range, canvas, display: null };
      const old = this._cache.peek(key); // of another range
      if (old) {
        release(old.canvas);
      }
      this._largest = Math.max(this._largest, weightOf(kept));
      this._bound();
      this._cache.set(key, kept);
      this._inFlight.delete(key);
      this._arrived.emit();
    } catch (reason) {
      this._inFlight.delete(key);
      const error = BridgeError.from(reason);
      if (this._disposed) {
        return;
      }
      if (error.code !== 'disconnected' && error.code !== 'cancelled') {
        this._failed.emit(error);
      }
      this._timer ??= setTimeout(() => {
        this._timer = undefined;
        this._arrived.emit(); // the next drawing wants the missing tiles again
      }, RETRY_MS);
    }
    this._pump();
  }

  private readonly _image: ISize;
  private readonly _link: ISessionLink;
  /** The range of tiles that are requested without one. */
  private readonly _usual: IRange;
  private readonly _bytesMax: number;
  private readonly _cache: Lru<string, IKept>;
  /** Tiles that the view needs. */
  private _needed = 0;
  /** Bytes of the largest tile that came. */
  private _largest = 0;
  private readonly _inFlight = new Set<string>();
  private readonly _arrived = new Signal<this, void>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  private _look: ILook;
  private _lut: { display: Contrast; wide: boolean; range: IRange; table: Uint8Array } | null = null;
  private _inView: IImageTileRef[] = [];
  /** Tiles in view that are not requested yet, and those of slices that come into view next. */
  private _wanted: IImageTileRef[] = [];
  private _ahead: IImageTileRef[] = [];
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
}

/** The namespace for {@link ImageTiles}. */
export namespace ImageTiles {
  export interface IOptions {
    image: ISize;
    link: ISessionLink;
    /** How to show tiles at first. Its range is the one that the sidecar takes for tiles of 16 bits. */
    look: ILook;
    /** Bytes kept at most, if the view needs no more. */
    bytesMax?: number;
  }
}

/** Bytes of a tile's pixels and of its canvas. */
function weightOf({ bytes, canvas }: IKept): number {
  return bytes.byteLength + 4 * canvas.width * canvas.height;
}

/** What tiles of 8 bits hold. */
const BYTES: IRange = { low: 0, high: 255 };

function isSame(a: IRange, b: IRange): boolean {
  return a.low === b.low && a.high === b.high;
}

function keyOf(tile: IImageTileRef): string {
  return `${tile.slice}/${tile.level}/${tile.row}/${tile.column}`;
}
