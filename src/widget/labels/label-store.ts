/**
 * The labels of a session in the browser: painted at once, sent as patches, changed by the patches of other peers, and
 * fetched again whenever they may differ from the sidecar's.
 *
 * The labels here are always the sidecar's tiles, then the unacknowledged patches in order, then the strokes being drawn.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, Layer, Rect, Replaces, SliceDirection } from '../../shared';
import { ISize, ITileRef, tileKey } from '../base/geometry';
import { ISessionEvent, ISessionLink } from '../base/session-link';
import { LabelTiles } from './label-tiles';
import { decodePatch, decodeTile, encodePatch, IMaskedPatch } from './patches';
import { IAcknowledgement, Move, PatchQueue } from './patch-queue';
import { Stroke } from './stroke';

/** Slices kept, at most: those used last, and those of strokes under way. */
const SLICES_KEPT = 64;
/** Slices fetched at once when all may differ from the sidecar's; the others when they are used the next time. */
const RELOADED = 4;

/** Tiles of a slice that changed. */
export interface ILabelChange {
  slice: number;
  tiles: ITileRef[];
  /** Only pixels in this rectangle changed. */
  area?: Rect;
}

/** A patch made here. */
export interface ICommit {
  patch: IMaskedPatch;
  /** When the pointer was lifted, in milliseconds; null for a patch that is no stroke. */
  released: number | null;
}

/** A change that the sidecar has taken. */
export interface IStored {
  slice: number;
  tiles: readonly ITileRef[];
  /** Whether it may have erased labels, so that the segmentation shows again. */
  erases: boolean;
  /** The version of the labels since. */
  version: number;
}

/** The labels of a session, their version, and the queue of unacknowledged patches. */
export class LabelStore implements IDisposable {
  constructor(options: LabelStore.IOptions) {
    this._options = options;
    const { link, labels, direction = 'xy' } = options;
    this._direction = direction;
    this._layer = labels ? 'correction' : 'labels';
    labels?._attached.connect((_, version) => this.attached(version), this);
    this.queue =
      labels?.queue ??
      options.queue ??
      new PatchQueue({
        send: async work => {
          if (typeof work === 'string') {
            return (await link.request(`history.${work}`, { session: link.session })).result;
          }
          const { params, buffers } = encodePatch(link.session, work);
          return (await link.request('labels.patch', params, { buffers })).result;
        }
      });
    if (!labels && !options.queue) {
      this.queue.paused = true;
    }
    this.queue.acknowledged.connect(this._onAcknowledged, this);
    this.queue.refused.connect(this._onRefused, this);
    this.queue.disordered.connect(this.reload, this);
    link.on('patch').connect(this._onPatch, this);
    link.on('labels.tiles').connect(this._onTiles, this);
    link.on('labels').connect((_, { params }) => {
      if ((params.layer ?? 'labels') === this._layer) {
        this.attached(params.version);
      }
    }, this);
  }

  readonly queue: PatchQueue;

  /** Emits after pixels changed. */
  get changed(): ISignal<this, ILabelChange> {
    return this._changed;
  }

  /** Emits errors for the user: the sidecar refused a stroke, or labels could not be fetched. */
  get failed(): ISignal<this, BridgeError> {
    return this._failed;
  }

  /** Emits each patch made here, before it is sent. */
  get committed(): ISignal<this, ICommit> {
    return this._committed;
  }

  /** Emits each change that the sidecar has taken, of ours or of another peer. */
  get stored(): ISignal<this, IStored> {
    return this._stored;
  }

