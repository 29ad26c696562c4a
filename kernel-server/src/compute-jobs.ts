/** What takes long: embeddings, suggestions, training, features, classifiers for other images. Each is a job with progress. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BridgeError } from '../../src/kernel-bridge/errors';
import { withRange } from '../../src/kernel-bridge/features';
import { ArrayDescriptor, ClassifierInfo, Params, Result } from '../../src/kernel-bridge/protocol';
import { ArrayStore } from './array-store';
import { ICall } from './dispatcher';
import { explainFull, isMissing, writeAtomically } from './files';
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
  constructor(private readonly _options: IComputeOptions) {}

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

  /** Grow a forest on the labels and segment every slice. */
  async train(session: Session, params: Params<'train'>, call: ICall): Promise<void> {
    const description = {
      key: `train/${session.id}/${call.id}`,
      id: call.id,
      session: session.id,
      kind: 'train' as const
    };
    await this._options.jobs.run(description, call.signal, context =>
      session.training.run(context.signal, () => this._train(session, params, context))
    );
  }

  /** The feature stack of a slice, in the session's array. */
  async features(session: Session, params: Params<'features'>, call: ICall): Promise<Result<'features'>> {
    const { engine, store, jobs } = this._options;
    session.checkSlice(params.slice);
    const { image } = session;
    const spec = withRange(engine.featureSpec(params.features), session.record.image);
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

  /** The classifier of a session: what it is, and its JSON. */
  async classifier(session: Session): Promise<{ info: ClassifierInfo; json: Uint8Array }> {
    const info = session.record.classifier;
    if (info) {
      try {
        return { info, json: await readFile(classifierPath(session)) };
      } catch (error) {
        if (!isMissing(error)) {
          throw error;
        }
      }
    }
    throw new BridgeError('not-ready', 'There is no classifier yet. Label a few pixels of two classes and train.');
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

  private async _train(session: Session, params: Params<'train'>, context: IJobContext): Promise<void> {
    const { engine, store } = this._options;
    const { image, labels, generation } = session;
    const { classes } = session.record;
    const cacheKey = session.record.image.digest;
    const labelled = classes.filter(({ id }) => labels.count(id) > 0);
    if (labelled.length < 2) {
      const have = labelled.length
        ? `Only class ${labelled[0]!.id} (${labelled[0]!.name}) has labels`
        : 'There are no labels';
      throw new BridgeError('not-ready', `${have}. Label a few pixels of at least two classes, then train.`);
    }
    const spec = withRange(engine.featureSpec(params.features), session.record.image);
    const forest = engine.forestParams(params.forest);
    const labelsVersion = labels.version;
    const start = performance.now();
    await labels.exclusive(async () => undefined); // what was acknowledged is in the array
    const trained = await engine.train({ image, labels: labels.array, classes, spec, forest, cacheKey }, context);
    const trainedClasses = engine.classesOf(trained.json);
    const shape = labels.array.shape;
    const made: ArrayDescriptor[] = [];
    const make = async (name: string, dtype: 'uint8' | 'float32', size: number[]) => {
      const array = await store.allocate(session.arrays, name, dtype, size);
      made.push(array);
      return array;
    };
    try {
      const out = {
        prediction: await make('prediction', 'uint8', shape),
        probabilities: await make('probabilities', 'float32', [...shape, trainedClasses.length]),
        uncertainty: await make('uncertainty', 'float32', shape)
      };
      const slices = shape[0]!;
      for (let slice = 0; slice < slices; slice++) {
        context.signal.throwIfAborted();
        await engine.apply(
          { classifier: trained.json, image, slice, out, cacheKey },
          {
            signal: context.signal,
            progress: (stage, done, total, message) =>
              context.progress(stage, slice + (total > 0 ? done / total : 0), slices, message)
          }
        );
      }
      context.signal.throwIfAborted();
      await writeAtomically(classifierPath(session), trained.json).catch(async error => {
        throw await explainFull(error, classifierPath(session), trained.json.byteLength);
      });
      const info: ClassifierInfo = {
        oobScore: trained.oobScore,
        classes: trainedClasses,
        features: trained.featureNames,
        trees: trained.trees,
        samples: trained.samples,
        labelsVersion,
        seconds: (performance.now() - start) / 1000
      };
      await session.takeSegmentation(out, info, generation);
    } catch (error) {
      const taken = new Set(Object.values(session.record.arrays).map(array => array.path));
      await store.remove(...made.filter(array => !taken.has(array.path)));
      throw error;
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

function classifierPath(session: Session): string {
  return join(session.folder, 'classifier.json');
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
