/**
 * Objects that are proposed, because they are like one that the user accepted or points at, or because they are in view: shown as they are found, dropped one
 * by one, accepted together as one step. What is like an example is looked for in the view first; each further search looks farther, up to the whole stack.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { areaOf, BridgeError, moved, Rect } from '../../shared';
import {
  chooseScale,
  inImage,
  IObjectShape,
  isCut,
  likenessOf,
  PLAIN_SHAPE,
  sampleGreys,
  similarObjects,
  SimilarWindows
} from '../../sam';
import { ISize } from '../base/geometry';
import { idle } from '../base/idle';
import { ISessionLink } from '../base/session-link';
import { IMaskTile, MaskBuilder } from '../labels/raster';
import { ObjectGroup, shares } from './object-group';
import { Proposal } from './proposal';
import { IPixel, Suggestion } from './suggestion';
import { SuggestionOptions } from './suggestion-options';
import { IExample, IPointDecoder } from './suggestions';
import { WindowSearch } from './window-search';

/** Points of the grid for everything in view, along the longer side of the view. */
const GRID = 16;
/** Proposals are drawn in another shape for so long at a time, in milliseconds, so that the page stays quick. */
const WORK_MS = 8;

/** What is looked for. */
export type SearchedFor = 'similar' | 'everything';

/** Where objects like an example are looked for: in what its decoder sees; then in the rest of the slice; then on the other slices. */
export type SearchedIn = 'view' | 'slice' | 'stack';

/** The proposals of a slice, as labels. */
export interface ITakenObjects {
  slice: number;
  objects: readonly Proposal[];
  tiles: IMaskTile[];
}

/** The proposals of one labeller. */
export class SimilarObjects implements IDisposable {
  constructor(private readonly _options: SimilarObjects.IOptions) {
    _options.options?.changed.connect(this._followShape, this);
  }

  /** Emits when the proposals or {@link searching} change. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Emits errors of the decoder and of the sidecar. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  /** What is proposed on a slice; null if nothing is. */
  on(slice: number): ObjectGroup<Proposal> | null {
    return this._groups.get(slice) ?? null;
  }

  /** The slices on which objects are proposed, in their order. */
  get slices(): readonly number[] {
    return [...this._groups.keys()].sort((a, b) => a - b);
  }

  /** How many are proposed on all slices. */
  get count(): number {
    return [...this._groups.values()].reduce((sum, { objects }) => sum + objects.length, 0);
  }

  /** How many are proposed beside the example. */
  get others(): number {
    return this.count - (this._isExampleProposed() ? 1 : 0);
  }

  /** What the proposals are, or are looked for. */
  get what(): SearchedFor {
    return this._what;
  }

  /** Where objects like the example are looked for, or were the last time. */
  get where(): SearchedIn {
    return this._where;
  }

  /** Where {@link widen} would look; null if it would look nowhere, as during a search. */
  get next(): SearchedIn | null {
    return this._searching === null ? (this._ahead[0]?.where ?? null) : null;
  }

