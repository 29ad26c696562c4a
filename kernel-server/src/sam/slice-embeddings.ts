/**
 * The encoder's results for slices: the whole embedding, which SAM's decoder takes, and maps, its layers reduced to a few components, which
 * classifiers take. If the window of the maps is the whole image, one run of the encoder gives both, the whole embedding first.
 *
 * Maps are made under a basis. A session has its own bases; a classifier brings the one that it was trained with. Those of an image with several
 * windows are made window by window, as tiles need them (`windowed-maps.ts`).
 */
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { IEmbeddingBasis, ISliceMaps } from '../../../engine/core/embedding';
import { BridgeError } from '../../../src/shared/errors';
import { EmbeddingSpec, featureSpec, inOneView, withImage } from '../../../src/shared/features';
import { embeddingShape, promptLength } from '../../../src/shared/models';
import { Lru } from '../../../src/shared/lru';
import { ArrayDescriptor, ImageInfo, zSamDevice } from '../../../src/shared/protocol';
import { moved, Rect, SliceRect } from '../../../src/shared/rect';
import { cutTo, rectOf } from '../../../src/shared/region';
import { EncoderWindows, fromFloat16, ISize, toFloat16 } from '../../../src/sam';
import { ArrayStore } from '../arrays/array-store';
import { log } from '../base/log';
import { IJobContext } from '../jobs/job-context';
import { IImageMaps, IPromptServices, ISamService } from '../jobs/services';
import { Jobs } from '../jobs/jobs';
import { SharedWork } from '../jobs/shared-work';
import { Session } from '../session/session';
import type { EncoderResults } from './encoder-results';
import {
  checkWindow,
  completeSpec,
  embeddingKey,
  IEncoderSource,
  seenContrast,
  seenImage,
  sliceMapsKey,
  sourceOf,
  windowMapsKey
} from './encoder-source';
import { createMapCache, MapCache } from './map-cache';
import { SessionBases, specKey } from './session-bases';
import { IWholeEmbedding, WholeEmbeddings } from './whole-embeddings';
import { IWindowSource, WindowedMaps } from './windowed-maps';

/** After a failure, prefetching the same slice is refused for this time, in milliseconds. */
const RETRY_MS = 30_000;

/** Most windows of a view that a live training waits for before it uses the maps. */
const VIEW_WINDOWS = 9;

/** Embeddings of windows that stay in memory for the decoder, 4 MB each. */
const RECENT_WINDOWS = 2;

/** What is kept on disk beside an embedding. */
const zKept = z.object({ device: zSamDevice, seconds: z.number() });

/** The maps of a slice under its session's own basis are ready, or could not be made. */
export interface IArrival {
  session: Session;
  slice: number;
  spec: EmbeddingSpec;
  error: BridgeError | null;
}

/** A request for an embedding: its id, what cancels it, and how urgent it is; by default a user looks at the place. */
export interface IEmbeddingCall {
  id: string;
  signal: AbortSignal;
  urgency?: IJobContext['urgency'];
}

/** An embedding for prompts that may have been made before. */
export interface IMadeEmbedding {
  /** SHA-256 of what it depends on: content, place and contrast of the pixels, and the model. */
  name: string;
  /** Rows and columns of its image. */
  size: ISize;
  /** The embedding as it was made; undefined if it is not here. @throws BridgeError `cancelled` if the image was replaced since. */
  read(): Promise<Float32Array | undefined>;
}

export class SliceEmbeddings {
  constructor(options: SliceEmbeddings.IOptions) {
    this._options = options;
    this._cache = createMapCache(options.cacheBytes);
    this._bases = new SessionBases(() => options.sam.encoder.digest);
    this._wholes = new WholeEmbeddings(options.store);
  }

  /** Called when the maps of a slice under its session's own basis are ready, and when they could not be made. */
  readonly arrived = new Set<(arrival: IArrival) => void>();

