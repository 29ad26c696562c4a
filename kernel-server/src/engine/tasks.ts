/** The tasks of the worker threads and their results. Arrays in shared memory are passed by reference, all others are copied. */
import { FeatureSpec } from '../../../src/shared/features';
import { BoostingParams } from '../../../src/shared/learners';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { Rect } from '../../../src/shared/rect';
import { IBoostRound } from '../../../engine/core/boosting';
import { IGrowOptions, IPackedForest, ITrainingSet, ITrees } from '../../../engine/core/forest';
import { ISliceMaps } from '../../../engine/core/embedding';
import { IPhaseCells } from '../../../engine/core/phase-fractions';
import { IIntensity, IMomentsPass } from '../../../engine/core/intensity';
import { ICleanRequest, IPhasesRequest, ISegmentationArrays } from '../jobs/services';

/** Features that are computed and cached together: those of the feature families, or those of the embedding. */
export type PartName = 'families' | 'embedding';

/** A tile of a slice, and the features to compute for it. */
export interface ITileRequest {
  image: ArrayDescriptor;
  slice: number;
  tile: Rect;
  spec: FeatureSpec;
  /** One part of the spec's features; all of them if left out. */
  part?: PartName;
  /** The slice's maps, in shared memory; required if the features include the embedding's. */
  maps?: ISliceMaps;
  /** Mean and deviation of the image; required if the spec standardises, and for refining. */
  intensity?: IIntensity;
}

/** Cuts, 256 floats per feature, and their name: equal cuts have equal names. */
export interface INamedCuts {
  padded: Float32Array;
  name: string;
}

/** Compute a tile's features, in float32. */
export interface IPlanesTask extends ITileRequest {
  kind: 'planes';
  /** Optional; receives the planes in the layout of `FeatureStack.compute`. */
  planes?: Float32Array;
  /** Receives the values at `positions` (pixel numbers in the tile) from element `offset` of each feature's `length` elements. */
  sample: { values: Float32Array; positions: Uint32Array; offset: number; length: number };
}

/** Find the cuts of features `first` to `end` of a sample. */
export interface ICutsTask {
  kind: 'cuts';
  values: Float32Array;
  length: number;
  first: number;
  end: number;
  /** Receives 256 floats per feature. */
  padded: Float32Array;
}

/** Quantise a tile's features; computes them if `planes` is missing. */
export interface IQuantiseTask extends ITileRequest {
  kind: 'quantise';
  planes?: Float32Array;
  cuts: INamedCuts;
  blocks: Uint8Array;
}

/** Write a tile's features to a shared array. */
export interface IStoreTask extends ITileRequest {
  kind: 'store';
  out: ArrayDescriptor;
}

/** Grow trees `first` to `end`. */
export interface IGrowTask {
  kind: 'grow';
  /** Same number for all tasks of one forest. */
  job: number;
  set: ITrainingSet;
  options: IGrowOptions;
  first: number;
  end: number;
  /** In shared memory; the task adds the out-of-bag votes of its trees. */
  outOfBag: Uint32Array;
}

/** Grow rounds `first` to `end` of boosted trees. */
export interface IBoostTask {
  kind: 'boost';
  /** Same number for all tasks of one ensemble. */
  job: number;
  set: ITrainingSet;
  /** 1 for each row that is held out; null if there are none. */
  held: Uint8Array | null;
  params: BoostingParams;
  first: number;
  end: number;
  /** In shared memory; the rows' scores before round `first`, updated to those after the last round. */
  scores: Int32Array;
}

/** The result of one round. */
export interface IBoosted extends IBoostRound {
  /** Loss and confusion on the held-out rows. */
  heldOut: { loss: number; confusion: number[][] };
}

/** A rectangle and its bins, u8 [block][feature][16]. */
export interface IPiece {
  tile: Rect;
  blocks: Uint8Array;
}

/**
 * One part of a tile's features. Its bins come from `pieces` if given, or from `blocks` if `ready`. Otherwise the worker computes them, and
 * stores them in `blocks` if given.
 */
export interface ISegmentPart {
  part: PartName;
  spec: FeatureSpec;
  maps?: ISliceMaps;
  cuts: INamedCuts;
  blocks?: Uint8Array;
  ready: boolean;
  /** Cached tiles that together cover `ISegmentTask.outer`. */
  pieces?: IPiece[];
}

/** Segment a tile. */
export interface ISegmentTask {
  kind: 'segment';
  /** Same number for all tasks with one classifier. */
  job: number;
  image: ArrayDescriptor;
  slice: number;
  tile: Rect;
  /** The rectangle that the forest is applied to, so that the tile can be refined: the tile and a margin. Null if nothing is refined. */
  outer: Rect | null;
  /** Radius of the refinement, in pixels. */
  radius: number;
  intensity?: IIntensity;
  /** In the order of the classifier's features. */
  parts: ISegmentPart[];
  forest: IPackedForest;
  /** Class ids in the forest's order. */
  ids: Uint8Array;
  out: ISegmentationArrays;
}

/** Sums over rows `row0` to `row1` of a slice, for the image's mean and deviation. */
export interface IMomentsTask extends Omit<IMomentsPass, 'first'> {
  kind: 'moments';
  image: ArrayDescriptor;
  slice: number;
  row0: number;
  row1: number;
}

/** Read one channel of the feature stack at some pixels of a tile. */
export interface ISampleTask extends ITileRequest {
  kind: 'sample';
  channel: number;
  /** Pixel numbers in the tile. */
  positions: Uint32Array;
}

/** Scale one channel of the feature stack to `side` × `side` bytes: `low` to 0, `high` to 255. Bytes beyond the tile are 0. */
export interface IPreviewTask extends ITileRequest {
  kind: 'preview';
  channel: number;
  low: number;
  high: number;
  side: number;
}

/** Clean class ids. The result is deflated, slice by slice. */
export interface ICleanTask extends ICleanRequest {
  kind: 'clean';
}

/** Count the classes of rows `row0` to `row1` of a slice, in the cells of the region. */
export interface IPhasesTask extends IPhasesRequest {
  kind: 'phases';
  slice: number;
  row0: number;
  row1: number;
}

/** Interpolate the labels of slices between two labelled ones. The result is deflated labels, slice by slice. */
export interface IInterpolateTask {
  kind: 'interpolate';
  /** uint8 [slices, rows, columns]. */
  labels: ArrayDescriptor;
  /** The labelled slices. */
  before: number;
  after: number;
}

export type EngineTask =
  | ICleanTask
  | IPhasesTask
  | IPlanesTask
  | ICutsTask
  | IQuantiseTask
  | IStoreTask
  | IGrowTask
  | IBoostTask
  | ISegmentTask
  | IMomentsTask
  | IInterpolateTask
  | ISampleTask
  | IPreviewTask;

/** A task's result; undefined for tasks that write to shared memory or files. */
export type EngineResult<T extends EngineTask> = T extends IGrowTask
  ? { trees: ITrees; importance: Float64Array }
  : T extends IBoostTask
    ? IBoosted[]
    : T extends IMomentsTask
      ? Float64Array
      : T extends ISampleTask
        ? Float32Array
        : T extends IPreviewTask
          ? Uint8Array
          : T extends IInterpolateTask | ICleanTask
            ? Uint8Array[]
            : T extends IPhasesTask
              ? IPhaseCells
              : undefined;

/** From the pool to a worker. */
export interface IWorkerRequest {
  id: number;
  task: EngineTask;
}

/** From a worker to the pool. */
export type WorkerReply = { id: number; result: unknown } | { id: number; code: string; message: string };
