/** Long work that needs SAM or the engine but no training: suggestions, feature stacks, classifiers for handed-over images. */
import { embeddingInput } from '../../../engine/onnx/embedding';
import { BridgeError } from '../../../src/shared/errors';
import { familyNames, withoutEmbedding } from '../../../src/shared/features';
import { ArrayDescriptor, Params, Result } from '../../../src/shared/protocol';
import { Rect } from '../../../src/shared/rect';
import { isSameRegion, rectOf } from '../../../src/shared/region';
import { connectedObjects, drawnObjects, IDrawnObject } from '../../../src/sam';
import { ArrayStore } from '../arrays/array-store';
import { displayRange } from '../arrays/display-range';
import { TileFile } from '../arrays/tile-file';
import { IJobContext } from '../jobs/job-context';
import { IEngineService, IImageMaps, IPromptServices, ISamService } from '../jobs/services';
import { Jobs } from '../jobs/jobs';
import type { EncoderResults } from '../sam/encoder-results';
import { SliceEmbeddings } from '../sam/slice-embeddings';
import { Session } from '../session/session';
import { ICall } from '../transport/dispatcher';
import { Peers } from '../transport/peers';
import { ClassifierJobs } from './classifier-jobs';

/** What the jobs work with. */
export interface IComputeOptions {
  engine: IEngineService;
  sam: ISamService;
  /** The models that suggest; undefined: `sam` alone. */
  models?: IPromptServices | undefined;
  store: ArrayStore;
  jobs: Jobs;
  peers: Peers;
  /** Results of the encoder on disk; undefined: none are kept. */
  kept?: EncoderResults | undefined;
}

export class ComputeJobs {
  constructor(private readonly _options: IComputeOptions) {
    this.embeddings = new SliceEmbeddings(_options);
    this.classifiers = new ClassifierJobs({ ..._options, embeddings: this.embeddings });
  }

  readonly embeddings: SliceEmbeddings;
  readonly classifiers: ClassifierJobs;

  /** SAM's three masks at the points, as bytes. */
  async suggest(
    session: Session,
    params: Params<'sam.suggest'>,
    call: ICall
  ): Promise<{ masks: Uint8Array; shape: number[]; scores: number[] }> {
    const [, rows, columns] = session.record.image.shape;
    const { region } = session.record;
    const { window, slice } = params;
    const part = window ?? rectOf(region, session.record.image.shape);
    const outside = params.points.find(
      ({ row, column }) =>
        !(row >= part.row0 - 0.5 && row < part.row1 && column >= part.column0 - 0.5 && column < part.column1)
    );
    if (outside) {
      throw new BridgeError(
        'invalid',
        window || region
          ? `The point (${outside.row}, ${outside.column}) is outside the ${window ? 'window' : 'region that is worked on'}, rows ${part.row0} to ${part.row1} and columns ${part.column0} to ${part.column1}.`
          : `The point (${outside.row}, ${outside.column}) is outside the image of ${rows} × ${columns} pixels.`
      );
    }
    const { embedding } = await (window
      ? this.embeddings.window(session, slice, window, call)
      : this.embeddings.whole(session, slice, call));
    const context: IJobContext = { signal: call.signal, progress: () => undefined };
    const size = { rows: part.row1 - part.row0, columns: part.column1 - part.column0 };
    const points = params.points.map(({ row, column, label }) => ({
      row: row - part.row0,
      column: column - part.column0,
      label
    }));
    const sam = await this._samOf(session);
    const { masks, scores } = await sam.suggest(embedding, size, points, context);
    return { masks: window || region ? placed(masks, part, rows, columns) : masks, shape: [3, rows, columns], scores };
  }

  /** The objects of an array, uint16 [rows, columns] of the image, as SAM draws them; those outside of the region that is worked on stay away. */
  async drawObjects(
    session: Session,
    slice: number,
    given: ArrayDescriptor,
    connected: boolean,
    call: ICall
  ): Promise<{ objects: Uint16Array; shape: number[]; numbers: number[]; scores: number[]; overlaps: number[] }> {
    const [, rows, columns] = session.record.image.shape;
    if (given.dtype !== 'uint16' || given.shape.join() !== [rows, columns].join()) {
      throw new BridgeError(
        'invalid',
        `The objects are ${given.dtype} of shape [${given.shape.join(', ')}]; they must be uint16 of shape [${rows}, ${columns}].`
      );
    }
    const part = rectOf(session.record.region, session.record.image.shape);
    const size = { rows: part.row1 - part.row0, columns: part.column1 - part.column0 };
    const inside = cut(given, part, size);
    let numbered = inside;
    try {
      numbered = connected ? connectedObjects(inside, size) : inside;
    } catch (error) {
      throw new BridgeError('invalid', (error as Error).message);
    }
    if (!numbered.some(id => id > 0)) {
      throw new BridgeError('invalid', 'The array has no object where the image is worked on: all of it is 0.');
    }
    const { embedding } = await this.embeddings.whole(session, slice, call);
    const sam = await this._samOf(session);
    const description = {
      key: `draw/${session.id}/${call.id}`,
      id: call.id,
      session: session.id,
      kind: 'draw' as const
    };
    const drawn = await this._options.jobs.run(description, call.signal, async context => {
      const found: IDrawnObject[] = [];
      const quiet: IJobContext = { signal: context.signal, progress: () => undefined };
      for await (const each of drawnObjects({
        manifest: sam.manifest,
        size,
        objects: numbered,
        decode: prompts => sam.decode(embedding, size, prompts, quiet),
        signal: context.signal,
        progress: (done, total) => context.progress('drawing objects', done, total)
      })) {
        found.push(each);
      }
      return found;
    });
    const objects = new Uint16Array(rows * columns);
    for (const { id, pixels } of [...drawn].sort((a, b) => a.score - b.score)) {
      for (const pixel of pixels) {
        const [row, column] = [Math.floor(pixel / size.columns), pixel % size.columns];
        objects[(part.row0 + row) * columns + part.column0 + column] = id;
      }
    }
    return {
      objects,
      shape: [rows, columns],
      numbers: drawn.map(({ id }) => id),
      scores: drawn.map(({ score }) => score),
      overlaps: drawn.map(({ overlap }) => overlap)
    };
  }

