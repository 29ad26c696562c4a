/**
 * Owner-only folders that no other user can replace. Other users write into /tmp and /dev/shm too: they may make a folder of our name
 * before us, or a link in its place that leads elsewhere. Hence these rules for each step of a path:
 *
 * - where everybody may write, the folder must be sticky (else anyone replaces what is in it), and what we pass through or use in it
 *   must belong to this user or to the system;
 * - the folder itself must belong to this user, with mode 0700.
 *
 * Such a folder cannot change hands afterwards, so its files need no such checks. Python has the same rules in `private_folder.py`.
 */
import { Stats } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, readlink, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, parse, resolve, sep } from 'node:path';
import { codeOf, isMissing, makeDirectory } from './files';

const STICKY = 0o1000;
const GROUP_WRITES = 0o020;
const ALL_WRITE = 0o002;
const OTHERS = 0o077;
/** Most links of a path. More are a circle. */
const LINKS_MAX = 40;

/** Windows has no such users and modes: access lists guard the user's profile there. */
const uid = process.getuid?.();

/** Why a directory will not do. */
class Unsafe extends Error {
  /** @param remedy the command that would make the directory safe */
  constructor(
    what: string,
    readonly remedy?: string
  ) {
    super(what + (remedy ? ` Run: ${remedy}` : ''));
    this.what = what;
  }

  readonly what: string;
}

/**
 * Make an owner-only directory, or check that an existing one is owner-only.
 *
 * @param variable the environment variable that chooses another directory; errors name it
 * @returns the real path
 * @throws Error that names what is wrong with the directory, or with another on the way to it
 */
export function privateDirectory(path: string, variable: string): Promise<string> {
  return advising(variable, async () => {
    const real = uid === undefined ? await plainDirectory(path) : await walk(path, true);
    checkPrivate(real, await lstat(real));
    return real;
  });
}

/** The same for the data, without the rules for the folders above: the user chose them, perhaps a volume where everybody may write. */
export function privateDataDirectory(path: string, variable: string): Promise<string> {
  return advising(variable, async () => {
    const real = await plainDirectory(path);
    checkPrivate(real, await lstat(real));
    return real;
  });
}

/**
 * An owner-only directory: `path` itself, or a folder in it if others have access to `path`, as on a scratch disk.
 *
 * @returns the real path
 * @throws Error if there is no such directory and none can be made, or if others could replace it
 */
export async function privatePlace(path: string, variable: string): Promise<string> {
  const info = await walk(path, false).then(
    real => lstat(real),
    () => undefined
  );
  if (uid === undefined || !info || (info.uid === uid && !(info.mode & OTHERS))) {
    return privateDirectory(path, variable);
  }
  return advising(variable, () => ownFolder(path));
}

/**
 * This user's folder in a folder that others use too: `sambalab-<uid>`. If another user has made one of that name, one with a random end,
 * which the next sidecar finds again.
 *
 * @returns the real path
 * @throws Error if `parent` is missing, or others could replace what is in it
 */
export async function ownFolder(parent: string): Promise<string> {
  const real = await walk(parent, false);
  const info = await lstat(real);
  if (!(await trusted(info.uid))) {
    throw new Unsafe(`The directory ${real} belongs to user ${info.uid}, who may replace what is in it.`);
  }
  // A user who lets a group write into a folder of their own trusts the group.
  checkSticky(real, info, info.uid === uid ? ALL_WRITE : ALL_WRITE | GROUP_WRITES);
  const name = `sambalab-${uid}`;
  await mkdir(join(real, name), { mode: 0o700 }).catch(error => {
    if (codeOf(error) !== 'EEXIST') {
      throw error;
    }
  });
  const others = (await readdir(real).catch(() => [])).filter(entry => entry.startsWith(`${name}-`)).sort();
  for (const entry of [name, ...others]) {
    const own = join(real, entry);
    const found = await lstat(own).catch(() => undefined);
    if (found?.isDirectory() && found.uid === uid && !(found.mode & OTHERS)) {
      return own;
    }
  }
  return mkdtemp(join(real, `${name}-`));
}

