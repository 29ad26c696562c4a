/**
 * Standardises pixels by the image's mean and deviation, as `engine/core/intensity.ts` does, which must change with this file. They come as the input
 * `intensity`, float64 [mean, deviation]. In place of NaN the model computes them from its image, which is right for whole images but not for tiles.
 */
import { Graph, Value } from './graph';

export const INTENSITY = 'intensity';

/** Replaces pixels by (value − origin) · gain, both float64. */
export class Intensity {
  constructor(private readonly _graph: Graph) {}

  /** Whether anything was standardised. */
  get used(): boolean {
    return this._made !== undefined;
  }

  /** Standardise a plane of float64. @returns float32 */
  standardised(plane: Value): Value {
    const { origin, gain } = this._scale();
    const graph = this._graph;
    const value = graph.node('Mul', [graph.node('Sub', [plane, origin]), gain]);
    return graph.node('Cast', [value], { to: 1 });
  }

  private _scale(): { origin: Value; gain: Value } {
    if (this._made) {
      return this._made;
    }
    const graph = this._graph;
    const zero = graph.double(0);
    const pick = (index: number, otherwise: Value) => {
      const own = graph.node('Gather', [INTENSITY, graph.constant('int64', [index], [])], { axis: 0 });
      return graph.node('Where', [graph.node('IsNaN', [own]), otherwise, own]);
    };
    const image = graph.node('Cast', ['image'], { to: 11 });
    // Every comparison with NaN is false.
    const finite = graph.node('Less', [graph.node('Abs', [image]), graph.double(Infinity)]);
    const sum = (value: Value) => graph.node('ReduceSum', [value], { keepdims: 0 });
    const count = graph.node('Max', [sum(graph.node('Cast', [finite], { to: 11 })), graph.double(1)]);
    const average = (value: Value) => graph.node('Div', [sum(graph.node('Where', [finite, value, zero])), count]);
    const ownMean = average(image);
    const off = graph.node('Sub', [image, ownMean]);
    const mean = pick(0, ownMean);
    const deviation = pick(1, graph.node('Sqrt', [average(graph.node('Mul', [off, off]))]));
    const spread = graph.node('Where', [graph.node('Greater', [deviation, zero]), deviation, graph.double(1)]);
    const gain = graph.node('Div', [graph.double(42.5), spread]);
    const origin = graph.node('Sub', [mean, graph.node('Div', [graph.double(127.5), gain])]);
    return (this._made = { origin, gain });
  }

  private _made: { origin: Value; gain: Value } | undefined;
}