  /**
   * The whole embedding of a slice, computed once and kept in the session's shared array `embedding`. The maps that the session's choice asks
   * for follow in the background. Of a slice of many windows these are only those that any training needs, once there are labels: each takes a
   * second.
   *
   * @param call the id of the request, what cancels it, and whether it gives way to what a user looks at
   * @throws BridgeError as SAM fails, and `cancelled` if the image is replaced meanwhile.
   */
  async whole(session: Session, slice: number, call: IEmbeddingCall): Promise<IWholeEmbedding> {
    const whole = await this._whole(session, slice, call);
    this._watch(session);
    this._asked.set(session, slice);
    this._prepare(session, slice, true);
    return whole;
  }

  /**
   * The whole embeddings of slices, in their order, in one job.
   *
   * @param ahead return at once; the job is cancelled when the session's last user leaves
   * @throws BridgeError as {@link whole} does
   */
  async slices(
    session: Session,
    slices: readonly number[],
    ahead: boolean,
    call: { id: string; signal: AbortSignal }
  ): Promise<void> {
    slices.forEach(slice => session.checkSlice(slice));
    const { id, promptGeneration } = session;
    const description = {
      key: `slices/${id}/${promptGeneration}/${slices.join()}`,
      id: call.id,
      session: id,
      kind: 'embed' as const,
      ...(ahead && { ahead: 'session' as const })
    };
    const signal = ahead ? new AbortController().signal : call.signal;
    const embedded = this._options.jobs.run(description, signal, async context => {
      for (const [done, slice] of slices.entries()) {
        context.signal.throwIfAborted();
        context.progress('slices', done, slices.length);
        const id = randomBytes(8).toString('hex');
        await this._whole(session, slice, { id, signal: context.signal, urgency: 'ahead' });
      }
      context.progress('slices', slices.length, slices.length);
    });
    if (ahead) {
      embedded.catch(() => undefined); // the job's events tell of a failure
    } else {
      await embedded;
    }
  }

  private async _whole(session: Session, slice: number, call: IEmbeddingCall): Promise<IWholeEmbedding> {
    session.checkSlice(slice);
    const { id, promptGeneration: generation } = session;
    const sam = await this._samOf(session);
    let whole = await this._wholes.find(session, slice, sam.manifest);
    if (!whole) {
      const key = `embed/${id}/${slice}/${generation}`;
      const { urgency = 'now' } = call;
      const description = { key, id: call.id, session: id, kind: 'embed' as const, urgency };
      whole = await this._options.jobs.run(description, call.signal, context =>
        this._encodeWhole(session, slice, context)
      );
    }
    if (generation !== session.promptGeneration) {
      throw replaced();
    }
    return whole;
  }

  /**
   * The embedding of a window of a slice: its rows and columns are encoded as an image of their own.
   *
   * @param call as in {@link whole}
   * @throws BridgeError `invalid` for a window that is not part of what SAM sees; as SAM fails; `cancelled` if the image is replaced meanwhile.
   */
  async window(session: Session, slice: number, window: Rect, call: IEmbeddingCall): Promise<IWholeEmbedding> {
    session.checkSlice(slice);
    const source = sourceOf(session);
    const { image, within, generation } = source;
    checkWindow(window, within ?? rectOf(null, image.shape));
    const key = `window/${session.id}/${slice}/${generation}/${Object.values(window).join('-')}`;
    const { urgency = 'now' } = call;
    const description = { key, id: call.id, session: session.id, kind: 'embed' as const, urgency };
    const sam = await this._samOf(session);
    const path = embeddingKey(source, slice, window, sam);
    const made = await this._options.jobs.run(
      description,
      call.signal,
      async context =>
        (await this._find(path, sam)) ??
        this._keep(path, await sam.embed(image, seenContrast(source), slice, context, window))
    );
    if (generation !== session.promptGeneration) {
      throw replaced();
    }
    this._recent.set(path, made.embedding);
    return made;
  }

