/** Damaged, unreadable and lost files of a session, with the real sidecar: what is kept, what the user is told, what stays untouched. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync
} from 'node:fs';
import { join } from 'node:path';
import { SessionState } from '../../../src/shared/protocol';
import { HEAD_BYTES } from '../session/journal-format';
import { TestClient } from './support/client';
import { bytesOf, CLASSES, draw as drawRow, halves, histogram, openSession } from './support/images';
import { IS_ROOT, itIf, MAY_BE_READ, MAY_MOUNT, OTHER_USER } from './support/conditions';
import { bundleSidecar, TestSidecar } from './support/process';
import { setUp } from './support/set-up';

let sidecar: TestSidecar;
let client: TestClient;
const { mountSmall, folderOf, journalOf, ...tools } = setUp(made => (sidecar = made));

/** Start the sidecar and connect to it; kill it first if it runs. */
async function restart(): Promise<void> {
  client = await tools.restart();
}

const damaged = (session: string) =>
  readdirSync(folderOf(session))
    .filter(name => name.endsWith('.damaged'))
    .sort();

/** Draw ten pixels in a row. */
const draw = (session: string, row: number, id?: number, columns?: [number, number]) =>
  drawRow(client, session, row, id, columns);

/** Where each record of a journal starts, and its type. */
function recordsOf(path: string): { start: number; end: number; type: number }[] {
  const file = readFileSync(path);
  const records: { start: number; end: number; type: number }[] = [];
  for (let start = 8; start < file.length; start = records.at(-1)!.end) {
    records.push({ start, end: start + HEAD_BYTES + file.readUInt32LE(start), type: file[start + 4]! });
  }
  return records;
}

function flip(path: string, at: number): void {
  const file = readFileSync(path);
  file[at]! ^= 16;
  writeFileSync(path, file);
}

/** Remove all shared arrays, as a restart of the computer does. */
function wipeArrays(): void {
  rmSync(sidecar.arraysDir, { recursive: true, force: true });
}

/** Open the session again, its image included, without naming classes. */
async function reopen(size: { rows?: number; columns?: number } = {}): Promise<SessionState> {
  const { rows = 300, columns = 400 } = size;
  const { info } = halves(1, rows, columns);
  const params = { key: 'image', title: '', image: info, classes: CLASSES, keepClasses: true, fresh: false };
  return client.request('session.open', params);
}

describe('A damaged snapshot', () => {
  it('costs the damaged chunk alone, is told, and takes no later stroke with it', async () => {
    // 1100 × 1024 pixels are two chunks; the first 1,048,576 are in the first.
    const [rows, columns] = [1100, 1024];
    await restart();
    const { session } = await openSession(client, { rows, columns });
    const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: [1, rows, columns] });
    writeFileSync(array.path, new Uint8Array(rows * columns).fill(1), { flag: 'r+' });
    await client.request('labels.set', { session, staged });
    for (let row = 0; row < 10; row++) {
      await draw(session, row, 2);
    }
    await sidecar.kill();
    const chunk = recordsOf(journalOf(session)).find(({ type }) => type === 2)!;
    flip(journalOf(session), Math.floor((chunk.start + chunk.end) / 2));
    const broken = readFileSync(journalOf(session));
    wipeArrays();

    await restart();
    const state = await openSession(client, { rows, columns });
    const kept = rows * columns - 1048576 + 100;
    expect(histogram(bytesOf(state.arrays['labels']!))).toEqual({ 0: rows * columns - kept, 1: kept - 100, 2: 100 });
    expect(state).toMatchObject({
      labels: { counts: { 1: kept - 100, 2: 100 } },
      resumed: { pixels: kept },
      recovered: { pixels: kept, lostChanges: 0, lostMore: false, lostPixels: 1048576 }
    });
    expect(state.recovered!.lostRows).toEqual([{ slice: 0, row0: 0, row1: 1024 }]);
    expect(state.recovered!.text).toBe(
      'The file of the labels was damaged. 77,924 labelled pixels were kept. ' +
        `Lost: 1,048,576 labelled pixels in rows 0 to 1023 of slice 0. The damaged file is kept as ${state.recovered!.copies[0]}.`
    );
    expect(readFileSync(state.recovered!.copies[0]!).equals(broken)).toBe(true);

    for (let row = 20; row < 30; row++) {
      await draw(session, row, 2, [0, 200]);
    }
    const later = await client.request('session.attach', { session });
    expect([later.recovered, later.labels.counts['2']]).toEqual([state.recovered, 2100]);
    for (let n = 0; n < 2; n++) {
      await sidecar.kill();
      wipeArrays();
      await restart();
      const again = await openSession(client, { rows, columns });
      expect(again).toMatchObject({ recovered: null, labels: { counts: { 1: kept - 100, 2: 2100 } } });
      expect(histogram(bytesOf(again.arrays['labels']!))[2]).toBe(2100);
    }
  });
});

