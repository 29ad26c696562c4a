/** One data directory, one sidecar: on one computer, in containers, and on computers that share a home. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { IS_LINUX, itIf } from './support/conditions';
import { readConnection } from './support/client';
import { draw as drawRow, openSession } from './support/images';
import { TestSidecar } from './support/process';
import { setUp } from './support/set-up';

let first: TestSidecar;
let second: TestSidecar;
// A fifth of the usual time, since the tests wait for what follows from it.
const { beside, another, connect } = setUp(made => (first = made), ['--lock-beat', '2']);

beforeEach(() => {
  second = beside();
});

/** A command that runs a program as on another computer: with its own name and, with `boot`, another boot id. */
function computer(name: string, boot?: string): string[] {
  const id = join(first.base, 'boot-id');
  writeFileSync(id, `${boot}\n`);
  const mount = boot ? `mount --bind '${id}' /proc/sys/kernel/random/boot_id && ` : '';
  return ['unshare', '--mount', '--uts', 'sh', '-c', `hostname ${name} && ${mount}exec "$@"`, 'sh'];
}

/** A command that runs a program in a container, where it sees no process of ours. */
const CONTAINER = [
  'unshare',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
  '--uts',
  'sh',
  '-c',
  'hostname inside && exec "$@"',
  'sh'
];

/** Whether this user can act as another computer. */
const MAY_UNSHARE = IS_LINUX && spawnSync(CONTAINER[0]!, [...CONTAINER.slice(1), 'true']).status === 0;

const locks = () => readdirSync(first.dataDir).filter(name => name.endsWith('.lock'));
const lockPath = () => join(first.dataDir, locks()[0]!);

/** Open the session of the image and draw in it. */
async function draw(sidecar: TestSidecar, row: number): Promise<void> {
  const client = await connect(sidecar);
  const { session } = await openSession(client);
  await drawRow(client, session, row);
}

