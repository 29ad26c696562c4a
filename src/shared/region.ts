/** The part of an image or stack that a user works on: only its pixels are learned from and segmented. */
import type { SliceDirection } from './direction';
import { Rect, SliceRect } from './rect';

/** Rows, columns and slices of a part of a stack; the ends are exclusive. */
export type Region = Rect & {
  slice0: number;
  slice1: number;
};

/** A region as the protocol has it: null is everything. */
export type OptionalRegion = Region | null;

/** All of an image of `shape`, [slices, rows, columns, …]. */
export function wholeRegion(shape: readonly number[]): Region {
  const [slices, rows, columns] = shape as [number, number, number];
  return { slice0: 0, slice1: slices, row0: 0, row1: rows, column0: 0, column1: columns };
}

/** The rows and columns of a region of an image. */
export function rectOf(region: OptionalRegion, shape: readonly number[]): Rect {
  const { row0, row1, column0, column1 } = region ?? wholeRegion(shape);
  return { row0, row1, column0, column1 };
}

/** The shape of an image that has only the region's rows and columns. */
export function cutShape<T extends readonly number[]>(shape: T, region: OptionalRegion): T {
  const [slices, , , ...more] = shape;
  const { row0, row1, column0, column1 } = rectOf(region, shape);
  return [slices, row1 - row0, column1 - column0, ...more] as unknown as T;
}

/** The region as slices, rows and columns of a direction. */
export function regionIn(direction: SliceDirection, region: Region): Region {
  const { slice0, slice1, row0, row1, column0, column1 } = region;
  if (direction === 'xy') {
    return region;
  }
  const z = { row0: slice0, row1: slice1 };
  return direction === 'xz'
    ? { slice0: row0, slice1: row1, ...z, column0, column1 }
    : { slice0: column0, slice1: column1, ...z, column0: row0, column1: row1 };
}

/** Whether a slice is in the region. */
export function hasSlice(region: OptionalRegion | undefined, slice: number): boolean {
  return !region || (slice >= region.slice0 && slice < region.slice1);
}

/** The pixels that a rectangle has in the region; undefined if there are none. */
export function cutTo(region: OptionalRegion | undefined, { slice, ...rect }: SliceRect): Rect | undefined {
  if (!region) {
    return rect;
  }
  if (!hasSlice(region, slice)) {
    return undefined;
  }
  const row0 = Math.max(rect.row0, region.row0);
  const row1 = Math.min(rect.row1, region.row1);
  const column0 = Math.max(rect.column0, region.column0);
  const column1 = Math.min(rect.column1, region.column1);
  return row0 < row1 && column0 < column1 ? { row0, row1, column0, column1 } : undefined;
}

/** Whether all of `inner` lies in `outer`; null is everything. */
export function holds(outer: OptionalRegion, inner: OptionalRegion): boolean {
  if (!outer || !inner) {
    return !outer;
  }
  return (
    outer.slice0 <= inner.slice0 &&
    outer.slice1 >= inner.slice1 &&
    outer.row0 <= inner.row0 &&
    outer.row1 >= inner.row1 &&
    outer.column0 <= inner.column0 &&
    outer.column1 >= inner.column1
  );
}

/** Whether two regions are the same. */
export function isSameRegion(a: OptionalRegion, b: OptionalRegion): boolean {
  return holds(a, b) && holds(b, a);
}

/** Whether two regions of an image have the same rows and columns. */
export function isSameRect(a: OptionalRegion, b: OptionalRegion, shape: readonly number[]): boolean {
  return JSON.stringify(rectOf(a, shape)) === JSON.stringify(rectOf(b, shape));
}

/** A short text that tells regions apart, for the keys of caches. */
export function regionKey(region: OptionalRegion | undefined): string {
  return region
    ? [region.slice0, region.slice1, region.row0, region.row1, region.column0, region.column1].join('-')
    : '';
}

/** Set the bytes of a rectangle of class ids to 0 outside of the region. `bytes` has a byte for each pixel. */
export function clearOutside(bytes: Uint8Array, rect: SliceRect, region: OptionalRegion | undefined): void {
  if (!region) {
    return;
  }
  const inside = cutTo(region, rect);
  if (!inside) {
    bytes.fill(0);
    return;
  }
  const width = rect.column1 - rect.column0;
  bytes.fill(0, 0, (inside.row0 - rect.row0) * width);
  bytes.fill(0, (inside.row1 - rect.row0) * width);
  for (let row = inside.row0 - rect.row0; row < inside.row1 - rect.row0; row++) {
    bytes.fill(0, row * width, row * width + inside.column0 - rect.column0);
    bytes.fill(0, row * width + inside.column1 - rect.column0, (row + 1) * width);
  }
}

/**
 * The same for a run of bytes of a whole array.
 *
 * @param position of the first byte in the array
 * @param shape of the array, [slices, rows, columns]
 */
export function clearRunOutside(
  bytes: Uint8Array,
  position: number,
  shape: readonly number[],
  region: OptionalRegion | undefined
): void {
  if (!region) {
    return;
  }
  const [, rows, columns] = shape as [number, number, number];
  const end = position + bytes.length;
  for (let line = Math.floor(position / columns); line * columns < end; line++) {
    const [slice, row] = [Math.floor(line / rows), line % rows];
    const from = line * columns - position;
    const inside = hasSlice(region, slice) && row >= region.row0 && row < region.row1;
    const clear = (first: number, last: number) => bytes.fill(0, Math.max(0, first), Math.max(0, last));
    clear(from, from + (inside ? region.column0 : columns));
    if (inside) {
      clear(from + region.column1, from + columns);
    }
  }
}
