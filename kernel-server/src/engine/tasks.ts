/** What the engine's service asks of its worker threads. Arrays over shared memory pass by reference, all others are copied. */
import { FeatureSpec } from '../../../src/shared/features';
import { BoostingParams } from '../../../src/shared/learners';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { Rect } from '../../../src/shared/rect';
import { IBoostRound } from '../../../engine/core/boosting';
import { IGrowOptions, IPackedForest, ITrainingSet, ITrees } from '../../../engine/core/forest';
import { ISliceMaps } from '../../../engine/core/embedding';
import { IIntensity } from '../../../engine/core/intensity';
import { ISegmentationArrays } from '../jobs/services';

/** Features that are computed and kept together: those of the families, and those of the embedding. */
export type PartName = 'families' | 'embedding';

/** A tile of a slice, and which features of it. */
export interface ITileRequest {
  image: ArrayDescriptor;
  slice: number;
  tile: Rect;
  spec: FeatureSpec;
  /** One part of the spec's features; all of them if left out. */
  part?: PartName;
  /** The slice's embedding, in shared memory; needed where the features asked for have one. */
  maps?: ISliceMaps;
  /** The image's; needed where the spec standardises, and for refining. */
  intensity?: IIntensity;
}

/** Cuts, 256 floats a feature, and a name that is the same for equal cuts. */
export interface INamedCuts {
  padded: Float32Array;
  name: string;
}

/** Compute a tile's features, in float32. */
export interface IPlanesTask extends ITileRequest {
  kind: 'planes';
  /** Receives the planes as `FeatureStack.compute` lays them out, if they are wanted. */
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
  /** Receives 256 floats a feature. */
  padded: Float32Array;
}

/** Quantise a tile's features; they are computed if `planes` does not bring them. */
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
  /** Equal for all tasks of one forest. */
  job: number;
  set: ITrainingSet;
  options: IGrowOptions;
  first: number;
  end: number;
  /** Shared; the votes of these trees are added. */
  outOfBag: Uint32Array;
}

/** Grow rounds `first` to `end` of boosted trees. */
export interface IBoostTask {
  kind: 'boost';
  /** Equal for all tasks of one ensemble. */
  job: number;
  set: ITrainingSet;
  /** 1 for rows that are held out; null holds none out. */
  held: Uint8Array | null;
  params: BoostingParams;
  first: number;
  end: number;
  /** Shared; the rows' scores after the rounds before, and then after these. */
  scores: Int32Array;
}

/** One round. */
export interface IBoosted extends IBoostRound {
  /** Of the rows that are held out. */
  heldOut: { loss: number; confusion: number[][] };
}

/** Bins of a tile that are kept. */
export interface IPiece {
  tile: Rect;
  blocks: Uint8Array;
}

/**
 * Bins of a part of a tile's features: put together from `pieces` if they are there, or in `blocks` if `ready` is true; else they are computed,
 * and kept in `blocks` if there is room.
 */
export interface ISegmentPart {
  part: PartName;
  spec: FeatureSpec;
  maps?: ISliceMaps;
  cuts: INamedCuts;
  blocks?: Uint8Array;
  ready: boolean;
  /** Tiles that cover all that is asked of the forest. */
  pieces?: IPiece[];
}

/** Segment a tile. */
export interface ISegmentTask {
  kind: 'segment';
  /** Equal for all tasks with one classifier. */
  job: number;
  image: ArrayDescriptor;
  slice: number;
  tile: Rect;
  /** What the forest is asked of, to refine the tile: the tile and pixels around it. Null: nothing is refined. */
  outer: Rect | null;
  /** Radius of the refinement. */
  radius: number;
  intensity?: IIntensity;
  /** In the order of the classifier's features. */
  parts: ISegmentPart[];
  forest: IPackedForest;
  /** Class ids in the forest's order. */
  ids: Uint8Array;
  out: ISegmentationArrays;
}

/** Sums over the rows of a region, from which the image's mean and deviation follow. */
export interface IMomentsTask {
  kind: 'moments';
  image: ArrayDescriptor;
  slice: number;
  row0: number;
  row1: number;
  shift: number;
}

/** Values of one channel of the stack at some pixels of a tile. */
export interface ISampleTask extends ITileRequest {
  kind: 'sample';
  channel: number;
  /** Pixel numbers in the tile. */
  positions: Uint32Array;
}

/** One channel of the stack as bytes, `low` as 0 and `high` as 255; `side`² of them, 0 beyond the tile. */
export interface IPreviewTask extends ITileRequest {
  kind: 'preview';
  channel: number;
  low: number;
  high: number;
  side: number;
}

export type EngineTask =
  | IPlanesTask
  | ICutsTask
  | IQuantiseTask
  | IStoreTask
  | IGrowTask
  | IBoostTask
  | ISegmentTask
  | IMomentsTask
  | ISampleTask
  | IPreviewTask;

/** What a worker answers; nothing where the task says where results go. */
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
          : undefined;

/** From the pool to a worker. */
export interface IWorkerRequest {
  id: number;
  task: EngineTask;
}

/** From a worker to the pool. */
export type WorkerReply = { id: number; result: unknown } | { id: number; code: string; message: string };
