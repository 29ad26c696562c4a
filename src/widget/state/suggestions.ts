/**
 * SAM's suggestion under the cursor: requested as the pointer moves, shown, turned through its scales, accepted or rejected. Or it is held, and refined by
 * further prompts until it is accepted. The decoder runs in a worker; this file decides when to call it and which answer to show.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, DecoderManifest, Rect } from '../../shared';
import { AcceptedSizes, chooseScale, ICandidates, inImage, IPrompts } from '../../sam';
import { ISize } from '../base/geometry';
import { recall, remember } from '../base/remembered';
import { allIn, areClear, clipped, placeOf, Prompt, promptsOf } from './prompts';
import { IPixel, SINGLE, Suggestion } from './suggestion';
import { ScaleChoice, SCALES, SuggestionOptions } from './suggestion-options';

/** What suggestions need of the decoder. */
export interface IPointDecoder {
  readonly manifest: DecoderManifest;
  /** The rows and columns that it sees; absent: all. Points elsewhere have no suggestion. */
  readonly within?: Rect;
  /** It sees a window: the part of all that SAM sees of the slice; absent: all. */
  readonly part?: number;
  /**
   * The decoder that sees the place of some prompts best; absent: this one. It may wait for an embedding of that place. Prompts with the mask of an
   * earlier answer belong to the decoder that gave that answer.
   */
  serving?(prompts: IPrompts): IPointDecoder;
  /**
   * The decoder for a mask that this one cuts, since it sees a window of the image: one that sees more around that rectangle, without its prompts' mask. It
   * may wait for its embedding. Null if the rectangle is not cut.
   */
  wider?(bounds: Rect): IPointDecoder | null;
  /** The embedding that it decodes on, float32 [channels, rows, columns]; null if others have displaced it. */
  embedding?(): Float32Array | null;
  /** What SAM will probably answer to one point, at once; null if nothing like it was decoded ahead. */
  first?(at: IPixel): ICandidates | null;
  /** Decode prompts, in the image's rows and columns. `urgent` ones, which were clicked, are decoded first and never skipped. */
  suggest(prompts: IPrompts, signal: AbortSignal, urgent: boolean): Promise<ICandidates>;
}

/** Suggestions whose times are remembered. */
const TIMES_KEPT = 500;

/** What others may be like: a suggestion, and the decoder that gave it. */
export interface IExample {
  suggestion: Suggestion;
  decoder: IPointDecoder;
  /** Whether it is proposed itself: the user points at it, and has not accepted it. */
  isProposed?: boolean;
}

/** Why Auto does not begin with a suggestion: it covers too much of the image, or is ragged. */
export type Unfit = 'large' | 'ragged';

/** A suggestion, and what it answers. */
interface IAnswer extends IExample {
  prompts: IPrompts;
  /** Why Auto must not begin with it; null: it may. */
  unfit: Unfit | null;
  /** Whether it was decoded ahead for points nearby, and stands until SAM has answered. */
  isFirst?: boolean;
  /** Whether the pointer had moved on before SAM answered: the border is moved to the image's edges only if the user takes it. */
  isPassing?: boolean;
}

/** One action of the user on the suggestion that is held. */
interface IStep {
  prompt: Prompt;
  /** Ends the decoder's work on it, when another action follows. */
  abort: AbortController;
  /** Resolves to the answer to all actions so far; to null if there is none. */
  answer: Promise<IAnswer | null>;
  known: IAnswer | null;
}

