/** Rows and columns of an image or of one slice of a stack, in pixels. */
export interface ISize {
  rows: number;
  columns: number;
}

/** A rectangle of whole pixels; the ends are exclusive. */
export type Rect = {
  row0: number;
  row1: number;
  column0: number;
  column1: number;
};

/** A rectangle in one slice of a stack. */
export type SliceRect = Rect & { slice: number };

/** The part of a square tile that lies inside the image; `side` is in pixels. */
export function tileRect(
  { rows, columns }: ISize,
  slice: number,
  row: number,
  column: number,
  side: number
): SliceRect {
  return {
    slice,
    row0: row * side,
    row1: Math.min((row + 1) * side, rows),
    column0: column * side,
    column1: Math.min((column + 1) * side, columns)
  };
}

/** Size of level `level`: the image reduced 2^level times, rounded up. */
export function levelSize(image: ISize, level: number): ISize {
  const by = 2 ** level;
  return { rows: Math.ceil(image.rows / by), columns: Math.ceil(image.columns / by) };
}

/** Pixels of a rectangle. */
export function areaOf({ row0, row1, column0, column1 }: Rect): number {
  return (row1 - row0) * (column1 - column0);
}

/** The rectangle moved down and right. */
export function moved({ row0, row1, column0, column1 }: Rect, rows: number, columns: number): Rect {
  return { row0: row0 + rows, row1: row1 + rows, column0: column0 + columns, column1: column1 + columns };
}

/** The pixels that two rectangles share; with an end before its begin if they share none. */
export function intersection(a: Rect, b: Rect): Rect {
  return {
    row0: Math.max(a.row0, b.row0),
    row1: Math.min(a.row1, b.row1),
    column0: Math.max(a.column0, b.column0),
    column1: Math.min(a.column1, b.column1)
  };
}

/** Whether two rectangles have a pixel in common. */
export function overlaps(a: Rect, b: Rect): boolean {
  return a.row0 < b.row1 && b.row0 < a.row1 && a.column0 < b.column1 && b.column0 < a.column1;
}

/** Pixels that two rectangles have in common. */
export function overlapArea(a: Rect, b: Rect): number {
  const rows = Math.min(a.row1, b.row1) - Math.max(a.row0, b.row0);
  const columns = Math.min(a.column1, b.column1) - Math.max(a.column0, b.column0);
  return Math.max(rows, 0) * Math.max(columns, 0);
}
