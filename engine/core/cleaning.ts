/**
 * Cleans class ids: removes islands, fills holes, takes the majority of a neighbourhood.
 *
 * Islands and holes are connected regions of pixels that share an edge (4 neighbours in a slice, 6 in a volume), found as runs of equal
 * pixels in a row that are joined with those of the row and the slice before. Islands agree with scikit-image's `remove_small_objects`,
 * holes with its `remove_small_holes`, both with `connectivity=1`.
 *
 * Slices are read one after the other, up to three times; of a volume, a few slices and 12 bytes for each run are in memory.
 */
import { BridgeError } from '../../src/shared/errors';

/** Most runs of equal pixels in a row that a volume may have. */
const RUNS_MAX = 1 << 26;
/** Regions are counted up to this many pixels. */
const COUNTED_MAX = 0xffffffff;

/** Class ids, slice by slice. */
export interface ISlices {
  slices: number;
  rows: number;
  columns: number;
  /** The ids of a slice, row by row. They are only read. */
  read(slice: number): Uint8Array;
}

/** What to do. Ids of 0 are no class: they are neither changed nor taken. */
export type Cleaning =
  /** Regions of a class, or of every class, with fewer than `below` pixels get the class that most of their neighbours have. */
  | { kind: 'islands'; below: number; class?: number | undefined }
  /** Regions of anything but the class, with fewer than `below` pixels, get the class. */
  | { kind: 'holes'; below: number; class: number }
  /**
   * A pixel gets the most frequent class in the square of 2 `radius` + 1 pixels around it, in its slice. Of several the most frequent, its
   * own stays, else the lowest id wins.
   */
  | { kind: 'majority'; radius: number };

/**
 * Clean class ids.
 *
 * @returns for each slice in turn, the new class of each pixel that changes, 0 for all others
 * @param runsMax most runs of equal pixels in a row
 * @throws BridgeError `too-large` for islands or holes of a volume with more
 */
export function cleaned(ids: ISlices, cleaning: Cleaning, runsMax = RUNS_MAX): Iterable<Uint8Array> {
  return cleaning.kind === 'majority'
    ? majorities(ids, cleaning.radius)
    : cleaning.kind === 'holes'
      ? holes(ids, cleaning, runsMax)
      : islands(ids, cleaning, runsMax);
}

function* islands(
  ids: ISlices,
  { below, class: only }: { below: number; class?: number | undefined },
  runsMax: number
): Generator<Uint8Array> {
  const regions = new Regions(ids, runsMax);
  const { slices, rows, columns } = ids;
  // The small regions, numbered from 1; 0 for all others.
  const numbers = new Uint32Array(regions.count);
  let small = 0;
  for (const runs of regions.each()) {
    for (let run = 0; run < runs.count; run++) {
      const id = runs.value(run);
      const root = regions.root(runs.offset + run);
      if (id !== 0 && (only === undefined || id === only) && numbers[root] === 0 && regions.size(root) < below) {
        numbers[root] = ++small;
      }
    }
  }
  const present = [...regions.present].sort((a, b) => a - b).filter(id => id !== 0);
  const place = new Int16Array(256).fill(-1);
  present.forEach((id, n) => (place[id] = n));
  const votes = new Uint32Array((small + 1) * present.length);
  /** A slice, and of each pixel the number of its region if it is small. */
  const marked = (runs: Runs) => {
    const marks = new Uint32Array(rows * columns);
    for (let run = 0; run < runs.count; run++) {
      const number = numbers[regions.root(runs.offset + run)]!;
      if (number > 0) {
        marks.fill(number, ...runs.range(run));
      }
    }
    return { ids: runs.values, marks };
  };
  let [before, here]: (ReturnType<typeof marked> | undefined)[] = [];
  const vote = (after: ReturnType<typeof marked> | undefined) => {
    if (!here) {
      return;
    }
    const { ids: own, marks } = here;
    const count = (isInside: boolean, number: number, near: Uint8Array, its: Uint32Array, at: number) => {
      const n = isInside ? place[near[at]!]! : -1;
      if (n >= 0 && its[at] === 0) {
        votes[number * present.length + n]!++;
      }
    };
    for (let row = 0, i = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, i++) {
        const number = marks[i]!;
        if (number === 0) {
          continue;
        }
        count(column > 0, number, own, marks, i - 1);
        count(column < columns - 1, number, own, marks, i + 1);
        count(row > 0, number, own, marks, i - columns);
        count(row < rows - 1, number, own, marks, i + columns);
        for (const other of [before, after]) {
          if (other) {
            count(true, number, other.ids, other.marks, i);
          }
        }
      }
    }
  };
  for (const runs of regions.each()) {
    const after = marked(runs);
    vote(after);
    [before, here] = [here, after];
  }
  vote(undefined);
  const winner = (number: number) => {
    let best = 0;
    for (let n = 0; n < present.length; n++) {
      if (votes[number * present.length + n]! > (best === 0 ? 0 : votes[number * present.length + place[best]!]!)) {
        best = present[n]!;
      }
    }
    return best;
  };
  for (let slice = 0; slice < slices; slice++) {
    const out = new Uint8Array(rows * columns);
    const runs = regions.of(slice);
    for (let run = 0; run < runs.count; run++) {
      const number = numbers[regions.root(runs.offset + run)]!;
      if (number > 0) {
        out.fill(winner(number), ...runs.range(run));
      }
    }
    yield out;
  }
}

