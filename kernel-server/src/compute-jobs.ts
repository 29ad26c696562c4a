/** What takes long: embeddings, suggestions, features, classifiers for other images. Classifiers of sessions are next door. */
import { BridgeError } from '../../src/kernel-bridge/errors';
import { ArrayDescriptor, Params, Result } from '../../src/kernel-bridge/protocol';
import { ArrayStore } from './array-store';
import { ClassifierJobs } from './classifier-jobs';
import { ICall } from './dispatcher';
import { IEngineService, IJobContext, ISamService } from './interfaces';
import { Jobs } from './jobs';
import { Session } from './session';
import { TileFile } from './tile-file';

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
    this.classifiers = new ClassifierJobs(_options);
  }

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
      const { image } = session;
      const generation = session.generation;
      const description = {
        key: `embed/${session.id}/${slice}/${generation}`,
        id: call.id,
        session: session.id,
        kind: 'embed' as const
      };
      await this._options.jobs.run(description, call.signal, async context => {
        const { embedding, device, seconds } = await this._options.sam.embed(
          image,
          session.record.image.display,
          slice,
          context
        );
        if (generation !== session.generation) {
          throw new BridgeError('cancelled', 'The image was replaced meanwhile.');
        }
        const file = new TileFile(await this._embeddingArray(session), 'r+');
        try {
          file.writeBytes(slice * EMBEDDING_BYTES, bytesOf(embedding));
        } finally {
          file.close();
        }
        await session.tookEmbedding(slice, { device, seconds });
      });
    }
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
        await engine.features(image, params.slice, spec, { ...out, shape: [1, ...out.shape] }, context);
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
    const spec = this.classifiers.spec(session, params.features);
    const context: IJobContext = { signal, progress: () => undefined };
    const cacheKey = session.record.image.digest;
    return this._options.engine.featureTiles({ image: session.image, slice, spec, channel, tiles, cacheKey }, context);
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
    for (let slice = 0; slice < image.shape[0]!; slice++) {
      signal.throwIfAborted();
      await this._options.engine.apply({ classifier, image, slice, out: arrays }, context);
    }
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

  private readonly _makingEmbedding = new Map<Session, Promise<ArrayDescriptor>>();
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