describe('Damage of what made the labels', () => {
  it('costs no label, and the report names what is lost', async () => {
    const [rows, columns] = [1100, 1024];
    await restart();
    const { session } = await openSession(client, { rows, columns });
    const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: [1, rows, columns] });
    writeFileSync(array.path, new Uint8Array(rows * columns).fill(1), { flag: 'r+' });
    await client.request('labels.set', { session, staged });
    await draw(session, 3, 2); // ten pixels whose provenance the journal has once more
    await sidecar.kill();
    // Two chunks of labels come first, then two of their provenance.
    const [, , chunk] = recordsOf(journalOf(session)).filter(({ type }) => type === 2);
    flip(journalOf(session), Math.floor((chunk!.start + chunk!.end) / 2));
    wipeArrays();
    await restart();
    const { labels, recovered } = await openSession(client, { rows, columns });
    expect(labels.counts).toEqual({ 1: rows * columns - 10, 2: 10 });
    expect(recovered).toMatchObject({ lostChanges: 0, lostPixels: 0, lostRows: [] });
    expect(recovered!.text).toContain(
      'were kept. Lost: what made 1,048,566 labelled pixels (a hand, SAM, interpolation or Python). The damaged file'
    );
  });
});

describe('One bad record', () => {
  it('costs one stroke, and a second damage leaves the first copy as it is', async () => {
    await restart();
    const { session } = await openSession(client);
    for (let row = 0; row < 12; row++) {
      await draw(session, row);
    }
    const copies: Buffer[] = [];
    for (let n = 1; n <= 2; n++) {
      await sidecar.kill();
      const patch = recordsOf(journalOf(session)).filter(({ type }) => type === 4)[2]!;
      flip(journalOf(session), patch.end - 3);
      copies.push(readFileSync(journalOf(session)));
      await restart();
      const state = await client.request('session.attach', { session });
      expect(state.recovered).toMatchObject({ lostChanges: 1, lostPixels: 0, lostMore: false, lostRows: [] });
      expect(state.recovered!.text).toContain('Lost: 1 stroke.');
      expect(state.labels.counts).toEqual({ 1: n === 1 ? 110 : 140 });
      expect(damaged(session).map(name => readFileSync(join(folderOf(session), name)))).toEqual(copies);
      for (let row = 20; row < 24; row++) {
        await draw(session, row + 10 * n);
      }
    }
  });

  it.each(['its first bytes', 'the begin of the snapshot', 'all of the snapshot'])(
    'in %s costs no stroke',
    async where => {
      await restart();
      const { session } = await openSession(client);
      for (let row = 0; row < 5; row++) {
        await draw(session, row);
      }
      await sidecar.kill();
      const records = recordsOf(journalOf(session));
      const first = records.find(({ type }) => type === 4)!;
      if (where === 'all of the snapshot') {
        const file = readFileSync(journalOf(session));
        writeFileSync(journalOf(session), file.fill(0, 0, first.start));
      } else {
        flip(journalOf(session), where === 'its first bytes' ? 3 : records[0]!.start + 30);
      }
      wipeArrays();
      await restart();
      const state = await openSession(client);
      expect(state.labels.counts).toEqual({ 1: 50 });
      expect(state.recovered).toMatchObject({ pixels: 50, lostChanges: 0, lostPixels: 0, lostMore: false });
      expect(state.recovered!.text).toContain('Nothing is lost.');
      expect(damaged(session)).toHaveLength(1);
    }
  );

  it('is told if the file ends too early, or is empty, or is gone', async () => {
    await restart();
    const { session } = await openSession(client);
    for (let row = 0; row < 6; row++) {
      await draw(session, row);
    }
    await sidecar.kill('SIGTERM'); // it saves session.json, which says how far the labels were
    const patches = recordsOf(journalOf(session)).filter(({ type }) => type === 4);
    truncateSync(journalOf(session), patches[4]!.start);
    await restart();
    const cut = await client.request('session.attach', { session });
    expect(cut).toMatchObject({ labels: { counts: { 1: 40 } }, recovered: { pixels: 40, lostChanges: 2 } });
    await sidecar.kill();
    truncateSync(journalOf(session), 0);
    await restart();
    const empty = await client.request('session.attach', { session });
    expect(empty.recovered).toMatchObject({ pixels: 0, lostMore: true, lostPixels: null });
    await draw(session, 7);
    await sidecar.kill('SIGTERM');
    unlinkSync(journalOf(session));
    await restart();
    const gone = await client.request('session.attach', { session });
    expect(gone.recovered).toMatchObject({ pixels: 0, lostMore: true, lostPixels: null });
    expect(gone.recovered!.text).toContain('labels.journal is missing');
    await draw(session, 8);
    await restart();
    expect(await client.request('session.attach', { session })).toMatchObject({
      recovered: null,
      labels: { counts: { 1: 10 } }
    });
  });
});

