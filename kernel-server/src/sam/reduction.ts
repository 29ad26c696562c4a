/** Reduces the encoder's layers, window by window, to maps over the whole image (`src/sam/encoder-windows.ts`, `basis.ts`). */
import type { IBasisLayer, ILayerMaps } from '../../../engine/core/embedding';
import type { EmbeddingLayer } from '../../../src/shared/features';
import { encoderLayer, IModelManifest } from '../../../src/shared/models';
import { EncoderWindows, LayerGrid } from '../../../src/sam';
import { applyBasis, fitBasis, SAMPLES_MAX } from './basis';
import type { Layers } from './encoder';

/** The largest number of windows that a basis is fitted to: their layers are all in memory until then. */
const FIT_WINDOWS = 9;

/** The maps of an image in the making. */
export class Reduction {
  constructor(
    readonly windows: EncoderWindows,
    private readonly _layers: readonly EmbeddingLayer[],
    manifest: IModelManifest,
    private _basis: readonly IBasisLayer[] | null
  ) {
    this._grids = _layers.map(({ layer }) => windows.layer(encoderLayer(manifest, layer)!.shape));
    this._maps = _layers.map(({ components }, i) => {
      const { rows, columns, cell } = this._grids[i]!;
      return { data: new Float32Array(components * rows * columns), components, rows, columns, cell };
    });
    const { count } = windows;
    const first = Math.min(count, FIT_WINDOWS);
    this._fit = new Set(_basis ? [] : Array.from({ length: first }, (_, i) => Math.floor(((i + 0.5) * count) / first)));
  }

  /** The order in which windows must be added: first those that the basis is fitted to. */
  get order(): number[] {
    const rest = Array.from({ length: this.windows.count }, (_, i) => i).filter(i => !this._fit.has(i));
    return [...this._fit, ...rest];
  }

  /** Add a window's layers. */
  add(index: number, layers: Layers): void {
    if (this._basis) {
      this._reduce(index, layers);
      return;
    }
    this._held.set(index, layers);
    if (this._held.size === this._fit.size) {
      this._basis = this._layers.map((layer, i) => this._fitLayer(layer, this._grids[i]!));
      for (const [held, values] of this._held) {
        this._reduce(held, values);
      }
      this._held.clear();
    }
  }

  /** The maps and their basis; all windows must have been added. */
  finish(): { basis: IBasisLayer[]; maps: ILayerMaps[] } {
    return { basis: [...this._basis!], maps: this._maps };
  }

  private _reduce(index: number, layers: Layers): void {
    this._basis!.forEach((layer, i) => {
      const { data, rows, columns, components } = this._maps[i]!;
      const grid = this._grids[i]!;
      const reduced = applyBasis(layer, layers.get(layer.layer)!);
      const cells = grid.side * grid.side;
      for (let k = 0; k < components; k++) {
        grid.add(
          index,
          reduced.subarray(k * cells, (k + 1) * cells),
          data.subarray(k * rows * columns, (k + 1) * rows * columns)
        );
      }
    });
  }

  private _fitLayer({ layer, components }: EmbeddingLayer, grid: LayerGrid): IBasisLayer {
    const inside = [...this._held].map(([index, layers]) => ({ ...grid.place(index), values: layers.get(layer)! }));
    const total = inside.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
    const count = Math.min(total, SAMPLES_MAX);
    const cells = grid.side * grid.side;
    const channels = inside[0]!.values.length / cells;
    const samples = new Float32Array(channels * count);
    let before = 0;
    let sample = 0;
    for (const { rows, columns, values } of inside) {
      for (; sample < count; sample++) {
        const at = Math.floor((sample * total) / count) - before;
        if (at >= rows * columns) {
          break;
        }
        const cell = Math.floor(at / columns) * grid.side + (at % columns);
        for (let c = 0; c < channels; c++) {
          samples[c * count + sample] = values[c * cells + cell]!;
        }
      }
      before += rows * columns;
    }
    return fitBasis(layer, samples, channels, count, components);
  }

  private readonly _grids: LayerGrid[];
  private readonly _maps: ILayerMaps[];
  private readonly _fit: ReadonlySet<number>;
  private readonly _held = new Map<number, Layers>();
}
