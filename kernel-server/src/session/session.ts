/** A session: an image with its classes, labels and classifier, in a folder of its own and in shared arrays. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import { LABEL_TILE } from '../../../src/shared/limits';
import { ArrayDescriptor, LabelClass, Params, SessionState, TrainingChoice } from '../../../src/shared/protocol';
import { ArrayStore } from '../arrays/array-store';
import { byteLength } from '../arrays/dtypes';
import { breathe, explainFull, makeDirectory } from '../base/files';
import { ISegmentationArrays } from '../jobs/services';
import { Line } from '../jobs/line';
import { LabelStore } from './label-store';
import { log } from '../base/log';
import { layLabels } from './overlays';
import { PhaseCounts } from './phase-counts';
import { Pyramid, TileCache } from '../arrays/pyramid';
import { readRecord, SessionRecord, writeRecord } from './session-record';
import { TileFile } from '../arrays/tile-file';
import { VERSION } from '../base/version';

/** Bytes that are combined between two turns of the event loop. */
const CHUNK = 1 << 20;

/** What sessions share. */
export interface ISessionContext {
  store: ArrayStore;
  /** The folder of a session's arrays in the store. */
  arraysOf(id: string): string;
  tiles: TileCache;
  /** Something small about the session changed. */
  changed(session: Session): void;
}

/** Arrays that are computed from the image: they go when it is another one. */
const DERIVED = ['prediction', 'segmentation', 'probabilities', 'uncertainty', 'embedding', 'features'] as const;
export type DerivedArray = (typeof DERIVED)[number];

/** What a classifier follows from, and what of it changed; `classifier`: there is another one. */
export type SessionChange = 'labels' | 'choice' | 'classes' | 'image' | 'classifier' | 'closed';

export class Session {
  private constructor(
    readonly id: string,
    readonly folder: string,
    private _record: SessionRecord,
    private readonly _context: ISessionContext
  ) {}

  /** Make a session, or take an older one up with the image, title and classes given. */
  static async open(
    id: string,
    folder: string,
    params: Params<'session.open'>,
    context: ISessionContext,
    resumes: boolean
  ): Promise<Session> {
    await makeDirectory(folder).catch(async error => {
      throw await explainFull(error, folder);
    });
    const old = await readRecord(join(folder, 'session.json'));
    const now = new Date().toISOString();
    const record: SessionRecord = old ?? {
      format: 1,
      sidecar: VERSION,
      key: params.key,
      title: params.title,
      image: params.image,
      imageReady: false,
      classes: params.classes,
      created: now,
      changed: now,
      arrays: {},
      classifier: null,
      segmentationVersion: 0,
      embeddings: {},
      featuresOf: null,
      choice: { features: {}, forest: {} }
    };
    const session = new Session(id, folder, record, context);
    try {
      if (old) {
        await session.admit(params);
      }
      await session._take(params, resumes);
    } catch (error) {
      if (!old) {
        await context.store.remove(...Object.values(record.arrays));
      }
      throw error;
    }
    return session;
  }

  /** Load a session from its folder; `undefined` if there is none. */
  static async load(id: string, folder: string, context: ISessionContext): Promise<Session | undefined> {
    const record = await readRecord(join(folder, 'session.json'));
    if (!record) {
      return undefined;
    }
    const session = new Session(id, folder, record, context);
    await session._prepare();
    return session;
  }

  /** Training runs one at a time; who comes later waits. */
  readonly training = new Line();

  /** Called after every change that a classifier would have to follow. */
  readonly changes = new Set<(change: SessionChange) => void>();

  /** Whether every change is learned and segmented at once. It is not kept: a sidecar that starts anew waits to be told. */
  live = false;

  /** A number for a round of live segmentation: higher than all before, of an earlier run of the sidecar too. */
  nextRound(): number {
    return (this._round = Math.max(this._round + 1, Date.now()));
  }

  /** Rises when the image is replaced: what was computed from the old one is of no use. */
  get generation(): number {
    return this._generation;
  }

  /** The folder of its arrays in the store. */
  get arrays(): string {
    return this._context.arraysOf(this.id);
  }

  get record(): Readonly<SessionRecord> {
    return this._record;
  }