  /**
   * The embedding of a slice, or of a window of it, as far as it was made before: nothing is encoded.
   *
   * @throws BridgeError `invalid` for a slice or a window that SAM does not see.
   */
  async made(session: Session, slice: number, window?: Rect): Promise<IMadeEmbedding> {
    session.checkSlice(slice);
    const sam = await this._samOf(session);
    const source = sourceOf(session);
    const seen = source.within ?? rectOf(null, source.image.shape);
    if (window) {
      checkWindow(window, seen);
    }
    const key = embeddingKey(source, slice, window ?? source.within, sam);
    const { row0, row1, column0, column1 } = window ?? seen;
    return {
      name: createHash('sha256').update(key).digest('hex'),
      size: { rows: row1 - row0, columns: column1 - column0 },
      read: async () => {
        const whole = window ? undefined : await this._wholes.find(session, slice, sam.manifest);
        const embedding = whole?.embedding ?? this._recent.get(key) ?? (await this._find(key, sam))?.embedding;
        if (source.generation !== session.promptGeneration) {
          throw replaced();
        }
        return embedding;
      }
    };
  }

  /**
   * The maps of a session's image under a basis; under the session's own if none is given. To find the session's own, a slice is encoded if none
   * was: `slice`, or one whose whole embedding was asked for.
   *
   * @throws BridgeError as SAM fails, and `model` if the basis is of another model.
   */
  async maps(
    session: Session,
    spec: EmbeddingSpec,
    basis?: IEmbeddingBasis,
    context: IJobContext = unwatched(),
    slice?: number
  ): Promise<IImageMaps> {
    // A region that is chosen later is not that of this request.
    const source = sourceOf(session);
    const complete = completeSpec(spec, seenImage(session));
    const own = basis ?? (await this._ownBasis(session, complete, context, slice));
    return {
      basis: own,
      samples: this._samples(source, complete),
      slice: (index, inner, under) => this._maps(session, source, index, complete, own, inner, under)
    };
  }

  /**
   * The maps of a handed-over image under a basis.
   *
   * @param key identifies the image's content: maps are cached under it. If it is undefined, the result caches the maps of its latest slice
   * itself, since callers request a slice tile by tile
   */
  arrayMaps(
    image: ArrayDescriptor,
    display: ImageInfo['display'],
    key: string | undefined,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis
  ): IImageMaps {
    const complete = completeSpec(spec, { ...image, display });
    const source = { image, display, key: `${key ?? randomBytes(8).toString('hex')}/`, content: '' };
    const cache = key === undefined ? createMapCache(1) : this._cache;
    return {
      basis,
      samples: this._samples(source, complete),
      slice: async (slice, context, under) => {
        const path = sliceMapsKey(source, slice, complete, basis);
        const all = this._windowed(cache, path, source, complete);
        const encode: IWindowSource['encode'] = async (window, inner) => {
          const made = await this._options.sam.reduce(image, display, slice, complete, basis, [window], inner);
          return made.windows[0]!;
        };
        await all.complete({ encode, added: () => cache.set(path, all) }, context, under);
        return all.maps;
      }
    };
  }

  /** Whether a slice's maps are in memory: all of them, or those under some rectangles. */
  ready(
    session: Session,
    slice: number,
    spec: EmbeddingSpec,
    basis?: IEmbeddingBasis,
    under?: readonly Rect[]
  ): boolean {
    const complete = completeSpec(spec, seenImage(session));
    const used = basis ?? this._bases.get(session, complete);
    const all = used && this._cache.peek(sliceMapsKey(sourceOf(session), slice, complete, used));
    return !!all && (under ? all.covers(under) : all.isComplete);
  }

  /** Why a slice's maps could not be made a short while ago; null if there was no failure. */
  failure(session: Session, slice: number, spec: EmbeddingSpec): BridgeError | null {
    const key = specKey(session, completeSpec(spec, seenImage(session)));
    const failed = this._failed.get(`${key}/${slice}`);
    if (failed && performance.now() - failed.at > (this._options.retryMs ?? RETRY_MS)) {
      this._failed.delete(`${key}/${slice}`);
      return null;
    }
    return failed?.error ?? null;
  }

