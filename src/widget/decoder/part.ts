/** A worker that shares the decodes of another worker: it has some rows of the image's places. */
import { IWasmEmbedding, WasmDecoder } from '../../sam';
import { FromPart, SumExchange, ToPart } from './part-messages';

type BePart = Extract<ToPart, { kind: 'be-part' }>;

export class Part {
  constructor({ kernels, graph, manifest, part, ports }: BePart) {
    this._decoder = new WasmDecoder(kernels, graph, manifest, part);
    this._sums = new SumExchange(part, ports);
  }

  async answer(message: Exclude<ToPart, BePart>): Promise<FromPart | null> {
    if (message.kind === 'part-embedding') {
      for (const key of this._embeddings.keys()) {
        if (!message.kept.includes(key)) {
          this._embeddings.delete(key);
        }
      }
      this._embeddings.set(message.key, this._decoder.prepare(message.embedding));
      return null;
    }
    const embedding = this._embeddings.get(message.key);
    if (!embedding) {
      throw new Error(`There is no embedding ${message.key}.`);
    }
    const masks = await this._sums.run(this._decoder.decodePart(embedding, message.size, message.prompts));
    return { kind: 'masks', masks };
  }

  private readonly _decoder: WasmDecoder;
  private readonly _sums: SumExchange;
  private readonly _embeddings = new Map<string, IWasmEmbedding>();
}
