/** A way to SAM's decoder: the page's own worker, or the sidecar. */
import { IDisposable } from '@lumino/disposable';
import type { ICandidates, IPrompts, ISize } from '../../sam';
import type { IEmbeddingSource, RouteName } from '../state/suggestion-decoder';

/** An embedding that prompts are decoded on. */
export interface IEmbedding {
  /** Names it in the page. */
  key: string;
  /** Float16 [channels, rows, columns], as bytes. */
  halves: Uint8Array;
  /** Of its image. */
  size: ISize;
  /** What the sidecar knows it by; null if the sidecar does not have it. */
  source: IEmbeddingSource | null;
}

/** An answer. */
export interface IDecoded {
  candidates: ICandidates;
  /** Whether the route had prepared the embedding before: else its time says nothing about the next one. */
  prepared: boolean;
}

export interface IDecoderRoute extends IDisposable {
  readonly name: RouteName;
  /** Whether the route can be asked now for prompts with or without a mask on this embedding. */
  takes(embedding: IEmbedding, prompts: Pick<IPrompts, 'mask'>): boolean;
  /** Whether the embedding was prepared, and is probably still kept. */
  hasPrepared(embedding: IEmbedding): boolean;
  /** Prepare an embedding that prompts will probably follow for. */
  prepare(embedding: IEmbedding): Promise<void>;
  /**
   * Decode prompts.
   *
   * @param limitMs after so many milliseconds a route that may be lost gives up
   * @throws BridgeError `cancelled` when the signal is aborted; `not-ready` or `invalid` where another route may serve though this one is well;
   * others if the route failed.
   */
  decode(embedding: IEmbedding, prompts: IPrompts, signal: AbortSignal, limitMs: number): Promise<IDecoded>;
}
