/** SAM for tests of the sidecar: an "embedding" that counts how often it was computed, and a square around the first point. */
import { BridgeError } from '../../../../src/shared/errors';
import { DEFAULT_MODEL } from '../../../../src/shared/models';
import { IJobContext } from '../../jobs/job-context';
import { ISamService } from '../../jobs/services';

export class SmallSam implements ISamService {
  readonly device = { model: 'small', provider: 'cpu' as const, adapter: null, note: '' };
  readonly pid = null;
  readonly manifest = DEFAULT_MODEL;
  encoder = { model: 'small', digest: '0'.repeat(64) };
  /** Why no slice can be reduced, while it is set. */
  failure: BridgeError | undefined;
  /** Why this slice cannot be reduced. */
  fails = (_slice: number): BridgeError | undefined => this.failure;
  /** How many slices were reduced. */
  reduced = 0;
  /** How many embeddings were computed. */
  embedded = 0;
  /** How many were stopped. */
  stopped = 0;
  /** Embeddings wait here while it is set. */
  gate: Promise<void> | undefined;
  /** Maps wait here while it is set. */
  mapsGate: Promise<void> | undefined;

  constructor(private readonly _graph: { path: string; digest: string; bytes: number }) {}

  async decoder(): ReturnType<ISamService['decoder']> {
    return this._graph;
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

  /** Waves over the image: component k of every layer has k + 1 of them across a window. */
  async reduce(
    ...[image, , slice, spec, basis, context]: Parameters<ISamService['reduce']>
  ): ReturnType<ISamService['reduce']> {
    context.progress('embedding', 0, 1);
    await Promise.race([this.mapsGate ?? this.gate, aborted(context)]);
    if (context.signal.aborted) {
      this.stopped++;
      throw new BridgeError('cancelled', 'stopped');
    }
    const failure = this.fails(slice);
    if (failure) {
      throw failure;
    }
    const { digest } = this.encoder;
    if (basis && basis.digest !== digest) {
      throw new BridgeError('model', `The classifier sees another model, ${basis.digest.slice(0, 12)}.`);
    }
    this.reduced++;
    const [, rows, columns] = image.shape as [number, number, number];
    const cell = spec.window! / 64;
    const size = { rows: Math.ceil(rows / cell), columns: Math.ceil(columns / cell), cell };
    const layers = spec.layers.map(({ layer, components }) => ({
      layer,
      channels: components,
      components,
      mean: new Float32Array(components),
      matrix: Float32Array.from({ length: components ** 2 }, (_, i) => (i % (components + 1) === 0 ? 1 : 0))
    }));
    const maps = layers.map(({ components }) => {
      const data = new Float32Array(new SharedArrayBuffer(4 * components * size.rows * size.columns));
      const wave = (k: number, column: number) => Math.sin(((k + 1) * (column + 1)) / 10);
      data.forEach((_, i) => (data[i] = wave(Math.floor(i / (size.rows * size.columns)), i % size.columns)));
      return { data, components, ...size };
    });
    const { device } = this;
    return { basis: basis ?? { model: spec.model, digest, layers }, maps, embedding: null, device, seconds: 0.25 };
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
    // nothing to free
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
