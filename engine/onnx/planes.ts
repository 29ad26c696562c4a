/**
 * Planes in an ONNX graph: [rows, columns] float32 values whose sizes are unknown until the model runs, and arithmetic on them. Outside of the
 * image each plane repeats its nearest pixel, after every step.
 *
 * A filter is written as sums of shifted planes, term by term in the order in which the engine's kernels add, not as Conv: single
 * additions and multiplications give the same bits on every runtime, Conv does not. Where the engine computes in double precision, so
 * does the graph.
 */
import { Graph, Value } from './graph';

/** The greatest int64: a slice to the end. */
const END = 2 ** 63 - 2 ** 10;

/** Rows and columns. */
export type Reach = readonly [rows: number, columns: number];

export class Plane {
  constructor(
    readonly value: Value,
    /** Rows and columns to each side that it depends on. */
    readonly reach: Reach,
    /** Rows and columns beyond the image's, half of them before the image. */
    readonly rows = 0,
    readonly columns = 0,
    readonly type: 'float' | 'double' = 'float'
  ) {}

  /** Another plane of the same size, type and reach. */
  as(value: Value): Plane {
    return new Plane(value, this.reach, this.rows, this.columns, this.type);
  }
}

/** Arithmetic on planes of one graph. */
export class Planes {
  constructor(readonly graph: Graph) {}

  add(a: Plane, b: Plane): Plane {
    return this._binary('Add', a, b);
  }

  subtract(a: Plane, b: Plane): Plane {
    return this._binary('Sub', a, b);
  }

  multiply(a: Plane, b: Plane): Plane {
    return this._binary('Mul', a, b);
  }

  minimum(a: Plane, b: Plane): Plane {
    return this._binary('Min', a, b);
  }

  maximum(a: Plane, b: Plane): Plane {
    return this._binary('Max', a, b);
  }

  /** Times a number. */
  times(a: Plane, factor: number): Plane {
    return a.as(this.graph.node('Mul', [a.value, this._number(a, factor)]));
  }

  /** Divided by a number. */
  over(a: Plane, divisor: number): Plane {
    return a.as(this.graph.node('Div', [a.value, this._number(a, divisor)]));
  }

  root(a: Plane): Plane {
    return a.as(this.graph.node('Sqrt', [a.value]));
  }

  absolute(a: Plane): Plane {
    return a.as(this.graph.node('Abs', [a.value]));
  }

  /** Not below a number. */
  atLeast(a: Plane, number: number): Plane {
    return a.as(this.graph.node('Max', [a.value, this._number(a, number)]));
  }

  /** In double precision. */
  widened(a: Plane): Plane {
    let found = this._widened.get(a.value);
    if (!found) {
      found = new Plane(this.cast(a.value, 'double'), a.reach, a.rows, a.columns, 'double');
      this._widened.set(a.value, found);
    }
    return found;
  }

  /** In single precision. */
  narrowed(a: Plane): Plane {
    return new Plane(this.cast(a.value, 'float'), a.reach, a.rows, a.columns);
  }

  /** The sum, in the order of the list. */
  sum(planes: readonly Plane[]): Plane {
    return planes.reduce((total, plane) => this.add(total, plane));
  }

  /** The least, or the greatest, of several. */
  extreme(operator: 'Min' | 'Max', planes: readonly Plane[]): Plane {
    const value = this.graph.node(
      operator,
      planes.map(plane => plane.value)
    );
    return new Plane(value, reachOf(planes), planes[0]!.rows, planes[0]!.columns, planes[0]!.type);
  }

  /** A plane of the image's size with `rows` and `columns` more on each side, its edge repeated. */
  padded(plane: Plane, rows: number, columns = rows): Plane {
    const key = `${plane.value} ${rows} ${columns}`;
    let found = this._padded.get(key);
    if (!found) {
      const pads = this.graph.constant('int64', [rows, columns, rows, columns]);
      const value = this.graph.node('Pad', [plane.value, pads], { mode: 'edge' });
      const reach: Reach = [plane.reach[0] + rows, plane.reach[1] + columns];
      found = new Plane(value, reach, 2 * rows, 2 * columns, plane.type);
      this._padded.set(key, found);
    }
    return found;
  }

  /**
   * A part of a plane that is larger than the image.
   *
   * @param row the first row
   * @param rows how many rows more than the image the part has; the image's by default
   */
  part(plane: Plane, row: number, column: number, rows = 0, columns = 0): Plane {
    const steps: [axis: number, start: number, end: number][] = [];
    if (plane.rows !== rows) {
      steps.push([0, row, row + rows - plane.rows]);
    }
    if (plane.columns !== columns) {
      steps.push([1, column, column + columns - plane.columns]);
    }
    if (steps.length === 0) {
      return plane;
    }
    const list = (pick: (step: (typeof steps)[number]) => number) => this.graph.constant('int64', steps.map(pick));
    const value = this.graph.node('Slice', [
      plane.value,
      list(([, start]) => start),
      list(([, , end]) => end || END),
      list(([axis]) => axis)
    ]);
    return new Plane(value, plane.reach, rows, columns, plane.type);
  }

  /**
   * Along one axis with a kernel that is even, or odd: w(−i) = w(i) or −w(i). Terms are added from the centre outwards.
   *
   * @param half weights, that of the centre first
   */
  convolve(plane: Plane, half: ArrayLike<number>, along: 'rows' | 'columns', odd = false): Plane {
    const radius = half.length - 1;
    const wide = along === 'columns' ? this.padded(plane, radius, 0) : this.padded(plane, 0, radius);
    return this.correlate(wide, half, along, odd);
  }

  /** The same without repeating the edge, so the result is smaller. The weights may be several pixels apart. */
  correlate(wide: Plane, half: ArrayLike<number>, along: 'rows' | 'columns', odd = false, spacing = 1): Plane {
    const reach = (half.length - 1) * spacing;
    const [down, right] = along === 'columns' ? [1, 0] : [0, 1];
    const at = (offset: number) =>
      this.part(
        wide,
        down * (reach + offset),
        right * (reach + offset),
        wide.rows - 2 * down * reach,
        wide.columns - 2 * right * reach
      );
    let total = this.times(at(0), half[0]!);
    for (let k = 1; k < half.length; k++) {
      const [before, after] = [at(-k * spacing), at(k * spacing)];
      const pair = odd ? this.subtract(after, before) : this.add(before, after);
      total = this.add(total, this.times(pair, half[k]!));
    }
    return total;
  }

  cast(value: Value, type: 'float' | 'double'): Value {
    return this.graph.node('Cast', [value], { to: type === 'float' ? 1 : 11 });
  }

  private _binary(operator: string, a: Plane, b: Plane): Plane {
    return new Plane(this.graph.node(operator, [a.value, b.value]), reachOf([a, b]), a.rows, a.columns, a.type);
  }

  private _number(plane: Plane, value: number): Value {
    return plane.type === 'float' ? this.graph.float(value) : this.graph.double(value);
  }

  private readonly _widened = new Map<Value, Plane>();
  private readonly _padded = new Map<string, Plane>();
}

/** The reach of several planes together. */
export function reachOf(planes: readonly Plane[]): Reach {
  return [0, 1].map(axis => planes.reduce((most, { reach }) => Math.max(most, reach[axis]!), 0)) as unknown as Reach;
}
