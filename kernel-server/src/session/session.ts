/** A session: an image with its classes, labels and classifier, in a folder of its own and in shared arrays. */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Contrast } from '../../../src/shared/contrast';
import { BridgeError } from '../../../src/shared/errors';
import {
  ArrayDescriptor,
  LabelClass,
  MadeBy,
  Marks,
  Params,
  SessionState,
  TrainingChoice
} from '../../../src/shared/protocol';
import { isSameRect, isSameRegion, OptionalRegion } from '../../../src/shared/region';
import { ArrayStore } from '../arrays/array-store';
import { explainStorage, makeDirectory } from '../base/files';
import { admit, admitWithoutRecord, keptClasses, otherImage, refuseLostClasses, withNote } from './admission';
import { sizeText } from './size-text';
import { ISegmentationArrays } from '../jobs/services';
import { Line } from '../jobs/line';
import { Direction } from './edit';
import { IMoved, JournalledLabels } from './journalled-labels';
import { keepDamaged } from './keep-file';
import { log } from '../base/log';
import { shapeIn, SliceDirection } from '../../../src/shared/direction';
import { Pyramid, TileCache } from '../arrays/pyramid';
import { GatheredSlices } from '../arrays/slices';
import { Segmentation } from './segmentation';
import { SessionArrays } from './session-arrays';
import { SessionLabels } from './session-labels';
import { newRecord, readRecord, RecordFile, SessionRecord } from './session-record';
import { stateOf } from './session-state';
import { TileFile } from '../arrays/tile-file';
import { CHUNK, IPatchResult } from './replay';
import { checkRegion } from './region';
import { relabel, relabelTable } from './whole-labels';
import { VERSION } from '../base/version';

/** The parts that all sessions share. */
export interface ISessionContext {
  store: ArrayStore;
  /** The folder of a session's arrays in the store. */
  arraysOf(id: string): string;
  tiles: TileCache;
  /** Called when the session's state changed. */
  changed(session: Session): void;
}

/** How a session is opened. */
export interface IHowOpened {
  /** No peer uses the session, so its old labels are reported to the user. */
  resumes: boolean;
  /** An array with the image's pixels, which the session may move to its own. */
  pixels?: ArrayDescriptor | undefined;
}

/** Arrays that are computed from the image. They are removed when the image is replaced. */
const DERIVED = [
  'prediction',
  'segmentation',
  'probabilities',
  'uncertainty',
  'embedding',
  'embeddingFeatures',
  'features'
] as const;
export type DerivedArray = (typeof DERIVED)[number];

/** A change that affects the classifier; `classifier`: the session has another classifier. */
export type SessionChange = 'labels' | 'choice' | 'classes' | 'region' | 'image' | 'classifier' | 'closed';

/** The file of the record in the session's folder. */
const RECORD = 'session.json';

export class Session {
  private constructor(options: {
    id: string;
    folder: string;
    record: SessionRecord;
    context: ISessionContext;
    /** Whether the record is new. */
    isNew?: boolean;
  }) {
    this.id = options.id;
    this.folder = options.folder;
    this._record = options.record;
    this._context = options.context;
    this._arrays = new SessionArrays({
      folder: this._context.arraysOf(this.id),
      store: this._context.store,
      listed: this._record.arrays
    });
    this._segmentation = new Segmentation(
      this._arrays,
      () => this._labels.opened?.correction,
      () => this._record.region
    );
    this._labels = new SessionLabels({
      folder: this.folder,
      record: this._record,
      arrays: this._arrays,
      isNew: options.isNew ?? false,
      onPaint: change => this._segmentation.follow(change),
      onChange: layers => {
        if (layers.has('labels')) {
          this._tell('labels');
        }
        this._file.saveSoon();
      }
    });
    this._file = new RecordFile(join(this.folder, RECORD), this._record, () => {
      this._record.labelled = this.labels.pixels;
      this._record.labelsVersion = this.labels.latest;
      this._context.changed(this);
    });
  }