  get labels(): LabelStore {
    return this._labels;
  }

  get classIds(): Set<number> {
    return new Set(this._record.classes.map(item => item.id));
  }

  /** The image, once its pixels are there. Throws BridgeError `not-ready` before. */
  get image(): ArrayDescriptor {
    const image = this._record.arrays['image'];
    if (!image || !this._record.imageReady) {
      throw new BridgeError(
        'not-ready',
        'The pixels of the image are not there yet. Run the cell that shows it again.'
      );
    }
    return image;
  }

  /** The image for display. */
  get pyramid(): Pyramid {
    const { image } = this;
    const { display, digest } = this._record.image;
    this._imageFile ??= new TileFile(image, 'r');
    this._pyramid ??= new Pyramid(this._imageFile, display, this._context.tiles, `${this.id}/${digest}`);
    return this._pyramid;
  }

  /** A shared array, if there is one of that name. */
  array(name: string): ArrayDescriptor | undefined {
    return name === 'labels' ? this._labels.array : this._record.arrays[name];
  }

  /** Throws BridgeError `invalid` for a slice that the image does not have. */
  checkSlice(slice: number): void {
    const [slices] = this._record.image.shape;
    if (slice >= slices) {
      throw new BridgeError('invalid', `Slice ${slice} does not exist; the image has ${slices}, counted from 0.`);
    }
  }

  /** Everything small, as the protocol has it. */
  state(): SessionState {
    const { title, image, imageReady, classes, arrays, classifier, segmentationVersion, choice } = this._record;
    return {
      session: this.id,
      title,
      image,
      imageReady,
      classes,
      labels: { version: this._labels.version, counts: this._labels.counts },
      resumed: this._resumed,
      segmentation:
        classifier && arrays['segmentation']
          ? {
              version: segmentationVersion,
              ...(this._segmentationRound !== undefined && { round: this._segmentationRound }),
              classifier,
              ...(this._phases && { counts: this._phases.counts })
            }
          : null,
      live: this.live,
      choice,
      arrays: { ...arrays, labels: { ...this._labels.array, version: this._labels.version } }
    };
  }

  /**
   * See whether the session may be opened with `params`. Nothing changes.
   *
   * @throws BridgeError `invalid` if labels would have to be set aside and are not meant to, or two classes would have one name.
   */
  async admit(params: Params<'session.open'>): Promise<void> {
    const held = this._record.image.shape.slice(0, 3);
    const sameShape = held.join() === params.image.shape.slice(0, 3).join();
    if (params.fresh || (sameShape && params.keepClasses)) {
      return;
    }
    const loaded = this._labels !== undefined;
    const path = this._record.arrays['labels']?.path;
    if (!loaded) {
      await this._openLabels(held);
    }
    await this._labels.exclusive(async () => undefined);
    try {
      if (!sameShape) {
        this._refuseShape(params);
      }
      if (!params.keepClasses) {
        this._keptClasses(params.classes);
      }
    } catch (error) {
      if (!loaded) {
        // Nobody else knows of this one; who asks for the session next loads it as it was.
        await this._labels.close();
        if (this._labels.array.path !== path) {
          await this._context.store.remove(this._labels.array);
        }
      }
      throw error;
    }
  }

  /** Open again, perhaps with another image, other classes, or without the labels. */
  async reopen(params: Params<'session.open'>, resumes: boolean): Promise<void> {
    await this._labels.exclusive(async () => undefined);
    await this._take(params, resumes);
    this._context.changed(this);
    this._tell('image');
  }

  /** The image's pixels are in their file. */
  async imageIsReady(): Promise<void> {
    this._record.imageReady = true;
    this._bump('image');
    this._forgetTiles();
    this._tell('image');
    await this.save();
  }

  /** Set the classes. Throws BridgeError `invalid` for one that is gone and has labels. */
  async setClasses(classes: LabelClass[]): Promise<void> {
    await this._labels.exclusive(async () => {
      const ids = new Set(classes.map(item => item.id));
      for (const { id, name } of this._record.classes) {
        const pixels = this._labels.count(id);
        if (!ids.has(id) && pixels > 0) {
          throw new BridgeError(
            'invalid',
            `Class ${id} (${name}) has ${pixels} labelled pixels. Erase them before you remove the class.`
          );
        }
      }
      this._record.classes = classes;
    });
    this._tell('classes');
    await this.save();
  }

