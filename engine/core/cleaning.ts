/**
 * Cleans class ids: removes islands, fills holes, takes the majority of a neighbourhood.
 *
 * Islands and holes are connected regions of pixels that share an edge (4 neighbours in a slice, 6 in a volume), found as runs of equal
 * pixels in a row that are joined with those of the row and the slice before. Islands agree with scikit-image's `remove_small_objects`,
 * holes with its `remove_small_holes`, both with `connectivity=1`.
 */

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
 * @param ids row by row, slice by slice
 * @returns the new class of each pixel that changes, 0 for all others
 */
export function cleaned(ids: Uint8Array, rows: number, columns: number, cleaning: Cleaning): Uint8Array {
  return cleaning.kind === 'majority'
    ? majority(ids, rows, columns, cleaning.radius)
    : cleaning.kind === 'holes'
      ? holes(ids, rows, columns, cleaning)
      : islands(ids, rows, columns, cleaning);
}

function islands(
  ids: Uint8Array,
  rows: number,
  columns: number,
  { below, class: only }: { below: number; class?: number | undefined }
): Uint8Array {
  const regions = new Regions(ids, rows, columns);
  const small = new Uint8Array(ids.length);
  const roots: number[] = [];
  regions.each((start, end, run) => {
    const id = ids[start]!;
    if (id !== 0 && (only === undefined || id === only) && regions.size(run) < below) {
      small.fill(1, start, end);
      roots.push(run);
    }
  });
  const votes = new Map<number, Uint32Array>();
  const around = [1, -1, columns, -columns, rows * columns, -rows * columns];
  for (const run of roots) {
    const root = regions.root(run);
    const counts = votes.get(root) ?? new Uint32Array(256);
    votes.set(root, counts);
    const [start, end] = regions.range(run);
    for (let i = start; i < end; i++) {
      const [column, row] = [i % columns, Math.floor(i / columns) % rows];
      const inside = [column < columns - 1, column > 0, row < rows - 1, row > 0, true, true];
      around.forEach((step, n) => {
        const next = i + step;
        if (inside[n] && next >= 0 && next < ids.length && small[next] === 0) {
          counts[ids[next]!]!++;
        }
      });
    }
  }
  const out = new Uint8Array(ids.length);
  for (const run of roots) {
    const counts = votes.get(regions.root(run))!;
    let best = 0;
    for (let id = 1; id < 256; id++) {
      if (counts[id]! > (best === 0 ? 0 : counts[best]!)) {
        best = id;
      }
    }
    out.fill(best, ...regions.range(run));
  }
  return out;
}

function holes(
  ids: Uint8Array,
  rows: number,
  columns: number,
  { below, class: id }: { below: number; class: number }
): Uint8Array {
  const regions = new Regions(
    ids.map(each => (each === id ? 1 : 0)),
    rows,
    columns
  );
  const out = new Uint8Array(ids.length);
  regions.each((start, end, run) => {
    if (ids[start] !== id && regions.size(run) < below) {
      out.fill(id, start, end);
    }
  });
  return out;
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

/** Connected regions of equal values, as runs of pixels of a row. */
class Regions {
  constructor(values: Uint8Array, rows: number, columns: number) {
    const first: number[] = [];
    for (let start = 0, line = 0; start < values.length; start += columns, line++) {
      first.push(this._starts.length);
      for (let i = start; i < start + columns;) {
        const value = values[i];
        const from = i;
        while (i < start + columns && values[i] === value) {
          i++;
        }
        this._starts.push(from);
        this._ends.push(i);
        this._parents.push(this._parents.length);
      }
      if (line % rows > 0) {
        this._join(values, first[line - 1]!, first[line]!, columns);
      }
      if (line >= rows) {
        this._join(values, first[line - rows]!, first[line]!, rows * columns);
      }
    }
    this._sizes = new Float64Array(this._starts.length);
    this._starts.forEach((start, run) => (this._sizes[this.root(run)]! += this._ends[run]! - start));
  }

  /** Pixels of the region of a run. */
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

  range(run: number): [number, number] {
    return [this._starts[run]!, this._ends[run]!];
  }

  each(work: (start: number, end: number, run: number) => void): void {
    this._starts.forEach((start, run) => work(start, this._ends[run]!, run));
  }

  /** Join the runs of a line, which are the last ones, with those `step` pixels before that they touch. */
  private _join(values: Uint8Array, before: number, here: number, step: number): void {
    for (let a = before, b = here; b < this._starts.length;) {
      const [start, end] = [this._starts[a]! + step, this._ends[a]! + step];
      if (start < this._ends[b]! && this._starts[b]! < end && values[this._starts[a]!] === values[this._starts[b]!]) {
        const [one, other] = [this.root(a), this.root(b)];
        this._parents[Math.max(one, other)] = Math.min(one, other);
      }
      if (end < this._ends[b]!) {
        a++;
      } else {
        b++;
      }
    }
  }

  private readonly _starts: number[] = [];
  private readonly _ends: number[] = [];
  private readonly _parents: number[] = [];
  private readonly _sizes: Float64Array;
}