  /**
   * Where a live training needs a slice's maps before it can use them: in the windows that stand for all, and in the view if few windows show it.
   * The training finds out about its labels itself.
   */
  first(session: Session, spec: EmbeddingSpec, view: SliceRect | undefined): readonly Rect[] {
    const source = sourceOf(session);
    const complete = completeSpec(spec, seenImage(session));
    const samples = this._samples(source, complete);
    const seen = source.within ?? rectOf(null, source.image.shape);
    if (!samples) {
      return [seen];
    }
    const shown = view && cutTo(session.record.region, view);
    const windows = this._windowsOf(source, complete).layer(embeddingShape(this._options.sam.manifest));
    return shown && windows.under(moved(shown, -seen.row0, -seen.column0)).length <= VIEW_WINDOWS
      ? [shown, ...samples]
      : samples;
  }

  /**
   * Make a slice's maps in the background, as the session's choice or `spec` asks for them; {@link arrived} tells of the end. Does nothing if
   * they are ready, being made, not asked for, or failed a short while ago.
   *
   * @param under only the maps under these rectangles, those of the first one first
   * @param signal cancels it
   */
  prefetch(
    session: Session,
    slice: number,
    spec: EmbeddingSpec | null = this._chosen(session),
    under?: readonly Rect[],
    signal = new AbortController().signal
  ): void {
    if (!spec || this.ready(session, slice, spec, undefined, under) || this.failure(session, slice, spec)) {
      return;
    }
    const complete = completeSpec(spec, seenImage(session));
    const key = `prefetch/${specKey(session, complete)}/${slice}/${JSON.stringify(under ?? null)}`;
    if (this._options.jobs.isRunning(key)) {
      return;
    }
    const id = randomBytes(8).toString('hex');
    const description = { key, id, session: session.id, kind: 'embed' as const, ahead: 'page' as const };
    this._options.jobs
      .run(description, signal, async context => {
        const image = await this.maps(session, spec, undefined, context, slice);
        await image.slice(slice, context, under);
        if (!this.ready(session, slice, spec)) {
          this._tell({ session, slice, spec: complete, error: null }); // of some windows; of all, the last window tells
        }
      })
      .catch(() => undefined); // `arrived` tells of the failure
  }

  /** Make the maps in the background that a training needs wherever the labels are; `opened`: the slice was just asked for. */
  private _prepare(session: Session, slice: number, opened: boolean): void {
    const spec = this._chosen(session);
    const samples = spec && this._samples(sourceOf(session), completeSpec(spec, seenImage(session)));
    const labelled = session.record.classes.some(({ id }) => session.labels.count(id) > 0);
    if (spec && (samples ? labelled : opened)) {
      [...inOneView(spec), spec].forEach(each => this.prefetch(session, slice, each, samples ?? undefined));
    }
  }

  /** The maps that the session's choice asks for; null if it asks for none, or is invalid. */
  private _chosen(session: Session): EmbeddingSpec | null {
    try {
      return withImage(featureSpec(session.record.choice.features), seenImage(session)).embedding;
    } catch {
      return null;
    }
  }

  /** Whether one run of the encoder gives both the whole embedding and the maps of `spec`. */
  private _coversWhole(session: Session, spec: EmbeddingSpec): boolean {
    const { shape } = seenImage(session);
    return completeSpec(spec, seenImage(session)).window === Math.max(shape[1], shape[2]);
  }

  /** Forget a session's maps and bases; its folder keeps the last basis. */
  private _forget(session: Session): void {
    this._bases.forget(session);
    for (const entries of [this._cache, this._failed]) {
      for (const key of entries.keys()) {
        if (key.startsWith(`${session.id}/`)) {
          entries.delete(key);
        }
      }
    }
  }

