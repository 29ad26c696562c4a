/**
 * The state of a labeller, without a page: the session and everything about it that views show. Events and actions change the
 * state, and a signal tells the views.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { ITransport } from '../../kernel-bridge';
import {
  DEFAULT_MODEL,
  BridgeError,
  ClassifierFormat,
  isVolume,
  LabelClass,
  Marks,
  Params,
  Rect,
  Replaces,
  SamModelInfo,
  SessionState,
  SessionSummary,
  SliceDirection,
  SuggestedRegion
} from '../../shared';
import { rectOf } from '../../shared/region';
import { Settings } from '../base/settings';
import { trans } from '../base/translation';
import { LabelStore } from '../labels/label-store';
import { IPatchReply, Move } from '../labels/patch-queue';
import { IMaskedPatch } from '../labels/patches';
import { Change, IRepaint } from './change';
import { Choice } from './choice';
import { Carrying } from './carrying';
import { ClassChange, marked } from './class-rules';
import { ClassSets } from './class-sets';
import { ClassifierFiles, IChosenFile, ISavedFile } from './classifier-files';
import { Connection } from './connection';
import { CorrectionMethod, Drawing } from './drawing';
import { LabelFiles } from './label-files';
import { LiveState } from './live-state';
import { ObjectTasks } from './object-tasks';
import { SessionParts } from './session-parts';
import { ISuggestionDecoder } from './suggestion-decoder';
import { StepHistory } from './step-history';
import { StoredLabels } from './stored-labels';
import { StrokeTimes } from './stroke-times';
import { IPixel } from './suggestion';
import { SuggestionOptions } from './suggestion-options';
import { Training } from './training';
import { isHidden } from './weak-suggestions';

/** SAM gets a slice of a stack when the user has stayed on it for this time, in milliseconds: not slices that are only passed. */
const REST_MS = 400;

/** Patches that were not sent when their kernel went away, by session: the session's next labeller sends them. */
const leftBehind = new Map<string, IMaskedPatch[]>();

/** What is wrong with the files of SAM's model. */
export interface IModelProblem {
  /** What is wrong, and what would do. */
  text: string;
  /** The model that the session chose, if MobileSAM suggests in its place. */
  chosen: string | null;
}

/** The state of one labeller. */
export class LabellerState implements IDisposable {
  constructor(options: LabellerState.IOptions) {
    this._createDecoder = options.createDecoder;
    this.id = options.session;
    this.settings = options.settings;
    const link = new Connection({ session: options.session, connect: options.connect });
    this.connection = link;
    // Before the parts: they follow the session's new state.
    link.changed.connect(this._onConnection, this);
    link.attached.connect(this._onAttached, this);
    link.on('session').connect((_, { params }) => {
      this._take(params);
      this._prepare();
    }, this);
    this.choice = new Choice({ link });
    this.training = new Training({ link });
    this.live = new LiveState({ link });
    this.files = new ClassifierFiles({ link });
    this.labelFiles = new LabelFiles({ link, drained: () => this.drained(), notebook: options.notebook });
    this.classSets = new ClassSets({ link });
    this.stored = new StoredLabels({ link });
    this.history = new StepHistory({ link });
    this.carrying = new Carrying({ link });
    this.times = new StrokeTimes({ link });
    this.choice.answered.connect((_, session) => this._take(session), this);
    this.choice.changed.connect(() => this._changed.emit('features'), this);
    for (const part of [
      this.training,
      this.live,
      this.files,
      this.labelFiles,
      this.classSets,
      this.stored,
      this.history,
      this.carrying
    ]) {
      part.changed.connect(() => this._changed.emit('status'), this);
    }
    this.live.quiet.connect(() => this._parts?.fallBack(), this);
    this.live.moved.connect(this._showSam, this);
    this.settings.changed.connect(this._onSettings, this);
    this.suggestionOptions.changed.connect(() => this._changed.emit('choice'), this);
  }