describe('A damaged journal on a full disk', () => {
  itIf(MAY_MOUNT)('stays as it is until there is room, and no stroke is acknowledged before', async () => {
    mountSmall(sidecar.dataDir, '2m');
    await restart();
    const { session } = await openSession(client);
    // Labels whose snapshot needs more than the room that is left below: the sidecar itself needs a little to start.
    const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: [1, 300, 400] });
    const noise = randomBytes(120000).map((value, i) => (i < 12000 ? 0 : value % 3));
    writeFileSync(array.path, noise, { flag: 'r+' });
    await client.request('labels.set', { session, staged });
    const ones = histogram(noise)[1]!;
    const counts = (more: number) => ({ labels: { counts: { 1: ones + more } } });
    for (let row = 0; row < 20; row++) {
      await draw(session, row);
    }
    await sidecar.kill();
    const patch = recordsOf(journalOf(session)).filter(({ type }) => type === 4)[5]!;
    flip(journalOf(session), patch.end - 3);
    const broken = readFileSync(journalOf(session));
    rmSync(join(folderOf(session), 'labels.history')); // the history of lost labels is dropped, which makes room
    const ballast = join(sidecar.dataDir, 'ballast');
    const free = execFileSync('df', ['-B1', '--output=avail', sidecar.dataDir]).toString().split('\n')[1];
    writeFileSync(ballast, new Uint8Array(Number(free) - 16384));

    await restart();
    const state = await client.request('session.attach', { session });
    expect(state).toMatchObject({ ...counts(190), recovered: { lostChanges: 1, lostPixels: 0, copies: [] } });
    await expect(draw(session, 100)).rejects.toMatchObject({ code: 'disk-full' });
    await expect(client.request('session.fresh', { session })).rejects.toMatchObject({ code: 'disk-full' });
    expect(readFileSync(journalOf(session)).equals(broken)).toBe(true);
    await restart();
    expect(readFileSync(journalOf(session)).equals(broken)).toBe(true);
    await client.request('session.attach', { session });

    unlinkSync(ballast);
    await draw(session, 25);
    await restart();
    const again = await client.request('session.attach', { session });
    expect(again).toMatchObject({ ...counts(200), recovered: null });
    expect(damaged(session).map(name => readFileSync(join(folderOf(session), name)).equals(broken))).toEqual([true]);
  });
});