  /** Make a session, or open an existing one with the given image, title and classes. */
  static async open(
    id: string,
    folder: string,
    params: Params<'session.open'>,
    context: ISessionContext,
    how: IHowOpened
  ): Promise<Session> {
    await makeDirectory(folder).catch(async error => {
      throw await explainStorage(error, folder);
    });
    const path = join(folder, RECORD);
    const read = await readRecord(path);
    const record = read.record ?? newRecord(params);
    const session = new Session({ id, folder, record, context, isNew: !read.record });
    try {
      if (read.record) {
        await session.admit(params);
      } else {
        await admitWithoutRecord(record, session._labels.journalPath, params);
        if (read.damaged) {
          session._labels.noteDamagedRecord(await keepDamaged(path, 'session'));
        }
      }
      await session._take(params, how);
    } catch (error) {
      await session.abandon();
      if (!read.record) {
        await context.store.remove(...Object.values(record.arrays));
      }
      throw error;
    }
    return session;
  }

  /** Load a session from its folder; `undefined` if there is none. */
  static async load(id: string, folder: string, context: ISessionContext): Promise<Session | undefined> {
    const { record } = await readRecord(join(folder, RECORD));
    if (!record) {
      return undefined;
    }
    const session = new Session({ id, folder, record, context });
    try {
      await session._prepare();
    } catch (error) {
      await session.abandon();
      throw error;
    }
    return session;
  }

  readonly id: string;

  /** The folder of the session's record, journal and classifier. */
  readonly folder: string;

  /** Trainings run one at a time, in the order of the requests. */
  readonly training = new Line();

  /** Called after every change that affects the classifier. */
  readonly changes = new Set<(change: SessionChange) => void>();

  /** Whether every change is learned and segmented at once. Not persisted: off after a restart. */
  live = false;

  /** The number of a new round of live segmentation. It is higher than all earlier ones, even those of earlier sidecars. */
  nextRound(): number {
    return (this._round = Math.max(this._round + 1, Date.now()));
  }

  /** Rises when the image is replaced. Results of an older generation are discarded. */
  get generation(): number {
    return this._generation;
  }

  /** Rises when SAM's encoder sees other pixels: another image, or other rows and columns of it. */
  get encoderGeneration(): number {
    return this._encoderGeneration;
  }

  /** Rises when the encoder for prompts sees other pixels or another contrast, or is that of another model. */
  get promptGeneration(): number {
    return this._encoderGeneration + this._promptChanges;
  }

  /** The folder of the session's arrays in the store. */
  get arraysFolder(): string {
    return this._arrays.folder;
  }

  get record(): Readonly<SessionRecord> {
    return this._record;
  }

  get labels(): JournalledLabels {
    return this._labels.opened!; // a session is given out with its labels opened
  }

  get classIds(): Set<number> {
    return new Set(this._record.classes.map(item => item.id).filter(id => !this._leaving.has(id)));
  }

  /** The image. Throws BridgeError `not-ready` until its pixels are in their file. */
  get image(): ArrayDescriptor {
    const image = this._arrays.get('image');
    if (!image || !this._record.imageReady) {
      throw new BridgeError(
        'not-ready',
        'The pixels of the image are not there yet. Run the cell that shows the image again.'
      );
    }
    return image;
  }

  /** The image for display. */
  get pyramid(): Pyramid {
    return this.pyramidIn('xy');
  }

  /** The slices of the image in a direction, for display. */
  pyramidIn(direction: SliceDirection = 'xy'): Pyramid {
    const { image } = this;
    let pyramid = this._pyramids.get(direction);
    if (!pyramid) {
      const { display, digest } = this._record.image;
      const name = this._tilesOf(direction);
      const file = (this._imageFile ??= new TileFile(image, 'r'));
      const slices = direction === 'xy' ? file : new GatheredSlices(file, direction, `${digest} ${image.version}`);
      pyramid = new Pyramid(slices, display, this._context.tiles, name);
      this._pyramids.set(direction, pyramid);
    }
    return pyramid;
  }

  /** The shared array of this name, if there is one. */
  array(name: string): ArrayDescriptor | undefined {
    return name === 'labels' ? this.labels.array : this._arrays.get(name);
  }

