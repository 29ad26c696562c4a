/** Connected parts of a mask or of what is outside of it, from SAM's logits. Samples are connected through the four beside them. */
import type { ISize } from '../shared/rect';

/** Neighbours in a row that belong to one part. */
export interface IRun {
  row: number;
  /** The first column, and the one behind the last. */
  from: number;
  to: number;
  /** Number of the part, from 0, in the order of their first samples. */
  part: number;
}

export interface IConnectedParts {
  /** From top to bottom, and from left to right. */
  runs: IRun[];
  /** Samples of each part. */
  sizes: number[];
}

/**
 * Find the connected parts. Runs are joined row by row with those above that they touch (Rosenfeld and Pfaltz, "Sequential operations in digital picture
 * processing", 1966).
 *
 * @param logits `side` a row
 * @param size the rows and columns that count, from the upper left
 * @param inside whether to take the samples inside the mask, whose logits are above 0, or the others
 */
export function connectedParts(
  logits: Float32Array,
  side: number,
  { rows, columns }: ISize,
  inside = true
): IConnectedParts {
  const runs: IRun[] = [];
  /** For each run an earlier one of its part, or itself. */
  const earlier: number[] = [];
  const first = (run: number) => {
    while (earlier[run] !== run) {
      run = earlier[run] = earlier[earlier[run]!]!;
    }
    return run;
  };
  let [above, begin] = [0, 0]; // the runs of the row above are those from `above` to `begin`
  for (let row = 0; row < rows; row++) {
    const at = row * side;
    let touched = above;
    for (let column = 0; column < columns; column++) {
      if (logits[at + column]! > 0 !== inside) {
        continue;
      }
      const from = column;
      while (column < columns && logits[at + column]! > 0 === inside) {
        column++;
      }
      const run = runs.push({ row, from, to: column, part: -1 }) - 1;
      earlier.push(run);
      while (touched < begin && runs[touched]!.to <= from) {
        touched++;
      }
      for (let other = touched; other < begin && runs[other]!.from < column; other++) {
        const [a, b] = [first(run), first(other)];
        earlier[Math.max(a, b)] = Math.min(a, b);
      }
    }
    [above, begin] = [begin, runs.length];
  }
  const sizes: number[] = [];
  for (const [index, run] of runs.entries()) {
    const root = first(index);
    run.part = root === index ? sizes.push(0) - 1 : runs[root]!.part;
    sizes[run.part]! += run.to - run.from;
  }
  return { runs, sizes };
}
