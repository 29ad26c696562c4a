/**
 * The labels of a session: a uint8 array [slices, rows, columns] that Python maps, and the journal that can rebuild it.
 * Everything is on the disk before it is in the array, and in the array before it is acknowledged.
 */
import { copyFile, stat, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, deflateRaw, inflateRaw, inflateRawSync } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { CLASSES_MAX, LABEL_TILE } from '../../../src/shared/limits';
import { ArrayDescriptor, LabelPatch } from '../../../src/shared/protocol';
import { byteLength } from '../arrays/dtypes';
import { breathe, explainFull, isBlank } from '../base/files';
import { IRecord, Journal, RecordType } from './journal';
import { log } from '../base/log';
import { TileFile } from '../arrays/tile-file';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Bytes of a tile's bit mask. */
export const MASK_BYTES = (LABEL_TILE * LABEL_TILE) / 8;
const MASK_ROW = LABEL_TILE / 8;
/** Bytes of labels in one chunk of a snapshot. */
const CHUNK = 1 << 20;
/** Ids of patches that are remembered; a peer that sends one again does so within seconds. */
const REMEMBERED = 4096;
/** A journal smaller than this is never compacted. */
const COMPACT_BYTES = 4 << 20;
/** Tiles after which the event loop gets its turn. */
const TILES_AT_ONCE = 8;

/** What became of a patch. */
export interface IPatchResult {
  version: number;
  changed: number;
}

/** A patch without its session. */
export type Patch = Omit<LabelPatch, 'session'>;

interface IBegin {
  version: number;
  shape: number[];
  counts: Record<string, number>;
  /** [request id, version, changed] of the latest patches. */
  applied: [string, number, number][];
}

/** Called with each tile whose labels have changed, before the change is acknowledged. */
export type TileListener = (slice: number, row: number, column: number) => void;

export class LabelStore {
  private constructor(
    readonly array: ArrayDescriptor,
    private readonly _file: TileFile,
    private readonly _compactBytes: number
  ) {}

