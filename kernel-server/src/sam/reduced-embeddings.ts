/**
 * What SAM sees of images, for classifiers: reduced embeddings by slice, computed once, kept in memory within bounds.
 *
 * A session has a basis of its own for each way of seeing (model, window, layers). It is fitted to the slice that is encoded first and kept in the
 * session's folder. A classifier brings the basis that it was trained with.
 */
import { randomBytes } from 'node:crypto';
import type { IEmbeddingBasis, ISliceEmbedding } from '../../../engine/core/embedding';
import { BridgeError } from '../../../src/shared/errors';
import { EmbeddingSpec, featureSpec, withImage } from '../../../src/shared/features';
import { ArrayDescriptor, ImageInfo, SamDevice } from '../../../src/shared/protocol';
import { basisKey } from './basis-key';
import { fits, MapCache, readBasis, writeBasis } from './embedding-store';
import { IImageEmbedding, IJobContext, ISamService } from '../jobs/interfaces';
import { Jobs } from '../jobs/jobs';
import { log } from '../base/log';
import { Session } from '../session/session';
import { SharedWork } from '../jobs/shared-work';

/** For so many milliseconds what failed is not tried again unless somebody asks for it. */
const RETRY_MS = 30_000;

/** A slice whose maps are ready, or could not be made. */
export interface IArrival {
  session: Session;
  slice: number;
  spec: EmbeddingSpec;
  error: BridgeError | null;
}

/** The embedding of a whole image, as SAM's decoder takes it. */
export interface IWholeEmbedding {
  embedding: Float32Array;
  device: SamDevice;
  seconds: number;
}

/** An image as it was when somebody asked for its embedding. */
interface ISource {
  image: ArrayDescriptor;
  display: ImageInfo['display'];
  /** Names what it shows. */
  key: string;
}

type SessionBases = Map<string, IEmbeddingBasis>;

export class Embeddings {
  constructor(options: Embeddings.IOptions) {
    this._options = options;
    this._cache = new MapCache(options.cacheBytes);
  }

  /** Called when a slice of a session has its maps under the session's own basis, and when that failed. */
  readonly arrived = new Set<(arrival: IArrival) => void>();

  /**
   * A session's image under a basis; under the session's own if none is given. That takes an encoding where it was not found yet: of `slice`, or a
   * slice that SAM was asked for.
   *
   * @throws BridgeError as SAM fails, and `model` if the basis is of another model.
   */
  async of(
    session: Session,
    spec: EmbeddingSpec,
    basis?: IEmbeddingBasis,
    context: IJobContext = unwatched(),
    slice?: number
  ): Promise<IImageEmbedding> {
    const complete = completeSpec(spec, session.record.image);
    const own = basis ?? (await this._ownBasis(session, complete, context, slice));
    return {
      basis: own,
      slice: (index, inner) => this._maps(session, index, complete, own, inner)
    };
  }

  /**
   * A handed-over image under a basis.
   *
   * @param key names what the image shows, so that its maps are kept; undefined to keep no more than the latest slice, as long as what this
   * gives: an image is asked for tile by tile
   */
  ofArray(
    image: ArrayDescriptor,
    display: ImageInfo['display'],
    key: string | undefined,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis
  ): IImageEmbedding {
    const complete = completeSpec(spec, { ...image, display });
    const source = { image, display, key: `${key ?? randomBytes(8).toString('hex')}/` };
    const cache = key === undefined ? new MapCache(0) : this._cache;
    return {
      basis,
      slice: async (slice, context) => {
        const path = mapKey(source, slice, complete, basis);
        const found = cache.get(path);
        if (found) {
          return found;
        }
        return this._work.run(path, context, async inner => {
          const { maps } = await this._options.sam.reduce(image, display, slice, complete, basis, inner);
          cache.set(path, maps);
          return maps;
        });
      }
    };
  }

  /** Whether a slice's maps are at hand without the encoder. */
  ready(session: Session, slice: number, spec: EmbeddingSpec, basis?: IEmbeddingBasis): boolean {
    const complete = completeSpec(spec, session.record.image);
    const used = basis ?? this._known(session, complete);
    return used !== undefined && this._cache.has(mapKey(sourceOf(session), slice, complete, used));
  }

