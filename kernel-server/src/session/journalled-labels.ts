/**
 * The labels of a session: a uint8 array [slices, rows, columns] that Python maps, and the journal from which it can be rebuilt.
 * Each change is written to the journal on the disk, then to the array, then acknowledged.
 */
import { stat, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, deflateRaw } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { CLASSES_MAX, LABEL_TILE } from '../../../src/shared/limits';
import { Lru } from '../../../src/shared/lru';
import { ArrayDescriptor, LabelClass } from '../../../src/shared/protocol';
import { byteLength } from '../arrays/dtypes';
import { breathe, isBlank } from '../base/files';
import { Journal, Snapshot } from './journal';
import { JournalRecord, RecordType } from './journal-format';
import { JournalReader } from './journal-reader';
import { keepFile } from './keep-file';
import { log } from '../base/log';
import { inflateMask, Painted, Patch } from './patch-mask';
import { CHUNK, ILoss, IPatchResult, paintPatch, replay } from './replay';
import { TileFile } from '../arrays/tile-file';

const deflate = promisify(deflateRaw);

/** Most remembered answers. A patch that arrives again, within seconds, gets its old answer and is not applied again. */
const RESULTS_MAX = 4096;
/** A journal smaller than this is never compacted. */
const COMPACT_BYTES = 4 << 20;

export class JournalledLabels {
  private constructor(
    readonly array: ArrayDescriptor,
    private readonly _file: TileFile,
    private readonly _compactBytes: number,
    private readonly _chunkBytes: number
  ) {}

  /**
   * Fill `array` from a journal, or make the journal at `path` if there is none. A damaged journal is replaced by a new one, after
   * it was kept under another name.
   *
   * @throws BridgeError `invalid` if the journal is for labels of another shape, `storage` if it cannot be read or written. Then the
   * file is as it was.
   */
  static async open(
    path: string,
    array: ArrayDescriptor,
    options: JournalledLabels.IOptions = {}
  ): Promise<JournalledLabels> {
    const { blank = false, compactBytes = COMPACT_BYTES, chunkBytes = CHUNK, version = 0, classes } = options;
    const reader = options.reader ?? (await JournalReader.open(path));
    let store: JournalledLabels | undefined;
    try {
      const shape = await reader?.shape();
      if (shape && shape.join() !== array.shape.join()) {
        throw new BridgeError(
          'invalid',
          `The journal has labels of shape [${shape.join(', ')}], not [${array.shape.join(', ')}].`
        );
      }
      store = new JournalledLabels(array, new TileFile(array, 'r+'), compactBytes, chunkBytes);
      await store._open(path, reader, { version, classes, blank });
      return store;
    } catch (error) {
      store?._file.close();
      throw error;
    } finally {
      await reader?.close();
    }
  }

  /** Called for each rectangle that changed, before the change is acknowledged. Set by the session, which updates the segmentation. */
  onPaint: Painted = () => undefined;

  /** Set by the session: called when the labels have a new version. */
  onChange: () => void = () => undefined;

  get version(): number {
    return this._version;
  }

