/**
 * The contours of the classes of an overlay's tile: lines on the inner side of each class's border, so that those of two neighbours lie
 * beside each other, each in its own colour.
 */
import { LABEL_TILE } from '../../shared';

/** What is next to a tile. */
export interface ISurroundings {
  /** Rows and columns of the tile that lie in the image. No contour runs along the image's border. */
  rows: number;
  columns: number;
  /** The tiles beside it; undefined for unknown ones, along which no contour runs. Null for tiles in which every pixel is 0. */
  above: Uint8Array | null | undefined;
  below: Uint8Array | null | undefined;
  left: Uint8Array | null | undefined;
  right: Uint8Array | null | undefined;
}

/**
 * The contours of a tile of class ids, enlarged `up` times, so that a line is thinner than a pixel of the image.
 *
 * @param side of the tile and its neighbours
 * @param up a whole number from 1
 * @returns (side · up)² class ids, 0 where there is no contour
 */
export function contoursOf(ids: Uint8Array, side: number, around: ISurroundings, up = 1): Uint8Array {
  const { rows, columns, above, below, left, right } = around;
  const out = new Uint8Array((side * up) ** 2);
  const width = side * up;
  const last = side - 1;
  const beside = (tile: Uint8Array | null | undefined, at: number, id: number) =>
    tile === undefined ? id : tile === null ? 0 : tile[at]!;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * side + column;
      const id = ids[at]!;
      if (id === 0) {
        continue;
      }
      const over = row > 0 ? ids[at - side]! : beside(above, last * side + column, id);
      const under = row < rows - 1 ? ids[at + side]! : row === last ? beside(below, column, id) : id;
      const before = column > 0 ? ids[at - 1]! : beside(left, row * side + last, id);
      const after = column < columns - 1 ? ids[at + 1]! : column === last ? beside(right, row * side, id) : id;
      const from = row * up * width + column * up;
      if (over !== id) {
        out.fill(id, from, from + up);
      }
      if (under !== id) {
        const to = from + (up - 1) * width;
        out.fill(id, to, to + up);
      }
      for (let i = 0; before !== id && i < up; i++) {
        out[from + i * width] = id;
      }
      for (let i = 0; after !== id && i < up; i++) {
        out[from + i * width + up - 1] = id;
      }
    }
  }
  return out;
}

/** A tile of bytes as two classes: 255 from one half on, else 0. */
export function overHalf(levels: Uint8Array): Uint8Array {
  return levels.map(level => (level >= 128 ? 255 : 0));
}

/**
 * The level of the pictures of a tile's contours: 0 is a picture of as many pixels as the tile has, 1 one of half as many a side, −1 one of
 * twice as many. A line is one pixel of it, from 1 to 3 pixels of the screen until the pictures grow no further.
 *
 * @param scale device pixels for each pixel of the image
 */
export function contourLevel(scale: number, least: number, most: number): number {
  const level = scale < 1 ? Math.ceil(Math.log2(1 / scale) - 1e-6) : -Math.floor(Math.log2(Math.max(scale / 1.5, 1)));
  return Math.min(Math.max(level, least), most);
}

/** The size in pixels of the part of a tile that lies in the image. */
export function partInImage(
  { row, column }: { row: number; column: number },
  image: { rows: number; columns: number }
): { rows: number; columns: number } {
  return {
    rows: Math.min(LABEL_TILE, image.rows - row * LABEL_TILE),
    columns: Math.min(LABEL_TILE, image.columns - column * LABEL_TILE)
  };
}
