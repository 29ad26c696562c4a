/**
 * Objects that are proposed, because they are like one that the user accepted or points at, or because they are in view: shown as they are found, dropped one
 * by one, accepted together as one step.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { areaOf, BridgeError, overlaps, Rect } from '../../shared';
import { chooseScale, likenessOf, similarObjects } from '../../sam';
import { ISize } from '../base/geometry';
import { IMaskTile, MaskBuilder } from '../labels/raster';
import { IPixel, Suggestion } from './suggestion';
import { IExample, IPointDecoder } from './suggestions';

/** Several suggestions as one mask; immutable. */
export class ObjectGroup {
  constructor(readonly objects: readonly Suggestion[]) {
    this.bounds = {
      row0: Math.min(...objects.map(({ bounds }) => bounds.row0)),
      row1: Math.max(...objects.map(({ bounds }) => bounds.row1)),
      column0: Math.min(...objects.map(({ bounds }) => bounds.column0)),
      column1: Math.max(...objects.map(({ bounds }) => bounds.column1))
    };
  }

  /** A rectangle that holds all of them. */
  readonly bounds: Rect;

  /** The pixels of all in a rectangle, 0 or 1, as {@link Suggestion.region}. */
  region(region: Rect, level = 0): Uint8Array {
    const by = 2 ** level;
    const width = region.column1 - region.column0;
    const out = new Uint8Array((region.row1 - region.row0) * width);
    for (const object of this.objects) {
      const row0 = Math.max(region.row0, Math.floor(object.bounds.row0 / by));
      const row1 = Math.min(region.row1, Math.ceil(object.bounds.row1 / by));
      const column0 = Math.max(region.column0, Math.floor(object.bounds.column0 / by));
      const column1 = Math.min(region.column1, Math.ceil(object.bounds.column1 / by));
      if (row0 < row1 && column0 < column1) {
        const part = object.region({ row0, row1, column0, column1 }, level);
        const columns = column1 - column0;
        part.forEach((inside, i) => {
          if (inside) {
            out[(row0 - region.row0 + Math.floor(i / columns)) * width + column0 - region.column0 + (i % columns)] = 1;
          }
        });
      }
    }
    return out;
  }
}

/** Of two proposals that share more than this part of the smaller one, the later one is left out. */
const SHARED_MAX = 0.3;
/** Least overlap (IoU) of an object in two embeddings, so that it is the same. */
const SAME_MIN = 0.5;
/** Points of the grid for everything in view, along the longer side of the view. */
const GRID = 16;
/** Masks are compared on at most about so many rows and columns. */
const COMPARED = 128;

/** Where proposals are looked for. */
export type SearchedFor = 'similar' | 'everything';

/** The proposals of one labeller. */
export class SimilarObjects implements IDisposable {
  constructor(private readonly _options: SimilarObjects.IOptions) {}

  /** Emits when {@link group} or {@link searching} changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits errors of the decoder. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  /** What is proposed; null if nothing is. */
  get group(): ObjectGroup | null {
    return this._group;
  }

  /** How many are proposed. */
  get count(): number {
    return this._group?.objects.length ?? 0;
  }

  /** What the proposals are, or are looked for. */
  get what(): SearchedFor {
    return this._what;
  }

  /** Whether objects like the example were looked for in a part of what SAM sees, and not yet in all of it. */
  get mayWiden(): boolean {
    return this._wider !== null && this._searching === null;
  }