  /** Choose features or forest for the next training; what is left out stays. */
  async choose(choice: Partial<TrainingChoice>): Promise<void> {
    this._record.choice = { ...this._record.choice, ...choice };
    this._tell('choice');
    await this.save();
  }

  /** Set the labels aside and begin again. */
  async fresh(): Promise<void> {
    if (this._labels.pixels > 0) {
      await this._labels.setAside(join(this.folder, backupName()));
      await this.recombine();
    }
    this._resumed = null;
    await this.save();
  }

  /** Make an array and enter it under its name in place of an older one. */
  async replaceArray(name: DerivedArray, array: ArrayDescriptor): Promise<void> {
    const old = this._record.arrays[name];
    this._record.arrays[name] = { ...array, version: (old?.version ?? 0) + 1 };
    await this._context.store.remove(old);
  }

  /**
   * Enter what a classifier says of the image. With a new prediction comes the classifier's info, and what older ones said goes; the
   * segmentation is written over in place, so that those who map it see it. `round`: the one of live segmentation that made it.
   */
  async takeResults(
    arrays: ISegmentationArrays,
    generation: number,
    classifier: SessionRecord['classifier'] = null,
    round?: number
  ): Promise<void> {
    const shape = this._labels.array.shape;
    const segmentation =
      this._record.arrays['segmentation'] ??
      (await this._context.store.allocate(this.arrays, 'segmentation', 'uint8', shape));
    await this._labels.exclusive(async () => {
      if (generation !== this._generation) {
        throw new BridgeError('cancelled', 'The image was replaced while the forest was trained. Train again.');
      }
      for (const name of ['prediction', 'probabilities', 'uncertainty'] as const) {
        const array = arrays[name];
        if (array) {
          await this.replaceArray(name, array);
        } else if (classifier) {
          await this._forget(name);
        }
      }
      if (classifier) {
        this._record.arrays['segmentation'] = segmentation;
        this._record.classifier = classifier;
        this._record.segmentationVersion++;
        this._segmentationRound = round;
        this._openSegmentation();
        await this.recombine();
        this._tell('classifier');
      }
    });
    await this.save();
  }

  /** The embedding of a slice is in its array. */
  async tookEmbedding(slice: number, entry: SessionRecord['embeddings'][string]): Promise<void> {
    this._record.embeddings[slice] = entry;
    this._bump('embedding');
    await this.save();
  }

  /** The array `features` holds what `of` names. */
  async tookFeatures(of: string): Promise<void> {
    this._record.featuresOf = of;
    await this.save();
  }

  /** Give up the feature stack; who maps it keeps it. */
  async forgetFeatures(): Promise<void> {
    if (this._record.arrays['features']) {
      await this._forget('features');
      await this.save();
    }
  }

  /** Make the whole segmentation from labels and prediction. */
  async recombine(): Promise<void> {
    const labels = new TileFile(this._labels.array, 'r');
    try {
      await this._countPhases();
      const bytes = byteLength(this._labels.array);
      for (let position = 0; position < bytes; position += CHUNK) {
        if (!this._prediction || !this._segmentation) {
          return; // there is none, or another image came meanwhile
        }
        const length = Math.min(CHUNK, bytes - position);
        const out = this._prediction.readBytes(position, length);
        const drawn = labels.readBytes(position, length);
        layLabels(out, drawn);
        this._phases?.replace(this._segmentation.readBytes(position, length), out);
        this._segmentation.writeBytes(position, out);
        await breathe();
      }
    } finally {
      labels.close();
    }
    this._bump('segmentation');
  }

  /** Write `session.json`. Calls while one is under way share the next. */
  save(): Promise<void> {
    this._record.changed = new Date().toISOString();
    this._context.changed(this);
    this._nextSave ??= this._saving
      .catch(() => undefined)
      .then(() => {
        this._nextSave = undefined;
        return (this._saving = writeRecord(join(this.folder, 'session.json'), this._record));
      });
    return this._nextSave;
  }

