/**
 * SAM's decoder on our own kernels, shared by several workers where the host has several cores. Pages of Jupyter are not isolated from other origins, so
 * they have no memory that threads could share; the workers exchange messages of a few kilobytes instead (`src/sam/decoder-parts.ts`).
 */
import { encodePrompts, ICandidates, IPartMasks, IPrompts, ISize, IWasmEmbedding, WasmDecoder } from '../../sam';
import type { DecoderManifest } from '../../shared/models';
import { FromPart, SumExchange, ToPart } from './part-messages';

/** More workers gain little: what each computes of the tokens is the same. */
const PARTS_MAX = 4;
/** A worker that says nothing for this long is given up, in milliseconds. */
const SILENCE_MS = 10_000;

/** How many workers share a decode on a host of as many logical cores. Two of them are often one real core. */
export function partsFor(cores: number): number {
  return cores < 4 ? Math.min(2, Math.max(1, cores)) : Math.min(PARTS_MAX, Math.floor(cores / 2));
}

/** The part of a web worker that is used here. */
export interface IPartWorker {
  postMessage(message: ToPart, transfer?: Transferable[]): void;
  terminate(): void;
  onmessage: ((event: MessageEvent<FromPart>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
}

/** An embedding, as the instance in this worker has it. */
export interface ISharedEmbedding {
  readonly key: string;
  readonly embedding: Float32Array;
  prepared: { decoder: WasmDecoder; image: IWasmEmbedding } | undefined;
}

export class SharedDecoder {
  /**
   * Start the workers. Where they do not start, one instance in this worker decodes alone.
   *
   * @param kernels the kernels' file for this host
   * @param createWorker starts a worker that takes {@link ToPart}
   * @throws RangeError if our kernels do not take the model's file
   */
  static async start(
    kernels: BufferSource,
    graph: Uint8Array,
    manifest: DecoderManifest,
    count: number,
    createWorker: () => IPartWorker
  ): Promise<SharedDecoder> {
    const module = await WebAssembly.compile(kernels);
    const decoder = new SharedDecoder(() => new WasmDecoder(module, graph, manifest), manifest);
    if (count > 1) {
      try {
        await decoder._startTeam(module, graph, count, createWorker);
        return decoder;
      } catch (error) {
        decoder._giveUp(error);
      }
    }
    decoder._whole();
    return decoder;
  }

  private constructor(
    private readonly _alone: () => WasmDecoder,
    private readonly _manifest: DecoderManifest
  ) {}

  /** How many workers share a decode. */
  get parts(): number {
    return this._own?.part.count ?? 1;
  }

  takes(prompts: IPrompts): boolean {
    return this._decoder.takes(prompts);
  }

  /**
   * Take an embedding.
   *
   * @param kept the names of the embeddings that are still needed, with this one
   */
  prepare(key: string, embedding: Float32Array, kept: readonly string[]): ISharedEmbedding {
    this._team?.workers.forEach(worker => worker.postMessage({ kind: 'part-embedding', key, embedding, kept }));
    const image: ISharedEmbedding = { key, embedding, prepared: undefined };
    this._prepared(image);
    return image;
  }

  /**
   * Decode prompts; one call at a time.
   *
   * @throws RangeError for prompts that {@link encodePrompts} refuses
   */
  async decode(image: ISharedEmbedding, size: ISize, prompts: IPrompts): Promise<ICandidates> {
    encodePrompts(prompts, size, this._manifest); // before other workers begin
    const team = this._team;
    if (team) {
      try {
        const own = this._prepared(image);
        const others = team.workers.map((worker, i) => {
          const masks = team.masks(i);
          worker.postMessage({ kind: 'part-decode', key: image.key, size, prompts });
          return masks;
        });
        const mine = team.sums.run(this._decoder.decodePart(own, size, prompts));
        const all = await Promise.race([Promise.all([mine, ...others]), team.failed]);
        return this._decoder.candidates(all, size);
      } catch (error) {
        this._giveUp(error);
      }
    }
    return this._whole().decode(this._prepared(image), size, prompts);
  }

  stop(): void {
    this._team?.stop();
    this._team = undefined;
  }

  private async _startTeam(
    kernels: WebAssembly.Module,
    graph: Uint8Array,
    count: number,
    createWorker: () => IPartWorker
  ): Promise<void> {
    const team = new Team(count, createWorker);
    this._team = team;
    const started = team.start(kernels, graph, this._manifest);
    // Meanwhile this worker reads the model as well.
    this._own = new WasmDecoder(kernels, graph, this._manifest, { index: 0, count });
    await started;
  }

  private _giveUp(error: unknown): void {
    console.warn('SambaLab: one worker decodes SAM’s prompts alone.', error);
    this.stop();
    this._own = undefined;
  }

  private _whole(): WasmDecoder {
    return (this._own ??= this._alone());
  }

  private get _decoder(): WasmDecoder {
    return this._own ?? this._whole();
  }

  private _prepared(image: ISharedEmbedding): IWasmEmbedding {
    const decoder = this._decoder;
    if (image.prepared?.decoder !== decoder) {
      image.prepared = { decoder, image: decoder.prepare(image.embedding) };
    }
    return image.prepared.image;
  }

  private _own: WasmDecoder | undefined;
  private _team: Team | undefined;
}

/** The other workers of a decoder. */
class Team {
  constructor(
    readonly count: number,
    createWorker: () => IPartWorker
  ) {
    this.failed = new Promise((_, reject) => (this._fail = reject));
    this.failed.catch(() => undefined); // who waits for a decode hears of it
    this.workers = Array.from({ length: count - 1 }, createWorker);
    this.workers.forEach((worker, i) => {
      worker.onmessage = ({ data }) => this._heard(i, data);
      worker.onerror = event => {
        event.preventDefault(); // or this worker fails with it
        this._fail(new Error(event.message || 'A worker could not start.'));
      };
    });
  }

  readonly workers: IPartWorker[];
  /** Rejects when a worker has failed; never resolves. */
  readonly failed: Promise<never>;
  sums!: SumExchange;

  async start(kernels: WebAssembly.Module, graph: Uint8Array, manifest: DecoderManifest): Promise<void> {
    const { count } = this;
    const ports = Array.from({ length: count }, () => Array<MessagePort | null>(count).fill(null));
    for (let a = 0; a < count; a++) {
      for (let b = a + 1; b < count; b++) {
        const { port1, port2 } = new MessageChannel();
        ports[a]![b] = port1;
        ports[b]![a] = port2;
      }
    }
    this.sums = new SumExchange({ index: 0, count }, ports[0]!);
    const ready = this.workers.map((worker, i) => {
      const own = ports[i + 1]!;
      const begun = this._next(i);
      const part = { index: i + 1, count };
      worker.postMessage(
        { kind: 'be-part', kernels, graph, manifest, part, ports: own },
        own.filter(port => port !== null)
      );
      return begun;
    });
    await Promise.race([Promise.all(ready), this.failed]);
  }

  /** The masks of the next decode of a worker. */
  async masks(index: number): Promise<IPartMasks> {
    const message = await this._next(index);
    if (message.kind !== 'masks') {
      throw new Error(`A worker answered "${message.kind}" to a decode.`);
    }
    return message.masks;
  }

  stop(): void {
    this._waiting.forEach(({ timer }) => clearTimeout(timer));
    this.workers.forEach(worker => worker.terminate());
    this.sums?.close();
  }

  private _next(index: number): Promise<FromPart> {
    return new Promise(resolve => {
      const timer = setTimeout(() => this._fail(new Error('A worker does not answer.')), SILENCE_MS);
      this._waiting.set(index, { resolve, timer });
    });
  }

  private _heard(index: number, message: FromPart): void {
    if (message.kind === 'error') {
      this._fail(new Error(message.message));
      return;
    }
    const waiting = this._waiting.get(index);
    this._waiting.delete(index);
    clearTimeout(waiting?.timer);
    waiting?.resolve(message);
  }

  private _fail!: (error: Error) => void;
  private readonly _waiting = new Map<
    number,
    { resolve(message: FromPart): void; timer: ReturnType<typeof setTimeout> }
  >();
}
