/** One suggestion of SAM: the mask for a point at one of three scales. */
import { coverage, ICandidates, IObjectShape, PLAIN_SHAPE, ShapedMask, stability } from '../../sam';
import { DecoderManifest, LABEL_TILE, Rect } from '../../shared';
import { ISize, tilesIn } from '../base/geometry';
import { IMaskTile, MaskBuilder } from '../labels/raster';

/** A pixel: row and column. */
export interface IPixel {
  row: number;
  column: number;
}

/** The scale of the mask for clear prompts, after SAM's three scales. */
export const SINGLE = 3;

/** An immutable suggestion. Another scale makes a new one. */
export class Suggestion {
  constructor(
    readonly at: IPixel,
    readonly candidates: ICandidates,
    /** 0 small, 1 medium, 2 large, or {@link SINGLE}. */
    readonly scale: number,
    readonly image: ISize,
    private readonly _manifest: DecoderManifest,
    /** The rows and columns of the image that the decoder saw. */
    readonly seen: Rect = { row0: 0, row1: image.rows, column0: 0, column1: image.columns },
    readonly shape: Readonly<IObjectShape> = PLAIN_SHAPE,
    /** The points of which connected parts are kept. */
    points: readonly IPixel[] = [at],
    /** The image's greys in a rectangle, null if they are not known: the border is moved to their edges. */
    greys?: (rect: Rect) => Float32Array | null
  ) {
    this._points = points;
    this._mask = new ShapedMask({ logits: this.logits, seen, points }, shape, image, _manifest, greys);
  }

  /** The same mask in another shape, or with its border moved to edges. */
  inShape(shape: Readonly<IObjectShape>, greys?: (rect: Rect) => Float32Array | null): Suggestion {
    const { at, candidates, scale, image, _manifest, seen, _points } = this;
    return new Suggestion(at, candidates, scale, image, _manifest, seen, shape, _points, greys);
  }

  /** Whether the border was moved to the edges of the image. */
  get isRefined(): boolean {
    return this._mask.isRefined;
  }

  /** The logits, changed in shape; growth is left out. */
  get shaped(): Float32Array {
    return this._mask.logits;
  }

  /** A rectangle that holds all pixels of the mask. */
  get bounds(): Rect {
    return this._mask.bounds;
  }

  /** The logits of the mask as SAM gave it, `maskSize` rows and columns: for SAM, to refine it. */
  get logits(): Float32Array {
    const { lowRes, single } = this.candidates;
    return this.scale === SINGLE ? single!.lowRes : lowRes[this.scale]!;
  }

  /** The quality that SAM predicts for the mask, about 0 to 1. */
  get score(): number {
    return this.scale === SINGLE ? this.candidates.single!.score : this.candidates.scores[this.scale]!;
  }

  /** How little the mask depends on the threshold, 0 to 1: little for a ragged one. */
  get stability(): number {
    return (this._stability ??= stability(this.logits, this._size, this._manifest));
  }

  get scores(): number[] {
    return this.candidates.scores;
  }

  /** About how many pixels the mask has, by its logits. */
  get area(): number {
    const { rows, columns } = this._size;
    return Math.round(coverage(this.logits, this._size, this._manifest) * rows * columns);
  }

  /** The mask's pixels in a rectangle, 0 or 1. At level l, for display only, the image and the rectangle are reduced 2^l times. */
  region(region: Rect, level = 0): Uint8Array {
    return this._mask.region(region, level);
  }

  /** The common value of all pixels in a rectangle; undefined if they may differ. */
  uniform(region: Rect): 0 | 1 | undefined {
    return this._mask.uniform(region);
  }

  /** The mask of the whole image. */
  mask(): Uint8Array {
    return this.region({ row0: 0, row1: this.image.rows, column0: 0, column1: this.image.columns });
  }

  /** The mask in tiles, for a patch. */
  tiles(): IMaskTile[] {
    const { bounds } = this;
    const mask = new MaskBuilder(this.image);
    for (const tile of tilesIn(bounds, LABEL_TILE)) {
      const region = {
        row0: Math.max(tile.row * LABEL_TILE, bounds.row0),
        row1: Math.min((tile.row + 1) * LABEL_TILE, bounds.row1),
        column0: Math.max(tile.column * LABEL_TILE, bounds.column0),
        column1: Math.min((tile.column + 1) * LABEL_TILE, bounds.column1)
      };
      const uniform = this.uniform(region);
      if (uniform === 1) {
        mask.addRect(region);
      } else if (uniform === undefined) {
        mask.addMask(region, this.region(region));
      }
    }
    return mask.tiles();
  }

  contains({ row, column }: IPixel): boolean {
    const { rows, columns } = this.image;
    if (row < 0 || column < 0 || row >= rows || column >= columns) {
      return false;
    }
    return this.region({ row0: row, row1: row + 1, column0: column, column1: column + 1 })[0] === 1;
  }

  /** Rows and columns that the decoder saw. */
  private get _size(): ISize {
    const { row0, row1, column0, column1 } = this.seen;
    return { rows: row1 - row0, columns: column1 - column0 };
  }

  private readonly _points: readonly IPixel[];
  private readonly _mask: ShapedMask;
  private _stability: number | undefined;
}
