/**
 * Makes the files of shared arrays: owner-only, with all blocks reserved, never shrunk. A name is never used for a second file, so the
 * same path is always the same memory. Processes that map a removed file keep its content.
 */
import { randomBytes } from 'node:crypto';
import { lstat, open, rename, rmdir, statfs, unlink } from 'node:fs/promises';
import { freemem } from 'node:os';
import { dirname, join } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor, Dtype } from '../../../src/shared/protocol';
import { byteLength } from './dtypes';
import { isFull, makeDirectory } from '../base/files';
import { log } from '../base/log';
import { privateDirectory } from '../base/private-directory';

/** A directory for arrays. */
export interface IPlace {
  directory: string;
  /** Whether the files are in memory, which they share with all running programs. */
  memory: boolean;
}

const ZEROS = new Uint8Array(4 << 20);
/** Times {@link ZEROS} that are written between two turns of the event loop, which may have much to do. */
const AT_ONCE = 16;
/** Most bytes of an array. A larger size is a mistake. */
const ARRAY_BYTES_MAX = 2 ** 42;

/** Free room that a place must have, as a multiple of the array's bytes. */
const HEADROOM = 1.2;

export class ArrayStore {
  /** `places` in order of preference: an array goes to the first with room. */
  constructor(private readonly _places: IPlace[]) {}

  /** Called when no place has room: frees unused arrays, and returns whether it freed any. */
  reclaim: () => Promise<boolean> = async () => false;

  /** The directory that is tried first. */
  get directory(): string {
    return this._places[0]!.directory;
  }

  /**
   * Make an array of zeros.
   *
   * @param sparse leaves the blocks unreserved, for arrays of which only parts are ever filled, or that are written at once.
   * @param ahead the array may not be needed: for it, no unused array is freed, and no place is filled to its end.
   * @throws BridgeError `disk-full` with the directory and the bytes needed and available; `invalid` for an absurd size.
   */
  async allocate(
    folder: string,
    name: string,
    dtype: Dtype,
    shape: number[],
    sparse = false,
    ahead = false
  ): Promise<ArrayDescriptor> {
    const bytes = byteLength({ dtype, shape });
    if (!(bytes > 0 && bytes <= ARRAY_BYTES_MAX)) {
      throw new BridgeError(
        'invalid',
        `An array of shape [${shape.join(', ')}] and type ${dtype} has ${bytes} bytes; 1 to ${ARRAY_BYTES_MAX} will do.`
      );
    }
    const file = fileOf(name);
    for (;;) {
      for (const [index, place] of this._places.entries()) {
        const last = index === this._places.length - 1 && !ahead;
        // Try the last place even if it looks full: statfs may be wrong about quotas and network disks.
        const path = join(place.directory, folder, file);
        try {
          // Somebody may have removed it, as the system does when a user logs out, and a neighbour may have made it again.
          await privateDirectory(place.directory, 'SAMBALAB_ARRAYS_DIR');
          if (!last && (await this._room(place)) < bytes * HEADROOM) {
            continue;
          }
          await reserve(path, bytes, sparse);
          return { path, dtype, shape, version: 0 };
        } catch (error) {
          await unlink(path).catch(() => undefined);
          if (!isFull(error)) {
            if (last) {
              throw error;
            }
            log(`${place.directory} takes no arrays any more`, error);
          }
        }
      }
      if (ahead || !(await this.reclaim())) {
        break;
      }
    }
    const place = this._places[this._places.length - 1]!;
    const available = await this._room(place);
    throw new BridgeError(
      'disk-full',
      `There is no room for ${name} in ${place.directory}: ${bytes} bytes are needed, ${available} are available. ` +
        'Free some, or set SAMBALAB_ARRAYS_DIR to a directory with room and restart the sidecar.'
    );
  }

  /**
   * Move an array into another folder of its place, under a name of its own.
   *
   * @returns it with its new path; undefined if its file is gone or lies in none of the places.
   */
  async move(array: ArrayDescriptor, folder: string, name: string): Promise<ArrayDescriptor | undefined> {
    const place = this._places.find(({ directory }) => array.path.startsWith(join(directory, '/')));
    if (!place || !(await this.intact(array))) {
      return undefined;
    }
    const path = join(place.directory, folder, fileOf(name));
    await intoFolder(path, () => rename(array.path, path));
    await rmdir(dirname(array.path)).catch(() => undefined); // only if it is empty now
    return { ...array, path };
  }

  /** Whether an array's file exists in one of the places and has its full size. */
  async intact(array: ArrayDescriptor): Promise<boolean> {
    if (!this._places.some(place => array.path.startsWith(join(place.directory, '/')))) {
      return false;
    }
    try {
      const info = await lstat(array.path);
      return info.isFile() && info.size === byteLength(array) && info.uid === (process.getuid?.() ?? info.uid);
    } catch {
      return false;
    }
  }

  /** Remove arrays. Processes that map them keep their content. */
  async remove(...arrays: (ArrayDescriptor | undefined)[]): Promise<void> {
    for (const array of arrays) {
      if (array) {
        await unlink(array.path).catch(() => undefined);
        await rmdir(dirname(array.path)).catch(() => undefined); // only if it is empty now
      }
    }
  }

  private async _room(place: IPlace): Promise<number> {
    const { bavail, bsize } = await statfs(place.directory);
    const room = bavail * bsize;
    // The process's own limit counts: in a container it is lower than the host's memory.
    return place.memory ? Math.min(room, process.availableMemory?.() ?? freemem()) : room;
  }
}

/** A name of a file that no other array has. */
function fileOf(name: string): string {
  return `${name}-${randomBytes(6).toString('hex')}.bin`;
}

/** Make the folder of a file, and the file. Tries again if another removal deletes the folder while it is still empty. */
async function intoFolder<T>(path: string, make: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      await makeDirectory(dirname(path));
      return await make();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 100) {
        throw error;
      }
    }
  }
}

async function reserve(path: string, bytes: number, sparse: boolean): Promise<void> {
  const file = await intoFolder(path, () => open(path, 'wx', 0o600));
  try {
    if (sparse) {
      await file.truncate(bytes);
      return;
    }
    for (let offset = 0; offset < bytes;) {
      const whole = Math.min(AT_ONCE, Math.floor((bytes - offset) / ZEROS.byteLength));
      const zeros = whole > 0 ? new Array<Uint8Array>(whole).fill(ZEROS) : [ZEROS.subarray(0, bytes - offset)];
      offset += (await file.writev(zeros, offset)).bytesWritten;
    }
  } finally {
    await file.close();
  }
}
