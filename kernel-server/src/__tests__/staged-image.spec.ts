/** The pixels of an image that Python writes before the session is opened, while it computes their digest. */
import { closeSync, existsSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ImageInfo, Params, SessionState } from '../../../src/shared/protocol';
import { TestClient } from './support/client';
import { itIf, MAY_MOUNT } from './support/conditions';
import { bytesOf, CLASSES, draw, halves, openSession } from './support/images';
import { TestSidecar } from './support/process';
import { setUp } from './support/set-up';

let sidecar: TestSidecar;
let client: TestClient;
const { connect, restart, mountSmall } = setUp(made => (sidecar = made));

const ROWS = 300;
const COLUMNS = 400;

/** Stage an image. @returns its description, and the id and the file of the array */
async function stage(rows = ROWS, columns = COLUMNS, flip = false) {
  const { info, pixels } = halves(1, rows, columns);
  if (flip) {
    pixels.reverse();
    info.digest = info.digest.split('').reverse().join('');
  }
  const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: info.shape, ahead: true });
  writeFileSync(array.path, pixels, { flag: 'r+' });
  return { info, pixels, staged, path: array.path };
}

function open(
  image: Params<'session.open'>['image'],
  more: Partial<Params<'session.open'>> = {}
): Promise<SessionState> {
  const params = { key: 'image', title: 'image', image, classes: CLASSES, keepClasses: true, fresh: false };
  return client.request('session.open', { ...params, ...more });
}

/** Files of arrays that begin with a name, in folders that have another in theirs. */
function files(name: string, folder = ''): string[] {
  const { arraysDir } = sidecar;
  return readdirSync(arraysDir, { withFileTypes: true })
    .filter(each => each.isDirectory() && each.name.includes(folder))
    .flatMap(({ name: each }) => readdirSync(join(arraysDir, each)).map(file => join(arraysDir, each, file)))
    .filter(path => path.split('/').pop()!.startsWith(name));
}

