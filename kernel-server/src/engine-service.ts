/** The engine on the sidecar's worker threads: features, training and segmentation of shared arrays. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { BridgeError } from '../../src/kernel-bridge/errors';
import { FeatureSpec } from '../../src/kernel-bridge/features';
import { isBoosting, learnerParams } from '../../src/kernel-bridge/forest';
import {
  ArrayDescriptor,
  ClassifierFormat,
  ForestMeaning,
  LabelClass,
  LearnerParams
} from '../../src/kernel-bridge/protocol';
import * as engine from '../../engine';
import { ILabelledPixels, drawLabels } from './engine-labels';
import { expectRoom, growForest } from './engine-grow';
import { EnginePool } from './engine-pool';
import { FeaturePreviews } from './engine-preview';
import { ISegmentTask, IStoreTask } from './engine-tasks';
import { FeatureTiles, IFeatureSource, INamedCuts, nameCuts, tileSide, tilesOf } from './engine-tiles';
import { IDescribed, IEngineService, IJobContext, ISegmentationArrays, ITrained } from './interfaces';
import { sharedBytes } from './shared-memory';

/** A classifier that was read, in the forms in which it is used. */
interface ILoaded {
  job: number;
  bytes: Buffer;
  classifier: engine.IClassifier;
  cuts: INamedCuts;
  forest: engine.IPackedForest;
}

/** Quantised features that are kept. */
const CACHE_BYTES = 512 << 20;
/** Classifiers that stay read. */
const LOADED_MAX = 4;
/** Tasks for each thread and stage: enough for even loads and true progress. */
const TASKS_PER_THREAD = 8;

export class EngineService implements IEngineService {
  constructor(options: EngineService.IOptions = {}) {
    const threads = options.threads ?? Math.max(1, Math.min(availableParallelism(), 16));
    const script = options.script ?? join(__dirname, 'engine-worker.cjs');
    const wasm = options.wasm ?? join(__dirname, 'engine.wasm');
    for (const file of [script, wasm]) {
      if (!existsSync(file)) {
        throw new BridgeError('compute', `The engine's file ${file} is missing. Install sambalab again.`);
      }
    }
    this._compiled = engine.compileEngine(readFileSync(wasm));
    this._pool = new EnginePool({ threads, script, wasm });
    this._previews = new FeaturePreviews(this._pool);
    this._tiles = new FeatureTiles(this._pool, options.cacheBytes ?? CACHE_BYTES);
  }

  get threads(): number {
    return this._pool.threads;
  }

  /** Bytes of quantised features that are kept. */
  get cachedBytes(): number {
    return this._tiles.bytes;
  }

  featureSpec(partial?: object): FeatureSpec {
    return engine.featureSpec(partial);
  }

  forestParams(partial?: object): LearnerParams {
    return learnerParams(partial);
  }

  featureNames(spec: FeatureSpec, channels: number): string[] {
    return engine.featureNames(spec, channels);
  }

  async features(
    image: ArrayDescriptor,
    slice: number,
    spec: FeatureSpec,
    out: ArrayDescriptor,
    context: IJobContext
  ): Promise<void> {
    const { rows, columns, channels } = shapeOf(image, slice);
    const count = engine.featureNames(spec, channels).length;
    expectArray(out, 'float32', [1, rows, columns, count], 'The array for features');
    const tasks = tilesOf({ image }, slice, tileSide(count)).map(({ tile }): IStoreTask => ({
      kind: 'store',
      image,
      slice,
      tile,
      spec,
      out
    }));
    let done = 0;
    context.progress('features', 0, tasks.length);
    await this._pool.runAll(tasks, context.signal, () => context.progress('features', ++done, tasks.length));
  }

  async train(request: Parameters<IEngineService['train']>[0], context: IJobContext): Promise<ITrained> {
    const { classes, spec, others = [], pixelSize = null } = request;
    const { forest } = request;
    if (isBoosting(forest)) {
      throw new BridgeError('internal', 'Boosting is not there yet.');
    }
    const sources = [request, ...others];
    const { channels } = shapeOf(request.image, 0);
    for (const { image, labels } of sources) {
      const { slices, rows, columns, ...its } = shapeOf(image, 0);
      expectArray(labels, 'uint8', [slices, rows, columns], 'The label array');
      if (its.channels !== channels) {
        throw new BridgeError('invalid', `One image has ${channels} channels, another ${its.channels}.`);
      }
    }
    const names = engine.featureNames(spec, channels);
    const pixels = await drawLabels(
      sources.map(({ labels }) => labels),
      classes,
      forest.maxSamples,
      context.signal,
      total => expectRoom(total, names.length, classes.length, forest)
    );
    context.progress('features', 0, 1);
    const cuts = await this._tiles.cuts(sources, spec, context);
    const set = await this._trainingSet(sources, spec, cuts, pixels, classes.length, context);
    const { trees, importance, outOfBag } = await growForest(this._pool, this._jobs++, set, forest, context);
    const classifier: engine.IClassifier = {
      features: spec,
      channels: channels as 1 | 3,
      names,
      classes,
      pixelSize,
      cuts: engine.Cuts.fromPadded(cuts.padded),
      forest,
      samples: pixels.classOf.length,
      oobScore: engine.outOfBagScore(outOfBag, pixels.classOf, classes.length),
      importance,
      trees
    };
    const json = engine.encodeClassifier(classifier);
    // It is about to be applied; reading it again would find the same.
    this._remember(json, classifier, cuts);
    return {
      json,
      oobScore: classifier.oobScore,
      importance: classifier.importance,
      scores: null,
      featureNames: names,
      trees: forest.trees,
      samples: classifier.samples
    };
  }