  /** Throws BridgeError `invalid` for a slice that the image does not have. */
  checkSlice(slice: number, direction: SliceDirection = 'xy'): void {
    const [z, y, x] = this._record.image.shape;
    const [slices] = shapeIn(direction, [z, y, x]);
    if (slice >= slices) {
      const where = direction === 'xy' ? '' : ` in ${direction}`;
      throw new BridgeError(
        'invalid',
        `Slice ${slice} does not exist; the image has ${slices}${where}, counted from 0.`
      );
    }
  }

  /** The session's state for the protocol: everything but pixels. */
  state(): SessionState {
    const { id, live } = this;
    return stateOf({ id, record: this._record, labels: this._labels, segmentation: this._segmentation, live });
  }

  /**
   * Check whether the session may be opened with `params`, without a change.
   *
   * @throws BridgeError `invalid` if labels would be lost without `fresh`, or two classes would have one name
   */
  admit(params: Params<'session.open'>): Promise<void> {
    return admit(this._record, this._labels, params);
  }

  /** Open again, perhaps with another image, other classes, or without the labels. */
  async reopen(params: Params<'session.open'>, how: IHowOpened): Promise<void> {
    await this.labels.exclusive(async () => undefined);
    await this._take(params, how);
    this._context.changed(this);
    this._tell('image');
  }

  /**
   * Make the arrays again whose files somebody has removed, as a log-out or a cleaner of temporary files does. The labels come from their
   * journal; Python has the image's pixels; results are lost until the next training.
   */
  async mend(): Promise<void> {
    if (await this._arrays.allIntact()) {
      return;
    }
    log(`session ${this.id}: files of shared arrays are gone; they are made again`);
    await this.labels.exclusive(async () => undefined);
    const { resumed } = this._labels;
    this._encoderGeneration++;
    this._generation++; // what is being computed goes into files that nobody sees
    this._forgetTiles();
    await this._prepare();
    this._labels.resumed = resumed;
    await this.save();
    this._tell('image');
  }

  /** The image's pixels are in their file. */
  async imageIsReady(): Promise<void> {
    this._record.imageReady = true;
    this._arrays.bump('image');
    this._forgetTiles();
    this._tell('image');
    this._makeOverview();
    await this.save();
  }

  /** Set the classes. Throws BridgeError `invalid` if a class with labels is missing. */
  async setClasses(classes: LabelClass[], made: MadeBy): Promise<void> {
    await this.labels.setClasses(classes, made, () => refuseLostClasses(this._record.classes, this.labels, classes));
    this._tell('classes');
    await this.save();
  }

  /**
   * Set the classes and give the labels of some classes another id, in one step: merges classes, or removes them with their labels.
   *
   * @param ids [old id, new id]; 0 is unlabelled
   * @throws BridgeError `invalid` if a class with labels would be missing
   */
  async relabel(
    id: string,
    classes: LabelClass[],
    ids: readonly (readonly [number, number])[],
    made: MadeBy
  ): Promise<IMoved> {
    const table = relabelTable(ids, classes);
    const gone = ids.map(([from]) => from).filter(from => !classes.some(item => item.id === from));
    // At once: a patch that comes from now on waits, and would be applied when its class is gone.
    gone.forEach(each => this._leaving.add(each));
    try {
      const edited = await this.labels.edit(
        id,
        made,
        async (planes, recorder) => {
          const kept = [...classes, ...this._record.classes.filter(item => gone.includes(item.id))];
          refuseLostClasses(this._record.classes, this.labels, kept);
          await relabel(planes, recorder, table, CHUNK);
        },
        { classes }
      );
      this._tell('classes');
      await this.save();
      return edited;
    } finally {
      gone.forEach(each => this._leaving.delete(each));
    }
  }

  /**
   * Replace all labels, and the classes if some are given, in one step.
   *
   * @throws BridgeError `invalid` for ids that no class has
   */
  async setLabels(labels: ArrayDescriptor, made: MadeBy, classes?: LabelClass[]): Promise<IPatchResult> {
    const result = await this.labels.replace(labels, made, { ...(classes && { classes }) });
    if (classes) {
      this._tell('classes');
    }
    await this.recombine();
    await this.save();
    return result;
  }

  /** Mark classes as locked or hidden. */
  async setMarks(marks: Marks): Promise<void> {
    this._record.marks = marks;
    await this.save();
  }

