/**
 * The steps of a session that can be undone and made again: changes of labels and of classes, whoever made them.
 *
 * They lie in a file in the journal's format, beside the journal. The journal comes first: a change is durable there before its step is
 * added here, and only before the journal forgets the change is this file made durable as well ({@link History.flush}). What a crash
 * leaves out here is made again from the journal ({@link History.settle}). If this file is damaged, steps are lost and labels are not.
 */
import { FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HISTORY_STEPS_MAX } from '../../../src/shared/limits';
import { HistoryStep, LabelClass } from '../../../src/shared/protocol';
import { crc32 } from '../base/crc32';
import { syncDirectory, writeAll } from '../base/files';
import { log } from '../base/log';
import { Edit } from './edit';
import { decode, encode, HEAD_BYTES, JournalRecord, MAGIC, readHead, RecordType } from './journal-format';
import { JournalReader } from './journal-reader';

/** Most bytes of all steps; older steps are dropped. */
const BYTES_MAX = 256 << 20;
/** Bytes of dropped steps that stay in the file at most, beside as many as the steps that are kept have. */
const DROPPED_BYTES_MAX = 1 << 20;

/** A step: what it changed, and what is known of it. */
export interface IStep {
  info: HistoryStep;
  edit: Edit | Promise<Edit>;
  /** If it changed the classes: all of them, before and after. */
  classes?: { before: LabelClass[]; after: LabelClass[] };
}

/** A change in the journal by its serial number: a step, or one that was undone or made again, or one that changed nothing. */
export type Happened = { serial: number } & ({ step: IStep } | { position: number } | { nothing: true });

interface IEntry {
  info: HistoryStep;
  offset: number;
  bytes: number;
  /** The record, until it is in the file. */
  waiting?: Promise<Uint8Array> | undefined;
}

export class History {
  private constructor(
    readonly path: string,
    private readonly _shape: number[]
  ) {}

  /** Read the history of labels of this shape. A file that is missing, damaged or of another shape is a history that is shorter, or empty. */
  static async open(path: string, shape: number[]): Promise<History> {
    const history = new History(path, shape);
    await history._load();
    return history;
  }

  /** The serial number of the last change that the history knows. */
  get serial(): number {
    return this._serial;
  }

  /** How many of the {@link steps} are done; the rest are undone. */
  get position(): number {
    return this._position - this._base;
  }

  /** The number that {@link IRecordJson} calls `position` and `index`: steps that were dropped count as well. */
  get absolutePosition(): number {
    return this._position;
  }

  /** All steps, the oldest first. */
  get steps(): HistoryStep[] {
    return this._entries.map(({ info }) => info);
  }

  /** The step that would be undone. */
  get undoable(): HistoryStep | null {
    return this._entries[this.position - 1]?.info ?? null;
  }

  /** The step that would be made again. */
  get redoable(): HistoryStep | null {
    return this._entries[this.position]?.info ?? null;
  }

  /**
   * Make the history agree with the journal that was read.
   *
   * @param from serial number of the journal's snapshot: the journal knows no change up to it
   * @param to serial number of the journal's last change
   * @param missing changes after {@link serial}, in their order
   */
  async settle(from: number, to: number, missing: readonly Happened[]): Promise<void> {
    if (this._serial > to) {
      await this._load(to); // the last change did not come about in the journal
    }
    if (this._serial < from) {
      this._forget(from); // changes are missing between the two files
    }
    missing.forEach(happened => this.add(happened));
  }

  /** Forget all steps, up to the change of this serial number. */
  clear(serial: number): void {
    this._forget(serial);
    this._queue(() => this._rewrite());
  }

