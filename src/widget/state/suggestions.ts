/**
 * SAM's suggestion under the cursor: requested as the pointer moves, shown, turned through its scales, accepted or rejected.
 * The decoder runs in a worker; this file decides when to call it and which answer to show.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, DecoderManifest, Rect } from '../../shared';
import { bestScale, coverage, ICandidates, IPrompts } from '../../sam';
import { ISize } from '../base/geometry';
import { IPixel, Suggestion } from './suggestion';
import { SCALES, SuggestionOptions } from './suggestion-options';

/** What suggestions need of the decoder. */
export interface IPointDecoder {
  readonly manifest: DecoderManifest;
  /** The rows and columns that it sees; absent: all. Points elsewhere have no suggestion. */
  readonly within?: Rect;
  /**
   * The decoder that sees the place of some prompts best; absent: this one. It may wait for an embedding of that place. Prompts with the mask of an
   * earlier answer belong to the decoder that gave that answer.
   */
  serving?(prompts: IPrompts): IPointDecoder;
  /** Decode prompts, in the image's rows and columns. `urgent` ones, which were clicked, are decoded first and never skipped. */
  suggest(prompts: IPrompts, signal: AbortSignal, urgent: boolean): Promise<ICandidates>;
}

/** The suggestions of one labeller. */
export class Suggestions implements IDisposable {
  constructor(options: Suggestions.IOptions) {
    this._options = options;
    this.options = options.options ?? new SuggestionOptions();
    this.options.changed.connect(this._onOptions, this);
  }

  /** The scale that the user chose. */
  readonly options: SuggestionOptions;

  /** Emits when {@link current}, {@link busy} or {@link accepting} changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits the decoder's errors. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  /** The suggestion that is shown. */
  get current(): Suggestion | null {
    return this._current;
  }

  /** Whether the decoder works on a suggestion. */
  get busy(): boolean {
    return this._pending > 0;
  }

  /** Number of clicks that wait for their mask. */
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
   * @param quiet distance in pixels within which nothing is suggested after accepting or rejecting
   */
  move(at: IPixel, quiet: number): void {
    if (this._last && this._last.row === at.row && this._last.column === at.column) {
      return;
    }
    this._last = at;
    if (this._quiet && distance(this._quiet, at) <= quiet) {
      return;
    }
    this._quiet = null;
    void this._suggest(at);
  }

  /** A better embedding of the place under the pointer is there: decode again. */
  refresh(): void {
    if (this._last && !this._quiet) {
      void this._suggest(this._last);
    }
  }

  /** The pointer left the image. */
  leave(): void {
    this._last = null;
    this._quiet = null;
    this._abort();
    this._show(null);
  }

  /** Choose the scale that is `by` steps larger than the shown one. `around`: the smallest one follows the largest one. */
  turn(by: number, around = false): void {
    const last = SCALES.length - 1;
    const from = this._current?.scale ?? this.options.scale;
    const to = from === undefined ? (by > 0 ? 0 : last) : from + by;
    const next = around ? (to + SCALES.length) % SCALES.length : Math.min(Math.max(to, 0), last);
    this.options.set({ scale: SCALES[next]! });
  }

  /**
   * Accept the shown suggestion if it contains `at`; otherwise decode one for `at`, even if the pointer moves on meanwhile. No
   * suggestion is shown until the pointer moves away.
   *
   * @returns null if there is no decoder, or after an error, which {@link failed} emits.
   */
  async accept(at: IPixel): Promise<Suggestion | null> {
    const shown = this._current;
    const { scale } = this.options;
    this._quiet = at;
    this._abort();
    this._show(null);
    if (shown && (distance(shown.at, at) === 0 || shown.contains(at))) {
      return shown;
    }
    if (!this._decoder || this._disposed || !sees(this._decoder, at)) {
      return null;
    }
    const prompts: IPrompts = { points: [{ ...at, label: 1 }] };
    const decoder = servingOf(this._decoder, prompts);
    const { signal } = this._end;
    this._accepting++;
    this._pending++;
    this._changed.emit();
    try {
      const candidates = await decoder.suggest(prompts, signal, true);
      return signal.aborted ? null : this._make(at, candidates, decoder, scale);
    } catch (reason) {
      this._fail(reason, signal);
      return null;
    } finally {
      this._accepting--;
      this._pending--;
      this._changed.emit();
    }
  }

