import { CLASSES_MAX } from '../../../src/shared/limits';

/** Counts the pixels of each class in a segmentation, and keeps the counts up to date as parts of it change. */
export class PhaseCounts {
  /** Pixels of each class id that has any. */
  get counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let id = 1; id <= CLASSES_MAX; id++) {
      if (this._counts[id]! > 0) {
        counts[id] = this._counts[id]!;
      }
    }
    return counts;
  }

  /** Add pixels to the counts. */
  add(pixels: Uint8Array): void {
    for (let i = 0; i < pixels.length; i++) {
      this._counts[pixels[i]!]!++;
    }
  }

  /** Update the counts for pixels that changed from `before` to `after`. */
  replace(before: Uint8Array, after: Uint8Array): void {
    for (let i = 0; i < after.length; i++) {
      if (before[i] !== after[i]) {
        this._counts[before[i]!]!--;
        this._counts[after[i]!]!++;
      }
    }
  }

  private readonly _counts = new Float64Array(CLASSES_MAX + 1);
}
