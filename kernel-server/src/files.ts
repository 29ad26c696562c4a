/** Files and folders that nobody but their owner sees, and files that are replaced as a whole or not at all. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Make a directory for its owner alone, or check that it is one.
 *
 * @returns its real path.
 * @throws Error that says whose it is, or what its mode is.
 */
export async function privateDirectory(path: string): Promise<string> {
  await mkdir(resolve(path), { recursive: true, mode: 0o700 });
  const real = await realpath(path);
  const info = await stat(real);
  if (!info.isDirectory()) {
    throw new Error(`${real} is not a directory.`);
  }
  if (process.platform === 'win32') {
    return real; // the profile's access lists guard it there
  }
  if (info.uid !== process.getuid?.()) {
    throw new Error(
      `The directory ${real} belongs to user ${info.uid}, not to ${process.getuid?.()}. Choose another one.`
    );
  }
  if (info.mode & 0o077) {
    const mode = (info.mode & 0o777).toString(8).padStart(4, '0');
    throw new Error(
      `The directory ${real} has mode ${mode}: others have access. Say: chmod 700 ${JSON.stringify(real)}`
    );
  }
  return real;
}

/** Replace a file's content so that a reader, and a crash, sees the old one or the new one. Mode 0600. */
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

/** Make renames in a directory durable. Not every system lets a directory be opened; there the rename has to do. */
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

/** True for "no such file". */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'ENOENT';
}

/** True for "no room". */
export function isFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

const ZEROS = Buffer.alloc(1 << 20);

/** Whether all bytes are 0; by memcmp, since whole images are looked through. */
export function isBlank(bytes: Uint8Array): boolean {
  for (let start = 0; start < bytes.byteLength; start += ZEROS.byteLength) {
    const part = bytes.subarray(start, start + ZEROS.byteLength);
    if (ZEROS.compare(part, 0, part.byteLength, 0, part.byteLength) !== 0) {
      return false;
    }
  }
  return true;
}

/** Let the event loop turn once: other requests, the socket. */
export function breathe(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
