/** SAM's decoder, as the state uses it; `src/widget/decoder` has the real one. */
import { IDisposable } from '@lumino/disposable';
import { DecoderManifest } from '../../shared';
import { ICandidates, IPrompts } from '../../sam';
import { ISize } from '../base/geometry';

/** The part of the decoder that is used here. */
export interface ISuggestionDecoder extends IDisposable {
  load(graph: Uint8Array, manifest: DecoderManifest): Promise<void>;
  setEmbedding(key: string, embedding: Uint8Array, size: ISize): void;
  useEmbedding(key: string): boolean;
  /** A kept embedding, float32 [channels, rows, columns]; null if it is not kept any more. */
  embedding(key: string): Float32Array | null;
  /** Whether points may be decoded ahead. */
  mayDecodeAhead: boolean;
  /** What SAM will probably answer to a point, at once; null if nothing like it was decoded ahead. */
  first(at: { row: number; column: number }): ICandidates | null;
  suggest(prompts: IPrompts, signal?: AbortSignal, urgent?: boolean): Promise<ICandidates>;
}
