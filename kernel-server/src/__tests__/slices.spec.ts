/** Labels of a stack: which slices have some, and copies from one slice to another. */
import { TestClient } from './support/client';
import { bytesOf, openSession, rectangle } from './support/images';
import { TestSidecar } from './support/process';
import { setUp } from './support/set-up';

let sidecar: TestSidecar;
let client: TestClient;
const { connect, restart } = setUp(made => (sidecar = made));

beforeEach(async () => {
  await sidecar.start();
  client = await connect();
});

/** Draw a square of a class in a slice. */
async function square(session: string, slice: number, id: number, at = 20, replaces: 'all' | number[] = 'all') {
  const place = { slice, rows: [at, at + 20] as [number, number], columns: [at, at + 20] as [number, number] };
  const { patch, buffers } = rectangle(session, id, place, replaces);
  return client.request('labels.patch', patch, { buffers });
}

const slicesOf = async (session: string) => {
  const { labelled, interpolated } = await client.request('labels.slices', { session });
  return { labelled, interpolated };
};

it('tells labelled slices from those that are only interpolated, through changes, undo and a restart', async () => {
  const { session } = await openSession(client, { slices: 8, rows: 60, columns: 70 });
  expect(await slicesOf(session)).toEqual({ labelled: [], interpolated: [] });
  await square(session, 1, 1);
  await square(session, 5, 1);
  expect(await slicesOf(session)).toEqual({ labelled: [1, 5], interpolated: [] });
  await client.request('labels.interpolate', { session });
  expect(await slicesOf(session)).toEqual({ labelled: [1, 5], interpolated: [2, 3, 4] });
  await square(session, 3, 2);
  expect(await slicesOf(session)).toEqual({ labelled: [1, 3, 5], interpolated: [2, 4] });
  await client.request('history.undo', { session });
  expect(await slicesOf(session)).toEqual({ labelled: [1, 5], interpolated: [2, 3, 4] });
  await client.request('history.undo', { session });
  expect(await slicesOf(session)).toEqual({ labelled: [1, 5], interpolated: [] });
  await client.request('history.redo', { session });
  await square(session, 1, 0); // erases it
  expect(await slicesOf(session)).toEqual({ labelled: [5], interpolated: [2, 3, 4] });
  await restart();
  client = await connect();
  await openSession(client, { slices: 8, rows: 60, columns: 70 });
  expect(await slicesOf(session)).toEqual({ labelled: [5], interpolated: [2, 3, 4] });
  await client.request('session.fresh', { session });
  expect(await slicesOf(session)).toEqual({ labelled: [], interpolated: [] });
});

it('copies labels to another slice in one step, and leaves those that may not change', async () => {
  const { session, arrays } = await openSession(client, { slices: 3, rows: 60, columns: 70 });
  await square(session, 0, 1);
  await square(session, 0, 2, 40);
  await square(session, 1, 2, 30);
  const before = bytesOf(arrays['labels']!);
  const area = 60 * 70;
  const { changed } = await client.request('labels.copy', { session, from: 0, to: 1, classes: 'all', replaces: [0] });
  const after = bytesOf(arrays['labels']!);
  const wanted = before.slice();
  for (let i = 0; i < area; i++) {
    wanted[area + i] ||= before[i]!;
  }
  expect(after).toEqual(wanted);
  expect(changed).toBe(300 + 300);
  const { steps } = await client.request('history.list', { session });
  expect(steps.at(-1)).toMatchObject({ provenance: 'hand', tool: 'copy-slice', pixels: changed });
  await client.request('history.undo', { session });
  expect(bytesOf(arrays['labels']!)).toEqual(before);
  // Class 2 only, over everything.
  await client.request('labels.copy', { session, from: 0, to: 1, classes: [2], replaces: 'all' });
  const over = bytesOf(arrays['labels']!);
  expect([over[area + 25 * 70 + 25], over[area + 45 * 70 + 45]]).toEqual([0, 2]);
  await expect(
    client.request('labels.copy', { session, from: 0, to: 3, classes: 'all', replaces: 'all' })
  ).rejects.toThrow('Slice 3 does not exist');
});

