/** Reference for tests: the features in double precision on whole images, pixel by pixel. */

/** An image as a function of row and column that repeats its edge. */
export class Plain {
  constructor(
    readonly rows: number,
    readonly columns: number,
    readonly data: Float64Array
  ) {}

  static from(rows: number, columns: number, value: (row: number, column: number) => number): Plain {
    const data = new Float64Array(rows * columns);
    for (let i = 0; i < data.length; i++) {
      data[i] = value(Math.floor(i / columns), i % columns);
    }
    return new Plain(rows, columns, data);
  }

  at(row: number, column: number): number {
    const r = Math.min(this.rows - 1, Math.max(0, row));
    const c = Math.min(this.columns - 1, Math.max(0, column));
    return this.data[r * this.columns + c]!;
  }

  /** Correlate with a kernel given by its rows, odd in both directions. */
  correlate(kernel: number[][]): Plain {
    const half = [(kernel.length - 1) / 2, (kernel[0]!.length - 1) / 2] as const;
    const terms = kernel
      .flatMap((weights, i) => weights.map((weight, j) => ({ weight, row: i - half[0], column: j - half[1] })))
      .filter(({ weight }) => weight !== 0);
    return Plain.from(this.rows, this.columns, (row, column) => {
      let sum = 0;
      for (const term of terms) {
        sum += term.weight * this.at(row + term.row, column + term.column);
      }
      return sum;
    });
  }

  with(other: Plain, combine: (a: number, b: number) => number): Plain {
    return new Plain(
      this.rows,
      this.columns,
      this.data.map((a, i) => combine(a, other.data[i]!))
    );
  }
}

/** Smoothed with the standard deviation σ. */
export function gaussian(image: Plain, sigma: number): Plain {
  if (sigma === 0) {
    return image;
  }
  const radius = Math.ceil(4 * sigma);
  const line = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)));
  const sum = line.reduce((a, b) => a + b);
  const weights = line.map(weight => weight / sum);
  return image.correlate([weights]).correlate(weights.map(weight => [weight]));
}

const KX = [
  [1, 2, 1],
  [0, 0, 0],
  [-1, -2, -1]
];
const KY = [
  [1, 0, -1],
  [2, 0, -2],
  [1, 0, -1]
];

function sobel(smooth: Plain): Plain {
  return smooth.correlate(KX).with(smooth.correlate(KY), Math.hypot);
}

function hessian(smooth: Plain): Plain[] {
  const sx = smooth.correlate(KX);
  const a = sx.correlate(KX);
  const b = sx.correlate(KY);
  const d = smooth.correlate(KY).correlate(KY);
  const each = (value: (a: number, b: number, d: number) => number) =>
    new Plain(
      smooth.rows,
      smooth.columns,
      a.data.map((own, i) => value(own, b.data[i]!, d.data[i]!))
    );
  return [
    each((p, q, r) => Math.sqrt(p * p + q * q + r * r)),
    each((p, _, r) => p + r),
    each((p, q, r) => p * r - q * q),
    each((p, q, r) => (p + r + Math.sqrt((p - r) ** 2 + 4 * q * q)) / 2),
    each((p, q, r) => (p + r - Math.sqrt((p - r) ** 2 + 4 * q * q)) / 2)
  ];
}

function membrane(image: Plain, patch: number, first: number, last: number): Plain[] {
  const centre = (patch - 1) / 2;
  const directions = Array.from({ length: 10 }, (_, k) => {
    const angle = (k * 18 * Math.PI) / 180;
    const kernel = Array.from({ length: patch }, (_, row) =>
      Array.from({ length: patch }, (_, column) => {
        // Where this pixel lies in the line before it was rotated.
        const x = centre + Math.cos(angle) * (column - centre) + Math.sin(angle) * (row - centre);
        const y = centre - Math.sin(angle) * (column - centre) + Math.cos(angle) * (row - centre);
        const inside = x >= -0.01 && y >= -0.01 && x < patch && y < patch;
        const nearest = Math.min(patch - 1, Math.trunc(x + 0.5));
        return inside && nearest >= first && nearest <= last ? 1 : 0;
      })
    );
    const sum = kernel.flat().reduce<number>((total, one) => total + one, 0);
    return image.correlate(kernel.map(weights => weights.map(weight => weight / sum)));
  });
  const project = (value: (ten: number[]) => number) =>
    new Plain(
      image.rows,
      image.columns,
      image.data.map((_, i) => value(directions.map(({ data }) => data[i]!)))
    );
  const total = (ten: number[]) => ten.reduce((a, b) => a + b);
  return [
    project(ten => total(ten) / 10),
    project(ten => Math.max(...ten)),
    project(ten => Math.min(...ten)),
    project(total),
    project(ten => Math.sqrt(total(ten.map(value => (value - total(ten) / 10) ** 2)) / 9)),
    project(ten => {
      const sorted = [...ten].sort((a, b) => a - b);
      return (sorted[4]! + sorted[5]!) / 2;
    })
  ];
}

/** The default stack of an image of one channel. */
export function defaultStack(image: Plain, sigmas = [1, 2, 4, 8, 16]): Plain[] {
  const smooth = sigmas.map(sigma => gaussian(image, sigma));
  return [
    image,
    sobel(image),
    ...hessian(image),
    ...smooth.flatMap(plane => [plane, sobel(plane), ...hessian(plane)]),
    ...smooth.flatMap((a, i) => smooth.slice(i + 1).map(b => a.with(b, (p, q) => p - q))),
    ...membrane(image, 19, 9, 10)
  ];
}
