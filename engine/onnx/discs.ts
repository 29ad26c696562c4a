/**
 * Mean, variance, minimum, maximum and median over a disc in ONNX. `engine/assembly/families/discs.ts` and `rank.ts` define them and must change with
 * this file. Sums are taken in double precision; those of whole numbers are exact, whatever their order.
 */
import { Plane, Planes } from './planes';

/** Largest radius of a median: beyond, a graph would have more than a thousand comparisons for each. */
export const MEDIAN_RADIUS_MAX = 4;

/** Columns of the disc to each side of its centre, `row` rows from it. */
function halfWidth(radius: number, row: number): number {
  return Math.floor(Math.sqrt(Math.floor(radius * radius) + 1 - row * row));
}

function discReach(radius: number): number {
  return halfWidth(radius, 0);
}

function discCount(radius: number): number {
  const reach = discReach(radius);
  let count = 0;
  for (let row = -reach; row <= reach; row++) {
    count += 2 * halfWidth(radius, row) + 1;
  }
  return count;
}

export function mean(planes: Planes, source: Plane, radius: number): Plane {
  const sum = overDisc(planes, planes.widened(source), radius, (a, b) => planes.add(a, b));
  return planes.narrowed(planes.over(sum, discCount(radius)));
}

/** (n Σ v² − (Σ v)²) / n² */
export function variance(planes: Planes, source: Plane, radius: number): Plane {
  const wide = planes.widened(source);
  const add = (a: Plane, b: Plane) => planes.add(a, b);
  const sum = overDisc(planes, wide, radius, add);
  const squares = overDisc(planes, planes.multiply(wide, wide), radius, add);
  const count = discCount(radius);
  const difference = planes.subtract(planes.times(squares, count), planes.multiply(sum, sum));
  return planes.narrowed(planes.over(planes.atLeast(difference, 0), count * count));
}

export function minimum(planes: Planes, source: Plane, radius: number): Plane {
  return overDisc(planes, source, radius, (a, b) => planes.minimum(a, b));
}

export function maximum(planes: Planes, source: Plane, radius: number): Plane {
  return overDisc(planes, source, radius, (a, b) => planes.maximum(a, b));
}

/**
 * Of (n + 3) / 2 of the disc's n values the least and the largest cannot be the median, since fewer than half of all values can lie beyond them. Both are
 * dropped and one value is added, until all were added and three are left.
 */
export function median(planes: Planes, source: Plane, radius: number): Plane {
  const reach = discReach(radius);
  const wide = planes.padded(source, reach);
  const values: Plane[] = [];
  for (let row = -reach; row <= reach; row++) {
    const half = halfWidth(radius, row);
    for (let column = -half; column <= half; column++) {
      values.push(planes.part(wide, reach + row, reach + column));
    }
  }
  let next = (values.length + 3) >> 1;
  const some = values.slice(0, next);
  while (some.length > 3) {
    withoutExtremes(planes, some);
    some.push(values[next++]!);
  }
  const [a, b, c] = some as [Plane, Plane, Plane];
  return planes.maximum(planes.minimum(a, b), planes.minimum(planes.maximum(a, b), c));
}

/** Remove the least and the largest of a list. */
function withoutExtremes(planes: Planes, list: Plane[]): void {
  const order = (i: number, j: number) => {
    const [a, b] = [list[i]!, list[j]!];
    list[i] = planes.minimum(a, b);
    list[j] = planes.maximum(a, b);
  };
  const last = list.length - 1;
  // Then the least is in the first half and the largest in the second; a value in the middle belongs to both.
  for (let i = 0; i < last - i; i++) {
    order(i, last - i);
  }
  for (let i = 1; i <= last - i; i++) {
    order(0, i);
  }
  for (let i = last - 1; i >= last - i; i--) {
    order(i, last);
  }
  list.pop();
  list.shift();
}

/** Reduce the disc about each pixel: rows of all its widths, the wider from the narrower, then rows from top to bottom. */
function overDisc(planes: Planes, source: Plane, radius: number, join: (a: Plane, b: Plane) => Plane): Plane {
  const reach = discReach(radius);
  const wide = planes.padded(source, reach);
  const column = (offset: number) => planes.part(wide, 0, reach + offset, 2 * reach, 0);
  const widths: Plane[] = [column(0)];
  for (let half = 1; half <= reach; half++) {
    widths.push(join(widths[half - 1]!, join(column(-half), column(half))));
  }
  const rows: Plane[] = [];
  for (let row = -reach; row <= reach; row++) {
    rows.push(planes.part(widths[halfWidth(radius, row)]!, reach + row, 0));
  }
  return rows.reduce(join);
}