  /** Emits the version of each change of slices in another direction: any tile may have changed. */
  get crossed(): ISignal<this, number> {
    return this._crossed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** The newest version of the sidecar's labels that is known here. */
  get version(): number {
    return this._version;
  }

  /** The labels of a slice. The first call for a slice fetches them. Get them anew for each use: they may be fetched again. */
  slice(slice: number): LabelTiles {
    const kept = this._slices.get(slice);
    const tiles = kept ?? new LabelTiles(this._options.image);
    this._slices.delete(slice); // the slice used last comes last
    this._slices.set(slice, tiles);
    if (!kept) {
      this._keep(SLICES_KEPT);
      if (!this.queue.paused) {
        void this._fetch(slice);
      }
    }
    return tiles;
  }

  /** Undo the last step of the session, or make again the one that was undone last, after all patches made here so far. */
  move(move: Move): void {
    this.queue.push(move);
  }

  /** Begin a stroke by hand. `classId` 0 erases; `replaces` says which labels it may change; `tool` is the name of the tool. */
  stroke(slice: number, classId: number, replaces: Replaces, tool = 'brush'): Stroke {
    const edits = this._edits;
    const stroke: Stroke = new Stroke({
      image: this._options.image,
      tiles: this.slice(slice),
      slice,
      classId,
      replaces,
      made: { provenance: 'hand', tool },
      painted: (tiles, area) => this._changed.emit({ slice, tiles, area }),
      ended: (patch, released) => {
        this._strokes.delete(stroke);
        this.commit(patch, { painted: true, released });
      },
      dropped: tiles => {
        this._strokes.delete(stroke);
        this._changed.emit({ slice, tiles });
        if (this._edits !== edits || this._strokes.size > 0) {
          this.reload(); // its tiles may have lost what others drew meanwhile
        }
        this._edits++;
      }
    });
    this._strokes.add(stroke);
    return stroke;
  }

  /** Send a patch, and apply it here unless its pixels are painted already. Empty patches are ignored. */
  commit(patch: IMaskedPatch, { painted = false, released = null }: LabelStore.ICommitOptions = {}): void {
    if (patch.tiles.length === 0) {
      return;
    }
    const { direction = this._direction } = patch;
    if (!painted && direction === this._direction) {
      this._apply(patch);
    }
    this._edits++;
    const keeps = this._options.keeps?.() ?? [];
    const own = {
      ...patch,
      direction,
      ...(this._layer !== 'labels' && { layer: this._layer }),
      ...(keeps.length > 0 && { keeps })
    };
    this._committed.emit({ patch: own, released });
    this.queue.push(own);
  }

  /** The sidecar can be reached and its labels have this version: send the queue and fetch the labels. */
  attached(version: number): void {
    this._version = version;
    this.queue.paused = false;
    this.reload();
    this._attached.emit(version);
  }

  /** The sidecar cannot be reached: keep patches in the queue. */
  detached(): void {
    this.queue.paused = true;
  }

  /** Fetch the slices again, and once more when the queue has drained. */
  reload(): void {
    this._keep(RELOADED);
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

  /** Dispose all but the queue, which goes on sending: for another store. */
  release(): void {
    if (!this._disposed) {
      this._disposed = true;
      this._slices.clear();
      this._forgotten.clear();
      Signal.clearData(this);
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    if (this._layer === 'labels') {
      this.queue.dispose();
    }
    this._slices.clear();
    Signal.clearData(this);
  }

  /** Another peer's patch. */
  private _onPatch(_: ISessionLink, { params: { version, patch: params }, buffers }: ISessionEvent<'patch'>): void {
    if ((params.layer ?? 'labels') !== this._layer) {
      this._pass(version);
      return;
    }
    if ((params.direction ?? 'xy') !== this._direction) {
      this._cross(version);
      return;
    }
    const { slice, tiles } = params;
    this._stored.emit({ slice, tiles, erases: params.class === 0, version });
    if (version <= this._version) {
      return; // a duplicate, or part of the tiles that were fetched
    }
    const gap = version > this._version + 1;
    this._version = version;
    try {
      const patch = decodePatch(params, buffers);
      this._edits++;
      this._log(version, patch);
      if (this._slices.has(patch.slice)) {
        this._apply(patch);
      }
    } catch (error) {
      this._failed.emit(BridgeError.from(error));
      this.reload();
      return;
    }
    if (gap || this.queue.waiting.length > 0 || this._strokes.size > 0) {
      // A patch was missed, or strokes of ours that came first here come after this one in the sidecar.
      this.reload();
    }
  }

  /** A step was undone or made again, here or by another peer: whole tiles come. */
  private _onTiles(_: ISessionLink, { params, buffers }: ISessionEvent<'labels.tiles'>): void {
    const { layer = 'labels', version, tiles } = params;
    if (layer !== this._layer) {
      return;
    }
    if (this._direction !== 'xy') {
      this._cross(version); // the tiles are those of slices in xy
      return;
    }
    const bySlice = new Map<number, ITileRef[]>();
    for (const { slice, row, column } of tiles) {
      bySlice.set(slice, [...(bySlice.get(slice) ?? []), { row, column }]);
    }
    for (const [slice, refs] of bySlice) {
      this._stored.emit({ slice, tiles: refs, erases: true, version });
    }
    if (version <= this._version) {
      return;
    }
    const whole = version === this._version + 1 && this._fetching === 0;
    this._version = version;
    this._edits++;
    try {
      tiles.forEach(({ slice, row, column }, i) => {
        this._slices.get(slice)?.replace(row, column, decodeTile(buffers[i] ?? new Uint8Array()));
      });
    } catch (error) {
      this._failed.emit(BridgeError.from(error));
      this.reload();
      return;
    }
    const later = [...this._waiting, ...[...this._strokes].map(stroke => stroke.patch())];
    for (const [slice, refs] of bySlice) {
      const labels = this._slices.get(slice);
      if (labels) {
        const isNew = (mask: ITileRef) => refs.some(ref => ref.row === mask.row && ref.column === mask.column);
        for (const patch of later.filter(each => each.slice === slice)) {
          patch.tiles.filter(isNew).forEach(mask => labels.apply(mask, patch.classId, patch.replaces));
        }
        this._changed.emit({ slice, tiles: refs });
      }
    }
    if (!whole) {
      this.reload(); // a change was missed, or tiles are on their way that may lack this one
    }
  }

  private _apply(patch: IMaskedPatch): void {
    const tiles = this.slice(patch.slice);
    for (const mask of patch.tiles) {
      tiles.apply(mask, patch.classId, patch.replaces);
    }
    this._changed.emit({ slice: patch.slice, tiles: patch.tiles.map(({ row, column }) => ({ row, column })) });
  }

  private async _fetch(slice: number): Promise<void> {
    const request = ++this._requests;
    this._latest.set(slice, request);
    this._fetching++;
    try {
      const { link } = this._options;
      const params = { session: link.session, overlay: this._layer, slice };
      const { result, buffers } = await link.request('overlay.tiles', params);
      if (this._disposed || this._latest.get(slice) !== request) {
        return;
      }
      const tiles = this._slices.get(slice)!;
      const before = [...tiles.refs, ...(this._forgotten.get(slice) ?? [])];
      const fresh = result.tiles.map((tile, i) => ({ ...tile, classes: decodeTile(buffers[i] ?? new Uint8Array()) }));
      this._forgotten.delete(slice);
      tiles.clear();
      for (const { row, column, classes } of fresh) {
        tiles.replace(row, column, classes);
      }
      const later = this._recent.filter(({ version }) => version > result.version).map(({ patch }) => patch);
      const drawn = [...this._strokes].map(stroke => stroke.patch());
      for (const patch of [...later, ...this._waiting, ...drawn]) {
        if (patch.slice === slice) {
          patch.tiles.forEach(mask => tiles.apply(mask, patch.classId, patch.replaces));
        }
      }
      this._version = Math.max(this._version, result.version);
      this._edits++;
      const all = new Map([...before, ...tiles.refs].map(ref => [tileKey(ref.row, ref.column), ref]));
      this._changed.emit({ slice, tiles: [...all.values()] });
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

  private _onAcknowledged(_: PatchQueue, { patch, reply }: IAcknowledgement): void {
    if ((patch.layer ?? 'labels') !== this._layer) {
      this._pass(reply.version);
      return;
    }
    if ((patch.direction ?? 'xy') !== this._direction) {
      this._cross(reply.version);
      return;
    }
    const gap = reply.version > this._version + 1;
    this._version = Math.max(this._version, reply.version);
    this._log(reply.version, patch);
    this._stored.emit({ slice: patch.slice, tiles: patch.tiles, erases: patch.classId === 0, version: reply.version });
    if (gap || patch.keeps) {
      this.reload(); // the sidecar alone knows which pixels stayed
    }
  }

  /** Forget all slices but this many that were used last, and those that are being drawn on. */
  private _keep(count: number): void {
    const drawn = new Set([...this._strokes].map(stroke => stroke.slice));
    const old = [...this._slices.keys()].slice(0, -count);
    for (const slice of old.filter(each => !drawn.has(each))) {
      const had = [...(this._forgotten.get(slice) ?? []), ...this._slices.get(slice)!.refs];
      const tiles = new Map(had.map(ref => [tileKey(ref.row, ref.column), ref]));
      if (tiles.size > 0) {
        this._forgotten.set(slice, [...tiles.values()]);
      }
      this._slices.delete(slice);
      this._latest.delete(slice);
    }
  }

  private _onRefused(_: PatchQueue, { work, error }: { work: IMaskedPatch | Move; error: BridgeError }): void {
    if ((typeof work === 'string' ? 'labels' : (work.layer ?? 'labels')) === this._layer) {
      this._failed.emit(error);
    }
    this.reload();
  }

  /** A version in which only the other layer changed. */
  private _pass(version: number): void {
    if (version === this._version + 1) {
      this._version = version;
    }
  }

  /** Slices in another direction have changed, and with them any slice here. */
  private _cross(version: number): void {
    this._version = Math.max(this._version, version);
    this._edits++;
    this._crossed.emit(version);
    this.reload();
  }

  /** The unacknowledged patches of this layer and direction. */
  private get _waiting(): IMaskedPatch[] {
    return this.queue.waiting.filter(
      ({ layer = 'labels', direction = 'xy' }) => layer === this._layer && direction === this._direction
    );
  }

  /** Remember a patch while tiles are being fetched: they may not contain it yet. */
  private _log(version: number, patch: IMaskedPatch): void {
    if (this._fetching > 0) {
      this._recent.push({ version, patch });
    }
  }

  private readonly _options: LabelStore.IOptions;
  private readonly _layer: Layer;
  private readonly _direction: SliceDirection;
  private readonly _crossed = new Signal<this, number>(this);
  private readonly _attached = new Signal<this, number>(this);
  private readonly _slices = new Map<number, LabelTiles>();
  private readonly _latest = new Map<number, number>();
  /** The tiles that slices had when they were forgotten: pictures may show them until they are fetched again. */
  private readonly _forgotten = new Map<number, ITileRef[]>();
  private readonly _recent: { version: number; patch: IMaskedPatch }[] = [];
  private readonly _changed = new Signal<this, ILabelChange>(this);
  private readonly _committed = new Signal<this, ICommit>(this);
  private readonly _stored = new Signal<this, IStored>(this);
  private readonly _failed = new Signal<this, BridgeError>(this);
  /** Strokes that are being drawn: one, or more in several views. */
  private readonly _strokes = new Set<Stroke>();
  /** How often something else than a stroke under way changed labels. */
  private _edits = 0;
  private _requests = 0;
  private _fetching = 0;
  private _version = 0;
  private _again = false;
  private _disposed = false;
}

/** The namespace for {@link LabelStore}. */
export namespace LabelStore {
  export interface IOptions {
    image: ISize;
    link: ISessionLink;
    /** The store of the labels, if this one holds the correction: both share a queue, so that steps keep their order. */
    labels?: LabelStore;
    /** Classes that stay in the segmentation when this store, which holds the correction, is drawn on. */
    keeps?: () => readonly number[];
    /** Of the slices; by default xy. */
    direction?: SliceDirection;
    /** The queue of a store that was released, to go on with. */
    queue?: PatchQueue | undefined;
  }

  export interface ICommitOptions {
    /** Whether the labels have the patch's pixels already. */
    painted?: boolean;
    /** When the pointer was lifted, in milliseconds. */
    released?: number | null;
  }
}