  /** Labelled pixels of each class id. */
  get counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    this._counts.forEach((n, id) => {
      if (id > 0 && n > 0) {
        counts[id] = n;
      }
    });
    return counts;
  }

  /** Labelled pixels of one class. */
  count(id: number): number {
    return this._counts[id] ?? 0;
  }

  /** Labelled pixels. */
  get pixels(): number {
    return this._counts.reduce((sum, n, id) => (id > 0 ? sum + n : sum), 0);
  }

  /** What damage of the journal has cost; null if it was whole when it was opened. */
  get loss(): ILoss | null {
    return this._loss;
  }

  /** Where the damaged journal is kept; undefined if there was none, or if it could not be replaced yet. */
  get copy(): string | undefined {
    return this._journal.copy;
  }

  /** Whether the journal is damaged and could not be replaced. Until it is, every change is refused. */
  get damaged(): boolean {
    return this._journal.damaged;
  }

  /** The classes that the journal holds. */
  get classes(): LabelClass[] {
    return this._classes;
  }

  /** Keep the classes in the journal, beside the labels that need them. */
  async setClasses(classes: LabelClass[]): Promise<void> {
    const json = JSON.stringify(classes);
    if (json === this._journalledClasses) {
      return;
    }
    this._classes = classes;
    await this._journal.append({ type: RecordType.classes, json: { shape: this.array.shape, classes }, buffers: [] });
    this._journalledClasses = json;
  }

  /** When the labels last changed. */
  get changed(): Date {
    return this._changed;
  }

  /**
   * Journal a patch and apply it. If the patch of this `id` was applied before, return its answer only.
   *
   * @throws BridgeError `invalid` for wrong tiles or masks, `disk-full` if the journal cannot be written. Then nothing has changed.
   */
  async patch(id: string, patch: Patch, buffers: Uint8Array[]): Promise<IPatchResult> {
    const known = this._results.peek(id) ?? this._applying.get(id);
    if (known) {
      return known;
    }
    const masks = this._check(patch, buffers);
    const durable = this._journal.append({
      type: RecordType.patch,
      json: { shape: this.array.shape, id, patch },
      buffers
    });
    durable.catch(() => undefined); // awaited below, perhaps only after it has failed
    const before = this._tail;
    // Patches are applied in the order of the journal, whatever the order in which the promises settle.
    const applied = (async () => {
      await before.catch(() => undefined);
      const version = await durable;
      const changed = await paintPatch(this._file, patch, masks, this._counts, (rect, labels) =>
        this.onPaint(rect, labels)
      );
      this._advance(version);
      const result = { version, changed };
      this._results.set(id, result);
      return result;
    })();
    this._applying.set(id, applied);
    this._tail = applied;
    try {
      return await applied;
    } finally {
      this._applying.delete(id);
      this._compactLater();
    }
  }

  /** Run `work` after all earlier patches and before all later ones. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this._tail;
    return this._journal.exclusive(async () => {
      await before.catch(() => undefined);
      return work();
    });
  }

  /**
   * Replace all labels by those of another file of the same size.
   *
   * @throws BridgeError `invalid` for ids that are not in `ids`.
   */
  async replace(from: ArrayDescriptor, ids: Set<number>): Promise<IPatchResult> {
    const source = new TileFile(from, 'r');
    try {
      return await this.exclusive(async () => {
        const counts = new Array<number>(CLASSES_MAX + 1).fill(0);
        let changed = 0;
        for (const { position, length } of this._chunks()) {
          const next = source.readBytes(position, length);
          const old = this._file.readBytes(position, length);
          for (let i = 0; i < length; i++) {
            counts[next[i]!]!++;
            changed += next[i] === old[i] ? 0 : 1;
          }
          await breathe();
        }
        const unknown = counts.flatMap((n, id) => (id > 0 && n > 0 && !ids.has(id) ? [id] : []));
        if (unknown.length) {
          throw new BridgeError(
            'invalid',
            `The labels contain ${unknown.slice(0, 10).join(', ')}${unknown.length > 10 ? ', …' : ''}, which ` +
              `${unknown.length > 1 ? 'are no class ids' : 'is no class id'}; the classes are ${[...ids].join(', ')}, and 0 is unlabelled.`
          );
        }
        const version = this._version + 1;
        await this._journal.replace(version, this._snapshotOf(source, counts));
        for (const { position, length } of this._chunks()) {
          this._file.writeBytes(position, source.readBytes(position, length));
          await breathe();
        }
        this._snapshotBytes = this._journal.bytes;
        this._counts = counts;
        this._advance(version);
        return { version, changed };
      });
    } finally {
      source.close();
    }
  }

  /** Keep the journal under the name `path`, then erase all labels. */
  async setAside(path: string): Promise<void> {
    await this.exclusive(async () => {
      await this._journal.mend();
      await keepFile(this._journal.path, path);
      const version = this._version + 1;
      try {
        await this._journal.replace(version, this._snapshotOf(null));
      } catch (error) {
        await unlink(path).catch(() => undefined);
        throw error;
      }
      await this._erase();
      this._snapshotBytes = this._journal.bytes;
      this._counts = new Array<number>(CLASSES_MAX + 1).fill(0);
      this._advance(version);
    });
  }

  /** Read a tile, clipped at the edges. */
  readTile(slice: number, row: number, column: number): Uint8Array {
    return this._file.read(this._file.tile(slice, row, column, LABEL_TILE)) as Uint8Array;
  }

  /** Finish all earlier calls and close the files. */
  async close(): Promise<void> {
    await this.exclusive(async () => undefined);
    await this._journal.close();
    this._file.close();
  }

  private async _open(
    path: string,
    reader: JournalReader | undefined,
    { version, classes, blank }: { version: number; classes: LabelClass[] | undefined; blank: boolean }
  ): Promise<void> {
    if (!reader) {
      if (!blank) {
        await this._erase();
      }
      this._version = version;
      this._classes = classes ?? [];
      this._journal = await Journal.create(path, version, this._snapshotOf(null));
      this._changed = (await stat(path)).mtime;
      this._snapshotBytes = this._journal.bytes;
      return;
    }
    const replayed = await replay(reader, this._file, version, blank);
    this._version = replayed.version;
    this._counts = replayed.counts;
    replayed.results.forEach((result, id) => this._results.set(id, result));
    this._changed = reader.changed;
    this._classes = classes ?? replayed.classes ?? [];
    this._journalledClasses = JSON.stringify(replayed.classes);
    this._loss = replayed.loss;
    this._journal = await Journal.open(reader, replayed.version, replayed.loss ? this._snapshotOf() : undefined);
    if (replayed.loss) {
      await this._mend();
    }
  }

  /** Replace a damaged journal. Where this is impossible, the journal tries again before it is written. */
  private async _mend(): Promise<void> {
    const { path } = this._journal;
    log(`${path} is damaged: ${JSON.stringify(this._loss)}`);
    try {
      await this._journal.exclusive(() => this._journal.mend());
      log(`the damaged journal is now ${this._journal.copy}`);
      this._snapshotBytes = this._journal.bytes;
      this._journalledClasses = JSON.stringify(this._classes);
    } catch (error) {
      log(`${path} cannot be replaced yet, and stays as it is`, error);
    }
  }

  /** Check a patch. @returns its masks */
  private _check(patch: Patch, buffers: Uint8Array[]): Uint8Array[] {
    const { slices, rows, columns } = this._file;
    if (patch.slice >= slices) {
      throw new BridgeError('invalid', `Slice ${patch.slice} does not exist; the image has ${slices}, counted from 0.`);
    }
    if (buffers.length !== patch.tiles.length) {
      throw new BridgeError(
        'invalid',
        `A patch of ${patch.tiles.length} tiles has one buffer each; this one has ${buffers.length}.`
      );
    }
    const outside = patch.tiles.find(({ row, column }) => row * LABEL_TILE >= rows || column * LABEL_TILE >= columns);
    if (outside) {
      throw new BridgeError(
        'invalid',
        `Tile (${outside.row}, ${outside.column}) is outside; the image has ${Math.ceil(rows / LABEL_TILE)} × ${Math.ceil(columns / LABEL_TILE)} tiles.`
      );
    }
    return buffers.map(inflateMask);
  }

  private _advance(version: number): void {
    this._version = version;
    this._changed = new Date();
    this.onChange();
  }

  private async _erase(): Promise<void> {
    for (const { position, length } of this._chunks()) {
      this._file.writeBytes(position, new Uint8Array(length));
      await breathe();
    }
  }

  /** The labels as a snapshot's records: those of the array, of another file, or none. */
  private _snapshotOf(from: TileFile | null = this._file, counts?: number[]): Snapshot {
    return () => this._snapshot(from, from ? (counts ?? this._counts) : []);
  }

  private async *_snapshot(from: TileFile | null, pixels: number[]): AsyncGenerator<JournalRecord> {
    const { shape } = this.array;
    const counts = Object.fromEntries(pixels.flatMap((n, id) => (id > 0 && n > 0 ? [[id, n]] : [])));
    const both = { shape, counts, classes: this._classes };
    const applied = [...this._results.keys()].map((id): [string, number, number] => {
      const { version, changed } = this._results.peek(id)!;
      return [id, version, changed];
    });
    yield { type: RecordType.begin, json: { ...both, applied }, buffers: [] };
    let blankFrom = 0;
    for (const { position, length } of from ? this._chunks() : []) {
      const bytes = from!.readBytes(position, length);
      if (!isBlank(bytes)) {
        const buffers = [await deflate(bytes, { level: constants.Z_BEST_SPEED })];
        yield { type: RecordType.chunk, json: { shape, position, blankFrom }, buffers };
        blankFrom = position + length;
      } else {
        await breathe();
      }
    }
    yield { type: RecordType.end, json: { ...both, blankFrom }, buffers: [] };
  }

  private *_chunks(): Generator<{ position: number; length: number }> {
    const bytes = byteLength(this.array);
    for (let position = 0; position < bytes; position += this._chunkBytes) {
      yield { position, length: Math.min(this._chunkBytes, bytes - position) };
    }
  }

  /** Write a new snapshot when the journal has grown far beyond the last one. */
  private _compactLater(): void {
    const limit = Math.max(this._compactBytes, 4 * this._snapshotBytes);
    if (this._compacting || this._journal.bytes <= limit) {
      return;
    }
    this._compacting = true;
    void this.exclusive(async () => {
      await this._journal.replace(this._version, this._snapshotOf());
      this._snapshotBytes = this._journal.bytes;
    })
      .catch(error => {
        log(`${this._journal.path} could not be compacted; trying again when it has grown`, error);
        this._snapshotBytes = this._journal.bytes / 2;
      })
      .finally(() => {
        this._compacting = false;
      });
  }

  private _journal!: Journal;
  private _loss: ILoss | null = null;
  private _classes: LabelClass[] = [];
  /** The classes, as JSON, that a reader of the journal finds. */
  private _journalledClasses: string | undefined;
  private _version = 0;
  private _changed = new Date();
  private _counts: number[] = new Array<number>(CLASSES_MAX + 1).fill(0);
  /** Patches that wait for the disk or are being applied, by request id. */
  private readonly _applying = new Map<string, Promise<IPatchResult>>();
  /** Results of the latest patches, by request id. */
  private readonly _results = new Lru<string, IPatchResult>({ limit: RESULTS_MAX });
  private _tail: Promise<unknown> = Promise.resolve();
  private _snapshotBytes = 0;
  private _compacting = false;
}

export namespace JournalledLabels {
  export interface IOptions {
    /** The journal, if it was read already. It will be closed. */
    reader?: JournalReader | undefined;
    /** Whether the array is new, all zeros. */
    blank?: boolean;
    /** Bytes that a journal may have without being compacted. */
    compactBytes?: number | undefined;
    /** Bytes of labels in a chunk of a snapshot. */
    chunkBytes?: number;
    /** A version that the labels have had: a journal that ends before it has lost its end. */
    version?: number;
    /** The classes; by default those in the journal. */
    classes?: LabelClass[] | undefined;
  }
}
