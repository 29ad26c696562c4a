/** Reduces tiles of class ids for views that are zoomed out. */
import { LABEL_TILE } from '../../shared';

/**
 * Reduce a tile of class ids, or whole blocks of its rows, 2^level times. A block takes the first class in it, so that thin strokes stay
 * visible.
 */
export function reduceClasses(classes: Uint8Array, level: number): Uint8Array {
  if (level === 0) {
    return classes;
  }
  const side = LABEL_TILE >> level;
  const out = new Uint8Array(classes.length >> (2 * level));
  for (let row = 0, at = 0; at < classes.length; row++) {
    const base = (row >> level) * side;
    for (let column = 0; column < LABEL_TILE; column++, at++) {
      const target = base + (column >> level);
      if (out[target] === 0) {
        out[target] = classes[at]!;
      }
    }
  }
  return out;
}

/**
 * Reduce a tile 2^level times as the sidecar reduces a segmentation: a block takes the class in its middle.
 *
 * @param inside the rows and columns of the tile that lie in the image; blocks that reach beyond take the last pixel inside
 */
export function reduceMiddles(
  classes: Uint8Array,
  level: number,
  inside: { rows: number; columns: number }
): Uint8Array {
  const side = LABEL_TILE >> level;
  const by = 2 ** level;
  const middle = by >> 1;
  const out = new Uint8Array(side * side);
  for (let row = 0; row * by < inside.rows; row++) {
    const line = Math.min(row * by + middle, inside.rows - 1) * LABEL_TILE;
    for (let column = 0; column * by < inside.columns; column++) {
      out[row * side + column] = classes[line + Math.min(column * by + middle, inside.columns - 1)]!;
    }
  }
  return out;
}

/**
 * Lay a reduced tile of full resolution over a tile of a level: `piece` has (LABEL_TILE >> level)² class ids, of which 0 changes nothing.
 *
 * @param at row and column of the tile of full resolution
 */
export function layPiece(
  out: Uint8Array,
  piece: Uint8Array,
  level: number,
  { row, column }: { row: number; column: number }
): void {
  const side = LABEL_TILE >> level;
  const mask = 2 ** level - 1;
  const first = (row & mask) * side * LABEL_TILE + (column & mask) * side;
  for (let i = 0; i < piece.length; i++) {
    if (piece[i] !== 0) {
      out[first + Math.floor(i / side) * LABEL_TILE + (i % side)] = piece[i]!;
    }
  }
}