function* holes(
  ids: ISlices,
  { below, class: id }: { below: number; class: number },
  runsMax: number
): Generator<Uint8Array> {
  const read = (slice: number) => ids.read(slice).map(each => (each === id ? 1 : 0));
  const regions = new Regions({ ...ids, read }, runsMax);
  for (const runs of regions.each()) {
    const out = new Uint8Array(ids.rows * ids.columns);
    for (let run = 0; run < runs.count; run++) {
      if (runs.value(run) === 0 && regions.size(runs.offset + run) < below) {
        out.fill(id, ...runs.range(run));
      }
    }
    yield out;
  }
}

function* majorities({ slices, rows, columns, read }: ISlices, radius: number): Generator<Uint8Array> {
  for (let slice = 0; slice < slices; slice++) {
    yield majority(read(slice), rows, columns, radius);
  }
}

function majority(ids: Uint8Array, rows: number, columns: number, radius: number): Uint8Array {
  const present = [...new Set(ids)].filter(id => id !== 0).sort((a, b) => a - b);
  const place = new Int16Array(256).fill(-1);
  present.forEach((id, n) => (place[id] = n));
  const out = new Uint8Array(ids.length);
  const sums = new Uint32Array(present.length);
  for (let slice = 0; slice < ids.length; slice += rows * columns) {
    // Of each class, how many of the window's rows have it in each column.
    const counts = present.map(() => new Uint32Array(columns));
    const count = (row: number, by: number) => {
      for (let column = 0; row >= 0 && row < rows && column < columns; column++) {
        const n = place[ids[slice + row * columns + column]!]!;
        if (n >= 0) {
          counts[n]![column]! += by;
        }
      }
    };
    for (let row = 0; row < radius; row++) {
      count(row, 1);
    }
    for (let row = 0; row < rows; row++) {
      count(row + radius, 1);
      count(row - radius - 1, -1);
      counts.forEach((each, n) => (sums[n] = each.subarray(0, radius).reduce((sum, one) => sum + one, 0)));
      for (let column = 0; column < columns; column++) {
        let best = 0;
        for (let n = 0; n < present.length; n++) {
          sums[n]! += counts[n]![column + radius] ?? 0;
          if (column > radius) {
            sums[n]! -= counts[n]![column - radius - 1]!;
          }
          if (sums[n]! > sums[best]!) {
            best = n;
          }
        }
        const at = slice + row * columns + column;
        const own = place[ids[at]!]!;
        if (own >= 0 && sums[own]! < sums[best]!) {
          out[at] = present[best]!;
        }
      }
    }
  }
  return out;
}

/** The runs of equal values in the rows of a slice, row by row. */
class Runs {
  /** @param offset number of the first run in the volume */
  constructor(
    readonly values: Uint8Array,
    columns: number,
    readonly offset: number
  ) {
    const starts = new Uint32Array(values.length + 1);
    this._first = new Uint32Array(values.length / columns + 1);
    let count = 0;
    for (let line = 0, start = 0; start < values.length; line++, start += columns) {
      this._first[line] = count;
      for (let i = start; i < start + columns; i++) {
        if (i === start || values[i] !== values[i - 1]) {
          starts[count++] = i;
        }
      }
    }
    starts[count] = values.length;
    this._first[this._first.length - 1] = count;
    this._starts = starts.slice(0, count + 1);
    this.count = count;
  }

