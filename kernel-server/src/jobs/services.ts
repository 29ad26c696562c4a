/**
 * The interfaces of the two services that compute: SAM and the engine. Both take descriptors of shared arrays, and their threads and
 * processes open the files themselves. No pixels are sent to them.
 */
import type { IClassifierFormat, IEmbeddingBasis, IPhaseCells, ISliceMaps } from '../../../engine';
import { EmbeddingSpec, FeatureSpec } from '../../../src/shared/features';
import { LearnerParams } from '../../../src/shared/learners';
import {
  ArrayDescriptor,
  ClassifierInfo,
  EmbeddingModel,
  ForestMeaning,
  ImageInfo,
  LabelClass,
  Params,
  PixelSize,
  PointPrompt,
  SamDevice,
  Scores,
  TrainedOn
} from '../../../src/shared/protocol';
import type { IPromptModel } from '../../../src/shared/models';
import { Rect } from '../../../src/shared/rect';
import { OptionalRegion, Region } from '../../../src/shared/region';
import type { ICandidates, IPrompts, IProposal, ISeenContrast, ISimilarOptions } from '../../../src/sam';
import { IJobContext } from './job-context';

/** The embedding of the whole image for prompts, which a run for maps can give as well. */
export interface IWholeToo {
  contrast: ISeenContrast;
  take(result: { embedding: Float32Array; device: SamDevice; seconds: number }): void;
}

/** SAM's encoder and, for Python, its decoder. They run in a child process, which may die. */
export interface ISamService {
  /** The device on which the encoder runs; null until the first use. */
  readonly device: SamDevice | null;
  /** Process id of the SAM process, null while none runs. */
  readonly pid: number | null;
  readonly manifest: IPromptModel;
  /** Files that were passed over since they are not the model's: what is wrong with each and what would do, as sentences. Null: none. */
  readonly problem: string | null;
  /** The model, and the SHA-256 of the encoder's file. */
  readonly encoder: EmbeddingModel;
  /** The decoder's graph with all its masks, as file and SHA-256. Throws BridgeError `model` if it is missing or corrupt. */
  decoder(): Promise<{ digest: string; path: string; bytes: number }>;
  /**
   * Encode a slice of an image, or the rows and columns `within` it as an image of their own (array [slices, rows, columns, channels]; pixel values are scaled by `display` first).
   * @returns the embedding, float32 [channels, rows, columns], the device it was computed on and the seconds it took.
   */
  embed(
    image: ArrayDescriptor,
    contrast: ISeenContrast,
    slice: number,
    context: IJobContext,
    within?: Rect
  ): Promise<{ embedding: Float32Array; device: SamDevice; seconds: number }>;
  /** Throws BridgeError `model` if `spec` is of another model than this one, `invalid` for layers or components that it does not have. */
  checkSpec(spec: EmbeddingSpec): void;
  /**
   * Encode windows of a slice, or of the rows and columns `within` it, and reduce their layers. Without a `basis` one is fitted to these windows.
   * @param windows their numbers in `EncoderWindows`
   * @returns for each window and layer its components, float32 [components][side][side]. If one window covers the image and `whole` is
   * given, also the embedding that {@link embed} would give with its contrast. It takes it before the maps, and again after a restart of the process.
   * Throws BridgeError `model` if `basis` or `spec` is of another model than this one, `invalid` for layers or components that it does not have.
   */
  reduce(
    image: ArrayDescriptor,
    display: ImageInfo['display'],
    slice: number,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis | null,
    windows: readonly number[],
    context: IJobContext,
    whole?: IWholeToo,
    within?: Rect
  ): Promise<{
    basis: IEmbeddingBasis;
    windows: Float32Array[][];
    embedding: Float32Array | null;
    device: SamDevice;
    seconds: number;
  }>;
  /** Decode prompts to logits. @throws BridgeError `invalid` for prompts or an embedding that the decoder does not take. */
  decode(
    embedding: Float32Array,
    size: { rows: number; columns: number },
    prompts: IPrompts,
    context: IJobContext
  ): Promise<ICandidates>;
  /**
   * Decode points.
   * @returns masks uint8 0/1 [3, rows, columns], SAM's small, medium and large scale, and their predicted quality.
   */
  suggest(
    embedding: Float32Array,
    size: { rows: number; columns: number },
    points: PointPrompt[],
    context: IJobContext
  ): Promise<{ masks: Uint8Array; scores: [number, number, number] }>;
  /**
   * Find objects like an example, in the image that the embedding shows.
   * @param query `where` and the proposals' points are in rows and columns of that image
   */
  similar(
    embedding: Float32Array,
    size: { rows: number; columns: number },
    query: ISimilarQuery,
    context: IJobContext
  ): Promise<IProposal[]>;
  dispose(): Promise<void>;
}

