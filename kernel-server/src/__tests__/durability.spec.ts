/** What survives: crashes, torn files, full disks, long silence. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs';
import { dirname, join } from 'node:path';
import { TestClient, readConnection } from './support/client';
import { bytesOf, CLASSES, draw, halves, histogram, openSession, rectangle } from './support/images';
import { IS_LINUX, itIf, MAY_MOUNT } from './support/conditions';
import { TestSidecar } from './support/process';
import { setUp } from './support/set-up';

let sidecar: TestSidecar;
const { connect, restart, mountSmall, journalOf, folderOf } = setUp(made => (sidecar = made));

describe('After kill -9', () => {
  it('every acknowledged label is back in the same file, and what is sent again applies once', async () => {
    const client = await restart();
    const { session, arrays } = await openSession(client);
    const inode = statSync(arrays['labels']!.path).ino;
    const strokes = Array.from({ length: 60 }, (_, i) => ({
      ...rectangle(session, 1 + (i % 2), { rows: [i * 4, i * 4 + 4], columns: [0, 10] }),
      id: `stroke-${i}`
    }));
    const acknowledged: number[] = [];
    const enough = new Promise<void>(resolve =>
      strokes.forEach(({ patch, buffers, id }, i) => {
        client.request('labels.patch', patch, { buffers, id }).then(
          () => {
            acknowledged.push(i);
            if (acknowledged.length === 20) {
              resolve();
            }
          },
          () => undefined
        );
      })
    );
    await enough;
    await sidecar.kill();
    const seen = [...acknowledged];
    // A crash may also leave the array behind the journal, or ahead of nothing: it is rebuilt whatever it holds.
    writeFileSync(arrays['labels']!.path, new Uint8Array(50).fill(7), { flag: 'r+' });

    await sidecar.start();
    const again = await connect();
    const state = await again.request('session.attach', { session });
    expect(state.imageReady).toBe(true);
    expect(state.arrays['labels']!.path).toBe(arrays['labels']!.path);
    expect(statSync(arrays['labels']!.path).ino).toBe(inode);
    const labels = bytesOf(arrays['labels']!);
    for (const i of seen) {
      expect(labels[i * 4 * 400 + 9]).toBe(1 + (i % 2));
    }
    expect(labels[45]).toBe(0);
    for (const { patch, buffers, id } of strokes) {
      await again.request('labels.patch', patch, { buffers, id });
    }
    const end = await again.request('session.attach', { session });
    expect(end.labels).toEqual({ version: 60, counts: { 1: 1200, 2: 1200 } });
    expect(histogram(bytesOf(arrays['labels']!))).toMatchObject({ 1: 1200, 2: 1200 });
  });

  it('labels that were set as a whole are back as well, with what was drawn after', async () => {
    const client = await restart();
    const { session, arrays } = await openSession(client);
    const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: [1, 300, 400] });
    writeFileSync(array.path, new Uint8Array(120000).fill(1), { flag: 'r+' });
    await client.request('labels.set', { session, staged });
    const { patch, buffers } = rectangle(session, 2, { rows: [0, 1], columns: [0, 8] });
    await client.request('labels.patch', patch, { buffers });
    await sidecar.kill();
    unlinkSync(arrays['labels']!.path); // a reboot empties memory
    await sidecar.start();
    const again = await connect();
    expect(existsSync(array.path)).toBe(false);
    const state = await openSession(again);
    expect(state).toMatchObject({ resumed: { pixels: 120000 }, labels: { version: 2, counts: { 1: 119992, 2: 8 } } });
    expect(histogram(bytesOf(state.arrays['labels']!))).toEqual({ 1: 119992, 2: 8 });
  });
});

describe('The journal', () => {
  it('is cut off where its tail is torn, and goes on from there', async () => {
    const client = await restart();
    const { session } = await openSession(client);
    const sizes: number[] = [];
    for (const row of [0, 1, 2]) {
      await draw(client, session, row);
      sizes.push(statSync(journalOf(session)).size);
    }
    await sidecar.kill();
    truncateSync(journalOf(session), sizes[2]! - 3);
    await sidecar.start();
    const again = await connect();
    const state = await again.request('session.attach', { session });
    expect(state.labels).toEqual({ version: 2, counts: { 1: 20 } });
    expect(statSync(journalOf(session)).size).toBe(sizes[1]);
    await draw(again, session, 9, 2);
    await sidecar.kill();
    await sidecar.start();
    const third = await connect();
    expect((await third.request('session.attach', { session })).labels.counts).toEqual({ 1: 20, 2: 10 });
  });

  it('that is no journal is kept under another name, and the session works', async () => {
    await sidecar.start();
    const { session } = await openSession(await connect());
    await sidecar.kill();
    writeFileSync(journalOf(session), 'rubbish, but long enough');
    await sidecar.start();
    const state = await (await connect()).request('session.attach', { session });
    expect(state.labels.counts).toEqual({});
    expect(readdirSync(folderOf(session)).some(name => name.endsWith('.damaged'))).toBe(true);
    expect(state.recovered).toMatchObject({ pixels: 0, lostPixels: null, lostMore: true });
  });

  it('that was replaced or removed while it is open takes no more patches', async () => {
    const client = await restart();
    const { session, arrays } = await openSession(client);
    await draw(client, session, 0);
    const [path, aside] = [journalOf(session), `${journalOf(session)}.aside`];
    renameSync(path, aside);
    await expect(draw(client, session, 1)).rejects.toMatchObject({
      message: expect.stringMatching(/labels\.journal was removed while/)
    });
    writeFileSync(path, readFileSync(aside)); // the same bytes in another file, as another sidecar's snapshot would be
    await expect(draw(client, session, 2)).rejects.toMatchObject({
      message: expect.stringMatching(/labels\.journal was replaced while/)
    });
    // Nor is it replaced by a snapshot: it is another's.
    const { staged } = await client.request('array.stage', { dtype: 'uint8', shape: [1, 300, 400] });
    await expect(client.request('labels.set', { session, staged })).rejects.toMatchObject({
      message: expect.stringMatching(/labels\.journal was replaced while/)
    });
    expect(readFileSync(path).equals(readFileSync(aside))).toBe(true);
    expect(histogram(bytesOf(arrays['labels']!))[1]).toBe(10);
    renameSync(aside, path);
    await draw(client, session, 3);
    expect((await client.request('session.attach', { session })).labels.counts).toEqual({ 1: 20 });
  });

  itIf(MAY_MOUNT)('on a full disk refuses the patch, loses nothing, and works when there is room again', async () => {
    const data = mountSmall(sidecar.dataDir, '1m');
    const client = await restart();
    const { session, arrays } = await openSession(client);
    await draw(client, session, 0);
    const free = () => Number(execFileSync('df', ['-B1', '--output=avail', data]).toString().split('\n')[1]);
    writeFileSync(join(data, 'ballast'), new Uint8Array(free()));
    let row = 1;
    let refused: unknown;
    for (; row < 200 && !refused; row++) {
      await draw(client, session, row).catch(error => (refused = error));
    }
    // A classifier, a backup, the record of a session: they say the same as the journal.
    const full = {
      code: 'disk-full',
      message: expect.stringMatching(
        new RegExp(`no room in ${data}/sessions.* bytes are needed, \\d+ are available.*SAMBALAB_DATA_DIR`)
      )
    };
    expect(refused).toMatchObject(full);
    await expect(client.request('session.fresh', { session })).rejects.toMatchObject(full);
    await expect(openSession(client, { key: 'another' })).rejects.toMatchObject(full);
    const acknowledged = row - 1;
    expect(histogram(bytesOf(arrays['labels']!))[1]).toBe(10 * acknowledged);
    unlinkSync(join(data, 'ballast'));
    await draw(client, session, 250);
    await sidecar.kill();
    await sidecar.start();
    const state = await (await connect()).request('session.attach', { session });
    expect(state.labels).toEqual({ version: acknowledged + 1, counts: { 1: 10 * (acknowledged + 1) } });
  });
});

describe('Where a disk is completely full', () => {
  /** Leave no room in a folder, or none for another file. @returns a function that makes room */
  function fill(folder: string, of: 'bytes' | 'files'): () => void {
    const ballast = join(folder, 'ballast');
    mkdirSync(ballast);
    try {
      for (let n = 0; ; n++) {
        writeFileSync(join(ballast, `${n}`), of === 'bytes' ? new Uint8Array(4096) : '');
      }
    } catch {
      return () => rmSync(ballast, { recursive: true });
    }
  }

  itIf(MAY_MOUNT).each([
    ['data', 'bytes'],
    ['data', 'files'],
    ['runtime', 'bytes']
  ] as const)(
    'the sidecar of this %s folder without %s says so and what to do, and starts once there is room',
    async (name, of) => {
      const folder = mountSmall(
        name === 'data' ? sidecar.dataDir : sidecar.runtimeDir,
        `1m,nr_inodes=${of === 'bytes' ? 1000 : 64}`
      );
      const client = await restart();
      const { session } = await openSession(client);
      await draw(client, session, 0);
      await sidecar.kill();
      const makeRoom = fill(folder, of);
      await expect(sidecar.start()).rejects.toThrow(
        new RegExp(`There is no room in ${folder}: .*Free some; or .*SAMBALAB_${name.toUpperCase()}_DIR`)
      );
      makeRoom();
      await sidecar.start();
      const state = await (await connect()).request('session.attach', { session });
      expect(state.labels.counts).toEqual({ 1: 10 });
    }
  );
});

