/** Sessions with small images for tests. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { LABEL_TILE } from '../../../../src/shared/limits';
import { ArrayDescriptor, ImageInfo, LabelPatch, SessionState } from '../../../../src/shared/protocol';
import { TestClient } from './client';

export const CLASSES = [
  { id: 1, name: 'matrix', color: '#0072b2' },
  { id: 2, name: 'precipitate', color: '#e69f00' }
];

/** An image whose left half is dark. */
export function halves(slices: number, rows: number, columns: number): { info: ImageInfo; pixels: Uint8Array } {
  const pixels = Uint8Array.from({ length: slices * rows * columns }, (_, i) => (i % columns < columns / 2 ? 50 : 200));
  const shape: ImageInfo['shape'] = [slices, rows, columns, 1];
  const digest = createHash('sha256').update(`uint8 ${shape}`).update(pixels).digest('hex');
  return { info: { shape, dtype: 'uint8', digest, display: { low: 0, high: 255 } }, pixels };
}

/** Open a session and hand its pixels over as Python does. */
export async function openSession(
  client: TestClient,
  options: { key?: string; slices?: number; rows?: number; columns?: number; fresh?: boolean } = {}
): Promise<SessionState> {
  const { key = 'image', slices = 1, rows = 300, columns = 400, fresh = false } = options;
  const { info, pixels } = halves(slices, rows, columns);
  const opened = await client.request('session.open', {
    key,
    title: key,
    image: info,
    classes: CLASSES,
    keepClasses: false,
    fresh
  });
  if (opened.imageReady) {
    return opened;
  }
  writeFileSync(opened.arrays['image']!.path, pixels, { flag: 'r+' });
  return client.request('image.ready', { session: opened.session });
}

/** A patch of one rectangle in one tile, in the tile's own pixels; ends are exclusive. */
export function rectangle(
  session: string,
  id: number,
  where: { slice?: number; tile?: [number, number]; rows: [number, number]; columns: [number, number] },
  replaces: LabelPatch['replaces'] = 'all'
): { patch: LabelPatch; buffers: Uint8Array[] } {
  const mask = new Uint8Array((LABEL_TILE * LABEL_TILE) / 8);
  for (let row = where.rows[0]; row < where.rows[1]; row++) {
    for (let column = where.columns[0]; column < where.columns[1]; column++) {
      mask[(row * LABEL_TILE + column) >> 3]! |= 128 >> (column & 7);
    }
  }
  const [row, column] = where.tile ?? [0, 0];
  return {
    patch: { session, slice: where.slice ?? 0, class: id, replaces, tiles: [{ row, column }] },
    buffers: [deflateRawSync(mask)]
  };
}

/** Draw pixels in one row of the first column of tiles: ten by default. */
export function draw(
  client: TestClient,
  session: string,
  row: number,
  id = 1,
  columns: [number, number] = [0, 10]
): Promise<{ version: number; changed: number }> {
  const { patch, buffers } = rectangle(session, id, {
    tile: [Math.floor(row / LABEL_TILE), 0],
    rows: [row % LABEL_TILE, (row % LABEL_TILE) + 1],
    columns
  });
  return client.request('labels.patch', patch, { buffers });
}

/** The bytes of a uint8 array as another process sees them. */
export function bytesOf(array: ArrayDescriptor): Uint8Array {
  return new Uint8Array(readFileSync(array.path));
}

/** How often each value occurs. */
export function histogram(bytes: Uint8Array): Record<number, number> {
  const counts: Record<number, number> = {};
  bytes.forEach(value => (counts[value] = (counts[value] ?? 0) + 1));
  return counts;
}

/** A tile as `overlay.tiles` sends it. */
export function inflateTile(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(inflateRawSync(buffer));
}
