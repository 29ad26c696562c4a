/** Arrays that nobody can use any more: who frees them, and what is never touched. */
import { ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { SessionState } from '../../../src/shared/protocol';
import { machine } from '../base/machine';
import { Sidecar } from '../sidecar';
import { TestClient } from './support/client';
import { IS_LINUX, itIf } from './support/conditions';
import { bytesOf, draw, histogram, openSession } from './support/images';
import { TestSidecar } from './support/process';
import { setUp } from './support/set-up';
import { EngineService } from './support/small-engine';
import { SmallSam } from './support/small-sam';

const programs: ChildProcess[] = [];
const inProcess: Sidecar[] = [];
let aside: string;

beforeEach(() => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  aside = mkdtempSync(join(tmpdir(), 'sl-aside-'));
});

afterEach(async () => {
  await Promise.all(programs.splice(0).map(end));
  await Promise.all(inProcess.splice(0).map(each => each.stop('the test is over')));
  rmSync(aside, { recursive: true, force: true });
  jest.restoreAllMocks();
});

let sidecar: TestSidecar;
const { connect, restart, another } = setUp(made => (sidecar = made));

const HAS_PYTHON = spawnSync('python3', ['--version']).status === 0;

/** A program that maps a file, and says of each byte offset that it is sent what is there. */
const MAPPER = `
import mmap, sys
with open(sys.argv[1], 'rb') as file:
    view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
print('mapped', flush=True)
for line in sys.stdin:
    print(view[int(line)], flush=True)
`;

interface IMapper {
  process: ChildProcess;
  at(offset: number): Promise<number>;
}

