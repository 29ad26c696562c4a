/** What passes between the sidecar and its compute process, by Node's own IPC with `serialization: 'advanced'`. */
import type { ArrayDescriptor, ImageInfo, PointPrompt, SamDevice } from '../../src/kernel-bridge/protocol';
import type { ErrorCode } from '../../src/kernel-bridge/errors';
import type { IModelManifest, ISize } from '../../src/sam';

/** Where the encoder may run. `auto` probes for the fastest. */
export const PROVIDERS = ['auto', 'cuda', 'webgpu', 'cpu'] as const;
export type ProviderChoice = (typeof PROVIDERS)[number];

/** The first message to the process. */
export interface IComputeStart {
  kind: 'start';
  manifest: IModelManifest;
  provider: ProviderChoice;
  /** Why that provider, where it was not the user who chose; goes before the device's note. */
  note: string;
  /** Folder of the model files; null to find the package that carries them. */
  modelsDir: string | null;
  decoderPath: string;
}

export interface IEmbedJob {
  kind: 'embed';
  image: ArrayDescriptor;
  display: ImageInfo['display'];
  slice: number;
}

export interface ISuggestJob {
  kind: 'suggest';
  embedding: Float32Array;
  size: ISize;
  points: PointPrompt[];
}

export type ComputeJob = IEmbedJob | ISuggestJob;

export interface IEmbedResult {
  embedding: Float32Array;
  device: SamDevice;
  seconds: number;
}

export interface ISuggestResult {
  lowRes: Float32Array[];
  scores: number[];
}

export type ToCompute = IComputeStart | { kind: 'job'; id: number; job: ComputeJob } | { kind: 'cancel'; id: number };

export type FromCompute =
  | { kind: 'device'; device: SamDevice }
  | { kind: 'progress'; id: number; stage: string; done: number; total: number; message?: string }
  | { kind: 'result'; id: number; result: IEmbedResult | ISuggestResult }
  | { kind: 'error'; id: number; code: ErrorCode; message: string };
