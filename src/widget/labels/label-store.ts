/**
 * The labels of a session in the browser: painted at once, sent as patches, changed by the patches of others, and
 * fetched again whenever they may differ from the sidecar's.
 *
 * What is shown is always the sidecar's tiles with the unsent patches on top, in order.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { IReply } from '../../kernel-bridge';
import { BridgeError, LabelPatch, Params } from '../../shared';
import { IPoint, ISize, ITileRef } from '../base/geometry';
import { LabelTiles } from './label-tiles';
import { decodePatch, decodeTile, encodePatch, IPatch } from './patches';
import { IPatchReply, PatchQueue } from './patch-queue';
import { brushRuns, IMaskTile, MaskBuilder } from './raster';

/** Which tiles of a slice changed; `null` for all. */
export interface ILabelChange {
  slice: number;
  tiles: ITileRef[] | null;
}

/** Labels, their queue, and the version that they have. */
export class LabelStore implements IDisposable {
  constructor(options: LabelStore.IOptions) {
    this._options = options;
    this.queue = new PatchQueue({
      send: patch => {
        const { params, buffers } = encodePatch(options.session, patch);
        return options.patch(params, buffers);
      }
    });
    this.queue.paused = true;
    this.queue.acknowledged.connect(this._onAcknowledged, this);
    this.queue.refused.connect(this._onRefused, this);
    this.queue.disordered.connect(this.reload, this);
  }

  readonly queue: PatchQueue;

  /** Emits after pixels changed here. */
  get changed(): ISignal<this, ILabelChange> {
    return this._changed;
  }