  /** Compute the whole embedding: with the maps that the session's choice asks for if one run gives both, else alone. */
  private async _encodeWhole(session: Session, slice: number, context: IJobContext): Promise<IWholeEmbedding> {
    const source = sourceOf(session);
    const { image, within, generation } = source;
    const sam = await this._samOf(session);
    if (generation !== session.promptGeneration) {
      throw replaced();
    }
    const path = embeddingKey(source, slice, within, sam);
    const kept = await this._find(path, sam);
    if (kept) {
      return this._wholes.take(session, generation!, slice, kept, sam.manifest);
    }
    const chosen = sam === this._options.sam ? this._chosen(session) : null;
    const spec = chosen && (inOneView(chosen)[0] ?? chosen);
    if (spec && this._coversWhole(session, spec) && !this.ready(session, slice, spec)) {
      const maps = this.maps(session, spec, undefined, context, slice).then(all => all.slice(slice, context));
      maps.catch(() => undefined);
      try {
        const early = this._wholes.next(session, slice);
        const whole = await Promise.race([early, maps.then(() => this._wholes.find(session, slice, sam.manifest))]);
        if (whole) {
          return whole; // the maps are still being made
        }
      } catch (thrown) {
        const error = BridgeError.from(thrown);
        if (context.signal.aborted || error.code === 'cancelled' || error.code === 'compute') {
          throw error;
        }
        // The layers may be the cause; the whole embedding alone does not need them.
      }
    }
    const whole = await sam.embed(image, seenContrast(source), slice, context, within);
    return this._wholes.take(session, generation!, slice, this._keep(path, whole), sam.manifest);
  }

  /** The service of the model that suggests in a session. */
  private async _samOf(session: Session): Promise<ISamService> {
    return (await this._options.models?.of(session)) ?? this._options.sam;
  }

  /** An embedding that was kept on disk. */
  private async _find(key: string, { manifest }: ISamService): Promise<IWholeEmbedding | undefined> {
    const found = await this._options.kept?.read(key);
    const about = zKept.safeParse(found?.about);
    const embedding = found?.arrays[0];
    return about.success && embedding?.length === promptLength(manifest) ? { ...about.data, embedding } : undefined;
  }

  /** Keep an embedding on disk. Rounded to half precision, as it is there and in the page, so that it is the same after a restart. */
  private _keep(key: string, { embedding, device, seconds }: IWholeEmbedding): IWholeEmbedding {
    const halves = toFloat16(embedding);
    void this._options.kept?.write(key, { arrays: [halves], about: { device, seconds } });
    return { embedding: fromFloat16(halves), device, seconds };
  }

  /** The session's own basis, fitted if there is none. */
  private async _ownBasis(
    session: Session,
    spec: EmbeddingSpec,
    context: IJobContext,
    slice: number | undefined
  ): Promise<IEmbeddingBasis> {
    this._watch(session);
    await this._bases.load(session);
    if (!this._bases.get(session, spec)) {
      const encoded = Number(Object.keys(session.record.embeddings)[0] ?? 0);
      await this._fit(session, slice ?? encoded, spec, context);
    }
    const basis = this._bases.get(session, spec);
    if (!basis) {
      throw replaced();
    }
    return basis;
  }

  /** Fit the session's own basis to a slice, or wait for the fit to another one that is under way. */
  private _fit(session: Session, slice: number, spec: EmbeddingSpec, context: IJobContext): Promise<void> {
    session.checkSlice(slice);
    return this._work.run(`fit/${specKey(session, spec)}`, context, async inner => {
      const source = sourceOf(session);
      const { encoderGeneration: generation } = session;
      const [all, { basis, windows }] = await this._noting(session, slice, spec, null, inner, async () => {
        this._options.sam.checkSpec(spec);
        const begun = this._begin(source, spec);
        return [begun, await this._reduce(session, source, slice, spec, null, begun.windows.spread, inner)] as const;
      });
      this._checkThere(session, session.generation);
      if (generation !== session.encoderGeneration) {
        throw replaced(); // the basis would be taken for that of the other region
      }
      const written = this._bases.set(session, spec, basis);
      all.windows.spread.forEach((window, i) => {
        all.add(window, windows[i]!);
        this._keepMaps(windowMapsKey(source, slice, spec, basis, window, this._options.sam), windows[i]!);
      });
      this._cache.set(sliceMapsKey(source, slice, spec, basis), all);
      if (all.isComplete) {
        this._tell({ session, slice, spec, error: null });
      }
      await written;
    });
  }