  /**
   * Work on a part of the image; null: on all of it. What the segmentation has of the new region stays.
   *
   * @returns whether that is another region than before
   * @throws BridgeError `invalid` if the image does not have it
   */
  async setRegion(region: OptionalRegion): Promise<boolean> {
    const chosen = checkRegion(region, this._record.image.shape);
    if (isSameRegion(chosen, this._record.region)) {
      return false;
    }
    const before = this._record.region;
    await this.labels.exclusive(async () => {
      this._record.region = chosen;
      // They are 0 outside of the region that they were made for, and are made again on demand.
      await this._arrays.remove('probabilities', 'uncertainty', 'features');
      if (!isSameRect(chosen, before, this._record.image.shape)) {
        this._encoderGeneration++;
        this._record.embeddings = {};
        await this._arrays.remove('embedding', 'embeddingFeatures');
      }
      await this._segmentation.regionChanged(this.labels.array);
      if (this._record.classifier) {
        this._record.segmentationVersion++; // so pages fetch it again
      }
    });
    this._tell('region');
    await this.save();
    return true;
  }

  /** Choose the model that suggests. Classifiers see MobileSAM as before. */
  async chooseModel(model: string): Promise<void> {
    if (model !== this._record.samModel) {
      await this._changePrompts({ samModel: model });
    }
  }

  /** Set how the image is shown, which is what SAM sees for prompts; null: by its usual range. */
  async setContrast(contrast: Contrast | null): Promise<void> {
    if (!isDeepStrictEqual(contrast, this._record.contrast)) {
      await this._changePrompts({ contrast });
    }
  }

  /** Change what embeddings for prompts depend on. Those of before are removed. */
  private async _changePrompts(change: Partial<Pick<SessionRecord, 'samModel' | 'contrast'>>): Promise<void> {
    await this.labels.exclusive(async () => {
      Object.assign(this._record, change);
      this._promptChanges++;
      this._record.embeddings = {};
      await this._arrays.remove('embedding', 'embeddingFeatures');
    });
    await this.save();
  }

  /** Choose features or learner of the next training. Undefined fields keep their choice. */
  async choose(choice: Partial<TrainingChoice>): Promise<void> {
    this._record.choice = { ...this._record.choice, ...choice };
    this._tell('choice');
    await this.save();
  }

  /** Set the labels aside in a backup and begin without labels. */
  async fresh(made: MadeBy): Promise<void> {
    await this._labels.setAside(null, made);
    await this._segmentation.recount(this.labels.array);
    this._labels.forgetFound();
    await this.save();
  }

  /**
   * Replace labels and classes, by those of another session or of a backup. Older labels are set aside in a backup.
   *
   * @param labels uint8 [slices, rows, columns]; all its ids are in `classes`
   * @param with provenance: what made them; correction: the new one, null for none; by default the present one stays
   * @throws BridgeError `invalid` if the labels are of another size
   */
  async adoptLabels(
    labels: ArrayDescriptor,
    classes: LabelClass[],
    made: MadeBy,
    { provenance, correction }: { provenance: ArrayDescriptor; correction?: ArrayDescriptor | null }
  ): Promise<void> {
    const { shape } = this.labels.array;
    if (labels.shape.join() !== shape.join()) {
      throw new BridgeError(
        'invalid',
        `The labels are of an image of ${sizeText(labels.shape)}; this one has ${sizeText(shape)}.`
      );
    }
    await this._labels.setAside(labels, made, { classes, provenance, ...(correction !== undefined && { correction }) });
    this._labels.forgetFound();
    this._tell('classes');
    await this._segmentation.recount(this.labels.array);
    await this.save();
  }

  /** Undo the last step, or make the step again that was undone last. */
  async move(id: string, direction: Direction): Promise<IMoved> {
    const moved = await this.labels.move(id, direction);
    if (moved.classes) {
      this._tell('classes');
    }
    await this.save();
    return moved;
  }

  /** List an array under its name and remove the older one. */
  replaceArray(name: DerivedArray, array: ArrayDescriptor): Promise<void> {
    return this._arrays.replace(name, array);
  }

