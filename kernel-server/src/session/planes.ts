/**
 * The arrays of one shape that a session's journal fills. Two layers can be drawn on: the labels, and the correction of the
 * segmentation. Beside each label stands its provenance: what made it.
 *
 * ```ts
 * const planes = new Planes({ labels, provenance, makeCorrection });
 * const change = planes.change('labels', rect, before, after, PROVENANCE_CODES.sam); // nothing is written yet
 * planes.write(change); // labels and provenance
 * ```
 *
 * A pixel's provenance changes with its label only: painting a class over itself changes neither.
 */
import { CLASSES_MAX } from '../../../src/shared/limits';
import { ArrayDescriptor, Layer } from '../../../src/shared/protocol';
import { areaOf, SliceRect } from '../../../src/shared/rect';
import { byteLength } from '../arrays/dtypes';
import { TileFile } from '../arrays/tile-file';

/** The planes in the order in which a snapshot has their bytes. */
export const PLANES = ['labels', 'provenance', 'correction'] as const;
export type Plane = (typeof PLANES)[number];

/** Bytes of a plane. */
export type ReadBytes = (position: number, length: number) => Uint8Array;

/** A rectangle of a layer, by default of the labels. */
export type LayerRect = SliceRect & { layer?: Layer };

/** A rectangle that changes, row by row. */
export interface IChange {
  rect: LayerRect;
  before: Uint8Array;
  after: Uint8Array;
  /** What made the labels before and after; the correction has none. */
  made?: { before: Uint8Array; after: Uint8Array };
}

export class Planes {
  constructor(options: Planes.IOptions) {
    this.labels = new TileFile(options.labels, 'r+');
    this.provenance = options.provenance && new TileFile(options.provenance, 'r+');
    this._makeCorrection = options.makeCorrection;
    this.bytes = byteLength(options.labels);
  }

  readonly labels: TileFile;

  /** What made each label, by `PROVENANCE_CODES`; undefined if it is not kept. */
  readonly provenance: TileFile | undefined;

  /** Bytes of each plane. */
  readonly bytes: number;

  /** Pixels of each class id in each layer. */
  readonly counts: Record<Layer, number[]> = { labels: noCounts(), correction: noCounts() };

  /** The correction: class ids, 0 where the segmentation is not corrected; undefined until it is first drawn on. */
  get correction(): TileFile | undefined {
    return this._correction;
  }

  /** A layer's file; the correction is made if there is none. `undefined` if these planes have no correction. */
  async use(layer: Layer): Promise<TileFile | undefined> {
    if (layer === 'labels' || this._correction || !this._makeCorrection) {
      return this[layer];
    }
    this._making ??= this._makeCorrection().then(array => {
      this._correction = new TileFile(array, 'r+');
    });
    try {
      await this._making;
    } finally {
      this._making = undefined;
    }
    return this._correction;
  }

  /**
   * Describe a change without writing it. Labels that differ get the provenance `origin`, erased ones 0.
   *
   * @param origin for all pixels, or of each; undefined if the labels keep their provenance, as where one class becomes another
   */
  change(rect: LayerRect, before: Uint8Array, after: Uint8Array, origin: number | Uint8Array | undefined): IChange {
    if (rect.layer === 'correction') {
      return { rect, before, after };
    }
    const old = (this.provenance?.read(rect) as Uint8Array | undefined) ?? new Uint8Array(areaOf(rect));
    const made = { before: old, after: madeAnew(before, after, old, origin ?? old) };
    return { rect, before, after, made };
  }

  /** Write a change. The layer is in {@link use}; counts are the caller's. */
  write({ rect, after, made }: IChange): void {
    this[rect.layer ?? 'labels']!.write(rect, after);
    if (made) {
      this.provenance?.write(rect, made.after);
    }
  }

  /** Write bytes into a plane, if there is one. */
  writeBytes(plane: Plane, position: number, bytes: Uint8Array): void {
    this[plane]?.writeBytes(position, bytes);
  }

  /** Labelled, or corrected, pixels. */
  pixels(layer: Layer): number {
    return this.counts[layer].reduce((sum, n, id) => (id > 0 ? sum + n : sum), 0);
  }

  close(): void {
    PLANES.forEach(plane => this[plane]?.close());
  }

  private readonly _makeCorrection: (() => Promise<ArrayDescriptor>) | undefined;
  private _correction: TileFile | undefined;
  private _making: Promise<void> | undefined;
}

export namespace Planes {
  export interface IOptions {
    /** uint8 [slices, rows, columns]. */
    labels: ArrayDescriptor;
    /** An array of the same shape; left out if provenance is not wanted. */
    provenance?: ArrayDescriptor | undefined;
    /** Makes the correction's array, all zeros, when it is first needed; left out if the correction is not wanted. */
    makeCorrection?: (() => Promise<ArrayDescriptor>) | undefined;
  }
}

/** The provenance of labels that replace others: where they differ, `origin`, which is that of each pixel or of all. */
export function madeAnew(
  before: Uint8Array,
  after: Uint8Array,
  provenance: Uint8Array,
  origin: Uint8Array | number
): Uint8Array {
  return provenance.map((code, i) => {
    if (before[i] === after[i]) {
      return code;
    }
    return after[i] === 0 ? 0 : typeof origin === 'number' ? origin : origin[i]!;
  });
}

/** A count for each class id. */
export function noCounts(): number[] {
  return new Array<number>(CLASSES_MAX + 1).fill(0);
}

/** The counts above 0 by class id, without unlabelled pixels. */
export function countsById(counts: readonly number[]): Record<string, number> {
  return Object.fromEntries(counts.flatMap((n, id) => (id > 0 && n > 0 ? [[id, n]] : [])));
}