  /** Hide the suggestion; the next one is shown when the pointer has moved away. */
  reject(): void {
    this._quiet = this._last ?? this._current?.at ?? null;
    this._abort();
    this._show(null);
  }

  /** Start over, for example with another slice. */
  clear(): void {
    this.leave();
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this.options.changed.disconnect(this._onOptions, this);
    this._abort();
    this._end.abort();
    Signal.clearData(this);
  }

  private async _suggest(at: IPixel): Promise<void> {
    if (!this._decoder || this._disposed) {
      return;
    }
    if (!sees(this._decoder, at)) {
      this._show(null);
      return;
    }
    const prompts: IPrompts = { points: [{ ...at, label: 1 }] };
    const decoder = servingOf(this._decoder, prompts);
    // An older request that finishes is still shown: with a slow decoder, a moving pointer would otherwise never see a suggestion.
    // The decoder itself skips points that wait.
    const { signal } = this._epoch;
    const sequence = ++this._asked;
    this._pending++;
    this._changed.emit();
    try {
      const candidates = await decoder.suggest(prompts, signal, false);
      if (signal.aborted || sequence < this._answered) {
        return;
      }
      this._answered = sequence;
      this._answerer = decoder;
      this._show(this._make(at, candidates, decoder, this.options.scale));
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
    { manifest, within }: IPointDecoder,
    chosen: number | undefined
  ): Suggestion {
    const { image } = this._options;
    const seen = within ? { rows: within.row1 - within.row0, columns: within.column1 - within.column0 } : image;
    const coverages = candidates.lowRes.map(lowRes => coverage(lowRes, seen, manifest));
    const scale = chosen ?? bestScale(candidates.scores, coverages);
    return new Suggestion(at, candidates, scale, image, manifest, within);
  }

  /** Show the current suggestion as the user now wants it. */
  private _onOptions(): void {
    const [current, decoder] = [this._current, this._answerer];
    if (current && decoder) {
      this._show(this._make(current.at, current.candidates, decoder, this.options.scale));
    }
  }

  private _fail(reason: unknown, signal: AbortSignal): void {
    const error = BridgeError.from(reason);
    if (error.code !== 'cancelled' && !signal.aborted && !this._disposed) {
      this._failed.emit(error);
    }
  }

  /** Show none of the suggestions that are being decoded. Clicks are still carried out. */
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
  /** The decoder that gave {@link current}. */
  private _answerer: IPointDecoder | null = null;
  private _epoch = new AbortController();
  /** Aborted when this is disposed. */
  private readonly _end = new AbortController();
  private _accepting = 0;
  private _asked = 0;
  private _answered = 0;
  private _pending = 0;
  private _last: IPixel | null = null;
  /** The user accepted or rejected here: nothing is suggested nearby. */
  private _quiet: IPixel | null = null;
  private _disposed = false;
}

/** The namespace for {@link Suggestions}. */
export namespace Suggestions {
  export interface IOptions {
    image: ISize;
    /** Of the labeller; by default its own. */
    options?: SuggestionOptions;
  }
}

function servingOf(decoder: IPointDecoder, prompts: IPrompts): IPointDecoder {
  return decoder.serving?.(prompts) ?? decoder;
}

function sees({ within }: IPointDecoder, { row, column }: IPixel): boolean {
  return !within || (row >= within.row0 && row < within.row1 && column >= within.column0 && column < within.column1);
}

function distance(a: IPixel, b: IPixel): number {
  return Math.hypot(a.row - b.row, a.column - b.column);
}
