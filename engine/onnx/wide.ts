/**
 * Derivatives, Laplacian and structure tensor as nodes of ONNX, in double precision: `engine/assembly/families/{derivatives,structure}.ts` once more, the same
 * terms in the same order; and the neighbours.
 */
import { Plane, Planes } from './planes';

/** How many pixels the kernel of a derivative looks to each side. */
function derivativeRadius(sigma: number, order: number): number {
  return Math.ceil((order > 1 ? 6 : 5) * sigma);
}

/** Half of the kernel of a Gaussian's derivative, to be correlated with, the centre first: Heₖ(i/σ) σ⁻ᵏ g(i), g with the sum 1. */
function derivativeKernel(sigma: number, order: number, radius: number): Float64Array {
  const half = new Float64Array(radius + 1);
  let sum = 0;
  for (let i = radius; i >= 0; i--) {
    const t = i / sigma;
    const weight = Math.exp(-0.5 * t * t);
    sum += i ? 2 * weight : weight;
    let before = 0;
    let polynomial = 1;
    for (let k = 0; k < order; k++) {
      [before, polynomial] = [polynomial, (t * polynomial - (k * before) / sigma) / sigma];
    }
    half[i] = weight * polynomial;
  }
  return half.map(weight => weight / sum);
}

/** ∂²ᵏ/∂xᵏ∂yᵏ */
export function derivative(planes: Planes, source: Plane, sigma: number, order: number): Plane {
  const kernel = derivativeKernel(sigma, order, derivativeRadius(sigma, order));
  const odd = order % 2 === 1;
  return planes.narrowed(filter(planes, planes.widened(source), kernel, odd, kernel, odd));
}

export function laplacian(planes: Planes, source: Plane, sigma: number): Plane {
  const radius = derivativeRadius(sigma, 2);
  const smooth = derivativeKernel(sigma, 0, radius);
  const second = derivativeKernel(sigma, 2, radius);
  const wide = planes.widened(source);
  const alongX = filter(planes, wide, second, false, smooth, false);
  return planes.narrowed(planes.add(alongX, filter(planes, wide, smooth, false, second, false)));
}

/** The two eigenvalues, the largest first. */
export function structureTensor(planes: Planes, source: Plane, sigma: number, integration: number): Plane[] {
  const radius = derivativeRadius(sigma, 1);
  const smooth = derivativeKernel(sigma, 0, radius);
  const first = derivativeKernel(sigma, 1, radius);
  const wide = planes.widened(source);
  const x = filter(planes, wide, first, true, smooth, false);
  const y = filter(planes, wide, smooth, false, first, true);
  const kernel = derivativeKernel(integration, 0, Math.ceil(4 * integration));
  const smoothed = (a: Plane, b: Plane) => filter(planes, planes.multiply(a, b), kernel, false, kernel, false);
  const [a, b, d] = [smoothed(x, x), smoothed(x, y), smoothed(y, y)];
  const trace = planes.add(a, d);
  const difference = planes.subtract(a, d);
  const twice = planes.add(b, b);
  const root = planes.root(planes.add(planes.multiply(difference, difference), planes.multiply(twice, twice)));
  return [planes.add(trace, root), planes.subtract(trace, root)].map(sum => planes.narrowed(planes.times(sum, 0.5)));
}

/** The pixels at the corners and sides of a square about each pixel, row by row. */
export function neighbours(planes: Planes, source: Plane, sigma: number): Plane[] {
  const distance = Math.max(1, Math.floor(sigma + 0.5));
  const wide = planes.padded(source, distance);
  return [-1, 0, 1].flatMap(down =>
    [-1, 0, 1]
      .filter(right => down || right)
      .map(right => planes.part(wide, distance * (1 + down), distance * (1 + right)))
  );
}

/** Along rows, then along columns. */
function filter(
  planes: Planes,
  plane: Plane,
  rowKernel: Float64Array,
  rowOdd: boolean,
  columnKernel: Float64Array,
  columnOdd: boolean
): Plane {
  return planes.convolve(planes.convolve(plane, rowKernel, 'rows', rowOdd), columnKernel, 'columns', columnOdd);
}
