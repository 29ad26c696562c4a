/**
 * Objects that are proposed because they are like one that the user accepted or points at: shown as they are found, dropped one by one, accepted
 * together as one step.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, Rect } from '../../shared';
import { similarObjects } from '../../sam';
import { ISize } from '../base/geometry';
import { IMaskTile, MaskBuilder } from '../labels/raster';
import { IPixel, Suggestion } from './suggestion';
import { IExample } from './suggestions';

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
   */
  async find({ suggestion, decoder }: IExample, labelled: (at: IPixel) => boolean): Promise<number | null> {
    this.clear();
    const embedding = decoder.embedding?.();
    if (!embedding || this._disposed) {
      return null;
    }
    const { image } = this._options;
    const { manifest, within } = decoder;
    const seen = within ?? { row0: 0, row1: image.rows, column0: 0, column1: image.columns };
    const abort = new AbortController();
    const { signal } = abort;
    this._abort = abort;
    this._set(null, 0);
    try {
      const found = similarObjects({
        manifest,
        embedding,
        size: { rows: seen.row1 - seen.row0, columns: seen.column1 - seen.column0 },
        example: suggestion.logits,
        signal,
        decode: ({ points }) => {
          const inImage = points.map(point => ({
            ...point,
            row: point.row + seen.row0,
            column: point.column + seen.column0
          }));
          return decoder.suggest({ points: inImage }, signal, true);
        },
        progress: (done, total) => {
          if (!signal.aborted) {
            this._set(this._group, total ? done / total : 1);
          }
        }
      });
      for await (const { lowRes, score, point } of found) {
        if (signal.aborted) {
          return null;
        }
        const at = {
          row: Math.round(point.row) + seen.row0,
          column: Math.round(point.column) + seen.column0
        };
        const candidates = { lowRes: [lowRes], scores: [score], single: null };
        if (!labelled(at)) {
          const object = new Suggestion(at, candidates, 0, image, manifest, within);
          this._set(new ObjectGroup([...(this._group?.objects ?? []), object]), this._searching);
        }
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
  private _disposed = false;
}

/** The namespace for {@link SimilarObjects}. */
export namespace SimilarObjects {
  export interface IOptions {
    image: ISize;
  }
}
