/**
 * Keeps a directory to one process, on every computer and in every container that shares the directory.
 *
 * The lock is a file `sidecar-<n>.lock` in the directory: the file of the highest number counts, and names its owner. A process that finds
 * no owner, or one that is surely gone, makes the file of the next number; the file system lets one process alone make it, so two cannot
 * take over at the same time. At its end the owner writes that the lock is free and does not remove the file, so numbers only rise.
 *
 * An owner of this machine is gone if nothing listens at its socket, which lies beside the file. Where there can be no socket, the
 * process's number and start tell. Another computer cannot be asked: its owner counts until its file, which it writes every
 * beat, has not changed for {@link ABSENT_MS}. If the file is removed or overtaken, its owner is told.
 */
import { randomBytes } from 'node:crypto';
import { openSync } from 'node:fs';
import { FileHandle, link, lstat, open, readdir, readFile, unlink } from 'node:fs/promises';
import { connect, createServer, Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { codeOf, explainStorage, isFull, isMissing } from './files';
import { log } from './log';
import { boot, machine, runs, startOf } from './machine';

/** Interval between two writes of the owner, in milliseconds, if no other is given. */
const BEAT_MS = 10_000;
/** Silence after which an owner on another computer is gone, in milliseconds. */
const ABSENT_MS = 3600_000;
/** Time in which a file is made whole, where it cannot be made whole at once, in milliseconds. */
const MAKING_MS = 2000;
/** The content of a lock without an owner. */
const FREE = '{}\n';
/** Unix socket paths end at 107 bytes on Linux and 103 on macOS. */
const SOCKET_PATH_MAX = 100;

const zOwner = z.object({
  host: z.string(),
  boot: z.string().optional(),
  machine: z.string(),
  pid: z.number().int().positive(),
  /** Start of the process, if the system tells. */
  started: z.string().optional(),
  /** Name of the socket in the directory, or of a Windows pipe. */
  socket: z
    .string()
    .regex(/^(sidecar-[0-9a-f]+\.sock|\\\\\.\\pipe\\sambalab-[0-9a-f]+)$/)
    .optional()
});
type Owner = z.infer<typeof zOwner>;

interface IFound {
  number: number;
  path: string;
  /** `undefined` if the lock is free or damaged. */
  owner: Owner | undefined;
  /** Whether the file is not whole, perhaps not yet. */
  damaged: boolean;
  /** Milliseconds since the file was written, by the file system's clock. */
  silence: number;
}

export class DirectoryLock {
  /**
   * Take the lock of a directory.
   *
   * @param lost called when the lock was removed, or another process took it over
   * @param beatMs interval between two writes of the owner, in milliseconds; the same for all who share the directory
   * @throws Error that names the owner and says what to do
   */
  static async take(directory: string, lost: (why: string) => void, beatMs = BEAT_MS): Promise<DirectoryLock> {
    const lock = new DirectoryLock(directory, lost, beatMs);
    try {
      await lock._take();
    } catch (error) {
      lock._server?.close();
      throw error;
    }
    return lock;
  }

  private constructor(
    private readonly _directory: string,
    private readonly _lost: (why: string) => void,
    private readonly _beatMs: number
  ) {}

  /** Silence after which the owner is gone if its computer has our host's name and was started anew, in milliseconds. */
  private get _silentMs(): number {
    return 4 * this._beatMs;
  }

  /** Time to wait for an owner that is just stopping, in milliseconds. */
  private get _waitMs(): number {
    return this._beatMs / 2;
  }

  /** Free the lock. */
  async release(): Promise<void> {
    clearInterval(this._timer);
    await this._beating;
    this._server?.close();
    if (this._file && !this._isLost) {
      await this._file
        .truncate(0)
        .then(() => this._file?.write(FREE, 0))
        .catch(error => log(`${this._path} could not be freed`, error));
    }
    await this._file?.close();
    this._file = undefined;
  }

  private async _take(): Promise<void> {
    const socket = await this._listen();
    const started = startOf(process.pid);
    const owner: Owner = {
      host: hostname(),
      ...(boot && { boot }),
      machine,
      pid: process.pid,
      ...(started && { started }),
      ...(socket && { socket })
    };
    this._text = JSON.stringify(owner) + '\n';
    const start = performance.now();
    for (;;) {
      const present = await this._find();
      const waited = performance.now() - start;
      if (present?.damaged && present.silence < MAKING_MS) {
        await new Promise(resolve => setTimeout(resolve, 100));
        continue;
      }
      const doubt = present?.owner && (await this._doubt(present, present.owner));
      if (!doubt) {
        if (await this._make((present?.number ?? 0) + 1, present)) {
          return;
        }
        continue; // another process was faster
      }
      if (waited > doubt.wait) {
        throw new Error(doubt.refusal);
      }
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  }

  /** Why the owner may still be there: how long to wait for its end, and what to say then. `undefined` if it is surely gone. */
  private async _doubt(
    { silence, path }: IFound,
    owner: Owner
  ): Promise<{ wait: number; refusal: string } | undefined> {
    const { host, pid } = owner;
    if (owner.boot ? owner.boot === boot : owner.host === hostname()) {
      const alive = await this._alive(owner);
      if (alive === 'no' || (alive === 'unknown' && silence > this._silentMs)) {
        return undefined;
      }
      const refusal =
        `Another sidecar uses the data directory ${this._directory}: process ${pid}${owner.machine === machine ? '' : ` in another container, ${host}`}. ` +
        'Stop it (sambalab.shutdown() in its notebook), or set SAMBALAB_DATA_DIR to another directory.';
      return { wait: alive === 'yes' ? this._waitMs : this._silentMs + this._waitMs, refusal };
    }
    const restarted = host === hostname(); // or another computer of this name, which would still write
    if (silence > (restarted ? this._silentMs : ABSENT_MS)) {
      return undefined;
    }
    const refusal =
      `The data directory ${this._directory} is in use on another computer, ${host} (process ${pid}, last heard ` +
      `${Math.round(Math.max(0, silence) / 1000)} s ago), and two must not write into it at the same time. Stop SambaLab there ` +
      '(sambalab.shutdown() in a notebook); or set SAMBALAB_DATA_DIR and SAMBALAB_RUNTIME_DIR to other directories here. ' +
      `If ${host} is switched off or the process has ended, remove ${path}.`;
    return { wait: restarted ? this._silentMs + this._waitMs : this._waitMs, refusal };
  }

  /** Whether an owner on this computer runs. */
  private async _alive(owner: Owner): Promise<'yes' | 'no' | 'unknown'> {
    const here = owner.machine === machine;
    const answer = owner.socket ? await this._through(owner.socket, reach).catch(() => 'unknown' as const) : 'unknown';
    if (answer === 'yes' || (answer === 'no' && here)) {
      return answer;
    }
    if (!here) {
      return 'unknown'; // another container may see another socket by the same path, and its process numbers mean nothing here
    }
    return runs(owner.pid, owner.started) ? 'yes' : 'no';
  }

  /** The lock of the highest number. */
  private async _find(): Promise<IFound | undefined> {
    const numbers = await this._numbers();
    const number = numbers[numbers.length - 1];
    if (number === undefined) {
      return undefined;
    }
    const path = this._pathOf(number);
    try {
      const info = await lstat(path);
      if (!info.isFile()) {
        throw new Error('it is not a regular file');
      }
      const { mtimeMs } = info;
      const text = await readFile(path, 'utf8');
      const owner = parse(text);
      return { number, path, owner, damaged: !owner && text !== FREE, silence: (await this._now()) - mtimeMs };
    } catch (error) {
      if (isMissing(error)) {
        return this._find(); // a new owner has just cleared it away
      }
      if (isFull(error)) {
        throw await explainStorage(error, path);
      }
      throw new Error(`The lock ${path} cannot be read: ${(error as Error).message}. Make it readable, or remove it.`);
    }
  }

  /** The time by the clock that stamps this directory's files: that of a file server differs from ours. */
  private async _now(): Promise<number> {
    const path = join(this._directory, `sidecar-${randomBytes(6).toString('hex')}.tmp`);
    const file = await open(path, 'wx', 0o600);
    try {
      return (await file.stat()).mtimeMs;
    } finally {
      await file.close();
      await unlink(path).catch(() => undefined);
    }
  }

  private async _numbers(): Promise<number[]> {
    const names = await readdir(this._directory);
    const numbers = names.flatMap(name => /^sidecar-(\d{1,15})\.lock$/.exec(name)?.slice(1).map(Number) ?? []);
    return numbers.sort((a, b) => a - b);
  }

  /** Make the lock of a number, and remove the older ones. @returns whether the lock is ours */
  private async _make(number: number, present: IFound | undefined): Promise<boolean> {
    const path = this._pathOf(number);
    if (!(await createWhole(path, this._text))) {
      return false;
    }
    const numbers = await this._numbers();
    if (numbers[numbers.length - 1] !== number) {
      await unlink(path).catch(() => undefined); // another process has made a higher one and cleared ours away before
      return false;
    }
    this._path = path;
    this._file = await open(path, 'r+');
    this._inode = (await this._file.stat({ bigint: true })).ino;
    for (const older of numbers.slice(0, -1)) {
      await unlink(this._pathOf(older)).catch(() => undefined);
    }
    if (present?.owner) {
      log(`the lock of process ${present.owner.pid} on ${present.owner.host}, which is gone, was taken over`);
      if (present.owner.socket?.endsWith('.sock')) {
        await unlink(join(this._directory, present.owner.socket)).catch(() => undefined);
      }
    }
    this._timer = setInterval(() => {
      this._beating = this._beating.then(() => this._beat());
    }, this._beatMs);
    this._timer.unref();
    return true;
  }

  /** Write the file again, and see whether it still counts. */
  private async _beat(): Promise<void> {
    if (!this._file || this._isLost) {
      return;
    }
    try {
      const numbers = await this._numbers();
      const here = await lstat(this._path, { bigint: true }).catch(() => undefined);
      const last = numbers[numbers.length - 1];
      if (here?.ino !== this._inode || (last !== undefined && this._pathOf(last) !== this._path)) {
        this._isLost = true;
        clearInterval(this._timer);
        this._lost(here ? `another sidecar has taken over ${this._directory}` : `its lock ${this._path} was removed`);
        return;
      }
      await this._file.write(this._text, 0);
      await this._file.datasync();
    } catch (error) {
      log(`${this._path} could not be written`, error);
    }
  }

  /** Listen at a socket in the directory, which tells others that this process runs. @returns its name; `undefined` if there can be none */
  private async _listen(): Promise<string | undefined> {
    const random = randomBytes(6).toString('hex');
    const name = process.platform === 'win32' ? `\\\\.\\pipe\\sambalab-${random}` : `sidecar-${random}.sock`;
    const server = createServer(connection => connection.destroy());
    try {
      await this._through(
        name,
        path =>
          new Promise<void>((resolve, reject) => {
            server.once('error', reject);
            server.listen(path, resolve);
          })
      );
    } catch (error) {
      log(`${this._directory} has no sockets`, error);
      return undefined;
    }
    server.on('error', error => log('the socket of the lock failed', error));
    server.unref();
    this._server = server;
    return name;
  }

  /** Use a socket by a path that is short enough: on Linux, by that of the opened directory. */
  private async _through<T>(name: string, use: (path: string) => Promise<T>): Promise<T> {
    const path = process.platform === 'win32' ? name : join(this._directory, name);
    if (process.platform === 'win32' || Buffer.byteLength(path) <= SOCKET_PATH_MAX) {
      return use(path);
    }
    if (process.platform !== 'linux') {
      throw new Error(`the path ${path} is too long for a socket`);
    }
    // Open until the process ends: the server removes its socket by the same path.
    this._folder ??= openSync(this._directory, 'r');
    return use(`/proc/self/fd/${this._folder}/${name}`);
  }

  private _pathOf(number: number): string {
    return join(this._directory, `sidecar-${number}.lock`);
  }

  private _text = '';
  private _path = '';
  private _file: FileHandle | undefined;
  private _inode: bigint | undefined;
  private _server: Server | undefined;
  private _folder: number | undefined;
  private _timer: ReturnType<typeof setInterval> | undefined;
  private _beating: Promise<void> = Promise.resolve();
  private _isLost = false;
}

function parse(text: string): Owner | undefined {
  try {
    return zOwner.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Make a file with its whole content, unless it exists. @returns whether it was made */
async function createWhole(path: string, text: string): Promise<boolean> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await create(temporary, text);
    // Some file systems have no links. There, others may see the file before it is whole, and wait for MAKING_MS.
    await link(temporary, path).catch(async error => {
      if (codeOf(error) === 'EEXIST') {
        throw error;
      }
      await create(path, text);
    });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      return false;
    }
    throw await explainStorage(error, path, Buffer.byteLength(text));
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

async function create(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Whether a process listens at a socket. */
function reach(path: string): Promise<'yes' | 'no' | 'unknown'> {
  return new Promise(resolve => {
    const probe = connect(path);
    const answer = (listens: 'yes' | 'no' | 'unknown') => {
      probe.destroy();
      resolve(listens);
    };
    probe.once('connect', () => answer('yes'));
    probe.once('error', error => {
      const code = codeOf(error);
      // EAGAIN: so many wait that it is stopped or busy. A missing file says nothing on Unix, where somebody may have removed it.
      const gone = code === 'ECONNREFUSED' || (code === 'ENOENT' && process.platform === 'win32');
      answer(gone ? 'no' : code === 'EAGAIN' ? 'yes' : 'unknown');
    });
    probe.setTimeout(2000, () => answer('yes'));
  });
}
