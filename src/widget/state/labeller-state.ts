/**
 * A labeller without a page: the session and everything about it that views show. Events come in, the state changes,
 * a signal tells the views.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { ITransport } from '../../kernel-bridge';
import {
  BridgeError,
  ClassifierFormat,
  LABEL_TILE,
  LabelClass,
  LabelPatch,
  SessionState,
  SliceRect,
  SuggestedRegion
} from '../../shared';
import { MOBILE_SAM } from '../../sam';
import { Choice } from './choice';
import { ClassifierFiles, IChosenFile, ISavedFile } from './classifier-files';
import { Connection } from './connection';
import { ISuggestionDecoder, SliceEmbedding } from './slice-embedding';
import { ISize, tilesIn } from '../base/geometry';
import { LabelStore } from '../labels/label-store';
import { Live } from './live-state';
import { IPatch } from '../labels/patches';
import { FeaturePreview } from './preview';
import { MaskBuilder } from '../labels/raster';
import { Guide } from './guide';
import { SegmentationTiles } from '../tiles/segmentation-tiles';
import { Settings } from '../base/settings';
import { StrokeTimes } from './stroke-times';
import { IPixel, Suggestion, Suggestions } from './suggestions';
import { ImageTiles } from '../tiles/image-tiles';
import { Training } from './training';
import { trans } from '../base/translation';
import { UncertaintyOverlay } from './uncertainty';

/**
 * What changed:
 * - `session`: the session as the sidecar has it
 * - `status`: something that the status line says
 * - `choice`: tool, class, slice or settings
 * - `drawing`: image, labels or an overlay
 * - `top`: only the suggestion or the mark that lie over these
 * - `features`: features, forest, or the overlay that is shown
 */
export type Change = 'session' | 'status' | 'choice' | 'drawing' | 'top' | 'features';

/** Overlays whose tiles are drawn again when they change. */
export type RepaintedOverlay = 'labels' | 'segmentation' | 'uncertainty';

/** What exists once the session is known. */
export interface ISessionParts {
  readonly image: ISize;
  readonly slices: number;
  readonly tiles: ImageTiles;
  readonly labels: LabelStore;
  readonly segmentation: SegmentationTiles;
  readonly suggestions: Suggestions;
  readonly embedding: SliceEmbedding;
  readonly preview: FeaturePreview;
  readonly uncertainty: UncertaintyOverlay;
  /** Where to label next. */
  readonly guide: Guide;
}

/** Round trips that are remembered. */
const ROUND_TRIPS_MAX = 500;

/** Patches that could not be sent before their kernel went: the next labeller of the same session sends them. */
const leftBehind = new Map<string, IPatch[]>();

/** The state of one labeller. */
export class LabellerState implements IDisposable {
  constructor(options: LabellerState.IOptions) {
    this._options = options;
    this.id = options.session;
    this.settings = options.settings;
    this.connection = new Connection({ session: options.session, connect: options.connect });
    this.connection.changed.connect(this._onConnection, this);
    this.connection.attached.connect((_, session) => this._onAttached(session), this);
    this._listen();
    this.training.changed.connect(() => this._changed.emit('status'), this);
    this.files.changed.connect(() => this._changed.emit('status'), this);
    this.choice = new Choice({
      request: async choice =>
        (await this.connection.client.request('session.choice', { session: this.id, ...choice })).result
    });
    this.choice.answered.connect((_, session) => this._take(session), this);
    this.choice.changed.connect(this._onChoice, this);
    this.settings.changed.connect(this._onSettings, this);
    this.live = new Live({
      session: options.session,
      request: async params => this.connection.client.request('session.view', params)
    });
    this.live.changed.connect(() => this._changed.emit('status'), this);
    this.live.quiet.connect(this._onQuiet, this);
  }

  /** The session's id. */
  readonly id: string;
  readonly settings: Settings;
  readonly connection: Connection;
  readonly training = new Training();
  readonly live: Live;
  /** Where the time went from the last strokes to their effect. */
  readonly times = new StrokeTimes();
  /** What the next training uses. */
  readonly choice: Choice;
  /** The classifier's way into files and back. */
  readonly files = new ClassifierFiles();

  /** Emits what changed. */
  get changed(): ISignal<this, Change> {
    return this._changed;
  }

  /** Emits which label tiles have to be drawn again; null for all. */
  get repaint(): ISignal<this, { overlay: RepaintedOverlay; keys: string[] | null }> {
    return this._repaint;
  }

