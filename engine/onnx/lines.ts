/** The Kuwahara filter along lines and Gabor filters in ONNX. `engine/assembly/families/{kuwahara,gabor}.ts` define them and must change with this file. */
import { Plane, Planes } from './planes';

const DIRECTIONS = 10;

/**
 * The mean of the most even line through a pixel, by three criteria; the smallest mean at a tie. As in the kernel, except for the order of sums, which
 * matters for pixels that are not whole numbers.
 */
export function kuwahara(planes: Planes, source: Plane, length: number): Plane[] {
  const half = length >> 1;
  const { graph } = planes;
  const pixels = planes.widened(planes.padded(source, 2 * half));
  const squares = planes.multiply(pixels, pixels);
  const candidates: { criteria: Plane[]; mean: Plane; line: [row: number, column: number][] }[] = [];
  for (let direction = 0; direction < DIRECTIONS; direction++) {
    const line = linePixels(half, direction);
    const over = (plane: Plane) =>
      planes.sum(line.map(([row, column]) => planes.part(plane, half + row, half + column, 2 * half, 2 * half)));
    const sum = over(pixels);
    const spread = planes.subtract(planes.times(over(squares), line.length), planes.multiply(sum, sum));
    const variance = planes.over(planes.atLeast(spread, 0), line.length * line.length);
    const mean = planes.over(sum, line.length);
    const criteria = [
      variance,
      perUnit(planes, variance, planes.absolute(mean)),
      perUnit(planes, variance, planes.multiply(mean, mean))
    ].map(criterion => planes.narrowed(criterion));
    candidates.push({ criteria, mean: planes.narrowed(mean), line });
  }
  const infinity = graph.float(Infinity);
  return [0, 1, 2].map(criterion => {
    const through = candidates.flatMap(({ criteria, mean, line }) =>
      line.map(([row, column]) => ({
        own: planes.part(criteria[criterion]!, half + row, half + column),
        mean: planes.part(mean, half + row, half + column)
      }))
    );
    const least = through.map(({ own }) => own).reduce((a, b) => planes.minimum(a, b));
    return through
      .map(({ own, mean }) =>
        mean.as(graph.node('Where', [graph.node('Equal', [own.value, least.value]), mean.value, infinity]))
      )
      .reduce((a, b) => planes.minimum(a, b));
  });
}

/** variance / unit, where 0 / 0 is 0. Never divides by 0: a runtime may optimise away a tiny number that is added to the divisor. */
function perUnit(planes: Planes, variance: Plane, unit: Plane): Plane {
  const { graph } = planes;
  const [zero, one, infinity] = [0, 1, Infinity].map(value => graph.double(value)) as [string, string, string];
  const none = graph.node('Equal', [unit.value, zero]);
  const quotient = graph.node('Div', [variance.value, graph.node('Where', [none, one, unit.value])]);
  const even = graph.node('Where', [graph.node('Equal', [variance.value, zero]), zero, infinity]);
  return variance.as(graph.node('Where', [none, even, quotient]));
}

/** Pixels of a line from its centre: a column rotated by nearest neighbours. */
function linePixels(half: number, direction: number): [row: number, column: number][] {
  const angle = (direction * Math.PI) / DIRECTIONS;
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  const end = half + 3;
  const pixels: [number, number][] = [];
  for (let row = -half; row <= half; row++) {
    for (let column = -half; column <= half; column++) {
      const across = column * cosine + row * sine;
      const along = row * cosine - column * sine;
      if (Math.floor(across + 0.5) === 0 && along > -end - 0.01 && along < end + 1) {
        pixels.push([row, column]);
      }
    }
  }
  return pixels;
}

/**
 * Maximum and minimum over ten angles of the responses, of phase 0 and of π/2. By Conv, whose order of additions depends on the runtime: results differ from
 * the kernel's in the last digits of float32. As the kernels have mean 0, they are applied to differences of neighbouring pixels, by summation
 * by parts, so that an even region gives 0 at any brightness.
 */