describe('Arrays on a full disk', () => {
  itIf(MAY_MOUNT)('are refused with the directory and the bytes, and smaller ones still work', async () => {
    const arrays = mountSmall(sidecar.arraysDir, '1m');
    const client = await restart();
    await expect(openSession(client, { rows: 1500, columns: 1500 })).rejects.toMatchObject({
      code: 'disk-full',
      message: expect.stringMatching(new RegExp(`${arrays}: 2250000 bytes are needed, \\d+ are available`))
    });
    const small = await openSession(client, { key: 'small' });
    expect(small.imageReady).toBe(true);
    await expect(client.request('array.stage', { dtype: 'float64', shape: [1000, 1000] })).rejects.toMatchObject({
      code: 'disk-full'
    });
    expect(readdirSync(dirname(small.arrays['image']!.path))).toHaveLength(3);
    await client.request('ping', {});
  });

  itIf(MAY_MOUNT)('replace the arrays of unused sessions', async () => {
    mountSmall(sidecar.arraysDir, '1m');
    const client = await restart();
    const first = await openSession(client, { key: 'first', rows: 500, columns: 500 });
    const { patch, buffers } = rectangle(first.session, 1, { rows: [0, 3], columns: [0, 3] });
    await client.request('labels.patch', patch, { buffers });
    await expect(openSession(client, { key: 'second', rows: 500, columns: 500 })).rejects.toMatchObject({
      code: 'disk-full'
    });
    await client.request('session.detach', { session: first.session });
    const second = await openSession(client, { key: 'second', rows: 500, columns: 500 });
    expect(second.imageReady).toBe(true);
    await client.request('session.detach', { session: second.session });
    const back = await openSession(client, { key: 'first', rows: 500, columns: 500 });
    expect(back.labels.counts).toEqual({ 1: 9 });
  });
});