  /** Add a change that is durable in the journal, or that will be with the next snapshot. */
  add(happened: Happened): void {
    const { serial } = happened;
    this._serial = serial;
    if (!('step' in happened)) {
      const position = 'position' in happened ? happened.position : this._position;
      this._moveTo(position);
      this._append(serial, async () => ({
        type: RecordType.move,
        json: { shape: this._shape, position },
        buffers: []
      }));
      return;
    }
    const { info, edit, classes } = happened.step;
    const index = this._position;
    const entry: IEntry = { info, offset: -1, bytes: 0 };
    this._push(index, entry);
    this._append(
      serial,
      async () => {
        const pieces = await edit;
        const rects = pieces.map(({ rect }) => rect);
        const json = { shape: this._shape, index, info, rects, ...(classes && { classes }) };
        return { type: RecordType.step, json, buffers: pieces.map(({ buffer }) => buffer) };
      },
      entry
    );
  }

  /** Take back the last change, which did not come about. */
  async takeBack(): Promise<void> {
    await this._tail;
    await this._load(this._serial - 1);
    this._queue(() => this._rewrite());
  }

  /** Read the step at this number of {@link steps}; `undefined` if its bytes are damaged. */
  async read(index: number): Promise<(IStep & { edit: Edit }) | undefined> {
    const entry = this._entries[index];
    if (!entry) {
      return undefined;
    }
    const reading = this._tail.then(() => readRecord(this.path, entry));
    this._tail = reading.then(
      () => undefined,
      error => log(`${this.path}: the step at byte ${entry.offset} cannot be read`, error)
    );
    const record = await reading.catch(() => undefined);
    if (record?.type !== RecordType.step) {
      return undefined;
    }
    const { info, rects, classes } = record.json;
    const edit = rects.map((rect, i) => ({ rect, buffer: record.buffers[i]! }));
    return { info, edit, ...(classes && { classes }) };
  }

  /** Make everything durable that was added. */
  async flush(): Promise<void> {
    this._queue(async () => {
      await this._file?.datasync();
    });
    await this._tail;
  }

  async close(): Promise<void> {
    await this._tail;
    await this._file?.close();
    this._file = undefined;
  }

  /** Read the file up to the change of this serial number. */
  private async _load(to = Infinity): Promise<void> {
    this._forget(0);
    this._size = 0;
    let reader: JournalReader | undefined;
    try {
      reader = await JournalReader.open(this.path);
      if (!reader || (await reader.shape())?.join() !== this._shape.join()) {
        return;
      }
      for (const found of reader.found) {
        const record = await reader.read(found);
        if (!record || found.serial > to) {
          return;
        }
        if (record.type === RecordType.step) {
          const { index, info } = record.json;
          this._push(index, { info, offset: found.offset, bytes: found.bytes });
        } else if (record.type === RecordType.move) {
          this._moveTo(record.json.position);
        }
        this._serial = this._onDisk = found.serial;
        this._size = found.offset + found.bytes;
      }
    } catch (error) {
      log(`${this.path} cannot be read; the steps in it cannot be undone`, error);
      this._forget(0);
    } finally {
      await reader?.close();
    }
  }

  private _forget(serial: number): void {
    this._entries = [];
    this._base = this._position = 0;
    this._serial = serial;
  }

  /** Add a step at `index`; steps from there on, which were undone, are dropped. */
  private _push(index: number, entry: IEntry): void {
    if (index < this._base || index > this._base + this._entries.length) {
      this._entries = []; // steps between are lost, so those before cannot be undone
      this._base = index;
    }
    this._entries.splice(index - this._base, Infinity, entry);
    this._position = index + 1;
    let bytes = this._entries.reduce((sum, each) => sum + each.bytes, 0);
    while (this._entries.length > HISTORY_STEPS_MAX || (bytes > BYTES_MAX && this._entries.length > 1)) {
      bytes -= this._entries.shift()!.bytes;
      this._base++;
    }
  }

  private _moveTo(position: number): void {
    if (position < this._base || position > this._base + this._entries.length) {
      this._entries = [];
      this._base = position;
    }
    this._position = position;
  }