  /** The feature stack of a slice, in the session's array. */
  async features(session: Session, params: Params<'features'>, call: ICall): Promise<Result<'features'>> {
    const { engine, store, jobs } = this._options;
    session.checkSlice(params.slice);
    const { image } = session;
    const spec = this.classifiers.spec(session, params.features);
    const names = engine.featureNames(spec, session.record.image.shape[3]);
    const { region } = session.record;
    const of = JSON.stringify([params.slice, spec, ...(region ? [region] : [])]);
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
    const expectSame = () => {
      if (generation !== session.generation || !isSameRegion(region, session.record.region)) {
        throw new BridgeError('cancelled', 'The image, or the region to work on, was replaced meanwhile.');
      }
    };
    const array = await jobs.run(description, call.signal, async context => {
      const [, rows, columns] = session.record.image.shape;
      const out = await store.allocate(session.arraysFolder, 'features', 'float32', [rows, columns, names.length]);
      try {
        const embedding =
          spec.embedding && (await this.embeddings.maps(session, spec.embedding, undefined, context, params.slice));
        expectSame(); // the maps are of the region that is worked on now
        const shape = [1, ...out.shape];
        await engine.features(image, params.slice, spec, { ...out, shape }, context, embedding ?? undefined, region);
        expectSame();
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

  /** Tiles of one feature, a byte per pixel. */
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
    // Channels of families do not need SAM.
    const spec = channel < familyNames(whole, shape[3]).length ? withoutEmbedding(whole) : whole;
    const embedding =
      spec.embedding && (await this.embeddings.maps(session, spec.embedding, undefined, context, slice));
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
   * The maps that a classifier takes of an image, written to arrays that `make` makes.
   *
   * @returns one array [slices, components, rows, columns] for each layer; none if the classifier takes no embedding
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

  /** The service of the model that suggests in a session. */
  private async _samOf(session: Session): Promise<ISamService> {
    return (await this._options.models?.of(session)) ?? this._options.sam;
  }

  /** The maps that a classifier takes of a handed-over image; undefined if it takes none. */
  private async _embeddingOf(classifier: Uint8Array, image: ArrayDescriptor): Promise<IImageMaps | undefined> {
    const { engine } = this._options;
    const basis = engine.basisOf(classifier);
    const spec = basis && engine.featureSpec(engine.describe(classifier).info.spec).embedding;
    if (!basis || !spec) {
      return undefined;
    }
    return this.embeddings.arrayMaps(image, await displayRange(image), undefined, spec, basis);
  }
}

/** Masks of a part of an image, [3, part's rows, part's columns], in the whole image. */
function placed(masks: Uint8Array, part: Rect, rows: number, columns: number): Uint8Array {
  const width = part.column1 - part.column0;
  const out = new Uint8Array(3 * rows * columns);
  for (let from = 0, line = 0; from < masks.length; from += width, line++) {
    const height = part.row1 - part.row0;
    const row = Math.floor(line / height) * rows + part.row0 + (line % height);
    out.set(masks.subarray(from, from + width), row * columns + part.column0);
  }
  return out;
}

/** A part of a uint16 array of [rows, columns]. */
function cut(array: ArrayDescriptor, { row0, column0 }: Rect, size: { rows: number; columns: number }): Uint16Array {
  const columns = array.shape[1]!;
  const file = new TileFile(array, 'r');
  try {
    const out = new Uint16Array(size.rows * size.columns);
    for (let row = 0; row < size.rows; row++) {
      const bytes = file.readBytes(2 * ((row0 + row) * columns + column0), 2 * size.columns);
      new Uint8Array(out.buffer).set(bytes, 2 * row * size.columns);
    }
    return out;
  } finally {
    file.close();
  }
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
