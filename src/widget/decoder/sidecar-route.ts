/**
 * SAM's decoder in the sidecar: the host's processor, for a round trip. Prompts with the mask of an earlier answer are not for this route: the page has
 * that mask, and would have to send it.
 */
import { inflateSync } from 'fflate';
import { BridgeError } from '../../shared/errors';
import type { DecoderManifest } from '../../shared/models';
import type { Params } from '../../shared';
import { Lru } from '../../shared/lru';
import { IPrompts, unpackLogits } from '../../sam';
import type { ISessionLink } from '../base/session-link';
import type { IDecoded, IDecoderRoute, IEmbedding } from './decoder-route';

/** The sidecar is not asked again for an embedding that it did not have for this time, in milliseconds. */
const ABSENT_MS = 5_000;
/** Time to start the thread and to prepare an embedding, in milliseconds. */
const PREPARE_MS = 20_000;
/** Embeddings that the sidecar keeps prepared. */
const PREPARED = 4;

export class SidecarRoute implements IDecoderRoute {
  constructor(private readonly _options: SidecarRoute.IOptions) {}

  readonly name = 'sidecar';

  /** How the masks of the model's answers are read. */
  manifest: DecoderManifest | null = null;

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether requests reach the sidecar now. */
  get isConnected(): boolean {
    return this._options.isConnected();
  }

  takes({ source }: IEmbedding, { mask }: Pick<IPrompts, 'mask'>): boolean {
    const absent = source && this._absent.peek(source.embedding);
    const isAbsent = absent !== null && absent !== undefined && performance.now() - absent < ABSENT_MS;
    return !this._disposed && this.manifest !== null && source !== null && !mask && !isAbsent && this.isConnected;
  }

  hasPrepared({ source }: IEmbedding): boolean {
    return source !== null && this._prepared.has(source.embedding);
  }

  async prepare(embedding: IEmbedding): Promise<void> {
    await this._ask(embedding, { points: [] }, new AbortController().signal, PREPARE_MS);
  }

  async decode(embedding: IEmbedding, prompts: IPrompts, signal: AbortSignal, limitMs: number): Promise<IDecoded> {
    const { result, buffers } = await this._ask(embedding, prompts, signal, limitMs);
    const { scores, single, prepared } = result;
    const length = this.manifest!.decoder.maskSize ** 2;
    const count = scores.length + (single === null ? 0 : 1);
    const out = new Uint8Array(count * length);
    const codes = buffers[0] && count > 0 ? inflateSync(buffers[0], { out }) : undefined;
    if (codes?.length !== out.length) {
      throw new BridgeError(
        'malformed',
        `The sidecar's masks have ${codes?.length ?? 0} bytes; ${count} of ${length} bytes will do.`
      );
    }
    const masks = unpackLogits(codes, length);
    return {
      candidates: {
        lowRes: masks.slice(0, scores.length),
        scores,
        single: single === null ? null : { lowRes: masks[scores.length]!, score: single }
      },
      prepared
    };
  }

  dispose(): void {
    this._disposed = true;
    this._end.abort();
  }

  private async _ask({ source }: IEmbedding, { points, box }: IPrompts, signal: AbortSignal, limitMs: number) {
    const { link } = this._options;
    if (!source) {
      throw new BridgeError('not-ready', 'The sidecar does not know this embedding.');
    }
    const params: Params<'sam.decode'> = {
      session: link.session,
      ...source,
      points: points.map(({ row, column, label }) => ({ row, column, label })),
      ...(box && { box })
    };
    const stop = new AbortController();
    const abort = () => stop.abort();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      abort();
    }, limitMs);
    const signals = [signal, this._end.signal];
    signals.forEach(each => (each.aborted ? abort() : each.addEventListener('abort', abort)));
    try {
      const answer = await link.request('sam.decode', params, { signal: stop.signal });
      this._prepared.set(source.embedding, true);
      return answer;
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (late && !signal.aborted && !this._disposed) {
        throw new BridgeError('compute', `The sidecar gave no answer in ${Math.round(limitMs)} ms.`);
      }
      if (error.code === 'not-ready') {
        this._prepared.delete(source.embedding);
        this._absent.set(source.embedding, performance.now());
      }
      throw error;
    } finally {
      clearTimeout(timer);
      signals.forEach(each => each.removeEventListener('abort', abort));
    }
  }

  /** Embeddings that the sidecar has prepared. */
  private readonly _prepared = new Lru<string, true>({ limit: PREPARED });
  /** When the sidecar did not have an embedding. */
  private readonly _absent = new Lru<string, number>({ limit: 32 });
  private readonly _end = new AbortController();
  private _disposed = false;
}

/** The namespace for {@link SidecarRoute}. */
export namespace SidecarRoute {
  export interface IOptions {
    link: ISessionLink;
    /** Whether requests reach the sidecar now: they would wait for it. */
    isConnected(): boolean;
  }
}
