/** The connected part of a shared array of classes at a pixel. */
import { LABEL_TILE, OBJECT_SIDE_MAX } from '../../../src/shared/limits';
import { Rect } from '../../../src/shared/rect';
import { ReadOnlyTiles, TileFile } from '../arrays/tile-file';
import { breathe } from '../base/files';

/** Pixels between two turns of the event loop. */
const AT_ONCE = 1 << 16;

export interface IObject {
  class: number;
  box: Rect;
  /** Its pixel with the largest distance to the next pixel outside, along rows and columns. */
  point: { row: number; column: number };
  pixels: number;
}

/**
 * The pixels that are connected with one along rows and columns and have its value.
 *
 * @param file uint8 [slices, rows, columns]
 * @returns null for a pixel of value 0; 'large' for more than {@link OBJECT_SIDE_MAX} rows or columns
 */
export async function objectAt(
  file: TileFile,
  slice: number,
  row: number,
  column: number
): Promise<IObject | 'large' | null> {
  const values = new Values(file, slice);
  const value = values.at(row, column);
  if (value === 0) {
    return null;
  }
  const { rows, columns } = file;
  // A window around the pixel that holds any object of the permitted size.
  const side = 2 * OBJECT_SIDE_MAX + 1;
  const [top, left] = [row - OBJECT_SIDE_MAX, column - OBJECT_SIDE_MAX];
  const found = new Uint8Array(side * side);
  const waiting = [OBJECT_SIDE_MAX * side + OBJECT_SIDE_MAX];
  found[waiting[0]!] = 1;
  let pixels = 1;
  const box = { row0: row, row1: row + 1, column0: column, column1: column + 1 };
  for (let done = 0; waiting.length > 0; done++) {
    if (done % AT_ONCE === AT_ONCE - 1) {
      await breathe();
    }
    const at = waiting.pop()!;
    const [r, c] = [top + Math.floor(at / side), left + (at % side)];
    box.row0 = Math.min(box.row0, r);
    box.row1 = Math.max(box.row1, r + 1);
    box.column0 = Math.min(box.column0, c);
    box.column1 = Math.max(box.column1, c + 1);
    if (Math.max(box.row1 - box.row0, box.column1 - box.column0) > OBJECT_SIDE_MAX) {
      return 'large';
    }
    const visit = (next: number, y: number, x: number) => {
      if (y >= 0 && y < rows && x >= 0 && x < columns && !found[next] && values.at(y, x) === value) {
        found[next] = 1;
        pixels++;
        waiting.push(next);
      }
    };
    visit(at - side, r - 1, c);
    visit(at + side, r + 1, c);
    visit(at - 1, r, c - 1);
    visit(at + 1, r, c + 1);
  }
  await breathe();
  const inside = (y: number, x: number) => found[(y - top) * side + x - left] === 1;
  return { class: value, box, point: deepest(box, inside), pixels };
}

/** The pixel of the largest city-block distance to the outside, in two passes over the box (Rosenfeld and Pfaltz, 1966). */
function deepest(
  { row0, row1, column0, column1 }: Rect,
  inside: (row: number, column: number) => boolean
): { row: number; column: number } {
  const width = column1 - column0 + 2; // and a pixel outside on each side
  const depth = new Uint16Array((row1 - row0 + 2) * width);
  const place = (row: number, column: number) => (row - row0 + 1) * width + column - column0 + 1;
  for (let row = row0; row < row1; row++) {
    for (let column = column0; column < column1; column++) {
      const at = place(row, column);
      depth[at] = inside(row, column) ? 1 + Math.min(depth[at - width]!, depth[at - 1]!) : 0;
    }
  }
  let [best, point] = [0, { row: row0, column: column0 }];
  for (let row = row1 - 1; row >= row0; row--) {
    for (let column = column1 - 1; column >= column0; column--) {
      const at = place(row, column);
      depth[at] = Math.min(depth[at]!, 1 + depth[at + width]!, 1 + depth[at + 1]!);
      if (depth[at]! > best) {
        [best, point] = [depth[at]!, { row, column }];
      }
    }
  }
  return point;
}

/** Values of a slice, read tile by tile. */
class Values {
  constructor(
    private readonly _file: ReadOnlyTiles & Pick<TileFile, 'tile'>,
    private readonly _slice: number
  ) {}

  at(row: number, column: number): number {
    const [y, x] = [Math.floor(row / LABEL_TILE), Math.floor(column / LABEL_TILE)];
    const key = `${y},${x}`;
    if (key !== this._key) {
      let tile = this._tiles.get(key);
      if (!tile) {
        const rect = this._file.tile(this._slice, y, x, LABEL_TILE);
        tile = { values: this._file.read(rect) as Uint8Array, columns: rect.column1 - rect.column0 };
        this._tiles.set(key, tile);
      }
      [this._key, this._tile] = [key, tile];
    }
    const { values, columns } = this._tile!;
    return values[(row - y * LABEL_TILE) * columns + column - x * LABEL_TILE]!;
  }

  private readonly _tiles = new Map<string, { values: Uint8Array; columns: number }>();
  private _key = '';
  private _tile: { values: Uint8Array; columns: number } | undefined;
}
