/**
 * Makes the files behind shared arrays: for their owner alone, with all their blocks reserved, never shrunk. A file has a
 * name of its own for ever, so the same path is always the same memory; when it is removed, processes that map it keep it.
 */
import { randomBytes } from 'node:crypto';
import { FileHandle, open, readdir, rm, rmdir, stat, statfs, unlink } from 'node:fs/promises';
import { freemem } from 'node:os';
import { dirname, join } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor, Dtype } from '../../../src/shared/protocol';
import { byteLength } from './dtypes';
import { isFull, makeDirectory } from '../base/files';
import { log } from '../base/log';

/** A directory for arrays. */
export interface IPlace {
  directory: string;
  /** Whether its files live in memory, which they then share with everything else that runs. */
  memory: boolean;
}

const ZEROS = new Uint8Array(4 << 20);
/** More than this is a mistake rather than an array. */
const ARRAY_BYTES_MAX = 2 ** 42;

/** Room that must be left over, as a factor of what is asked for. */
const HEADROOM = 1.2;

export class ArrayStore {
  /** The first place with room is taken. */
  constructor(private readonly _places: IPlace[]) {}

  /** Called when there is no room anywhere: frees arrays that nobody needs, and says whether it did. */
  reclaim: () => Promise<boolean> = async () => false;

  /** The directory that is tried first. */
  get directory(): string {
    return this._places[0]!.directory;
  }

  /**
   * Make an array of zeros.
   *
   * @param sparse leaves the blocks unreserved, for arrays of which only parts are ever filled.
   * @throws BridgeError `disk-full` with the directory and the bytes needed and available; `invalid` for an absurd size.
   */
  async allocate(
    folder: string,
    name: string,
    dtype: Dtype,
    shape: number[],
    sparse = false
  ): Promise<ArrayDescriptor> {
    const bytes = byteLength({ dtype, shape });
    if (!(bytes > 0 && bytes <= ARRAY_BYTES_MAX)) {
      throw new BridgeError(
        'invalid',
        `An array of shape [${shape.join(', ')}] and type ${dtype} has ${bytes} bytes; 1 to ${ARRAY_BYTES_MAX} will do.`
      );
    }
    const file = `${name}-${randomBytes(6).toString('hex')}.bin`;
    for (;;) {
      for (const [index, place] of this._places.entries()) {
        const last = index === this._places.length - 1;
        // The last place is tried even if it looks full: what statfs says of quotas and network disks is not always so.
        if (!last && (await this._room(place)) < bytes * HEADROOM) {
          continue;
        }
        const path = join(place.directory, folder, file);
        try {
          await reserve(path, bytes, sparse);
          return { path, dtype, shape, version: 0 };
        } catch (error) {
          await unlink(path).catch(() => undefined);
          if (!isFull(error)) {
            throw error;
          }
        }
      }
      if (!(await this.reclaim())) {
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

  /** Whether an array's file is still there and whole, in one of our directories. */
  async intact(array: ArrayDescriptor): Promise<boolean> {
    if (!this._places.some(place => array.path.startsWith(join(place.directory, '/')))) {
      return false;
    }
    try {
      const info = await stat(array.path);
      return info.isFile() && info.size === byteLength(array) && info.uid === (process.getuid?.() ?? info.uid);
    } catch {
      return false;
    }
  }

  /** Remove arrays; those who map them keep what they see. */
  async remove(...arrays: (ArrayDescriptor | undefined)[]): Promise<void> {
    for (const array of arrays) {
      if (array) {
        await unlink(array.path).catch(() => undefined);
        await rmdir(dirname(array.path)).catch(() => undefined); // only if it is empty now
      }
    }
  }

  /** Remove a folder in every place. */
  async removeFolder(folder: string): Promise<void> {
    for (const place of this._places) {
      await rm(join(place.directory, folder), { recursive: true, force: true }).catch(error =>
        log(`could not remove ${folder}`, error)
      );
    }
  }

  /**
   * Remove the folders whose name begins with `prefix` and in which nothing was written for `age` milliseconds: what a sidecar
   * that was killed left in memory. Whoever opens such a session again gets new arrays, and labels from their journal.
   */
  async sweep(prefix: string, age: number): Promise<void> {
    for (const { directory } of this._places) {
      for (const name of await readdir(directory).catch(() => [])) {
        if (!name.startsWith(prefix)) {
          continue;
        }
        const folder = join(directory, name);
        const files = await readdir(folder).catch(() => []);
        const infos = await Promise.allSettled(
          [folder, ...files.map(file => join(folder, file))].map(path => stat(path))
        );
        const times = infos.map(info => (info.status === 'fulfilled' ? info.value.mtimeMs : 0));
        if (Math.max(...times) < Date.now() - age) {
          await this.removeFolder(name);
        }
      }
    }
  }

  private async _room(place: IPlace): Promise<number> {
    const { bavail, bsize } = await statfs(place.directory);
    const room = bavail * bsize;
    // What counts is what this process may still use, which in a container is less than what the host has.
    return place.memory ? Math.min(room, process.availableMemory?.() ?? freemem()) : room;
  }
}

/** Make a file and its folder; a neighbour that is removed meanwhile may take the folder, empty until then, with it. */
async function create(path: string): Promise<FileHandle> {
  for (let attempt = 0; ; attempt++) {
    try {
      await makeDirectory(dirname(path));
      return await open(path, 'wx', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 100) {
        throw error;
      }
    }
  }
}

async function reserve(path: string, bytes: number, sparse: boolean): Promise<void> {
  const file = await create(path);
  try {
    if (sparse) {
      await file.truncate(bytes);
      return;
    }
    for (let offset = 0; offset < bytes;) {
      const length = Math.min(ZEROS.byteLength, bytes - offset);
      offset += (await file.write(ZEROS, 0, length, offset)).bytesWritten;
    }
  } finally {
    await file.close();
  }
}