async function map(path: string): Promise<IMapper> {
  const child = spawn('python3', ['-c', MAPPER, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  programs.push(child);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async () => (await lines.next()).value as string;
  expect(await line()).toBe('mapped');
  return {
    process: child,
    at: async offset => {
      child.stdin.write(`${offset}\n`);
      return Number(await line());
    }
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = new Promise(done => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }
}

const exited = (of: TestSidecar) => new Promise(done => of.process!.once('exit', done));

async function shutDown(client: TestClient, of = sidecar): Promise<void> {
  const gone = exited(of);
  await client.request('shutdown', {});
  await gone;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await new Promise(done => setTimeout(done, 50));
  }
}

const folderOf = (state: SessionState) => dirname(state.arrays['image']!.path);

/** A sidecar in this process, on the folders of another, that waits hardly for the clients of an earlier one. */
async function impatient(of: TestSidecar): Promise<void> {
  const { runtimeDir, dataDir, arraysDir } = of;
  const sam = new SmallSam({ path: join(aside, 'none'), digest: '', bytes: 0 });
  inProcess.push(
    await Sidecar.start(
      { runtimeDir, dataDir, arraysDir, idleTimeout: 600, transport: 'ipc', releaseClosedAfter: 0.2 },
      { engine: new EngineService(), sam }
    )
  );
}

/** Start a sidecar on folders of its own but the first one's arrays, with an open session of one stroke, and kill it. */
async function killed(): Promise<{ other: TestSidecar; state: SessionState }> {
  const other = another();
  other.arraysDir = sidecar.arraysDir;
  await other.start();
  const client = await connect(other);
  const state = await openSession(client, { key: 'other' });
  await draw(client, state.session, 0);
  await other.kill();
  return { other, state };
}

describe('At its end', () => {
  it('a sidecar that is shut down frees all arrays, also while clients live and after a session was just closed', async () => {
    const client = await restart();
    const { session } = await openSession(client);
    await draw(client, session, 0);
    const closed = await openSession(client, { key: 'closed' });
    await client.request('session.detach', { session: closed.session });
    await client.request('array.stage', { dtype: 'uint8', shape: [1, 10, 10] });
    await shutDown(client);
    expect(readdirSync(sidecar.arraysDir)).toEqual([]);

    await sidecar.start();
    const again = await connect();
    const state = await again.request('session.attach', { session });
    expect(state).toMatchObject({ imageReady: false, labels: { counts: { 1: 10 } } });
    expect(histogram(bytesOf(state.arrays['labels']!))).toEqual({ 0: 119990, 1: 10 });
  });

  itIf(IS_LINUX && HAS_PYTHON)('a program that maps an array keeps what it sees', async () => {
    const client = await restart();
    const state = await openSession(client);
    const image = await map(state.arrays['image']!.path);
    await draw(client, state.session, 0);
    const labels = await map(state.arrays['labels']!.path);
    await shutDown(client);
    expect(readdirSync(sidecar.arraysDir)).toEqual([]);
    expect([await image.at(0), await image.at(399), await labels.at(9), await labels.at(10)]).toEqual([50, 200, 1, 0]);
  });

  it('a sidecar that was idle frees all arrays, and those that an earlier one left', async () => {
    const client = await restart();
    await openSession(client);
    await sidecar.kill();
    await sidecar.start('--idle-timeout', '1');
    await exited(sidecar);
    expect(readdirSync(sidecar.arraysDir)).toEqual([]);
  });

  it('a sidecar that gets a signal leaves the arrays of sessions with a client to the next one, and frees the others', async () => {
    const client = await restart();
    const kept = await openSession(client);
    const closed = await openSession(client, { key: 'closed' });
    await client.request('session.detach', { session: closed.session });
    const killedClient = await connect();
    const orphan = await openSession(killedClient, { key: 'orphan' });
    killedClient.close();
    await sidecar.kill('SIGTERM');
    expect([kept, closed, orphan].map(state => existsSync(folderOf(state)))).toEqual([true, false, false]);
    await sidecar.start();
    const state = await (await connect()).request('session.attach', { session: kept.session });
    expect(state).toMatchObject({ imageReady: true, arrays: { image: { path: kept.arrays['image']!.path } } });
  });

  it('a sidecar whose data folder was removed frees its arrays', async () => {
    const client = await restart();
    await openSession(client);
    rmSync(sidecar.dataDir, { recursive: true });
    await shutDown(client);
    expect(readdirSync(sidecar.arraysDir)).toEqual([]);
  });
});

describe('What a killed sidecar left', () => {
  itIf(IS_LINUX)('is freed by the next one on its folder, unless the session is opened again', async () => {
    const client = await restart();
    const opened = await openSession(client);
    await draw(client, opened.session, 0);
    const left = await openSession(client, { key: 'left' });
    await client.request('array.stage', { dtype: 'uint8', shape: [1, 10, 10] });
    await sidecar.kill();
    await impatient(sidecar);
    expect(readdirSync(sidecar.arraysDir).filter(name => name.includes('-staged-'))).toEqual([]);
    const again = await connect();
    const state = await again.request('session.attach', { session: opened.session });
    await until(() => !existsSync(folderOf(left)));
    expect(state.arrays['labels']!.path).toBe(opened.arrays['labels']!.path);
    await draw(again, opened.session, 1);
    expect(histogram(bytesOf(state.arrays['labels']!))).toEqual({ 0: 119980, 1: 20 });
  });

  itIf(IS_LINUX && HAS_PYTHON)('stays while a program maps it, which sees what the next sidecar writes', async () => {
    const client = await restart();
    const mapped = await openSession(client);
    const left = await openSession(client, { key: 'left' });
    const labels = await map(mapped.arrays['labels']!.path);
    await sidecar.kill();
    await impatient(sidecar);
    await until(() => !existsSync(folderOf(left)));
    expect(existsSync(folderOf(mapped))).toBe(true);
    const again = await connect();
    await again.request('session.attach', { session: mapped.session });
    await draw(again, mapped.session, 0, 2);
    expect(await labels.at(9)).toBe(2);
  });

  itIf(IS_LINUX && HAS_PYTHON)('is freed when the last program that maps it ends', async () => {
    const client = await restart();
    const state = await openSession(client);
    const { process } = await map(state.arrays['image']!.path);
    await sidecar.kill();
    await impatient(sidecar);
    await end(process);
    await until(() => !existsSync(folderOf(state)));
  });

  itIf(IS_LINUX)('is freed by a sidecar of another data folder, also if its own is gone', async () => {
    const [first, second] = [await killed(), await killed()];
    rmSync(second.other.dataDir, { recursive: true });
    await sidecar.start();
    await until(() => readdirSync(sidecar.arraysDir).every(name => name.includes('-owner-')));
    await until(() => readdirSync(sidecar.arraysDir).length === 1);
    // The labels are in the journal.
    await first.other.start();
    const client = await connect(first.other);
    const state = await client.request('session.attach', { session: first.state.session });
    expect(state.labels.counts).toEqual({ 1: 10 });
  });

  itIf(IS_LINUX && HAS_PYTHON)('stays for programs that map it, whosever sidecar sweeps', async () => {
    const [mapped, left] = [await killed(), await killed()];
    const image = await map(mapped.state.arrays['image']!.path);
    await sidecar.start();
    await until(() => !existsSync(folderOf(left.state)));
    expect(existsSync(mapped.state.arrays['image']!.path)).toBe(true);
    expect(await image.at(399)).toBe(200);
  });
});

describe('Never touched', () => {
  itIf(IS_LINUX)(
    'are arrays of a living sidecar, of another computer, without an owner, and what a link leads to',
    async () => {
      const living = another();
      living.arraysDir = sidecar.arraysDir;
      await living.start();
      const client = await connect(living);
      const used = await openSession(client);
      const left = await killed();
      const id = left.state.session;
      const owner = readdirSync(sidecar.arraysDir).find(
        name => name.includes('-owner-') && name.startsWith(folderOf(left.state).split('/').pop()!.slice(0, 8))
      )!;
      const told = JSON.parse(readFileSync(join(sidecar.arraysDir, owner), 'utf8')) as object;
      expect(told).toMatchObject({ machine, dataDir: left.other.dataDir });
      const make = (prefix: string, record?: object) => {
        const folder = join(sidecar.arraysDir, `${prefix}-${id}`);
        mkdirSync(folder);
        writeFileSync(join(folder, 'image-0.bin'), 'pixels');
        if (record) {
          writeFileSync(join(sidecar.arraysDir, `${prefix}-owner-0.json`), JSON.stringify(record));
        }
        const old = new Date(Date.now() - 48 * 3600 * 1000);
        [join(folder, 'image-0.bin'), folder].forEach(path => utimesSync(path, old, old));
        return join(folder, 'image-0.bin');
      };
      const foreign = make('00000001', { ...told, machine: 'another boot pid:[1]' });
      const unowned = make('00000002');
      const unreadable = make('00000003', { pid: 'none' });
      const precious = join(aside, 'precious');
      writeFileSync(precious, 'a thesis');
      symlinkSync(aside, join(sidecar.arraysDir, `00000004-${id}`));
      writeFileSync(join(sidecar.arraysDir, '00000004-owner-0.json'), JSON.stringify(told));
      symlinkSync(precious, join(folderOf(left.state), 'link.bin'));

      await sidecar.start();
      await until(() => !existsSync(folderOf(left.state)));
      await until(() => !existsSync(join(sidecar.arraysDir, '00000004-owner-0.json')));
      expect(existsSync(used.arrays['image']!.path)).toBe(true);
      expect([foreign, unowned, unreadable].map(path => existsSync(path))).toEqual([true, true, true]);
      expect(readFileSync(precious, 'utf8')).toBe('a thesis');
      expect(existsSync(join(sidecar.arraysDir, `00000004-${id}`, 'precious'))).toBe(true);
      const stroke = await draw(client, used.session, 0);
      expect(stroke).toMatchObject({ changed: 10 });
    }
  );
});
