/** Tiles of labels and segmentation, compressed for the browser. */
import { promisify } from 'node:util';
import { constants, deflateRaw } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { HEADER_BYTES_MAX } from '../../../src/shared/frames';
import { LABEL_TILE } from '../../../src/shared/limits';
import { SliceDirection } from '../../../src/shared/direction';
import { ArrayDescriptor, Params } from '../../../src/shared/protocol';
import { breathe, isBlank } from '../base/files';
import { openSlices } from '../arrays/slices';
import { TileFile } from '../arrays/tile-file';

const deflate = promisify(deflateRaw);

/** Most tiles whose names fit into a message's header. */
const TILES_MAX = Math.floor((HEADER_BYTES_MAX - 4096) / 34);

export type TileRefs = NonNullable<Params<'overlay.tiles'>['tiles']>;

/** Tiles of a uint8 array [slices, rows, columns], in slices of a direction: those named, or all that are not empty. */
export async function overlayTiles(
  array: ArrayDescriptor,
  slice: number,
  tiles: TileRefs | undefined,
  direction?: SliceDirection
): Promise<{ tiles: TileRefs; buffers: Uint8Array[] }> {
  const file = openSlices(array, direction);
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
    const add = async (ref: TileRefs[number], tile: Uint8Array, width: number) => {
      if (found.length === TILES_MAX) {
        throw new BridgeError('too-large', `More than ${TILES_MAX} tiles were asked for; name those that are in view.`);
      }
      found.push(ref);
      buffers.push(await deflateTile(padded(tile, width)));
    };
    for (const ref of tiles ?? []) {
      const region = file.tile(slice, ref.row, ref.column, LABEL_TILE);
      await add(ref, file.read(region) as Uint8Array, region.column1 - region.column0);
    }
    for (let row = 0; !tiles && row < rows; row++) {
      // A band of tiles is one run of bytes in the file. Most tiles are empty, so one read for the band is faster.
      const band = file.tile(slice, row, 0, LABEL_TILE);
      const whole = file.read({ ...band, column1: file.columns }) as Uint8Array;
      const filled = isBlank(whole) ? 0 : columns;
      for (let column = 0; column < filled; column++) {
        const { column0, column1 } = file.tile(slice, row, column, LABEL_TILE);
        const tile = cut(whole, file.columns, column0, column1);
        if (!isBlank(tile)) {
          await add({ row, column }, tile, column1 - column0);
        }
      }
      await breathe();
    }
    return { tiles: found, buffers };
  } finally {
    file.close();
  }
}

/** Tiles of a prediction with the labels on top, deflated. */
export function composedTiles(
  prediction: TileFile,
  labels: { readTile(slice: number, row: number, column: number): Uint8Array },
  slice: number,
  tiles: TileRefs
): Promise<Uint8Array[]> {
  return Promise.all(
    tiles.map(({ row, column }) => {
      const region = prediction.tile(slice, row, column, LABEL_TILE);
      const tile = prediction.read(region) as Uint8Array;
      layLabels(tile, labels.readTile(slice, row, column));
      return deflateTile(padded(tile, region.column1 - region.column0));
    })
  );
}

/** Lay labels over a prediction, in place. */
export function layLabels(prediction: Uint8Array, labels: Uint8Array): void {
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== 0) {
      prediction[i] = labels[i]!;
    }
  }
}

/** Copy some columns out of a band of rows. */
function cut(band: Uint8Array, columns: number, column0: number, column1: number): Uint8Array {
  const rows = band.byteLength / columns;
  const width = column1 - column0;
  const out = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++) {
    out.set(band.subarray(row * columns + column0, row * columns + column1), row * width);
  }
  return out;
}

/** Deflate a tile. */
export function deflateTile(tile: Uint8Array): Promise<Uint8Array> {
  return deflate(tile, { level: constants.Z_BEST_SPEED });
}

/** A whole tile: 0 outside of the image. */
export function padded(inside: Uint8Array, width: number): Uint8Array {
  if (inside.byteLength === LABEL_TILE * LABEL_TILE) {
    return inside;
  }
  const out = new Uint8Array(LABEL_TILE * LABEL_TILE);
  for (let row = 0; row * width < inside.byteLength; row++) {
    out.set(inside.subarray(row * width, (row + 1) * width), row * LABEL_TILE);
  }
  return out;
}