  get session(): SessionState | null {
    return this._session;
  }

  get parts(): ISessionParts | null {
    return this._parts;
  }

  get slice(): number {
    return this._slice;
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

  /** What went wrong last, for the user; null once something worked again. */
  get error(): string | null {
    return this._error;
  }

  /** What the user should know about the session, until something is done in it; null for nothing. */
  get notice(): string | null {
    return this._notice;
  }

  /** Milliseconds that the last acknowledgements of strokes took. */
  get roundTrips(): readonly number[] {
    return this._roundTrips;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Begin: connect and attach. */
  open(): Promise<void> {
    return this.connection.open();
  }

  setSlice(slice: number): void {
    const parts = this._parts;
    if (parts && slice !== this._slice && slice >= 0 && slice < parts.slices) {
      this._slice = slice;
      parts.suggestions.decode = null;
      parts.labels.slice(slice);
      this._prepare();
      this._changed.emit('choice');
      this._changed.emit('drawing');
    }
  }

  /** Take a tool. */
  setTool(tool: string): void {
    this._tool = tool;
    this._changed.emit('choice');
    this._changed.emit('drawing');
  }

  /** The user draws with this tool: no other one replaces it unless the user takes it. */
  keepTool(tool: string): void {
    this._tool ??= tool;
  }

  /** Tell the user something about the session, until something is done in it. */
  note(text: string): void {
    this._notice = text;
    this._changed.emit('status');
  }

  setClass(id: number): void {
    if (id !== this._classId && this._session?.classes.some(item => item.id === id)) {
      this._classId = id;
      this._changed.emit('choice');
      this._changed.emit('drawing');
    }
  }

  /** Tell the sidecar other classes; the answer changes the state. */
  async setClasses(classes: LabelClass[]): Promise<void> {
    await this._attempt(async () => {
      const { client } = this.connection;
      const { result } = await client.request('session.classes', { session: this.id, classes });
      this._take(result);
      this.training.dismiss();
    });
  }

  /** Accept what is suggested at a pixel into the current class. Clicks are carried out in their order. */
  accept(at: IPixel): Promise<void> {
    const parts = this._parts;
    const current = this.currentClass;
    const slice = this._slice;
    if (!parts || !current) {
      return Promise.resolve();
    }
    const preserve = this.settings.values.preserve;
    const taken = parts.suggestions.accept(at);
    this._accepting = Promise.all([taken, this._accepting])
      .then(([suggestion]) => {
        if (suggestion && parts === this._parts) {
          this._commit(parts, suggestion, { slice, classId: current.id, preserve });
        }
      })
      // Later clicks and trainings wait for this one: what goes wrong with it must not go wrong with them.
      .catch(error => this._fail(BridgeError.from(error)));
    return this._accepting;
  }

  async train(): Promise<void> {
    const parts = this._parts;
    if (parts) {
      await this._attempt(async () => {
        await this._accepting;
        await this.choice.flush();
        const session = await this.training.start(this.connection.client, this.id, parts.labels.queue);
        if (session && !this._disposed) {
          this._take(session);
        }
      });
    }
  }

  /** Cancel the training that is shown, whoever began it, or else the live round that takes long. */
  async cancelTraining(): Promise<void> {
    const { client } = this.connection;
    await this._attempt(() =>
      this.training.state.state === 'running' ? this.training.cancel(client) : this.live.cancel(client)
    );
  }

  /** Switch live segmentation on or off, for all who look at the session. */
  async setLive(on: boolean): Promise<void> {
    await this._attempt(async () => {
      await this.choice.flush().catch(() => undefined); // why it was not taken is shown where it was changed
      const session = await this.live.set(this.connection.client, on);
      if (!this._disposed) {
        this._take(session);
      }
    });
  }

  /** Go to where labels would help most, on whichever slice that is. Null if nothing is suggested, which the status says. */
  async nextRegion(): Promise<SuggestedRegion | null> {
    this._error = this._notice = null;
    const region = (await this._parts?.guide.next()) ?? null;
    if (region && !this._disposed) {
      this.setSlice(region.slice);
    }
    return region;
  }

  /** The classifier as a file; null if there is none, or it failed, which `files` then says. */
  async saveClassifier(format: ClassifierFormat): Promise<ISavedFile | null> {
    let saved: ISavedFile | null = null;
    await this._attempt(async () => {
      saved = this._session && (await this.files.save(this.connection.client, this._session, format));
    });
    return saved;
  }

  /** Take a classifier's file over and segment with it. */
  async loadClassifier(file: IChosenFile): Promise<void> {
    await this._attempt(async () => {
      await this.drained();
      const session = await this.files.load(this.connection.client, this.id, file);
      if (session && !this._disposed) {
        this._take(session);
        this.training.dismiss();
      }
    });
  }

  /** Set the labels aside and begin again. */
  async fresh(): Promise<void> {
    await this._attempt(async () => {
      await this.drained();
      const { result } = await this.connection.client.request('session.fresh', { session: this.id });
      this._take(result);
      this._parts?.labels.attached(result.labels.version);
      this._parts?.segmentation.staleAll(result.labels.version);
      this.training.dismiss();
      this._changed.emit('drawing');
    });
  }

  /** Resolves when nothing waits to be sent any more. */
  async drained(): Promise<void> {
    await this._accepting;
    await this._parts?.labels.queue.drained();
    await this.choice.flush().catch(() => undefined); // why it was not taken is shown where it was changed
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
    this.settings.changed.disconnect(this._onSettings, this);
    this.choice.dispose();
    this.connection.dispose();
    this.training.dispose();
    this.live.dispose();
    this.files.dispose();
    for (const part of this._disposables) {
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

  private _onAttached(session: SessionState): void {
    const wasLive = this._session?.live ?? false;
    const parts = this._parts;
    if (parts) {
      // What changed meanwhile is not known, and what was under way may never be completed.
      parts.segmentation.forgetRounds();
      parts.segmentation.fallBack();
      parts.segmentation.staleAll(session.labels.version);
    }
    this._take(session);
    this.live.attached();
    this._parts?.embedding.attached();
    this._error = null;
    if (wasLive && !session.live) {
      this._notice = trans.__('Live segmentation is off since the sidecar was started anew.');
    }
    this.choice.dismiss();
    this.training.reset();
    const { labels } = this._parts!;
    for (const patch of leftBehind.get(this.id) ?? []) {
      labels.commit(patch);
    }
    leftBehind.delete(this.id);
    labels.slice(this._slice);
    labels.attached(session.labels.version);
    this._prepare();
    this._parts!.preview.retry();
    this._parts!.uncertainty.retry();
    this._changed.emit('drawing');
  }

  private _listen(): void {
    const { connection } = this;
    connection.on('session').connect((_, { params }) => {
      this._take(params);
      this._prepare();
    }, this);
    connection.on('patch').connect((_, { params }) => {
      this._labelled(params.patch.class, params.patch, params.version);
    }, this);
    connection.on('labels').connect((_, { params }) => {
      this._parts?.segmentation.staleAll(params.version);
      this.training.dismiss();
      this._changed.emit('drawing');
    }, this);
    connection.on('segmentation').connect((_, { params }) => {
      this._parts?.segmentation.settle(params.version, params.round);
      this._changed.emit('drawing');
    }, this);
    connection.on('segmentation.tiles').connect((_, { params, buffers }) => {
      if (this._parts) {
        this._parts.segmentation.receive(params, buffers);
        this.times.tiles(params.labelsVersion);
        this.live.heard();
      }
    }, this);
    connection.on('job').connect((_, { params }) => {
      if (params.kind === 'train') {
        this.training.progress(params);
      } else if (params.kind === 'live') {
        this.live.progress(params);
      } else if (params.kind === 'regions') {
        this._parts?.guide.progress(params);
      } else if (params.kind === 'load') {
        this.files.progress(params);
      } else if (params.kind === 'embed') {
        this._parts?.embedding.progress(params);
        this._changed.emit('status');
      }
    }, this);
  }

  private _take(session: SessionState): void {
    const before = this._session?.image;
    this._session = session;
    if (!this._parts) {
      this._parts = this._build(session);
    } else if (before && before.digest !== session.image.digest) {
      this._replace(this._parts, session, before.shape.join() === session.image.shape.join());
    }
    this.choice.take(session.choice);
    const { segmentation } = this._parts;
    if (this.live.take(session)) {
      segmentation.forgetRounds();
    }
    const version = session.segmentation?.version ?? 0;
    this._parts.uncertainty.follow(version);
    this._parts.guide.follow(version);
    if (segmentation.settle(version, session.segmentation?.round) && version === 0) {
      this._repaint.emit({ overlay: 'segmentation', keys: null });
    }
    this._changed.emit('session');
    this._changed.emit('drawing');
  }

  /** The session shows another image. Labels that fit it are the session's, not the old image's. */
  private _replace(old: ISessionParts, session: SessionState, fits: boolean): void {
    if (!fits) {
      this._slice = 0;
    }
    this._prepared = -1;
    this._notice = trans.__('The session now shows another image.');
    this._parts = this._build(session, fits ? old.labels : undefined);
    const { tiles, segmentation, suggestions, embedding, preview, uncertainty, guide } = old;
    const replaced = [tiles, segmentation, suggestions, embedding, preview, uncertainty, guide];
    for (const part of fits ? replaced : [...replaced, old.labels]) {
      this._disposables.delete(part);
      part.dispose();
    }
    const { labels } = this._parts;
    labels.slice(this._slice);
    if (this.connection.state.state === 'connected') {
      labels.attached(session.labels.version);
    }
    this._prepare();
  }

  private _build(session: SessionState, kept?: LabelStore): ISessionParts {
    const [slices, rows, columns] = session.image.shape;
    const image = { rows, columns };
    const id = this.id;
    const ask = () => this.connection.client;
    const tiles = new ImageTiles({ image, fetch: tile => ask().request('image.tile', { session: id, ...tile }) });
    const labels = kept ?? this._buildLabels(image);
    const segmentation = new SegmentationTiles({
      image,
      slices,
      labels: slice => labels.slice(slice),
      fetch: (slice, wanted) =>
        ask().request('overlay.tiles', { session: id, overlay: 'segmentation', slice, tiles: wanted })
    });
    const suggestions = new Suggestions({ image, manifest: MOBILE_SAM });
    const embedding = new SliceEmbedding({ session: id, image, createDecoder: this._options.createDecoder });
    const preview = new FeaturePreview({
      image,
      channels: session.image.shape[3],
      fetch: (wanted, signal) => ask().request('feature.tiles', { session: id, ...wanted }, { signal })
    });
    preview.offer(this.choice.spec);
    const uncertainty = new UncertaintyOverlay({
      image,
      fetch: (wanted, signal) => ask().request('uncertainty.tiles', { session: id, ...wanted }, { signal })
    });
    const guide = new Guide({
      slices,
      find: async (count, signal, onId) =>
        (await ask().request('regions', { session: id, count, by: 'auto' }, { signal, onId })).result,
      labelled: region => hasLabels(labels, region),
      version: () => this._session?.segmentation?.version ?? 0
    });
    for (const part of [tiles, labels, segmentation, suggestions, embedding, preview, uncertainty, guide]) {
      this._disposables.add(part);
    }

    const drawing = () => this._changed.emit('drawing');
    const failed = (_: unknown, error: BridgeError) => this._fail(error);
    tiles.arrived.connect(drawing, this);
    tiles.failed.connect(failed, this);
    segmentation.arrived.connect((_, keys) => {
      this._repaint.emit({ overlay: 'segmentation', keys });
      drawing();
    }, this);
    segmentation.failed.connect(failed, this);
    preview.arrived.connect(drawing, this);
    preview.changed.connect(() => this._changed.emit('features'), this);
    uncertainty.arrived.connect((_, keys) => {
      this._repaint.emit({ overlay: 'uncertainty', keys });
      drawing();
    }, this);
    uncertainty.changed.connect(() => this._changed.emit('features'), this);
    guide.changed.connect(() => {
      this._changed.emit('status');
      this._changed.emit('top');
    }, this);
    suggestions.changed.connect(() => this._changed.emit('top'), this);
    suggestions.failed.connect(failed, this);
    embedding.changed.connect(() => {
      suggestions.decode = embedding.decode;
      this._changed.emit('status');
      this._changed.emit('choice');
    }, this);
    return { image, slices, tiles, labels, segmentation, suggestions, embedding, preview, uncertainty, guide };
  }

  private _buildLabels(image: ISize): LabelStore {
    const labels = new LabelStore({ link: this.connection, image });
    labels.failed.connect((_, error) => this._fail(error), this);
    labels.changed.connect((_, change) => {
      const keys = change.tiles?.map(({ row, column }) => `${change.slice}/${row}/${column}`) ?? null;
      this._repaint.emit({ overlay: 'labels', keys });
      this._changed.emit('drawing');
    }, this);
    labels.committed.connect((_, { patch, released }) => this.times.committed(patch, released), this);
    labels.queue.sent.connect((_, patch) => this.times.sent(patch), this);
    labels.queue.changed.connect(() => this._changed.emit('status'), this);
    labels.queue.acknowledged.connect((_, { patch, reply, milliseconds }) => {
      this._roundTrips = [...this._roundTrips.slice(1 - ROUND_TRIPS_MAX), milliseconds];
      this.times.acknowledged(patch, reply.version);
      this._notice = null;
      this._parts?.guide.drawn();
      this._labelled(patch.classId, patch, reply.version);
      this._changed.emit('drawing');
    }, this);
    return labels;
  }

  /** A patch is in the sidecar. Labels drawn lie on top of the segmentation here too; what lies below erased ones only the sidecar knows. */
  private _labelled(
    classId: number,
    { slice, tiles }: Pick<IPatch, 'slice' | 'tiles'> | LabelPatch,
    version: number
  ): void {
    if (classId === 0) {
      this._parts?.segmentation.stale(slice, tiles, version);
    }
    this.training.dismiss();
    this.live.dismiss();
  }

  /** No live round is under way: what such rounds brought and none completed is not the session's segmentation. */
  private _onQuiet(): void {
    if (this._parts?.segmentation.ahead) {
      this._parts.segmentation.fallBack();
      if (this._parts.segmentation.version === 0) {
        this._repaint.emit({ overlay: 'segmentation', keys: null });
      }
      this._changed.emit('drawing');
    }
  }

  /** Get the embedding of the slice, once the image is where the sidecar can read it. */
  private _prepare(): void {
    const parts = this._parts;
    if (!parts || !this._session?.imageReady || this.connection.state.state !== 'connected') {
      return;
    }
    const { state } = parts.embedding.state;
    if (this._prepared !== this._slice || state === 'waiting') {
      this._prepared = this._slice;
      void parts.embedding.prepare(this.connection.client, this._slice);
    }
  }

  private _commit(parts: ISessionParts, suggestion: Suggestion, patch: Omit<IPatch, 'tiles'>): void {
    const mask = new MaskBuilder(parts.image);
    const { bounds } = suggestion;
    for (const tile of tilesIn(bounds, LABEL_TILE)) {
      const region = {
        row0: Math.max(tile.row * LABEL_TILE, bounds.row0),
        row1: Math.min((tile.row + 1) * LABEL_TILE, bounds.row1),
        column0: Math.max(tile.column * LABEL_TILE, bounds.column0),
        column1: Math.min((tile.column + 1) * LABEL_TILE, bounds.column1)
      };
      const uniform = suggestion.uniform(region);
      if (uniform === 1) {
        mask.addRegion(region);
      } else if (uniform === undefined) {
        mask.addMask(region, suggestion.region(region));
      }
    }
    parts.labels.commit({ ...patch, tiles: mask.tiles() });
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

  private _onChoice(): void {
    this._parts?.preview.offer(this.choice.spec);
    this._changed.emit('features');
  }

  private _onSettings(): void {
    this._changed.emit('choice');
    this._changed.emit('drawing');
  }

  private readonly _options: LabellerState.IOptions;
  private readonly _changed = new Signal<this, Change>(this);
  private readonly _repaint = new Signal<this, { overlay: RepaintedOverlay; keys: string[] | null }>(this);
  private readonly _disposables = new Set<IDisposable>();
  private _roundTrips: readonly number[] = [];
  private _session: SessionState | null = null;
  private _parts: ISessionParts | null = null;
  private _slice = 0;
  /** Settles when the last click has been carried out. */
  private _accepting: Promise<void> = Promise.resolve();
  private _prepared = -1;
  private _classId = 0;
  private _tool: string | null = null;
  private _error: string | null = null;
  private _notice: string | null = null;
  private _disposed = false;
}

/** Whether there is a label in a region, as far as is known here. */
function hasLabels(labels: LabelStore, { slice, row0, row1, column0, column1 }: SliceRect): boolean {
  const tiles = labels.slice(slice);
  for (let row = row0; row < row1; row++) {
    for (let column = column0; column < column1; column++) {
      if (tiles.at(row, column) > 0) {
        return true;
      }
    }
  }
  return false;
}

/** The namespace for {@link LabellerState}. */
export namespace LabellerState {
  export interface IOptions {
    session: string;
    settings: Settings;
    connect(): Promise<ITransport>;
    createDecoder(): Promise<ISuggestionDecoder>;
  }
}