  /** The session's id. */
  readonly id: string;
  readonly settings: Settings;
  readonly connection: Connection;
  readonly training: Training;
  readonly live: LiveState;
  /** Times from the last strokes to their effect on the screen. */
  readonly times: StrokeTimes;
  /** What the next training uses. */
  readonly choice: Choice;
  /** What the user chose for SAM's suggestions. */
  readonly suggestionOptions = new SuggestionOptions();
  /** Saves and loads the classifier as a file. */
  readonly files: ClassifierFiles;
  /** Saves labels and results as files, and opens labels. */
  readonly labelFiles: LabelFiles;
  /** Sets of classes that the user has saved. */
  readonly classSets: ClassSets;
  /** Backups of the session, and other sessions whose labels would fit. */
  readonly stored: StoredLabels;
  /** The steps that can be undone. */
  readonly history: StepHistory;

  /** The object that is carried through the slices. */
  readonly carrying: Carrying;

  /** Emits what changed. */
  get changed(): ISignal<this, Change> {
    return this._changed;
  }

  /** Emits which pictures of tiles are outdated. */
  get repaint(): ISignal<this, IRepaint> {
    return this._repaint;
  }

  get session(): SessionState | null {
    return this._session;
  }

  /** The parts that belong to the image; null until the session is known. */
  get parts(): SessionParts | null {
    return this._parts;
  }

  get slice(): number {
    return this._slice;
  }

  /** The direction in which slices are taken from a volume. */
  get direction(): SliceDirection {
    return this._parts?.direction ?? this._wanted;
  }

  /** Show slices in another direction: the one that was shown last in it, at first the middle one. Other images than volumes have xy only. */
  setDirection(direction: SliceDirection): void {
    const { _parts: old, _session: session } = this;
    this._wanted = direction;
    if (!old || !session || !old.isVolume || direction === old.direction) {
      return;
    }
    this._places.set(old.direction, this._slice);
    const version = old.labels.version;
    this._parts = this._build(session, { goesOn: old });
    old.turn();
    const { labels, slices } = this._parts;
    this._slice = Math.min(this._places.get(direction) ?? Math.floor(slices / 2), slices - 1);
    this._prepared = '';
    this._notice = null; // it was about the slice before
    labels.slice(this._slice);
    if (this.connection.state.state === 'connected') {
      labels.attached(version);
    }
    this._parts.take(session);
    this._prepare(REST_MS);
    this._changed.emit('session');
    this._changed.emit('choice');
    this._changed.emit('drawing');
  }

  /** The class that tools draw. */
  get currentClass(): LabelClass | null {
    const classes = this._session?.classes ?? [];
    return classes.find(({ id }) => id === this._classId) ?? classes[0] ?? null;
  }

  /** Name of the tool that the user took or drew with; null before that. The registry of tools says which one is in use. */
  get takenTool(): string | null {
    return this._tool;
  }

  /** The last error, for the user; null after the next successful action. */
  get error(): string | null {
    return this._error;
  }

  /** A notice about the session, shown until the user does something in it; null for none. */
  get notice(): string | null {
    return this._notice;
  }

