/** Objects that are proposed on one slice, and when two of them are the same. No DOM here. */
import { overlaps, Rect } from '../../shared';
import { IPixel } from './suggestion';

/** Of two objects that share more than this part of the smaller one, the later one is left out. */
const SHARED_MAX = 0.3;
/** Masks are compared on at most about so many rows and columns. */
const COMPARED = 128;

/** An object on a slice; immutable. */
export interface IProposed {
  /** A pixel inside. */
  readonly at: IPixel;
  /** A rectangle that holds all of its pixels. */
  readonly bounds: Rect;
  /** Its pixels in a rectangle, 0 or 1. At level l, for display only, the image and the rectangle are reduced 2^l times. */
  region(region: Rect, level?: number): Uint8Array;
  contains(at: IPixel): boolean;
}

/** An object whose pixels are known; immutable. */
export class MaskedObject implements IProposed {
  /** @param _mask its pixels in `bounds`, row by row, 0 or 1 */
  constructor(
    readonly at: IPixel,
    readonly bounds: Rect,
    private readonly _mask: Uint8Array
  ) {}

  /** As {@link IProposed.region}. A pixel of a reduced image belongs to it if any of those that it stands for does. */
  region(region: Rect, level = 0): Uint8Array {
    const { row0, row1, column0, column1 } = region;
    const width = column1 - column0;
    const out = new Uint8Array((row1 - row0) * width);
    const columns = this.bounds.column1 - this.bounds.column0;
    this._mask.forEach((inside, i) => {
      if (inside) {
        const row = (this.bounds.row0 + Math.floor(i / columns)) >> level;
        const column = (this.bounds.column0 + (i % columns)) >> level;
        if (row >= row0 && row < row1 && column >= column0 && column < column1) {
          out[(row - row0) * width + column - column0] = 1;
        }
      }
    });
    return out;
  }

  contains({ row, column }: IPixel): boolean {
    const { row0, row1, column0, column1 } = this.bounds;
    const isNear = row >= row0 && row < row1 && column >= column0 && column < column1;
    return isNear && this._mask[(row - row0) * (column1 - column0) + column - column0] === 1;
  }
}

/** Several objects as one mask; immutable. */
export class ObjectGroup<T extends IProposed = IProposed> {
  constructor(readonly objects: readonly T[]) {
    this.bounds = boundsOf(objects);
  }

  /** A rectangle that holds all of them. */
  readonly bounds: Rect;

  /** The pixels of all in a rectangle, 0 or 1, as {@link IProposed.region}. */
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

/** Whether two objects share more than {@link SHARED_MAX} of the smaller one. */
export function shares(a: IProposed, b: IProposed): boolean {
  if (!overlaps(a.bounds, b.bounds)) {
    return false;
  }
  const { row0, row1, column0, column1 } = boundsOf([a, b]);
  const level = Math.max(0, Math.ceil(Math.log2(Math.max(row1 - row0, column1 - column0) / COMPARED)));
  const by = 2 ** level;
  const rect = {
    row0: Math.floor(row0 / by),
    row1: Math.ceil(row1 / by),
    column0: Math.floor(column0 / by),
    column1: Math.ceil(column1 / by)
  };
  const other = b.region(rect, level);
  let [both, one] = [0, 0];
  a.region(rect, level).forEach((inside, i) => {
    one += inside;
    both += inside & other[i]!;
  });
  return (
    both >
    SHARED_MAX *
      Math.min(
        one,
        other.reduce((sum, inside) => sum + inside, 0)
      )
  );
}

function boundsOf(objects: readonly IProposed[]): Rect {
  return {
    row0: Math.min(...objects.map(({ bounds }) => bounds.row0)),
    row1: Math.max(...objects.map(({ bounds }) => bounds.row1)),
    column0: Math.min(...objects.map(({ bounds }) => bounds.column0)),
    column1: Math.max(...objects.map(({ bounds }) => bounds.column1))
  };
}