/** Make a folder for temporary files. Throws an Error if others could replace it. */
export function temporaryFolder(): Promise<string> {
  return advising('TMPDIR', async () => {
    const real = uid === undefined ? tmpdir() : await walk(tmpdir(), false);
    if (uid !== undefined) {
      checkSticky(real, await lstat(real));
    }
    return mkdtemp(join(real, 'sambalab-'));
  });
}

/** Add to an error of `work` that the environment variable `variable` names another directory. */
async function advising<T>(variable: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { what, remedy } = error instanceof Unsafe ? error : { what: (error as Error).message, remedy: undefined };
    throw new Error(`${what} ${remedy ? `Run ${remedy}, or set` : 'Set'} ${variable} to another one.`);
  }
}

async function plainDirectory(path: string): Promise<string> {
  await makeDirectory(path);
  return realpath(path);
}

/**
 * Follow a path step by step, links too, and check each step.
 *
 * @param make whether to make missing directories, with mode 0700
 * @returns the real path
 */
async function walk(path: string, make: boolean): Promise<string> {
  const whole = resolve(path);
  let at = parse(whole).root;
  let steps = stepsOf(whole);
  for (let links = 0; steps.length > 0;) {
    const info = await lstat(at);
    const next = join(at, steps.shift()!);
    checkSticky(at, info);
    const found = await enter(next, make).catch(error => {
      throw new Unsafe(`The directory ${whole} cannot be ${make ? 'made' : 'used'}: ${(error as Error).message}.`);
    });
    if (info.mode & ALL_WRITE && !(await trusted(found.uid))) {
      throw new Unsafe(`${next} belongs to user ${found.uid}, not to ${uid}, and lies where everybody may write.`);
    }
    if (found.isSymbolicLink()) {
      if (++links > LINKS_MAX) {
        throw new Unsafe(`${whole} leads through more than ${LINKS_MAX} links.`);
      }
      const target = resolve(at, await readlink(next));
      steps = [...stepsOf(target), ...steps];
      at = parse(target).root;
    } else if (found.isDirectory()) {
      at = next;
    } else {
      throw new Unsafe(`${next} is not a directory.`);
    }
  }
  return at;
}

function stepsOf(path: string): string[] {
  return path.slice(parse(path).root.length).split(sep).filter(Boolean);
}

/** The entry at `path`, which is made if it is missing. */
async function enter(path: string, make: boolean): Promise<Stats> {
  try {
    return await lstat(path);
  } catch (error) {
    if (!make || !isMissing(error)) {
      throw error;
    }
  }
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it meanwhile; the owner is checked in any case.
    if (codeOf(error) !== 'EEXIST') {
      throw error;
    }
  }
  return lstat(path);
}

function checkPrivate(real: string, info: Stats): void {
  if (!info.isDirectory()) {
    throw new Unsafe(`${real} is not a directory.`);
  }
  if (uid !== undefined && info.uid !== uid) {
    throw new Unsafe(`The directory ${real} belongs to user ${info.uid}, not to ${uid}.`);
  }
  if (uid !== undefined && info.mode & OTHERS) {
    const what = `The directory ${real} has mode ${modeOf(info)}: others have access.`;
    throw new Unsafe(what, `chmod 700 ${JSON.stringify(real)}`);
  }
}

/** Throw if one of the given bits lets others write, and they may replace what is not theirs. */
function checkSticky(real: string, info: Stats, writers = ALL_WRITE): void {
  if (info.mode & writers && !(info.mode & STICKY)) {
    const what = `The directory ${real} has mode ${modeOf(info)}: others may replace what is in it.`;
    throw new Unsafe(what, `chmod +t ${JSON.stringify(real)}`);
  }
}

/** Whether an owner is this user or the system. In a container that maps users, the system is whoever owns `/`. */
async function trusted(owner: number): Promise<boolean> {
  return owner === uid || owner === 0 || owner === (await lstat('/')).uid;
}

function modeOf(info: Stats): string {
  return (info.mode & 0o777).toString(8).padStart(4, '0');
}
