/** What takes long: embeddings, suggestions, features, classifiers for other images. Classifiers of sessions are next door. */
import { embeddingInput } from '../../../engine/onnx/embedding';
import { BridgeError } from '../../../src/shared/errors';
import { familyNames, withoutEmbedding } from '../../../src/shared/features';
import { ArrayDescriptor, Params, Result } from '../../../src/shared/protocol';
import { ArrayStore } from '../arrays/array-store';
import { ClassifierJobs } from './classifier-jobs';
import { ICall } from '../transport/dispatcher';
import { displayRange } from '../arrays/display-range';
import { Embeddings, IWholeEmbedding } from '../sam/reduced-embeddings';
import { IEngineService, IImageEmbedding, IJobContext, ISamService } from '../jobs/interfaces';
import { Jobs } from '../jobs/jobs';
import { log } from '../base/log';
import { Session } from '../session/session';
import { TileFile } from '../arrays/tile-file';

/** Values of one slice's embedding. */
const EMBEDDING = [256, 64, 64] as const;
const EMBEDDING_BYTES = 4 * EMBEDDING[0] * EMBEDDING[1] * EMBEDDING[2];
/** From so many slices on the embeddings' blocks are reserved as they are filled. */
const SPARSE_SLICES = 16;

/** What the jobs work with. */
export interface IComputeOptions {
  engine: IEngineService;
  sam: ISamService;
  store: ArrayStore;
  jobs: Jobs;
}

export class ComputeJobs {
  constructor(private readonly _options: IComputeOptions) {
    this.embeddings = new Embeddings({
      ..._options,
      keep: (session, slice, whole) => {
        const keeping = this._keep(session, slice, whole)
          .catch(error => log('an embedding could not be kept', error))
          .finally(() => this._keeping.delete(keeping));
        this._keeping.add(keeping);
      }
    });
    this.classifiers = new ClassifierJobs({ ..._options, embeddings: this.embeddings });
  }

  /** What SAM sees of sessions, for classifiers. */
  readonly embeddings: Embeddings;
  readonly classifiers: ClassifierJobs;

  /** The embedding of a slice, in the session's array; computed once. */
  async embed(session: Session, slice: number, call: ICall): Promise<Result<'sam.embed'>> {
    session.checkSlice(slice);
    const found = () => {
      const entry = session.record.embeddings[slice];
      const array = session.array('embedding');
      return entry && array ? { ...entry, array } : undefined;
    };
    if (!found()) {
      const { image, generation } = session;
      const description = {
        key: `embed/${session.id}/${slice}/${generation}`,
        id: call.id,
        session: session.id,
        kind: 'embed' as const
      };
      await this._options.jobs.run(description, call.signal, async context => {
        await this._embedWithMaps(session, slice, context);
        await Promise.all(this._keeping); // what a reduction has just brought along need not be computed again
        if (!found()) {
          const { display } = session.record.image;
          const whole = await this._options.sam.embed(image, display, slice, context);
          await this._take(session, generation, slice, whole);
        }
      });
    }
    // What classifiers see of the slice will be wanted next.
    this.embeddings.prefetch(session, slice);
    const entry = found();
    if (!entry) {
      throw new BridgeError('cancelled', 'The image was replaced meanwhile.');
    }
    return entry;
  }

  /** The embedding's values. */
  async embedding(
    session: Session,
    slice: number,
    call: ICall
  ): Promise<Result<'sam.embed'> & { values: Float32Array }> {
    const entry = await this.embed(session, slice, call);
    const file = new TileFile(entry.array, 'r');
    try {
      return { ...entry, values: new Float32Array(file.readBytes(slice * EMBEDDING_BYTES, EMBEDDING_BYTES).buffer) };
    } finally {
      file.close();
    }
  }

  /** SAM's three masks at the points, as bytes. */
  async suggest(
    session: Session,
    params: Params<'sam.suggest'>,
    call: ICall
  ): Promise<{ masks: Uint8Array; shape: number[]; scores: number[] }> {
    const [, rows, columns] = session.record.image.shape;
    const outside = params.points.find(
      ({ row, column }) => !(row >= -0.5 && row < rows && column >= -0.5 && column < columns)
    );
    if (outside) {
      throw new BridgeError(
        'invalid',
        `The point (${outside.row}, ${outside.column}) is outside the image of ${rows} × ${columns} pixels.`
      );
    }
    const { values } = await this.embedding(session, params.slice, call);
    const context: IJobContext = { signal: call.signal, progress: () => undefined };
    const { masks, scores } = await this._options.sam.suggest(values, { rows, columns }, params.points, context);
    return { masks, shape: [3, rows, columns], scores };
  }