  async featureTiles(
    request: Parameters<IEngineService['featureTiles']>[0],
    context: IJobContext
  ): ReturnType<IEngineService['featureTiles']> {
    shapeOf(request.image, request.slice);
    return this._previews.tiles(request, context);
  }

  describe(json: Uint8Array): IDescribed {
    const { classifier } = this._load(json);
    const { classes, channels, names, features, forest, samples, oobScore, importance, trees } = classifier;
    const info = {
      oobScore,
      classes,
      features: names,
      trees: trees.counts.length,
      samples,
      spec: { ...features },
      forest,
      importance
    };
    return { info, channels };
  }

  convert(classifier: Uint8Array, format: ClassifierFormat): Uint8Array {
    return engine.convertClassifier(classifier, format);
  }

  read(file: Uint8Array, meaning?: ForestMeaning): Uint8Array {
    return engine.readClassifier(file, meaning);
  }

  basisOf(): engine.IEmbeddingBasis | null {
    return null;
  }

  classesOf(classifier: Uint8Array): LabelClass[] {
    return this._load(classifier).classifier.classes;
  }

  async apply(request: Parameters<IEngineService['apply']>[0], context: IJobContext): Promise<void> {
    const { image, slice, out, cacheKey } = request;
    const { job, classifier, cuts, forest } = this._load(request.classifier);
    const { slices, rows, columns, channels } = shapeOf(image, slice);
    if (channels !== classifier.channels) {
      throw new BridgeError(
        'invalid',
        `The image has ${channels} channels, the classifier was trained on images with ${classifier.channels}.`
      );
    }
    expectOutputs(out, [slices, rows, columns], classifier.classes.length);
    const ids = Uint8Array.from(classifier.classes, ({ id }) => id);
    const { features: spec } = classifier;
    const source: IFeatureSource = { image, cacheKey };
    const tiles = tilesOf(source, slice, tileSide(forest.features));
    let done = 0;
    context.progress('segmenting', 0, tiles.length);
    // A few at a time: what was found in the cache for them stays in memory until it is used.
    const batch = this.threads * TASKS_PER_THREAD;
    for (let first = 0; first < tiles.length; first += batch) {
      const part = tiles.slice(first, first + batch);
      const tasks = part.map((placed): ISegmentTask => {
        const found = this._tiles.find(spec, cuts, placed, false);
        const bytes = engine.planeFloats(placed.tile, forest.features);
        const kept = !found && cacheKey !== undefined && this._tiles.room(bytes, cuts, false);
        return {
          kind: 'segment',
          job,
          image,
          slice,
          tile: placed.tile,
          spec,
          padded: cuts.padded,
          ...(found && { blocks: found }),
          ...(kept && { blocks: sharedBytes(bytes) }),
          ready: found !== undefined,
          forest,
          ids,
          out
        };
      });
      await this._pool.runAll(tasks, context.signal, (_, i) => {
        const { blocks, ready } = tasks[i]!;
        if (blocks && !ready) {
          this._tiles.keep(spec, cuts, part[i]!, blocks, false);
        }
        context.progress('segmenting', ++done, tiles.length);
      });
    }
  }

  async dispose(): Promise<void> {
    await this._pool.dispose();
  }

