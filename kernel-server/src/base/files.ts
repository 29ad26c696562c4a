/** Folders, atomic replacement of files, and the error for a full disk. */
import { randomBytes } from 'node:crypto';
import { FileHandle, mkdir, open, rename, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';

/**
 * Make a directory and its missing parents with mode 0700. This does not use mkdir's `recursive`, which loops for ever in a directory
 * where the system refuses new entries (/proc).
 *
 * @throws Error with the reason and the system's `code`.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    const missing: string[] = [];
    for (let at = resolve(path); !(await isDirectory(at)); at = dirname(at)) {
      missing.push(at);
    }
    for (const directory of missing.reverse()) {
      try {
        await mkdir(directory, { mode: 0o700 });
      } catch (error) {
        // Another process may have made it meanwhile.
        if (codeOf(error) !== 'EEXIST' || !(await isDirectory(directory))) {
          throw error;
        }
      }
    }
  } catch (error) {
    const why = `The directory ${resolve(path)} cannot be made: ${(error as Error).message}.`;
    throw Object.assign(new Error(why), { code: codeOf(error) });
  }
}

/** Whether `path` is a directory. Throws an Error if it is something else, or cannot be read. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) {
      return true;
    }
  } catch (error) {
    if (isMissing(error) && path !== dirname(path)) {
      return false;
    }
    throw error;
  }
  throw Object.assign(new Error(`${path} is not a directory`), { code: 'ENOTDIR' });
}

/** Replace a file. A reader sees the old or the new content, never a mixture; so does a start after a crash. Mode 0600. */
export async function writeAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Write all bytes at a position of an open file. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    done += (await file.write(bytes, done, bytes.byteLength - done, position + done)).bytesWritten;
  }
}

/** Make renames in a directory durable, on systems that let a program open directories. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch {
    // Windows, some network file systems
  }
}

/** Whether an error says that a file does not exist. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

/** The system's code of an error. */
export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}

/** Whether an error says that the disk or the quota is full. */
export function isFull(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Codes of errors that say that a file or folder may not be used, or that its disk fails. */
const UNUSABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'EIO']);

/** The error of a file that cannot be read or written, as when its disk fails. */
export function unusable(path: string, error: unknown): BridgeError {
  if (error instanceof BridgeError) {
    return error;
  }
  const why = error instanceof Error ? error.message : String(error);
  return new BridgeError(
    'storage',
    `The file ${path} cannot be used: ${why}. Nothing was changed. Make sure that the disk works and that you may read and write ` +
      `the file (chmod u+rw) and its folder (chmod u+rwx ${dirname(path)}), then run the cell again.`
  );
}

/**
 * Turn "disk full" into an error that names the directory, the missing room and the remedy, and a refused or failed access into one that
 * names the file and says what to look at. Other errors are returned unchanged.
 *
 * @param path the file that needs room
 * @param home which of the sidecar's directories it is in
 */
export async function explainStorage(
  error: unknown,
  path: string,
  bytes?: number,
  home: 'data' | 'runtime' = 'data'
): Promise<unknown> {
  if (UNUSABLE.has(codeOf(error) ?? '')) {
    return unusable(path, error);
  }
  if (!isFull(error)) {
    return error;
  }
  const directory = dirname(path);
  const room = await statfs(directory).then(
    ({ bavail, bsize }) => `${bavail * bsize} are available`,
    () => 'how many are available is not known'
  );
  const needed = bytes === undefined ? 'more bytes are needed' : `${bytes} bytes are needed`;
  const state = codeOf(error) === 'EDQUOT' ? 'and your quota is used up' : room;
  return new BridgeError(
    'disk-full',
    `There is no room in ${directory}: ${needed}, ${state}. Free some; or move the ${home} directory to a disk with ` +
      `room, set SAMBALAB_${home.toUpperCase()}_DIR to it and restart the sidecar.`
  );
}

const ZEROS = Buffer.alloc(1 << 20);

/** Whether all bytes are 0. Uses memcmp, because the bytes may be whole images. */
export function isBlank(bytes: Uint8Array): boolean {
  for (let start = 0; start < bytes.byteLength; start += ZEROS.byteLength) {
    const part = bytes.subarray(start, start + ZEROS.byteLength);
    if (ZEROS.compare(part, 0, part.byteLength, 0, part.byteLength) !== 0) {
      return false;
    }
  }
  return true;
}

/** Let the event loop turn once, so that other requests and the socket are served. */
export function breathe(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
