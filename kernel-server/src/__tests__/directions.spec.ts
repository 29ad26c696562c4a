/** Slices of a volume in the directions xz and yz: what is seen on them, and strokes that cross the stored slices. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { pixelIn, shapeIn, SLICE_DIRECTIONS, SliceDirection } from '../../../src/shared/direction';
import { IMAGE_TILE, LABEL_TILE } from '../../../src/shared/limits';
import { ImageInfo, LabelPatch, SessionState } from '../../../src/shared/protocol';
import { PROVENANCE_CODES } from '../../../src/shared/provenance';
import { TestClient } from './support/client';
import { bytesOf, CLASSES, inflateTile } from './support/images';
import { TestSidecar } from './support/process';
import { setUp } from './support/set-up';

/** Slices, rows and columns: more than a tile of labels in z and x, and an odd number of each. */
const [Z, Y, X] = [261, 15, 301];
const ACROSS = ['xz', 'yz'] as const;

let sidecar: TestSidecar;
let client: TestClient;
const { connect, restart } = setUp(made => (sidecar = made));

beforeEach(async () => {
  await sidecar.start();
  client = await connect();
});

/** The same numbers in each run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

const VALUES = (() => {
  const next = numbers(1);
  return Uint16Array.from({ length: Z * Y * X }, () => next() * 65536);
})();

async function openVolume(): Promise<SessionState> {
  const shape: ImageInfo['shape'] = [Z, Y, X, 1];
  const pixels = new Uint8Array(VALUES.buffer);
  const digest = createHash('sha256').update(pixels).digest('hex');
  const image = { shape, dtype: 'uint16', digest, display: { low: 0, high: 65535 } } as const;
  const params = { key: 'volume', title: 'volume', image, classes: CLASSES, keepClasses: false, fresh: false };
  const opened = await client.request('session.open', params);
  if (opened.imageReady) {
    return opened;
  }
  writeFileSync(opened.arrays['image']!.path, pixels, { flag: 'r+' });
  return client.request('image.ready', { session: opened.session });
}

/** The slice of a volume in a direction, row by row: NumPy's `volume[:, y, :]` and `volume[:, :, x]`. */
function sliceOf(volume: ArrayLike<number>, direction: SliceDirection, slice: number): number[] {
  const [, rows, columns] = shapeIn(direction, [Z, Y, X]);
  return Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const at = { xy: [slice, row, column], xz: [row, slice, column], yz: [row, column, slice] }[direction];
    return volume[(at[0]! * Y + at[1]!) * X + at[2]!]!;
  });
}

/** A patch of the pixels for which `isSet` holds. */
function patchOf(
  session: string,
  { direction, slice }: { direction: SliceDirection; slice: number },
  id: number,
  isSet: (row: number, column: number) => boolean,
  replaces: LabelPatch['replaces'] = 'all'
): { patch: LabelPatch; buffers: Uint8Array[] } {
  const [, rows, columns] = shapeIn(direction, [Z, Y, X]);
  const tiles = [];
  const buffers = [];
  for (let row = 0; row * LABEL_TILE < rows; row++) {
    for (let column = 0; column * LABEL_TILE < columns; column++) {
      const mask = new Uint8Array(LABEL_TILE ** 2 / 8);
      for (let i = 0; i < LABEL_TILE ** 2; i++) {
        const at = {
          row: row * LABEL_TILE + Math.floor(i / LABEL_TILE),
          column: column * LABEL_TILE + (i % LABEL_TILE)
        };
        if (at.row < rows && at.column < columns && isSet(at.row, at.column)) {
          mask[i >> 3]! |= 128 >> (i & 7);
        }
      }
      tiles.push({ row, column });
      buffers.push(deflateRawSync(mask));
    }
  }
  return { patch: { session, direction, slice, class: id, replaces, tiles }, buffers };
}

/** All of an overlay's slice, put together from its tiles. */
async function overlaySlice(session: string, direction: SliceDirection, slice: number): Promise<number[]> {
  const [, rows, columns] = shapeIn(direction, [Z, Y, X]);
  const { tiles, buffers } = await client.request('overlay.tiles', { session, overlay: 'labels', direction, slice });
  const out = new Array<number>(rows * columns).fill(0);
  let outside = 0;
  tiles.forEach(({ row, column }, i) => {
    inflateTile(buffers[i]!).forEach((id, at) => {
      const [r, c] = [row * LABEL_TILE + Math.floor(at / LABEL_TILE), column * LABEL_TILE + (at % LABEL_TILE)];
      if (r < rows && c < columns) {
        out[r * columns + c] = id;
      } else {
        outside += id;
      }
    });
  });
  expect(outside).toBe(0);
  return out;
}