describe('A file that cannot be read or written', () => {
  it('is named in the error, and stays as it is', async () => {
    await restart();
    const { session } = await openSession(client);
    await draw(session, 0);
    await sidecar.kill();
    renameSync(journalOf(session), join(sidecar.base, 'good'));
    mkdirSync(journalOf(session)); // reading it fails with EISDIR
    await restart();
    await expect(openSession(client)).rejects.toMatchObject({
      code: 'storage',
      message: expect.stringContaining(journalOf(session))
    });
    expect(readdirSync(folderOf(session)).sort()).toEqual(['labels.history', 'labels.journal', 'session.json']);
    rmSync(journalOf(session), { recursive: true });
    renameSync(join(sidecar.base, 'good'), journalOf(session));
    expect((await openSession(client)).labels.counts).toEqual({ 1: 10 });
  });

  itIf(!IS_ROOT || MAY_BE_READ).each([
    ['0400', 0o400],
    ['0000', 0o000]
  ])('with mode %s is not replaced by an empty one', async (_, mode) => {
    if (IS_ROOT) {
      sidecar.user = OTHER_USER; // root may read and write all files
      await bundleSidecar();
    }
    await restart();
    const { session } = await openSession(client);
    await draw(session, 0);
    for (const name of ['labels.journal', 'session.json']) {
      if (name === 'session.json' && mode === 0o400) {
        continue; // it is read alone
      }
      await sidecar.kill();
      const path = join(folderOf(session), name);
      const before = { bytes: readFileSync(path), inode: statSync(path).ino };
      chmodSync(path, mode);
      await restart();
      await expect(openSession(client)).rejects.toMatchObject({
        code: 'storage',
        message: expect.stringMatching(new RegExp(`${path} cannot be used: EACCES.*Nothing was changed`))
      });
      expect(readFileSync(path).equals(before.bytes)).toBe(true);
      expect(statSync(path).ino).toBe(before.inode);
      expect(readdirSync(folderOf(session)).sort()).toEqual(['labels.history', 'labels.journal', 'session.json']);
      chmodSync(path, 0o600);
      expect((await openSession(client)).labels.counts).toEqual({ 1: 10 });
    }
  });
});

describe('A folder that cannot be used', () => {
  itIf(!IS_ROOT || MAY_BE_READ).each([
    ['0500', 0o500],
    ['0000', 0o000]
  ])('with mode %s is named, and labels come back with its mode', async (_, mode) => {
    if (IS_ROOT) {
      sidecar.user = OTHER_USER; // root may use all folders
      await bundleSidecar();
    }
    await restart();
    const { session } = await openSession(client);
    await draw(session, 0);
    const folder = folderOf(session);
    const refusal = {
      code: 'storage',
      message: expect.stringMatching(
        new RegExp(`${folder}.* cannot be used: .*EACCES.*Nothing was changed.*chmod u.rwx`)
      )
    };
    // While the session is open, and before it is.
    chmodSync(folder, mode);
    await expect(client.request('session.fresh', { session })).rejects.toMatchObject(refusal);
    await restart();
    await expect(openSession(client)).rejects.toMatchObject(refusal);
    chmodSync(folder, 0o700);
    expect((await openSession(client)).labels.counts).toEqual({ 1: 10 });
  });
});

describe('A damaged session.json', () => {
  const POROUS = [...CLASSES, { id: 3, name: 'pore', color: '#123456' }];

  async function prepare(): Promise<string> {
    await restart();
    const { session } = await openSession(client);
    await client.request('session.classes', { session, classes: POROUS });
    await draw(session, 0, 3);
    await sidecar.kill();
    const record = join(folderOf(session), 'session.json');
    writeFileSync(record, readFileSync(record, 'utf8').slice(0, 100));
    return session;
  }

  it('loses no class that labels use, and is told', async () => {
    const session = await prepare();
    await restart();
    const state = await reopen();
    expect(state.classes).toEqual(POROUS);
    expect(state.labels.counts).toEqual({ 3: 10 });
    expect(state.recovered!.text).toMatch(/^The file session.json was damaged.*kept as .*session-.*\.damaged/);
    expect(readFileSync(state.recovered!.copies[0]!)).toHaveLength(100);
    await draw(session, 1, 3);
    await restart();
    expect(await reopen()).toMatchObject({ classes: POROUS, labels: { counts: { 3: 20 } }, recovered: null });
  });

  it('beside a journal that lost its classes gives them new names', async () => {
    const session = await prepare();
    for (const { start, type } of recordsOf(journalOf(session))) {
      if (type !== 4) {
        flip(journalOf(session), start + 25);
      }
    }
    await restart();
    const state = await reopen();
    expect(state.classes).toEqual([...CLASSES, { id: 3, name: 'class 3', color: '#009e73' }]);
    expect(state.labels.counts).toEqual({ 3: 10 });
    expect(state.recovered!.text).toContain('names of some classes are lost; these are now called "class 3"');
  });

  it('does not make an image of another size take the labels’ place', async () => {
    const session = await prepare();
    await restart();
    await expect(reopen({ rows: 100 })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('holds labels of an image of 300 × 400; this one has 100 × 400')
    });
    expect(readdirSync(folderOf(session)).sort()).toEqual(['labels.history', 'labels.journal', 'session.json']);
    expect((await reopen()).labels.counts).toEqual({ 3: 10 });
  });
});
