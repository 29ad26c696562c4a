/** Reduces the encoder's layers, window by window, to components (`basis.ts`). `windowed-maps.ts` puts them together to maps. */
import type { IBasisLayer } from '../../../engine/core/embedding';
import type { EmbeddingLayer } from '../../../src/shared/features';
import { encoderLayer, IPromptModel } from '../../../src/shared/models';
import { EncoderWindows, LayerGrid } from '../../../src/sam';
import { applyBasis, fitBasis, SAMPLES_MAX } from './basis';
import type { Layers } from './encoder';

/** Some windows of an image on their way. */
export class Reduction {
  /** @param _basis null to fit one to all windows that are added; their layers stay in memory until then */
  constructor(
    private readonly _windows: EncoderWindows,
    private readonly _layers: readonly EmbeddingLayer[],
    private readonly _manifest: IPromptModel,
    private readonly _basis: readonly IBasisLayer[] | null
  ) {}

  /** Add a window's layers. */
  add(index: number, layers: Layers): void {
    if (this._basis) {
      this._reduced.push(reduce(this._basis, layers));
    } else {
      this._held.set(index, layers);
    }
  }

  /** The basis, and for each window in the order of their coming the components of each layer, [components][side][side]. */
  finish(): { basis: IBasisLayer[]; windows: Float32Array[][] } {
    const basis = this._basis ?? this._layers.map(layer => this._fitLayer(layer));
    return {
      basis: [...basis],
      windows: [...this._reduced, ...[...this._held.values()].map(layers => reduce(basis, layers))]
    };
  }

  private _fitLayer({ layer, components }: EmbeddingLayer): IBasisLayer {
    const grid: LayerGrid = this._windows.layer(encoderLayer(this._manifest, layer)!.shape);
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

  private readonly _reduced: Float32Array[][] = [];
  private readonly _held = new Map<number, Layers>();
}

function reduce(basis: readonly IBasisLayer[], layers: Layers): Float32Array[] {
  return basis.map(layer => applyBasis(layer, layers.get(layer.layer)!));
}
