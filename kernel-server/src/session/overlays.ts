/** Tiles of labels and segmentation, compressed for the browser. */
import { promisify } from 'node:util';
import { constants, deflateRaw } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { HEADER_BYTES_MAX } from '../../../src/shared/frames';
import { LABEL_TILE } from '../../../src/shared/limits';
import { Params } from '../../../src/shared/protocol';
import { Rect } from '../../../src/shared/rect';
import { clearOutside, OptionalRegion } from '../../../src/shared/region';
import { SliceReader } from '../arrays/slices';
import { breathe, isBlank } from '../base/files';
import { TileFile } from '../arrays/tile-file';

const deflate = promisify(deflateRaw);

/** Most tiles whose names fit into a message's header. */
const TILES_MAX = Math.floor((HEADER_BYTES_MAX - 4096) / 34);

export type TileRefs = NonNullable<Params<'overlay.tiles'>['tiles']>;

/** Tiles of slices of uint8, deflated. Throws BridgeError `invalid` for tiles outside. */
export async function overlayTiles(
  file: SliceReader,
  slice: number,
  tiles: Iterable<TileRefs[number]> | AsyncIterable<TileRefs[number]>
): Promise<{ tiles: TileRefs; buffers: Uint8Array[] }> {
  const rows = Math.ceil(file.rows / LABEL_TILE);
  const columns = Math.ceil(file.columns / LABEL_TILE);
  const found: TileRefs = [];
  const buffers: Uint8Array[] = [];
  for await (const { row, column } of tiles) {
    if (row >= rows || column >= columns) {
      throw new BridgeError(
        'invalid',
        `Tile (${row}, ${column}) is outside; there are ${rows} × ${columns} tiles, counted from 0.`
      );
    }
    if (found.length === TILES_MAX) {
      throw new BridgeError('too-large', `More than ${TILES_MAX} tiles were asked for; name those that are in view.`);
    }
    const region = file.tile(slice, row, column, LABEL_TILE);
    found.push({ row, column });
    buffers.push(await deflateTile(padded(file.read(region) as Uint8Array, region.column1 - region.column0)));
  }
  return { tiles: found, buffers };
}

/** The tiles of a slice that are not blank, row by row; those within a rectangle of tiles if one is given. */
export async function* filledTiles(file: SliceReader, slice: number, within?: Rect): AsyncGenerator<TileRefs[number]> {
  for (const { row, column } of tilesOf(file)) {
    const { row0, row1, column0, column1 } = within ?? {
      row0: row,
      row1: row + 1,
      column0: column,
      column1: column + 1
    };
    if (row >= row0 && row < row1 && column >= column0 && column < column1) {
      const tile = file.read(file.tile(slice, row, column, LABEL_TILE)) as Uint8Array;
      if (!isBlank(tile)) {
        yield { row, column };
      }
      await breathe();
    }
  }
}

/** All tiles of a slice, row by row. */
export function* tilesOf({ rows, columns }: { rows: number; columns: number }): Generator<TileRefs[number]> {
  for (let row = 0; row * LABEL_TILE < rows; row++) {
    for (let column = 0; column * LABEL_TILE < columns; column++) {
      yield { row, column };
    }
  }
}

/** Tiles of a prediction with the labels on top, deflated. They are 0 outside of the region. */
export function composedTiles(
  prediction: TileFile,
  labels: { readTile(slice: number, row: number, column: number): Uint8Array },
  slice: number,
  tiles: TileRefs,
  region: OptionalRegion
): Promise<Uint8Array[]> {
  return Promise.all(
    tiles.map(({ row, column }) => {
      const rect = prediction.tile(slice, row, column, LABEL_TILE);
      const tile = prediction.read(rect) as Uint8Array;
      layLabels(tile, labels.readTile(slice, row, column));
      clearOutside(tile, rect, region);
      return deflateTile(padded(tile, rect.column1 - rect.column0));
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
