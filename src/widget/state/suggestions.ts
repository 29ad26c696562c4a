/**
 * SAM's suggestion under the cursor: asked for as the pointer moves, shown, turned through its scales, accepted or
 * rejected. The model runs elsewhere; here is what happens when.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, DecoderManifest, LABEL_TILE, PointPrompt, Rect } from '../../shared';
import { bestScale, coverage, ICandidates, upscaleMask, upscaleMaskRegion } from '../../sam';
import { ISize, levelSize, tilesIn } from '../base/geometry';
import { IMaskTile, MaskBuilder } from '../labels/raster';

/** What suggestions need of the decoder. */
export interface IPointDecoder {
  readonly manifest: DecoderManifest;
  /** `urgent` points were clicked: they are decoded first, and none of them is left out. */
  suggest(points: PointPrompt[], signal: AbortSignal, urgent: boolean): Promise<ICandidates>;
}

/** A pixel: row and column. */
export interface IPixel {
  row: number;
  column: number;
}

/** A suggestion that is shown. Its value never changes; turning the scale makes a new one. */
export class Suggestion {
  constructor(
    readonly at: IPixel,
    readonly candidates: ICandidates,
    /** 0 small, 1 medium, 2 large. */
    readonly scale: number,
    readonly image: ISize,
    private readonly _manifest: DecoderManifest
  ) {
    this.bounds = this._bounds();
  }

  /** No pixel of the mask is outside this. */
  readonly bounds: Rect;

  get scores(): number[] {
    return this.candidates.scores;
  }

  /** The pixels of a region, 0 and 1. At level l the region is one of the image reduced 2^l times, for display alone. */
  region(region: Rect, level = 0): Uint8Array {
    return upscaleMaskRegion(
      this._logits,
      level === 0 ? this.image : levelSize(this.image, level),
      region,
      this._manifest
    );
  }

  /**
   * What all pixels of a region are, if they are surely the same: logits that agree in sign do so between them too. Most
   * tiles of a large mask need no pixel to be computed.
   */
  uniform(region: Rect): 0 | 1 | undefined {
    const side = this._manifest.decoder.maskSize;
    const scale = side / Math.max(this.image.rows, this.image.columns);
    const range = (from: number, to: number): [number, number] => [
      Math.max(0, Math.floor(from * scale - 1.5)),
      Math.min(side - 1, Math.ceil(to * scale + 1.5))
    ];
    const [row0, row1] = range(region.row0, region.row1);
    const [column0, column1] = range(region.column0, region.column1);
    const first = this._logits[row0 * side + column0]! > 0;
    for (let row = row0; row <= row1; row++) {
      for (let column = column0; column <= column1; column++) {
        if (this._logits[row * side + column]! > 0 !== first) {
          return undefined;
        }
      }
    }
    return first ? 1 : 0;
  }

  /** The mask of the whole image. */
  mask(): Uint8Array {
    return upscaleMask(this._logits, this.image, this._manifest);
  }

  /** The mask in tiles, for a patch. */
  tiles(): IMaskTile[] {
    const { bounds } = this;
    const mask = new MaskBuilder(this.image);
    for (const tile of tilesIn(bounds, LABEL_TILE)) {
      const region = {
        row0: Math.max(tile.row * LABEL_TILE, bounds.row0),
        row1: Math.min((tile.row + 1) * LABEL_TILE, bounds.row1),
        column0: Math.max(tile.column * LABEL_TILE, bounds.column0),
        column1: Math.min((tile.column + 1) * LABEL_TILE, bounds.column1)
      };
      const uniform = this.uniform(region);
      if (uniform === 1) {
        mask.addRect(region);
      } else if (uniform === undefined) {
        mask.addMask(region, this.region(region));
      }
    }
    return mask.tiles();
  }

  contains({ row, column }: IPixel): boolean {
    const { rows, columns } = this.image;
    if (row < 0 || column < 0 || row >= rows || column >= columns) {
      return false;
    }
    return this.region({ row0: row, row1: row + 1, column0: column, column1: column + 1 })[0] === 1;
  }

  withScale(scale: number): Suggestion {
    return new Suggestion(this.at, this.candidates, scale, this.image, this._manifest);
  }

  private get _logits(): Float32Array {
    return this.candidates.lowRes[this.scale]!;
  }

  private _bounds(): Rect {
    const { rows, columns } = this.image;
    const side = this._manifest.decoder.maskSize;
    // The frame's longest side is the image's longest side; one sample of margin covers what lies between two.
    const step = Math.max(rows, columns) / side;
    let [top, bottom, left, right] = [side, -1, side, -1];
    for (let row = 0, at = 0; row < side; row++) {
      for (let column = 0; column < side; column++, at++) {
        if (this._logits[at]! > 0) {
          top = Math.min(top, row);
          bottom = Math.max(bottom, row);
          left = Math.min(left, column);
          right = Math.max(right, column);
        }
      }
    }
    const clip = (value: number, most: number) => Math.min(Math.max(value, 0), most);
    return bottom < 0
      ? { row0: 0, row1: 0, column0: 0, column1: 0 }
      : {
          row0: clip(Math.floor((top - 1) * step), rows),
          row1: clip(Math.ceil((bottom + 2) * step), rows),
          column0: clip(Math.floor((left - 1) * step), columns),
          column1: clip(Math.ceil((right + 2) * step), columns)
        };
  }
}

/** The state of suggesting. */
export class Suggestions implements IDisposable {
  constructor(options: Suggestions.IOptions) {
    this._options = options;
  }

  /** Emits when what is shown, or whether something is computed, changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits what went wrong in the decoder. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  /** What is shown. */
  get current(): Suggestion | null {
    return this._current;
  }

