/** What probabilities say of phases, from some blocks: for images of any size it takes the same time. */
import type { ISoftPhase } from '../../../engine';
import { SliceRect } from '../../../src/shared/rect';
import { Region } from '../../../src/shared/region';

/** Side of a block, and the most blocks that are looked at: half a million pixels. */
const SIDE = 256;
const BLOCKS = 8;

/** Blocks spread evenly over a region. */
export function someBlocks({ slice0, slice1, row0, row1, column0, column1 }: Region): SliceRect[] {
  const down = Math.ceil((row1 - row0) / SIDE);
  const across = Math.ceil((column1 - column0) / SIDE);
  const all = (slice1 - slice0) * down * across;
  const count = Math.min(BLOCKS, all);
  return Array.from({ length: count }, (_, i) => {
    const at = Math.floor(((i + 0.5) * all) / count);
    const slice = slice0 + Math.floor(at / (down * across));
    const top = row0 + (Math.floor(at / across) % down) * SIDE;
    const left = column0 + (at % across) * SIDE;
    return {
      slice,
      row0: top,
      row1: Math.min(row1, top + SIDE),
      column0: left,
      column1: Math.min(column1, left + SIDE)
    };
  });
}

/** Sums of probabilities over pixels. */
export class SoftPhases {
  /** @param _ids class ids in the order of the probabilities */
  constructor(private readonly _ids: readonly number[]) {
    this._excess = new Float64Array(_ids.length);
    this._doubt = new Float64Array(_ids.length);
  }

  /**
   * Add pixels. A pixel whose class is not the most probable one was set by hand: it is taken as certain.
   *
   * @param ids class ids; pixels with 0 do not count
   * @param probabilities pixels × classes
   */
  add(ids: Uint8Array, probabilities: Float32Array): void {
    const classes = this._ids.length;
    for (let pixel = 0, at = 0; pixel < ids.length; pixel++, at += classes) {
      const id = ids[pixel]!;
      if (id === 0) {
        continue;
      }
      this._pixels++;
      const own = this._ids.indexOf(id);
      let most = 0;
      for (let c = 0; c < classes; c++) {
        most = Math.max(most, probabilities[at + c]!);
      }
      if (own < 0 || probabilities[at + own]! < most) {
        continue;
      }
      for (let c = 0; c < classes; c++) {
        const p = probabilities[at + c]!;
        this._excess[c]! += p - Number(c === own);
        this._doubt[c]! += p * (1 - p);
      }
    }
  }

  /** The means; none if no pixel was added. */
  get phases(): ISoftPhase[] {
    const pixels = this._pixels;
    return pixels === 0
      ? []
      : this._ids.map((id, c) => ({ id, excess: this._excess[c]! / pixels, doubt: this._doubt[c]! / pixels }));
  }

  private _pixels = 0;
  private readonly _excess: Float64Array;
  private readonly _doubt: Float64Array;
}