  /** The part of the places that has been looked at, 0 to 1; null while there is no search. */
  get searching(): number | null {
    return this._searching;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /**
   * Propose what is like the example in what its decoder sees, instead of earlier proposals. Resolves at the end of the search, to the number of objects;
   * to null if it was stopped or failed, which {@link failed} tells.
   *
   * @param labelled whether a pixel has a label: nothing is proposed there
   * @param whole sees more than the example's decoder: for {@link widen}
   */
  async find(
    example: IExample,
    labelled: (at: IPixel) => boolean,
    whole: IPointDecoder | null = null
  ): Promise<number | null> {
    this.clear();
    const found = this._search('similar', signal => this._findSimilar(example, labelled, signal));
    const seesMore = whole && areaOf(this._seenBy(whole)) > areaOf(this._seenBy(example.decoder));
    this._wider = seesMore ? { example, whole } : null;
    return found;
  }

  /**
   * Look for objects like the example of {@link find} in all that SAM sees, beside those that are proposed. Resolves as {@link find} does.
   *
   * @returns also null if the example is too small to be seen there, which `unseen` then hears
   */
  async widen(labelled: (at: IPixel) => boolean, unseen: () => void): Promise<number | null> {
    const wider = this._wider;
    if (!wider) {
      return null;
    }
    this._wider = null;
    const { example, whole } = wider;
    return this._search('similar', async signal => {
      const point = { ...example.suggestion.at, label: 1 as const };
      const candidates = await whole.suggest({ points: [point] }, signal, true);
      const { manifest, within } = whole;
      let best: Suggestion | null = null;
      let most = SAME_MIN;
      for (const scale of candidates.lowRes.keys()) {
        const same = new Suggestion(example.suggestion.at, candidates, scale, this._options.image, manifest, within);
        const { both, one, other } = compared(same, example.suggestion);
        const overlap = both / (one + other - both);
        if (overlap > most) {
          [best, most] = [same, overlap];
        }
      }
      if (!best) {
        unseen();
        return;
      }
      await this._findSimilar({ suggestion: best, decoder: whole }, labelled, signal, example.suggestion);
    });
  }

  /**
   * Propose all objects in a rectangle, instead of earlier proposals: a grid of points is decoded, from coarse to fine, wherever nothing is proposed yet.
   * Resolves as {@link find} does.
   *
   * @param isGood whether a suggestion is proposed
   */
  async findAll(
    decoder: IPointDecoder,
    view: Rect,
    labelled: (at: IPixel) => boolean,
    isGood: (suggestion: Suggestion) => boolean
  ): Promise<number | null> {
    this.clear();
    const places = gridOf(view).filter(at => !labelled(at));
    const { image } = this._options;
    return this._search('everything', async signal => {
      for (const [done, at] of places.entries()) {
        this._progress(signal, done / places.length);
        if (this._group?.objects.some(object => object.contains(at))) {
          continue;
        }
        const prompts = { points: [{ ...at, label: 1 as const }] };
        const serving = decoder.serving?.(prompts) ?? decoder;
        const candidates = await serving.suggest(prompts, signal, true);
        signal.throwIfAborted();
        const { manifest, within } = serving;
        const { row0, row1, column0, column1 } = this._seenBy(serving);
        const local = { row: at.row - row0, column: at.column - column0 };
        const size = { rows: row1 - row0, columns: column1 - column0 };
        const { scale, isTooLarge } = chooseScale(candidates, { at: local, size, manifest });
        const object = new Suggestion(at, candidates, scale, image, manifest, within);
        if (!isTooLarge && object.contains(at) && isGood(object)) {
          this._propose(object);
        }
      }
    });
  }

  /** Propose what is like the example in what its decoder sees, beside what is proposed. `but`: another mask of it. */
  private async _findSimilar(
    { suggestion, decoder }: IExample,
    labelled: (at: IPixel) => boolean,
    signal: AbortSignal,
    but: Suggestion = suggestion
  ): Promise<void> {
    const embedding = decoder.embedding?.();
    if (!embedding) {
      throw new BridgeError('cancelled', 'Other embeddings have displaced this one.');
    }
    const { image } = this._options;
    const { manifest, within } = decoder;
    const seen = this._seenBy(decoder);
    const size = { rows: seen.row1 - seen.row0, columns: seen.column1 - seen.column0 };
    const found = similarObjects({
      manifest,
      embedding,
      size,
      like: likenessOf(embedding, size, suggestion.logits, manifest),
      taken: [suggestion.logits],
      signal,
      decode: ({ points }) => {
        const inImage = points.map(point => ({
          ...point,
          row: point.row + seen.row0,
          column: point.column + seen.column0
        }));
        return decoder.suggest({ points: inImage }, signal, true);
      },
      progress: (done, total) => this._progress(signal, total ? done / total : 1)
    });
    for await (const { lowRes, score, point } of found) {
      signal.throwIfAborted();
      const at = {
        row: Math.round(point.row) + seen.row0,
        column: Math.round(point.column) + seen.column0
      };
      const candidates = { lowRes: [lowRes], scores: [score], single: null };
      const object = new Suggestion(at, candidates, 0, image, manifest, within);
      if (!labelled(at) && !shares(object, but)) {
        this._propose(object);
      }
    }
  }

  /** Run a search, which proposes. Resolves as {@link find} does. */
  private async _search(what: SearchedFor, search: (signal: AbortSignal) => Promise<void>): Promise<number | null> {
    if (this._disposed) {
      return null;
    }
    const abort = new AbortController();
    const { signal } = abort;
    this._abort = abort;
    this._what = what;
    this._set(this._group, 0);
    try {
      await search(signal);
      if (signal.aborted) {
        return null;
      }
      this._set(this._group, null);
      return this.count;
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (signal.aborted || this._disposed) {
        return null;
      }
      this._set(this._group, null);
      if (error.code !== 'cancelled') {
        this._failed.emit(error);
      }
      return null;
    }
  }

  private _progress(signal: AbortSignal, part: number): void {
    if (!signal.aborted) {
      this._set(this._group, part);
    }
  }

  /** Propose an object, unless it shares much with another one that is proposed. */
  private _propose(object: Suggestion): void {
    const objects = this._group?.objects ?? [];
    if (!objects.some(other => shares(object, other))) {
      this._set(new ObjectGroup([...objects, object]), this._searching);
    }
  }

  private _seenBy({ within }: IPointDecoder): Rect {
    const { rows, columns } = this._options.image;
    return within ?? { row0: 0, row1: rows, column0: 0, column1: columns };
  }

  /** Drop the proposals at a pixel. Returns whether there was one. */
  drop(at: IPixel): boolean {
    const objects = this._group?.objects ?? [];
    const left = objects.filter(object => !object.contains(at));
    if (left.length === objects.length) {
      return false;
    }
    this._set(left.length ? new ObjectGroup(left) : null, this._searching);
    return true;
  }

  /** End the search, and give the pixels of all proposals as the tiles of one patch. They are proposed no more. */
  take(): IMaskTile[] {
    const { image } = this._options;
    const mask = new MaskBuilder(image);
    for (const object of this._group?.objects ?? []) {
      const { bounds } = object;
      mask.addMask(bounds, object.region(bounds));
    }
    this.clear();
    return mask.tiles();
  }

  /** Propose nothing. Returns whether something was proposed or searched for. */
  clear(): boolean {
    const had = this._group !== null || this._searching !== null;
    this._abort?.abort();
    this._abort = null;
    this._wider = null;
    if (had) {
      this._set(null, null);
    }
    return had;
  }

  dispose(): void {
    if (!this._disposed) {
      this.clear();
      this._disposed = true;
      Signal.clearData(this);
    }
  }

  private _set(group: ObjectGroup | null, searching: number | null): void {
    this._group = group;
    this._searching = searching;
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  private _group: ObjectGroup | null = null;
  private _searching: number | null = null;
  private _abort: AbortController | null = null;
  private _what: SearchedFor = 'similar';
  private _wider: { example: IExample; whole: IPointDecoder } | null = null;
  private _disposed = false;
}

/** Whether two objects share more than {@link SHARED_MAX} of the smaller one. */
function shares(a: Suggestion, b: Suggestion): boolean {
  if (!overlaps(a.bounds, b.bounds)) {
    return false;
  }
  const { both, one, other } = compared(a, b);
  return both > SHARED_MAX * Math.min(one, other);
}

/** The pixels of two objects and those that both have, in pixels of a level. */
function compared(a: Suggestion, b: Suggestion): { both: number; one: number; other: number } {
  const { row0, row1, column0, column1 } = new ObjectGroup([a, b]).bounds;
  const level = Math.max(0, Math.ceil(Math.log2(Math.max(row1 - row0, column1 - column0) / COMPARED)));
  const by = 2 ** level;
  const rect = {
    row0: Math.floor(row0 / by),
    row1: Math.ceil(row1 / by),
    column0: Math.floor(column0 / by),
    column1: Math.ceil(column1 / by)
  };
  const other = b.region(rect, level);
  const counts = { both: 0, one: 0, other: other.reduce((sum, inside) => sum + inside, 0) };
  a.region(rect, level).forEach((inside, i) => {
    counts.one += inside;
    counts.both += inside & other[i]!;
  });
  return counts;
}

/** The pixels at the nodes of a square grid over a rectangle: every fourth one first, then every second, then the others. */
function gridOf({ row0, row1, column0, column1 }: Rect): IPixel[] {
  const [rows, columns] = [row1 - row0, column1 - column0];
  const spacing = Math.max(1, Math.max(rows, columns) / GRID);
  const [down, across] = [rows, columns].map(length => Math.max(1, Math.round(length / spacing))) as [number, number];
  const nodes = Array.from({ length: down * across }, (_, i) => [Math.floor(i / across), i % across] as const);
  const rank = (i: number) => (i % 4 === 1 ? 0 : i % 2 === 1 ? 1 : 2);
  return nodes
    .sort((a, b) => Math.max(rank(a[0]), rank(a[1])) - Math.max(rank(b[0]), rank(b[1])))
    .map(([i, j]) => ({
      row: Math.floor(row0 + ((i + 0.5) * rows) / down),
      column: Math.floor(column0 + ((j + 0.5) * columns) / across)
    }));
}

/** The namespace for {@link SimilarObjects}. */
export namespace SimilarObjects {
  export interface IOptions {
    image: ISize;
  }
}