  /** The part of the places, or of the windows, that has been looked at, 0 to 1; null while there is no search. */
  get searching(): number | null {
    return this._searching;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /**
   * Propose what is like the example in what its decoder sees, instead of earlier proposals, and the example too if it is not accepted yet. Resolves at the
   * end of the search, to the number of objects; to null if it was stopped or failed, which {@link failed} tells.
   */
  async find(example: IExample, places: SimilarObjects.IPlaces): Promise<number | null> {
    this.clear();
    const { link, image, greys } = this._options;
    const { suggestion, decoder } = example;
    const { manifest } = decoder;
    const { slice, slices, seen } = places;
    const others = slices.filter(each => each !== slice).sort((a, b) => Math.abs(a - slice) - Math.abs(b - slice));
    const ahead = (where: SearchedIn, on: readonly number[]) =>
      on.length > 0
        ? [
            {
              where,
              search: new WindowSearch({ link, image, manifest, greys, example: suggestion, slice, slices: on })
            }
          ]
        : [];
    this._ahead = [...ahead('slice', [slice]), ...ahead('stack', others)];
    const bounds = inImage(suggestion.logits, suggestion.seen, manifest);
    const isWhole = areaOf(this._seenBy(decoder)) >= areaOf(seen) && new SimilarWindows(seen, bounds).side === null;
    return this._search('similar', 'view', async signal => {
      if (example.isProposed && !places.labelled(suggestion.at)) {
        this._proposeDrawn(slice, suggestion);
        this._example = { slice, proposal: this.on(slice)!.objects[0]! };
      }
      await this._findInView(example, places, signal);
      signal.throwIfAborted();
      if (isWhole) {
        this._ahead = ahead('stack', others); // the slice is one window, which was looked at just now
      }
    });
  }

  /**
   * Look for objects like the example of {@link find} where {@link next} says, beside those that are proposed. Resolves as {@link find} does. After a failure
   * it goes on where it was.
   *
   * @returns 'unseen' if SAM does not see the example in windows of its size
   */
  async widen(): Promise<number | 'unseen' | null> {
    const [ahead] = this._ahead;
    if (!ahead || this._searching !== null) {
      return null;
    }
    const { where, search } = ahead;
    let isSeen = true;
    const found = await this._search('similar', where, async signal => {
      while (isSeen && !search.isDone) {
        this._progress(signal, search.part);
        const inWindow = await search.next(signal, this._shape);
        signal.throwIfAborted();
        isSeen = inWindow !== null;
        this._propose(inWindow?.slice ?? 0, inWindow?.objects ?? []);
        this._followShape(); // which may be others since
      }
      this._ahead = isSeen ? this._ahead.slice(1) : [];
    });
    return isSeen ? found : 'unseen';
  }

  /**
   * Propose all objects in a rectangle, instead of earlier proposals: a grid of points is decoded, from coarse to fine, wherever nothing is proposed yet.
   * Resolves as {@link find} does.
   *
   * @param isGood whether a suggestion is proposed
   */
  async findAll(
    decoder: IPointDecoder,
    slice: number,
    view: Rect,
    labelled: (at: IPixel) => boolean,
    isGood: (suggestion: Suggestion) => boolean
  ): Promise<number | null> {
    this.clear();
    const places = gridOf(view).filter(at => !labelled(at));
    const { image } = this._options;
    return this._search('everything', 'view', async signal => {
      for (const [done, at] of places.entries()) {
        this._progress(signal, done / places.length);
        if (this.on(slice)?.objects.some(({ plain }) => plain.contains(at))) {
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
          this._proposeDrawn(slice, object);
        }
      }
    });
  }

  /** Propose what is like the example in what its decoder sees. */
  private async _findInView(
    { suggestion, decoder }: IExample,
    { slice, seen: all, labelled }: SimilarObjects.IPlaces,
    signal: AbortSignal
  ): Promise<void> {
    const embedding = decoder.embedding?.();
    if (!embedding) {
      throw new BridgeError('cancelled', 'Other embeddings have displaced this one.');
    }
    const { image } = this._options;
    const { manifest, within } = decoder;
    const seen = this._seenBy(decoder);
    const size = { rows: seen.row1 - seen.row0, columns: seen.column1 - seen.column0 };
    const known = this._options.greys;
    const greys = known
      ? sampleGreys(size, manifest, rect => known(moved(rect, seen.row0, seen.column0), slice))
      : null;
    const plain = suggestion.inShape(PLAIN_SHAPE);
    const found = similarObjects({
      manifest,
      embedding,
      size,
      like: likenessOf(embedding, size, suggestion.logits, manifest, greys),
      greys,
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
      // A wider search draws the whole of what the view's border cuts.
      if (!labelled(at) && !isCut(object.bounds, seen, all) && !shares(object, plain)) {
        this._proposeDrawn(slice, object);
      }
    }
  }

  /** Run a search, which proposes. Resolves as {@link find} does. */
  private async _search(
    what: SearchedFor,
    where: SearchedIn,
    search: (signal: AbortSignal) => Promise<void>
  ): Promise<number | null> {
    if (this._disposed) {
      return null;
    }
    const abort = new AbortController();
    const { signal } = abort;
    this._abort = abort;
    this._what = what;
    this._where = where;
    this._progress(signal, 0);
    try {
      await search(signal);
      if (signal.aborted) {
        return null;
      }
      this._end();
      return this.count;
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (signal.aborted || this._disposed) {
        return null;
      }
      this._end();
      if (error.code !== 'cancelled') {
        this._failed.emit(error);
      }
      return null;
    }
  }

  private _progress(signal: AbortSignal, part: number): void {
    if (!signal.aborted) {
      this._searching = part;
      this._changed.emit();
    }
  }

  private _end(): void {
    this._searching = null;
    this._changed.emit();
  }

  /** Propose objects on a slice, but none that shares much with another one that is proposed, or was dropped. */
  private _propose(slice: number, objects: readonly Proposal[]): void {
    const before = this.on(slice)?.objects ?? [];
    const all = [...before];
    for (const object of objects) {
      if (![...all, ...(this._dropped.get(slice) ?? [])].some(other => shares(object.plain, other.plain))) {
        all.push(object);
      }
    }
    if (all.length > before.length) {
      this._groups.set(slice, new ObjectGroup(all));
      this._changed.emit();
    }
  }

  private _isExampleProposed(): boolean {
    const { slice, proposal } = this._example ?? {};
    return slice !== undefined && (this.on(slice)?.objects.some(({ plain }) => plain === proposal!.plain) ?? false);
  }

  /** Propose what SAM drew at a place of a slice, in the user's shape. */
  private _proposeDrawn(slice: number, suggestion: Suggestion): void {
    const { greys } = this._options;
    this._propose(slice, [Proposal.of(suggestion, this._shape, greys && (rect => greys(rect, slice)))]);
  }

  /** The shape that the user chose. */
  private get _shape(): Readonly<IObjectShape> {
    return this._options.options?.shape ?? PLAIN_SHAPE;
  }

  private _followShape(): void {
    if (!this._reshaping && this._stale().length > 0) {
      this._reshaping = this._reshape().finally(() => (this._reshaping = null));
    }
  }

  /** Draw the proposals in the shape that the user chooses now, in idle moments: many of them take a second. */
  private async _reshape(): Promise<void> {
    while (this._stale().length > 0) {
      await idle();
      const end = performance.now() + WORK_MS;
      for (const [slice, { objects }] of this._stale()) {
        const isStale = ({ shape }: Proposal) => shape !== this._shape;
        const drawn = objects.map(each =>
          isStale(each) && performance.now() < end ? each.inShape(this._shape) : each
        );
        this._groups.set(slice, new ObjectGroup(drawn));
      }
      this._changed.emit();
    }
  }

  /** The slices with proposals in another shape. */
  private _stale(): [number, ObjectGroup<Proposal>][] {
    return [...this._groups].filter(([, { objects }]) => objects.some(({ shape }) => shape !== this._shape));
  }

  private _seenBy({ within }: IPointDecoder): Rect {
    const { rows, columns } = this._options.image;
    return within ?? { row0: 0, row1: rows, column0: 0, column1: columns };
  }

  /** Drop the proposals at a pixel of a slice: wider searches do not propose them again. Returns whether there was one. */
  drop(slice: number, at: IPixel): boolean {
    const objects = this.on(slice)?.objects ?? [];
    const dropped = objects.filter(object => object.contains(at));
    if (dropped.length === 0) {
      return false;
    }
    this._dropped.set(slice, [...(this._dropped.get(slice) ?? []), ...dropped]);
    const left = objects.filter(object => !dropped.includes(object));
    if (left.length > 0) {
      this._groups.set(slice, new ObjectGroup(left));
    } else {
      this._groups.delete(slice);
    }
    this._changed.emit();
    return true;
  }

  /** Resolves when the proposals are in the shape that the user chose; null: they are. */
  get reshaping(): Promise<void> | null {
    return this._reshaping;
  }

  /** End the search, and give the pixels of all proposals, slice by slice. They are proposed no more. */
  take(): ITakenObjects[] {
    const { image } = this._options;
    const taken = this.slices.map(slice => {
      const { objects } = this.on(slice)!;
      const mask = new MaskBuilder(image);
      for (const object of objects) {
        const { bounds } = object;
        mask.addMask(bounds, object.region(bounds));
      }
      return { slice, objects, tiles: mask.tiles() };
    });
    this.clear();
    return taken;
  }

  /** Propose what was taken and could not be labelled. */
  giveBack(taken: readonly ITakenObjects[]): void {
    taken.forEach(({ slice, objects }) => this._propose(slice, objects));
  }

  /** Propose nothing. Returns whether something was proposed or searched for. */
  clear(): boolean {
    const had = this._groups.size > 0 || this._searching !== null;
    this._abort?.abort();
    this._abort = null;
    this._ahead = [];
    this._example = null;
    this._groups.clear();
    this._dropped.clear();
    if (had) {
      this._end();
    }
    return had;
  }

  dispose(): void {
    if (!this._disposed) {
      this.clear();
      this._disposed = true;
      this._options.options?.changed.disconnect(this._followShape, this);
      Signal.clearData(this);
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  private readonly _groups = new Map<number, ObjectGroup<Proposal>>();
  /** What the user has dropped, by slice. */
  private readonly _dropped = new Map<number, readonly Proposal[]>();
  /** The object that the others are like, where it is proposed itself. */
  private _example: { slice: number; proposal: Proposal } | null = null;
  private _reshaping: Promise<void> | null = null;
  private _searching: number | null = null;
  private _abort: AbortController | null = null;
  private _what: SearchedFor = 'similar';
  private _where: SearchedIn = 'view';
  /** The searches that {@link widen} does, the next one first. */
  private _ahead: readonly { where: SearchedIn; search: WindowSearch }[] = [];
  private _disposed = false;
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
    link: ISessionLink;
    /** What the user chose for suggestions: proposals have the same shape; absent: as SAM draws them. */
    options?: SuggestionOptions;
    /** The image's greys in a rectangle of a slice; null if they are not known. */
    greys?: (rect: Rect, slice: number) => Float32Array | null;
  }

  /** Where objects like an example are looked for. */
  export interface IPlaces {
    /** The slice of the example. */
    slice: number;
    /** All slices that are worked on. */
    slices: readonly number[];
    /** The rows and columns that SAM sees of each. */
    seen: Rect;
    /** Whether a pixel of the slice has a label: nothing is proposed there. */
    labelled(at: IPixel): boolean;
  }
}
