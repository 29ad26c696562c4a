/**
 * The labels of a session and the correction of its segmentation: uint8 arrays [slices, rows, columns] that Python maps, and the journal
 * from which they can be rebuilt. Each change is written to the journal on the disk, then to the array, then acknowledged. Changes of
 * both layers have one order, in which they are undone.
 *
 * ```ts
 * await labels.patch('a', { slice: 0, class: 2, replaces: 'all', tiles }, masks); // labels, made by a hand
 * await labels.patch('b', { layer: 'correction', slice: 0, class: 1, replaces: 'all', tiles }, masks);
 * await labels.move('c', 'before'); // takes back the correction
 * ```
 */
import { stat, unlink } from 'node:fs/promises';
import { BridgeError } from '../../../src/shared/errors';
import { LABEL_TILE } from '../../../src/shared/limits';
import { Lru } from '../../../src/shared/lru';
import { ArrayDescriptor, LabelClass, Layer, MadeBy } from '../../../src/shared/protocol';
import { PROVENANCE_CODES } from '../../../src/shared/provenance';
import { areaOf } from '../../../src/shared/rect';
import { breathe } from '../base/files';
import { applyEdit, Direction, EditRecorder } from './edit';
import { checkIds, compare, compareCorrection, snapshot } from './whole-labels';
import { FilledTiles } from './filled-tiles';
import { History } from './history';
import { Journal, Snapshot } from './journal';
import { JournalRecord, RecordType } from './journal-format';
import { JournalReader } from './journal-reader';
import { keepFile } from './keep-file';
import { LabelledSlices } from './labelled-slices';
import { log } from '../base/log';
import { deflateTile, padded } from './overlays';
import { BRUSH, inflateMask, Painted, Patch } from './patch-mask';
import { countsById, LayerRect, madeAnew, Plane, Planes, PLANES, ReadBytes } from './planes';
import { CHUNK, ILoss, IPatchResult, layersOf, paintPatch, replay, stepOfEdit, stepOfPatch } from './replay';
import { ReadOnlyTiles, TileFile } from '../arrays/tile-file';

/** Most remembered answers. A patch that arrives again, within seconds, gets its old answer and is not applied again. */
const RESULTS_MAX = 4096;
/** A journal smaller than this is never compacted. */
const COMPACT_BYTES = 4 << 20;

export class JournalledLabels {
  private constructor(
    readonly array: ArrayDescriptor,
    private readonly _planes: Planes,
    /** The steps that can be undone. */
    readonly history: History,
    private readonly _compactBytes: number,
    private readonly _chunkBytes: number
  ) {
    this.slices = new LabelledSlices(_planes, work => this.exclusive(work));
    this._filled = { labels: new FilledTiles(_planes, 'labels'), correction: new FilledTiles(_planes, 'correction') };
  }