describe('On one computer', () => {
  it('a second sidecar is refused and names the first', async () => {
    await first.start();
    await expect(second.start()).rejects.toThrow(
      `Another sidecar uses the data directory ${first.dataDir}: process ${first.process!.pid}. Stop it`
    );
    await draw(first, 0);
  });

  itIf(MAY_UNSHARE)(
    'it is refused even if its name is another by now, and if the first is stopped for a while',
    async () => {
      const renamed = beside(computer('renamed'));
      await first.start();
      first.process!.kill('SIGSTOP');
      try {
        await expect(renamed.start()).rejects.toThrow(
          `Another sidecar uses the data directory ${first.dataDir}: process ${first.process!.pid}. Stop it`
        );
      } finally {
        first.process!.kill('SIGCONT');
      }
    }
  );

  it('it is refused where the path is too long for a socket', async () => {
    first.dataDir = second.dataDir = join(first.base, 'x'.repeat(120));
    await first.start();
    if (IS_LINUX) {
      // By a shorter path there is one all the same.
      const { socket } = JSON.parse(readFileSync(lockPath(), 'utf8')) as { socket: string };
      expect(existsSync(join(first.dataDir, socket))).toBe(true);
    }
    await expect(second.start()).rejects.toThrow(`process ${first.process!.pid}`);
    await first.kill();
    await second.start();
  });

  it('it is refused where there can be no socket, and starts when the first is gone', async () => {
    await first.start();
    const { socket, ...owner } = JSON.parse(readFileSync(lockPath(), 'utf8')) as { socket: string; pid: number };
    writeFileSync(lockPath(), JSON.stringify(owner));
    unlinkSync(join(first.dataDir, socket));
    await expect(second.start()).rejects.toThrow(`process ${first.process!.pid}`);
    // The same number, but another process: the first is gone, and its number was given again.
    await first.kill();
    writeFileSync(lockPath(), JSON.stringify({ ...owner, pid: process.pid, started: '1' }));
    await beside().start();
  });

  it('a lock that kill -9 left is taken over at once, and its files are cleared away', async () => {
    await first.start();
    await draw(first, 0);
    await first.kill('SIGKILL');
    const left = locks();
    expect(left).toHaveLength(1);
    await second.start();
    expect(locks()).toHaveLength(1);
    expect(locks()).not.toEqual(left);
    expect(readdirSync(first.dataDir).filter(name => name.endsWith('.sock'))).toHaveLength(1);
    await draw(second, 1);
    expect(second.log).toMatch(/the lock of process \d+ on .*, which is gone, was taken over/);
  });

  itIf(process.platform !== 'win32')('a pipe in place of the lock is refused, and not waited for', async () => {
    await first.start();
    await first.kill('SIGTERM');
    const path = lockPath();
    unlinkSync(path);
    execFileSync('mkfifo', [path]);
    await expect(second.start()).rejects.toThrow(/lock .* cannot be read: it is not a regular file.*remove it/s);
  });

  it('a lock that was freed, emptied or damaged by a crash keeps no sidecar out', async () => {
    await first.start();
    await first.kill('SIGTERM');
    expect(readFileSync(lockPath(), 'utf8')).toBe('{}\n');
    expect(readdirSync(first.dataDir).filter(name => name.endsWith('.sock'))).toEqual([]);
    for (const content of ['', '{"host": "al', '\0\0\0\0']) {
      writeFileSync(lockPath(), content);
      await second.start();
      await second.kill();
    }
  });

  it('of many that find a stale lock at the same time, one starts', async () => {
    await first.start();
    await first.kill();
    const all = Array.from({ length: 6 }, () => beside());
    const started = await Promise.allSettled(all.map(sidecar => sidecar.start()));
    expect(started.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(locks()).toHaveLength(1);
  });

  itIf(IS_LINUX)('a neighbour who holds the name of the old guard keeps no sidecar from starting', async () => {
    mkdirSync(first.dataDir, { mode: 0o700 });
    const hash = createHash('sha256').update(first.dataDir).digest('hex').slice(0, 24);
    const server = createServer();
    await new Promise<void>(done => server.listen(`\0sambalab-${process.getuid!()}-${hash}`, done));
    try {
      await first.start();
    } finally {
      server.close();
    }
  });

  it('a sidecar whose lock was removed or overtaken stops', async () => {
    for (const lose of [
      () => unlinkSync(lockPath()),
      () => writeFileSync(join(first.dataDir, 'sidecar-99.lock'), '{}\n')
    ]) {
      const sidecar = await beside().start();
      const gone = new Promise(resolve => sidecar.process!.once('exit', resolve));
      lose();
      expect(await gone).toBe(0);
      expect(sidecar.log).toMatch(/stopping: (its lock .* was removed|another sidecar has taken over)/);
    }
  }, 60_000);
});

describe('In a container of this computer', () => {
  itIf(MAY_UNSHARE)(
    'a second sidecar is refused, and one that was killed there is replaced once it was silent for a while',
    async () => {
      await first.start();
      const inside = beside(CONTAINER);
      await expect(inside.start()).rejects.toThrow(`process ${first.process!.pid} in another container, ${hostname()}`);
      await first.kill();
      const old = new Date(Date.now() - 60_000);
      utimesSync(lockPath(), old, old);
      await inside.start();
      await draw(inside, 0);
      expect(JSON.parse(readFileSync(lockPath(), 'utf8'))).toMatchObject({ host: 'inside', pid: 1 });
      // From out here, where process 1 is another one.
      await expect(second.start()).rejects.toThrow('process 1 in another container, inside');
    }
  );
});

describe('On two computers', () => {
  const OTHER = '11111111-2222-3333-4444-555555555555';

  itIf(MAY_UNSHARE)(
    'the second sidecar is refused with the name of the first and what to do, until that one is shut down',
    async () => {
      first.launcher = computer('office', OTHER);
      await first.start();
      await draw(first, 0);
      await expect(second.start()).rejects.toThrow(
        new RegExp(
          `${first.dataDir} is in use on another computer, office \\(process ${first.process!.pid}, last heard \\d+ s ago\\)` +
            `.*shutdown\\(\\).*SAMBALAB_DATA_DIR.*If office is switched off or the process has ended, remove ${lockPath()}`
        )
      );
      await draw(first, 1);
      await first.kill('SIGTERM');
      await second.start();
      await draw(second, 2);
    }
  );

  itIf(MAY_UNSHARE)('the first counts until it was silent for an hour, or its lock is removed', async () => {
    first.launcher = computer('office', OTHER);
    const silentFor = (minutes: number) => {
      const then = new Date(Date.now() - minutes * 60_000);
      utimesSync(lockPath(), then, then);
    };
    await first.start();
    await first.kill();
    silentFor(59);
    await expect(second.start()).rejects.toThrow(/in use on another computer, office/);
    silentFor(61);
    await second.start();
    await second.kill('SIGTERM');
    await first.start();
    await first.kill();
    unlinkSync(lockPath());
    await beside().start();
  });

  itIf(MAY_UNSHARE)(
    'of one name, the first counts while it writes; a computer that was started anew takes its own lock over',
    async () => {
      first.launcher = computer('twin', OTHER);
      await first.start();
      const twin = beside(computer('twin', '99999999-2222-3333-4444-555555555555'));
      await expect(twin.start()).rejects.toThrow(/in use on another computer, twin/);
      await first.kill();
      const then = new Date(Date.now() - 60_000);
      utimesSync(lockPath(), then, then);
      await twin.start();
    },
    90_000
  );

  itIf(MAY_UNSHARE)(
    'the socket of the first stays when a second works on other data from the same runtime folder',
    async () => {
      first.launcher = computer('office', OTHER);
      await first.start();
      const { endpoint } = readConnection(first.runtimeDir);
      await first.kill(); // from another computer, a connection is refused as if the process were gone
      const elsewhere = another();
      elsewhere.runtimeDir = first.runtimeDir;
      await elsewhere.start();
      expect(existsSync(endpoint.replace('ipc://', ''))).toBe(true);
      expect(statSync(join(first.runtimeDir, 'sidecar-1.json')).isFile()).toBe(true);
    }
  );
});