export function gabor(planes: Planes, source: Plane, sigma: number, gamma: number, frequency: number): Plane[] {
  const { graph } = planes;
  const reach = 3 * Math.max(1, Math.floor(Math.max(sigma, sigma / gamma)));
  const side = 2 * reach + 1;
  const wide = planes.padded(source, reach);
  const steps = 2 * reach - 1;
  const middle = planes.part(wide, 0, reach, 2 * reach, 0);
  const right = planes.subtract(planes.part(wide, 0, 1, 2 * reach, steps), planes.part(wide, 0, 0, 2 * reach, steps));
  const down = planes.subtract(planes.part(middle, 1, 0, steps, 0), planes.part(middle, 0, 0, steps, 0));
  const [alongRows, alongColumns] = [right, down].map(({ value }) =>
    graph.node('Unsqueeze', [value, graph.constant('int64', [0, 1])])
  ) as [string, string];
  const kernels = Array.from({ length: DIRECTIONS }, (_, i) => gaborKernels(sigma, gamma, frequency, reach, i));
  return (['real', 'imaginary'] as const).flatMap(phase => {
    const parts = kernels.map(kernel => byParts(kernel[phase], side));
    const weights = (values: number[], rows: number, columns: number) =>
      graph.constant('float', values, [DIRECTIONS, 1, rows, columns]);
    const responses = graph.node('Add', [
      graph.node('Conv', [
        alongRows,
        weights(
          parts.flatMap(part => part.right),
          side,
          side - 1
        )
      ]),
      graph.node('Conv', [
        alongColumns,
        weights(
          parts.flatMap(part => part.down),
          side - 1,
          1
        )
      ])
    ]);
    return ['ReduceMax', 'ReduceMin'].map(operator => {
      const value = graph.node(operator, [responses], { axes: { ints: [0, 1] }, keepdims: 0 });
      return new Plane(value, wide.reach);
    });
  });
}

/**
 * Weights w of mean 0, square, as weights of differences: of v(x + 1) − v(x) in every row, and of v(y + 1) − v(y) in the middle column alone. Σ w v =
 * −Σ W (v(x + 1) − v(x)) with W the running sum of w, where the sum of w is 0; each row's sum is taken to the middle column first.
 */
export function byParts(weights: readonly number[], side: number): { right: number[]; down: number[] } {
  const middle = (side - 1) / 2;
  const right: number[] = [];
  const down: number[] = [];
  let above = 0;
  for (let row = 0; row < side; row++) {
    const line = weights.slice(row * side, (row + 1) * side);
    const sum = line.reduce((total, weight) => total + weight, 0);
    let running = 0;
    for (let column = 0; column < side - 1; column++) {
      running += line[column]! - (column === middle ? sum : 0);
      right.push(-running);
    }
    above += sum;
    if (row < side - 1) {
      down.push(-above);
    }
  }
  return { right, down };
}

/** Kernels of both phases, row by row, of mean 0 and with Σ|w| = 1. */
export function gaborKernels(
  sigma: number,
  gamma: number,
  frequency: number,
  reach: number,
  direction: number
): { real: number[]; imaginary: number[] } {
  const side = 2 * reach + 1;
  const wave = (2 * Math.PI * frequency) / side;
  const angle = (direction * Math.PI) / DIRECTIONS;
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  const pixels = Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [(i % side) - reach, Math.floor(i / side) - reach];
    const along = x * cosine + y * sine;
    const across = (y * cosine - x * sine) * gamma;
    return { phase: wave * along, g: Math.exp((-0.5 * (along * along + across * across)) / (sigma * sigma)) };
  });
  const sum = (list: readonly number[]) => list.reduce((total, value) => total + value, 0);
  const mean = sum(pixels.map(({ phase, g }) => g * Math.cos(phase))) / sum(pixels.map(({ g }) => g));
  const scaled = (list: readonly number[]) => {
    const scale = 1 / sum(list.map(Math.abs));
    return list.map(value => value * scale);
  };
  return {
    real: scaled(pixels.map(({ phase, g }) => g * (Math.cos(phase) - mean))),
    imaginary: scaled(pixels.map(({ phase, g }) => -g * Math.sin(phase)))
  };
}
