/**
 * Whose the arrays in a directory are, and which of them nobody can use any more. Sidecars of several data folders keep arrays in the same
 * directory, and a killed one leaves its own there. The names of all that belongs to one data folder begin with the same eight digits:
 *
 *     3f0a91cc-<id of a session>       its arrays
 *     3f0a91cc-staged-<run>            arrays that one run of the sidecar hands over
 *     3f0a91cc-owner-<run>.json        the process of that run
 *     3f0a91cc-removed-<random>        what is just being removed
 *
 * Arrays are removed if no process of their data folder runs and no program maps them. Links are not followed. What another computer or
 * container has left is not touched, since its processes cannot be seen from here; only the sidecar of the same data folder, which has its
 * lock, removes it if it was not written for {@link ABANDONED_MS}. This age also counts where the system does not tell what programs map.
 * Labels are in their journals in any case.
 */
import { createHash, randomBytes } from 'node:crypto';
import { Dirent } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf } from '../base/files';
import { log } from '../base/log';
import { boot, machine, runs, startOf } from '../base/machine';
import { IMappedFiles, mappedFiles } from '../base/mapped-files';

/** Age of the last write after which arrays count as unused where nothing better is known, in milliseconds. */
const ABANDONED_MS = 24 * 3600 * 1000;

const NAME = /^([0-9a-f]{8}-)(?:([0-9a-f]{32})|(owner)-[0-9a-f]+\.json|(?:staged|removed)-[0-9a-f]+)$/;

const zOwner = z.object({
  /** For people who look at the file. */
  dataDir: z.string(),
  machine: z.string(),
  pid: z.number().int().positive(),
  started: z.string().optional()
});

/** What belongs to one data folder in one directory. */
interface IBelongings {
  /** Names of the files that tell the owners. */
  owners: string[];
  /** Names of the folders of arrays, and the session's id for those of sessions. */
  folders: { name: string; session: string | undefined }[];
}

export class ArrayOwners {
  constructor(private readonly _options: ArrayOwners.IOptions) {
    this._prefix = `${createHash('sha256').update(_options.dataDir).digest('hex').slice(0, 8)}-`;
  }

  /** The name of the folder of staged arrays. */
  get stagedFolder(): string {
    return `${this._prefix}staged-${this._run}`;
  }

  /** The name of the folder of a session's arrays. */
  folderOf(session: string): string {
    return this._prefix + session;
  }

  /** Say in all directories that this process uses the arrays of its data folder; remove what earlier ones surely leave behind. */
  async begin(): Promise<void> {
    for (const directory of this._options.directories) {
      await this._sign(directory).catch(error => log(`${directory} cannot tell whose the arrays are`, error));
    }
    await this._exclusive(() => this._sweepOwn(false));
  }

  /**
   * Remove all arrays that nobody can use any more: of data folders without a sidecar, and of this one's closed sessions, once clients of an
   * earlier sidecar had `graceMs` to come back.
   *
   * @param now do not wait for them: memory is short
   * @returns whether any were removed
   */
  sweep(now = false): Promise<boolean> {
    return this._exclusive(async () => {
      for (const directory of this._options.directories) {
        await this._sign(directory).catch(() => undefined); // somebody may have removed the directory
      }
      const own = await this._sweepOwn(now || performance.now() - this._began > this._options.graceMs);
      return (await this._sweepOthers()) || own;
    });
  }