  /** Why a slice's maps could not be made a short while ago; null if nobody knows of a reason. */
  failure(session: Session, slice: number, spec: EmbeddingSpec): BridgeError | null {
    const key = specKey(session, completeSpec(spec, session.record.image));
    const failed = this._failed.get(`${key}/${slice}`);
    if (failed && performance.now() - failed.at > (this._options.retryMs ?? RETRY_MS)) {
      this._failed.delete(`${key}/${slice}`);
      return null;
    }
    return failed?.error ?? null;
  }

  /**
   * Make a slice's maps in the background, as the session's choice or `spec` asks for them; {@link arrived} tells of the end. Nothing happens
   * if they are ready, on their way, not asked for, or failed just now.
   */
  prefetch(session: Session, slice: number, spec: EmbeddingSpec | null = this.chosen(session)): void {
    if (!spec || this.ready(session, slice, spec) || this.failure(session, slice, spec)) {
      return;
    }
    const key = `prefetch/${specKey(session, completeSpec(spec, session.record.image))}/${slice}`;
    const description = { key, id: randomBytes(8).toString('hex'), session: session.id, kind: 'embed' as const };
    this._options.jobs
      .run(description, new AbortController().signal, async context => {
        const image = await this.of(session, spec, undefined, context, slice);
        await image.slice(slice, context);
      })
      .catch(() => undefined); // those who wait hear of it
  }

  /** What the session's choice asks for; null if it asks for no embedding, or for something that there is not. */
  chosen(session: Session): EmbeddingSpec | null {
    try {
      return withImage(featureSpec(session.record.choice.features), session.record.image).embedding;
    } catch {
      return null;
    }
  }

  /** Whether one run of the encoder gives both the embedding of the whole image and what `spec` asks for. */
  coversWhole(session: Session, spec: EmbeddingSpec): boolean {
    const { shape } = session.record.image;
    return completeSpec(spec, session.record.image).window === Math.max(shape[1], shape[2]);
  }

  /** Forget a session's maps and bases; what is in its folder stays. */
  forget(session: Session): void {
    this._cache.forget(key => key.startsWith(`${session.id}/`));
    this._bases.delete(session);
    this._loading.delete(session);
    for (const key of this._failed.keys()) {
      if (key.startsWith(`${session.id}/`)) {
        this._failed.delete(key);
      }
    }
  }

  /** The session's own basis, found if need be. */
  private async _ownBasis(
    session: Session,
    spec: EmbeddingSpec,
    context: IJobContext,
    slice: number | undefined
  ): Promise<IEmbeddingBasis> {
    await this._load(session);
    if (!this._known(session, spec)) {
      const seen = Number(Object.keys(session.record.embeddings)[0] ?? 0);
      await this._fit(session, slice ?? seen, spec, context);
    }
    const basis = this._known(session, spec);
    if (!basis) {
      throw replaced();
    }
    return basis;
  }

  /** Fit the session's own basis to a slice, or join those who fit it to another one. */
  private _fit(session: Session, slice: number, spec: EmbeddingSpec, context: IJobContext): Promise<void> {
    session.checkSlice(slice);
    const key = specKey(session, spec);
    return this._work.run(`fit/${key}`, context, async inner => {
      const source = sourceOf(session);
      const { generation } = session;
      const { basis, maps } = await this._reduce(session, slice, spec, null, inner);
      this._checkThere(session, generation);
      this._watch(session).set(key, basis);
      this._cache.set(mapKey(source, slice, spec, basis), maps);
      this._tell({ session, slice, spec, error: null });
      const to = { image: session.record.image.digest, window: spec.window! };
      await writeBasis(session.folder, to, basis).catch(error =>
        log(`the basis of session ${session.id} could not be kept`, error)
      );
    });
  }

  private async _maps(
    session: Session,
    slice: number,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis,
    context: IJobContext
  ): Promise<ISliceEmbedding> {
    session.checkSlice(slice);
    const key = mapKey(sourceOf(session), slice, spec, basis);
    const found = this._cache.get(key);
    if (found) {
      return found;
    }
    return this._work.run(key, context, async inner => {
      const { generation } = session;
      const { maps } = await this._reduce(session, slice, spec, basis, inner);
      this._checkThere(session, generation);
      this._watch(session);
      this._cache.set(key, maps);
      if (this._known(session, spec) === basis) {
        this._tell({ session, slice, spec, error: null });
      }
      return maps;
    });
  }