  /** The feature stack of a slice, in the session's array. */
  async features(session: Session, params: Params<'features'>, call: ICall): Promise<Result<'features'>> {
    const { engine, store, jobs } = this._options;
    session.checkSlice(params.slice);
    const { image } = session;
    const spec = this.classifiers.spec(session, params.features);
    const names = engine.featureNames(spec, session.record.image.shape[3]);
    const of = JSON.stringify([params.slice, spec]);
    const generation = session.generation;
    const held = session.array('features');
    if (held && session.record.featuresOf === of) {
      return { names, array: held };
    }
    const description = {
      key: `features/${session.id}/${generation}/${of}`,
      id: call.id,
      session: session.id,
      kind: 'features' as const
    };
    const array = await jobs.run(description, call.signal, async context => {
      const [, rows, columns] = session.record.image.shape;
      const out = await store.allocate(session.arrays, 'features', 'float32', [rows, columns, names.length]);
      try {
        const embedding =
          spec.embedding && (await this.embeddings.of(session, spec.embedding, undefined, context, params.slice));
        const shape = [1, ...out.shape];
        await engine.features(image, params.slice, spec, { ...out, shape }, context, embedding ?? undefined);
        if (generation !== session.generation) {
          throw new BridgeError('cancelled', 'The image was replaced meanwhile.');
        }
      } catch (error) {
        await store.remove(out);
        throw error;
      }
      await session.replaceArray('features', out);
      await session.tookFeatures(of);
      return session.array('features')!;
    });
    return { names, array };
  }

  /** Tiles of one feature as bytes. */
  async featureTiles(
    session: Session,
    params: Params<'feature.tiles'>,
    signal: AbortSignal
  ): ReturnType<IEngineService['featureTiles']> {
    session.checkSlice(params.slice);
    const { slice, channel, tiles } = params;
    const { engine } = this._options;
    const whole = this.classifiers.spec(session, params.features);
    const context: IJobContext = { signal, progress: () => undefined };
    const { digest: cacheKey, shape } = session.record.image;
    // What the families give does not wait for SAM.
    const spec = channel < familyNames(whole, shape[3]).length ? withoutEmbedding(whole) : whole;
    const embedding = spec.embedding && (await this.embeddings.of(session, spec.embedding, undefined, context, slice));
    const request = { image: session.image, slice, spec, channel, tiles, cacheKey, ...(embedding && { embedding }) };
    return engine.featureTiles(request, context);
  }

  /** Apply a classifier to another image; the result goes into `out`. */
  async apply(
    classifier: Uint8Array,
    image: ArrayDescriptor,
    out: ArrayDescriptor,
    output: 'labels' | 'probabilities',
    signal: AbortSignal
  ): Promise<void> {
    const context: IJobContext = { signal, progress: () => undefined };
    const arrays = output === 'labels' ? { prediction: out } : { probabilities: out };
    const embedding = await this._embeddingOf(classifier, image);
    for (let slice = 0; slice < image.shape[0]!; slice++) {
      signal.throwIfAborted();
      const request = { classifier, image, slice, out: arrays, ...(embedding && { embedding }) };
      await this._options.engine.apply(request, context);
    }
  }

  /**
   * The reduced embedding that a classifier sees of an image, as arrays that `make` makes.
   *
   * @returns one array [slices, components, rows, columns] for each layer; none if the classifier sees no embedding
   */
  async classifierEmbedding(
    classifier: Uint8Array,
    image: ArrayDescriptor,
    make: (shape: number[]) => Promise<{ staged: string; array: ArrayDescriptor }>,
    signal: AbortSignal
  ): Promise<Result<'classifier.embedding'>> {
    const embedding = await this._embeddingOf(classifier, image);
    const maps: Result<'classifier.embedding'>['maps'] = [];
    const slices = image.shape[0]!;
    for (let slice = 0; embedding && slice < slices; slice++) {
      signal.throwIfAborted();
      const layers = await embedding.slice(slice, { signal, progress: () => undefined });
      for (const [i, { data, components, rows, columns, cell }] of layers.entries()) {
        if (!maps[i]) {
          const name = embeddingInput(i, layers.length);
          maps[i] = { name, cell, ...(await make([slices, components, rows, columns])) };
        }
        const file = new TileFile(maps[i].array, 'r+');
        try {
          file.writeBytes(slice * data.byteLength, bytesOf(data));
        } finally {
          file.close();
        }
      }
    }
    return { maps };
  }

