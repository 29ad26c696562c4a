/**
 * Reads a journal without changing it. Damaged bytes do not end the reading: from there on, the reader looks for the next byte at
 * which an intact record starts.
 */
import { FileHandle, open } from 'node:fs/promises';
import { crc32 } from '../base/crc32';
import { isMissing, unusable } from '../base/files';
import { log } from '../base/log';
import { decode, HEAD_BYTES, IHead, JournalRecord, MAGIC, readHead, RecordType } from './journal-format';

/** Bytes that are read at once. */
const WINDOW = 1 << 20;

/** How often the body of one head is summed. */
const TRIES_MAX = 8;

/** Where an intact record stands. */
export interface IFound extends IHead {
  offset: number;
}

export class JournalReader {
  private constructor(
    readonly path: string,
    private readonly _file: FileHandle,
    /** Bytes of the file. */
    readonly size: number,
    /** When the file was last written. */
    readonly changed: Date
  ) {}

  /**
   * Find the records of a journal; `undefined` if there is no file.
   *
   * @throws BridgeError `storage` if the file cannot be read. That says nothing about its content.
   */
  static async open(path: string): Promise<JournalReader | undefined> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r');
      const info = await file.stat();
      if (!info.isFile()) {
        throw new Error('it is not a regular file');
      }
      const reader = new JournalReader(path, file, info.size, info.mtime);
      await reader._scan();
      return reader;
    } catch (error) {
      await file?.close();
      if (isMissing(error)) {
        return undefined;
      }
      throw unusable(path, error);
    }
  }

  /** The intact records in the order of the file. */
  readonly found: IFound[] = [];

  /** Heads of records whose body is damaged. */
  readonly headsOnly: IHead[] = [];

  /** Bytes that belong to no intact record, without a torn end. */
  damagedBytes = 0;

  /**
   * Bytes up to the end of the last intact record. What follows is a torn end: the start of one record, as a crash during a
   * write leaves it. If the end is damaged in another way, this is the whole size.
   */
  end = 0;

  /** Whether the file's last bytes may have held records of which nothing is known. */
  endUnknown = false;

  /**
   * Read a record; `undefined` if its body makes no sense.
   *
   * @throws BridgeError `storage` if the file cannot be read
   */
  async read({ offset, bytes, type }: IFound): Promise<JournalRecord | undefined> {
    let body: Buffer;
    try {
      body = await this._bytes(offset + HEAD_BYTES, bytes - HEAD_BYTES);
    } catch (error) {
      throw unusable(this.path, error);
    }
    try {
      return decode(type, body);
    } catch (error) {
      log(`${this.path}: the record at byte ${offset} makes no sense`, error);
      return undefined;
    }
  }

  /** The shape of the labels, which every record says; `undefined` if no record is intact. */
  async shape(): Promise<number[] | undefined> {
    for (const found of this.found) {
      const record = await this.read(found);
      if (record) {
        return record.json.shape;
      }
    }
    return undefined;
  }

  /** Whether the journal has records from which labels come. */
  get mayHoldLabels(): boolean {
    return this.found.some(({ type }) => type === RecordType.chunk || type === RecordType.patch);
  }

  async close(): Promise<void> {
    await this._file.close();
  }

  private async _scan(): Promise<void> {
    const { size } = this;
    const magic = await this._bytes(0, Math.min(MAGIC.byteLength, size));
    let offset = MAGIC.byteLength;
    if (!magic.equals(MAGIC)) {
      offset = await this._search(0);
      this.damagedBytes += offset;
      this.endUnknown = offset === size;
    }
    while (offset < size) {
      const here = await this._intact(offset);
      if (here) {
        this.found.push(here);
        offset += here.bytes;
        continue;
      }
      const next = await this._search(offset + 1);
      if (next === size && (await this._isTorn(offset))) {
        this.end = offset;
        return;
      }
      if (next === size) {
        this.endUnknown = !(await this._headsReach(offset));
      }
      this.damagedBytes += next - offset;
      offset = next;
    }
    this.end = size;
  }

  /** The record at `offset` if it is intact. */
  private async _intact(offset: number): Promise<IFound | undefined> {
    const head = await this._head(offset);
    if (!head || offset + head.bytes > this.size) {
      return undefined;
    }
    // A head stands once in a file. Damage that repeats a block must not make the reader sum a large body thousands of times.
    const key = Object.values(head).join();
    const tries = (this._tries.get(key) ?? 0) + 1;
    if (tries > TRIES_MAX) {
      return undefined;
    }
    if (crc32(await this._bytes(offset + HEAD_BYTES, head.bytes - HEAD_BYTES)) !== head.bodySum) {
      this._tries.set(key, tries);
      this.headsOnly.push(head);
      return undefined;
    }
    return { ...head, offset };
  }

  /** The next byte from `offset` on at which an intact record starts; the file's size if there is none. */
  private async _search(offset: number): Promise<number> {
    for (let start = offset; start + HEAD_BYTES <= this.size;) {
      const window = await this._bytes(start, Math.min(WINDOW, this.size - start));
      const last = window.byteLength - HEAD_BYTES;
      for (let i = 0; i <= last; i++) {
        // The CRC of a body is summed only behind an intact head, so the search takes a time that grows with the bytes alone.
        if (readHead(window, i) && (await this._intact(start + i))) {
          return start + i;
        }
      }
      start += last + 1;
    }
    return this.size;
  }

  /** Whether the bytes from `offset` to the file's end are the start of one record. */
  private async _isTorn(offset: number): Promise<boolean> {
    const head = await this._head(offset);
    return this.size - offset < HEAD_BYTES || (head !== undefined && offset + head.bytes > this.size);
  }

  /** Whether heads say of all bytes from `offset` on which records they were. */
  private async _headsReach(offset: number): Promise<boolean> {
    while (offset < this.size && !(await this._isTorn(offset))) {
      const head = await this._head(offset);
      if (!head) {
        return false;
      }
      offset += head.bytes;
    }
    return true;
  }

  private async _head(offset: number): Promise<IHead | undefined> {
    return offset + HEAD_BYTES > this.size ? undefined : readHead(await this._bytes(offset, HEAD_BYTES), 0);
  }

  /** Bytes of the file. They are valid until the next call. */
  private async _bytes(offset: number, length: number): Promise<Buffer> {
    const from = offset - this._windowAt;
    if (from >= 0 && from + length <= this._window.byteLength) {
      return this._window.subarray(from, from + length);
    }
    const window = Buffer.allocUnsafe(Math.min(Math.max(length, WINDOW), this.size - offset));
    for (let done = 0; done < window.byteLength;) {
      const { bytesRead } = await this._file.read(window, done, window.byteLength - done, offset + done);
      if (bytesRead === 0) {
        throw new Error(`it ends at byte ${offset + done} of ${this.size}`);
      }
      done += bytesRead;
    }
    [this._window, this._windowAt] = [window, offset];
    return window.subarray(0, length);
  }

  /** How often a body did not match its head, by head. */
  private readonly _tries = new Map<string, number>();
  private _window = Buffer.alloc(0);
  private _windowAt = 0;
}