describe('A staged image', () => {
  beforeEach(async () => {
    await sidecar.start();
    client = await connect();
  });

  it('becomes the session’s own: nothing is copied, and the picture is there at once', async () => {
    const { info, pixels, staged, path } = await stage();
    const { session, imageReady, arrays } = await open(info, { staged });
    expect(imageReady).toBe(true);
    expect(existsSync(path)).toBe(false);
    expect(files('', 'staged')).toEqual([]);
    expect(files('image')).toEqual([arrays['image']!.path]);
    expect(Buffer.from(bytesOf(arrays['image']!))).toEqual(Buffer.from(pixels));
    const tile = await client.request('image.tile', { session, slice: 0, level: 0, row: 0, column: 0 });
    expect(Buffer.from(tile.buffers[0]!)).toEqual(Buffer.from(pixels));
    await restart();
    client = await connect();
    const again = await open(info);
    expect(again).toMatchObject({ imageReady: true, arrays: { image: { path: arrays['image']!.path } } });
  });

  it('is removed if the session has the pixels already', async () => {
    const before = await openSession(client);
    const { info, staged, path } = await stage();
    const { arrays } = await open(info, { staged });
    expect(arrays['image']!.path).toBe(before.arrays['image']!.path);
    expect(existsSync(path)).toBe(false);
    expect(files('image')).toHaveLength(1);
  });

  it('is removed if it is another image of the same size: maps of the session’s file stay live', async () => {
    const before = await openSession(client);
    await draw(client, before.session, 3);
    const { info, staged, path } = await stage(ROWS, COLUMNS, true);
    const { imageReady, arrays, labels } = await open(info, { staged });
    expect(imageReady).toBe(false);
    expect(labels.counts).toEqual({ 1: 10 });
    expect(arrays['image']!.path).toBe(before.arrays['image']!.path);
    expect(existsSync(path)).toBe(false);
  });

  it('takes the place of an image of another size', async () => {
    const before = await openSession(client);
    const other = await connect();
    await other.request('session.attach', { session: before.session });
    const { info, pixels, staged } = await stage(ROWS, COLUMNS + 7);
    const { arrays } = await open(info, { staged });
    expect(Buffer.from(bytesOf(arrays['image']!))).toEqual(Buffer.from(pixels));
    expect(files('image')).toEqual([arrays['image']!.path]);
    const heard = await other.hear(
      ({ event, params }) => event === 'session' && (params as SessionState).image.digest === info.digest
    );
    expect(heard.params).toMatchObject({ imageReady: true, arrays: { image: { path: arrays['image']!.path } } });
    const tile = { session: before.session, slice: 0, level: 0, row: 0, column: 0 };
    const { buffers } = await other.request('image.tile', tile);
    expect(Buffer.from(buffers[0]!)).toEqual(Buffer.from(pixels));
  });

  it('is not taken, and removed, if it has another size than the image', async () => {
    const { staged, path } = await stage(ROWS, COLUMNS + 1);
    const { imageReady } = await open(halves(1, ROWS, COLUMNS).info, { staged });
    expect(imageReady).toBe(false);
    expect(existsSync(path)).toBe(false);
  });

  it('is removed if the session cannot be opened', async () => {
    const { session } = await openSession(client);
    await draw(client, session, 3);
    const { info, staged, path } = await stage(ROWS, COLUMNS + 1);
    await expect(open(info, { staged })).rejects.toMatchObject({ code: 'invalid' });
    expect(existsSync(path)).toBe(false);
    expect(files('image')).toHaveLength(1);
  });

  it('has the overview that is made while it is written, from the rows that are there', async () => {
    const [rows, columns] = [9000, 1000]; // two bands of tiles of 4096 rows, and a rest
    const shape: ImageInfo['shape'] = [1, rows, columns, 1];
    const { info } = halves(1, 1, 1);
    const image = { ...info, shape, dtype: 'uint16' as const, display: { low: 0, high: 65535 } };
    const pixels = Uint16Array.from({ length: rows * columns }, (_, i) => Math.imul(i, 2654435761) >>> 16);
    const bytes = new Uint8Array(pixels.buffer);
    const { staged, array } = await client.request('array.stage', { dtype: 'uint16', shape, ahead: true });
    const file = openSync(array.path, 'r+');
    for (const [from, to] of [
      [0, 4000],
      [4000, 4500],
      [4500, 9000]
    ]) {
      writeSync(file, bytes, from! * columns * 2, (to! - from!) * columns * 2, from! * columns * 2);
      await client.request('array.written', { staged, bytes: to! * columns * 2 });
    }
    closeSync(file);
    const { session } = await open(image, { staged });
    const tile = { slice: 0, level: 5, row: 0, column: 0 };
    const ahead = await client.request('image.tile', { session, ...tile });
    const plain = await open(image, { key: 'plain' });
    writeFileSync(plain.arrays['image']!.path, bytes, { flag: 'r+' });
    await client.request('image.ready', { session: plain.session });
    const wanted = await client.request('image.tile', { session: plain.session, ...tile });
    expect(ahead).toMatchObject({ rows: 282, columns: 32 });
    expect(Buffer.from(ahead.buffers[0]!).equals(Buffer.from(wanted.buffers[0]!))).toBe(true);
  });

  it('leaves nothing when the sidecar is killed before the session takes it', async () => {
    const { info, staged, path } = await stage();
    await restart();
    expect(existsSync(path)).toBe(false);
    expect(files('', 'staged')).toEqual([]);
    // Python sends the request again, with an id that the new sidecar does not know, and writes the pixels once more.
    client = await connect();
    expect((await open(info, { staged })).imageReady).toBe(false);
  });
});

itIf(MAY_MOUNT)('finds no room rather than that others give up their arrays for it', async () => {
  mountSmall(sidecar.arraysDir, '1m');
  await sidecar.start();
  client = await connect();
  const { session, arrays } = await openSession(client);
  await client.request('session.detach', { session });
  await expect(
    client.request('array.stage', { dtype: 'uint8', shape: [1, 900, 900, 1], ahead: true })
  ).rejects.toMatchObject({ code: 'disk-full' });
  expect(existsSync(arrays['image']!.path)).toBe(true);
});
