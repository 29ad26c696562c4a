/** Undo by one peer, as another peer sees it. */
import { LABEL_TILE } from '../../../src/shared/limits';
import { SessionState } from '../../../src/shared/protocol';
import { TestClient } from './support/client';
import { bytesOf, draw, inflateTile, openSession, rectangle } from './support/images';
import { TestSidecar } from './support/process';
import { setUp } from './support/set-up';

let sidecar: TestSidecar;
let client: TestClient;
const { connect, restart } = setUp(made => (sidecar = made));

beforeEach(async () => {
  await sidecar.start();
  client = await connect();
});

const isTiles = ({ event }: { event?: string }) => event === 'labels.tiles';

it('sends the changed tiles to all peers of the session', async () => {
  const { session, arrays, image } = await openSession(client);
  const columns = image.shape[2];
  const other = await connect();
  await other.request('session.attach', { session });
  await draw(client, session, 3);
  const { patch, buffers } = rectangle(session, 2, { tile: [1, 1], rows: [0, 4], columns: [0, 5] });
  await client.request('labels.patch', { ...patch, made: { provenance: 'sam', tool: 'suggestion' } }, { buffers });
  const { version, changed } = await other.request('history.undo', { session });
  expect(changed).toBe(20);
  for (const peer of [client, other]) {
    const { params, buffers: tiles } = await peer.hear(isTiles);
    expect(params).toEqual({ session, version, tiles: [{ slice: 0, row: 1, column: 1 }] });
    expect(inflateTile(tiles[0]!).every(id => id === 0)).toBe(true);
  }
  await other.request('history.redo', { session });
  const again = await client.hear(isTiles);
  expect([...inflateTile(again.buffers[0]!).subarray(0, 6)]).toEqual([2, 2, 2, 2, 2, 0]);
  expect(bytesOf(arrays['labels']!)[LABEL_TILE * columns + LABEL_TILE]).toBe(2);
});

it('asks peers to fetch all labels where many tiles changed, and says what can be undone', async () => {
  const { session } = await openSession(client);
  await draw(client, session, 3);
  await client.request('session.fresh', { session });
  const state: SessionState = await client.request('session.attach', { session });
  expect(state.history).toMatchObject({ undo: { tool: 'fresh', provenance: 'python', pixels: 10 }, redo: null });
  await client.request('history.undo', { session });
  const { labels, history } = await client.request('session.attach', { session });
  expect(labels.counts).toEqual({ 1: 10 });
  expect(history).toMatchObject({ undo: { tool: 'brush', class: 1, slice: 0 }, redo: { tool: 'fresh' } });
});

it('merges and removes classes with their labels in one step, which a restart keeps', async () => {
  const { session, classes, arrays } = await openSession(client);
  const other = await connect();
  await other.request('session.attach', { session });
  await draw(client, session, 3, 1);
  await draw(client, session, 5, 2);
  const drawn = bytesOf(arrays['labels']!);
  const [first, second] = [classes[0]!, classes[1]!];
  const state = () => client.request('session.attach', { session });
  const merged: SessionState = await client.request('session.classes', {
    session,
    classes: [second],
    relabel: [[1, 2]]
  });
  expect(merged).toMatchObject({ classes: [second], labels: { counts: { 2: 20 } } });
  expect(merged.history.undo).toMatchObject({ tool: 'merge_classes', pixels: 10 });
  const { params, buffers } = await other.hear(isTiles);
  expect(params).toMatchObject({ tiles: [{ slice: 0, row: 0, column: 0 }] });
  expect(inflateTile(buffers[0]!).filter(id => id === 2)).toHaveLength(20);
  const patch = rectangle(session, 1, { tile: [0, 0], rows: [0, 4], columns: [0, 5] });
  await expect(client.request('labels.patch', patch.patch, { buffers: patch.buffers })).rejects.toMatchObject({
    message: /There is no class 1/
  });
  await client.request('history.undo', { session });
  expect(bytesOf(arrays['labels']!)).toEqual(drawn);
  expect(await state()).toMatchObject({ classes, labels: { counts: { 1: 10, 2: 10 } } });

  await client.request('session.classes', { session, classes: [first], relabel: [[2, 0]] });
  expect(await state()).toMatchObject({ classes: [first], labels: { counts: { 1: 10 } } });
  client = await restart();
  expect(await state()).toMatchObject({ classes: [first], labels: { counts: { 1: 10 } } });
  await client.request('history.undo', { session });
  expect(await state()).toMatchObject({ classes, labels: { counts: { 1: 10, 2: 10 } } });
  await client.request('history.redo', { session });
  expect(await state()).toMatchObject({ classes: [first], labels: { counts: { 1: 10 } } });
});

it('refuses to merge into no class, or to leave labels without a class, and changes nothing', async () => {
  const { session, classes } = await openSession(client);
  await draw(client, session, 3, 1);
  const ask = (kept: object[], relabel: number[][]) =>
    client.request('session.classes', { session, classes: kept, relabel } as never);
  await expect(ask([classes[0]!], [[2, 9]])).rejects.toMatchObject({
    message: /Labels of class 2 cannot become 9; the classes are 1, and 0 is unlabelled/
  });
  await expect(ask([classes[1]!], [[2, 0]])).rejects.toMatchObject({ message: /Class 1 .* has 10 labelled pixels/ });
  expect(await client.request('session.attach', { session })).toMatchObject({ classes, labels: { counts: { 1: 10 } } });
});

it('keeps which classes are locked and hidden through a restart, and makes no step of it', async () => {
  const { session } = await openSession(client);
  await client.request('session.marks', { session, locked: [2], hidden: [1, 2] });
  client = await restart();
  const { marks, history } = await client.request('session.attach', { session });
  expect(marks).toEqual({ locked: [2], hidden: [1, 2] });
  expect(history.undo).toBeNull();
});

it('takes back classes with the labels that need them', async () => {
  const { session, classes } = await openSession(client);
  const more = [...classes, { id: 9, name: 'ninth', color: '#123456' }];
  await client.request('session.classes', { session, classes: more });
  await draw(client, session, 3, 9);
  await client.request('history.undo', { session });
  await client.request('history.undo', { session });
  expect((await client.request('session.attach', { session })).classes).toEqual(classes);
  await expect(client.request('history.undo', { session })).rejects.toMatchObject({ message: /no step to undo/ });
  await sidecar.kill();
  await sidecar.start();
  client = await connect();
  await client.request('history.redo', { session });
  await client.request('history.redo', { session });
  const { classes: now, labels } = await client.request('session.attach', { session });
  expect(now).toEqual(more);
  expect(labels.counts).toEqual({ 9: 10 });
});
