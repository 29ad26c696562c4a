/**
 * Flood fill by grey value: the pixels that differ from a seed by at most a tolerance in every channel, and that are connected to it by
 * edges. The region grows tile by tile: within a tile by runs of pixels in a row, and across its edges by seeds for the neighbours.
 */
import { BridgeError } from '../../../src/shared/errors';
import { FLOOD_TILES_MAX, LABEL_TILE, MASK_BYTES } from '../../../src/shared/limits';
import { breathe } from '../base/files';
import { SliceReader } from './slices';

const SIDE = LABEL_TILE;
/** What a pixel of a tile is. */
const OTHER = 0;
const LIKE_SEED = 1;
const FILLED = 2;

/** A tile of the region: a bit for each pixel, as in patches of labels. */
export interface IFloodTile {
  row: number;
  column: number;
  bits: Uint8Array;
}

/**
 * Find the region of a pixel in a slice.
 *
 * @param tolerance greatest difference from the pixel, in the image's values
 * @throws BridgeError `too-large` for a region of more than {@link FLOOD_TILES_MAX} tiles, `cancelled` after an abort
 */
export async function flood(
  image: SliceReader,
  { slice, row, column, tolerance }: { slice: number; row: number; column: number; tolerance: number },
  signal?: AbortSignal
): Promise<IFloodTile[]> {
  const { rows, columns, channels } = image;
  const seed = image.read({ slice, row0: row, row1: row + 1, column0: column, column1: column + 1 });
  const low = Array.from(seed, value => value - tolerance);
  const high = Array.from(seed, value => value + tolerance);
  const width = Math.ceil(columns / SIDE);
  const tiles = new Map<number, Uint8Array>();
  /** Pixels to fill from, by tile. */
  const waiting = new Map<number, number[]>();

  const load = (key: number) => {
    const rect = image.tile(slice, Math.floor(key / width), key % width, SIDE);
    const values = image.read(rect);
    const tile = new Uint8Array(SIDE * SIDE);
    let from = 0;
    for (let r = 0; r < rect.row1 - rect.row0; r++) {
      for (let c = 0; c < rect.column1 - rect.column0; c++) {
        let like = LIKE_SEED;
        for (let channel = 0; channel < channels; channel++, from++) {
          const value = values[from]!;
          if (value < low[channel]! || value > high[channel]!) {
            like = OTHER;
          }
        }
        tile[r * SIDE + c] = like;
      }
    }
    return tile;
  };

  /** Go on in another tile, unless that pixel is known not to be filled from here. */
  const enter = (tileRow: number, tileColumn: number, at: number) => {
    if (tileRow < 0 || tileColumn < 0 || tileRow * SIDE >= rows || tileColumn * SIDE >= columns) {
      return;
    }
    const key = tileRow * width + tileColumn;
    if ((tiles.get(key)?.[at] ?? LIKE_SEED) === LIKE_SEED) {
      const list = waiting.get(key);
      if (list) {
        list.push(at);
      } else {
        waiting.set(key, [at]);
      }
    }
  };

  const fill = (tile: Uint8Array, tileRow: number, tileColumn: number, stack: number[]) => {
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (tile[at] !== LIKE_SEED) {
        continue;
      }
      const start = at - (at % SIDE);
      let first = at;
      while (first > start && tile[first - 1] === LIKE_SEED) {
        first--;
      }
      let end = at;
      while (end < start + SIDE && tile[end] === LIKE_SEED) {
        end++;
      }
      tile.fill(FILLED, first, end);
      if (first === start) {
        enter(tileRow, tileColumn - 1, start + SIDE - 1);
      }
      if (end === start + SIDE) {
        enter(tileRow, tileColumn + 1, start);
      }
      for (const step of [-SIDE, SIDE]) {
        const beside = start + step;
        const [nextRow, wrap] =
          beside < 0 ? [tileRow - 1, SIDE * SIDE] : beside >= SIDE * SIDE ? [tileRow + 1, -SIDE * SIDE] : [tileRow, 0];
        for (let i = first + step; i < end + step; i++) {
          if (wrap !== 0) {
            enter(nextRow, tileColumn, i + wrap);
          } else if (tile[i] === LIKE_SEED && (i === first + step || tile[i - 1] !== LIKE_SEED)) {
            stack.push(i); // one for each run
          }
        }
      }
    }
  };

  enter(Math.floor(row / SIDE), Math.floor(column / SIDE), (row % SIDE) * SIDE + (column % SIDE));
  for (let next = waiting.entries().next(); !next.done; next = waiting.entries().next()) {
    const [key, seeds] = next.value;
    waiting.delete(key);
    let tile = tiles.get(key);
    if (!tile) {
      if (tiles.size >= FLOOD_TILES_MAX) {
        throw new BridgeError(
          'too-large',
          `The region reaches over more than ${(FLOOD_TILES_MAX * SIDE * SIDE).toLocaleString('en')} pixels. A smaller tolerance will do, or the polygon.`
        );
      }
      tiles.set(key, (tile = load(key)));
    }
    fill(tile, Math.floor(key / width), key % width, seeds);
    await breathe();
    if (signal?.aborted) {
      throw new BridgeError('cancelled', 'The work was cancelled.');
    }
  }
  return [...tiles]
    .map(([key, tile]) => ({ row: Math.floor(key / width), column: key % width, bits: bitsOf(tile) }))
    .filter(({ bits }) => bits.some(byte => byte !== 0));
}

function bitsOf(tile: Uint8Array): Uint8Array {
  const bits = new Uint8Array(MASK_BYTES);
  for (let i = 0; i < tile.length; i++) {
    if (tile[i] === FILLED) {
      bits[i >> 3]! |= 0x80 >> (i & 7);
    }
  }
  return bits;
}