  /**
   * Store the results of a classifier. A new prediction comes with the classifier's info; then the results of the earlier classifier
   * are removed, and the segmentation is overwritten in place.
   *
   * @param round the round of live segmentation, or the training, that made the results and sent tiles to pages
   * @param made share of the segmentation's tiles that are made; the others are 0
   * @param of the image's generation and the region that they were made of
   * @throws BridgeError `cancelled` if the image is of another generation
   */
  async takeResults(
    results: ISegmentationArrays,
    of: { generation: number; region: OptionalRegion },
    classifier: SessionRecord['classifier'] = null,
    round?: number,
    made = 1
  ): Promise<void> {
    const segmentation = await this._segmentation.array(this.labels.array.shape);
    await this.labels.exclusive(async () => {
      if (of.generation !== this._generation) {
        throw new BridgeError('cancelled', 'The image was replaced while the forest was trained. Train again.');
      }
      if (!isSameRegion(of.region, this._record.region)) {
        // The region changed meanwhile. What is 0 outside of the older one is made again on demand.
        const { probabilities, uncertainty, ...rest } = results;
        await this._context.store.remove(probabilities, uncertainty);
        results = rest;
        round = undefined; // the tiles that pages have got of it are cut to the older region
      }
      await this._segmentation.take(results, classifier !== null);
      if (classifier) {
        try {
          await this._segmentation.renew(segmentation, this.labels.array, round);
        } finally {
          // The version counts now: who sees it finds the new segmentation in the array.
          this._record.segmentedRegion = of.region;
          if (classifier !== this._record.classifier) {
            this._record.learnedRegion = of.region;
          }
          this._record.classifier = classifier;
          this._record.segmentationVersion++;
          this._record.segmentedPart = made;
        }
        this._tell('classifier');
      }
    });
    await this.save();
  }

  /** Note that the embedding of a slice is in the array `embedding`. */
  async tookEmbedding(slice: number, entry: SessionRecord['embeddings'][string]): Promise<void> {
    this._record.embeddings[slice] = entry;
    this._arrays.bump('embedding');
    await this.save();
  }

  /** Note the slice and spec of the array `features`. */
  async tookFeatures(of: string): Promise<void> {
    this._record.featuresOf = of;
    await this.save();
  }

  /** Remove the feature stack. Processes that map it keep it. */
  async forgetFeatures(): Promise<void> {
    if (this._arrays.get('features')) {
      await this._arrays.remove('features');
      await this.save();
    }
  }

  /** Write the whole segmentation again from the prediction and the labels. */
  recombine(): Promise<void> {
    return this._segmentation.recombine(this.labels.array);
  }

  /** Write `session.json`. Calls during a write share the next one. */
  save(): Promise<void> {
    return this._file.save();
  }

  /** Close the files. `forgetArrays` also removes the shared arrays; the labels stay in their journal. */
  async close(forgetArrays = false): Promise<void> {
    this._tell('closed');
    await this._file.finish();
    await this._labels.close();
    this._closeFiles();
    if (forgetArrays) {
      await this._context.store.remove(this.labels.array, ...Object.values(this._record.arrays));
    }
  }

  /** Close the files of a session that is half way between two images. Its record on the disk stays as it is. */
  async abandon(): Promise<void> {
    this._tell('closed');
    await this._file.abandon();
    await this._labels.close().catch(error => log(`session ${this.id} did not close`, error));
    this._closeFiles();
  }

