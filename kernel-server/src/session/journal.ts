/**
 * Writes the labels' journal, a file that survives a crash of the sidecar (its format is in journal-format.ts). It starts with a
 * snapshot of the labels; patches and classes follow in the order in which they were acknowledged.
 *
 * A record counts once the disk has all of it. The torn end that a crash in the middle of a write leaves is cut off. Records that
 * arrive while the disk is busy are written together. A new snapshot is written beside the file and replaces it by a rename.
 */
import { FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import { explainStorage, isFull, isMissing, syncDirectory, unusable, writeAll } from '../base/files';
import { log } from '../base/log';
import { CHANGES_LABELS, encode, JournalRecord, MAGIC, RecordType } from './journal-format';
import { JournalReader } from './journal-reader';
import { keepDamaged } from './keep-file';

/** Makes the records of a snapshot. */
export type Snapshot = () => AsyncIterable<JournalRecord>;

/** What a record is on the disk. */
export interface IWritten {
  /** The version of the labels with it. */
  version: number;
  /** The serial number of its change. */
  serial: number;
}

interface IAppend {
  record: JournalRecord;
  resolve(written: IWritten): void;
  reject(error: unknown): void;
}

interface IExclusive {
  work(): Promise<void>;
}

export class Journal {
  private constructor(
    readonly path: string,
    private _file: FileHandle,
    private _bytes: number,
    private _at: IWritten
  ) {}

  /**
   * Open a journal for writing after all of it was read. A torn end is cut off.
   *
   * @param at of the labels that were read
   * @param damaged makes the snapshot that must replace the file before anything is added, if the file is damaged: see {@link mend}
   * @throws BridgeError `storage` if the file cannot be written
   */
  static async open(reader: JournalReader, at: IWritten, damaged?: Snapshot): Promise<Journal> {
    const { path, size } = reader;
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r+');
      const journal = new Journal(path, file, size, at);
      journal._damaged = damaged;
      await journal._checkSize();
      if (!damaged && reader.end < size) {
        log(`${path}: the last ${size - reader.end} bytes are the start of a record; they are cut off`);
        await file.truncate(reader.end);
        await file.datasync();
        journal._bytes = reader.end;
      }
      return journal;
    } catch (error) {
      await file?.close();
      throw unusable(path, error);
    }
  }

  /** Make a journal from the records of a snapshot. An existing file is replaced. */
  static async create(path: string, at: IWritten, snapshot: Snapshot): Promise<Journal> {
    const { file, bytes } = await writeSnapshot(path, at, snapshot);
    return new Journal(path, file, bytes, at);
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this._bytes;
  }

  /** Where the damaged file is kept that this journal replaced. */
  get copy(): string | undefined {
    return this._damaged ? undefined : this._copy;
  }

  /** Whether the file is damaged and not yet replaced. */
  get damaged(): boolean {
    return this._damaged !== undefined;
  }

  /** The version of the labels, and the serial number of the last change, on the disk. */
  get at(): IWritten {
    return this._at;
  }

  /** Add a record. Settles when the record is on the disk. */
  append(record: JournalRecord): Promise<IWritten> {
    return new Promise((resolve, reject) => {
      this._queue.push({ record, resolve, reject });
      void this._run();
    });
  }

  /** Run `work` while no record is appended: after all earlier calls and before all later ones. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this._queue.push({ work: () => work().then(resolve, reject) });
      void this._run();
    });
  }

  /** Add a record. Call it only inside {@link exclusive}. */
  async write(record: JournalRecord): Promise<IWritten> {
    const [written] = await this._add([record]);
    return written!;
  }

  /** Replace all records by a snapshot of these labels. Call it only inside {@link exclusive}. */
  async replace(at: IWritten, snapshot: Snapshot): Promise<void> {
    await this._checkPath(true);
    if (this._damaged) {
      this._copy ??= await keepDamaged(this.path, 'labels');
    }
    const { file, bytes } = await writeSnapshot(this.path, at, snapshot);
    const old = this._file;
    this._file = file;
    this._bytes = bytes;
    this._at = at;
    this._torn = false;
    this._damaged = undefined;
    await old.close();
  }

  /**
   * If the file is damaged, keep it under another name and replace it by a snapshot. Call it only inside {@link exclusive}. Until
   * this has succeeded, it is tried again before each write, and the file stays as it is.
   */
  async mend(): Promise<void> {
    if (this._damaged) {
      await this.replace(this._at, this._damaged);
    }
  }

  /** Close the file after all earlier calls. */
  async close(): Promise<void> {
    await this.exclusive(async () => this._file.close());
  }

  private async _run(): Promise<void> {
    if (this._running) {
      return;
    }
    this._running = true;
    for (let first = this._queue[0]; first; first = this._queue[0]) {
      if ('work' in first) {
        this._queue.shift();
        await first.work();
        continue;
      }
      const end = this._queue.findIndex(item => 'work' in item);
      const batch = this._queue.splice(0, end < 0 ? this._queue.length : end) as IAppend[];
      try {
        const written = await this._add(batch.map(({ record }) => record));
        batch.forEach((item, i) => item.resolve(written[i]!));
      } catch (error) {
        batch.forEach(item => item.reject(error));
      }
    }
    this._running = false;
  }

  private async _add(records: JournalRecord[]): Promise<IWritten[]> {
    await this.mend();
    // A number is used only for what is on the disk: a gap means that a record is lost.
    let at = this._at;
    const written = records.map(record => (at = after(at, record)));
    await this._write(
      Buffer.concat(records.flatMap((record, i) => encode(record, written[i]!.version, written[i]!.serial)))
    );
    this._at = at;
    return written;
  }

  private async _write(bytes: Uint8Array): Promise<void> {
    if (this._torn) {
      await this._file.truncate(this._bytes);
      this._torn = false;
    }
    await this._checkPath();
    await this._checkSize();
    try {
      await writeAll(this._file, bytes, this._bytes);
      await this._file.datasync();
      this._bytes += bytes.byteLength;
    } catch (error) {
      this._torn = true;
      const explained = isFull(error)
        ? await explainStorage(error, this.path, bytes.byteLength)
        : unusable(this.path, error);
      await this._file.truncate(this._bytes).then(
        () => (this._torn = false),
        problem => log(`${this.path} could not be cut back to ${this._bytes} bytes`, problem)
      );
      throw explained;
    }
  }

  private async _checkSize(): Promise<void> {
    const { size } = await this._file.stat();
    if (size !== this._bytes) {
      throw new BridgeError(
        'internal',
        `${this.path} has ${size} bytes and should have ${this._bytes}: something else writes to it. ` +
          'If another computer works with the same directory, stop it and run the cell again.'
      );
    }
  }

  /** Throw unless the path still leads to the open file: what is written into a removed file is lost when the sidecar ends. */
  private async _checkPath(mayBeMissing = false): Promise<void> {
    const here = await this._file.stat({ bigint: true });
    const there = await stat(this.path, { bigint: true }).catch(error => {
      if (isMissing(error)) {
        return undefined;
      }
      throw unusable(this.path, error);
    });
    if (!there && mayBeMissing) {
      return;
    }
    if (there?.ino !== here.ino || there?.dev !== here.dev) {
      throw new BridgeError(
        'internal',
        `${this.path} was ${there ? 'replaced' : 'removed'} while the sidecar (process ${process.pid}) had it open, so the labels ` +
          'cannot be saved. If another computer works with the same directory, stop SambaLab on one of them and run the cell again.'
      );
    }
  }

  private readonly _queue: (IAppend | IExclusive)[] = [];
  private _running = false;
  /** Whether part of a record may stand behind the last good byte. */
  private _torn = false;
  private _damaged: Snapshot | undefined;
  private _copy: string | undefined;
}

async function writeSnapshot(
  path: string,
  { version, serial }: IWritten,
  snapshot: Snapshot
): Promise<{ file: FileHandle; bytes: number }> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w+', 0o600).catch(async error => {
    throw await explainStorage(error, path);
  });
  try {
    let bytes = 0;
    const add = async (piece: Uint8Array) => {
      await writeAll(file, piece, bytes);
      bytes += piece.byteLength;
    };
    await add(MAGIC);
    for await (const record of snapshot()) {
      await add(Buffer.concat(encode(record, version, serial)));
    }
    await file.sync();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
    return { file, bytes };
  } catch (error) {
    const explained = await explainStorage(error, path);
    await file.close();
    await unlink(temporary).catch(() => undefined);
    throw explained;
  }
}

function after({ version, serial }: IWritten, record: JournalRecord): IWritten {
  const changesLabels = CHANGES_LABELS.has(record.type);
  const counts = changesLabels || (record.type === RecordType.classes && record.json.step !== undefined);
  return { version: version + (changesLabels ? 1 : 0), serial: serial + (counts ? 1 : 0) };
}