  readonly count: number;

  value(run: number): number {
    return this.values[this._starts[run]!]!;
  }

  /** The first pixel of a run, and the one after its last: rows have no gaps. */
  range(run: number): [number, number] {
    return [this._starts[run]!, this._starts[run + 1]!];
  }

  /** The first run of a row, and the one after its last. */
  row(row: number): [number, number] {
    return [this._first[row]!, this._first[row + 1]!];
  }

  private readonly _first: Uint32Array;
  private readonly _starts: Uint32Array;
}

/** Connected regions of equal values. Each is known by the number of one of its runs. */
class Regions {
  constructor(
    private readonly _ids: ISlices,
    private readonly _runsMax: number
  ) {
    const { slices, rows, columns } = _ids;
    this._offsets = [0];
    let before: Runs | undefined;
    for (let slice = 0; slice < slices; slice++) {
      const runs = this.of(slice);
      this._offsets.push(runs.offset + runs.count);
      this._reserve(runs.offset + runs.count);
      for (let run = 0; run < runs.count; run++) {
        this.present.add(runs.value(run));
        this._parents[runs.offset + run] = runs.offset + run;
      }
      for (let row = 0; row < rows; row++) {
        if (row > 0) {
          this._join(runs, runs.row(row - 1), columns, runs, runs.row(row));
        }
        if (before) {
          this._join(before, before.row(row), 0, runs, runs.row(row));
        }
      }
      before = runs;
    }
    this._sizes = new Uint32Array(this.count);
    for (const runs of this.each()) {
      for (let run = 0; run < runs.count; run++) {
        const [start, end] = runs.range(run);
        const root = this.root(runs.offset + run);
        this._sizes[root] = Math.min(this._sizes[root]! + end - start, COUNTED_MAX);
      }
    }
  }

  /** The values that occur. */
  readonly present = new Set<number>();

  /** Runs of all slices. */
  get count(): number {
    return this._offsets.at(-1)!;
  }

  /** The runs of a slice. */
  of(slice: number): Runs {
    return new Runs(this._ids.read(slice), this._ids.columns, this._offsets[slice]!);
  }

  /** The runs of each slice. */
  *each(): Generator<Runs> {
    for (let slice = 0; slice < this._ids.slices; slice++) {
      yield this.of(slice);
    }
  }

  /** Pixels of the region of a run, at most {@link COUNTED_MAX}. */
  size(run: number): number {
    return this._sizes[this.root(run)]!;
  }

  /** The run that stands for the region. */
  root(run: number): number {
    while (this._parents[run] !== run) {
      run = this._parents[run] = this._parents[this._parents[run]!]!;
    }
    return run;
  }

  /** Join runs of a row with those of another one that lie beside them, `step` pixels on. */
  private _join(one: Runs, [a, aEnd]: [number, number], step: number, other: Runs, [b, bEnd]: [number, number]): void {
    while (a < aEnd && b < bEnd) {
      if (one.value(a) === other.value(b)) {
        const [x, y] = [this.root(one.offset + a), this.root(other.offset + b)];
        this._parents[Math.max(x, y)] = Math.min(x, y);
      }
      const [stop, otherStop] = [one.range(a)[1] + step, other.range(b)[1]];
      a += stop <= otherStop ? 1 : 0;
      b += otherStop <= stop ? 1 : 0;
    }
  }

  private _reserve(runs: number): void {
    if (runs > this._runsMax) {
      throw new BridgeError(
        'too-large',
        `The segmentation is too fine to be cleaned as one volume of ${this._ids.slices} slices. Clean single slices, or begin with the majority filter.`
      );
    }
    if (runs > this._parents.length) {
      const parents = new Uint32Array(Math.max(runs, 2 * this._parents.length));
      parents.set(this._parents);
      this._parents = parents;
    }
  }

  /** Number of the first run of each slice, and of all runs. */
  private readonly _offsets: number[];
  private _parents = new Uint32Array(0);
  private readonly _sizes: Uint32Array;
}
