/**
 * The labels' journal, a file that survives a crash of the sidecar. It holds a magic number, then records
 * [bytes of body: u32][CRC-32 of body: u32][body = type: u8, payload], little endian. The first records are a snapshot
 * (begin, chunks, end), the others are patches in the order in which they were acknowledged.
 *
 * A record counts once the disk has all of it. The torn end that a crash in the middle of a write leaves is cut off. Records that
 * arrive while the disk is busy are written together. A new snapshot is written beside the file and replaces it by a rename.
 */
import { copyFile, FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import { MESSAGE_BYTES_MAX } from '../../../src/shared/frames';
import { crc32 } from '../base/crc32';
import { explainFull, isMissing, syncDirectory } from '../base/files';
import { log } from '../base/log';

const MAGIC = Buffer.from('SLABJ1\r\n', 'latin1');
const HEAD_BYTES = 8;
/** Most bytes of a record. A larger length means that the file is damaged. */
const RECORD_BYTES_MAX = MESSAGE_BYTES_MAX + (1 << 20);

/** Types of records. */
export enum RecordType {
  begin = 1,
  chunk = 2,
  end = 3,
  patch = 4
}

/** A record of the journal. */
export interface IRecord {
  type: RecordType;
  json: unknown;
  buffers: Uint8Array[];
}

interface IAppend {
  bytes: Uint8Array[];
  resolve(): void;
  reject(error: unknown): void;
}

interface IExclusive {
  work(): Promise<void>;
}

export class Journal {
  private constructor(
    readonly path: string,
    private _file: FileHandle,
    private _bytes: number
  ) {}

  /** Open a journal and hand its records to `visit`, or return `undefined` if there is none. */
  static async open(path: string, visit: (record: IRecord) => Promise<void>): Promise<Journal | undefined> {
    let file: FileHandle;
    try {
      file = await open(path, 'r+');
    } catch (error) {
      if (isMissing(error)) {
        return undefined;
      }
      throw error;
    }
    try {
      const { size } = await file.stat();
      const magic = Buffer.alloc(MAGIC.byteLength);
      await file.read(magic, 0, magic.byteLength, 0);
      if (!magic.equals(MAGIC)) {
        throw new BridgeError(
          'internal',
          `${path} is not a journal of labels; its first bytes are ${magic.toString('hex')}.`
        );
      }
      let good = MAGIC.byteLength;
      for (;;) {
        const body = await readBody(file, good, size);
        if (!body) {
          break;
        }
        await visit(decode(body));
        good += HEAD_BYTES + body.byteLength;
      }
      if (good < size) {
        log(`${path}: the last ${size - good} bytes are not a whole record; the file is cut after ${good} bytes`);
        await copyFile(path, `${path}.cut`).catch(() => undefined);
        await file.truncate(good);
        await file.datasync();
      }
      return new Journal(path, file, good);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Make a journal from the records of a snapshot. An existing file is replaced. */
  static async create(path: string, snapshot: AsyncIterable<IRecord>): Promise<Journal> {
    const { file, bytes } = await writeSnapshot(path, snapshot);
    return new Journal(path, file, bytes);
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this._bytes;
  }

  /** Add a record. Settles when the record is on the disk. */
  append(record: IRecord): Promise<void> {
    return new Promise((resolve, reject) => {
      this._queue.push({ bytes: encode(record), resolve, reject });
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

  /** Replace all records by a snapshot. Call it only inside {@link exclusive}. */
  async replace(snapshot: AsyncIterable<IRecord>): Promise<void> {
    await this._checkPath(true);
    const { file, bytes } = await writeSnapshot(this.path, snapshot);
    const old = this._file;
    this._file = file;
    this._bytes = bytes;
    this._torn = false;
    await old.close();
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
        await this._write(Buffer.concat(batch.flatMap(item => item.bytes)));
        batch.forEach(item => item.resolve());
      } catch (error) {
        batch.forEach(item => item.reject(error));
      }
    }
    this._running = false;
  }

  private async _write(bytes: Uint8Array): Promise<void> {
    if (this._torn) {
      await this._file.truncate(this._bytes);
      this._torn = false;
    }
    await this._checkPath();
    const { size } = await this._file.stat();
    if (size !== this._bytes) {
      throw new BridgeError(
        'internal',
        `${this.path} has ${size} bytes and should have ${this._bytes}: something else writes to it. ` +
          'If another computer works with the same directory, stop it and run the cell again.'
      );
    }
    try {
      await writeAll(this._file, bytes, this._bytes);
      await this._file.datasync();
      this._bytes += bytes.byteLength;
    } catch (error) {
      this._torn = true;
      const explained = await explainFull(error, this.path, bytes.byteLength);
      await this._file.truncate(this._bytes).then(
        () => (this._torn = false),
        problem => log(`${this.path} could not be cut back to ${this._bytes} bytes`, problem)
      );
      throw explained;
    }
  }

  /** Throw unless the path still leads to the open file: what is written into a removed file is lost when the sidecar ends. */
  private async _checkPath(mayBeMissing = false): Promise<void> {
    const here = await this._file.stat({ bigint: true });
    const there = await stat(this.path, { bigint: true }).catch(error => {
      if (isMissing(error)) {
        return undefined;
      }
      throw error;
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
}

/** The bytes of a record: head and body, in pieces. */
function encode(record: IRecord): Uint8Array[] {
  const lengths = record.buffers.map(buffer => buffer.byteLength);
  const json = Buffer.from(JSON.stringify({ json: record.json, lengths }));
  const start = Buffer.alloc(5);
  start[0] = record.type;
  start.writeUInt32LE(json.byteLength, 1);
  const body = [start, json, ...record.buffers];
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(
    body.reduce((sum, piece) => sum + piece.byteLength, 0),
    0
  );
  head.writeUInt32LE(
    body.reduce((crc, piece) => crc32(piece, crc), 0),
    4
  );
  return [head, ...body];
}

function decode(body: Buffer): IRecord {
  const jsonEnd = 5 + body.readUInt32LE(1);
  const { json, lengths } = JSON.parse(body.toString('utf8', 5, jsonEnd)) as { json: unknown; lengths: number[] };
  let offset = jsonEnd;
  const buffers = lengths.map(length => body.subarray(offset, (offset += length)));
  return { type: body[0]!, json, buffers };
}

/** The body of the record at `offset`, or `undefined` if the record is missing, cut or damaged. */
async function readBody(file: FileHandle, offset: number, size: number): Promise<Buffer | undefined> {
  if (offset + HEAD_BYTES > size) {
    return undefined;
  }
  const head = Buffer.alloc(HEAD_BYTES);
  await file.read(head, 0, HEAD_BYTES, offset);
  const length = head.readUInt32LE(0);
  if (length < 5 || length > RECORD_BYTES_MAX || offset + HEAD_BYTES + length > size) {
    return undefined;
  }
  const body = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(body, done, length - done, offset + HEAD_BYTES + done);
    if (bytesRead === 0) {
      return undefined;
    }
    done += bytesRead;
  }
  return crc32(body) === head.readUInt32LE(4) ? body : undefined;
}

async function writeSnapshot(
  path: string,
  snapshot: AsyncIterable<IRecord>
): Promise<{ file: FileHandle; bytes: number }> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w+', 0o600).catch(async error => {
    throw await explainFull(error, path);
  });
  try {
    let bytes = 0;
    const add = async (piece: Uint8Array) => {
      await writeAll(file, piece, bytes);
      bytes += piece.byteLength;
    };
    await add(MAGIC);
    for await (const record of snapshot) {
      await add(Buffer.concat(encode(record)));
    }
    await file.sync();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
    return { file, bytes };
  } catch (error) {
    const explained = await explainFull(error, path);
    await file.close();
    await unlink(temporary).catch(() => undefined);
    throw explained;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    done += (await file.write(bytes, done, bytes.byteLength - done, position + done)).bytesWritten;
  }
}