  /**
   * Remove the arrays of this data folder at the sidecar's end, after its sessions were closed. Programs that map them keep what they see.
   *
   * @param opened the sessions that were open
   * @param attended those of them whose arrays stay for the next sidecar; if undefined, all go, and those of sessions that were not open
   */
  end(opened: ReadonlySet<string>, attended?: ReadonlySet<string>): Promise<void> {
    return this._exclusive(async () => {
      const maps = onceRead();
      for (const directory of this._options.directories) {
        const { folders, owners } = await this._ownIn(directory);
        const alone = await this._alone(directory, owners);
        const goes = (name: string, session: string | undefined) => {
          if (session === undefined) {
            return alone || name === this.stagedFolder;
          }
          return opened.has(session)
            ? !attended?.has(session)
            : (alone && !attended) || this._abandoned(join(directory, name), alone, maps);
        };
        let left = false;
        for (const { name, session } of folders) {
          const gone = (await goes(name, session)) && (await remove(join(directory, name)));
          left ||= !gone;
        }
        if (!left) {
          await forget(directory, owners);
        }
      }
    });
  }

  /** Sweep what belongs to this data folder. @param settled whether clients of an earlier sidecar had time to come back */
  private async _sweepOwn(settled: boolean): Promise<boolean> {
    const maps = onceRead();
    let any = false;
    for (const directory of this._options.directories) {
      const { folders, owners } = await this._ownIn(directory);
      const alone = await this._alone(directory, owners);
      if (alone) {
        await forget(
          directory,
          owners.filter(name => name !== this._ownerFile)
        );
      }
      for (const { name, session } of folders) {
        const path = join(directory, name);
        if (session === undefined) {
          any = (alone && name !== this.stagedFolder && (await remove(path))) || any;
        } else {
          const removed = this._options.whileClosed(
            session,
            async () => (await this._abandoned(path, settled && alone, maps)) && remove(path)
          );
          any = (await removed) || any;
        }
      }
    }
    return any;
  }

  /** Sweep what belongs to other data folders, whose sidecars are gone. */
  private async _sweepOthers(): Promise<boolean> {
    const maps = onceRead();
    let any = false;
    for (const directory of this._options.directories) {
      for (const [prefix, { folders, owners }] of await belongings(directory)) {
        const dead = () => this._dead(directory, prefix);
        if (prefix === this._prefix || !(await dead())) {
          continue;
        }
        let left = false;
        for (const { name } of folders) {
          const removed =
            (await this._abandoned(join(directory, name), true, maps)) && (await this._takeAway(directory, name, dead));
          any ||= removed;
          left ||= !removed;
        }
        if (!left) {
          await forget(directory, owners);
        }
      }
    }
    return any;
  }

  /** Whether a data folder's owners are known, and all are gone. */
  private async _dead(directory: string, prefix: string): Promise<boolean> {
    const { owners = [] } = (await belongings(directory)).get(prefix) ?? {};
    return owners.length > 0 && (await this._gone(directory, owners));
  }

  /** Whether no other sidecar of this data folder may run. This one has the folder's lock, but folders of other computers may have the same path. */
  private _alone(directory: string, owners: string[]): Promise<boolean> {
    return this._gone(
      directory,
      owners.filter(name => name !== this._ownerFile)
    );
  }

  private async _gone(directory: string, owners: string[]): Promise<boolean> {
    return (await Promise.all(owners.map(name => mayRun(join(directory, name))))).every(may => !may);
  }

  private async _ownIn(directory: string): Promise<IBelongings> {
    return (await belongings(directory)).get(this._prefix) ?? { owners: [], folders: [] };
  }

  /** Whether nobody can use the arrays of a folder. @param settled whether no process comes back to them, but those that map them */
  private async _abandoned(path: string, settled: boolean, maps: Maps): Promise<boolean> {
    const files = (await readdir(path).catch(() => [])).map(name => join(path, name));
    const infos = (await Promise.all([path, ...files].map(at => lstat(at).catch(() => undefined)))).filter(Boolean);
    const mapped = await maps();
    if (
      mapped &&
      (files.some(file => mapped.paths.has(file)) || infos.some(info => mapped.inodes.has(`${info!.ino}`)))
    ) {
      return false;
    }
    const written = Math.max(0, ...infos.map(info => info!.mtimeMs));
    return (settled && mapped !== undefined) || written < Date.now() - ABANDONED_MS;
  }

