/** What the sidecar and the decoder's thread say to each other. */
import type { IPrompts, ISize } from '../../../src/sam';
import type { DecoderManifest } from '../../../src/shared/models';
import type { ErrorCode } from '../../../src/shared/errors';

/** The model of a thread, and the files of our kernels; given to it when it starts. */
export interface IDecoderModel {
  /** Of the decoder's graph. */
  path: string;
  manifest: DecoderManifest;
  /** Those with relaxed SIMD, which not all versions of Node take, and the plain ones. */
  kernels: { relaxed: string; plain: string };
}

export interface IDecodeTask {
  id: number;
  /** Name of the embedding. */
  key: string;
  size: ISize;
  /** Null: only prepare the embedding. */
  prompts: IPrompts | null;
  /** Float32 [channels, rows, columns]; absent if the thread may have it. */
  embedding?: Float32Array;
}

/** Masks as they go to the page; see `sam.decode`. */
export interface IPackedAnswer {
  /** Absent if no prompts were given. */
  masks?: Uint8Array;
  scores: number[];
  single: number | null;
  prepared: boolean;
}

export type DecodeReply =
  | ({ kind: 'done'; id: number } & IPackedAnswer)
  /** The thread does not have the embedding. */
  | { kind: 'missing'; id: number }
  /** The kernels do not understand the model's file, or are slower than the graph for so many points. */
  | { kind: 'refused'; id: number }
  | { kind: 'error'; id: number; code: ErrorCode; message: string };
