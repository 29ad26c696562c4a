/**
 * Membrane projections in ONNX: the terms of `engine/assembly/families/membrane.ts` and `membrane-lines.ts`, which must change with this file. Each line
 * is covered by the same boxes, so that sums are taken in the same order.
 */
import { Plane, Planes } from './planes';

const DIRECTIONS = 10;
/** Boxes, the largest first: rows × columns, the two boxes that each is made of, and how far the second lies below and right of the first. */
const BOXES = [
  { rows: 4, columns: 2, first: 4, second: 4, down: 2, right: 0 },
  { rows: 2, columns: 4, first: 4, second: 4, down: 0, right: 2 },
  { rows: 3, columns: 2, first: 4, second: 8, down: 2, right: 0 },
  { rows: 2, columns: 3, first: 4, second: 7, down: 0, right: 2 },
  { rows: 2, columns: 2, first: 8, second: 8, down: 1, right: 0 },
  { rows: 4, columns: 1, first: 7, second: 7, down: 2, right: 0 },
  { rows: 1, columns: 4, first: 8, second: 8, down: 0, right: 2 },
  { rows: 2, columns: 1, first: 9, second: 9, down: 1, right: 0 },
  { rows: 1, columns: 2, first: 9, second: 9, down: 0, right: 1 },
  { rows: 1, columns: 1, first: -1, second: -1, down: 0, right: 0 }
];

/** Mean, maximum, minimum, sum, standard deviation and median of the means along ten lines. */
export function membrane(planes: Planes, source: Plane, patch: number, thickness: number): Plane[] {
  const reach = patch >> 1;
  const boxes: Plane[] = [];
  for (let i = BOXES.length - 1; i >= 0; i--) {
    const { rows, columns, first, second, down, right } = BOXES[i]!;
    const part = (box: Plane, row: number, column: number) =>
      planes.part(box, row, column, 2 * reach - rows + 1, 2 * reach - columns + 1);
    boxes[i] =
      first < 0
        ? planes.padded(source, reach)
        : planes.add(part(boxes[first]!, 0, 0), part(boxes[second]!, down, right));
  }
  const lines = Array.from({ length: DIRECTIONS }, (_, direction) => {
    const line = rotatedLine(patch, thickness, direction);
    const pixels = line.reduce((sum, one) => sum + one, 0);
    const terms = cover(line, patch).map(({ box, row, column }) => planes.part(boxes[box]!, row, column));
    return planes.over(planes.sum(terms), pixels);
  });
  const total = planes.sum(lines);
  const mean = planes.over(total, DIRECTIONS);
  const squares = lines.map(line => {
    const difference = planes.subtract(line, mean);
    return planes.multiply(difference, difference);
  });
  const sorted = sort(planes, lines);
  return [
    mean,
    planes.extreme('Max', lines),
    planes.extreme('Min', lines),
    total,
    planes.root(planes.over(planes.sum(squares), DIRECTIONS - 1)),
    planes.times(planes.add(sorted[DIRECTIONS / 2 - 1]!, sorted[DIRECTIONS / 2]!), 0.5)
  ];
}

/** patch × patch numbers, 1 on the line and 0 beside it. */
export function rotatedLine(patch: number, thickness: number, direction: number): Uint8Array {
  const middle = patch >> 1;
  const first = middle - (thickness >> 1);
  const last = middle + ((thickness + 1) >> 1);
  const centre = (patch - 1) / 2;
  const angle = (-direction * Math.PI) / DIRECTIONS;
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  return Uint8Array.from({ length: patch * patch }, (_, i) => {
    const row = Math.floor(i / patch) - centre;
    const column = (i % patch) - centre;
    const x = column * cosine - row * sine + centre;
    const y = column * sine + row * cosine + centre;
    if (!(x >= -0.01 && x < patch && y >= -0.01 && y < patch)) {
      return 0;
    }
    const nearest = Math.min(patch - 1, Math.floor(x + 0.5));
    return nearest >= first && nearest <= last ? 1 : 0;
  });
}

/** Boxes that cover the ones of a line, each pixel once, the large ones first. */
function cover(line: Uint8Array, patch: number): { box: number; row: number; column: number }[] {
  const left = line.slice();
  const found: { box: number; row: number; column: number }[] = [];
  BOXES.forEach(({ rows, columns }, box) => {
    for (let row = 0; row + rows <= patch; row++) {
      for (let column = 0; column + columns <= patch; column++) {
        const pixels = Array.from(
          { length: rows * columns },
          (_, i) => (row + Math.floor(i / columns)) * patch + column + (i % columns)
        );
        if (pixels.every(pixel => left[pixel])) {
          pixels.forEach(pixel => (left[pixel] = 0));
          found.push({ box, row, column });
        }
      }
    }
  });
  return found;
}

/** Sort by exchanges of neighbours, ascending; the graph drops exchanges that no output needs. */
function sort(planes: Planes, list: readonly Plane[]): Plane[] {
  const sorted = [...list];
  for (let end = sorted.length - 1; end > 0; end--) {
    for (let i = 0; i < end; i++) {
      const [a, b] = [sorted[i]!, sorted[i + 1]!];
      sorted[i] = planes.minimum(a, b);
      sorted[i + 1] = planes.maximum(a, b);
    }
  }
  return sorted;
}
