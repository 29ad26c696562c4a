/** Other users of the computer: they write into /tmp and /dev/shm too, and may set traps there before a sidecar starts. */
import { ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { IS_ROOT, itIf } from './support/conditions';
import { bytesOf, draw, histogram, openSession } from './support/images';
import { TestSidecar } from './support/process';
import { setUp } from './support/set-up';

let sidecar: TestSidecar;
let shared: string;
const { connect } = setUp(made => (sidecar = made));
const neighbours: ChildProcess[] = [];
const uid = process.getuid?.();

/** Another user of the system. */
const nobody = () => Number(execFileSync('id', ['-u', 'nobody']).toString());

/** Run a script of Node's as another user, until the test ends. Settles when it prints something. */
async function neighbour(user: number, script: string, ...args: string[]): Promise<void> {
  const child = spawn(process.execPath, ['-e', script, ...args], {
    uid: user,
    gid: user,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit']
  });
  neighbours.push(child);
  await new Promise<void>((done, failed) => {
    child.stdout!.once('data', () => done());
    child.once('exit', code => failed(new Error(`the neighbour ended with ${code}`)));
  });
}

/**
 * Make the folder of the victim's name, open to all. Then replace every folder in it by one of the neighbour's own, and every array by
 * a link to the victim's file.
 */
const TRAP = `
const fs = require('fs');
const { join } = require('path');
const [folder, file] = process.argv.slice(1);
fs.mkdirSync(folder);
fs.chmodSync(folder, 0o777);
let aside = 0;
function spring(at) {
  for (const name of fs.readdirSync(at)) {
    const path = join(at, name);
    try {
      const info = fs.lstatSync(path);
      if (info.isDirectory() && info.uid !== process.getuid()) {
        fs.renameSync(path, join(folder, '..', 'aside-' + process.pid + '-' + aside++));
        fs.mkdirSync(path);
        fs.chmodSync(path, 0o777);
      } else if (info.isDirectory()) {
        spring(path);
      } else if (info.isFile()) {
        fs.unlinkSync(path);
        fs.symlinkSync(file, path);
      }
    } catch {}
  }
}
setInterval(() => spring(folder), 1);
console.log('set');
`;

beforeEach(() => {
  shared = mkdtempSync(join(tmpdir(), 'sl-shared-'));
  chmodSync(shared, 0o1777);
});

afterEach(() => {
  neighbours.splice(0).forEach(child => child.kill('SIGKILL'));
  rmSync(shared, { recursive: true, force: true });
});

/** Label and replace labels, so that arrays are made, opened and written. */
async function work(): Promise<string> {
  const client = await connect();
  const { session, arrays } = await openSession(client);
  for (let row = 0; row < 20; row++) {
    await draw(client, session, row);
    const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: [1, 300, 400] });
    writeFileSync(array.path, new Uint8Array(120000).fill(1), { flag: 'r+' });
    await client.request('labels.set', { session, staged });
    await client.request('array.release', { staged });
  }
  expect(histogram(bytesOf(arrays['labels']!))).toEqual({ 1: 120000 });
  return dirname(dirname(arrays['labels']!.path));
}

describe('Where a neighbour has made the folder of our name', () => {
  for (const option of ['memoryDir', 'arraysDir'] as const) {
    itIf(IS_ROOT)(
      `in the folder of --${option === 'memoryDir' ? 'memory' : 'arrays'}-dir, the arrays lie in another, which is found again, and no file of ours changes`,
      async () => {
        const user = nobody();
        const precious = join(sidecar.base, 'precious');
        writeFileSync(precious, 'a thesis');
        chmodSync(sidecar.base, 0o711);
        await neighbour(user, TRAP, join(shared, `sambalab-${uid}`), precious);
        sidecar[option] = shared;
        await sidecar.start();
        const place = await work();
        expect(dirname(place)).toBe(shared);
        expect(statSync(place)).toMatchObject({ uid, mode: 0o40700 });
        expect(place).toMatch(new RegExp(`/sambalab-${uid}-\\w+$`));
        await sidecar.kill();
        await sidecar.start();
        expect(await work()).toBe(place);
        expect(readFileSync(precious, 'utf8')).toBe('a thesis');
      }
    );
  }

  itIf(IS_ROOT)('as a link, the arrays lie in another', async () => {
    const user = nobody();
    const own = mkdirSync(join(sidecar.base, 'own'), { recursive: true, mode: 0o700 })!;
    const link = "require('fs').symlinkSync(...process.argv.slice(1)); console.log('set'); setInterval(() => 0, 1000)";
    await neighbour(user, link, own, join(shared, `sambalab-${uid}`));
    sidecar.memoryDir = shared;
    await sidecar.start();
    expect(await work()).toMatch(new RegExp(`^${shared}/sambalab-${uid}-\\w+$`));
  });

  itIf(IS_ROOT)('as the runtime folder or above it, the sidecar does not start and names the folder', async () => {
    const user = nobody();
    await neighbour(user, TRAP, join(shared, 'run'), '/nowhere');
    for (const [name, mode] of [
      ['run', 0o777],
      ['run/deep', 0o777],
      ['run/deep', 0o1777], // sticky, but its owner may replace what is in it
      ['run/deep', 0o755]
    ] as const) {
      chmodSync(join(shared, 'run'), mode);
      sidecar.runtimeDir = join(shared, name);
      await expect(sidecar.start()).rejects.toThrow(
        new RegExp(`/run (belongs to user ${user}|has mode 0777).* SAMBALAB_RUNTIME_DIR to another one`)
      );
    }
  });
});