  private async _reduce(
    session: Session,
    slice: number,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis | null,
    context: IJobContext
  ): Promise<{ basis: IEmbeddingBasis; maps: ISliceEmbedding }> {
    const { image, generation } = session;
    const { display } = session.record.image;
    const failed = `${specKey(session, spec)}/${slice}`;
    try {
      const result = await this._options.sam.reduce(image, display, slice, spec, basis, context, whole => {
        if (generation === session.generation) {
          this._options.keep(session, slice, whole);
        }
      });
      this._failed.delete(failed);
      return result;
    } catch (thrown) {
      const error = BridgeError.from(thrown);
      if (error.code !== 'cancelled' && !context.signal.aborted && (!basis || this._known(session, spec) === basis)) {
        this._watch(session);
        this._failed.set(failed, { error, at: performance.now() });
        this._tell({ session, slice, spec, error });
      }
      throw error;
    }
  }

  /** The session's own basis, if it is in memory. */
  private _known(session: Session, spec: EmbeddingSpec): IEmbeddingBasis | undefined {
    return this._bases.get(session)?.get(specKey(session, spec));
  }

  /** Take up what an earlier sidecar found. */
  private async _load(session: Session): Promise<void> {
    let loading = this._loading.get(session);
    if (!loading) {
      loading = readBasis(session.folder).then(kept => {
        const spec = kept && { model: kept.basis.model, window: kept.window, layers: kept.basis.layers };
        const ours = kept && spec && fits(kept.basis, spec, this._options.sam.encoder.digest);
        if (kept && spec && ours && kept.image === session.record.image.digest) {
          this._watch(session).set(specKey(session, spec), kept.basis);
        }
      });
      this._loading.set(session, loading);
    }
    await loading;
  }

  /** The bases of a session; they and the maps go with the session, or with its image. */
  private _watch(session: Session): SessionBases {
    let bases = this._bases.get(session);
    if (!bases) {
      bases = new Map();
      this._bases.set(session, bases);
      if (!this._watched.has(session)) {
        this._watched.add(session);
        let { digest } = session.record.image;
        session.changes.add(change => {
          if (change === 'closed') {
            this._closed.add(session);
          } else if (change !== 'image' || session.record.image.digest === digest) {
            return;
          }
          ({ digest } = session.record.image);
          this.forget(session);
        });
      }
    }
    return bases;
  }

  /** Throws BridgeError `cancelled` if the image is not the same any more, or the session was closed. */
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
        log('an embedding arrived, and somebody who waited for it failed', error);
      }
    }
  }

  private readonly _options: Embeddings.IOptions;
  private readonly _cache: MapCache;
  private readonly _work = new SharedWork();
  private readonly _bases = new WeakMap<Session, SessionBases>();
  private readonly _loading = new WeakMap<Session, Promise<void>>();
  private readonly _watched = new WeakSet<Session>();
  private readonly _closed = new WeakSet<Session>();
  private readonly _failed = new Map<string, { error: BridgeError; at: number }>();
}

/** The namespace for {@link Embeddings}. */
export namespace Embeddings {
  export interface IOptions {
    sam: ISamService;
    jobs: Jobs;
    /** Take over the embedding of a whole slice, which came along. */
    keep(session: Session, slice: number, whole: IWholeEmbedding): void;
    /** Bytes of maps that stay in memory. */
    cacheBytes?: number;
    /** Milliseconds for which what failed is not tried again by itself. */
    retryMs?: number;
  }
}

/** The spec with its window, which the image decides where nobody has. */
function completeSpec(
  spec: EmbeddingSpec,
  image: { dtype: string; display: ImageInfo['display']; shape: readonly number[] }
): EmbeddingSpec {
  return spec.window === null ? withImage(featureSpec({ families: {}, embedding: spec }), image).embedding! : spec;
}

function sourceOf(session: Session): ISource {
  const { digest, display } = session.record.image;
  return { image: session.image, display, key: `${session.id}/${digest}/` };
}

/** A session's image seen in one way. */
function specKey(session: Session, { model, window, layers }: EmbeddingSpec): string {
  const { digest, display } = session.record.image;
  const names = layers.map(({ layer, components }) => `${layer}:${components}`).join();
  return `${session.id}/${digest}/${display.low},${display.high}/${model}/${window}/${names}`;
}

function mapKey({ display, key }: ISource, slice: number, { window }: EmbeddingSpec, basis: IEmbeddingBasis): string {
  return `${key}${display.low},${display.high}/${slice}/${window}/${basisKey(basis)}`;
}

function replaced(): BridgeError {
  return new BridgeError('cancelled', 'The image was replaced meanwhile.');
}

function unwatched(): IJobContext {
  return { signal: new AbortController().signal, progress: () => undefined };
}
