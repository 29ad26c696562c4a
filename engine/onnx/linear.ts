/**
 * Gaussians, Sobel, Hessians and differences of Gaussians in ONNX: the terms of `engine/assembly/gaussian-kernel.ts`, `smoothed.ts`,
 * `derivative-planes.ts` and `families/{gaussian,edges}.ts` in the same order. These files must change with this one.
 */
import { Plane, Planes, reachOf } from './planes';

/** Smoothed planes and their derivatives, each made once. */
export class Smoothed {
  constructor(
    private readonly _planes: Planes,
    private readonly _source: Plane
  ) {}

  gaussian(sigma: number): Plane {
    return this._planes.narrowed(this._wide(sigma));
  }

  /** The narrower Gaussian less the wider one. */
  difference(small: number, large: number): Plane {
    return this._planes.narrowed(this._planes.subtract(this._wide(small), this._wide(large)));
  }

  /** Kx and Ky of the Gaussian. */
  derivatives(sigma: number): { x: Plane; y: Plane } {
    return once(this._derivatives, sigma, () => {
      const plane = this._wide(sigma);
      return { x: this._planes.narrowed(this._kx(plane)), y: this._planes.narrowed(this._ky(plane)) };
    });
  }

  sobel(sigma: number): Plane {
    const { x, y } = this.derivatives(sigma);
    const planes = this._planes;
    return planes.root(planes.add(planes.multiply(x, x), planes.multiply(y, y)));
  }

  /** a = Kx⋆sx, b = Ky⋆sx, d = Ky⋆sy. */
  second(sigma: number): { a: Plane; b: Plane; d: Plane } {
    return once(this._seconds, sigma, () => {
      const { x, y } = this.derivatives(sigma);
      return { a: this._kx(x), b: this._ky(x), d: this._ky(y) };
    });
  }

  /** Module, trace, determinant and the two eigenvalues. */
  hessian(sigma: number): Plane[] {
    const { a, b, d } = this.second(sigma);
    const planes = this._planes;
    const bb = planes.multiply(b, b);
    const trace = planes.add(a, d);
    const root = planes.root(this._discriminant(sigma));
    return [
      planes.root(planes.add(planes.add(planes.multiply(a, a), bb), planes.multiply(d, d))),
      trace,
      planes.subtract(planes.multiply(a, d), bb),
      planes.times(planes.add(trace, root), 0.5),
      planes.times(planes.subtract(trace, root), 0.5)
    ];
  }

  /** ½ atan2(2b, a − d), (a + d)² D and D = (a − d)² + 4b². */
  hessianOrientation(sigma: number): Plane[] {
    const { a, b, d } = this.second(sigma);
    const planes = this._planes;
    const trace = planes.add(a, d);
    const squared = this._discriminant(sigma);
    return [
      halfAngle(planes, b, planes.subtract(a, d)),
      planes.multiply(planes.multiply(trace, trace), squared),
      squared
    ];
  }

  /** The source smoothed in double precision. */
  private _wide(sigma: number): Plane {
    return once(this._gaussians, sigma, () => {
      const source = this._planes.widened(this._source);
      if (sigma === 0) {
        return source;
      }
      const half = gaussianKernel(sigma);
      return this._planes.convolve(this._planes.convolve(source, half, 'rows'), half, 'columns');
    });
  }

  private _discriminant(sigma: number): Plane {
    return once(this._discriminants, sigma, () => {
      const { a, b, d } = this.second(sigma);
      const planes = this._planes;
      const difference = planes.subtract(a, d);
      return planes.add(planes.multiply(difference, difference), planes.times(planes.multiply(b, b), 4));
    });
  }

  /** [1 2 1; 0 0 0; −1 −2 −1] */
  private _kx(plane: Plane): Plane {
    const planes = this._planes;
    const wide = planes.padded(plane, 1);
    const at = (column: number) => planes.part(wide, 0, column, 2, 0);
    const lines = planes.add(planes.add(at(0), at(2)), planes.times(at(1), 2));
    return planes.subtract(planes.part(lines, 0, 0), planes.part(lines, 2, 0));
  }

  /** [1 0 −1; 2 0 −2; 1 0 −1] */
  private _ky(plane: Plane): Plane {
    const planes = this._planes;
    const wide = planes.padded(plane, 1);
    const at = (row: number) => planes.part(wide, row, 0, 0, 2);
    const lines = planes.add(planes.add(at(0), at(2)), planes.times(at(1), 2));
    return planes.subtract(planes.part(lines, 0, 0), planes.part(lines, 0, 2));
  }

  private readonly _gaussians = new Map<number, Plane>();
  private readonly _derivatives = new Map<number, { x: Plane; y: Plane }>();
  private readonly _seconds = new Map<number, { a: Plane; b: Plane; d: Plane }>();
  private readonly _discriminants = new Map<number, Plane>();
}

/** Half of a Gaussian's kernel, its centre first; the whole has the sum 1. */
function gaussianKernel(sigma: number): number[] {
  const radius = Math.ceil(4 * sigma);
  const weights = Array.from({ length: radius + 1 }, (_, i) => Math.exp((-0.5 * (i * i)) / (sigma * sigma)));
  const sum = weights.reduce((total, weight, i) => total + (i ? 2 * weight : weight), 0);
  return weights.map(weight => weight / sum);
}

/** The polynomial of `arcTangent` in `engine/assembly/derivative-planes.ts`, the highest power first. */
const ARC = [
  0.00276628, -0.01573125, 0.04213762, -0.07456855, 0.10618371, -0.14197798, 0.19991872, -0.33333037, 0.99999998
];

/** ½ atan2(2b, difference) in float32 by the kernels' polynomial, since ONNX's arc tangent has other last bits. */
function halfAngle(planes: Planes, b: Plane, difference: Plane): Plane {
  const { graph } = planes;
  const op = (operator: string, ...inputs: string[]) => graph.node(operator, inputs);
  const number = (value: number) => graph.float(value);
  const y = op('Add', b.value, b.value);
  const x = difference.value;
  const [tall, broad] = [op('Abs', y), op('Abs', x)];
  const larger = op('Max', tall, broad);
  const none = op('Equal', larger, number(0));
  const r = op('Div', op('Min', tall, broad), op('Where', none, number(1), larger));
  const square = op('Mul', r, r);
  const [highest, ...rest] = ARC;
  const sum = rest.reduce((p, term) => op('Add', op('Mul', p, square), number(term)), number(highest!));
  const angle = op('Mul', r, sum);
  const steep = op('Where', op('Greater', tall, broad), op('Sub', number(Math.PI / 2), angle), angle);
  const back = op('Where', op('Less', x, number(0)), op('Sub', number(Math.PI), steep), steep);
  const signed = op('Where', op('Less', y, number(0)), op('Neg', back), back);
  return new Plane(op('Mul', signed, number(0.5)), reachOf([b, difference]));
}

/** The value of a key; makes it on first use. */
export function once<K, T>(map: Map<K, T>, key: K, make: () => T): T {
  let found = map.get(key);
  if (found === undefined) {
    found = make();
    map.set(key, found);
  }
  return found;
}