  /** Remove a folder of another data folder, whose sidecar may begin at this moment: then everything stays in its place. */
  private async _takeAway(directory: string, name: string, dead: () => Promise<boolean>): Promise<boolean> {
    const aside = join(directory, `${this._prefix}removed-${randomBytes(8).toString('hex')}`);
    try {
      await rename(join(directory, name), aside);
      if (await dead()) {
        return await remove(aside);
      }
      await mkdir(join(directory, name), { mode: 0o700 }).catch(() => undefined); // or the other has made it
      for (const file of await readdir(aside)) {
        await rename(join(aside, file), join(directory, name, file));
      }
      await rmdir(aside);
    } catch (error) {
      log(`${join(directory, name)} could not be removed`, error);
    }
    return false;
  }

  private async _sign(directory: string): Promise<void> {
    const { dataDir } = this._options;
    const started = startOf(process.pid);
    const owner: z.infer<typeof zOwner> = { dataDir, machine, pid: process.pid, ...(started && { started }) };
    await writeFile(join(directory, this._ownerFile), `${JSON.stringify(owner)}\n`, { flag: 'wx', mode: 0o600 }).catch(
      error => {
        if (codeOf(error) !== 'EEXIST') {
          throw error;
        }
      }
    );
  }

  /** Run `work` after all earlier work. */
  private _exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this._last.then(work);
    this._last = done.catch(() => undefined);
    return done;
  }

  private get _ownerFile(): string {
    return `${this._prefix}owner-${this._run}.json`;
  }

  private readonly _prefix: string;
  private readonly _run = randomBytes(8).toString('hex');
  private readonly _began = performance.now();
  private _last: Promise<unknown> = Promise.resolve();
}

export namespace ArrayOwners {
  export interface IOptions {
    directories: string[];
    dataDir: string;
    /** Time that clients of an earlier sidecar have to open their sessions again, in milliseconds. */
    graceMs: number;
    /** Does some work while a session is closed, and gives what it gives; nothing and false if the session is open. */
    whileClosed(session: string, work: () => Promise<boolean>): Promise<boolean>;
  }
}

/** What programs map, read when it is needed first. */
type Maps = () => Promise<IMappedFiles | undefined>;

function onceRead(): Maps {
  let maps: Promise<IMappedFiles | undefined> | undefined;
  return () => (maps ??= mappedFiles());
}

/** What lies in a directory, by the digits of its data folder. Links and all that has other names are left out. */
async function belongings(directory: string): Promise<Map<string, IBelongings>> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((): Dirent[] => []);
  const all = new Map<string, IBelongings>();
  for (const entry of entries) {
    const [, prefix, session, owner] = NAME.exec(entry.name) ?? [];
    if (prefix === undefined || !(owner ? entry.isFile() : entry.isDirectory())) {
      continue;
    }
    const group = all.get(prefix) ?? { owners: [], folders: [] };
    all.set(prefix, group);
    if (owner) {
      group.owners.push(entry.name);
    } else {
      group.folders.push({ name: entry.name, session });
    }
  }
  return all;
}

/** Whether the process that a file names may run: it does, or that cannot be told. */
async function mayRun(path: string): Promise<boolean> {
  try {
    const owner = zOwner.parse(JSON.parse(await readFile(path, 'utf8')));
    return owner.machine !== machine || boot === undefined || runs(owner.pid, owner.started);
  } catch (error) {
    return codeOf(error) !== 'ENOENT';
  }
}

/** Remove files that tell owners. */
async function forget(directory: string, owners: string[]): Promise<void> {
  await Promise.all(owners.map(name => unlink(join(directory, name)).catch(() => undefined)));
}

/** Remove a folder. @returns whether it is gone */
async function remove(path: string): Promise<boolean> {
  try {
    await rm(path, { recursive: true, force: true });
    return true;
  } catch (error) {
    log(`${path} could not be removed`, error); // on Windows, while a program maps a file in it
    return false;
  }
}