/** What objects are looked for: see `similarObjects`. */
export type ISimilarQuery = Pick<ISimilarOptions, 'like' | 'greys' | 'isPart' | 'where' | 'known' | 'taken'>;

/** The services of the models that sessions chose for their suggestions. */
export interface IPromptServices {
  /** @throws BridgeError `model` if the files of the session's model are missing or wrong; the message names them. */
  of(session: { record: { readonly samModel: string } }): Promise<ISamService>;
}

/** The maps of an image's slices, for classifiers whose spec asks for them. */
export interface IImageMaps {
  basis: IEmbeddingBasis;
  /**
   * The maps of a slice under the basis, complete for the features under some rectangles of the image; elsewhere they may be unfinished. Default: all of
   * it. May take long the first time, and fails as SAM fails.
   */
  slice(slice: number, context: IJobContext, under?: readonly Rect[]): Promise<ISliceMaps>;
  /** Rectangles of each slice that stand for all of it and whose maps are soon there; absent if all are there at about the same time. */
  samples?: readonly Rect[] | undefined;
}

/** An image with its labels, uint8 [slices, rows, columns], and the key under which its features are kept. */
export interface ILabelledImage {
  image: ArrayDescriptor;
  labels: ArrayDescriptor;
  cacheKey: string;
  /** Required if the spec has an embedding. All images have the same basis. */
  embedding?: IImageMaps;
  /** Learn only from this region. Features are those of the whole image: pixels around the region are read as their margin. */
  within?: OptionalRegion;
}

/** The result of a training. `engine/core/classifier.ts` defines its JSON. */
export interface ITrained {
  /** The classifier's JSON in UTF-8. The first access encodes it, which takes a while for a large forest. Do not change it. */
  readonly json: Uint8Array;
  oobScore: number | null;
  /** Impurity importance of each feature, with sum 1; null if unknown. */
  importance: number[] | null;
  scores: Scores | null;
  featureNames: string[];
  trees: number;
  samples: number;
}

/** A classifier: the result of a training, which needs no decoding, or its JSON. */
export type AnyClassifier = ITrained | Uint8Array;

/** A classifier's description, and the number of channels of its images. */
export interface IDescribed {
  info: Omit<ClassifierInfo, 'labelsVersion' | 'seconds'>;
  channels: number;
  /** The pixels of the images that it was trained on, and their size; null if unknown. */
  trainedOn: TrainedOn | null;
  pixelSize: PixelSize | null;
}

/** The arrays that receive a segmentation; `apply` writes one slice of each. */
export interface ISegmentationArrays {
  /** uint8 [slices, rows, columns]: the class id of the highest probability. */
  prediction?: ArrayDescriptor;
  /** float32 [slices, rows, columns, classes]. */
  probabilities?: ArrayDescriptor;
  /** float32 [slices, rows, columns]: 1 − (highest − second highest probability). */
  uncertainty?: ArrayDescriptor;
}

/** Two labelled slices with others between them. */
export interface IGap {
  before: number;
  after: number;
}

/** Features and forest, on the worker threads of the sidecar. */
/** What {@link IEngineService.clean} needs. */
export interface ICleanRequest {
  /** uint8 [slices, rows, columns]. */
  segmentation: ArrayDescriptor;
  /** 0 where nothing is corrected; undefined if there is none. */
  correction: ArrayDescriptor | undefined;
  /** One slice; undefined for the whole volume. */
  slice: number | undefined;
  cleaning: Params<'correction.clean'>['cleaning'];
}

/** What {@link IEngineService.phaseCells} needs. */
export interface IPhasesRequest {
  /** uint8 [slices, rows, columns]. */
  segmentation: ArrayDescriptor;
  /** 0 where nothing is corrected; undefined if there is none. */
  correction: ArrayDescriptor | undefined;
  /** The part to count. */
  region: Region;
}