  private _append(serial: number, record: () => Promise<JournalRecord>, entry?: IEntry): void {
    const encoded = record().then(made => Buffer.concat(encode(made, 0, serial)));
    encoded.catch(() => undefined); // awaited below
    if (entry) {
      entry.waiting = encoded;
    }
    this._queue(async () => {
      const bytes = await encoded;
      if (entry) {
        entry.bytes = bytes.byteLength;
      }
      if (serial <= this._onDisk) {
        return; // a new file has it already
      }
      this._file ??= await this._create();
      const offset = this._size;
      await writeAll(this._file, bytes, offset);
      this._size += bytes.byteLength;
      this._onDisk = serial;
      if (entry) {
        [entry.offset, entry.waiting] = [offset, undefined];
      }
      const kept = this._entries.reduce((sum, each) => sum + each.bytes, 0);
      if (this._size > 2 * kept + DROPPED_BYTES_MAX) {
        await this._rewrite();
      }
    });
  }

  /** Run `work` after all that was queued before. If it fails, the steps stay in memory, and the file is written anew with the next one. */
  private _queue(work: () => Promise<void>): void {
    this._tail = this._tail
      .then(async () => {
        if (this._behind) {
          await this._rewrite();
          this._behind = false;
        }
        await work();
      })
      .catch(error => {
        log(
          `${this.path} cannot be written: if the sidecar ends before it can be, the latest steps cannot be undone`,
          error
        );
        this._behind = true;
      });
  }

  private async _create(): Promise<FileHandle> {
    if (this._size > 0) {
      const file = await open(this.path, 'r+');
      await file.truncate(this._size); // behind it lies what was torn, or did not come about
      return file;
    }
    const file = await open(this.path, 'w', 0o600);
    await writeAll(file, MAGIC, 0);
    this._size = MAGIC.byteLength;
    return file;
  }

  /** Write a new file with the steps that are kept. */
  private async _rewrite(): Promise<void> {
    const temporary = `${this.path}.new`;
    const serial = this._serial;
    const json = { shape: this._shape, position: this._position };
    const entries = [...this._entries];
    const file = await open(temporary, 'w', 0o600);
    try {
      let size = 0;
      const add = async (bytes: Uint8Array) => {
        await writeAll(file, bytes, size);
        size += bytes.byteLength;
        return size - bytes.byteLength;
      };
      await add(MAGIC);
      const offsets: number[] = [];
      for (const entry of entries) {
        offsets.push(await add(await (entry.waiting ?? readBytes(this.path, entry))));
      }
      await add(Buffer.concat(encode({ type: RecordType.move, json, buffers: [] }, 0, serial)));
      await file.sync();
      await rename(temporary, this.path);
      await syncDirectory(dirname(this.path));
      entries.forEach((entry, i) => ([entry.offset, entry.waiting] = [offsets[i]!, undefined]));
      await this._file?.close();
      [this._file, this._size, this._onDisk] = [file, size, serial];
    } catch (error) {
      await file.close();
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  }

  private _entries: IEntry[] = [];
  /** Number of the steps that were dropped before the first entry. */
  private _base = 0;
  /** Number of the steps that are done, with those that were dropped. */
  private _position = 0;
  private _serial = 0;
  /** The serial number of the last change that the file has. */
  private _onDisk = 0;
  /** Bytes of the file. */
  private _size = 0;
  private _file: FileHandle | undefined;
  /** Whether a write failed since the file was last written as a whole. */
  private _behind = false;
  private _tail: Promise<void> = Promise.resolve();
}

async function readBytes(path: string, { offset, bytes }: IEntry): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const out = Buffer.alloc(bytes);
    for (let done = 0; done < bytes;) {
      const { bytesRead } = await file.read(out, done, bytes - done, offset + done);
      if (bytesRead === 0) {
        throw new Error(`${path} ends before byte ${offset + bytes}`);
      }
      done += bytesRead;
    }
    return out;
  } finally {
    await file.close();
  }
}

/** Read a record and check it. Throws an Error if it is damaged. */
async function readRecord(path: string, entry: IEntry): Promise<JournalRecord> {
  const bytes = await readBytes(path, entry);
  const head = readHead(bytes, 0);
  const body = bytes.subarray(HEAD_BYTES);
  if (head?.bytes !== bytes.byteLength || crc32(body) !== head.bodySum) {
    throw new Error('its checksum is wrong');
  }
  return decode(head.type, body);
}
