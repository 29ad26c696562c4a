/**
 * Finds strokes: connected labelled pixels of one class, corner neighbours included. One pass over the labelled pixels in the order of the array
 * (Rosenfeld and Pfaltz, Sequential operations in digital picture processing, 1966, with union-find for equivalent numbers).
 */
export class StrokeFinder {
  /** @param columns width of the widest array */
  constructor(columns: number) {
    this._above = new Int32Array(columns + 2);
    this._line = new Int32Array(columns + 2);
  }

  /** Take the next labelled pixel. @returns a provisional number; after the last pixel, {@link strokeOf} turns it into the stroke's number */
  take(id: number, slice: number, row: number, column: number): number {
    if (row !== this._row || slice !== this._slice) {
      const follows = slice === this._slice && row === this._row + 1;
      [this._above, this._line] = [this._line, this._above];
      this._line.fill(0);
      if (!follows) {
        this._above.fill(0);
      }
      this._slice = slice;
      this._row = row;
    }
    const { _above: above, _line: line } = this;
    let own = 0;
    // Element 0 stands for the column before the first. Strokes are numbered from 1; 0 means none.
    for (const other of [line[column]!, above[column]!, above[column + 1]!, above[column + 2]!]) {
      if (other > 0 && this._ids[other] === id) {
        own = own === 0 ? other : this._join(own, other);
      }
    }
    if (own === 0) {
      own = this._parents.length;
      this._parents.push(own);
      this._ids.push(id);
    }
    line[column + 1] = own;
    return own;
  }

  /** The stroke's number: equal for all pixels of a stroke, different between strokes. */
  strokeOf(taken: number): number {
    const parents = this._parents;
    let root = taken;
    while (parents[root] !== root) {
      parents[root] = parents[parents[root]!]!;
      root = parents[root]!;
    }
    return root;
  }

  /** Join two strokes under the lower number, so that numbers depend on the pixels alone. */
  private _join(a: number, b: number): number {
    const [first, second] = [this.strokeOf(a), this.strokeOf(b)];
    const root = Math.min(first, second);
    this._parents[Math.max(first, second)] = root;
    return root;
  }

  private _above: Int32Array;
  private _line: Int32Array;
  private _slice = -1;
  private _row = -1;
  private readonly _parents: number[] = [0];
  private readonly _ids: number[] = [0];
}
