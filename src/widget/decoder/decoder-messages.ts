/** The messages between the page and the decoder's worker. */
import type { DecoderManifest } from '../../shared';
import type { ICandidates, IPrompts, ISize } from '../../sam';

/** Embeddings of slices and of windows that the page keeps, 2 MB each; and the worker, with what the decoder computes of each: those used last. */
export const EMBEDDINGS_KEPT = 24;
export const EMBEDDINGS_PREPARED = 4;

export type ToDecoderWorker =
  /** `kernels`: whether our own kernels may run the decoder; else its graph does. */
  | { kind: 'load'; id: number; graph: Uint8Array; manifest: DecoderManifest; kernels: boolean }
  | { kind: 'embedding'; id: number; key: string; halves: Uint8Array; size: ISize }
  | { kind: 'suggest'; id: number; key: string; prompts: IPrompts };

export type FromDecoderWorker =
  { kind: 'done'; id: number; candidates?: ICandidates } | { kind: 'error'; id: number; message: string };