  /** What a classifier sees of a handed-over image besides its pixels; undefined for nothing. */
  private async _embeddingOf(classifier: Uint8Array, image: ArrayDescriptor): Promise<IImageEmbedding | undefined> {
    const { engine } = this._options;
    const basis = engine.basisOf(classifier);
    const spec = basis && engine.featureSpec(engine.describe(classifier).info.spec).embedding;
    if (!basis || !spec) {
      return undefined;
    }
    return this.embeddings.ofArray(image, await displayRange(image), undefined, spec, basis);
  }

  /**
   * One run of the encoder for both what SAM's decoder and what classifiers take, where the session's choice wants the same view of the image.
   * Returns as soon as the decoder's part is there.
   */
  private async _embedWithMaps(session: Session, slice: number, context: IJobContext): Promise<void> {
    const { embeddings } = this;
    const spec = embeddings.chosen(session);
    if (!spec || !embeddings.coversWhole(session, spec) || embeddings.ready(session, slice, spec)) {
      return;
    }
    let arrived!: () => void;
    const kept = new Promise<void>(resolve => (arrived = resolve));
    const waiting = { session, slice, arrived };
    this._waiting.add(waiting);
    const reducing = embeddings
      .of(session, spec, undefined, context, slice)
      .then(async image => void (await image.slice(slice, context)));
    reducing.catch(() => undefined);
    try {
      await Promise.race([kept, reducing]);
    } catch (thrown) {
      const error = BridgeError.from(thrown);
      if (context.signal.aborted || error.code === 'cancelled' || error.code === 'compute') {
        throw error;
      }
      // The layers may be at fault; the embedding alone may be had all the same.
    } finally {
      this._waiting.delete(waiting);
    }
  }

  /** Take an embedding over that came along with a reduction. */
  private async _keep(session: Session, slice: number, whole: IWholeEmbedding): Promise<void> {
    if (!session.record.embeddings[slice] || !session.array('embedding')) {
      await this._take(session, session.generation, slice, whole);
    }
    this._waiting.forEach(waiting => {
      if (waiting.session === session && waiting.slice === slice) {
        waiting.arrived();
      }
    });
  }

  private async _take(session: Session, generation: number, slice: number, whole: IWholeEmbedding): Promise<void> {
    const checkImage = () => {
      if (generation !== session.generation) {
        throw new BridgeError('cancelled', 'The image was replaced meanwhile.');
      }
    };
    checkImage();
    const array = await this._embeddingArray(session);
    checkImage();
    const file = new TileFile(array, 'r+');
    try {
      file.writeBytes(slice * EMBEDDING_BYTES, bytesOf(whole.embedding));
    } finally {
      file.close();
    }
    const { device, seconds } = whole;
    await session.tookEmbedding(slice, { device, seconds });
  }

  private _embeddingArray(session: Session): Promise<ArrayDescriptor> {
    // Two slices may be ready at once; they share the making of the array.
    let making = this._makingEmbedding.get(session);
    if (!making) {
      making = this._makeEmbedding(session).finally(() => this._makingEmbedding.delete(session));
      this._makingEmbedding.set(session, making);
    }
    return making;
  }

  private async _makeEmbedding(session: Session): Promise<ArrayDescriptor> {
    const found = session.array('embedding');
    if (found) {
      return found;
    }
    const [slices] = session.record.image.shape;
    const shape = [slices, ...EMBEDDING];
    const sparse = slices > SPARSE_SLICES;
    const array = await this._options.store.allocate(session.arrays, 'embedding', 'float32', shape, sparse);
    await session.replaceArray('embedding', array);
    return session.array('embedding')!;
  }

  /** Embeddings that are being written into their sessions' arrays. */
  private readonly _keeping = new Set<Promise<void>>();
  /** Those who wait for an embedding to come along. */
  private readonly _waiting = new Set<{ session: Session; slice: number; arrived(): void }>();
  private readonly _makingEmbedding = new Map<Session, Promise<ArrayDescriptor>>();
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