it.each(SLICE_DIRECTIONS)('shows the values of the volume on slices in %s', async direction => {
  const { session } = await openVolume();
  const [slices, rows, columns] = shapeIn(direction, [Z, Y, X]);
  for (const slice of [0, 5, slices - 1]) {
    const tile = { session, direction, slice, row: 0, column: 0 };
    const whole = await client.request('image.tile', { ...tile, level: 0 });
    expect([whole.rows, whole.columns]).toEqual([Math.min(rows, IMAGE_TILE), Math.min(columns, IMAGE_TILE)]);
    const shown = new Uint16Array(whole.buffers[0]!.slice().buffer);
    const expected = sliceOf(VALUES, direction, slice);
    expect(Buffer.from(shown.buffer).equals(Buffer.from(Uint16Array.from(expected).buffer))).toBe(true);
    const half = await client.request('image.tile', { ...tile, level: 1 });
    expect([half.rows, half.columns]).toEqual([Math.ceil(rows / 2), Math.ceil(columns / 2)]);
    const mean = (expected[0]! + expected[1]! + expected[columns]! + expected[columns + 1]!) / 4;
    expect(new Uint16Array(half.buffers[0]!.slice().buffer)[0]).toBe(Math.floor(mean + 0.5));
    const [row, column] = [rows - 1, 3];
    const { values } = await client.request('image.pixel', { session, direction, slice, row, column });
    expect(values).toEqual([expected[row * columns + column]]);
  }
  const beyond = client.request('image.tile', { session, direction, slice: slices, level: 0, row: 0, column: 0 });
  await expect(beyond).rejects.toMatchObject({ code: 'invalid' });
});

it.each(ACROSS)('fills by grey value on a slice in %s', async direction => {
  const { session } = await openVolume();
  const [, , columns] = shapeIn(direction, [Z, Y, X]);
  const params = { session, direction, slice: 9, row: 100, column: 8, tolerance: 30000 };
  const { tiles, buffers } = await client.request('image.flood', params);
  const slice = sliceOf(VALUES, direction, 9);
  const seed = slice[100 * columns + 8]!;
  const like = (row: number, column: number) => Math.abs((slice[row * columns + column] ?? NaN) - seed) <= 30000;
  const filled = new Set<number>();
  const waiting: [number, number][] = [[100, 8]];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [row, column] = next;
    const at = row * columns + column;
    if (column >= 0 && column < columns && like(row, column) && !filled.has(at)) {
      filled.add(at);
      waiting.push([row - 1, column], [row + 1, column], [row, column - 1], [row, column + 1]);
    }
  }
  const found = new Set<number>();
  tiles.forEach(({ row, column }, t) => {
    const bits = inflateTile(buffers[t]!);
    for (let i = 0; i < LABEL_TILE ** 2; i++) {
      if (bits[i >> 3]! & (128 >> (i & 7))) {
        found.add((row * LABEL_TILE + Math.floor(i / LABEL_TILE)) * columns + column * LABEL_TILE + (i % LABEL_TILE));
      }
    }
  });
  expect(found).toEqual(filled);
});