describe('A folder that others have access to', () => {
  it('gets a folder of our own for the arrays, another one if ours was open or is a link', async () => {
    sidecar.arraysDir = shared;
    await sidecar.start();
    const own = join(shared, `sambalab-${uid}`);
    expect(await work()).toBe(own);
    expect(statSync(own).mode & 0o777).toBe(0o700);
    await sidecar.kill();
    chmodSync(own, 0o755);
    await sidecar.start();
    const next = await work();
    expect(next).toMatch(new RegExp(`^${own}-\\w+$`));
    await sidecar.kill();
    rmSync(own, { recursive: true });
    symlinkSync(sidecar.base, own);
    await sidecar.start();
    expect(await work()).toBe(next);
    expect(lstatSync(own).isSymbolicLink()).toBe(true);
  });

  it('without the sticky bit takes no arrays, since others may replace what is in it', async () => {
    chmodSync(shared, 0o777);
    sidecar.arraysDir = shared;
    await expect(sidecar.start()).rejects.toThrow(
      `${shared} has mode 0777: others may replace what is in it. Run chmod +t "${shared}", or set SAMBALAB_ARRAYS_DIR to another one.`
    );
    sidecar.memoryDir = shared;
    await sidecar.start();
    expect(await work()).toBe(join(sidecar.runtimeDir, 'arrays'));
    expect(sidecar.log).toContain('arrays cannot be kept in memory');
  });
});

describe('A folder that a neighbour owns', () => {
  itIf(IS_ROOT)('takes no arrays, since its owner may replace what is in it', async () => {
    const user = nobody();
    const theirs = join(sidecar.base, 'theirs');
    mkdirSync(theirs);
    chownSync(theirs, user, user);
    chmodSync(theirs, 0o1777);
    sidecar.arraysDir = theirs;
    await expect(sidecar.start()).rejects.toThrow(
      `${theirs} belongs to user ${user}, who may replace what is in it. Set SAMBALAB_ARRAYS_DIR to another one.`
    );
    sidecar.memoryDir = theirs;
    await sidecar.start();
    expect(await work()).toBe(join(sidecar.runtimeDir, 'arrays'));
  });
});

describe('An array', () => {
  const replaced: [string, boolean, (path: string, precious: string) => void][] = [
    ['a link', true, (path, precious) => symlinkSync(precious, path)],
    ['a second name of another file', true, (path, precious) => linkSync(precious, path)],
    [
      'a file of another user',
      IS_ROOT,
      path => {
        writeFileSync(path, new Uint8Array(120000));
        chownSync(path, nobody(), nobody());
      }
    ]
  ];

  it.each(replaced.filter(([, possible]) => possible))('that %s has replaced is not used', async (_, __, replace) => {
    await sidecar.start();
    const client = await connect();
    const { session, arrays } = await openSession(client);
    const { staged, array } = await client.request('array.stage', { dtype: 'uint8', shape: [1, 300, 400] });
    const precious = join(sidecar.base, 'precious');
    writeFileSync(precious, new Uint8Array(120000));
    rmSync(array.path);
    replace(array.path, precious);
    await expect(client.request('labels.set', { session, staged })).rejects.toMatchObject({ code: 'internal' });
    expect(histogram(bytesOf(arrays['labels']!))).toEqual({ 0: 120000 });
  });
});

describe('Arrays that were removed while the sidecar runs', () => {
  it('are made again from the journal, and a stroke succeeds', async () => {
    sidecar.memoryDir = shared;
    await sidecar.start();
    const client = await connect();
    const { session } = await openSession(client);
    for (let row = 0; row < 3; row++) {
      expect(await draw(client, session, row)).toMatchObject({ changed: 10 });
      rmSync(join(shared, `sambalab-${uid}`), { recursive: true });
    }
    const { arrays, labels, imageReady } = await client.request('session.attach', { session });
    expect({ labels, imageReady }).toEqual({ labels: { version: 3, counts: { 1: 30 } }, imageReady: false });
    expect(histogram(bytesOf(arrays['labels']!))).toEqual({ 0: 119970, 1: 30 });
  });

  itIf(IS_ROOT)('go to the next place if a neighbour makes the folder of our name first', async () => {
    const user = nobody();
    const own = join(shared, `sambalab-${uid}`);
    sidecar.memoryDir = shared;
    await sidecar.start();
    expect(await work()).toBe(own);
    rmSync(own, { recursive: true });
    await neighbour(user, TRAP, own, '/nowhere');
    expect(await work()).toBe(join(sidecar.runtimeDir, 'arrays'));
  });
});
