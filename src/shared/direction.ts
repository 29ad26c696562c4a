/**
 * The directions in which a volume [z, y, x] is cut into slices. Rows and columns of a slice are the other two axes, in this order:
 *
 *     xy: slice z, rows y, columns x    (as the arrays are stored)
 *     xz: slice y, rows z, columns x
 *     yz: slice x, rows z, columns y
 *
 * ```ts
 * shapeIn('xz', [40, 300, 500]); // [300, 40, 500]
 * voxelIn('xz', { slice: 7, row: 2, column: 9 }); // { z: 2, y: 7, x: 9 }
 * ```
 */
import { SliceRect } from './rect';

export const SLICE_DIRECTIONS = ['xy', 'xz', 'yz'] as const;
export type SliceDirection = (typeof SLICE_DIRECTIONS)[number];

/** A voxel, by its indices in Python's `volume[z, y, x]`. */
export interface IVoxel {
  z: number;
  y: number;
  x: number;
}

/** Whether an image [slices, rows, columns, channels] is a volume, which can be cut in all directions: a stack of grey slices. */
export function isVolume([slices, , , channels]: readonly [number, number, number, number]): boolean {
  return slices > 1 && channels === 1;
}

/** Slices, rows and columns of a volume [z, y, x] in a direction. */
export function shapeIn(
  direction: SliceDirection,
  [z, y, x]: readonly [number, number, number]
): [number, number, number] {
  return direction === 'xy' ? [z, y, x] : direction === 'xz' ? [y, z, x] : [x, z, y];
}

/** The voxel of a pixel. */
export function voxelIn(
  direction: SliceDirection,
  { slice, row, column }: { slice: number; row: number; column: number }
): IVoxel {
  return direction === 'xy'
    ? { z: slice, y: row, x: column }
    : direction === 'xz'
      ? { z: row, y: slice, x: column }
      : { z: row, y: column, x: slice };
}

/** The slice on which a voxel lies, and where on it. */
export function pixelIn(
  direction: SliceDirection,
  { z, y, x }: IVoxel
): { slice: number; row: number; column: number } {
  return direction === 'xy'
    ? { slice: z, row: y, column: x }
    : direction === 'xz'
      ? { slice: y, row: z, column: x }
      : { slice: x, row: z, column: y };
}

/** The part of the stored slice `z` under a row of a slice in the direction xz or yz: `row` is z, and the columns are from `first` to `end`. */
export function lineIn(
  direction: Exclude<SliceDirection, 'xy'>,
  { slice, row, first, end }: { slice: number; row: number; first: number; end: number }
): SliceRect {
  return direction === 'xz'
    ? { slice: row, row0: slice, row1: slice + 1, column0: first, column1: end }
    : { slice: row, row0: first, row1: end, column0: slice, column1: slice + 1 };
}
