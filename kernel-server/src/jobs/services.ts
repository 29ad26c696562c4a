/**
 * The seams inside the sidecar: what sessions and jobs need of SAM and of the engine. Both work on shared arrays by
 * descriptor, so their worker threads and processes open the files themselves and no pixels pass between them.
 */
import type { IClassifierFormat, IEmbeddingBasis, ISliceMaps } from '../../../engine';
import { EmbeddingSpec, FeatureSpec } from '../../../src/shared/features';
import { LearnerParams } from '../../../src/shared/learners';
import {
  ArrayDescriptor,
  ClassifierInfo,
  EmbeddingModel,
  ForestMeaning,
  ImageInfo,
  LabelClass,
  PixelSize,
  PointPrompt,
  SamDevice,
  Scores
} from '../../../src/shared/protocol';
import type { IModelManifest } from '../../../src/shared/models';
import { Rect } from '../../../src/shared/rect';
import { IJobContext } from './job-context';

/** SAM: encoder and, for Python, decoder. Runs in a process of its own that may die. */
export interface ISamService {
  /** Where the encoder runs; null until it was first needed. */
  readonly device: SamDevice | null;
  /** Process id of the SAM process, null while none runs. */
  readonly pid: number | null;
  readonly manifest: IModelManifest;
  /** The model, and the SHA-256 of the encoder's file. */
  readonly encoder: EmbeddingModel;
  /** The decoder's graph with all its masks, as file and SHA-256. Throws BridgeError `model` if it is missing or corrupt. */
  decoder(): Promise<{ digest: string; path: string; bytes: number }>;
  /**
   * Encode a slice of an image (array [slices, rows, columns, channels]; pixel values are scaled by `display` first).
   * @returns the embedding, float32 [channels, rows, columns], the device it was computed on and the seconds it took.
   */
  embed(
    image: ArrayDescriptor,
    display: ImageInfo['display'],
    slice: number,
    context: IJobContext
  ): Promise<{ embedding: Float32Array; device: SamDevice; seconds: number }>;
  /**
   * Encode a slice in the windows of `spec`, and reduce it. Without a `basis` one is fitted to this slice.
   * @returns the slice under the basis; and the embedding of the whole image as {@link embed} gives it where one window covers it, since it is
   * the same then; `onEmbedding` has it as soon as it is there, before the slice is reduced (again if the process had to start anew).
   * Throws BridgeError `model` if `basis` or `spec` is of another model than this one, `invalid` for layers or components that it does not have.
   */
  reduce(
    image: ArrayDescriptor,
    display: ImageInfo['display'],
    slice: number,
    spec: EmbeddingSpec,
    basis: IEmbeddingBasis | null,
    context: IJobContext,
    onEmbedding?: (result: { embedding: Float32Array; device: SamDevice; seconds: number }) => void
  ): Promise<{
    basis: IEmbeddingBasis;
    maps: ISliceMaps;
    embedding: Float32Array | null;
    device: SamDevice;
    seconds: number;
  }>;
  /**
   * Decode.
   * @returns masks uint8 0/1 [3, rows, columns], SAM's small, medium and large scale, and their predicted quality.
   */
  suggest(
    embedding: Float32Array,
    size: { rows: number; columns: number },
    points: PointPrompt[],
    context: IJobContext
  ): Promise<{ masks: Uint8Array; scores: [number, number, number] }>;
  dispose(): Promise<void>;
}

/** What an encoder sees of an image, for classifiers whose spec asks for it. */
export interface IImageMaps {
  basis: IEmbeddingBasis;
  /** A slice under the basis; may take long the first time. Fails as SAM fails. */
  slice(slice: number, context: IJobContext): Promise<ISliceMaps>;
}

/** An image with its labels, uint8 [slices, rows, columns], and the key under which its features are kept. */
export interface ILabelledImage {
  image: ArrayDescriptor;
  labels: ArrayDescriptor;
  cacheKey: string;
  /** Needed if the spec has an embedding; under the same basis for all images. */
  embedding?: IImageMaps;
}