  /** Let go of the files; `forgetArrays` removes the shared ones too, the labels stay in their journal. */
  async close(forgetArrays = false): Promise<void> {
    this._tell('closed');
    await this._saving.catch(() => undefined);
    await this._labels.close();
    this._closeFiles();
    if (forgetArrays) {
      await this._context.store.remove(this._labels.array, ...Object.values(this._record.arrays));
    }
  }

  private async _take(params: Params<'session.open'>, resumes: boolean): Promise<void> {
    const record = this._record;
    const sameShape = params.image.shape.join() === record.image.shape.join();
    const sameImage = params.image.digest === record.image.digest && sameShape;
    if (!sameImage) {
      this._generation++;
      record.imageReady = false;
      record.classifier = null;
      record.embeddings = {};
      await this._drop(...DERIVED);
    }
    if (!sameShape || params.image.dtype !== record.image.dtype) {
      await this._drop('image');
    }
    this._forgetTiles();
    record.image = params.image;
    record.title = params.title;
    await this._prepare();
    if (params.fresh && this._labels.pixels > 0) {
      await this._labels.setAside(join(this.folder, backupName()));
      await this.recombine();
    }
    if (!params.keepClasses) {
      // A class that has labels stays even if it is not named now: its labels would mean nothing without it.
      record.classes = [...params.classes, ...this._keptClasses(params.classes)];
    }
    if (params.fresh) {
      this._resumed = null;
    } else if (resumes) {
      const pixels = this._labels.pixels;
      this._resumed = pixels > 0 ? { pixels, changed: this._labels.changed.toISOString() } : null;
    }
    await this.save();
  }

  private _refuseShape({ image }: Params<'session.open'>): void {
    if (this._labels.pixels > 0) {
      const { title, key, image: held } = this._record;
      throw new BridgeError(
        'invalid',
        `The session ${title || key} holds labels of an image of ${size(held.shape)}; this one has ${size(image.shape)}. ` +
          'Choose another name, or fresh=True to set them aside.'
      );
    }
  }

  /** Classes that stay beside those given, since they have labels. Throws BridgeError `invalid` if a name is taken. */
  private _keptClasses(given: LabelClass[]): LabelClass[] {
    const ids = new Set(given.map(item => item.id));
    const kept = this._record.classes.filter(({ id }) => !ids.has(id) && this._labels.count(id) > 0);
    for (const { id, name } of kept) {
      if (given.some(item => item.name === name)) {
        throw new BridgeError(
          'invalid',
          `The name ${JSON.stringify(name)} is that of the class of id ${id}, which stays since it has ` +
            `${this._labels.count(id)} labelled pixels. Keep the order of the classes, or fresh=True to set the labels aside.`
        );
      }
    }
    return kept;
  }

  /** Find or make the arrays, and bring the labels up to their journal. */
  private async _prepare(): Promise<void> {
    const { arrays, image } = this._record;
    const { store } = this._context;
    for (const [name, array] of Object.entries(arrays)) {
      if (!(await store.intact(array))) {
        delete arrays[name];
      }
    }
    if (!arrays['image']) {
      arrays['image'] = await store.allocate(this.arrays, 'image', image.dtype, image.shape);
      this._record.imageReady = false;
    }
    const shape = image.shape.slice(0, 3);
    if (!this._labels || this._labels.array.shape.join() !== shape.join()) {
      await this._openLabels(shape);
    }
    if (!arrays['prediction'] || !arrays['segmentation']) {
      await this._drop('prediction', 'segmentation', 'probabilities', 'uncertainty');
    }
    if (!arrays['embedding'] || this._record.sidecar !== VERSION) {
      this._record.embeddings = {};
    }
    this._record.sidecar = VERSION;
    this._openSegmentation();
    await this.recombine();
  }