describe('The sidecar', () => {
  it('leaves after the idle time and takes connection file, socket and arrays with it', async () => {
    await sidecar.start('--idle-timeout', '1');
    const { endpoint } = readConnection(sidecar.runtimeDir);
    const code = await new Promise(resolve => sidecar.process!.once('exit', resolve));
    expect(code).toBe(0);
    expect(existsSync(join(sidecar.runtimeDir, 'sidecar-1.json'))).toBe(false);
    expect(existsSync(endpoint.replace('ipc://', ''))).toBe(false);
  });

  it('removes old arrays of a killed sidecar, only its own, and restores the labels', async () => {
    const client = await restart();
    const { session, arrays } = await openSession(client);
    const { patch, buffers } = rectangle(session, 1, { rows: [0, 5], columns: [0, 5] });
    await client.request('labels.patch', patch, { buffers });
    await sidecar.kill();
    const folder = dirname(arrays['image']!.path);
    const foreign = join(sidecar.arraysDir, `00000000-${session}`);
    mkdirSync(foreign);
    await sidecar.start();
    await sidecar.kill();
    expect(readdirSync(folder)).toHaveLength(3);
    const old = new Date(Date.now() - 25 * 3600 * 1000);
    [...readdirSync(folder).map(name => join(folder, name)), folder, foreign].forEach(path =>
      utimesSync(path, old, old)
    );
    await sidecar.start();
    expect([existsSync(folder), existsSync(foreign)]).toEqual([false, true]);
    const state = await (await connect()).request('session.attach', { session });
    expect(state).toMatchObject({ imageReady: false, labels: { counts: { 1: 25 } } });
  });

  it('stays while a peer talks to it', async () => {
    await sidecar.start('--idle-timeout', '0.4');
    const client = await connect();
    for (let i = 0; i < 8; i++) {
      await new Promise(resolve => setTimeout(resolve, 200));
      await client.request('ping', {});
    }
    expect(sidecar.process!.exitCode).toBeNull();
  });

  it('ends in order on SIGTERM and on request', async () => {
    await sidecar.start();
    expect(await sidecar.kill('SIGTERM')).toBe(0);
    expect(readdirSync(sidecar.runtimeDir)).toEqual([]);
    const client = await restart();
    const gone = new Promise(resolve => sidecar.process!.once('exit', resolve));
    await client.request('shutdown', {});
    expect(await gone).toBe(0);
    expect(readdirSync(sidecar.runtimeDir)).toEqual([]);
  });

  it('removes the socket that a killed one left', async () => {
    await sidecar.start();
    const { endpoint } = readConnection(sidecar.runtimeDir);
    await sidecar.kill();
    expect(existsSync(endpoint.replace('ipc://', ''))).toBe(true);
    await sidecar.start();
    expect(existsSync(endpoint.replace('ipc://', ''))).toBe(false);
    await (await connect()).request('ping', {});
  });

  it('will not use a directory that others may look into', async () => {
    mkdirSync(sidecar.runtimeDir, { mode: 0o755 });
    chmodSync(sidecar.runtimeDir, 0o755);
    await expect(sidecar.start()).rejects.toThrow(/mode 0755: others have access/);
    chmodSync(sidecar.runtimeDir, 0o700);
    await sidecar.start();
  });

  // Linux alone has a directory in which nothing can be made.
  itIf(IS_LINUX)('says so and ends where its directories cannot be made', async () => {
    for (const name of ['runtime', 'data', 'arrays'] as const) {
      const other = new TestSidecar();
      Object.assign(other, { [`${name}Dir`]: '/proc/sambalab/deep' });
      const variable = `SAMBALAB_${name.toUpperCase()}_DIR`;
      await expect(other.start()).rejects.toThrow(
        new RegExp(`^exit 1: .*/proc/sambalab/deep cannot be made: .* Set ${variable} to another one`, 's')
      );
      await other.dispose();
    }
    writeFileSync(sidecar.dataDir, 'a file');
    await expect(sidecar.start()).rejects.toThrow(/exit 1: .*data is not a directory/);
  });

  it('finds a short path for its socket where the directory has a long one, and listens on TCP with CURVE if asked', async () => {
    const long = join(sidecar.base, 'x'.repeat(120));
    mkdirSync(long, { mode: 0o700 });
    symlinkSync(long, sidecar.runtimeDir);
    await sidecar.start();
    expect(Buffer.byteLength(readConnection(sidecar.runtimeDir).endpoint)).toBeLessThan(110);
    await (await connect()).request('ping', {});
    await sidecar.kill('SIGTERM');
    await sidecar.start('--transport', 'tcp');
    const connection = readConnection(sidecar.runtimeDir);
    expect(connection.endpoint).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    await (await connect()).request('ping', {});
    const { secret } = connection;
    const stranger = new TestClient({ ...connection, curve: undefined });
    const answer = stranger.request('hello', { role: 'python', version: '', secret }).then(() => 'let in');
    const silence = new Promise(resolve => setTimeout(() => resolve('silence'), 500));
    expect(await Promise.race([answer, silence])).toBe('silence');
    stranger.close();
  });

  it('names the argument that is wrong', async () => {
    await expect(sidecar.start('--threads', '0')).rejects.toThrow(/--threads is 0/);
    await expect(sidecar.start('--idle-timeout', 'never')).rejects.toThrow(/--idle-timeout is never/);
    await expect(sidecar.start('--peer-silence', '0')).rejects.toThrow(/--peer-silence is 0; it must be a positive/);
    await expect(sidecar.start('--lock-beat', '0')).rejects.toThrow(/--lock-beat is 0/);
    await expect(sidecar.start('--fast')).rejects.toThrow(/--fast/);
  });

  it('keeps going when its classes or record were damaged on disk', async () => {
    await sidecar.start();
    const first = await openSession(await connect());
    await sidecar.kill();
    const path = join(sidecar.dataDir, 'sessions', first.session, 'session.json');
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 100));
    const client = await restart();
    await expect(client.request('session.attach', { session: first.session })).rejects.toMatchObject({
      code: 'unknown-session'
    });
    const { info } = halves(1, 300, 400);
    const open = { key: 'image', title: '', image: info, classes: CLASSES, keepClasses: true, fresh: false };
    expect((await client.request('session.open', open)).session).toBe(first.session);
  });
});