/** A trained classifier as an object that JSON can carry; its fields are the engine's business (`engine/core/classifier.ts`). */
export interface ITrained {
  /** The classifier's JSON in UTF-8; written when it is first asked for, which takes a while for a large forest. Do not change it. */
  readonly json: Uint8Array;
  oobScore: number | null;
  /** Impurity importance of each feature, in sum 1; null where it is not known. */
  importance: number[] | null;
  scores: Scores | null;
  featureNames: string[];
  trees: number;
  samples: number;
}

/** A classifier: what training returned, which is applied without being written and read again, or its JSON. */
export type AnyClassifier = ITrained | Uint8Array;

/** What a classifier says of itself, and how many channels the images have that it is for. */
export interface IDescribed {
  info: Omit<ClassifierInfo, 'labelsVersion' | 'seconds'>;
  channels: number;
}

/** Where segmentations go; each array is written as a whole for the slice given. */
export interface ISegmentationArrays {
  /** uint8 [slices, rows, columns]: the class id of the highest probability. */
  prediction?: ArrayDescriptor;
  /** float32 [slices, rows, columns, classes]. */
  probabilities?: ArrayDescriptor;
  /** float32 [slices, rows, columns]: 1 − (highest − second highest probability). */
  uncertainty?: ArrayDescriptor;
}

/** Features and forest, on the worker threads of the sidecar. */
export interface IEngineService {
  readonly threads: number;
  /** The default features, with `partial` on top. Throws BridgeError `invalid` for what cannot be computed. */
  featureSpec(partial?: object): FeatureSpec;
  forestParams(partial?: object): LearnerParams;
  featureNames(spec: FeatureSpec, channels: number): string[];
  /** Compute the feature stack of a slice into `out`, float32 [1, rows, columns, features]. */
  features(
    image: ArrayDescriptor,
    slice: number,
    spec: FeatureSpec,
    out: ArrayDescriptor,
    context: IJobContext,
    embedding?: IImageMaps
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
      /** Features already computed are kept under this key (the image's digest). */
      cacheKey: string;
      /** Further images with labels, of as many channels, that are learned from as well. */
      others?: readonly ILabelledImage[];
      /** Side of the image's pixels, which the classifier remembers. */
      pixelSize?: PixelSize | null;
      /** Needed if the spec has an embedding. */
      embedding?: IImageMaps;
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
  /** The formats that a classifier can be saved in or loaded from. */
  formats(): IClassifierFormat[];
  /** One of them. Throws BridgeError `invalid` for an unknown name, naming those that exist. */
  format(name: string): IClassifierFormat;
  /** Write a classifier in another format. Throws BridgeError `invalid` for what that format cannot express. */
  convert(classifier: Uint8Array, format: string): Uint8Array;
  /** Read a classifier's file of any form: its JSON, checked. Throws BridgeError `invalid`. */
  read(file: Uint8Array, meaning?: ForestMeaning): Uint8Array;
  /** How a classifier reduces the embedding that it sees; null if it sees none. Throws BridgeError `invalid` for what is no classifier. */
  basisOf(classifier: AnyClassifier): IEmbeddingBasis | null;
  /** Class ids in the order of the probabilities' last axis. Throws BridgeError `invalid` for what is no classifier. */
  classesOf(classifier: AnyClassifier): LabelClass[];
  /** What a classifier is. Throws BridgeError `invalid` for what is no classifier. */
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
      /** Only the tiles that touch this region, and no others. */
      region?: Rect;
      /** Not the tiles that touch any of these regions: those of earlier calls with them as `region`. */
      skip?: readonly Rect[];
      /** Told of each tile when its results are in the arrays. */
      written?(tile: Rect): void;
    },
    context: IJobContext
  ): Promise<void>;
  dispose(): Promise<void>;
}