  private async _openLabels(shape: number[]): Promise<void> {
    const { arrays } = this._record;
    const path = join(this.folder, 'labels.journal');
    await this._labels?.close();
    const { labels } = arrays;
    if (labels && (labels.shape.join() !== shape.join() || !(await this._context.store.intact(labels)))) {
      await this._context.store.remove(arrays['labels']);
      delete arrays['labels'];
    }
    const blank = !arrays['labels'];
    arrays['labels'] ??= await this._context.store.allocate(this.arrays, 'labels', 'uint8', shape);
    const drawn = await LabelStore.shapeOf(path);
    if (drawn?.join() !== shape.join()) {
      const aside = join(this.folder, backupName());
      await rename(path, aside).then(
        () => log(`${path} is for another image or broken; it is now ${aside}`),
        () => undefined
      );
    }
    this._labels = await LabelStore.open(path, arrays['labels'], blank);
    this._labels.onTile = (slice, row, column) => this._recombineTile(slice, row, column);
    this._labels.onChange = () => this._tell('labels');
    this._resumed = null;
  }

  private _openSegmentation(): void {
    this._prediction?.close();
    const { prediction, segmentation } = this._record.arrays;
    if (!prediction || segmentation?.path !== this._segmentation?.array.path) {
      this._phases = undefined;
    }
    this._segmentation?.close();
    this._prediction = prediction && segmentation ? new TileFile(prediction, 'r') : undefined;
    this._segmentation = prediction && segmentation ? new TileFile(segmentation, 'r+') : undefined;
  }

  /** Count what the segmentation holds, unless it is known. */
  private async _countPhases(): Promise<void> {
    const file = this._segmentation;
    const bytes = byteLength(this._labels.array);
    while (file && file === this._segmentation && !this._phases) {
      const version = this._record.arrays['segmentation']?.version;
      const phases = new PhaseCounts();
      for (let position = 0; position < bytes && file === this._segmentation; position += CHUNK) {
        phases.add(file.readBytes(position, Math.min(CHUNK, bytes - position)));
        await breathe();
      }
      // A tile that changed meanwhile may have been counted as it was or as it is.
      if (file === this._segmentation && version === this._record.arrays['segmentation']?.version) {
        this._phases = phases;
      }
    }
  }

  private _recombineTile(slice: number, row: number, column: number): void {
    if (!this._prediction || !this._segmentation) {
      return;
    }
    const region = this._segmentation.tile(slice, row, column, LABEL_TILE);
    const out = this._prediction.read(region) as Uint8Array;
    layLabels(out, this._labels.readTile(slice, row, column));
    this._phases?.replace(this._segmentation.read(region) as Uint8Array, out);
    this._segmentation.write(region, out);
    this._bump('segmentation');
  }

  private _tell(change: SessionChange): void {
    this.changes.forEach(listener => listener(change));
  }

  private _bump(name: string): void {
    const array = this._record.arrays[name];
    if (array) {
      array.version++;
    }
  }

  private async _drop(...names: string[]): Promise<void> {
    this._closeFiles();
    for (const name of names) {
      await this._forget(name);
    }
  }

  private async _forget(name: string): Promise<void> {
    const array = this._record.arrays[name];
    delete this._record.arrays[name];
    await this._context.store.remove(array);
  }

  private _forgetTiles(): void {
    this._context.tiles.forget(`${this.id}/`);
    this._pyramid = undefined;
  }

  private _closeFiles(): void {
    this._imageFile?.close();
    this._prediction?.close();
    this._segmentation?.close();
    this._imageFile = this._pyramid = this._prediction = this._segmentation = this._phases = undefined;
  }

  private _labels!: LabelStore; // from the first _openLabels on
  private _imageFile: TileFile | undefined;
  private _pyramid: Pyramid | undefined;
  private _prediction: TileFile | undefined;
  private _segmentation: TileFile | undefined;
  /** What {@link _segmentation} holds, once that was counted. */
  private _phases: PhaseCounts | undefined;
  /** Labels that were there when the session was opened and nobody used it; the same for all who come later. */
  private _resumed: SessionState['resumed'] = null;
  private _generation = 0;
  private _round = 0;
  private _segmentationRound: number | undefined;
  private _saving: Promise<void> = Promise.resolve();
  private _nextSave: Promise<void> | undefined;
}

/** The size of an image, for people: a single slice goes without saying. */
function size([slices, rows, columns]: number[]): string {
  return `${slices === 1 ? '' : `${slices} × `}${rows} × ${columns}`;
}

function backupName(): string {
  return `labels-${new Date().toISOString().replace(/[:.]/g, '-')}.bak`;
}
