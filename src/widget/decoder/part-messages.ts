/** The messages between the decoder's worker and the workers that share its decodes. */
import type { IDecoderPart, IPartMasks, IPrompts, ISize } from '../../sam';
import type { DecoderManifest } from '../../shared/models';

export type ToPart =
  | {
      kind: 'be-part';
      kernels: WebAssembly.Module;
      graph: Uint8Array;
      manifest: DecoderManifest;
      part: IDecoderPart;
      /** To the other parts, by their indices; null at its own. */
      ports: (MessagePort | null)[];
    }
  /** `kept`: the embeddings that are still needed. */
  | { kind: 'part-embedding'; key: string; embedding: Float32Array; kept: readonly string[] }
  | { kind: 'part-decode'; key: string; size: ISize; prompts: IPrompts };

/** What a part says to the worker that started it. */
export type FromPart = { kind: 'ready' } | { kind: 'masks'; masks: IPartMasks } | { kind: 'error'; message: string };

/** Sends an instance's sums to the others, and waits for theirs. Ports keep the order, and all instances take part in every decode. */
export class SumExchange {
  constructor(
    private readonly _part: IDecoderPart,
    private readonly _ports: readonly (MessagePort | null)[]
  ) {
    this._arrived = _ports.map(() => []);
    this._waiting = _ports.map(() => undefined);
    _ports.forEach((port, index) => {
      if (port) {
        port.onmessage = ({ data }: MessageEvent<Float32Array>) => this._take(index, data);
      }
    });
  }

  /** Carry out an instance's work. */
  async run<T>(work: Generator<Float32Array, T, readonly Float32Array[]>): Promise<T> {
    for (let step = work.next(); ;) {
      if (step.done) {
        return step.value;
      }
      const own = step.value;
      this._ports.forEach(port => port?.postMessage(own));
      const all = await Promise.all(this._ports.map((_, i) => (i === this._part.index ? own : this._next(i))));
      step = work.next(all);
    }
  }

  close(): void {
    this._ports.forEach(port => port?.close());
  }

  private _next(index: number): Float32Array | Promise<Float32Array> {
    return this._arrived[index]!.shift() ?? new Promise(resolve => (this._waiting[index] = resolve));
  }

  private _take(index: number, sums: Float32Array): void {
    const waiting = this._waiting[index];
    this._waiting[index] = undefined;
    if (waiting) {
      waiting(sums);
    } else {
      this._arrived[index]!.push(sums);
    }
  }

  private readonly _arrived: Float32Array[][];
  private readonly _waiting: (((sums: Float32Array) => void) | undefined)[];
}
