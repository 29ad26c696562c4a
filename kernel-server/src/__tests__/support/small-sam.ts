/** SAM for tests of the sidecar: an "embedding" that counts how often it was computed, and a square around the first point. */
import { BridgeError } from '../../../../src/shared/errors';
import { DEFAULT_MODEL, encoderLayer } from '../../../../src/shared/models';
import { EncoderWindows } from '../../../../src/sam';
import { rectOf } from '../../../../src/shared/region';
import { IJobContext } from '../../jobs/job-context';
import { ISamService } from '../../jobs/services';

export class SmallSam implements ISamService {
  readonly device = { model: 'small', provider: 'cpu' as const, adapter: null, note: '' };
  readonly pid = null;
  readonly manifest = DEFAULT_MODEL;
  readonly problem = null;
  encoder = { model: 'small', digest: '0'.repeat(64) };
  /** Why no slice can be reduced, while it is set. */
  failure: BridgeError | undefined;
  /** Why this slice cannot be reduced. */
  fails = (_slice: number): BridgeError | undefined => this.failure;
  /** How many windows were reduced. */
  reduced = 0;
  /** How many embeddings and maps were begun. */
  begun = 0;
  /** How many embeddings were computed. */
  embedded = 0;
  /** How many were stopped. */
  stopped = 0;
  /** Embeddings wait here while it is set. */
  gate: Promise<void> | undefined;
  /** Maps wait here while it is set. */
  mapsGate: Promise<void> | undefined;
  /** Maps of several views wait here while it is set. */
  viewsGate: Promise<void> | undefined;

  constructor(private readonly _graph: { path: string; digest: string; bytes: number }) {}

  async decoder(): ReturnType<ISamService['decoder']> {
    return this._graph;
  }

  async embed(...[, , slice, context]: Parameters<ISamService['embed']>): ReturnType<ISamService['embed']> {
    await this._begin(context, this.gate);
    this.embedded++;
    const embedding = new Float32Array(256 * 64 * 64).fill(slice + 0.5);
    return { embedding, device: this.device, seconds: 0.25 };
  }

  checkSpec(): void {
    // it has all layers
  }

  /** Waves over the image: component k of every layer has k + 1 of them across a window. */
  async reduce(
    ...[image, , slice, spec, basis, windows, context, , within]: Parameters<ISamService['reduce']>
  ): ReturnType<ISamService['reduce']> {
    await this._begin(context, (spec.views > 1 ? this.viewsGate : undefined) ?? this.mapsGate ?? this.gate);
    const failure = this.fails(slice);
    if (failure) {
      throw failure;
    }
    const { digest } = this.encoder;
    if (basis && basis.digest !== digest) {
      throw new BridgeError('model', `The classifier sees another model, ${basis.digest.slice(0, 12)}.`);
    }
    this.reduced += windows.length;
    const { row0, row1, column0, column1 } = within ?? rectOf(null, image.shape);
    const size = { rows: row1 - row0, columns: column1 - column0 };
    const all = new EncoderWindows(size, spec.window!, this.manifest);
    const layers = spec.layers.map(({ layer, components }) => ({
      layer,
      channels: components,
      components,
      mean: new Float32Array(components),
      matrix: Float32Array.from({ length: components ** 2 }, (_, i) => (i % (components + 1) === 0 ? 1 : 0))
    }));
    const wave = (k: number, column: number) => Math.sin(((k + 1) * (column + 1)) / 10);
    const waves = windows.map(index =>
      layers.map(({ layer, components }) => {
        const grid = all.layer(encoderLayer(this.manifest, layer)!.shape);
        const { side } = grid;
        const { column } = grid.place(index);
        const at = (i: number) => wave(Math.floor(i / side ** 2), ((column + (i % side)) * grid.cell) / all.cell);
        return Float32Array.from({ length: components * side ** 2 }, (_, i) => at(i));
      })
    );
    const { device } = this;
    const used = basis ?? { model: spec.model, digest, layers };
    return { basis: used, windows: waves, embedding: null, device, seconds: 0.25 };
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

  /** The same everywhere. */
  async decode(): ReturnType<ISamService['decode']> {
    const lowRes = Array.from({ length: 3 }, () => new Float32Array(this.manifest.decoder.maskSize ** 2).fill(1));
    return { lowRes, scores: [0.5, 0.5, 0.5], single: null };
  }

  /** No object. */
  async similar(): ReturnType<ISamService['similar']> {
    return [];
  }

  async dispose(): Promise<void> {
    // nothing to free
  }

  private async _begin(context: IJobContext, gate: Promise<void> | undefined): Promise<void> {
    this.begun++;
    context.progress('embedding', 0, 1);
    await Promise.race([gate, aborted(context)]);
    if (context.signal.aborted) {
      this.stopped++;
      throw new BridgeError('cancelled', 'stopped');
    }
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