  /** Which slices have labels. */
  readonly slices: LabelledSlices;

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
    const { provenance, makeCorrection } = options;
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
      const history = await History.open(path.replace(/(\.journal)?$/, '.history'), array.shape);
      const planes = new Planes({ labels: array, provenance, makeCorrection });
      store = new JournalledLabels(array, planes, history, compactBytes, chunkBytes);
      await store._open(path, reader, { version, classes, blank });
      return store;
    } catch (error) {
      store?._planes.close();
      throw error;
    } finally {
      await reader?.close();
    }
  }

  /** Called for each rectangle of a layer that changed, before the change is acknowledged. Set by the session, which updates the segmentation. */
  onPaint: Painted = () => undefined;

  /** Set by the session: called with the classes when they are durable. */
  onClasses: (classes: LabelClass[]) => void = () => undefined;

  /** Set by the session: called when layers have changed. */
  onChange: (layers: ReadonlySet<Layer>) => void = () => undefined;

  /** The version in which the labels changed last. */
  get version(): number {
    return this._last.labels;
  }

  /** The version in which a layer changed last. */
  versionOf(layer: Layer): number {
    return this._last[layer];
  }

  /** The version of labels and correction together: it rises by one with each change of either. */
  get latest(): number {
    return this._version;
  }

  /** The correction; undefined until it is first drawn on. */
  get correction(): ReadOnlyTiles | undefined {
    return this._planes.correction;
  }

  /** Labelled pixels of each class id. */
  get counts(): Record<string, number> {
    return countsById(this._planes.counts.labels);
  }

  /** Corrected pixels of each class id. */
  get corrected(): Record<string, number> {
    return countsById(this._planes.counts.correction);
  }

  /** Labelled pixels of one class. */
  count(id: number): number {
    return this._planes.counts.labels[id] ?? 0;
  }

  /** Whether a label or a correction is of this class. */
  uses(id: number): boolean {
    return this.count(id) > 0 || this._planes.counts.correction[id]! > 0;
  }

  /** Labelled pixels. */
  get pixels(): number {
    return this._planes.pixels('labels');
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

  /**
   * Keep the classes in the journal, beside the labels that need them.
   *
   * @param made what made the change, if it is a step that can be undone
   * @param check called before, after all earlier changes; it may throw
   */
  async setClasses(classes: LabelClass[], made?: MadeBy, check?: () => void): Promise<void> {
    return this.exclusive(async () => {
      check?.();
      const before = this._classes;
      if (JSON.stringify(classes) !== this._journalledClasses) {
        const step = made && { ...made, at: new Date().toISOString(), pixels: 0 };
        const json = { shape: this.array.shape, classes, ...(step && { step }) };
        const { serial } = await this._journal.write({ type: RecordType.classes, json, buffers: [] });
        if (step) {
          this.history.add({ serial, step: { info: step, edit: [], classes: { before, after: classes } } });
        }
      }
      this._takeClasses(classes);
    });
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
    const known = () => this._results.peek(id) ?? this._applying.get(id);
    if (known()) {
      return known()!;
    }
    const masks = this._check(patch, buffers);
    const { layer = 'labels' } = patch;
    if (!this._planes[layer]) {
      await this._planes.use(layer); // before the patch is durable: there may be no room
      if (known()) {
        return known()!;
      }
    }
    const at = new Date().toISOString();
    const durable = this._journal.append({
      type: RecordType.patch,
      json: { shape: this.array.shape, id, patch, at },
      buffers
    });
    durable.catch(() => undefined); // awaited below, perhaps only after it has failed
    const before = this._tail;
    // Patches are applied in the order of the journal, whatever the order in which the promises settle.
    const applied = (async () => {
      await before.catch(() => undefined);
      const { version, serial } = await durable;
      const recorder = new EditRecorder(this._planes, patch.made ?? BRUSH);
      const changed = await paintPatch(this._planes, patch, masks, change => {
        recorder.note(change);
        this._painted(change);
      });
      this.history.add({ serial, ...stepOfPatch(patch, at, changed, recorder.finish()) });
      this._advance(version, new Set([layer]));
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

  /**
   * Undo the last step, or make the step again that was undone last. If the request of this `id` was done before, return its answer only.
   *
   * @throws BridgeError `invalid` if there is no such step
   */
  async move(id: string, direction: Direction): Promise<IMoved> {
    return this.exclusive(async () => {
      const known = this._results.peek(id);
      if (known) {
        return known;
      }
      const { history } = this;
      const index = direction === 'before' ? history.position - 1 : history.position;
      const step = await history.read(index);
      if (!step) {
        const what = direction === 'before' ? 'undo' : 'make again';
        const known = history.steps[index] !== undefined;
        if (known) {
          history.clear(this._journal.at.serial);
        }
        throw new BridgeError(
          'invalid',
          known
            ? `The step cannot be read: its file is damaged. The steps before cannot be undone.`
            : `There is no step to ${what}.`
        );
      }
      const { edit, classes } = step;
      const record: JournalRecord = {
        type: RecordType.edit,
        json: {
          shape: this.array.shape,
          id,
          rects: edit.map(({ rect }) => rect),
          direction,
          position: history.absolutePosition + (direction === 'before' ? -1 : 1),
          ...(classes && { classes: classes[direction] })
        },
        buffers: edit.map(({ buffer }) => buffer)
      };
      const { version, serial } = await this._journal.write(record);
      const changed = await applyEdit(this._planes, edit, direction, this._painted);
      history.add({ serial, position: record.json.position });
      if (classes) {
        this._takeClasses(classes[direction]);
      }
      this._advance(version, layersOf(record.json.rects));
      const result = { version, changed };
      this._results.set(id, result);
      this._compactLater();
      return { ...result, rects: record.json.rects, ...(classes && { classes: classes[direction] }) };
    });
  }

  /**
   * Change labels or the correction in one step that is no patch. If the request of this `id` was done before, return its answer only.
   *
   * @param change notes what is to change, from the labels and the correction as they are then; it writes nothing
   * @throws BridgeError `too-large` for a change that no record can hold
   */
  async edit(
    id: string,
    made: MadeBy,
    change: (planes: Planes, recorder: EditRecorder) => Promise<void>,
    { classes, layer }: JournalledLabels.IEditOptions = {}
  ): Promise<IMoved> {
    return this.exclusive(async () => {
      const known = this._results.peek(id);
      if (known) {
        return known;
      }
      const recorder = new EditRecorder(this._planes, made);
      await change(this._planes, recorder);
      await recorder.settle();
      const edit = await recorder.finish();
      const { history } = this;
      const rects = edit.map(({ rect }) => rect);
      const before = this._classes;
      const layers = layersOf(rects);
      for (const each of layers) {
        await this._planes.use(each); // before the change is durable: there may be no room
      }
      const step = { ...made, at: new Date().toISOString(), pixels: recorder.pixels, ...(layer && { layer }) };
      const position = history.absolutePosition + 1;
      const { version, serial } = await this._journal.write({
        type: RecordType.edit,
        json: { shape: this.array.shape, id, rects, direction: 'after', position, step, ...(classes && { classes }) },
        buffers: edit.map(({ buffer }) => buffer)
      });
      const changed = await applyEdit(this._planes, edit, 'after', this._painted);
      history.add({ serial, ...stepOfEdit(step, edit, changed, classes && { before, after: classes }) });
      if (classes) {
        this._takeClasses(classes);
      }
      this._advance(version, layers);
      const result = { version, changed };
      this._results.set(id, result);
      this._compactLater();
      return { ...result, rects };
    });
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
   * Replace all labels, and the classes and the correction if some are given: one step.
   *
   * @param from the file of the new labels, of the same size; null for none
   * @throws BridgeError `invalid` for ids that no class has
   */
  async replace(
    from: ArrayDescriptor | null,
    made: MadeBy,
    { classes, keepAs, provenance, correction }: JournalledLabels.IReplaceOptions = {}
  ): Promise<IPatchResult> {
    const source = from && new TileFile(from, 'r');
    const origin = provenance && new TileFile(provenance, 'r');
    const over = correction && new TileFile(correction, 'r');
    const planes = this._planes;
    const corrects = correction !== undefined;
    try {
      return await this.exclusive(async () => {
        const recorder = new EditRecorder(planes, made, origin);
        const { counts, changed } = await compare(planes.labels, source, recorder, this._chunkBytes);
        checkIds(counts, classes ?? this._classes);
        let corrected = planes.counts.correction;
        if (corrects) {
          corrected = await compareCorrection(planes.correction, over, recorder, this._chunkBytes);
          checkIds(corrected, classes ?? this._classes);
          if (over) {
            await planes.use('correction'); // before the change is durable: there may be no room
          }
        }
        if (keepAs !== undefined) {
          await this._journal.mend();
          await keepFile(this._journal.path, keepAs);
        }
        const at = { version: this._version + 1, serial: this._journal.at.serial + 1 };
        const before = this._classes;
        const last = { labels: at.version, correction: corrects ? at.version : this._last.correction };
        const info = { ...made, at: new Date().toISOString(), pixels: changed };
        const edit = await recorder.finish();
        const both = classes && { classes: { before, after: classes } };
        this.history.add({ serial: at.serial, step: { info, edit, ...both } });
        const read: Partial<Record<Plane, ReadBytes>> = {
          ...this._reads(),
          labels: (position, length) => source?.readBytes(position, length) ?? new Uint8Array(length)
        };
        if (planes.provenance) {
          read.provenance = (position, length) =>
            madeAnew(
              planes.labels.readBytes(position, length),
              read.labels!(position, length),
              planes.provenance!.readBytes(position, length),
              origin?.readBytes(position, length) ?? PROVENANCE_CODES[made.provenance]
            );
        }
        if (corrects) {
          read.correction = (position, length) => over?.readBytes(position, length) ?? new Uint8Array(length);
        }
        const after = { labels: counts, correction: corrected };
        try {
          await this.history.flush();
          this._classes = classes ?? before;
          await this._journal.replace(at, this._snapshotOf(read, after, last));
        } catch (error) {
          this._classes = before;
          await this.history.takeBack();
          if (keepAs !== undefined) {
            await unlink(keepAs).catch(() => undefined);
          }
          throw error;
        }
        for (const { position, length } of this._chunks()) {
          // The provenance depends on the labels before, so it is written first.
          for (const plane of ['provenance', 'labels', 'correction'] as const) {
            const bytes = plane === 'correction' && !corrects ? undefined : read[plane]?.(position, length);
            if (bytes) {
              planes.writeBytes(plane, position, bytes);
            }
          }
          await breathe();
        }
        if (classes) {
          this._takeClasses(classes);
        }
        this._journalledClasses = JSON.stringify(this._classes);
        this._snapshotBytes = this._journal.bytes;
        Object.assign(planes.counts, after);
        this.slices.forget();
        this._filled.labels.forget();
        this._filled.correction.forget();
        this._advance(at.version, new Set<Layer>(corrects ? ['labels', 'correction'] : ['labels']));
        return { version: at.version, changed };
      });
    } finally {
      source?.close();
      origin?.close();
      over?.close();
    }
  }

  /** Read a tile of the labels, clipped at the edges. */
  readTile(slice: number, row: number, column: number): Uint8Array {
    const { labels } = this._planes;
    return labels.read(labels.tile(slice, row, column, LABEL_TILE)) as Uint8Array;
  }

  /** The array of a layer, undefined while there is no correction, and which of its tiles have labels. */
  drawn(layer: Layer): { array: ArrayDescriptor | undefined; filled: FilledTiles } {
    return { array: this._planes[layer]?.array, filled: this._filled[layer] };
  }

  /** A whole tile of a layer for the browser, deflated; 0 outside the image. */
  deflatedTile(layer: Layer, slice: number, row: number, column: number): Promise<Uint8Array> {
    const file = this._planes[layer];
    const rect = this._planes.labels.tile(slice, row, column, LABEL_TILE);
    const tile = (file?.read(rect) as Uint8Array | undefined) ?? new Uint8Array(areaOf(rect));
    return deflateTile(padded(tile, rect.column1 - rect.column0));
  }

  /** Finish all earlier calls and close the files. */
  async close(): Promise<void> {
    await this.exclusive(async () => undefined);
    await this._journal.close();
    await this.history.close();
    this._planes.close();
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
      this._last = { labels: version, correction: 0 };
      this._classes = classes ?? [];
      this.history.clear(0);
      this._journal = await Journal.create(path, { version, serial: 0 }, this._snapshotOf({}));
      this._changed = (await stat(path)).mtime;
      this._snapshotBytes = this._journal.bytes;
      return;
    }
    const { history } = this;
    const replayed = await replay(reader, this._planes, { known: version, blank, noted: history.serial });
    const { snapshot, last } = replayed.serials;
    this._version = replayed.version;
    this._last = replayed.last;
    replayed.results.forEach((result, id) => this._results.set(id, result));
    this._changed = reader.changed;
    // The journal has classes before the session's record has them, unless it has lost them.
    this._classes = (replayed.loss ? classes : undefined) ?? replayed.classes ?? classes ?? [];
    this._journalledClasses = JSON.stringify(replayed.classes);
    this._loss = replayed.loss;
    // A step must not be undone if its change, or that of a later step, is lost: the history of the damaged journal does not fit the new one.
    const at = { version: replayed.version, serial: replayed.loss ? last + 1 : last };
    this._journal = await Journal.open(reader, at, replayed.loss ? this._snapshotOf() : undefined);
    if (replayed.loss) {
      history.clear(at.serial);
      await this._mend();
    } else {
      await history.settle(snapshot, last, replayed.happened);
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

  private readonly _painted: Painted = change => {
    this.slices.painted(change);
    this._filled[change.rect.layer ?? 'labels'].painted(change.rect);
    this.onPaint(change);
  };

  /** Check a patch. @returns its masks */
  private _check(patch: Patch, buffers: Uint8Array[]): Uint8Array[] {
    const { slices, rows, columns } = this._planes.labels;
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

  /** Take the classes that the journal holds now. */
  private _takeClasses(classes: LabelClass[]): void {
    this._classes = classes;
    this._journalledClasses = JSON.stringify(classes);
    this.onClasses(classes);
  }

  private _advance(version: number, layers: ReadonlySet<Layer>): void {
    this._version = version;
    layers.forEach(layer => (this._last[layer] = version));
    this._changed = new Date();
    this.onChange(layers);
  }

  private async _erase(): Promise<void> {
    for (const { position, length } of this._chunks()) {
      this._planes.writeBytes('labels', position, new Uint8Array(length));
      this._planes.writeBytes('provenance', position, new Uint8Array(length));
      await breathe();
    }
  }

  /** Reads the planes as they are. */
  private _reads(): Partial<Record<Plane, ReadBytes>> {
    return Object.fromEntries(
      PLANES.flatMap(plane => {
        const file = this._planes[plane];
        return file ? [[plane, file.readBytes.bind(file)]] : [];
      })
    );
  }

  /** The planes as a snapshot's records: by default as they are. */
  private _snapshotOf(planes = this._reads(), counts = this._planes.counts, last = this._last): Snapshot {
    return () => {
      const applied = [...this._results.keys()].map((id): [string, number, number] => {
        const { version, changed } = this._results.peek(id)!;
        return [id, version, changed];
      });
      return snapshot({
        shape: this.array.shape,
        counts,
        classes: this._classes,
        applied,
        last: { ...last },
        planes,
        bytes: this._planes.bytes,
        chunks: () => this._chunks()
      });
    };
  }

  private *_chunks(): Generator<{ position: number; length: number }> {
    const { bytes } = this._planes;
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
      await this.history.flush(); // the journal forgets the changes
      await this._journal.replace(this._journal.at, this._snapshotOf());
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
  private readonly _filled: Record<Layer, FilledTiles>;
  private _loss: ILoss | null = null;
  private _classes: LabelClass[] = [];
  /** The classes, as JSON, that a reader of the journal finds. */
  private _journalledClasses: string | undefined;
  private _version = 0;
  /** The versions in which each layer changed last. */
  private _last: Record<Layer, number> = { labels: 0, correction: 0 };
  private _changed = new Date();
  /** Patches that wait for the disk or are being applied, by request id. */
  private readonly _applying = new Map<string, Promise<IPatchResult>>();
  /** Results of the latest patches, by request id. */
  private readonly _results = new Lru<string, IPatchResult>({ limit: RESULTS_MAX });
  private _tail: Promise<unknown> = Promise.resolve();
  private _snapshotBytes = 0;
  private _compacting = false;
}

/** The answer to an undone or repeated step; what it changed is known unless the request came for the second time. */
export interface IMoved extends IPatchResult {
  rects?: LayerRect[];
  /** The classes since, if it changed them. */
  classes?: LabelClass[];
}

export namespace JournalledLabels {
  export interface IOptions {
    /** The journal, if it was read already. It will be closed. */
    reader?: JournalReader | undefined;
    /** Notes what made each label: an array of the same shape. */
    provenance?: ArrayDescriptor | undefined;
    /** Makes the array of the correction, all zeros, when it is first drawn on. */
    makeCorrection?: (() => Promise<ArrayDescriptor>) | undefined;
    /** Whether labels and provenance are new, all zeros. */
    blank?: boolean;
    /** Bytes that a journal may have without being compacted. */
    compactBytes?: number | undefined;
    /** Bytes of labels in a chunk of a snapshot. */
    chunkBytes?: number;
    /** A version of labels and correction together that was known: a journal that ends before it has lost its end. */
    version?: number;
    /** The classes of a journal that is new or damaged. */
    classes?: LabelClass[] | undefined;
  }

  export interface IEditOptions {
    /** The classes from then on, if the step changes them as well. */
    classes?: LabelClass[];
    /** The layer of the step, for the list of steps. */
    layer?: Layer;
  }

  export interface IReplaceOptions {
    /** The new classes; by default they stay. */
    classes?: LabelClass[] | undefined;
    /** The path under which the journal is kept as it was before. */
    keepAs?: string | undefined;
    /** What made each new label, where it differs from the old one; by default, what makes this step. */
    provenance?: ArrayDescriptor | undefined;
    /** The new correction, of the same size; null for none. By default it stays. */
    correction?: ArrayDescriptor | null | undefined;
  }
}