  /**
   * Fill `array` with what the journal at `path` says, or begin one. `blank` says that the array is new, all zeros.
   *
   * @throws BridgeError `invalid` if the journal is for labels of another shape.
   */
  static async open(
    path: string,
    array: ArrayDescriptor,
    blank = false,
    compactBytes = COMPACT_BYTES
  ): Promise<LabelStore> {
    const store = new LabelStore(array, new TileFile(array, 'r+'), compactBytes);
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

  /** The shape of the labels in a journal, `undefined` if there is none or it is broken from the start. */
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

  /** Set by the session: keeps the segmentation in step. */
  onTile: TileListener = () => undefined;

  /** Set by the session: called when the array has other labels than before. */
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
   * Journal a patch, apply it and say what changed. An `id` that was applied before is only answered.
   *
   * @throws BridgeError `invalid` for tiles or masks that are wrong, `disk-full` if it cannot be journalled; nothing changed then.
   */
  async patch(id: string, patch: Patch, buffers: Uint8Array[]): Promise<IPatchResult> {
    const known = this._applied.get(id);
    if (known) {
      return known;
    }
    this._check(patch, buffers);
    const durable = this._journal.append({ type: RecordType.patch, json: { id, patch }, buffers });
    durable.catch(() => undefined); // it is looked at below, perhaps later than it fails
    const before = this._tail;
    // In the order of the journal, whatever the order in which the promises settle.
    const applied = (async () => {
      await before.catch(() => undefined);
      await durable;
      return this._apply(id, patch, buffers);
    })();
    this._applied.set(id, applied);
    this._tail = applied;
    try {
      return await applied;
    } catch (error) {
      this._applied.delete(id);
      throw error;
    } finally {
      this._compactLater();
    }
  }

  /** Work that sees all patches so far and none that come meanwhile. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this._tail;
    return this._journal.exclusive(async () => {
      await before.catch(() => undefined);
      return work();
    });
  }

  /**
   * Take all labels from another file of the same size.
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

  /** Copy the journal to `path` and begin again without labels. */
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

  /** Finish what was asked for and let go of the files. */
  async close(): Promise<void> {
    await this.exclusive(async () => undefined);
    await this._journal.close();
    this._file.close();
  }

  private _check(patch: Patch, buffers: Uint8Array[]): void {
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
    for (const [i, { row, column }] of patch.tiles.entries()) {
      if (row * LABEL_TILE >= rows || column * LABEL_TILE >= columns) {
        throw new BridgeError(
          'invalid',
          `Tile (${row}, ${column}) is outside; the image has ${Math.ceil(rows / LABEL_TILE)} × ${Math.ceil(columns / LABEL_TILE)} tiles.`
        );
      }
      inflateMask(buffers[i]!, i);
    }
  }

  private async _apply(id: string, patch: Patch, buffers: Uint8Array[]): Promise<IPatchResult> {
    let changed = 0;
    for (const [i, { row, column }] of patch.tiles.entries()) {
      const n = this._applyTile(patch, row, column, inflateMask(buffers[i]!, i));
      if (n > 0) {
        changed += n;
        this.onTile(patch.slice, row, column);
      }
      if (i % TILES_AT_ONCE === TILES_AT_ONCE - 1) {
        await breathe();
      }
    }
    this._advance();
    const result = { version: this._version, changed };
    this._remember(id, result);
    return result;
  }

  private _advance(): void {
    this._version++;
    this._changed = new Date();
    this.onChange();
  }

  /** @returns how many pixels changed. */
  private _applyTile(patch: Patch, row: number, column: number, mask: Uint8Array): number {
    let first = 0;
    let last = LABEL_TILE - 1;
    const blank = (r: number) => mask.subarray(r * MASK_ROW, (r + 1) * MASK_ROW).every(bits => bits === 0);
    while (first <= last && blank(first)) {
      first++;
    }
    while (last > first && blank(last)) {
      last--;
    }
    const tile = this._file.tile(patch.slice, row, column, LABEL_TILE);
    const region = { ...tile, row0: tile.row0 + first, row1: Math.min(tile.row1, tile.row0 + last + 1) };
    if (region.row0 >= region.row1) {
      return 0;
    }
    const labels = this._file.read(region) as Uint8Array;
    const width = region.column1 - region.column0;
    const keep = patch.preserve && patch.class !== 0;
    let changed = 0;
    for (let r = 0; r < region.row1 - region.row0; r++) {
      const maskRow = (first + r) * MASK_ROW;
      for (let c = 0; c < width; c++) {
        if ((mask[maskRow + (c >> 3)]! & (128 >> (c & 7))) === 0) {
          continue;
        }
        const i = r * width + c;
        const old = labels[i]!;
        if (old === patch.class || (keep && old !== 0)) {
          continue;
        }
        labels[i] = patch.class;
        this._counts[old]!--;
        this._counts[patch.class]!++;
        changed++;
      }
    }
    if (changed > 0) {
      this._file.write(region, labels);
    }
    return changed;
  }

  private _remember(id: string, result: IPatchResult): void {
    this._applied.delete(id);
    this._applied.set(id, Promise.resolve(result));
    this._results.set(id, result);
    if (this._results.size > REMEMBERED) {
      const oldest = this._results.keys().next().value!;
      this._results.delete(oldest);
      this._applied.delete(oldest);
    }
  }

  /** Applies records as they are read. */
  private _replayer(): (record: IRecord) => Promise<void> {
    let chunks: Generator<{ position: number; length: number }> | undefined;
    const zeroTo = (end: number) => {
      // What the snapshot leaves out is unlabelled, whatever the file says.
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
        begin.applied.forEach(([id, version, changed]) => this._remember(id, { version, changed }));
      } else if (type === RecordType.chunk) {
        const { position } = json as { position: number };
        zeroTo(position);
        this._file.writeBytes(position, await inflate(buffers[0]!, { maxOutputLength: CHUNK }));
      } else if (type === RecordType.end) {
        zeroTo(Infinity);
        chunks = undefined;
      } else if (type === RecordType.patch) {
        const { id, patch } = json as { id: string; patch: Patch };
        await this._apply(id, patch, buffers);
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
      applied: [...this._results].map(([id, result]) => [id, result.version, result.changed])
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

  /** Write a snapshot when the journal has outgrown the last one. */
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
  private readonly _applied = new Map<string, Promise<IPatchResult>>();
  private readonly _results = new Map<string, IPatchResult>();
  private _tail: Promise<unknown> = Promise.resolve();
  private _snapshotBytes = 0;
  private _compacting = false;
}

function inflateMask(buffer: Uint8Array, index: number): Uint8Array {
  let mask: Uint8Array;
  try {
    mask = inflateRawSync(buffer, { maxOutputLength: MASK_BYTES });
  } catch (error) {
    throw new BridgeError('invalid', `Buffer ${index} is no deflated mask of ${MASK_BYTES} bytes: ${String(error)}`);
  }
  if (mask.byteLength !== MASK_BYTES) {
    throw new BridgeError('invalid', `Mask ${index} has ${mask.byteLength} bytes; it must have ${MASK_BYTES}.`);
  }
  return mask;
}
