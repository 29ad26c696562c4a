/**
 * Smooths probabilities along the image's edges in ONNX: the guided filter of `engine/assembly/refine.ts`, term by term in the same order and in
 * float32, so that the results agree in every bit. The two files must change together.
 */
import { REFINE_EPSILON } from '../core/refine';
import { Graph, Value } from './graph';

/** The greatest int64: a slice to the end. */
const END = 2 ** 63 - 2 ** 10;

/**
 * Refine probabilities.
 *
 * @param probabilities float32 [pixels, classes]
 * @param guide float32 [rows, columns]
 * @returns float32 [pixels, classes]
 */
export function refined(graph: Graph, probabilities: Value, guide: Value, classes: number, radius: number): Value {
  const node = (operator: string, ...inputs: Value[]) => graph.node(operator, inputs);
  const axes = (...values: number[]) => graph.constant('int64', values);
  const counted = classes - 1;
  if (counted === 0) {
    return probabilities;
  }
  const size = graph.node('Shape', [guide]);
  // As in the kernel: pixels that are not finite, or huge, are replaced by the image's mean.
  const isSound = node('LessOrEqual', node('Abs', guide), graph.float(1e6));
  const image = node('Unsqueeze', node('Where', isSound, guide, graph.float(127.5)), axes(0));
  const areas = node(
    'Mul',
    node('Unsqueeze', windows(graph, size, 0, radius), axes(1)),
    windows(graph, size, 1, radius)
  );
  /** Means over the windows of two stacks of `count` planes each. */
  const box = (first: Value, second: Value, count: number): [Value, Value] => {
    const both = graph.node('Concat', [first, second], { axis: 0 });
    const means = node('Div', sums(graph, sums(graph, both, 1, radius), 2, radius), areas);
    const part = (begin: number) => node('Slice', means, axes(begin), axes(begin + count), axes(0));
    return [part(0), part(count)];
  };
  const [mean, square] = box(image, node('Mul', image, image), 1);
  const variance = node('Max', graph.float(0), node('Sub', square, node('Mul', mean, mean)));
  // A plane of ones: runtimes do not always divide exactly by a scalar.
  const ones = node('Expand', graph.float(1), node('Shape', variance));
  const inverse = node('Div', ones, node('Add', variance, graph.float(Math.fround(REFINE_EPSILON))));

  const byClass = graph.node('Transpose', [probabilities], { perm: { ints: [1, 0] } });
  const shape = graph.node('Concat', [axes(classes), size], { axis: 0 });
  const all = node('Reshape', byClass, shape);
  const p = node('Slice', all, axes(0), axes(counted), axes(0));
  const [level, product] = box(p, node('Mul', image, p), counted);
  const slope = node('Mul', node('Sub', product, node('Mul', mean, level)), inverse);
  const [a, b] = box(slope, node('Sub', level, node('Mul', slope, mean)), counted);
  const fitted = node('Add', node('Mul', a, image), b);

  // The last class gets what the others leave of 1; negative values are clipped, and the sum is made 1.
  const kept: Value[] = [];
  let rest = graph.float(1);
  let sum = graph.float(0);
  for (let c = 0; c < classes; c++) {
    const value = c < counted ? node('Slice', fitted, axes(c), axes(c + 1), axes(0)) : rest;
    rest = node('Sub', rest, value);
    const positive = node('Max', graph.float(0), value);
    sum = node('Add', sum, positive);
    kept.push(positive);
  }
  const shares = node('Div', graph.node('Concat', kept, { axis: 0 }), sum);
  const lines = node('Reshape', shares, axes(classes, -1));
  return graph.node('Transpose', [lines], { perm: { ints: [1, 0] } });
}

/** Sums over 2 radius + 1 neighbours along an axis of [planes, rows, columns]; pixels beyond the image count as 0. */
function sums(graph: Graph, planes: Value, axis: 1 | 2, radius: number): Value {
  const pads = axis === 1 ? [0, radius, 0, 0, radius, 0] : [0, 0, radius, 0, 0, radius];
  const wide = graph.node('Pad', [planes, graph.constant('int64', pads)], { mode: 'constant' });
  let sum: Value | undefined;
  for (let first = 0; first <= 2 * radius; first++) {
    const end = first - 2 * radius;
    const bounds = [first, end === 0 ? END : end, axis].map(value => graph.constant('int64', [value]));
    const part = graph.node('Slice', [wide, ...bounds]);
    sum = sum === undefined ? part : graph.node('Add', [sum, part]);
  }
  return sum!;
}

/** Sizes of the windows along an axis, cut off at the image's edges: float32 [pixels of the axis]. */
function windows(graph: Graph, size: Value, axis: number, radius: number): Value {
  const count = graph.node('Gather', [size, graph.constant('int64', [axis], [])], { axis: 0 });
  const number = (value: number) => graph.constant('int64', [value], []);
  const index = graph.node('Range', [number(0), count, number(1)]);
  const last = graph.node('Sub', [count, number(1)]);
  const end = graph.node('Min', [last, graph.node('Add', [index, number(radius)])]);
  const begin = graph.node('Max', [number(0), graph.node('Sub', [index, number(radius)])]);
  const length = graph.node('Add', [graph.node('Sub', [end, begin]), number(1)]);
  return graph.node('Cast', [length], { to: 1 });
}
