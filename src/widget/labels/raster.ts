/**
 * Rasters strokes, contours and suggestions to bit masks in sparse tiles, as the protocol's patches carry them.
 *
 * A brush covers the pixels whose centres lie within its radius of the pointer's path. Between two places of the pointer the
 * path is straight, so the covered shape is a capsule, which meets each row of pixels in one run.
 */
import { LABEL_TILE, MASK_BYTES, Rect } from '../../shared';
import { IPoint, ISize, tileKey } from '../base/geometry';

/** Bytes of one tile's bit mask. */

/** One tile of a mask: LABEL_TILE² bits, row by row, the most significant bit first. */
export interface IMaskTile {
  row: number;
  column: number;
  bits: Uint8Array;
}

/** Called with runs of pixels of one row; `end` is exclusive. */
export type EmitRun = (row: number, start: number, end: number) => void;

/** Emit the runs of pixels that a round brush covers from one point to another, in image coordinates. */
export function brushRuns(from: IPoint, to: IPoint, radius: number, image: ISize, emit: EmitRun): void {
  const row0 = Math.max(0, Math.ceil(Math.min(from.y, to.y) - radius - 0.5));
  const row1 = Math.min(image.rows - 1, Math.floor(Math.max(from.y, to.y) + radius - 0.5));
  for (let row = row0; row <= row1; row++) {
    const span = capsuleAt(row + 0.5, from, to, radius);
    if (span) {
      const start = Math.max(0, Math.ceil(span[0] - 0.5));
      const end = Math.min(image.columns, Math.floor(span[1] - 0.5) + 1);
      if (start < end) {
        emit(row, start, end);
      }
    }
  }
  // Even the smallest brush covers the pixel under the pointer.
  for (const { x, y } of [from, to]) {
    const row = Math.floor(y);
    const column = Math.floor(x);
    if (row >= 0 && row < image.rows && column >= 0 && column < image.columns) {
      emit(row, column, column + 1);
    }
  }
}

/** The interval of x where the horizontal line at `y` lies inside the capsule around a segment; undefined if it misses the capsule. */
function capsuleAt(y: number, from: IPoint, to: IPoint, radius: number): [number, number] | undefined {
  let low = Infinity;
  let high = -Infinity;
  const include = (x: number) => {
    low = Math.min(low, x);
    high = Math.max(high, x);
  };
  for (const centre of [from, to]) {
    const rest = radius * radius - (y - centre.y) ** 2;
    if (rest >= 0) {
      include(centre.x - Math.sqrt(rest));
      include(centre.x + Math.sqrt(rest));
    }
  }
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = Math.hypot(dx, dy);
  if (length > 0 && dy !== 0) {
    // The two long sides of the rectangle between the discs; its short sides lie inside the discs.
    for (const side of [-1, 1]) {
      const sx = from.x - (side * radius * dy) / length;
      const sy = from.y + (side * radius * dx) / length;
      const t = (y - sy) / dy;
      if (t >= 0 && t <= 1) {
        include(sx + t * dx);
      }
    }
  }
  return low <= high ? [low, high] : undefined;
}

/**
 * Emit the runs of pixels whose centres lie inside a closed contour, by the even-odd rule: where it crosses itself, what it goes
 * around twice is outside. A centre on an edge belongs to what is right of the edge, or below it, so contours that share an edge
 * cover each pixel once.
 */
