/** SAM's decoder, as the state uses it; `src/widget/decoder` has the real one. */
import { IDisposable } from '@lumino/disposable';
import { DecoderManifest, Rect } from '../../shared';
import { ICandidates, IPrompts } from '../../sam';
import { ISize } from '../base/geometry';

/** What the sidecar knows an embedding by, that `sam.embedding` gave. */
export interface IEmbeddingSource {
  slice: number;
  /** Absent for all that SAM sees of the slice. */
  window?: Rect;
  /** Its name. */
  embedding: string;
}

/** Where suggestions are decoded: in a worker of the page, by the sidecar, or on the GPU of the browser's computer. */
export const ROUTES = ['page', 'sidecar', 'gpu'] as const;
export type RouteName = (typeof ROUTES)[number];

/** How suggestions are decoded now. */
export interface IDecoderRoutes {
  /** The route that answers sooner. */
  serving: RouteName;
  /** Milliseconds of the last answers of each route, their median; null before there are a few. */
  medians: Record<RouteName, number | null>;
  /** How often each route has answered. */
  answers: Record<RouteName, number>;
  /** Why a route is left out, for a while or for good; null if it is not. */
  problems: Record<RouteName, string | null>;
}

/** The part of the decoder that is used here. */
export interface ISuggestionDecoder extends IDisposable {
  load(graph: Uint8Array, manifest: DecoderManifest): Promise<void>;
  /** @param source absent: the sidecar does not have it */
  setEmbedding(key: string, embedding: Uint8Array, size: ISize, source?: IEmbeddingSource): void;
  useEmbedding(key: string): boolean;
  /** A kept embedding, float32 [channels, rows, columns]; null if it is not kept any more. */
  embedding(key: string): Float32Array | null;
  /** Whether points may be decoded ahead. */
  mayDecodeAhead: boolean;
  /** What SAM will probably answer to a point, at once; null if nothing like it was decoded ahead. */
  first(at: { row: number; column: number }): ICandidates | null;
  /** How prompts are decoded now. */
  readonly routes: IDecoderRoutes;
  suggest(prompts: IPrompts, signal?: AbortSignal, urgent?: boolean): Promise<ICandidates>;
}