  /** The bins of the labelled pixels. */
  private async _trainingSet(
    sources: readonly IFeatureSource[],
    spec: FeatureSpec,
    cuts: INamedCuts,
    pixels: ILabelledPixels,
    classes: number,
    context: IJobContext
  ): Promise<engine.ITrainingSet> {
    const features = cuts.padded.length / 256;
    const count = pixels.classOf.length;
    const columns = sharedBytes(features * count);
    const classOf = sharedBytes(count);
    classOf.set(pixels.classOf);
    // Labelled pixels of each tile, and where its slice is.
    const side = tileSide(features);
    const places = sources.flatMap(source =>
      Array.from({ length: source.image.shape[0]! }, (_, slice) => ({ source, slice }))
    );
    const members = new Map<number, Map<number, number[]>>();
    for (let i = 0; i < count; i++) {
      const place = pixels.slice[i]!;
      const across = Math.ceil(places[place]!.source.image.shape[2]! / side);
      const number = Math.floor(pixels.row[i]! / side) * across + Math.floor(pixels.column[i]! / side);
      let inSlice = members.get(place);
      if (!inSlice) {
        members.set(place, (inSlice = new Map()));
      }
      const list = inSlice.get(number);
      if (list) {
        list.push(i);
      } else {
        inSlice.set(number, [i]);
      }
    }
    const tiles = [...members].flatMap(([place, inSlice]) => {
      const { source, slice } = places[place]!;
      const grid = tilesOf(source, slice, side);
      return [...inSlice].map(([number, list]) => ({ ...grid[number]!, list }));
    });
    await this._tiles.each(spec, cuts, tiles, context, (placed, blocks) => {
      const { tile, list } = placed as (typeof tiles)[number];
      const across = engine.blocksOf(tile).columns;
      for (const i of list) {
        const row = pixels.row[i]! - tile.row0;
        const column = pixels.column[i]! - tile.column0;
        const block = (row >> 2) * across + (column >> 2);
        let from = block * features * 16 + (row & 3) * 4 + (column & 3);
        for (let feature = 0; feature < features; feature++) {
          columns[feature * count + i] = blocks[from]!;
          from += 16;
        }
      }
    });
    return { columns, classOf, features, classes };
  }

  private _load(json: Uint8Array): ILoaded {
    const known = this._loaded.find(({ bytes }) => bytes.equals(json));
    if (known) {
      return known;
    }
    const classifier = engine.decodeClassifier(json);
    return this._remember(json, classifier, nameCuts(classifier.cuts));
  }

  private _remember(json: Uint8Array, classifier: engine.IClassifier, cuts: INamedCuts): ILoaded {
    const { trees, names, classes } = classifier;
    const forest = engine.packForest(new engine.Engine(this._compiled), trees, names.length, classes.length);
    const loaded: ILoaded = { job: this._jobs++, bytes: Buffer.from(json), classifier, cuts, forest };
    this._loaded.unshift(loaded);
    this._loaded.splice(LOADED_MAX);
    return loaded;
  }

  private readonly _compiled: WebAssembly.Module;
  private readonly _pool: EnginePool;
  private readonly _tiles: FeatureTiles;
  private readonly _previews: FeaturePreviews;
  private readonly _loaded: ILoaded[] = [];
  private _jobs = 0;
}

/** The namespace for {@link EngineService}. */
export namespace EngineService {
  export interface IOptions {
    /** Default: one for each core, 16 at most. */
    threads?: number;
    /** Path of the bundled `engine-worker.cjs`; default: beside this bundle. */
    script?: string;
    /** Path of `engine.wasm`; default: beside this bundle. */
    wasm?: string;
    /** Quantised features that are kept at most; default 512 MiB. */
    cacheBytes?: number;
  }
}

function shapeOf(image: ArrayDescriptor, slice: number) {
  const [slices, rows, columns, channels = 1] = image.shape;
  if (!slices || !rows || !columns || (channels !== 1 && channels !== 3)) {
    throw new BridgeError(
      'invalid',
      `The image has shape [${image.shape.join(', ')}]; it must be [slices, rows, columns, channels] with 1 or 3 channels and no side 0.`
    );
  }
  if (!Number.isInteger(slice) || slice < 0 || slice >= slices) {
    throw new BridgeError('invalid', `There is no slice ${slice}; the image has ${slices}, counted from 0.`);
  }
  return { slices, rows, columns, channels };
}

function expectArray(array: ArrayDescriptor, dtype: string, shape: number[], what: string): void {
  if (array.dtype !== dtype || array.shape.length !== shape.length || array.shape.some((n, i) => n !== shape[i])) {
    throw new BridgeError(
      'invalid',
      `${what} is ${array.dtype} [${array.shape.join(', ')}]; it must be ${dtype} [${shape.join(', ')}].`
    );
  }
}

function expectOutputs(out: ISegmentationArrays, shape: number[], classes: number): void {
  if (out.prediction) {
    expectArray(out.prediction, 'uint8', shape, 'The array for the segmentation');
  }
  if (out.probabilities) {
    expectArray(out.probabilities, 'float32', [...shape, classes], 'The array for probabilities');
  }
  if (out.uncertainty) {
    expectArray(out.uncertainty, 'float32', shape, 'The array for the uncertainty');
  }
}