  private async _maps(
    session: Session,
    source: IEncoderSource,
    slice: number,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis,
    context: IJobContext,
    under: readonly Rect[] | undefined
  ): Promise<ISliceMaps> {
    session.checkSlice(slice);
    this._watch(session);
    const { generation } = session;
    const key = sliceMapsKey(source, slice, spec, basis);
    const all = this._windowed(this._cache, key, source, spec);
    const encode: IWindowSource['encode'] = async (window, inner) => {
      this._checkThere(session, generation);
      const path = windowMapsKey(source, slice, spec, basis, window, this._options.sam);
      const kept = await this._options.kept?.read(path);
      this._checkThere(session, generation);
      if (kept) {
        return kept.arrays;
      }
      const { windows } = await this._noting(session, slice, spec, basis, inner, () =>
        this._reduce(session, source, slice, spec, basis, [window], inner)
      );
      this._checkThere(session, generation);
      this._keepMaps(path, windows[0]!);
      return windows[0]!;
    };
    const added = () => {
      this._cache.set(key, all);
      if (all.isComplete && this._bases.get(session, spec) === basis) {
        this._tell({ session, slice, spec, error: null });
      }
    };
    await all.complete({ encode, added }, context, under);
    return all.maps;
  }

  private _keepMaps(key: string, arrays: Float32Array[]): void {
    void this._options.kept?.write(key, { arrays, about: null });
  }

  /** The maps of a key, begun if there are none. */
  private _windowed(cache: MapCache, key: string, source: IEncoderSource, spec: EmbeddingSpec): WindowedMaps {
    const all = cache.get(key) ?? this._begin(source, spec);
    if (!cache.has(key)) {
      cache.set(key, all);
    }
    return all;
  }

  /** Maps without any window. */
  private _begin(source: IEncoderSource, spec: EmbeddingSpec): WindowedMaps {
    const { within } = source;
    const origin = within && { row: within.row0, column: within.column0 };
    return new WindowedMaps(this._windowsOf(source, spec), spec.layers, this._options.sam.manifest, origin);
  }

  private _windowsOf({ image, within }: IEncoderSource, { window }: EmbeddingSpec): EncoderWindows {
    const { row0, row1, column0, column1 } = within ?? rectOf(null, image.shape);
    return new EncoderWindows({ rows: row1 - row0, columns: column1 - column0 }, window!, this._options.sam.manifest);
  }

  /** See {@link IImageMaps.samples}. */
  private _samples(source: IEncoderSource, spec: EmbeddingSpec): Rect[] | undefined {
    const windows = this._windowsOf(source, spec);
    const { row0, column0 } = source.within ?? { row0: 0, column0: 0 };
    const { spread } = windows;
    return spread.length < windows.count ? spread.map(index => moved(windows.sample(index), row0, column0)) : undefined;
  }

  /** Run the encoder over windows of a slice. A whole embedding that the run brings is handed on at once, before the maps are made. */
  private async _reduce(
    session: Session,
    source: IEncoderSource,
    slice: number,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis | null,
    windows: readonly number[],
    context: IJobContext
  ): Promise<{ basis: IEmbeddingBasis; windows: Float32Array[][] }> {
    const { image, display, within, generation } = source;
    const { manifest } = this._options.sam;
    const take = (whole: IWholeEmbedding) => {
      this._wholes
        .take(
          session,
          generation!,
          slice,
          this._keep(embeddingKey(source, slice, within, this._options.sam), whole),
          manifest
        )
        .catch(error => log(`the embedding of slice ${slice} of session ${session.id} could not be kept`, error));
    };
    const isWanted = session.record.samModel === manifest.id && !this._wholes.find(session, slice, manifest);
    const whole = isWanted ? { contrast: seenContrast(source), take } : undefined;
    return this._options.sam.reduce(image, display, slice, spec, basis, windows, context, whole, within);
  }