export function contourRuns(contour: readonly IPoint[], image: ISize, emit: EmitRun): void {
  /** For each row, the first column right of each edge that crosses it. */
  const crossings = new Map<number, number[]>();
  contour.forEach((point, i) => {
    const next = contour[(i + 1) % contour.length]!;
    const [top, bottom] = point.y <= next.y ? [point, next] : [next, point];
    const last = Math.min(Math.ceil(bottom.y - 0.5), image.rows);
    for (let row = Math.max(0, Math.ceil(top.y - 0.5)); row < last; row++) {
      const columns = crossings.get(row);
      const column = columnRightOf(top, bottom, row + 0.5, image.columns);
      if (columns) {
        columns.push(column);
      } else {
        crossings.set(row, [column]);
      }
    }
  });
  for (const [row, columns] of crossings) {
    columns.sort((a, b) => a - b);
    for (let i = 1; i < columns.length; i += 2) {
      if (columns[i - 1]! < columns[i]!) {
        emit(row, columns[i - 1]!, columns[i]!);
      }
    }
  }
}

/** The first column, from 0 to `columns`, whose centre at `y` is not left of an edge. */
function columnRightOf(top: IPoint, bottom: IPoint, y: number, columns: number): number {
  const dx = bottom.x - top.x;
  const dy = bottom.y - top.y;
  const isRight = (column: number) => (column + 0.5 - top.x) * dy >= (y - top.y) * dx;
  // The division rounds; the comparison of products decides.
  let column = Math.min(Math.max(Math.ceil(top.x + ((y - top.y) * dx) / dy - 0.5), 0), columns);
  while (column > 0 && isRight(column - 1)) {
    column--;
  }
  while (column < columns && !isRight(column)) {
    column++;
  }
  return column;
}

/** Gathers the pixels of one patch. */
export class MaskBuilder {
  constructor(private readonly _image: ISize) {}

  /** Add a run of pixels of one row, clipped to the image. */
  addRun(row: number, start: number, end: number): void {
    if (row < 0 || row >= this._image.rows) {
      return;
    }
    const stop = Math.min(end, this._image.columns);
    for (let column = Math.max(0, start); column < stop;) {
      const tileColumn = Math.floor(column / LABEL_TILE);
      const last = Math.min(stop, (tileColumn + 1) * LABEL_TILE);
      const bits = this._tile(Math.floor(row / LABEL_TILE), tileColumn).bits;
      const base = (row % LABEL_TILE) * LABEL_TILE - tileColumn * LABEL_TILE;
      setBits(bits, base + column, base + last);
      column = last;
    }
  }

  /** Add the pixels of a rectangle that are not 0 in `mask`, which has one byte a pixel, row by row. */
  addMask(rect: Rect, mask: Uint8Array): void {
    const width = rect.column1 - rect.column0;
    for (let row = rect.row0; row < rect.row1; row++) {
      const base = (row - rect.row0) * width;
      for (let i = 0; i < width; i++) {
        if (mask[base + i]) {
          const start = i;
          while (i < width && mask[base + i]) {
            i++;
          }
          this.addRun(row, rect.column0 + start, rect.column0 + i);
        }
      }
    }
  }

  /** Add all pixels of a rectangle. */
  addRect(rect: Rect): void {
    for (let row = rect.row0; row < rect.row1; row++) {
      this.addRun(row, rect.column0, rect.column1);
    }
  }

  /** The tiles that have a pixel. */
  tiles(): IMaskTile[] {
    return [...this._tiles.values()];
  }

  private _tile(row: number, column: number): IMaskTile {
    const key = tileKey(row, column);
    let tile = this._tiles.get(key);
    if (!tile) {
      tile = { row, column, bits: new Uint8Array(MASK_BYTES) };
      this._tiles.set(key, tile);
    }
    return tile;
  }

  private readonly _tiles = new Map<number, IMaskTile>();
}

/** Set the bits of a run, the most significant of a byte first; `end` is exclusive. */
function setBits(bits: Uint8Array, start: number, end: number): void {
  const first = start >> 3;
  const last = (end - 1) >> 3;
  const head = 0xff >> (start & 7);
  const tail = 0xff & (0xff << (7 - ((end - 1) & 7)));
  if (first === last) {
    bits[first]! |= head & tail;
    return;
  }
  bits[first]! |= head;
  bits.fill(0xff, first + 1, last);
  bits[last]! |= tail;
}