it('paints in all directions what NumPy would, each stroke one step, through undo and a killed sidecar', async () => {
  const { session, arrays } = await openVolume();
  const next = numbers(2);
  const reference = new Uint8Array(Z * Y * X);
  const provenance = new Uint8Array(Z * Y * X);
  const states: { labels: Uint8Array; provenance: Uint8Array }[] = [];
  const agree = (labels: Uint8Array, made: Uint8Array) => {
    expect(Buffer.compare(bytesOf(arrays['labels']!), labels)).toBe(0);
    expect(Buffer.compare(bytesOf(arrays['provenance']!), made)).toBe(0);
  };
  for (let stroke = 0; stroke < 12; stroke++) {
    const direction = SLICE_DIRECTIONS[stroke % 3]!;
    const [slices, rows, columns] = shapeIn(direction, [Z, Y, X]);
    const slice = Math.floor(next() * Math.min(slices, 6));
    const id = stroke === 7 ? 0 : 1 + (stroke % 2);
    const replaces: LabelPatch['replaces'] = stroke % 4 === 1 ? [0] : stroke % 4 === 2 ? [0, 1] : 'all';
    const [cr, cc, radius] = [next() * rows, next() * columns, 4 + next() * 60];
    const isSet = (row: number, column: number) => (row - cr) ** 2 + (column - cc) ** 2 < radius ** 2;
    const made = stroke % 2 ? ({ provenance: 'sam', tool: 'suggestion' } as const) : undefined;
    states.push({ labels: reference.slice(), provenance: provenance.slice() });
    let expected = 0;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = { xy: [slice, row, column], xz: [row, slice, column], yz: [row, column, slice] }[direction];
        const i = (at[0]! * Y + at[1]!) * X + at[2]!;
        const may = replaces === 'all' || replaces.includes(reference[i]!);
        if (isSet(row, column) && may && reference[i] !== id) {
          reference[i] = id;
          provenance[i] = id === 0 ? 0 : PROVENANCE_CODES[made?.provenance ?? 'hand'];
          expected++;
        }
      }
    }
    const { patch, buffers } = patchOf(session, { direction, slice }, id, isSet, replaces);
    const result = await client.request('labels.patch', { ...patch, ...(made && { made }) }, { buffers });
    expect(result).toMatchObject({ version: stroke + 1, changed: expected });
    agree(reference, provenance);
    const seen = SLICE_DIRECTIONS[(stroke + 1) % 3]!;
    const { slice: at } = pixelIn(seen, { z: 3, y: 3, x: 3 });
    const shown = Buffer.from(await overlaySlice(session, seen, at));
    expect(shown.equals(Buffer.from(sliceOf(reference, seen, at)))).toBe(true);
  }
  const after = { labels: reference.slice(), provenance: provenance.slice() };
  const all = [...states, after];
  const { steps } = await client.request('history.list', { session });
  const changing = all.flatMap(({ labels }, i) =>
    i > 0 && Buffer.compare(labels, all[i - 1]!.labels) !== 0 ? [i] : []
  );
  expect(steps).toHaveLength(changing.length);
  client = await restart();
  await openVolume();
  agree(after.labels, after.provenance);
  for (const i of [...changing].reverse()) {
    await client.request('history.undo', { session });
    agree(all[i - 1]!.labels, all[i - 1]!.provenance);
  }
  client = await restart();
  await openVolume();
  agree(all[0]!.labels, all[0]!.provenance);
  for (const i of changing) {
    await client.request('history.redo', { session });
    agree(all[i]!.labels, all[i]!.provenance);
  }
});

it('applies a stroke across slices that is sent again once, and tells other peers its direction', async () => {
  const { session, arrays } = await openVolume();
  const other = await connect();
  await other.request('session.attach', { session });
  const where = { direction: 'xz', slice: 2 } as const;
  const { patch, buffers } = patchOf(session, where, 1, (row, column) => row < 3 && column < 5);
  const first = await client.request('labels.patch', patch, { buffers, id: 'stroke' });
  expect(first).toMatchObject({ version: 1, changed: 15 });
  const heard = await other.hear(({ event }) => event === 'patch');
  expect(heard.params).toMatchObject({ version: 1, patch: { direction: 'xz', slice: 2, tiles: patch.tiles } });
  client = await restart();
  await openVolume();
  const again = await client.request('labels.patch', patch, { buffers, id: 'stroke' });
  expect(again).toMatchObject({ version: 1, changed: 15 });
  const { steps } = await client.request('history.list', { session });
  expect(steps).toHaveLength(1);
  expect(bytesOf(arrays['labels']!).reduce((sum, id) => sum + id, 0)).toBe(15);
});

it('paints the correction in another direction, and refuses slices and tiles that do not exist', async () => {
  const { session } = await openVolume();
  const where = { direction: 'yz', slice: 4 } as const;
  const { patch, buffers } = patchOf(session, where, 2, (row, column) => row === 7 && column === 11);
  await client.request('labels.patch', { ...patch, layer: 'correction' }, { buffers });
  const { arrays } = await client.request('session.attach', { session });
  const corrected = bytesOf(arrays['correction']!);
  expect(corrected[(7 * Y + 11) * X + 4]).toBe(2);
  expect(corrected.reduce((sum, id) => sum + id, 0)).toBe(2);
  for (const wrong of [{ slice: X }, { tiles: [{ row: 0, column: 1 }] }]) {
    const request = client.request('labels.patch', { ...patch, ...wrong }, { buffers: buffers.slice(0, 1) });
    await expect(request).rejects.toMatchObject({ code: 'invalid' });
  }
});
