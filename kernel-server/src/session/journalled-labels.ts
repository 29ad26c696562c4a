/**
 * The labels of a session: a uint8 array [slices, rows, columns] that Python maps, and the journal from which it can be rebuilt.
 * Each change is written to the journal on the disk, then to the array, then acknowledged.
 */
import { copyFile, stat, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, deflateRaw, inflateRaw } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { CLASSES_MAX, LABEL_TILE } from '../../../src/shared/limits';
import { Lru } from '../../../src/shared/lru';
import { ArrayDescriptor, LabelPatch } from '../../../src/shared/protocol';
import { SliceRect } from '../../../src/shared/rect';
import { byteLength } from '../arrays/dtypes';
import { breathe, explainFull, isBlank } from '../base/files';
import { IRecord, Journal, RecordType } from './journal';
import { log } from '../base/log';
import { inflateMask, paintMask, rowsOf } from './patch-mask';
import { TileFile } from '../arrays/tile-file';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Bytes of labels in one chunk of a snapshot. */
const CHUNK = 1 << 20;
/** Most remembered answers. A patch that arrives again, within seconds, gets its old answer and is not applied again. */
const RESULTS_MAX = 4096;
/** A journal smaller than this is never compacted. */
const COMPACT_BYTES = 4 << 20;
/** Tiles that are painted between two turns of the event loop. */
const TILES_AT_ONCE = 8;

/** The answer to a patch. */
export interface IPatchResult {
  /** Version of the labels with the patch. */
  version: number;
  /** Number of pixels that changed. */
  changed: number;
}

type Patch = Omit<LabelPatch, 'session'>;

interface IBegin {
  version: number;
  shape: number[];
  counts: Record<string, number>;
  /** [request id, version, changed] of the latest patches. */
  applied: [string, number, number][];
}

/** Called with each rectangle of a tile in which labels have changed, and its new labels, before the change is acknowledged. */
export type PaintListener = (rect: SliceRect, labels: Uint8Array) => void;

export class JournalledLabels {
  private constructor(
    readonly array: ArrayDescriptor,
    private readonly _file: TileFile,
    private readonly _compactBytes: number
  ) {}

  /**
   * Fill `array` from the journal at `path`, or make a journal if there is none. `blank`: the array is new, all zeros.
   *
   * @throws BridgeError `invalid` if the journal is for labels of another shape.
   */
  static async open(
    path: string,
    array: ArrayDescriptor,
    blank = false,
    compactBytes = COMPACT_BYTES
  ): Promise<JournalledLabels> {
    const store = new JournalledLabels(array, new TileFile(array, 'r+'), compactBytes);
    try {
      const journal = await Journal.open(path, store._replayer());
      if (journal || !blank) {
        await store._replayed();
      }
      store._journal = journal ?? (await Journal.create(path, store._snapshot(null)));
      store._changed = (await stat(path)).mtime;
      store._snapshotBytes = journal ? 0 : store._journal.bytes;
      return store;
    } catch (error) {
      store._file.close();
      throw error;
    }
  }

  /** The shape of the labels in a journal; `undefined` if there is no journal, or its beginning is damaged. */
  static async shapeOf(path: string): Promise<number[] | undefined> {
    let shape: number[] | undefined;
    const stop = new Error('seen');
    try {
      const journal = await Journal.open(path, async record => {
        shape = record.type === RecordType.begin ? (record.json as IBegin).shape : undefined;
        throw stop;
      });
      await journal?.close();
    } catch (error) {
      if (error !== stop) {
        log(`${path} cannot be read`, error);
      }
    }
    return shape;
  }