  /** Tells that the last stroke or click labelled more than half of the image, until something else changes; null if it did not. */
  get large(): string | null {
    return this._large;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Connect and attach. */
  open(): Promise<void> {
    return this.connection.open();
  }

  /** Show a slice. */
  setSlice(slice: number): void {
    const parts = this._parts;
    if (parts && slice !== this._slice && slice >= 0 && slice < parts.slices) {
      parts.upcoming.step(this._slice, slice);
      this._slice = slice;
      parts.suggestions.decoder = null;
      this._prepare(REST_MS);
      this._changed.emit('choice');
      this._changed.emit('drawing');
    }
  }

  /** Go on by so many slices, back if negative, at most to the end of the stack. */
  step(steps: number): void {
    const last = (this._parts?.slices ?? 1) - 1;
    this.setSlice(Math.min(Math.max(this._slice + steps, 0), last));
  }

  /** Show the next slice with labels in a direction. */
  goToLabelled(direction: 1 | -1): void {
    this.setSlice(this._parts?.labelled.next(this._slice, direction) ?? this._slice);
  }

  /** Copy the labels of the slice to the next one and show that. The switch of overlaps says which older labels there stay. */
  async copyToNextSlice(): Promise<void> {
    const from = this._slice;
    const to = from + 1;
    await this._attempt(async () => {
      await this.drained();
      const { classes, marks } = this._session!;
      const ids = classes.map(({ id }) => id).filter(id => !marks.locked.includes(id));
      const { overlap } = this.settings.values;
      const replaces = overlap === 'keep' ? [0] : [0, ...ids];
      const { result } = await this.connection.request('labels.copy', {
        session: this.id,
        from,
        to,
        classes: ids,
        replaces,
        ...(overlap === 'same' && { one: true as const })
      });
      this.training.dismiss();
      this.setSlice(to);
      if (result.changed === 0) {
        this.note(
          trans.__('Nothing was copied: the slice before has no labels, or all are here already or may not change.')
        );
      }
    });
  }

  /** Fill the slices without labels between labelled ones. */
  async fillBetweenSlices(): Promise<void> {
    await this._attempt(async () => {
      await this.drained();
      const { result } = await this.connection.request('labels.interpolate', { session: this.id });
      this.training.dismiss();
      this.note(trans.__('Slices filled: %1', result.slices.length));
    });
  }

  /** Take a tool. */
  setTool(tool: string): void {
    if (tool !== this._tool) {
      this._toolBefore = this._tool;
    }
    this._takeTool(tool);
  }

  /** Take the tool that was in use before this one. */
  returnTool(): void {
    this._takeTool(this._toolBefore);
  }

  private _takeTool(tool: string | null): void {
    this._tool = tool;
    this._changed.emit('choice');
    this._changed.emit('drawing');
  }

  /** The user draws with this tool: no other one replaces it unless the user takes it. */
  keepTool(tool: string): void {
    this._tool = tool;
  }

  /** The press with the tool that was kept did not count after all: forget it for the one that was taken before. */
  unkeepTool(taken: string | null): void {
    this._tool = taken;
    this._changed.emit('choice');
  }

  /** Show a notice. */
  note(text: string): void {
    this._notice = text;
    this._changed.emit('status');
  }

  /** Tell the user what a click or key found no object for, until a suggestion is shown or held. */
  hint(text: string): void {
    this.note(text);
    const suggestions = this._parts?.suggestions;
    const end = () => {
      const isTold = this._notice === text;
      if (isTold && (suggestions!.current || suggestions!.held)) {
        this._notice = null;
        this._changed.emit('status');
      }
      if (this._notice !== text) {
        suggestions!.changed.disconnect(end);
      }
    };
    suggestions?.changed.connect(end);
  }

  /** Draw this class from now on. */
  setClass(id: number): void {
    if (id !== this._classId && this._session?.classes.some(item => item.id === id)) {
      this._classId = id;
      this._changed.emit('choice');
      this._changed.emit('drawing');
    }
  }

  /** Change the classes of the session, and perhaps their labels, in one step. */
  async setClasses(classes: LabelClass[], relabel?: ClassChange['relabel']): Promise<void> {
    await this._attempt(async () => {
      if (relabel) {
        await this.drained(); // strokes that wait may be of a class that goes
      }
      const params = { session: this.id, classes, ...(relabel && { relabel }) };
      const { result } = await this.connection.request('session.classes', params);
      this._take(result);
      this.training.dismiss();
    });
  }

  /** Work on some rows and columns of the image; null: on all of it. Of a stack, on the slices that are worked on now. */
  async workOn(rect: Rect | null): Promise<void> {
    const { session } = this;
    if (!session) {
      return;
    }
    if (rect && this._parts?.direction !== 'xy') {
      this.note(trans.__('Show the slices xy to choose a region; it is one of their rows and columns.'));
      return;
    }
    const { slice0, slice1 } = session.region ?? { slice0: 0, slice1: session.image.shape[0] };
    const region = rect && { slice0, slice1, ...rect };
    this._session = { ...session, region };
    this._changed.emit('drawing');
    await this._attempt(async () => {
      try {
        this._take((await this.connection.request('session.region', { session: this.id, region })).result);
      } catch (error) {
        this._session = this._session && { ...this._session, region: session.region };
        this._changed.emit('drawing');
        throw error;
      }
      this.training.dismiss();
    });
  }

  /** What is wrong with the files of SAM's model, and the model that was chosen if MobileSAM suggests in its place. Null: nothing. */
  get modelProblem(): IModelProblem | null {
    const problem = this._parts?.embedding.problem ?? null;
    return this._stoodIn ?? (problem === null ? null : { text: problem, chosen: null });
  }

  /** Let another SAM model suggest: its id, or the path of its folder. */
  async chooseModel(model: string): Promise<void> {
    await this._attempt(async () => {
      const { result } = await this.connection.request('sam.choose', { session: this.id, model });
      this._stoodIn = model === DEFAULT_MODEL.id ? this._stoodIn : null;
      if (this._parts) {
        this._parts.suggestions.decoder = null;
      }
      this._take(result);
      this._prepare();
    });
  }

  /** The SAM models that may be chosen, and those whose files are not here or wrong. */
  async models(): Promise<SamModelInfo[]> {
    return (await this.connection.request('sam.models', {})).result.models;
  }

  /** Give the classes the names and colours of a class set. */
  async useClassSet(name: string): Promise<void> {
    await this._adopt(() => this.classSets.use(name));
  }

  /** Lock or hide a class, or no longer. */
  async mark(which: keyof Marks, id: number, on: boolean): Promise<void> {
    const marks = this._session && marked(this._session.marks, which, id, on);
    if (this._session && marks) {
      this._session = { ...this._session, marks };
      this._changed.emit('session');
      this._changed.emit('drawing');
      await this._attempt(async () => {
        const { result } = await this.connection.request('session.marks', { session: this.id, ...marks });
        this._take(result);
      });
    }
  }

  /** See {@link Drawing.replaces}. */
  replaces(classId: number, at: IPixel, slice = this._slice): Replaces | null {
    return this._drawing.replaces(classId, at, slice);
  }

  /** Whether the tools draw on the segmentation instead of the labels: only while there is one. */
  get corrects(): boolean {
    return this._drawing.corrects;
  }

  set corrects(corrects: boolean) {
    this._drawing.corrects = corrects;
    this._changed.emit('choice');
  }

  /** Clean, use or clear the correction, after all clicks and strokes so far. */
  async correct<M extends CorrectionMethod>(method: M, params: Omit<Params<M>, 'session'>): Promise<void> {
    await this._drawing.correct(method, params);
  }

  /** What the tools draw on. */
  get drawnOn(): LabelStore | undefined {
    return this._drawing.drawnOn;
  }

  /** Accept the suggestion at a pixel into the current class. Clicks are carried out in order. */
  accept(at: IPixel): Promise<void> {
    return this._drawing.accept(at);
  }

  /** See {@link ObjectTasks.findSimilar}. */
  findSimilar(): Promise<void> {
    return this._objects.findSimilar();
  }

  /** See {@link ObjectTasks.findAll}. */
  findAll(view: Rect): Promise<void> {
    return this._objects.findAll(view);
  }

  /** See {@link ObjectTasks.carry}. */
  carry(): Promise<void> {
    return this._objects.carry();
  }

  /** See {@link ObjectTasks.redraw}. */
  redraw(): Promise<void> {
    return this._objects.redraw();
  }

  /** Label all objects that are proposed, as one step. */
  async acceptSimilar(): Promise<void> {
    await this._drawing.acceptSimilar();
    this.training.dismiss();
  }

  /** Label, or erase, the pixels that are like this one in grey and connected with it. Clicks are carried out in order. */
  fill(at: IPixel, erases: boolean): Promise<void> {
    return this._drawing.fill(at, erases);
  }

  /** Undo the session's last step, or make the step again that was undone last; after all clicks and strokes so far. */
  async move(move: Move): Promise<void> {
    await this._drawing.clicks;
    this._notice = this._large = null;
    this._parts?.labels.move(move);
    this.training.dismiss();
  }

  /** Undo or make again until this number of the steps in {@link history} are done. */
  async moveTo(position: number): Promise<void> {
    const { position: from } = this.history;
    for (let n = Math.abs(position - from); n > 0; n--) {
      await this.move(position < from ? 'undo' : 'redo');
    }
  }

  /** Train with all strokes and the current choice. */
  async train(): Promise<void> {
    const parts = this._parts;
    if (parts) {
      await this._attempt(async () => {
        await this._drawing.clicks;
        await this.choice.flush();
        const session = await this.training.start(parts.labels.queue);
        if (session && !this._disposed) {
          this._take(session);
        }
      });
    }
  }

  /** Cancel the training that is shown, or else the live round. */
  async cancelTraining(): Promise<void> {
    const { training, live } = this;
    await this._attempt(() => (training.state.state === 'running' ? training.cancel() : live.cancel()));
  }

  /** Switch live segmentation on or off for the session. */
  async setLive(on: boolean): Promise<void> {
    await this._attempt(async () => {
      await this.choice.flush().catch(() => undefined); // the panel shows why a choice was refused
      const session = await this.live.set(on);
      if (!this._disposed) {
        this._take(session);
      }
    });
  }

  /** Find where labels help most and show its slice. Null if there is no such region, which the status line says. */
  async nextRegion(): Promise<SuggestedRegion | null> {
    this._error = this._notice = null;
    this.setDirection('xy');
    const region = (await this._parts?.guide.next()) ?? null;
    if (region && !this._disposed) {
      this.setSlice(region.slice);
    }
    return region;
  }

  /** The classifier as a file; null without a session, or after a failure, which `files` describes. */
  async saveClassifier(format: ClassifierFormat): Promise<ISavedFile | null> {
    let saved: ISavedFile | null = null;
    await this._attempt(async () => {
      saved = this._session && (await this.files.save(this._session.title, format));
    });
    return saved;
  }

  /** Load a classifier from a file and segment with it. */
  async loadClassifier(file: IChosenFile): Promise<void> {
    await this._attempt(async () => {
      await this.drained();
      const session = await this.files.load(file);
      if (session && !this._disposed) {
        this._take(session);
        this.training.dismiss();
      }
    });
  }

  /** Begin again without labels; the sidecar keeps the old ones on disk. */
  async fresh(): Promise<void> {
    await this._attempt(async () => {
      await this.drained();
      const { result } = await this.connection.request('session.fresh', { session: this.id });
      this._take(result);
      this._parts?.labels.attached(result.labels.version);
      this._parts?.segmentation.staleAll(result.labels.version);
      this.training.dismiss();
      this._changed.emit('drawing');
    });
  }

  /** Copy labels and classes of another session; the present labels are set aside. */
  async copyLabels({ session }: Pick<SessionSummary, 'session'>): Promise<void> {
    await this._adopt(() => this.stored.copy(session));
  }

  /** Restore labels and classes of a backup; the present labels are set aside. */
  async restoreBackup(name: string): Promise<void> {
    await this._adopt(() => this.stored.restore(name));
  }

  /** Resolves when all clicks, strokes and choices are sent and answered. */
  async drained(): Promise<void> {
    await this._drawing.clicks;
    await this._parts?.labels.queue.drained();
    await this.choice.flush().catch(() => undefined); // the panel shows why a choice was refused
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    const waiting = this._parts?.labels.queue.waiting ?? [];
    if (waiting.length > 0) {
      leftBehind.set(this.id, [...(leftBehind.get(this.id) ?? []), ...waiting]);
    }
    this._parts?.dispose();
    for (const part of [
      this.choice,
      this.connection,
      this.training,
      this.live,
      this.files,
      this.labelFiles,
      this.classSets,
      this.stored,
      this.history,
      this.carrying,
      this.times
    ]) {
      part.dispose();
    }
    this._parts = null;
    Signal.clearData(this);
  }

  private _onConnection(): void {
    if (this.connection.state.state !== 'connected') {
      this._parts?.labels.detached();
    }
    this._changed.emit('status');
  }

  private _onAttached(_: Connection, session: SessionState): void {
    const wasLive = this._session?.live ?? false;
    this._parts?.reattached(session.labels.version);
    this._take(session);
    this._error = null;
    if (wasLive && !session.live) {
      this._notice = trans.__('Live segmentation is off because the sidecar restarted.');
    }
    const { labels } = this._parts!;
    for (const patch of leftBehind.get(this.id) ?? []) {
      (patch.layer === 'correction' ? this._parts!.correction : labels).commit(patch);
    }
    leftBehind.delete(this.id);
    labels.slice(this._slice);
    labels.attached(session.labels.version);
    this._prepare();
    this._changed.emit('drawing');
  }

  /** Take the session as the sidecar has it. */
  private _take(session: SessionState): void {
    const before = this._session?.image;
    this._session = session;
    if (!this._parts) {
      this._parts = this._build(session);
      this._slice = this._parts.direction === 'xy' ? 0 : Math.floor(this._parts.slices / 2);
    } else if (before && before.digest !== session.image.digest) {
      this._replace(this._parts, session, before.shape.join() === session.image.shape.join());
    }
    const seen = JSON.stringify([session.region, session.samModel, session.contrast]);
    if (seen !== this._seen) {
      this._seen = seen;
      this._parts.similar.clear(); // what is proposed is of another region or contrast, or by another model
    }
    this.choice.take(session.choice);
    if (this.live.take(session)) {
      this._parts.segmentation.forgetRounds();
    }
    this._parts.take(session);
    this.stored.take(session);
    this._changed.emit('session');
    this._changed.emit('drawing');
  }

  /** The session has another image. Labels of the same shape belong to the session and stay. */
  private _replace(old: SessionParts, session: SessionState, fits: boolean): void {
    if (!fits) {
      this._slice = 0;
    }
    this._prepared = '';
    this._notice = trans.__('The session now shows another image.');
    if (!fits) {
      this._places.clear();
      this._wanted = 'xy';
    }
    this._parts = this._build(session, fits ? { labels: old.labels } : {});
    if (fits) {
      old.release();
    } else {
      old.dispose();
    }
    const { labels } = this._parts;
    labels.slice(this._slice);
    if (this.connection.state.state === 'connected') {
      labels.attached(session.labels.version);
    }
    this._prepare();
  }

  private _build(
    session: SessionState,
    { labels: kept, goesOn }: Pick<SessionParts.IOptions, 'labels' | 'goesOn'> = {}
  ): SessionParts {
    const { connection: link, choice, suggestionOptions, _createDecoder: createDecoder } = this;
    const direction = isVolume(session.image.shape) ? this._wanted : 'xy';
    const parts = new SessionParts({
      session,
      link,
      choice,
      labels: kept,
      goesOn,
      direction,
      suggestionOptions,
      hides: suggestion => isHidden(suggestion, false, this.settings.values),
      classInUse: () => this.currentClass?.id ?? 0,
      sliceInView: () => this.slice,
      createDecoder
    });
    parts.changed.connect((_, change) => this._changed.emit(change), this);
    parts.repaint.connect((_, repaint) => this._repaint.emit(repaint), this);
    parts.failed.connect((_, error) => this._fail(error), this);
    parts.suggestions.prompted.connect(() => {
      this._notice = null;
      this._changed.emit('status');
    }, this);
    const { labels } = parts;
    if (!kept) {
      this.times.follow(labels);
      for (const signal of [labels.stored, labels.crossed] as ISignal<LabelStore, unknown>[]) {
        signal.connect(() => {
          this._large = null;
          this.training.dismiss();
          this.live.dismiss();
        }, this);
      }
    }
    if (!kept && !goesOn) {
      labels.queue.acknowledged.connect((_, { patch, reply }) => this._onAcknowledged(patch, reply), this);
      labels.queue.changed.connect(() => {
        if (labels.queue.waiting.length > 0) {
          this.connection.start();
        }
      }, this);
    }
    return parts;
  }

  /** A stroke or click is stored: say so if it changed very much, or nothing. */
  private _onAcknowledged(
    { classId, slice, tiles, direction, layer, keeps }: IMaskedPatch,
    { changed }: IPatchReply
  ): void {
    this._notice = null;
    const { labels, image } = this._parts!;
    if (direction !== this.direction) {
      return;
    }
    if (layer === 'correction') {
      if (changed === 0 && keeps) {
        this.note(
          trans.__('Nothing changed: the segmentation has this class here already, or classes that are locked.')
        );
      }
      return;
    }
    const { rows, columns } = image;
    const name = this._session?.classes.find(({ id }) => id === classId)?.name;
    if (name !== undefined && changed > (rows * columns) / 2) {
      const percent = Math.round((100 * changed) / (rows * columns));
      this._large = trans.__('That labelled %2 % of the image as “%1”. Undo it if it is too much.', name, percent);
    } else if (name !== undefined && changed === 0 && labels.slice(slice).hasOther(tiles, classId)) {
      this.note(trans.__('Nothing changed: older labels are kept. Choose “Paint over” above to replace them.'));
    }
  }

  /** Get the embedding of the slice, once the sidecar has the image. */
  private _prepare(rest = 0): void {
    const parts = this._parts;
    if (!parts || parts.direction !== 'xy' || !this._session?.imageReady) {
      return;
    }
    const { state } = parts.embedding.state;
    const { region: volume, samModel: model = '', contrast } = this._session;
    const sees = { region: volume && rectOf(volume, this._session.image.shape), model, contrast };
    const wanted = JSON.stringify([this._slice, sees]);
    if (this._prepared !== wanted || state === 'waiting') {
      this._prepared = wanted;
      if (this.connection.state.state !== 'connected') {
        parts.embedding.hold(this._slice, sees);
        return;
      }
      this._showSam();
      void parts.embedding.prepare(this._slice, rest, sees).then(() => this._standIn(model));
    }
  }

  /** If the files of the model that was chosen are wrong now, let MobileSAM suggest, and say so. */
  private _standIn(chosen: string): void {
    const embedding = this._parts?.embedding.state;
    if (embedding?.state === 'failed' && embedding.code === 'model' && chosen && this._session?.samModel === chosen) {
      const text = trans.__(
        'MobileSAM suggests here now, since the model of this session fails. %1',
        embedding.message
      );
      this._stoodIn = { text, chosen };
      void this.chooseModel(DEFAULT_MODEL.id);
    }
  }

  /** Tell SAM what is in view. */
  private _showSam(): void {
    this._parts?.embedding.show(this.live.inView(this._slice));
  }

  /** Take a session whose labels were replaced. Strokes that wait are sent before. */
  private async _adopt(replace: () => Promise<SessionState>): Promise<void> {
    await this._attempt(async () => {
      await this.drained();
      this._take(await replace());
      this.training.dismiss();
    });
  }

  private async _attempt(action: () => Promise<void>): Promise<void> {
    try {
      this._error = null;
      this._notice = null;
      await action();
    } catch (error) {
      if (!this._disposed) {
        this._fail(BridgeError.from(error));
      }
    }
    if (!this._disposed) {
      this._changed.emit('status');
    }
  }

  private _fail(error: BridgeError): void {
    if (error.code !== 'cancelled') {
      this._error = error.message;
      this._changed.emit('status');
    }
  }

  private _onSettings(): void {
    this._changed.emit('choice');
    this._changed.emit('drawing');
  }

  private readonly _createDecoder: LabellerState.IOptions['createDecoder'];
  private readonly _drawing = new Drawing({ state: this, failed: error => this._fail(error) });
  private readonly _objects = new ObjectTasks({
    state: this,
    attempt: action => this._attempt(action),
    begin: () => (this._error = this._notice = null)
  });
  private readonly _changed = new Signal<this, Change>(this);
  private readonly _repaint = new Signal<this, IRepaint>(this);
  private _session: SessionState | null = null;
  private _parts: SessionParts | null = null;
  private _slice = 0;
  /** The direction that was asked for last. */
  private _wanted: SliceDirection = 'xy';
  /** The slices that were shown last in each direction. */
  private readonly _places = new Map<SliceDirection, number>();
  private _stoodIn: IModelProblem | null = null;
  /** The slice of the embedding that was asked for last, and what SAM sees of it. */
  private _prepared = '';
  /** The region, the model and the contrast of SAM. */
  private _seen = '';
  private _classId = 0;
  private _tool: string | null = null;
  private _toolBefore: string | null = null;
  private _error: string | null = null;
  private _notice: string | null = null;
  private _large: string | null = null;
  private _disposed = false;
}

/** The namespace for {@link LabellerState}. */
export namespace LabellerState {
  export interface IOptions {
    session: string;
    settings: Settings;
    connect(): Promise<ITransport>;
    createDecoder(): Promise<ISuggestionDecoder>;
    /** The notebook's path as JupyterLab's file browser knows it, if it does. */
    notebook?(): string | null;
  }
}
