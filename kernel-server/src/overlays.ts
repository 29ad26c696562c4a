/** Tiles of labels and segmentation, compressed for the browser. */
import { promisify } from 'node:util';
import { constants, deflateRaw } from 'node:zlib';
import { BridgeError } from '../../src/kernel-bridge/errors';
import { HEADER_BYTES_MAX } from '../../src/kernel-bridge/frames';
import { ArrayDescriptor, LABEL_TILE, Params } from '../../src/kernel-bridge/protocol';
import { breathe } from './files';
import { TileFile } from './tile-file';

const deflate = promisify(deflateRaw);

/** Tiles whose names fit into a header. */
const TILES_MAX = Math.floor((HEADER_BYTES_MAX - 4096) / 34);

type TileRefs = NonNullable<Params<'overlay.tiles'>['tiles']>;

/** The tiles named, or all that are not empty, of a uint8 array [slices, rows, columns]. */
export async function overlayTiles(
  array: ArrayDescriptor,
  slice: number,
  tiles: TileRefs | undefined
): Promise<{ tiles: TileRefs; buffers: Uint8Array[] }> {
  const file = new TileFile(array, 'r');
  try {
    const rows = Math.ceil(file.rows / LABEL_TILE);
    const columns = Math.ceil(file.columns / LABEL_TILE);
    const outside = tiles?.find(({ row, column }) => row >= rows || column >= columns);
    if (outside) {
      throw new BridgeError(
        'invalid',
        `Tile (${outside.row}, ${outside.column}) is outside; there are ${rows} × ${columns} tiles, counted from 0.`
      );
    }
    const found: TileRefs = [];
    const buffers: Uint8Array[] = [];
    for (const ref of tiles ?? grid(rows, columns)) {
      const region = file.tile(slice, ref.row, ref.column, LABEL_TILE);
      const inside = file.read(region) as Uint8Array;
      if (!tiles && inside.every(id => id === 0)) {
        await breathe();
        continue;
      }
      if (found.length === TILES_MAX) {
        throw new BridgeError('too-large', `More than ${TILES_MAX} tiles were asked for; name those that are in view.`);
      }
      found.push(ref);
      buffers.push(await deflate(padded(inside, region.column1 - region.column0), { level: constants.Z_BEST_SPEED }));
    }
    return { tiles: found, buffers };
  } finally {
    file.close();
  }
}

function* grid(rows: number, columns: number): Generator<TileRefs[number]> {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      yield { row, column };
    }
  }
}

/** A whole tile, with 0 outside the image. */
function padded(inside: Uint8Array, width: number): Uint8Array {
  if (inside.byteLength === LABEL_TILE * LABEL_TILE) {
    return inside;
  }
  const out = new Uint8Array(LABEL_TILE * LABEL_TILE);
  for (let row = 0; row * width < inside.byteLength; row++) {
    out.set(inside.subarray(row * width, (row + 1) * width), row * LABEL_TILE);
  }
  return out;
}
