/**
 * Derivatives, Laplacian, structure tensor and neighbours in ONNX, in double precision: the terms of
 * `engine/assembly/families/{derivatives,structure,neighbours}.ts` in the same order. These files must change with this one.
 */
import { once } from './linear';
import { Plane, Planes } from './planes';

/** Standard deviation of the first Gaussian for large σ, and its radius. */
const BASE_SIGMA = 4;
const BASE_RADIUS = 20;

/** Pixels between the weights of a derivative's kernel; 1 needs no first Gaussian. */
function spacingOf(sigma: number): number {
  return sigma < 6 ? 1 : sigma < 12 ? 3 : 4;
}

/** Half of the kernel of a Gaussian's derivative, to be correlated with, the centre first: Heₖ(t) σ⁻ᵏ g(t), g with the sum 1. */
function derivativeKernel(sigma: number, order: number, radius: number, spacing = 1): Float64Array {
  const half = new Float64Array(radius + 1);
  let sum = 0;
  for (let i = radius; i >= 0; i--) {
    const t = (i * spacing) / sigma;
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

/** Derivatives of a smoothed image, each made once. */
export class Derivatives {
  constructor(
    private readonly _planes: Planes,
    private readonly _source: Plane
  ) {}

  /** ∂²ᵏ/∂xᵏ∂yᵏ */
  mixed(sigma: number, order: number): Plane {
    return this._planes.narrowed(this._derivative(sigma, order, order));
  }

  laplacian(sigma: number): Plane {
    return this._planes.narrowed(this._planes.add(this._derivative(sigma, 2, 0), this._derivative(sigma, 0, 2)));
  }

  /** The two eigenvalues of the structure tensor, the largest first. */
  structureTensor(sigma: number, integration: number): Plane[] {
    const planes = this._planes;
    const [x, y] = [this._derivative(sigma, 1, 0), this._derivative(sigma, 0, 1)];
    const kernel = derivativeKernel(integration, 0, Math.ceil(4 * integration));
    const smoothed = (one: Plane, other: Plane) =>
      planes.convolve(planes.convolve(planes.multiply(one, other), kernel, 'rows'), kernel, 'columns');
    const [a, b, d] = [smoothed(x, x), smoothed(x, y), smoothed(y, y)];
    const trace = planes.add(a, d);
    const difference = planes.subtract(a, d);
    const twice = planes.add(b, b);
    const root = planes.root(planes.add(planes.multiply(difference, difference), planes.multiply(twice, twice)));
    return [planes.add(trace, root), planes.subtract(trace, root)].map(sum => planes.narrowed(planes.times(sum, 0.5)));
  }

  private _derivative(sigma: number, orderX: number, orderY: number): Plane {
    return once(this._made, `${sigma} ${orderX} ${orderY}`, () => {
      const spacing = spacingOf(sigma);
      const own = spacing > 1 ? Math.sqrt(sigma * sigma - BASE_SIGMA * BASE_SIGMA) : sigma;
      const radius = Math.ceil(((Math.max(orderX, orderY) > 2 ? 7 : 6) * own) / spacing);
      const from = spacing > 1 ? this._base(radius * spacing) : this._padded(radius);
      const kernel = (order: number) => derivativeKernel(own, order, radius, spacing);
      const along = this._planes.correlate(from, kernel(orderX), 'rows', orderX % 2 === 1, spacing);
      return this._planes.correlate(along, kernel(orderY), 'columns', orderY % 2 === 1, spacing);
    });
  }

  /** The smoothed image with a margin; the margin is the image's margin, smoothed. */
  private _base(margin: number): Plane {
    return once(this._made, `base ${margin}`, () => {
      const half = derivativeKernel(BASE_SIGMA, 0, BASE_RADIUS);
      const along = this._planes.correlate(this._padded(BASE_RADIUS + margin), half, 'rows');
      return this._planes.correlate(along, half, 'columns');
    });
  }

  private _padded(margin: number): Plane {
    return this._planes.padded(this._planes.widened(this._source), margin);
  }

  private readonly _made = new Map<string, Plane>();
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