/** The suggestions of one labeller. */
export class Suggestions implements IDisposable {
  constructor(options: Suggestions.IOptions) {
    this._options = options;
    this.options = options.options ?? new SuggestionOptions();
    this.options.changed.connect(this._onOptions, this);
    this._sizes = new AcceptedSizes(options.remembered && recall(options.remembered));
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

  /** Emits when prompts are added to the suggestion that is held, or taken back, or when it is turned to another scale. */
  get prompted(): ISignal<this, void> {
    return this._prompted;
  }

  /** The suggestion that is shown. */
  get current(): Suggestion | null {
    return this._shown && !this._shown.unfit ? this._shown.suggestion : null;
  }

  /** The prompts of the suggestion that is held; null if none is: then it follows the pointer. */
  get held(): IPrompts | null {
    return this._steps.length > 0 ? promptsOf(this._steps.map(({ prompt }) => prompt)) : null;
  }

  /** The pixel under the pointer; null if it is not over the image. */
  get pointer(): IPixel | null {
    return this._last;
  }

  /** A pixel of the suggestion that would be accepted; null without one. */
  get place(): IPixel | null {
    const { held } = this;
    return held ? placeOf(held) : (this.current?.at ?? null);
  }

  /**
   * What others may be like: the suggestion that is shown, else the one that was accepted last on this slice; null without one, or after an error, which
   * {@link failed} emits. For a suggestion that was decoded ahead SAM's own answer is waited for.
   */
  async example(): Promise<IExample | null> {
    const shown = this.current && this._shown;
    const answer = shown?.isFirst ? await this._ask(shown.decoder, shown.prompts, this._end.signal, true) : shown;
    const example = shown ? (answer?.unfit ? null : answer) : this._accepted;
    return example && { suggestion: example.suggestion, decoder: example.decoder, isProposed: shown !== null };
  }

  /** The suggestion that was accepted last on this slice; null without one. */
  get accepted(): Suggestion | null {
    return this._accepted?.suggestion ?? null;
  }

  /** Why the last click found nothing with which Auto begins; null: it found something. */
  get wasUnfit(): Unfit | null {
    return this._wasUnfit;
  }

  /** Why nothing is shown where SAM has answered; null: something is, or there is no answer. */
  get unfit(): Unfit | null {
    return this._shown?.unfit ?? null;
  }

  /** The scale at which what is held is shown, of {@link SCALES} or {@link SINGLE}; null: the usual one. */
  get turned(): number | null {
    return this._turned;
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

  /** The decoder of the slice that is shown, or null while there is none. What is under a pointer that rests is suggested by the new one. */
  set decoder(decoder: IPointDecoder | null) {
    const pointer = this._last;
    this._decoder = decoder;
    this.clear();
    this._last = pointer;
    if (decoder) {
      this.refresh();
    }
  }

  /** Milliseconds from the pointer to the exact suggestion, of the last ones. */
  get times(): readonly number[] {
    return this._times;
  }

  /** Milliseconds from the pointer to a first suggestion that was decoded ahead, of the last ones. */
  get firstTimes(): readonly number[] {
    return this._firstTimes;
  }

  /** Whether the shown suggestion is SAM's answer to its point, not one that was decoded ahead for points nearby. */
  get isExact(): boolean {
    return !this._shown?.isFirst;
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
    if (this._steps.length > 0) {
      return;
    }
    if (this._quiet && distance(this._quiet, at) <= quiet) {
      return;
    }
    this._quiet = null;
    void this._suggest(at);
  }

  /** A better embedding of the place under the pointer is there: decode again, unless a suggestion is held. */
  refresh(): void {
    if (this._last && !this._quiet && this._steps.length === 0) {
      void this._suggest(this._last);
    }
  }

  /** The pointer left the image. */
  leave(): void {
    this._last = null;
    if (this._steps.length === 0) {
      this._quiet = null;
      this._abort();
      this._show(null);
    }
  }

  /**
   * Choose the scale that is `by` steps larger than the shown one. `around`: the smallest one follows the largest one. With clear prompts the masks of
   * all scales are shown in turn, and none of them is kept.
   */
  turn(by: number, around = false): void {
    if (this._shown && areClear(this._shown.prompts) && this._steps.length > 0) {
      const { suggestion } = this._shown;
      const count = SCALES.length + (suggestion.candidates.single ? 1 : 0);
      this._turnTo((suggestion.scale + by + count) % count);
      return;
    }
    const last = SCALES.length - 1;
    const from = this.current?.scale ?? this.options.scale;
    const to = from === undefined ? (by > 0 ? 0 : last) : from + by;
    const next = around ? (to + SCALES.length) % SCALES.length : Math.min(Math.max(to, 0), last);
    this.options.set({ scale: SCALES[next]! });
  }

  /** Choose a scale, or Auto. While prompts that are clear are held, it is the scale of these alone, and Auto their usual mask. */
  choose(scale: ScaleChoice): void {
    const { held } = this;
    if (held && areClear(held)) {
      this._turnTo(scale === 'auto' ? null : SCALES.indexOf(scale));
    } else {
      this.options.set({ scale });
    }
  }

  private _turnTo(scale: number | null): void {
    this._turned = scale;
    if (this._shown) {
      this._show(this._remade(this._shown));
    }
    this._prompted.emit();
  }

  /**
   * Hold the suggestion, or begin one, and refine it by a prompt. The mask so far is given to SAM with the prompts.
   *
   * @returns whether the prompt was added: not without a decoder, not outside of what it sees, and not a first one that names no place of the object.
   */
  add(prompt: Prompt): boolean {
    const decoder = this._decoder;
    if (!decoder || this._disposed) {
      return false;
    }
    const before = this.held;
    const { rows, columns } = this._options.image;
    const within = decoder.within ?? { row0: 0, row1: rows, column0: 0, column1: columns };
    const { maxPoints } = decoder.manifest.decoder;
    const added = clipped(prompt, within, maxPoints - (before?.points.length ?? 0));
    const names = added && ('box' in added || added.points.some(({ label }) => label === 1));
    if (!added || (!before && !names)) {
      return false;
    }
    this._abort();
    this._quiet = null;
    this._turned = null;
    this._steps[this._steps.length - 1]?.abort.abort();
    const step: IStep = { prompt: added, abort: new AbortController(), answer: Promise.resolve(null), known: null };
    this._steps.push(step);
    const prompts = this.held!;
    const shown = this._exact;
    if (!before && shown && !areClear(prompts) && shown.suggestion.contains(placeOf(prompts))) {
      step.known = { ...shown, prompts, unfit: null }; // the user holds what is shown
      step.answer = Promise.resolve(step.known);
      this._show(step.known);
    } else {
      if (!before) {
        this._show(null);
      }
      this._refine(step);
    }
    this._prompted.emit();
    return true;
  }

  /** Take the last prompt back. Returns whether there was one. */
  removeLast(): boolean {
    const step = this._steps.pop();
    if (!step) {
      return false;
    }
    step.abort.abort();
    this._turned = null;
    const last = this._steps[this._steps.length - 1];
    if (!last) {
      this._quiet = this._last;
      this._show(null);
    } else if (last.known) {
      last.known = this._remade(last.known);
      this._show(last.known);
    } else {
      last.abort = new AbortController();
      this._refine(last);
    }
    this._prompted.emit();
    return true;
  }

  /**
   * Accept the suggestion that is held, whatever `at` is; else the shown one if it contains `at`; otherwise decode one for `at`, even if the pointer moves
   * on meanwhile. No suggestion is shown until the pointer moves away.
   *
   * @returns null if there is no decoder, if Auto finds no mask to begin with, or after an error, which {@link failed} emits.
   */
  async accept(at: IPixel): Promise<Suggestion | null> {
    const answer = await this._take(at);
    this._wasUnfit = answer?.unfit ?? null;
    if (!answer || answer.unfit) {
      return null;
    }
    this._accepted = answer;
    return answer.suggestion;
  }

  private async _take(at: IPixel): Promise<IAnswer | null> {
    const shown = this._exact;
    const step = this._steps.pop();
    if (step) {
      this._quiet = this._last;
      const known = this._turned === null ? step.known : shown;
      this._steps = [];
      this._turned = null;
      this._show(null);
      this._prompted.emit();
      const answer = known ?? (await this._awaited(() => step.answer));
      return answer && { ...answer, unfit: null }; // the user has named it
    }
    this._quiet = at;
    this._abort();
    this._show(null);
    if (shown && (distance(shown.suggestion.at, at) === 0 || shown.suggestion.contains(at))) {
      return shown;
    }
    const decoder = this._decoder;
    if (!decoder || this._disposed || !sees(decoder, at)) {
      return null;
    }
    const prompts = { points: [{ ...at, label: 1 as const }] };
    return this._awaited(() => this._ask(servingOf(decoder, prompts), prompts, this._end.signal, true));
  }

  /** A suggestion was accepted into a class: Auto learns its size. */
  learn(accepted: Suggestion, classId: number): void {
    this._sizes.add(classId, accepted.area);
    if (this._options.remembered) {
      remember(this._options.remembered, this._sizes.toJSON());
    }
  }

  /** Hide the suggestion, with its prompts; the next one is shown when the pointer has moved away. */
  reject(): void {
    this._quiet = this._last ?? this.place;
    this._drop();
    this._abort();
    this._show(null);
  }

  /** Start over, for example with another slice. */
  clear(): void {
    this._accepted = null;
    this._drop();
    this.leave();
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this.options.changed.disconnect(this._onOptions, this);
    this._drop();
    this._abort();
    this._end.abort();
    Signal.clearData(this);
  }

  private async _suggest(at: IPixel): Promise<void> {
    const decoder = this._decoder;
    if (!decoder || this._disposed) {
      return;
    }
    if (!sees(decoder, at)) {
      this._show(null);
      return;
    }
    // An older request that finishes is still shown: with a slow decoder, a moving pointer would otherwise never see a suggestion.
    // The decoder itself skips points that wait.
    const sequence = ++this._asked;
    const begun = performance.now();
    const prompts = { points: [{ ...at, label: 1 as const }] };
    const serving = servingOf(decoder, prompts);
    const first = serving.first?.(at);
    if (first) {
      this._showFirst(prompts, first, serving);
      this._firstTimes = [...this._firstTimes.slice(1 - TIMES_KEPT), performance.now() - begun];
    }
    const isWanted = (answer: IAnswer) => sequence > this._answered && (sequence === this._asked || this._fits(answer));
    const answer = await this._ask(serving, prompts, this._epoch.signal, false, {
      isPassing: () => sequence !== this._asked,
      cut: begun => isWanted(begun) && this._show({ ...begun, isFirst: true })
    });
    if (answer && isWanted(answer)) {
      this._answered = sequence;
      this._show(answer);
      this._times = [...this._times.slice(1 - TIMES_KEPT), performance.now() - begun];
    }
  }

  /** Show what was decoded ahead for points nearby, unless the scale that is wanted is not among it. */
  private _showFirst(prompts: IPrompts, candidates: ICandidates, decoder: IPointDecoder): void {
    const answer = this._answer(prompts, candidates, decoder, false);
    if (answer.suggestion.score > 0) {
      this._show({ ...answer, isFirst: true });
    }
  }

  /** Whether an answer to an earlier place of the pointer is better than what is shown. */
  private _fits({ suggestion }: IAnswer): boolean {
    return this.isExact || (this._last !== null && suggestion.contains(this._last));
  }

  /** What is shown, if it is SAM's answer to its prompts, with its border where the user would have it. */
  private get _exact(): IAnswer | null {
    if (!this.current || !this.isExact) {
      return null;
    }
    return this._shown!.isPassing ? this._remade(this._shown!) : this._shown;
  }

  /** Decode the prompts of a step, which is the last one, and show the answer if it still is then. */
  private _refine(step: IStep): void {
    const prompts = this.held!;
    const before = this._steps.flatMap(({ known }) => (known ? [known] : [])).pop();
    // A mask belongs to the embedding that it came from.
    const { image } = this._options;
    const all = { row0: 0, row1: image.rows, column0: 0, column1: image.columns };
    const refines = before && allIn(prompts, before.decoder.within ?? all);
    const { signal } = step.abort;
    const anew = () => this._ask(servingOf(this._decoder!, prompts), prompts, signal, true);
    const refine = async () => {
      const mask = before!.suggestion.logits;
      const answer = await this._ask(before!.decoder, { ...prompts, mask }, signal, true);
      return answer ?? (signal.aborted || !this._decoder ? null : anew()); // its embedding may have been displaced
    };
    step.answer = (refines ? refine() : anew()).then(answer => {
      step.known = answer;
      if (answer && step === this._steps[this._steps.length - 1]) {
        this._show(answer);
      }
      return answer;
    });
  }

  /**
   * Decode prompts. Where the mask is cut by the window that the decoder sees, decode them again on a wider one. Resolves to null after an error, which
   * {@link failed} emits, or when the signal is aborted.
   *
   * @param follow for prompts that follow the pointer: see {@link IAnswer.isPassing}, asked when the answer is there; `cut` gets an answer before a wider one
   */
  private async _ask(
    decoder: IPointDecoder,
    prompts: IPrompts,
    signal: AbortSignal,
    urgent: boolean,
    follow?: { isPassing(): boolean; cut(answer: IAnswer): void }
  ): Promise<IAnswer | null> {
    this._pending++;
    this._changed.emit();
    try {
      let serving: IPointDecoder | null = decoder;
      let asked = prompts;
      let answer: IAnswer | null = null;
      while (serving) {
        if (answer) {
          follow?.cut(answer);
        }
        const candidates: ICandidates = await serving.suggest(asked, signal, urgent);
        if (signal.aborted) {
          return null;
        }
        const isPassing = follow?.isPassing() ?? false;
        answer = { ...this._answer(prompts, candidates, serving, !isPassing), isPassing };
        const { shaped, seen }: Suggestion = answer.suggestion;
        const isWindow: boolean = serving.part !== undefined;
        serving = (isWindow && serving.wider?.(inImage(shaped, seen, serving.manifest))) || null;
        asked = { points: prompts.points, ...(prompts.box && { box: prompts.box }) };
      }
      return answer;
    } catch (reason) {
      this._fail(reason, signal);
      return null;
    } finally {
      this._pending--;
      this._changed.emit();
    }
  }

  /** Await an answer that the user has accepted. */
  private async _awaited(answer: () => Promise<IAnswer | null>): Promise<IAnswer | null> {
    this._accepting++;
    this._changed.emit();
    try {
      return await answer();
    } finally {
      this._accepting--;
      this._changed.emit();
    }
  }

  /**
   * The suggestion to show of the candidates: at the chosen scale, or the mask for clear prompts.
   *
   * @param atEdges whether its border may be moved to the image's edges, which takes some milliseconds
   */
  private _answer(prompts: IPrompts, candidates: ICandidates, decoder: IPointDecoder, atEdges = true): IAnswer {
    const single = candidates.single ? SINGLE : undefined;
    const at = placeOf(prompts);
    const scale = areClear(prompts) ? (this._turned ?? single) : this.options.scale;
    const points = prompts.points.filter(({ label }) => label === 1);
    const own = { scale: scale ?? 0, isTooLarge: false, isRagged: false };
    const chosen = scale === undefined ? this._choose(at, candidates, decoder) : own;
    const { manifest, within } = decoder;
    const { image, greys } = this._options;
    const suggestion = new Suggestion(
      at,
      candidates,
      chosen.scale,
      image,
      manifest,
      within,
      this.options.values,
      points,
      atEdges ? greys : undefined
    );
    const unfit = this._steps.length > 0 ? null : chosen.isTooLarge ? 'large' : chosen.isRagged ? 'ragged' : null;
    return { suggestion, prompts, decoder, unfit };
  }

  /** The scale that Auto takes. */
  private _choose(at: IPixel, candidates: ICandidates, decoder: IPointDecoder) {
    const { manifest, within } = decoder;
    const { image, classInUse } = this._options;
    const size = within ? { rows: within.row1 - within.row0, columns: within.column1 - within.column0 } : image;
    const inside = { row: at.row - (within?.row0 ?? 0), column: at.column - (within?.column0 ?? 0) };
    const accepted = { sizes: this._sizes, classId: classInUse?.() ?? 0 };
    const { part } = decoder;
    const isCut = (scale: number) =>
      Boolean(within && decoder.wider?.(inImage(candidates.lowRes[scale]!, within, manifest)));
    const window = part === undefined ? undefined : { part, isCut };
    return chooseScale(candidates, { at: inside, size, manifest, window, accepted });
  }

  /** The same answer, as the user wants it now. */
  private _remade({ suggestion, prompts, decoder }: IAnswer): IAnswer {
    return this._answer(prompts, suggestion.candidates, decoder);
  }

  /** Show the current suggestion as the user now wants it. */
  private _onOptions(): void {
    if (this._shown) {
      const answer = { ...this._remade(this._shown), isFirst: this._shown.isFirst ?? false };
      const last = this._steps[this._steps.length - 1];
      if (last?.known) {
        last.known = answer;
      }
      this._show(answer);
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

  /** Forget the prompts, and decode none of them. */
  private _drop(): void {
    this._steps.forEach(({ abort }) => abort.abort());
    this._release();
  }

  /** Forget the prompts. */
  private _release(): void {
    const had = this._steps.length > 0;
    this._steps = [];
    this._turned = null;
    if (had) {
      this._prompted.emit();
    }
  }

  private _show(answer: IAnswer | null): void {
    this._shown = answer;
    this._changed.emit();
  }

  private readonly _options: Suggestions.IOptions;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _prompted = new Signal<this, void>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  private _decoder: IPointDecoder | null = null;
  private _shown: IAnswer | null = null;
  private readonly _sizes: AcceptedSizes;
  /** The user's actions on the suggestion that is held. */
  private _steps: IStep[] = [];
  private _accepted: IAnswer | null = null;
  private _wasUnfit: Unfit | null = null;
  /** The scale that is shown instead of the usual one, while the prompts are clear. */
  private _turned: number | null = null;
  private _epoch = new AbortController();
  /** Aborted when this is disposed. */
  private readonly _end = new AbortController();
  private _accepting = 0;
  private _asked = 0;
  private _answered = 0;
  private _pending = 0;
  private _times: readonly number[] = [];
  private _firstTimes: readonly number[] = [];
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
    /** The image's greys in a rectangle of the slice that is shown; null if they are not known. */
    greys?: (rect: Rect) => Float32Array | null;
    /** The id of the class that accepted suggestions go into. */
    classInUse?: () => number;
    /** The name under which the browser remembers the sizes that were accepted; absent: they are forgotten with this. */
    remembered?: string;
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
