import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machine } from '../../base/machine';
import { ArrayOwners } from '../array-owners';

/** What is found out about the process of an owner, one call after the other; nothing: the truth. */
const mockRuns: boolean[] = [];
jest.mock('../../base/machine', () => {
  const actual = jest.requireActual<typeof import('../../base/machine')>('../../base/machine');
  const runs: typeof actual.runs = (...of) => mockRuns.shift() ?? actual.runs(...of);
  return { ...actual, runs };
});

const SESSION = '0123456789abcdef0123456789abcdef';
/** No process has this number. */
const NOBODY = 2 ** 30;
let directory: string;
const open = new Set<string>();

beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'sl-'))));

afterEach(() => {
  rmSync(directory, { recursive: true });
  open.clear();
  mockRuns.length = 0;
});

function owners(dataDir = '/data'): ArrayOwners {
  return new ArrayOwners({
    directories: [directory],
    dataDir,
    graceMs: 0,
    whileClosed: async (session, work) => !open.has(session) && work()
  });
}

/** Make the arrays of a session, which were written `hours` ago. */
function arrays(name: string, hours = 0): string {
  const folder = join(directory, name);
  const file = join(folder, 'image-0.bin');
  mkdirSync(folder);
  writeFileSync(file, 'pixels');
  const then = new Date(Date.now() - hours * 3600_000);
  [file, folder].forEach(path => utimesSync(path, then, then));
  return file;
}

function owner(name: string, of: string): void {
  writeFileSync(join(directory, name), JSON.stringify({ dataDir: '/other', machine: of, pid: NOBODY }));
}

// Elsewhere, or where processes cannot be read, all arrays wait for a day: then these are too young.
const HOURS = 25;

it('arrays whose sidecar begins while they are removed are back in their place', async () => {
  const file = arrays(`00000001-${SESSION}`, HOURS);
  owner('00000001-owner-0.json', machine);
  mockRuns.push(false, true); // it begins when they are set aside
  expect(await owners().sweep()).toBe(false);
  expect(readFileSync(file, 'utf8')).toBe('pixels');
  expect(readdirSync(directory).filter(name => name.includes('removed'))).toEqual([]);
  expect(await owners().sweep()).toBe(true);
  expect(existsSync(file)).toBe(false);
});

it('what a sidecar did not remove to the end, the next one does', async () => {
  const mine = owners();
  const prefix = mine.folderOf('');
  const file = arrays(`${prefix}removed-0`);
  await mine.begin();
  expect(existsSync(file)).toBe(false);
});

it('arrays of open sessions stay, and at the end those of sessions with a client', async () => {
  const mine = owners();
  const [other, another] = [SESSION.replace('0', 'a'), SESSION.replace('0', 'b')];
  const files = [SESSION, other, another].map(session => arrays(mine.folderOf(session), HOURS));
  open.add(SESSION).add(other);
  await mine.sweep();
  expect(files.map(file => existsSync(file))).toEqual([true, true, false]);
  await mine.end(open, new Set([SESSION]));
  expect(files.map(file => existsSync(file))).toEqual([true, false, false]);
  // The file of the owner stays with the arrays, so that any later sidecar can tell that they are nobody's.
  expect(readdirSync(directory).filter(name => name.includes('-owner-'))).toHaveLength(1);
  await mine.end(open);
  expect(readdirSync(directory)).toEqual([]);
});

it('arrays on the same data folder that another computer may use wait for a day', async () => {
  const mine = owners();
  const other = SESSION.replace('0', 'a');
  const [young, old] = [arrays(mine.folderOf(SESSION), 1), arrays(mine.folderOf(other), HOURS)];
  owner(`${mine.folderOf('')}owner-0.json`, 'another boot');
  await mine.sweep();
  expect([young, old].map(file => existsSync(file))).toEqual([true, false]);
  await mine.end(new Set());
  expect(existsSync(young)).toBe(true);
});