  /** Emits what the user should know: a stroke was refused, labels could not be fetched. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  /** Emits each patch that was made here, before it is sent. */
  get committed(): ISignal<this, IPatch> {
    return this._committed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Version of the labels that is known here. */
  get version(): number {
    return this._version;
  }

  /** The labels of a slice; they are fetched when they are first asked for. */
  slice(slice: number): LabelTiles {
    let tiles = this._slices.get(slice);
    if (!tiles) {
      tiles = new LabelTiles(this._options.image);
      this._slices.set(slice, tiles);
      if (!this.queue.paused) {
        void this._fetch(slice);
      }
    }
    return tiles;
  }

  /** Begin a stroke with the brush. */
  stroke(slice: number, classId: number, preserve: boolean): Stroke {
    this._stroke = new Stroke(this, slice, classId, preserve, this._options.image);
    return this._stroke;
  }

  /** Apply a patch here and send it. Empty patches are nothing. */
  commit(patch: IPatch): void {
    if (patch.tiles.length === 0) {
      return;
    }
    this._apply(patch);
    this._committed.emit(patch);
    this.queue.push(patch);
  }

  /** Called by a stroke as it goes. */
  paintRun(stroke: Stroke, row: number, start: number, end: number): ITileRef[] {
    return this.slice(stroke.slice).paintRun(row, start, end, stroke.classId, stroke.preserve);
  }

  /** Called by a stroke when it is over or given up. */
  endStroke(stroke: Stroke): void {
    if (this._stroke === stroke) {
      this._stroke = null;
    }
  }

  /** Called by a stroke after it painted. */
  touch(slice: number, tiles: ITileRef[] | null): void {
    this._changed.emit({ slice, tiles });
  }

  /** The sidecar is there (again) and its labels have this version. */
  attached(version: number): void {
    this._version = version;
    this.queue.paused = false;
    this.reload();
  }

  /** The sidecar cannot be reached: gather strokes. */
  detached(): void {
    this.queue.paused = true;
  }

  /** Somebody else's patch. */
  receive(version: number, params: LabelPatch, buffers: Uint8Array[]): void {
    if (version <= this._version) {
      return; // came twice, or is in the tiles that were fetched
    }
    const gap = version > this._version + 1;
    this._version = version;
    try {
      const patch = decodePatch(params, buffers);
      this._log(version, patch);
      if (this._slices.has(patch.slice)) {
        this._apply(patch);
      }
    } catch (error) {
      this._failed.emit(BridgeError.from(error));
      this.reload();
      return;
    }
    if (gap || this.queue.waiting.length > 0) {
      // Something was missed, or our own strokes come after this one in the sidecar but came first here.
      this.reload();
    }
  }

  /** Fetch what is shown again; once more when the queue is empty, if it is not. */
  reload(): void {
    for (const slice of this._slices.keys()) {
      void this._fetch(slice);
    }
    if (this.queue.waiting.length > 0 && !this._again) {
      this._again = true;
      void this.queue.drained().then(() => {
        this._again = false;
        if (!this._disposed) {
          this.reload();
        }
      });
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this.queue.dispose();
    this._slices.clear();
    Signal.clearData(this);
  }

  private _apply(patch: IPatch): void {
    const tiles = this.slice(patch.slice);
    for (const mask of patch.tiles) {
      tiles.apply(mask, patch.classId, patch.preserve);
    }
    this._changed.emit({ slice: patch.slice, tiles: patch.tiles.map(({ row, column }) => ({ row, column })) });
  }

  private async _fetch(slice: number): Promise<void> {
    const request = ++this._requests;
    this._latest.set(slice, request);
    this._fetching++;
    try {
      const { session } = this._options;
      const { result, buffers } = await this._options.tiles({ session, overlay: 'labels', slice });
      if (this._disposed || this._latest.get(slice) !== request) {
        return;
      }
      const tiles = this.slice(slice);
      const fresh = result.tiles.map((tile, i) => ({ ...tile, classes: decodeTile(buffers[i] ?? new Uint8Array()) }));
      tiles.clear();
      for (const { row, column, classes } of fresh) {
        tiles.replace(row, column, classes);
      }
      const later = this._recent.filter(({ version }) => version > result.version).map(({ patch }) => patch);
      for (const patch of [...later, ...this.queue.waiting, ...(this._stroke ? [this._stroke.patch()] : [])]) {
        if (patch.slice === slice) {
          patch.tiles.forEach(mask => tiles.apply(mask, patch.classId, patch.preserve));
        }
      }
      this._version = Math.max(this._version, result.version);
      this._changed.emit({ slice, tiles: null });
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (!this._disposed && error.code !== 'disconnected' && error.code !== 'cancelled') {
        this._failed.emit(error);
      }
    } finally {
      this._fetching--;
      if (this._fetching === 0) {
        this._recent.length = 0;
      }
    }
  }

  private _onAcknowledged(_: PatchQueue, { patch, reply }: { patch: IPatch; reply: IPatchReply }): void {
    const gap = reply.version > this._version + 1;
    this._version = Math.max(this._version, reply.version);
    this._log(reply.version, patch);
    if (gap) {
      this.reload();
    }
  }

  private _onRefused(_: PatchQueue, { error }: { error: BridgeError }): void {
    this._failed.emit(error);
    this.reload();
  }

  /** While tiles are on their way, patches that came since are remembered: the tiles may not hold them yet. */
  private _log(version: number, patch: IPatch): void {
    if (this._fetching > 0) {
      this._recent.push({ version, patch });
    }
  }

  private readonly _options: LabelStore.IOptions;
  private readonly _slices = new Map<number, LabelTiles>();
  private readonly _latest = new Map<number, number>();
  private readonly _recent: { version: number; patch: IPatch }[] = [];
  private readonly _changed = new Signal<this, ILabelChange>(this);
  private readonly _committed = new Signal<this, IPatch>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  private _stroke: Stroke | null = null;
  private _requests = 0;
  private _fetching = 0;
  private _version = 0;
  private _again = false;
  private _disposed = false;
}

/** The namespace for {@link LabelStore}. */
export namespace LabelStore {
  export interface IOptions {
    session: string;
    image: ISize;
    patch(params: LabelPatch, buffers: Uint8Array[]): Promise<IPatchReply>;
    tiles(params: Params<'overlay.tiles'>): Promise<IReply<'overlay.tiles'>>;
  }
}

/** A stroke while it is drawn: its pixels are seen at once and go out as one patch in the end. */
export class Stroke {
  constructor(
    private readonly _store: LabelStore,
    readonly slice: number,
    /** 0 erases. */
    readonly classId: number,
    readonly preserve: boolean,
    private readonly _image: ISize
  ) {
    this._mask = new MaskBuilder(_image);
  }

  /** Draw from one point of the image to another. */
  line(from: IPoint, to: IPoint, radius: number): void {
    const touched = new Map<string, ITileRef>();
    brushRuns(from, to, radius, this._image, (row, start, end) => {
      this._mask.addRun(row, start, end);
      for (const tile of this._store.paintRun(this, row, start, end)) {
        touched.set(`${tile.row}/${tile.column}`, tile);
      }
    });
    if (touched.size > 0) {
      this._store.touch(this.slice, [...touched.values()]);
    }
  }

  /** The stroke so far. */
  patch(): IPatch {
    const tiles: IMaskTile[] = this._mask.tiles();
    return { slice: this.slice, classId: this.classId, preserve: this.preserve, tiles };
  }

  /** The pointer was lifted: send it. */
  end(): void {
    this._store.endStroke(this);
    this._store.commit(this.patch());
  }

  private readonly _mask: MaskBuilder;
}
