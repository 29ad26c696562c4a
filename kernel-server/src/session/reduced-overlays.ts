/**
 * Tiles of a layer of class ids for a view that is zoomed out. A pixel of level l stands for a block of 2^l × 2^l pixels.
 *
 * - The segmentation: the class in the block's middle. Unlike the most frequent class, this keeps the shares of the classes and does
 *   not swallow thin ones; and of 2^l rows only one is read, so nothing is kept that a training or a stroke would make outdated.
 * - Labels and correction: the first class in the block, so that thin strokes stay visible. Only tiles with labels are read.
 */
import { BridgeError } from '../../../src/shared/errors';
import { LABEL_TILE } from '../../../src/shared/limits';
import { Rect } from '../../../src/shared/rect';
import { SliceReader } from '../arrays/slices';
import { breathe } from '../base/files';
import { deflateTile, TileRefs } from './overlays';

/** Some tiles of a level. */
interface ILevelTiles {
  slice: number;
  level: number;
  tiles: TileRefs;
}

/** Tiles of the segmentation, deflated. Throws BridgeError `invalid` for tiles outside. */
export async function middleTiles(file: SliceReader, { slice, level, tiles }: ILevelTiles): Promise<Uint8Array[]> {
  expectInside(file, level, tiles);
  const out: Uint8Array[] = [];
  for (const tile of tiles) {
    out.push(await deflateTile(middles(file, slice, level, tile)));
  }
  return out;
}

/**
 * Tiles of labels or correction, deflated. Throws BridgeError `invalid` for tiles outside.
 *
 * @param filled lists the tiles that have labels, within a rectangle of tiles
 */
export async function firstTiles(
  file: SliceReader,
  filled: (within: Rect) => AsyncIterable<TileRefs[number]>,
  { slice, level, tiles }: ILevelTiles
): Promise<Uint8Array[]> {
  expectInside(file, level, tiles);
  const out: Uint8Array[] = [];
  for (const { row, column } of tiles) {
    const tile = new Uint8Array(LABEL_TILE * LABEL_TILE);
    const by = 2 ** level;
    const under = { row0: row * by, row1: (row + 1) * by, column0: column * by, column1: (column + 1) * by };
    const origin = { row: row * by * LABEL_TILE, column: column * by * LABEL_TILE };
    for await (const below of filled(under)) {
      const rect = file.tile(slice, below.row, below.column, LABEL_TILE);
      reduceFirst(file.read(rect) as Uint8Array, rect, level, origin, tile);
    }
    out.push(await deflateTile(tile));
    await breathe();
  }
  return out;
}

function middles(file: SliceReader, slice: number, level: number, { row, column }: TileRefs[number]): Uint8Array {
  const by = 2 ** level;
  const middle = by >> 1;
  const out = new Uint8Array(LABEL_TILE * LABEL_TILE);
  const column0 = column * LABEL_TILE * by;
  const column1 = Math.min(file.columns, column0 + LABEL_TILE * by);
  const columns = Math.ceil((column1 - column0) / by);
  for (let r = 0; r < LABEL_TILE && (row * LABEL_TILE + r) * by < file.rows; r++) {
    const y = Math.min((row * LABEL_TILE + r) * by + middle, file.rows - 1);
    const line = file.read({ slice, row0: y, row1: y + 1, column0, column1 }) as Uint8Array;
    for (let c = 0; c < columns; c++) {
      out[r * LABEL_TILE + c] = line[Math.min(c * by + middle, line.length - 1)]!;
    }
  }
  return out;
}

/** Put the first class of each block of `ids` into a tile whose first block begins at `origin`. */
function reduceFirst(
  ids: Uint8Array,
  { row0, row1, column0, column1 }: { row0: number; row1: number; column0: number; column1: number },
  level: number,
  origin: { row: number; column: number },
  out: Uint8Array
): void {
  for (let row = row0, at = 0; row < row1; row++) {
    const line = ((row - origin.row) >> level) * LABEL_TILE;
    for (let column = column0; column < column1; column++, at++) {
      const id = ids[at]!;
      if (id !== 0) {
        const to = line + ((column - origin.column) >> level);
        if (out[to] === 0) {
          out[to] = id;
        }
      }
    }
  }
}

/** Check that tiles of a level exist. Throws BridgeError `invalid`. */
export function expectInside(size: { rows: number; columns: number }, level: number, tiles: TileRefs): void {
  const side = LABEL_TILE * 2 ** level;
  const [rows, columns] = [Math.ceil(size.rows / side), Math.ceil(size.columns / side)];
  const outside = tiles.find(({ row, column }) => row >= rows || column >= columns);
  if (outside) {
    throw new BridgeError(
      'invalid',
      `Tile (${outside.row}, ${outside.column}) of level ${level} is outside; there are ${rows} × ${columns} tiles, counted from 0.`
    );
  }
}
