/** The engine on the sidecar's worker threads: features, training and segmentation of shared arrays. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import { FeatureSpec } from '../../../src/shared/features';
import { isBoosting, learnerParams, LearnerParams } from '../../../src/shared/learners';
import { Lru } from '../../../src/shared/lru';
import { ArrayDescriptor, ForestMeaning, LabelClass, TrainedOn } from '../../../src/shared/protocol';
import { areaOf, overlapArea, overlaps, Rect } from '../../../src/shared/rect';
import { OptionalRegion } from '../../../src/shared/region';
import * as engine from '../../../engine';
import { greyRange, GreyRange } from '../arrays/display-range';
import { expectArray, expectOutputs, shapeOf } from './array-checks';
import { drawLabels } from './labelled-pixels';
import { LoadedClassifiers } from './loaded-classifiers';
import { collectTrainingSet, labelledSlices } from './training-set';
import { expectRoom, growTrees } from './grow-trees';
import { EnginePool, together } from './pool';
import { FeaturePreviews } from './feature-previews';
import { IPhasesTask, IPiece, ISegmentPart, ISegmentTask, IStoreTask } from './tasks';
import {
  FeatureTiles,
  ICutPart,
  IFeatureSource,
  IPlacedTile,
  mapsOf,
  partsOf,
  sideOf,
  takenBy,
  tileSide,
  tilesOf
} from './feature-tiles';
import { Intensities } from './intensities';
import { IJobContext } from '../jobs/job-context';
import {
  AnyClassifier,
  ICleanRequest,
  IDescribed,
  IEngineService,
  IGap,
  IImageMaps,
  IPhasesRequest,
  ITrained
} from '../jobs/services';
import { basisKey } from '../base/basis-key';
import { sharedBytes } from '../base/shared-memory';

/** Default size of the cache of quantised features. */
const CACHE_BYTES = 512 << 20;
/** Images whose grey range is cached. */
const RANGES_MAX = 256;
/** Tasks per thread in a batch: enough to load the threads evenly and to report progress often. */
const TASKS_PER_THREAD = 8;
/** Pixels that one task counts by class. */
const PHASE_PIXELS = 4 << 20;

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
    const compiled = engine.compileEngine(readFileSync(wasm));
    this._classifiers = new LoadedClassifiers({ compiled, nextJob: () => this._jobs++ });
    this._pool = new EnginePool({ threads, script, wasm });
    this._intensities = new Intensities(this._pool);
    this._previews = new FeaturePreviews(this._pool, this._intensities);
    this._tiles = new FeatureTiles(this._pool, options.cacheBytes ?? CACHE_BYTES);
  }

  get threads(): number {
    return this._pool.threads;
  }

  /** Bytes of quantised features in the cache. */
  get cachedBytes(): number {
    return this._tiles.bytes;
  }

  featureSpec(partial?: object): FeatureSpec {
    return engine.featureSpec(partial);
  }

  learnerParams(partial?: object): LearnerParams {
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
    context: IJobContext,
    embedding?: IImageMaps,
    within: OptionalRegion = null
  ): Promise<void> {
    const { rows, columns, channels } = shapeOf(image, slice);
    const count = engine.featureNames(spec, channels).length;
    expectArray(out, 'float32', [1, rows, columns, count], 'The array for features');
    const source = await this._known({ image, embedding, within }, spec.standardise, context);
    const last = partsOf(spec, channels, embedding?.basis).at(-1)!;
    const maps = await mapsOf(last, source, slice, context);
    const tasks = tilesOf(source, slice, tileSide(count)).map(({ tile }): IStoreTask => ({
      kind: 'store',
      ...takenBy(source),
      slice,
      tile,
      spec,
      ...maps,
      out
    }));
    let done = 0;
    context.progress('features', 0, tasks.length);
    await this._pool.runAll(tasks, context.signal, () => context.progress('features', ++done, tasks.length));
  }

  async train(request: Parameters<IEngineService['train']>[0], context: IJobContext): Promise<ITrained> {
    const { classes, spec, forest, others = [], pixelSize = null } = request;
    const given = [request, ...others];
    const { channels } = shapeOf(request.image, 0);
    for (const { image, labels } of given) {
      const { slices, rows, columns, ...its } = shapeOf(image, 0);
      expectArray(labels, 'uint8', [slices, rows, columns], 'The label array');
      if (its.channels !== channels) {
        throw new BridgeError('invalid', `One image has ${channels} channels, another ${its.channels}.`);
      }
    }
    const basis = basisOfAll(given, spec);
    const parts = partsOf(spec, channels, basis);
    const names = engine.featureNames(spec, channels);
    const pixels = await drawLabels(
      given.map(({ labels }) => labels),
      classes,
      forest.maxSamples,
      context.signal,
      total => expectRoom(total, names.length, classes.length, forest),
      isBoosting(forest),
      given.map(({ within }) => within ?? null)
    );
    context.progress('features', 0, 1);
    const sources: IFeatureSource[] = [];
    for (const source of given) {
      sources.push(await this._known(source, spec.standardise, context));
    }
    const slices = sources.flatMap(source =>
      Array.from({ length: source.image.shape[0]! }, (_, slice) => ({ source, slice }))
    );
    const cut = await this._tiles.cut(sources, parts, labelledSlices(sources, slices, pixels), context);
    const set = await collectTrainingSet(this._tiles, slices, cut, pixels, classes.length, context);
    const grown = await growTrees(this._pool, () => this._jobs++, set, pixels.stroke, forest, context);
    const trainedOn = await this._pixelsOf(given);
    const classifier: engine.IClassifier = {
      features: spec,
      channels: channels as 1 | 3,
      names,
      classes,
      pixelSize,
      trainedOn,
      basis,
      cuts: new engine.Cuts(cut.flatMap(({ cuts }) => engine.Cuts.fromPadded(cuts.padded).features)),
      forest,
      samples: pixels.classOf.length,
      ...grown
    };
    // The caller applies the classifier next, so it stays loaded. Its JSON is written on first use.
    const loaded = this._classifiers.add(classifier, cut);
    const trained: ITrained = {
      get json() {
        return (loaded.bytes ??= Buffer.from(engine.encodeClassifier(classifier)));
      },
      oobScore: classifier.oobScore,
      importance: classifier.importance,
      scores: classifier.scores,
      featureNames: names,
      trees: classifier.trees.counts.length,
      samples: classifier.samples
    };
    this._classifiers.link(trained, loaded);
    return trained;
  }

  async featureTiles(
    request: Parameters<IEngineService['featureTiles']>[0],
    context: IJobContext
  ): ReturnType<IEngineService['featureTiles']> {
    shapeOf(request.image, request.slice);
    return this._previews.tiles(request, context);
  }

  describe(file: AnyClassifier): IDescribed {
    const { classifier } = this._classifiers.load(file);
    const { basis, trainedOn, pixelSize } = classifier;
    const { classes, channels, names, features, forest, samples, oobScore, importance, scores, trees } = classifier;
    const info = {
      oobScore,
      scores,
      classes,
      features: names,
      trees: trees.counts.length,
      samples,
      spec: { ...features },
      forest,
      embedding: basis ? { model: basis.model, digest: basis.digest } : null,
      importance
    };
    return { info, channels, trainedOn, pixelSize };
  }

  formats(): engine.IClassifierFormat[] {
    return engine.classifierFormats();
  }

  format(name: string): engine.IClassifierFormat {
    return engine.classifierFormat(name);
  }

  convert(classifier: Uint8Array, format: string): Uint8Array {
    return engine.convertClassifier(classifier, format);
  }

  read(file: Uint8Array, meaning?: ForestMeaning): Uint8Array {
    return engine.readClassifier(file, meaning);
  }

  basisOf(classifier: AnyClassifier): engine.IEmbeddingBasis | null {
    return this._classifiers.load(classifier).classifier.basis ?? null;
  }

  classesOf(classifier: AnyClassifier): LabelClass[] {
    return this._classifiers.load(classifier).classifier.classes;
  }

  async apply(request: Parameters<IEngineService['apply']>[0], context: IJobContext): Promise<void> {
    const { image, slice, out, cacheKey, embedding, region, within, skip = [], written } = request;
    const loaded = this._classifiers.load(request.classifier);
    const { classifier, forest, parts, job } = loaded;
    const { slices, rows, columns, channels } = shapeOf(image, slice);
    if (channels !== classifier.channels) {
      throw new BridgeError(
        'invalid',
        `The image has ${channels} channels, the classifier was trained on images with ${classifier.channels}.`
      );
    }
    expectOutputs(out, [slices, rows, columns], classifier.classes.length);
    if (classifier.basis && embedding && basisKey(embedding.basis) !== basisKey(classifier.basis)) {
      throw new BridgeError('internal', 'The embedding of the image has another basis than the classifier.');
    }
    const ids = Uint8Array.from(classifier.classes, ({ id }) => id);
    const radius = classifier.forest.refine ?? 0;
    const source = await this._known(
      { image, cacheKey, embedding, within },
      classifier.features.standardise || radius > 0,
      context
    );
    const tiles = tilesOf(source, slice, sideOf(parts)).filter(
      ({ tile }) => (!region || overlaps(tile, region)) && !skip.some(done => overlaps(tile, done))
    );
    let done = 0;
    context.progress('segmenting', 0, tiles.length);
    // In batches: bins found in the cache stay in memory until their task has run, even if the cache drops them.
    const batch = this.threads * TASKS_PER_THREAD;
    for (let first = 0; first < tiles.length; first += batch) {
      const placed = tiles.slice(first, first + batch);
      // Each tile begins when its maps are there.
      await together(placed, context.signal, async (item, signal) => {
        const { tile } = item;
        // What is done are tiles, also while the encoder works for the next ones.
        const waiting: IJobContext = {
          signal,
          progress: (stage, _done, _total, message) =>
            context.progress(stage === 'encoding' ? 'encoding and segmenting' : stage, done, tiles.length, message)
        };
        const own: ISegmentPart[] = [];
        const outer = radius > 0 ? engine.refinedTile({ rows, columns }, tile, radius) : null;
        for (const part of parts) {
          own.push(await this._segmentPart(part, parts, item, outer, waiting));
        }
        const task: ISegmentTask = {
          kind: 'segment',
          job,
          ...takenBy(source),
          slice,
          tile,
          outer,
          radius,
          parts: own,
          forest,
          ids,
          out
        };
        await this._pool.run(task, signal);
        own.forEach(({ blocks, ready }, k) => {
          if (blocks && !ready) {
            this._tiles.keep(parts[k]!, parts, item, blocks, false);
          }
        });
        written?.(tile);
        context.progress('segmenting', ++done, tiles.length);
      });
    }
  }

  async dispose(): Promise<void> {
    await this._pool.dispose();
  }

  /** One part of a tile's features, for a task: the cached bins, or else, if the cache has room, an array for the bins. */
  private async _segmentPart(
    part: ICutPart,
    parts: readonly ICutPart[],
    placed: IPlacedTile,
    outer: Rect | null,
    context: IJobContext
  ): Promise<ISegmentPart> {
    const { name, spec, cuts, features } = part;
    const task: ISegmentPart = { part: name, spec, cuts, ready: false };
    const found = this._tiles.find(part, placed, false);
    if (found && !outer) {
      return { ...task, blocks: found, ready: true };
    }
    const { source, slice, tile } = placed;
    if (found && outer) {
      const around = tilesOf(source, slice, sideOf(parts)).filter(other => overlaps(other.tile, outer));
      const pieces = around.map(other => ({ tile: other.tile, blocks: this._tiles.find(part, other, false) }));
      // Around the end of a region there are pixels without tiles.
      const covered = around.reduce((sum, other) => sum + overlapArea(other.tile, outer), 0);
      if (covered === areaOf(outer) && pieces.every(({ blocks }) => blocks)) {
        return { ...task, pieces: pieces as IPiece[] };
      }
    }
    const bytes = engine.planeFloats(tile, features);
    const kept = !found && source.cacheKey !== undefined && this._tiles.room(bytes, parts, false);
    const maps = await mapsOf(part, source, slice, context, [outer ?? tile]);
    return { ...task, ...maps, ...(kept && { blocks: sharedBytes(bytes) }) };
  }

  async clean(request: ICleanRequest, context: IJobContext): Promise<Uint8Array[]> {
    let out: Uint8Array[] = [];
    await this._pool.runAll([{ kind: 'clean' as const, ...request }], context.signal, found => (out = found));
    return out;
  }

  async phaseCells(request: IPhasesRequest, { signal }: IJobContext): Promise<engine.IPhaseCells> {
    const { slice0, slice1, row0, row1, column0, column1 } = request.region;
    const band = Math.max(1, Math.floor(PHASE_PIXELS / (column1 - column0)));
    const tasks: IPhasesTask[] = [];
    for (let slice = slice0; slice < slice1; slice++) {
      for (let row = row0; row < row1; row += band) {
        tasks.push({ kind: 'phases', ...request, slice, row0: row, row1: Math.min(row1, row + band) });
      }
    }
    const cells = engine.emptyCells(row1 - row0, column1 - column0);
    await this._pool.runAll(tasks, signal, found => engine.joinCells(cells, found));
    return cells;
  }

  async interpolate(labels: ArrayDescriptor, gaps: readonly IGap[], context: IJobContext): Promise<Uint8Array[][]> {
    const tasks = gaps.map(gap => ({ kind: 'interpolate' as const, labels, ...gap }));
    const found: Uint8Array[][] = [];
    let done = 0;
    await this._pool.runAll(tasks, context.signal, (slices, i) => {
      found[i] = slices;
      context.progress('slices', ++done, tasks.length);
    });
    return found;
  }

  /** Add the image's mean and deviation to a source if `needed`. */
  private async _known(source: IFeatureSource, needed: boolean, { signal }: IJobContext): Promise<IFeatureSource> {
    const { image, cacheKey, embedding, within } = source;
    const intensity = needed ? await this._intensities.of(image, cacheKey, signal) : undefined;
    return { image, cacheKey, embedding, intensity, within };
  }

  /** The dtypes and the grey range of images. */
  private async _pixelsOf(sources: readonly IFeatureSource[]): Promise<TrainedOn> {
    const ranges: GreyRange[] = [];
    for (const { image, cacheKey } of sources) {
      const found = (cacheKey !== undefined && this._ranges.get(cacheKey)) || (await greyRange(image));
      if (cacheKey !== undefined) {
        this._ranges.set(cacheKey, found);
      }
      ranges.push(found);
    }
    return {
      dtypes: [...new Set(sources.map(({ image }) => image.dtype))].sort(),
      low: Math.min(...ranges.map(({ low }) => low)),
      high: Math.max(...ranges.map(({ high }) => high))
    };
  }

  private readonly _ranges = new Lru<string, GreyRange>({ limit: RANGES_MAX });
  private readonly _classifiers: LoadedClassifiers;
  private readonly _pool: EnginePool;
  private readonly _tiles: FeatureTiles;
  private readonly _previews: FeaturePreviews;
  private readonly _intensities: Intensities;
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
    /** Size of the cache of quantised features; default 512 MiB. */
    cacheBytes?: number;
  }
}

/**
 * The basis that the embeddings of all images share; null if the spec has no embedding.
 *
 * @throws BridgeError `internal` if an image has no embedding, or their bases differ.
 */
function basisOfAll(sources: readonly IFeatureSource[], spec: FeatureSpec): engine.IEmbeddingBasis | null {
  const basis = sources[0]!.embedding?.basis;
  if (!spec.embedding) {
    return null;
  }
  if (!basis || sources.some(({ embedding }) => !embedding || basisKey(embedding.basis) !== basisKey(basis))) {
    throw new BridgeError('internal', 'The features need an embedding of every image, reduced in the same way.');
  }
  return basis;
}
