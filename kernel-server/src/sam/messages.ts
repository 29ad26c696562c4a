/** The messages between the sidecar and its SAM process, sent by Node's own IPC with `serialization: 'advanced'`. */
import type { ArrayDescriptor, ImageInfo, SamDevice } from '../../../src/shared/protocol';
import type { IBasisLayer } from '../../../engine/core/embedding';
import type { EmbeddingLayer, EmbeddingViews } from '../../../src/shared/features';
import type { ErrorCode } from '../../../src/shared/errors';
import type { Rect } from '../../../src/shared/rect';
import type { EncoderLayout, IModelFile, IModelManifest, IPromptModel } from '../../../src/shared/models';
import type { ICandidates, IPrompts, IProposal, ISeenContrast, ISize } from '../../../src/sam';
import type { IJobContext } from '../jobs/job-context';
import type { ISimilarQuery } from '../jobs/services';

/** Where the encoder may run. `auto` probes for the fastest. */
export const PROVIDERS = ['auto', 'cuda', 'webgpu', 'cpu'] as const;
export type ProviderChoice = (typeof PROVIDERS)[number];

/** A model's file, and what its content must be. */
export interface IPlacedFile {
  path: string;
  file: IModelFile;
}

/** Where the encoder's file is. `path` null: that of the built-in model is in its package. */
export type EncoderSource =
  { builtIn: IModelManifest; path: string | null } | (IPlacedFile & { layout: EncoderLayout });

/** The first message to the process. */
export interface ISamStart {
  kind: 'start';
  manifest: IPromptModel;
  provider: ProviderChoice;
  /** Why the sidecar chose that provider, put before the device's note; empty if the user chose. */
  note: string;
  encoder: EncoderSource;
  decoder: IPlacedFile;
}

export interface IEmbedJob {
  kind: 'embed';
  /** Encode these rows and columns as an image of their own; undefined: all. */
  within?: Rect | undefined;
  image: ArrayDescriptor;
  contrast: ISeenContrast;
  slice: number;
}

export interface ISuggestJob {
  kind: 'suggest';
  embedding: Float32Array;
  size: ISize;
  prompts: IPrompts;
}

/** Find objects like an example. */
export interface ISimilarJob {
  kind: 'similar';
  embedding: Float32Array;
  size: ISize;
  query: ISimilarQuery;
}

/** Encode windows of a slice, and reduce their layers to components. */
export interface IReduceJob {
  kind: 'reduce';
  /** As in {@link IEmbedJob}. */
  within?: Rect | undefined;
  image: ArrayDescriptor;
  display: ImageInfo['display'];
  slice: number;
  /** Side of a window in pixels. */
  window: number;
  views: EmbeddingViews;
  /** The contrast of the embedding of the whole image for prompts, if that is wanted too where one window covers it; else null. */
  contrast: ISeenContrast | null;
  /** The windows to encode, by their numbers in `EncoderWindows`. */
  windows: readonly number[];
  layers: EmbeddingLayer[];
  /** How the layers are reduced, in their order; null to fit that to these windows. */
  basis: IBasisLayer[] | null;
}

export type SamJob = IEmbedJob | ISuggestJob | ISimilarJob | IReduceJob;

export interface IEmbedResult {
  embedding: Float32Array;
  device: SamDevice;
  seconds: number;
}

export interface IReduceResult {
  basis: IBasisLayer[];
  /** For each window and layer its components, float32 [components][side][side]. */
  windows: Float32Array[][];
  device: SamDevice;
  seconds: number;
}

export type ISuggestResult = ICandidates;

export type ISimilarResult = IProposal[];

export type ToSamProcess =
  | ISamStart
  | { kind: 'job'; id: number; job: SamJob; urgency?: IJobContext['urgency'] }
  | { kind: 'cancel'; id: number };

export type FromSamProcess =
  | { kind: 'device'; device: SamDevice }
  | { kind: 'progress'; id: number; stage: string; done: number; total: number; message?: string }
  /** The whole embedding, sent before the maps are made. */
  | { kind: 'embedding'; id: number; result: IEmbedResult }
  | { kind: 'result'; id: number; result: IEmbedResult | ISuggestResult | ISimilarResult | IReduceResult }
  | { kind: 'error'; id: number; code: ErrorCode; message: string };
