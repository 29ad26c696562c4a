/** How many pixels each class has in a segmentation, kept true as parts of it change. */
import { CLASSES_MAX } from '../../../src/shared/limits';

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

  /** Some pixels are there. */
  add(pixels: Uint8Array): void {
    for (let i = 0; i < pixels.length; i++) {
      this._counts[pixels[i]!]!++;
    }
  }

  /** Some pixels were others before. */
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
