/** The sidecar as its peers see it: the real process, real sockets, real files. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { encodeMessage } from '../../../src/shared/frames';
import { TestClient, readConnection } from './support/client';
import { bytesOf, CLASSES, halves, histogram, inflateTile, openSession, rectangle } from './support/images';
import { removeBundle, TestSidecar } from './support/process';

let sidecar: TestSidecar;
const clients: TestClient[] = [];

async function connect(role: 'python' | 'relay' = 'python'): Promise<TestClient> {
  const client = await sidecar.connect(role);
  clients.push(client);
  return client;
}

beforeEach(async () => {
  sidecar = await new TestSidecar().start();
});

afterEach(async () => {
  clients.splice(0).forEach(client => client.close());
  await sidecar.dispose();
});

afterAll(removeBundle);

describe('The handshake', () => {
  it('accepts a client with the secret of the owner-only connection file', async () => {
    const client = await connect();
    const connection = readConnection(sidecar.runtimeDir);
    expect(statSync(`${sidecar.runtimeDir}/sidecar-1.json`).mode & 0o777).toBe(0o600);
    expect(connection).toMatchObject({
      protocol: 1,
      pid: sidecar.process!.pid,
      secret: expect.stringMatching(/^[0-9a-f]{64}$/)
    });
    const hello = await client.request('hello', { role: 'browser', version: 'test' });
    expect(hello).toMatchObject({ protocol: 1, pid: connection.pid, instance: connection.instance });
  });

  it('refuses a wrong secret, no secret, and a request before hello', async () => {
    const stranger = new TestClient(readConnection(sidecar.runtimeDir));
    clients.push(stranger);
    const refused = { code: 'unauthorized' };
    await expect(stranger.request('ping', {})).rejects.toMatchObject(refused);
    await expect(stranger.request('hello', { role: 'relay', version: '1' })).rejects.toMatchObject(refused);
    const secret = 'f'.repeat(64);
    await expect(stranger.request('hello', { role: 'relay', version: '1', secret })).rejects.toMatchObject(refused);
    await expect(stranger.request('status', {})).rejects.toMatchObject(refused);
    const large = Buffer.from(JSON.stringify({ v: 1, id: 'large', method: 'hello', params: {} }));
    stranger.send([large, Buffer.alloc(100_000)]);
    expect((await stranger.hear(({ re }) => re === 'large')).error).toMatchObject({ code: 'too-large' });
    const chunk = { of: 'x', index: 0, count: 2, lengths: [10, 10] };
    stranger.send([Buffer.from(JSON.stringify({ v: 1, chunk })), Buffer.alloc(10)]);
    expect((await stranger.hear(({ re }) => re === '')).error).toMatchObject(refused);
    await (await connect()).request('ping', {});
  });

  it('lets only Python open a session', async () => {
    const relay = await connect('relay');
    await expect(openSession(relay)).rejects.toMatchObject({ code: 'unauthorized' });
  });
});

describe('Labels', () => {
  it('are in the shared array, pixel by pixel, when a patch is acknowledged', async () => {
    const client = await connect();
    const { session, arrays } = await openSession(client);
    const { patch, buffers } = rectangle(session, 2, { tile: [0, 1], rows: [10, 20], columns: [100, 144] });
    expect(await client.request('labels.patch', patch, { buffers })).toMatchObject({ version: 1, changed: 440 });
    const labels = bytesOf(arrays['labels']!);
    expect(labels.byteLength).toBe(300 * 400);
    labels.forEach((label, i) => {
      const [row, column] = [Math.floor(i / 400), i % 400];
      const inside = row >= 10 && row < 20 && column >= 356 && column < 400;
      if (label !== (inside ? 2 : 0)) {
        throw new Error(`pixel (${row}, ${column}) is ${label}`);
      }
    });
    const state = await client.request('session.attach', { session });
    expect(state.labels).toEqual({ version: 1, counts: { 2: 440 } });
  });

  it('ignore the bits of a mask that lie outside the image', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    const { patch, buffers } = rectangle(session, 1, { tile: [1, 1], rows: [0, 256], columns: [0, 256] });
    expect(await client.request('labels.patch', patch, { buffers })).toMatchObject({ changed: 44 * 144 });
  });

  it('stay where a patch does not replace them, also where it erases', async () => {
    const client = await connect();
    const { session, arrays } = await openSession(client);
    const send = async ({ patch, buffers }: ReturnType<typeof rectangle>) =>
      (await client.request('labels.patch', patch, { buffers })).changed;
    expect(await send(rectangle(session, 1, { rows: [0, 10], columns: [0, 10] }))).toBe(100);
    expect(await send(rectangle(session, 2, { rows: [0, 10], columns: [5, 15] }, [0]))).toBe(50);
    expect(histogram(bytesOf(arrays['labels']!))).toMatchObject({ 1: 100, 2: 50 });
    expect(await send(rectangle(session, 2, { rows: [0, 10], columns: [5, 15] }))).toBe(50);
    expect(histogram(bytesOf(arrays['labels']!))).toMatchObject({ 1: 50, 2: 100 });
    expect(await send(rectangle(session, 0, { rows: [0, 5], columns: [0, 15] }, [2]))).toBe(50);
    expect(histogram(bytesOf(arrays['labels']!))).toMatchObject({ 1: 50, 2: 50 });
    expect(await send(rectangle(session, 1, { rows: [0, 10], columns: [0, 15] }, [])).catch(String)).toBe(0);
    expect(await send(rectangle(session, 0, { rows: [0, 5], columns: [0, 15] }))).toBe(25);
    const { labels } = await client.request('session.attach', { session });
    expect(labels.counts).toEqual({ 1: 25, 2: 50 });
    expect(histogram(bytesOf(arrays['labels']!))).toMatchObject({ 1: 25, 2: 50 });
  });

  it('change once for a request that is sent twice, and both times get the same reply', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    const first = rectangle(session, 1, { rows: [0, 4], columns: [0, 4] });
    const id = client.nextId();
    const reply = await client.request('labels.patch', first.patch, { buffers: first.buffers, id });
    const erase = rectangle(session, 0, { rows: [0, 4], columns: [0, 4] });
    await client.request('labels.patch', erase.patch, { buffers: erase.buffers });
    const again = await client.request('labels.patch', first.patch, { buffers: first.buffers, id });
    expect(again).toEqual(reply);
    // From another connection too: a relay that lost its socket gets a new one.
    const other = await connect();
    const elsewhere = await other.request('labels.patch', first.patch, { buffers: first.buffers, id });
    expect(elsewhere.version).toBe(reply.version);
    const state = await client.request('session.attach', { session });
    expect(state.labels).toEqual({ version: 2, counts: {} });
  });

  it('refuse a patch that is wrong, naming what is wrong, and do not change', async () => {
    const client = await connect();
    const { session, arrays } = await openSession(client);
    const { patch, buffers } = rectangle(session, 1, { rows: [0, 4], columns: [0, 4] });
    const refuse = (wrong: Partial<typeof patch>, data: Uint8Array[], message: RegExp) =>
      expect(client.request('labels.patch', { ...patch, ...wrong }, { buffers: data })).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringMatching(message)
      });
    await refuse({ class: 3 }, buffers, /no class 3; the classes are 1, 2/);
    await refuse({ slice: 1 }, buffers, /Slice 1/);
    await refuse({ tiles: [{ row: 2, column: 0 }] }, buffers, /Tile \(2, 0\) is outside; the image has 2 × 2 tiles/);
    await refuse({}, [], /has one buffer each; this one has 0/);
    await refuse({}, [deflateRawSync(new Uint8Array(100))], /100 bytes; it must have 8192/);
    await refuse({}, [deflateRawSync(new Uint8Array(1 << 24))], /deflated mask/);
    await refuse({}, [Buffer.from('rubbish')], /deflated mask/);
    expect(histogram(bytesOf(arrays['labels']!))).toEqual({ 0: 300 * 400 });
    expect((await client.request('session.attach', { session })).labels.version).toBe(0);
  });

  it('are sent with their mask to all other peers of the session', async () => {
    const [one, two] = [await connect(), await connect('relay')];
    const { session } = await openSession(one);
    await two.request('session.attach', { session });
    const { patch, buffers } = rectangle(session, 2, { rows: [1, 3], columns: [1, 3] });
    await one.request('labels.patch', patch, { buffers });
    const heard = await two.hear(({ event }) => event === 'patch');
    expect(heard.params).toMatchObject({ version: 1, patch });
    expect(Buffer.from(heard.buffers[0]!)).toEqual(Buffer.from(buffers[0]!));
    const told = await one.hear(
      ({ event, params }) => event === 'session' && (params as { labels: { version: number } }).labels.version === 1
    );
    expect(told.params).toMatchObject({ labels: { counts: { 2: 4 } } });
    expect(one.heard.some(({ event }) => event === 'patch')).toBe(false);
  });

  it('add up when two peers draw at the same time', async () => {
    const [one, two] = [await connect(), await connect('relay')];
    const { session, arrays } = await openSession(one);
    const strokes = Array.from({ length: 40 }, (_, i) => {
      const { patch, buffers } = rectangle(session, 1 + (i % 2), { rows: [i * 5, i * 5 + 5], columns: [0, 200] });
      return (i % 2 ? one : two).request('labels.patch', patch, { buffers });
    });
    const versions = (await Promise.all(strokes)).map(reply => reply.version);
    expect(versions.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(histogram(bytesOf(arrays['labels']!))).toMatchObject({ 1: 20000, 2: 20000 });
  });

  it('can be replaced as a whole by a staged array, whose ids are checked', async () => {
    const client = await connect();
    const { session, arrays } = await openSession(client);
    const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: [1, 300, 400] });
    const { writeFileSync } = await import('node:fs');
    const wanted = Uint8Array.from({ length: 120000 }, (_, i) => i % 3);
    writeFileSync(array.path, wanted, { flag: 'r+' });
    expect(await client.request('labels.set', { session, staged })).toMatchObject({ version: 1, changed: 80000 });
    expect(Buffer.from(bytesOf(arrays['labels']!))).toEqual(Buffer.from(wanted));
    wanted[77] = 9;
    writeFileSync(array.path, wanted, { flag: 'r+' });
    await expect(client.request('labels.set', { session, staged })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/contain 9, which is no class id; the classes are 1, 2/)
    });
    await client.request('array.release', { staged });
    await expect(client.request('labels.set', { session, staged })).rejects.toMatchObject({ code: 'invalid' });
    const { labels } = await client.request('session.attach', { session });
    expect(labels).toEqual({ version: 1, counts: { 1: 40000, 2: 40000 } });
  });

  it('come as tiles: those that are not empty, or those asked for', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    const { patch, buffers } = rectangle(session, 2, { tile: [1, 1], rows: [3, 4], columns: [7, 9] });
    await client.request('labels.patch', patch, { buffers });
    const all = await client.request('overlay.tiles', { session, overlay: 'labels', slice: 0 });
    expect(all).toMatchObject({ version: 1, tiles: [{ row: 1, column: 1 }] });
    const tile = inflateTile(all.buffers[0]!);
    expect(tile.byteLength).toBe(256 * 256);
    expect([...tile.entries()].filter(([, id]) => id > 0)).toEqual([
      [3 * 256 + 7, 2],
      [3 * 256 + 8, 2]
    ]);
    const asked = await client.request('overlay.tiles', {
      session,
      overlay: 'labels',
      slice: 0,
      tiles: [{ row: 0, column: 0 }]
    });
    expect(histogram(inflateTile(asked.buffers[0]!))).toEqual({ 0: 65536 });
    await expect(client.request('overlay.tiles', { session, overlay: 'segmentation', slice: 0 })).rejects.toMatchObject(
      { code: 'not-ready' }
    );
  });
});

describe('Messages', () => {
  it('larger than a chunk arrive in pieces and whole, in both directions', async () => {
    const client = await connect();
    const { session, arrays } = await openSession(client, { rows: 2000, columns: 2000 });
    const mask = Uint8Array.from({ length: 8192 }, (_, i) => (i * i * 31 + (i >> 5) * 7) & 255);
    const tiles = Array.from({ length: 49 }, (_, i) => ({ row: Math.floor(i / 7), column: i % 7 }));
    const noise = (i: number) =>
      deflateRawSync(
        mask.map((byte, k) => byte ^ ((k * 2654435761 * (i + 1)) >>> 24)),
        { level: 0 }
      );
    const buffers = tiles.map((_, i) => noise(i));
    const patch = { session, slice: 0, class: 1, replaces: 'all', tiles };
    const parts = encodeMessage({ id: 'many', method: 'labels.patch', params: patch }, buffers, 50000);
    expect(parts.length).toBeGreaterThan(5);
    client.send(...parts.reverse());
    const reply = await client.hear(({ re }) => re === 'many');
    const { changed } = reply.params as { changed: number };
    expect(changed).toBe(histogram(bytesOf(arrays['labels']!))[1]);
    const { info } = halves(1, 2000, 2000);
    expect(info.shape).toEqual([1, 2000, 2000, 1]);
    const decoder = await client.request('image.tile', { session, slice: 0, level: 0, row: 3, column: 3 });
    expect(decoder.buffers[0]!.byteLength).toBe(464 * 464);
  });

  it('that are malformed, too large, of an old version or unknown are answered, and other peers are not affected', async () => {
    const [bad, good] = [await connect('relay'), await connect()];
    const { session } = await openSession(good);
    const text = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
    const answer = async (frames: Uint8Array[], re: string, code: string) => {
      bad.send(frames);
      const heard = await bad.hear(item => item.re === re);
      expect(heard.error).toMatchObject({ code });
    };
    await answer([text('{')], '', 'malformed');
    await answer([text('[1]')], '', 'malformed');
    await answer([Buffer.from([0xff, 0xfe, 0])], '', 'malformed');
    await answer([Buffer.alloc(0)], '', 'malformed');
    await answer([Buffer.alloc(300 << 10, 32)], '', 'too-large');
    await answer([text({ v: 0, id: 'old', method: 'ping', params: {} })], 'old', 'protocol-version');
    await answer([text({ id: 'none', method: 'ping', params: {} })], 'none', 'protocol-version');
    await answer([text({ v: 1, id: 'what', method: 'constructor', params: {} })], 'what', 'unknown-method');
    await answer([text({ v: 1, id: 'lacks', method: 'session.attach', params: {} })], 'lacks', 'invalid');
    await answer([text({ v: 1, id: 7, method: 'ping', params: {} })], '', 'malformed');
    const chunk = { of: 'x', index: 0, count: 2, lengths: [2 ** 40] };
    await answer([text({ v: 1, id: 'huge', chunk }), Buffer.alloc(1)], 'huge', 'too-large');
    const unknown = { v: 1, id: 'who', method: 'session.attach', params: { session: '0'.repeat(32) } };
    await answer([text(unknown)], 'who', 'unknown-session');
    await bad.request('ping', {});
    expect((await good.request('session.attach', { session })).session).toBe(session);
  });

  it('of random bytes never stop it', async () => {
    const [noisy, good] = [await connect('relay'), await connect()];
    const { session } = await openSession(good);
    let seed = 12345;
    const random = (n: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * n);
    };
    const methods = [
      'labels.patch',
      'image.tile',
      'overlay.tiles',
      'array.stage',
      'labels.set',
      'cancel',
      'train',
      'hello'
    ];
    const values = [null, -1, 1e300, '', 'x', [], {}, session, true, 0, 1, [{ row: 0, column: 0 }], [1, 2, 3]];
    const value = () => values[random(values.length)];
    for (let i = 0; i < 600; i++) {
      const params = Object.fromEntries(
        [
          'session',
          'slice',
          'class',
          'replaces',
          'tiles',
          'level',
          'row',
          'column',
          'overlay',
          'dtype',
          'shape',
          'id'
        ].map(key => [key, key === 'session' && random(2) ? session : value()])
      );
      const header = Buffer.from(
        JSON.stringify({ v: random(20) ? 1 : value(), id: `f${i}`, method: methods[random(methods.length)], params })
      );
      if (random(3) === 0) {
        header[random(header.byteLength)] = random(256);
      }
      const buffers = Array.from({ length: random(3) }, () =>
        Buffer.from({ length: random(64) } as never).map(() => random(256))
      );
      noisy.send(random(10) ? [header, ...buffers] : buffers.length ? buffers : [Buffer.alloc(random(9), random(256))]);
    }
    await noisy.request('ping', {});
    const { patch, buffers } = rectangle(session, 1, { rows: [0, 2], columns: [0, 2] });
    await good.request('labels.patch', patch, { buffers });
    expect(sidecar.log).not.toMatch(/uncaught|unhandled/);
    expect(sidecar.process!.exitCode).toBeNull();
  });
});

describe('Classes', () => {
  it('cannot go while they have labels, and change otherwise', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    const { patch, buffers } = rectangle(session, 2, { rows: [0, 2], columns: [0, 3] });
    await client.request('labels.patch', patch, { buffers });
    await expect(client.request('session.classes', { session, classes: CLASSES.slice(0, 1) })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/precipitate\) has 6 labelled pixels/)
    });
    const renamed = [{ id: 2, name: 'gamma prime', color: '#123456' }];
    expect((await client.request('session.classes', { session, classes: renamed })).classes).toEqual(renamed);
  });
});

describe('Class names', () => {
  it('that occur twice are refused, with the names', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    const twice = [...CLASSES, { id: 3, name: 'matrix', color: '#123456' }];
    const refused = { code: 'invalid', message: expect.stringMatching(/differ from each other; .* "matrix"/) };
    await expect(client.request('session.classes', { session, classes: twice })).rejects.toMatchObject(refused);
    const { info } = halves(1, 300, 400);
    const open = { key: 'image', title: '', image: info, keepClasses: false, fresh: false };
    await expect(client.request('session.open', { ...open, classes: twice })).rejects.toMatchObject(refused);
    // Neither may a class that stays for its labels lend its name to another.
    const { patch, buffers } = rectangle(session, 2, { rows: [0, 2], columns: [0, 3] });
    await client.request('labels.patch', patch, { buffers });
    const other = [{ id: 1, name: 'precipitate', color: '#123456' }];
    await expect(client.request('session.open', { ...open, classes: other })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/"precipitate" .* id 2, .* has 6 labelled pixels/)
    });
    expect((await client.request('session.attach', { session })).classes).toEqual(CLASSES);
    expect((await client.request('session.open', { ...open, classes: other, fresh: true })).classes).toEqual(other);
  });
});

describe('A session', () => {
  it('is found again by its key with its labels, and its image need not be written again', async () => {
    const client = await connect();
    const first = await openSession(client);
    expect(first.resumed).toBeNull();
    const { patch, buffers } = rectangle(first.session, 1, { rows: [0, 5], columns: [0, 5] });
    await client.request('labels.patch', patch, { buffers });
    const { info } = halves(1, 300, 400);
    const open = { key: 'image', title: 'again', image: info, classes: CLASSES, keepClasses: true, fresh: false };
    await client.request('session.detach', { session: first.session });
    const second = await client.request('session.open', open);
    expect(second).toMatchObject({ session: first.session, imageReady: true, title: 'again', resumed: { pixels: 25 } });
    expect(second.arrays['labels']!.path).toBe(first.arrays['labels']!.path);
    const fresh = await client.request('session.open', { ...open, fresh: true });
    expect(fresh).toMatchObject({ resumed: null, labels: { counts: {} } });
    expect(histogram(bytesOf(fresh.arrays['labels']!))).toEqual({ 0: 120000 });
    const backups = readdirSync(`${sidecar.dataDir}/sessions/${first.session}`).filter(name =>
      /^labels-.*\.bak$/.test(name)
    );
    expect(backups).toHaveLength(1);
  });

  it('reports resumed labels only if no peer used the session before', async () => {
    const client = await connect();
    const { session } = await openSession(client);
    const { patch, buffers } = rectangle(session, 1, { rows: [0, 5], columns: [0, 5] });
    await client.request('labels.patch', patch, { buffers });
    // A cell that runs again finds what was drawn since the kernel started.
    expect((await openSession(client)).resumed).toBeNull();
    // So does a client whose sidecar was killed, and the page beside it.
    await sidecar.kill();
    await sidecar.start();
    const [page, back] = [await connect('relay'), await connect()];
    expect(await page.request('session.attach', { session })).toMatchObject({ resumed: null });
    expect((await openSession(back)).resumed).toBeNull();
    await page.request('session.detach', { session });
    await back.request('session.detach', { session });
    const { info } = halves(1, 300, 400);
    const open = { key: 'image', title: '', image: info, classes: CLASSES, keepClasses: true, fresh: false };
    expect((await back.request('session.open', { ...open, again: true })).resumed).toBeNull();
    // A kernel that is gone uses nothing, even if it did not say so.
    back.close();
    const restarted = await connect();
    expect((await openSession(restarted)).resumed).toMatchObject({ pixels: 25 });
    // What is drawn later does not change that, nor does a page that comes later.
    const more = rectangle(session, 2, { rows: [9, 10], columns: [0, 5] });
    await restarted.request('labels.patch', more.patch, { buffers: more.buffers });
    expect((await openSession(restarted)).resumed).toMatchObject({ pixels: 25 });
    expect((await page.request('session.attach', { session })).resumed).toMatchObject({ pixels: 25 });
    expect((await restarted.request('session.fresh', { session })).resumed).toBeNull();
    expect((await openSession(restarted, { fresh: true })).resumed).toBeNull();
  });

  it('keeps its labels for another image of the same shape and refuses one of another shape until they are set aside', async () => {
    const client = await connect();
    const first = await openSession(client);
    const { patch, buffers } = rectangle(first.session, 1, { rows: [0, 5], columns: [0, 5] });
    await client.request('labels.patch', patch, { buffers });
    const { info } = halves(1, 300, 400);
    const open = { key: 'image', title: '', image: info, classes: CLASSES, keepClasses: true, fresh: false };
    const other = await client.request('session.open', { ...open, image: { ...info, digest: 'a'.repeat(64) } });
    expect(other).toMatchObject({ imageReady: false, labels: { counts: { 1: 25 } } });
    expect(other.arrays['labels']!.path).toBe(first.arrays['labels']!.path);
    await client.request('image.ready', { session: first.session });

    const shape: [number, number, number, 1] = [1, 100, 120, 1];
    const narrow = { ...open, image: { ...info, shape, digest: 'b'.repeat(64) } };
    const refused = {
      code: 'invalid',
      message:
        'The session image holds labels of an image of 300 × 400; this one has 100 × 120. ' +
        'Choose another name, or fresh=True to set them aside.'
    };
    await expect(client.request('session.open', narrow)).rejects.toMatchObject(refused);
    // Nothing has changed, neither in memory nor for one who opens it from the disk.
    const same = { imageReady: true, image: { digest: 'a'.repeat(64) }, labels: { counts: { 1: 25 } } };
    expect(await client.request('session.attach', { session: first.session })).toMatchObject(same);
    await sidecar.kill();
    await sidecar.start();
    const later = await connect();
    await expect(later.request('session.open', narrow)).rejects.toMatchObject(refused);
    expect(await later.request('session.attach', { session: first.session })).toMatchObject(same);
    expect(histogram(bytesOf(first.arrays['labels']!))[1]).toBe(25);

    const small = await later.request('session.open', { ...narrow, fresh: true });
    expect(small).toMatchObject({ imageReady: false, resumed: null, labels: { counts: {} } });
    expect(bytesOf(small.arrays['labels']!).byteLength).toBe(12000);
    expect(histogram(readFileSync(small.arrays['labels']!.path))).toEqual({ 0: 12000 });
    const files = () => readdirSync(`${sidecar.dataDir}/sessions/${first.session}`);
    expect(files().filter(name => name.endsWith('.bak'))).toHaveLength(1);
    // Without labels there is nothing to lose.
    const tall = await later.request('session.open', {
      ...open,
      image: { ...info, shape: [3, 20, 30, 1], digest: 'c'.repeat(64) }
    });
    expect(tall).toMatchObject({ imageReady: false, resumed: null, arrays: { labels: { shape: [3, 20, 30] } } });
  });
});