it('copies each class over the one label on which most of it lies, its own aside, if that may change', async () => {
  const { session, arrays } = await openSession(client, { slices: 2, rows: 60, columns: 70 });
  const area = 60 * 70;
  const at = (row: number, column: number) => bytesOf(arrays['labels']!)[area + row * 70 + column];
  await square(session, 0, 1); // rows and columns 20 to 40
  await square(session, 1, 2, 25); // most of the copy lies on it, the rest on unlabelled pixels
  const copy = { session, from: 0, to: 1, classes: 'all' as const, one: true as const };
  expect((await client.request('labels.copy', { ...copy, replaces: [0, 1] })).changed).toBe(0); // class 2 is locked
  const { changed } = await client.request('labels.copy', { ...copy, replaces: [0, 1, 2] });
  expect(changed).toBe(15 * 15);
  expect([at(22, 22), at(30, 30), at(42, 42)]).toEqual([0, 1, 2]);
  await client.request('history.undo', { session });
  await square(session, 1, 0, 25);
  await square(session, 1, 2, 33);
  await client.request('labels.copy', { ...copy, replaces: [0, 1, 2] });
  expect([at(22, 22), at(35, 35)]).toEqual([1, 2]);
});

it('labels masks on several slices in one step, which a restart keeps and one undo takes away', async () => {
  const open = () => openSession(client, { slices: 4, rows: 300, columns: 70 });
  const { session, arrays } = await open();
  await square(session, 1, 2, 30);
  const before = bytesOf(arrays['labels']!);
  const tiles = [0, 0, 0, 1, 0, 0, 3, 1, 0]; // slice, row and column of each
  const [{ buffers: first }, { buffers: last }] = [
    rectangle(session, 1, { rows: [20, 40], columns: [20, 40] }),
    rectangle(session, 1, { rows: [4, 6], columns: [60, 70] })
  ] as const;
  const masks = [first[0]!, first[0]!, last[0]!];
  const made = { provenance: 'sam', tool: 'suggestion' } as const;
  const paint = (named: number[], buffers = masks, id = 1) =>
    client.request(
      'labels.paint',
      { session, class: id, replaces: [0], made },
      { buffers: [new Uint8Array(Uint32Array.from(named).buffer), ...buffers] }
    );
  const { changed } = await paint(tiles);
  const after = bytesOf(arrays['labels']!);
  const at = (slice: number, row: number, column: number) => after[(slice * 300 + row) * 70 + column];
  // On slice 1 older labels stay; the last tile has the rows from 256 on.
  expect([at(0, 20, 20), at(1, 25, 25), at(1, 35, 35), at(2, 25, 25), at(3, 260, 69), at(3, 4, 69)]).toEqual([
    1, 1, 2, 0, 1, 0
  ]);
  expect(changed).toBe(400 + 300 + 20);
  const { steps } = await client.request('history.list', { session });
  expect(steps).toHaveLength(2);
  expect(steps.at(-1)).toMatchObject({ ...made, pixels: changed });
  await expect(paint([4, 0, 0], [masks[0]!])).rejects.toThrow('There is no tile (0, 0) of slice 4');
  await expect(paint([0, 0, 0, 0, 0, 0], masks.slice(1))).rejects.toThrow('is named twice');
  await expect(paint([0, 0, 0])).rejects.toThrow('1 tiles have one mask each; there are 3 masks');
  await expect(paint([])).rejects.toThrow('has 0 bytes');
  await expect(paint(tiles, masks, 9)).rejects.toThrow('There is no class 9');
  await restart();
  client = await connect();
  expect(bytesOf((await open()).arrays['labels']!)).toEqual(after);
  await client.request('history.undo', { session });
  expect(bytesOf(arrays['labels']!)).toEqual(before);
});
