/** SAM for tests of the sidecar: an "embedding" that counts how often it was computed, and a square around the first point. */
import { BridgeError } from '../../../../src/kernel-bridge/errors';
import { IJobContext, ISamService } from '../../interfaces';

export class SmallSam implements ISamService {
  readonly device = { model: 'small', provider: 'cpu' as const, adapter: null, note: '' };
  readonly pid = null;
  /** How many embeddings were computed. */
  embedded = 0;
  /** How many were stopped. */
  stopped = 0;
  /** Embeddings wait here while it is set. */
  gate: Promise<void> | undefined;

  constructor(private readonly _graph: { path: string; digest: string; bytes: number }) {}

  async decoder(): ReturnType<ISamService['decoder']> {
    return { model: 'small', ...this._graph };
  }

  async embed(...[, , slice, context]: Parameters<ISamService['embed']>): ReturnType<ISamService['embed']> {
    context.progress('embedding', 0, 1);
    await Promise.race([this.gate, aborted(context)]);
    if (context.signal.aborted) {
      this.stopped++;
      throw new BridgeError('cancelled', 'stopped');
    }
    this.embedded++;
    const embedding = new Float32Array(256 * 64 * 64).fill(slice + 0.5);
    return { embedding, device: this.device, seconds: 0.25 };
  }

  async reduce(): Promise<never> {
    throw new BridgeError('model', 'The small model has no layers.');
  }

  async suggest(...[embedding, size, points]: Parameters<ISamService['suggest']>): ReturnType<ISamService['suggest']> {
    const { rows, columns } = size;
    const masks = new Uint8Array(3 * rows * columns);
    const point = points[0]!;
    for (let scale = 0; scale < 3; scale++) {
      masks[(scale * rows + Math.round(point.row)) * columns + Math.round(point.column)] = 1;
    }
    return { masks, scores: [embedding[0]!, 0.5, 0.25] };
  }

  async dispose(): Promise<void> {
    // nothing to let go of
  }
}

function aborted({ signal }: IJobContext): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) {
      resolve();
    }
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
