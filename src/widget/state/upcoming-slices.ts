/** The slices of a stack that the user will probably see next: what they show is fetched before they come into view. */
import { ISize } from '../../shared';

/** Slices fetched ahead, at most; fewer if a view or a slice is large. */
const SLICES_MAX = 8;
/** Image tiles fetched ahead, at most, if that is more than one slice. */
const TILES_MAX = 32;
/** Pixels of slices whose labels are fetched ahead, at most, if that is more than one slice. */
const PIXELS_MAX = 64_000_000;

/** Follows the steps through one stack. */
export class UpcomingSlices {
  constructor(options: UpcomingSlices.IOptions) {
    this._options = options;
  }

  /** The user went from one slice to another. */
  step(from: number, to: number): void {
    this._stepped = true;
    this._direction = to < from ? -1 : 1;
  }

  /**
   * The slices after this one in the direction of travel, the next one first. Before the first step it is one slice.
   *
   * @param tiles how many image tiles of a slice are in view
   */
  after(slice: number, tiles: number): number[] {
    const { slices, image } = this._options;
    const most = Math.min(SLICES_MAX, TILES_MAX / Math.max(1, tiles), PIXELS_MAX / (image.rows * image.columns));
    const count = this._stepped ? Math.max(1, Math.floor(most)) : 1;
    return Array.from({ length: count }, (_, i) => slice + this._direction * (i + 1)).filter(
      each => each >= 0 && each < slices
    );
  }

  private readonly _options: UpcomingSlices.IOptions;
  private _stepped = false;
  private _direction: 1 | -1 = 1;
}

/** The namespace for {@link UpcomingSlices}. */
export namespace UpcomingSlices {
  export interface IOptions {
    image: ISize;
    slices: number;
  }
}