  /** Set by the session, which updates the segmentation. */
  onPaint: PaintListener = () => undefined;

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
    const durable = this._journal.append({ type: RecordType.patch, json: { id, patch }, buffers });
    durable.catch(() => undefined); // awaited below, perhaps only after it has failed
    const before = this._tail;
    // Patches are applied in the order of the journal, whatever the order in which the promises settle.
    const applied = (async () => {
      await before.catch(() => undefined);
      await durable;
      return this._apply(id, patch, masks);
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
        await this._journal.replace(this._snapshot(source, this._version + 1, counts));
        for (const { position, length } of this._chunks()) {
          this._file.writeBytes(position, source.readBytes(position, length));
          await breathe();
        }
        this._snapshotBytes = this._journal.bytes;
        this._counts = counts;
        this._advance();
        return { version: this._version, changed };
      });
    } finally {
      source.close();
    }
  }

  /** Copy the journal to `path`, then erase all labels. */
  async setAside(path: string): Promise<void> {
    await this.exclusive(async () => {
      await copyFile(this._journal.path, path).catch(async error => {
        const explained = await explainFull(error, path, this._journal.bytes);
        await unlink(path).catch(() => undefined);
        throw explained;
      });
      await this._journal.replace(this._snapshot(null, this._version + 1, []));
      for (const { position, length } of this._chunks()) {
        this._file.writeBytes(position, new Uint8Array(length));
        await breathe();
      }
      this._snapshotBytes = this._journal.bytes;
      this._counts = new Array<number>(CLASSES_MAX + 1).fill(0);
      this._advance();
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

  private async _apply(id: string, patch: Patch, masks: Uint8Array[]): Promise<IPatchResult> {
    let changed = 0;
    for (const [i, { row, column }] of patch.tiles.entries()) {
      changed += this._applyTile(patch, row, column, masks[i]!);
      if (i % TILES_AT_ONCE === TILES_AT_ONCE - 1) {
        await breathe();
      }
    }
    this._advance();
    const result = { version: this._version, changed };
    this._results.set(id, result);
    return result;
  }

  private _advance(): void {
    this._version++;
    this._changed = new Date();
    this.onChange();
  }

  /** @returns the number of pixels that changed */
  private _applyTile(patch: Patch, row: number, column: number, mask: Uint8Array): number {
    const { first, end } = rowsOf(mask);
    const tile = this._file.tile(patch.slice, row, column, LABEL_TILE);
    const rect = { ...tile, row0: tile.row0 + first, row1: Math.min(tile.row1, tile.row0 + end) };
    if (rect.row0 >= rect.row1) {
      return 0;
    }
    const labels = this._file.read(rect) as Uint8Array;
    const changed = paintMask(labels, mask, { first, width: rect.column1 - rect.column0 }, patch, this._counts);
    if (changed > 0) {
      this._file.write(rect, labels);
      this.onPaint(rect, labels);
    }
    return changed;
  }

  /** Returns a function that applies each record of the journal to the array. */
  private _replayer(): (record: IRecord) => Promise<void> {
    let chunks: Generator<{ position: number; length: number }> | undefined;
    const zeroTo = (end: number) => {
      // Chunks without labels are left out of the snapshot, so the array is zeroed first.
      for (let next = chunks?.next(); next && !next.done && next.value.position < end; next = chunks?.next()) {
        this._file.writeBytes(next.value.position, new Uint8Array(next.value.length));
      }
    };
    this._replayed = async () => zeroTo(Infinity);
    chunks = this._chunks();
    return async ({ type, json, buffers }) => {
      if (type === RecordType.begin) {
        const begin = json as IBegin;
        if (begin.shape.join() !== this.array.shape.join()) {
          throw new BridgeError(
            'invalid',
            `The journal has labels of shape [${begin.shape.join(', ')}], not [${this.array.shape.join(', ')}].`
          );
        }
        this._version = begin.version;
        this._counts = this._counts.map((_, id) => begin.counts[id] ?? 0);
        begin.applied.forEach(([id, version, changed]) => this._results.set(id, { version, changed }));
      } else if (type === RecordType.chunk) {
        const { position } = json as { position: number };
        zeroTo(position);
        this._file.writeBytes(position, await inflate(buffers[0]!, { maxOutputLength: CHUNK }));
      } else if (type === RecordType.end) {
        zeroTo(Infinity);
        chunks = undefined;
      } else if (type === RecordType.patch) {
        const { id, patch } = json as { id: string; patch: Patch };
        await this._apply(id, patch, buffers.map(inflateMask));
      }
    };
  }

  /** The labels as a snapshot's records: those of the array, of another file, or none. */
  private async *_snapshot(
    from: TileFile | null = this._file,
    version = this._version,
    counts: number[] = this._counts
  ): AsyncGenerator<IRecord> {
    const begin: IBegin = {
      version,
      shape: this.array.shape,
      counts: Object.fromEntries(counts.flatMap((n, id) => (id > 0 && n > 0 ? [[id, n]] : []))),
      applied: [...this._results.keys()].map(id => {
        const { version, changed } = this._results.peek(id)!;
        return [id, version, changed];
      })
    };
    yield { type: RecordType.begin, json: begin, buffers: [] };
    for (const { position, length } of from ? this._chunks() : []) {
      const bytes = from!.readBytes(position, length);
      if (!isBlank(bytes)) {
        const buffers = [await deflate(bytes, { level: constants.Z_BEST_SPEED })];
        yield { type: RecordType.chunk, json: { position }, buffers };
      } else {
        await breathe();
      }
    }
    yield { type: RecordType.end, json: {}, buffers: [] };
  }

  private *_chunks(): Generator<{ position: number; length: number }> {
    const bytes = byteLength(this.array);
    for (let position = 0; position < bytes; position += CHUNK) {
      yield { position, length: Math.min(CHUNK, bytes - position) };
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
      await this._journal.replace(this._snapshot());
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
  private _replayed: () => Promise<void> = async () => undefined;
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
