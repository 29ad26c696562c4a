/**
 * Standardises pixels by the image's mean and deviation, as `engine/core/intensity.ts` and `compressed` in `engine/assembly/tile.ts` do, which must
 * change with this file. They come as the input `intensity`, float64 [mean, deviation]. In place of NaN the model computes them from its image, which is
 * right for whole images but not for tiles.
 */
import { EVEN, PASSES, REACH, SETTLED } from '../core/intensity';
import { Graph, Value } from './graph';

/** Standardised pixels beyond these are drawn in, by this much at most. */
const LOWEST = 127.5 - 425;
const HIGHEST = 127.5 + 425;
const ROOM = 850;

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
    const node = (operator: string, ...inputs: Value[]) => graph.node(operator, inputs);
    const value = node('Mul', node('Sub', plane, origin), gain);
    const [lowest, highest, room] = [LOWEST, HIGHEST, ROOM].map(number => graph.double(number)) as [
      Value,
      Value,
      Value
    ];
    /** How far a value that lies so much too far out is drawn in. */
    const drawn = (beyond: Value) =>
      node('Sub', room, node('Div', graph.double(ROOM * ROOM), node('Add', beyond, room)));
    const above = node('Add', highest, drawn(node('Sub', value, highest)));
    const below = node('Sub', lowest, drawn(node('Sub', lowest, value)));
    const lower = node('Where', node('Less', value, lowest), below, value);
    return graph.node('Cast', [node('Where', node('Greater', value, highest), above, lower)], { to: 1 });
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
    const node = (operator: string, ...inputs: Value[]) => graph.node(operator, inputs);
    /** Of the values under a mask. */
    const moments = (values: Value, mask: Value) => {
      const sum = (value: Value) => graph.node('ReduceSum', [value], { keepdims: 0 });
      const count = node('Max', sum(graph.node('Cast', [mask], { to: 11 })), graph.double(1));
      const average = (value: Value) => node('Div', sum(node('Where', mask, value, zero)), count);
      const mean = average(values);
      const off = node('Sub', values, mean);
      return { mean, deviation: node('Sqrt', average(node('Mul', off, off))), count };
    };
    const plain = moments(image, finite);
    const known = node('Where', finite, image, plain.mean);
    const least = graph.node('ReduceMin', [known], { keepdims: 0 });
    const most = graph.node('ReduceMax', [known], { keepdims: 0 });
    const times = (value: Value, factor: number) => node('Mul', value, graph.double(factor));
    const bounds = (mean: Value, deviation: Value) => {
      const reach = times(deviation, REACH);
      return { low: node('Sub', mean, reach), high: node('Add', mean, reach) };
    };
    /** Whether a value lies outside of the bounds. */
    const outside = ({ low, high }: ReturnType<typeof bounds>) =>
      node('Or', node('Less', least, low), node('Greater', most, high));
    const yes = graph.constant('bool', [1], []);
    const [robustMean, robustDeviation, , , varied] = graph.loop(
      PASSES,
      outside(bounds(plain.mean, plain.deviation)),
      [
        { type: 'double', value: plain.mean },
        { type: 'double', value: plain.deviation },
        { type: 'double', value: plain.count },
        { type: 'bool', value: yes },
        { type: 'bool', value: yes }
      ],
      ([mean, deviation, count, exclude]) => {
        const { low, high } = bounds(mean!, deviation!);
        const clamped = node('Min', high, node('Max', low, image));
        const counts = node('Or', node('Equal', clamped, image), node('Not', exclude!));
        const next = moments(clamped, node('And', finite, counts));
        const change = (a: Value, b: Value) => node('Abs', node('Sub', a, b));
        const most = node('Max', change(next.mean, mean!), change(next.deviation, deviation!));
        const small = node('LessOrEqual', most, times(deviation!, SETTLED));
        const settled = node('And', small, node('Not', exclude!));
        const varies = node('Greater', next.deviation, times(node('Abs', next.mean), EVEN));
        const goesOn = node('And', node('Not', settled), outside(bounds(next.mean, next.deviation)));
        return {
          condition: node('And', varies, goesOn),
          values: [
            next.mean,
            next.deviation,
            next.count,
            node('And', exclude!, node('Less', next.count, count!)),
            varies
          ]
        };
      }
    ) as [Value, Value, Value, Value, Value];
    const mean = pick(0, node('Where', varied, robustMean, plain.mean));
    const deviation = pick(1, node('Where', varied, robustDeviation, plain.deviation));
    const spread = graph.node('Where', [graph.node('Greater', [deviation, zero]), deviation, graph.double(1)]);
    const gain = graph.node('Div', [graph.double(42.5), spread]);
    const origin = graph.node('Sub', [mean, graph.node('Div', [graph.double(127.5), gain])]);
    return (this._made = { origin, gain });
  }

  private _made: { origin: Value; gain: Value } | undefined;
}