  /** Note whether work on a slice failed; {@link arrived} tells of a failure under the session's own basis. */
  private async _noting<T>(
    session: Session,
    slice: number,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis | null,
    context: IJobContext,
    work: () => Promise<T>
  ): Promise<T> {
    const failed = `${specKey(session, spec)}/${slice}`;
    try {
      const result = await work();
      this._failed.delete(failed);
      return result;
    } catch (thrown) {
      const error = BridgeError.from(thrown);
      const isOwn = !basis || this._bases.get(session, spec) === basis;
      if (isOwn && error.code !== 'cancelled' && !context.signal.aborted) {
        this._failed.set(failed, { error, at: performance.now() });
        this._tell({ session, slice, spec, error });
      }
      throw error;
    }
  }

  /** Forget what follows from a session's image when that is replaced. */
  private _watch(session: Session): void {
    if (this._watched.has(session)) {
      return;
    }
    this._watched.add(session);
    let { digest } = session.record.image;
    session.changes.add(change => {
      const asked = this._asked.get(session);
      if (change === 'labels' && asked !== undefined) {
        this._prepare(session, asked, false);
      } else if (change === 'closed') {
        this._closed.add(session);
        this._options.jobs.cancelAhead(session.id);
      } else if (change === 'image' && session.record.image.digest !== digest) {
        ({ digest } = session.record.image);
        this._asked.delete(session);
        this._forget(session);
      }
    });
  }

  /** Throws BridgeError `cancelled` if the image was replaced or the session closed. */
  private _checkThere(session: Session, generation: number): void {
    if (generation !== session.generation || this._closed.has(session)) {
      throw replaced();
    }
  }

  private _tell(arrival: IArrival): void {
    for (const listener of this.arrived) {
      try {
        listener(arrival);
      } catch (error) {
        log("a listener that was told of a slice's maps failed", error);
      }
    }
  }

  private readonly _options: SliceEmbeddings.IOptions;
  private readonly _cache: MapCache;
  private readonly _bases: SessionBases;
  private readonly _wholes: WholeEmbeddings;
  private readonly _work = new SharedWork();
  private readonly _watched = new WeakSet<Session>();
  private readonly _closed = new WeakSet<Session>();
  /** Embeddings of windows that were handed out last, by {@link embeddingKey}: they may not be on disk yet, or never. */
  private readonly _recent = new Lru<string, Float32Array>({ limit: RECENT_WINDOWS });
  /** The slice whose whole embedding was asked for last. */
  private readonly _asked = new WeakMap<Session, number>();
  private readonly _failed = new Map<string, { error: BridgeError; at: number }>();
}

/** The namespace for {@link SliceEmbeddings}. */
export namespace SliceEmbeddings {
  export interface IOptions {
    /** The model whose layers classifiers see. */
    sam: ISamService;
    /** The models that suggest; undefined: `sam` alone. */
    models?: IPromptServices | undefined;
    jobs: Jobs;
    /** Where the arrays of whole embeddings are made. */
    store: ArrayStore;
    /** Results of the encoder on disk; undefined: none are kept. */
    kept?: EncoderResults | undefined;
    /** Bytes of maps that stay in memory. */
    cacheBytes?: number;
    /** Milliseconds after a failure in which prefetching is refused. */
    retryMs?: number;
  }
}

function replaced(): BridgeError {
  return new BridgeError('cancelled', 'The image, its region or the model was replaced meanwhile.');
}

function unwatched(): IJobContext {
  return { signal: new AbortController().signal, progress: () => undefined };
}