export interface IEngineService {
  readonly threads: number;
  /** The default features, with `partial` on top. Throws BridgeError `invalid` for a spec that cannot be computed. */
  featureSpec(partial?: object): FeatureSpec;
  /** The default learner's parameters, with `partial` on top. Throws BridgeError `invalid` for a wrong value. */
  learnerParams(partial?: object): LearnerParams;
  featureNames(spec: FeatureSpec, channels: number): string[];
  /** Compute the feature stack of a slice, or of the part of it in a region, into `out`, float32 [1, rows, columns, features]. */
  features(
    image: ArrayDescriptor,
    slice: number,
    spec: FeatureSpec,
    out: ArrayDescriptor,
    context: IJobContext,
    embedding?: IImageMaps,
    within?: OptionalRegion
  ): Promise<void>;
  /**
   * Grow a forest on the labelled pixels (labels uint8 [slices, rows, columns]; 0 is unlabelled).
   * Throws BridgeError `not-ready` for no label, or for labels of one class alone.
   */
  train(
    request: {
      image: ArrayDescriptor;
      labels: ArrayDescriptor;
      classes: LabelClass[];
      spec: FeatureSpec;
      forest: LearnerParams;
      /** The key of the feature cache: the image's digest. */
      cacheKey: string;
      /** Further labelled images to learn from, with the same number of channels. */
      others?: readonly ILabelledImage[];
      /** Side of the image's pixels; kept in the classifier. */
      pixelSize?: PixelSize | null;
      /** Needed if the spec has an embedding. */
      embedding?: IImageMaps;
      /** As in {@link ILabelledImage}. */
      within?: OptionalRegion;
    },
    context: IJobContext
  ): Promise<ITrained>;
  /**
   * Tiles of one feature as bytes: 0 is `low`, 255 `high`, the 1st and 99th percentile of the feature in the image.
   * @returns for each tile of {@link LABEL_TILE} pixels its LABEL_TILE² bytes, 0 outside the image.
   */
  featureTiles(
    request: {
      image: ArrayDescriptor;
      slice: number;
      spec: FeatureSpec;
      channel: number;
      tiles: { row: number; column: number }[];
      cacheKey: string;
      /** Needed if the spec has an embedding. */
      embedding?: IImageMaps;
    },
    context: IJobContext
  ): Promise<{ name: string; low: number; high: number; tiles: Uint8Array[] }>;
  /**
   * Interpolate labels between labelled slices, by the shapes of their classes.
   *
   * @param labels uint8 [slices, rows, columns]
   * @returns for each gap the labels of the slices in it, each rows × columns bytes, raw-deflate compressed
   */
  interpolate(labels: ArrayDescriptor, gaps: readonly IGap[], context: IJobContext): Promise<Uint8Array[][]>;
  /**
   * Clean a segmentation with its correction.
   *
   * @returns for each slice, or the one named, the new class of each pixel that changes, else 0; raw-deflate compressed
   */
  clean(task: ICleanRequest, context: IJobContext): Promise<Uint8Array[]>;
  /** Count the classes of the corrected segmentation in cells; see `engine/core/phase-fractions.ts`. */
  phaseCells(request: IPhasesRequest, context: IJobContext): Promise<IPhaseCells>;
  /** The formats that a classifier can be saved in or loaded from. */
  formats(): IClassifierFormat[];
  /** The format of a name. Throws BridgeError `invalid` for an unknown name; the message names the formats. */
  format(name: string): IClassifierFormat;
  /** Write a classifier in another format. Throws BridgeError `invalid` if the format cannot express it. */
  convert(classifier: Uint8Array, format: string): Uint8Array;
  /** Read a classifier's file of any format. Returns its JSON, checked. Throws BridgeError `invalid`. */
  read(file: Uint8Array, meaning?: ForestMeaning): Uint8Array;
  /** The basis by which a classifier reduces the embedding; null if it uses none. Throws BridgeError `invalid` for an invalid classifier. */
  basisOf(classifier: AnyClassifier): IEmbeddingBasis | null;
  /** Class ids in the order of the probabilities' last axis. Throws BridgeError `invalid` for an invalid classifier. */
  classesOf(classifier: AnyClassifier): LabelClass[];
  /** Describe a classifier. Throws BridgeError `invalid` for an invalid classifier. */
  describe(classifier: AnyClassifier): IDescribed;
  /** Segment one slice. Throws BridgeError `invalid` if the image's channels are not those the classifier was trained on. */
  apply(
    request: {
      classifier: AnyClassifier;
      image: ArrayDescriptor;
      slice: number;
      out: ISegmentationArrays;
      cacheKey?: string;
      /** Needed if the classifier's spec has an embedding; under the classifier's basis. */
      embedding?: IImageMaps;
      /** Segment only the tiles that touch this rectangle. */
      region?: Rect;
      /** Segment only this region: the arrays stay as they are outside. */
      within?: OptionalRegion;
      /** Leave out the tiles that touch any of these rectangles, which earlier calls with `region` segmented. */
      skip?: readonly Rect[];
      /** Called with each tile when its results are in the arrays. */
      written?(tile: Rect): void;
    },
    context: IJobContext
  ): Promise<void>;
  dispose(): Promise<void>;
}
