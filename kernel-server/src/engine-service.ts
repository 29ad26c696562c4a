/** The engine on the sidecar's worker threads: features, training and segmentation of shared arrays. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { BridgeError } from '../../src/kernel-bridge/errors';
import { FeatureSpec } from '../../src/kernel-bridge/features';
import { ArrayDescriptor, ClassifierFormat, ForestParams, LabelClass } from '../../src/kernel-bridge/protocol';
import * as engine from '../../engine';
import { ILabelledPixels, drawLabels } from './engine-labels';
import { EnginePool } from './engine-pool';
import { FeaturePreviews } from './engine-preview';
import { IGrowTask, ISegmentTask, IStoreTask } from './engine-tasks';
import {
  FEATURE_TILE,
  FeatureTiles,
  IFeatureSource,
  INamedCuts,
  IPlacedTile,
  nameCuts,
  sharedBytes,
  tilesOf
} from './engine-tiles';
import { IDescribed, IEngineService, IJobContext, ISegmentationArrays, ITrained } from './interfaces';

/** A classifier that was read, in the forms in which it is used. */
interface ILoaded {
  job: number;
  bytes: Buffer;
  classifier: engine.IClassifier;
  cuts: INamedCuts;
  forest: engine.IPackedForest;
}

/** Classifiers that stay read. */
const LOADED_MAX = 4;
/** Tasks for each thread and stage: enough for even loads and true progress. */
const TASKS_PER_THREAD = 8;
/** Trees that a task grows at most: a thread finishes its task although the job was cancelled. */
const TREES_PER_TASK = 16;

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
    this._tiles = new FeatureTiles(this._pool, options.cacheBytes ?? 1 << 30);
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

  forestParams(partial?: object): ForestParams {
    return engine.forestParams(partial);
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
    const tasks = tilesOf(rows, columns, slice).map(({ tile }): IStoreTask => ({
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
    const { image, labels, classes, spec, forest } = request;
    const { slices, rows, columns, channels } = shapeOf(image, 0);
    expectArray(labels, 'uint8', [slices, rows, columns], 'The label array');
    const pixels = await drawLabels(labels, classes, forest.maxSamples, context.signal);
    context.progress('features', 0, 1);
    const cuts = await this._tiles.cuts(request, context);
    const names = engine.featureNames(spec, channels);
    const set = await this._trainingSet(request, cuts, pixels, names.length, classes.length, context);
    const { trees, importance, outOfBag } = await this._grow(set, forest, context);
    const classifier: engine.IClassifier = {
      features: spec,
      channels: channels as 1 | 3,
      names,
      classes,
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
    return {
      oobScore,
      classes,
      channels,
      features: names,
      trees: trees.counts.length,
      samples,
      spec: { ...features },
      forest,
      importance
    };
  }

  convert(classifier: Uint8Array, format: ClassifierFormat): Uint8Array {
    engine.decodeClassifier(classifier);
    if (format !== 'json') {
      throw new BridgeError('invalid', `A classifier cannot be written as ${format}; json will do.`);
    }
    return classifier;
  }

  read(file: Uint8Array): Uint8Array {
    return engine.encodeClassifier(engine.decodeClassifier(file));
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
    const tiles = tilesOf(rows, columns, slice);
    const key = (placed: IPlacedTile) =>
      cacheKey === undefined
        ? undefined
        : this._tiles.keyOf({ cacheKey, spec: classifier.features }, cuts.name, placed);
    let done = 0;
    context.progress('segmenting', 0, tiles.length);
    // A few at a time: bins that nobody keeps should not pile up.
    const batch = this.threads * TASKS_PER_THREAD;
    for (let first = 0; first < tiles.length; first += batch) {
      const part = tiles.slice(first, first + batch);
      const tasks = part.map((placed): ISegmentTask => {
        const name = key(placed);
        const found = name === undefined ? undefined : this._tiles.find(name);
        return {
          kind: 'segment',
          job,
          image,
          slice,
          tile: placed.tile,
          spec: classifier.features,
          padded: cuts.padded,
          blocks: found ?? sharedBytes(engine.planeFloats(placed.tile, forest.features)),
          ready: found !== undefined,
          forest,
          ids,
          out
        };
      });
      await this._pool.runAll(tasks, context.signal, (_, i) => {
        const name = key(part[i]!);
        if (name !== undefined && !tasks[i]!.ready) {
          this._tiles.keep(name, tasks[i]!.blocks);
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
    source: IFeatureSource,
    cuts: INamedCuts,
    pixels: ILabelledPixels,
    features: number,
    classes: number,
    context: IJobContext
  ): Promise<engine.ITrainingSet> {
    const count = pixels.classOf.length;
    const columns = sharedBytes(features * count);
    const classOf = sharedBytes(count);
    classOf.set(pixels.classOf);
    const [, rows, imageColumns] = source.image.shape as [number, number, number];
    const perSlice = tilesOf(rows, imageColumns, 0);
    const tileColumns = Math.ceil(imageColumns / FEATURE_TILE);
    const members = new Map<number, number[]>();
    for (let i = 0; i < count; i++) {
      const tileRow = Math.floor(pixels.row[i]! / FEATURE_TILE);
      const number = tileRow * tileColumns + Math.floor(pixels.column[i]! / FEATURE_TILE);
      const tile = pixels.slice[i]! * perSlice.length + number;
      const list = members.get(tile);
      if (list) {
        list.push(i);
      } else {
        members.set(tile, [i]);
      }
    }
    const tiles = [...members.entries()].map(([number, list]) => ({
      ...perSlice[number % perSlice.length]!,
      slice: Math.floor(number / perSlice.length),
      list
    }));
    await this._tiles.each(source, cuts, tiles, context, (placed, blocks) => {
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

  private async _grow(
    set: engine.ITrainingSet,
    forest: ForestParams,
    context: IJobContext
  ): Promise<{ trees: engine.ITrees; importance: number[]; outOfBag: Uint32Array }> {
    const job = this._jobs++;
    const group = Math.min(TREES_PER_TASK, Math.ceil(forest.trees / (this.threads * TASKS_PER_THREAD)));
    const tasks = Array.from({ length: Math.ceil(forest.trees / group) }, (_, i): IGrowTask => {
      const first = i * group;
      return { kind: 'grow', job, set, options: forest, first, end: Math.min(forest.trees, first + group) };
    });
    const parts: engine.ITrees[] = [];
    const importance = new Float64Array(forest.trees * set.features);
    const outOfBag = new Uint32Array(set.classOf.length * set.classes);
    let done = 0;
    context.progress('growing trees', 0, forest.trees);
    await this._pool.runAll(tasks, context.signal, (result, i) => {
      parts[i] = result.trees;
      importance.set(result.importance, tasks[i]!.first * set.features);
      for (let k = 0; k < outOfBag.length; k++) {
        outOfBag[k]! += result.outOfBag[k]!;
      }
      done += tasks[i]!.end - tasks[i]!.first;
      context.progress('growing trees', done, forest.trees);
    });
    return {
      trees: engine.joinTrees(parts, set.classes),
      importance: engine.forestImportance(importance, set.features),
      outOfBag
    };
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
    /** Quantised features that are kept at most; default 1 GiB. */
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