  private async _take(params: Params<'session.open'>, { resumes, pixels }: IHowOpened): Promise<void> {
    const record = this._record;
    const sameShape = params.image.shape.join() === record.image.shape.join();
    const sameImage = params.image.digest === record.image.digest && sameShape;
    if (!sameImage) {
      this._generation++;
      this._encoderGeneration++;
      record.imageReady = false;
      record.classifier = null;
      record.embeddings = {};
      record.contrast = null;
      await this._drop(...DERIVED);
    }
    if (!sameShape || params.image.dtype !== record.image.dtype) {
      await this._drop('image');
    }
    this._forgetTiles();
    if (!sameShape) {
      record.region = null;
    }
    const { title } = record;
    record.image = params.image;
    record.title = params.title;
    record.origin = params.origin ?? null;
    // An image that is there keeps its file, so that maps of it stay live; Python then writes the new pixels into it.
    if (pixels && !(await this._arrays.intact('image'))) {
      await this._takePixels(pixels);
    }
    await this._prepare();
    if (params.fresh) {
      await this._labels.setAside(null, { provenance: 'python', tool: 'fresh' });
      await this._segmentation.recount(this.labels.array);
    }
    if (!params.keepClasses) {
      // A class with labels stays even if `params` do not name it: its labels would have no meaning without it.
      record.classes = [...params.classes, ...keptClasses(record.classes, this.labels, params.classes)];
    }
    await this.labels.setClasses(record.classes);
    this._labels.recordHasClasses();
    if (params.fresh) {
      this._labels.forgetFound();
    } else if (resumes) {
      this._labels.noteResumed();
    }
    if (!sameImage && !params.again && this.labels.pixels > 0) {
      record.image = withNote(record.image, otherImage(title || record.key, this.labels.pixels));
    }
    await this.save();
  }

  /** Make an array of the image's pixels the session's own, if it is still there and fits. */
  private async _takePixels(pixels: ArrayDescriptor): Promise<void> {
    const { image } = this._record;
    if (pixels.dtype === image.dtype && pixels.shape.join() === image.shape.join()) {
      this._closeFiles();
      if (await this._arrays.adopt('image', pixels)) {
        this._record.imageReady = true;
        this._context.tiles.rename(`${pixels.path}/`, `${this._tilesOf('xy')}/`);
        this._makeOverview();
      }
    }
  }

  /** Make what an overview is drawn from before a page asks for it. If this fails, so does the page's request, which tells why. */
  private _makeOverview(): void {
    this.pyramid.overview(0).catch(() => undefined);
  }

  /** Find or make the arrays, and fill the labels from their journal. */
  private async _prepare(): Promise<void> {
    const { image } = this._record;
    const arrays = this._arrays;
    await arrays.forgetLost();
    if (!arrays.get('image')) {
      this._closeFiles();
      arrays.set('image', await arrays.allocate('image', image.dtype, image.shape));
      this._record.imageReady = false;
    }
    const shape = image.shape.slice(0, 3);
    const { opened } = this._labels;
    const lost = (['labels', 'provenance', ...(opened?.correction ? ['correction'] : [])] as const).some(
      name => !arrays.get(name)
    );
    if (lost || opened?.array.shape.join() !== shape.join()) {
      await this._labels.open(shape);
    }
    const results = ['prediction', 'segmentation', 'probabilities', 'uncertainty'] as const;
    const whole = arrays.get('prediction') && arrays.get('segmentation');
    if (!whole && results.some(name => arrays.get(name))) {
      await this._drop(...results);
    }
    if (!arrays.get('embedding') || this._record.sidecar !== VERSION) {
      this._record.embeddings = {};
    }
    this._record.sidecar = VERSION;
    this._segmentation.open();
    await this.recombine();
  }

  private _tell(change: SessionChange): void {
    this.changes.forEach(listener => listener(change));
  }

  /** Remove arrays, after all files are closed. */
  private async _drop(...names: string[]): Promise<void> {
    this._closeFiles();
    await this._arrays.remove(...names);
  }

  /** What the names of the image's tiles in the cache begin with. */
  private _tilesOf(direction: SliceDirection): string {
    return `${this.id}/${this._record.image.digest}/${direction}`;
  }

  private _forgetTiles(): void {
    this._context.tiles.forget(`${this.id}/`);
    this._pyramids.clear();
  }

  private _closeFiles(): void {
    this._imageFile?.close();
    this._imageFile = undefined;
    this._pyramids.clear();
    this._segmentation.close();
  }

  private readonly _record: SessionRecord;
  private readonly _context: ISessionContext;
  private readonly _arrays: SessionArrays;
  private readonly _segmentation: Segmentation;
  private readonly _labels: SessionLabels;
  private readonly _file: RecordFile;
  private _imageFile: TileFile | undefined;
  private readonly _pyramids = new Map<SliceDirection, Pyramid>();
  private _generation = 0;
  private _encoderGeneration = 0;
  private _promptChanges = 0;
  /** Ids of classes that are being removed. */
  private readonly _leaving = new Set<number>();
  private _round = 0;
}