  /** Whether a suggestion is being computed. */
  get busy(): boolean {
    return this._pending > 0;
  }

  /** How many clicks wait for their mask. */
  get accepting(): number {
    return this._accepting;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The decoder of the slice that is shown, or null while there is none. */
  set decoder(decoder: IPointDecoder | null) {
    this._decoder = decoder;
    this.clear();
  }

  /** Whether suggestions can be made. */
  get ready(): boolean {
    return this._decoder !== null;
  }

  /**
   * The pointer is over a pixel.
   *
   * @param stay how many pixels it may move and still count as staying, for the scale chosen and for what was rejected.
   */
  move(at: IPixel, stay: number): void {
    if (this._last && this._last.row === at.row && this._last.column === at.column) {
      return;
    }
    this._last = at;
    if (this._chosen && distance(this._chosen.at, at) > stay) {
      this._chosen = null;
    }
    if (this._quiet && distance(this._quiet, at) <= stay / 4) {
      return;
    }
    this._quiet = null;
    void this._suggest(at);
  }

  /** The pointer left the image. */
  leave(): void {
    this._last = null;
    this._quiet = null;
    this._abort();
    this._show(null);
  }

  /** Turn to the next scale; it stays until the pointer moves away. */
  cycle(): void {
    if (this._current) {
      const scale = (this._current.scale + 1) % this._current.candidates.lowRes.length;
      this._chosen = { scale, at: this._last ?? this._current.at };
      this._show(this._current.withScale(scale));
    }
  }

  /**
   * Take what is shown if `at` belongs to it, else what there is at `at`, whatever the pointer does meanwhile. Nothing is
   * shown until it moves on.
   *
   * @returns null if there is no decoder, or it failed, which {@link failed} tells.
   */
  async accept(at: IPixel): Promise<Suggestion | null> {
    const shown = this._current;
    const chosen = this._chosen;
    this._chosen = null;
    this._quiet = at;
    this._abort();
    this._show(null);
    if (shown && (distance(shown.at, at) === 0 || shown.contains(at))) {
      return shown;
    }
    const decoder = this._decoder;
    if (!decoder || this._disposed) {
      return null;
    }
    const { signal } = this._end;
    this._accepting++;
    this._pending++;
    this._changed.emit();
    try {
      const candidates = await decoder.suggest([{ ...at, label: 1 }], signal, true);
      return signal.aborted ? null : this._make(at, candidates, decoder, chosen?.scale);
    } catch (reason) {
      this._fail(reason, signal);
      return null;
    } finally {
      this._accepting--;
      this._pending--;
      this._changed.emit();
    }
  }

  /** Do not show this suggestion; the next comes when the pointer has moved on. */
  reject(): void {
    this._quiet = this._last ?? this._current?.at ?? null;
    this._chosen = null;
    this._abort();
    this._show(null);
  }

  /** Forget everything, for instance because another slice is shown. */
  clear(): void {
    this._chosen = null;
    this.leave();
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this._abort();
    this._end.abort();
    Signal.clearData(this);
  }

  private async _suggest(at: IPixel): Promise<void> {
    const decoder = this._decoder;
    if (!decoder || this._disposed) {
      return;
    }
    // What is being computed may still finish and be shown: with a slow decoder nothing would ever be shown otherwise
    // while the pointer moves. The decoder itself drops what waits behind.
    const { signal } = this._epoch;
    const sequence = ++this._asked;
    this._pending++;
    this._changed.emit();
    try {
      const candidates = await decoder.suggest([{ ...at, label: 1 }], signal, false);
      if (signal.aborted || sequence < this._answered) {
        return;
      }
      this._answered = sequence;
      this._show(this._make(at, candidates, decoder, this._chosen?.scale));
    } catch (reason) {
      this._fail(reason, signal);
    } finally {
      this._pending--;
      this._changed.emit();
    }
  }

  private _make(
    at: IPixel,
    candidates: ICandidates,
    { manifest }: IPointDecoder,
    chosen: number | undefined
  ): Suggestion {
    const { image } = this._options;
    const coverages = candidates.lowRes.map(lowRes => coverage(lowRes, image, manifest));
    const scale = chosen ?? bestScale(candidates.scores, coverages);
    return new Suggestion(at, candidates, scale, image, manifest);
  }

  private _fail(reason: unknown, signal: AbortSignal): void {
    const error = BridgeError.from(reason);
    if (error.code !== 'cancelled' && !signal.aborted && !this._disposed) {
      this._failed.emit(error);
    }
  }

  /** Nothing of what is being computed is to be shown. Clicks are still carried out. */
  private _abort(): void {
    this._epoch.abort();
    this._epoch = new AbortController();
  }

  private _show(suggestion: Suggestion | null): void {
    this._current = suggestion;
    this._changed.emit();
  }

  private readonly _options: Suggestions.IOptions;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  private _decoder: IPointDecoder | null = null;
  private _current: Suggestion | null = null;
  private _epoch = new AbortController();
  /** Aborted when this is disposed. */
  private readonly _end = new AbortController();
  private _accepting = 0;
  private _asked = 0;
  private _answered = 0;
  private _pending = 0;
  private _last: IPixel | null = null;
  /** The scale that the user turned to, and where. */
  private _chosen: { scale: number; at: IPixel } | null = null;
  /** Near this pixel nothing is suggested: it was accepted or rejected here. */
  private _quiet: IPixel | null = null;
  private _disposed = false;
}

/** The namespace for {@link Suggestions}. */
export namespace Suggestions {
  export interface IOptions {
    image: ISize;
  }
}

function distance(a: IPixel, b: IPixel): number {
  return Math.hypot(a.row - b.row, a.column - b.column);
}
