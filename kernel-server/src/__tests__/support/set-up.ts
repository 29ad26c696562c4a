/** The set-up that specs with real sidecars share: a new one for each test, whose clients, mounts and files are gone afterwards. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TestClient } from './client';
import { mountTmpfs } from './conditions';
import { removeBundle, TestSidecar } from './process';

/** What a test does with its sidecars. */
export interface ISetUp {
  /** Connect to the sidecar, or to another one. */
  connect(to?: TestSidecar): Promise<TestClient>;
  /** Kill the sidecar if it runs, start it and connect to it. */
  restart(): Promise<TestClient>;
  /** Another sidecar, in folders of its own. */
  another(): TestSidecar;
  /** Another sidecar on the data of the first. `launcher` is a command that starts it. */
  beside(launcher?: string[]): TestSidecar;
  /** Make a folder and mount a file system of `size` ("1m") in memory on it. @returns the folder */
  mountSmall(path: string, size: string): string;
  /** The folder of a session's files. */
  folderOf(session: string): string;
  journalOf(session: string): string;
}

/** Set up the tests of a spec. `made` is called before each test with its sidecar, which does not run yet; `args` are the arguments of all sidecars. */
export function setUp(made: (sidecar: TestSidecar) => void, args: readonly string[] = []): ISetUp {
  const sidecars: TestSidecar[] = [];
  const clients: TestClient[] = [];
  const mounts: string[] = [];
  const first = () => sidecars[0]!;
  const another = () => {
    const sidecar = new TestSidecar();
    sidecar.args = args;
    sidecars.push(sidecar);
    return sidecar;
  };
  const connect = async (to = first()) => {
    const client = await to.connect();
    clients.push(client);
    return client;
  };
  const folderOf = (session: string) => join(first().dataDir, 'sessions', session);

  beforeEach(() => made(another()));

  afterEach(async () => {
    clients.splice(0).forEach(client => client.close());
    const all = sidecars.splice(0).reverse();
    await Promise.all(all.map(sidecar => sidecar.kill()));
    mounts.splice(0).forEach(path => execFileSync('umount', [path]));
    await Promise.all(all.map(sidecar => sidecar.dispose()));
  });

  afterAll(removeBundle);

  return {
    connect,
    another,
    folderOf,
    restart: async () => {
      await first().kill();
      await first().start();
      return connect();
    },
    beside: (launcher = []) => {
      const sidecar = another();
      sidecar.dataDir = first().dataDir;
      sidecar.launcher = launcher;
      return sidecar;
    },
    mountSmall: (path, size) => {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      expect(mountTmpfs(path, size)).toBe(true);
      mounts.push(path);
      return path;
    },
    journalOf: session => join(folderOf(session), 'labels.journal')
  };
}
