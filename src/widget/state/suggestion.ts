/** One suggestion of SAM: the mask for a point at one of three scales. */
import {
  coverage,
  grown,
  ICandidates,
  IGreys,
  IMaskShape,
  maskBounds,
  PLAIN_SHAPE,
  REFINED_AREA_MAX,
  refinedMask,
  refinementMargin,
  samplesPerPixel,
  shapedLogits,
  stability,
  upscaleLogits,
  upscaleMaskRegion
} from '../../sam';
import { DecoderManifest, LABEL_TILE, moved, overlapArea, overlaps, Rect } from '../../shared';
import { ISize, levelSize, tilesIn } from '../base/geometry';
import { IMaskTile, MaskBuilder } from '../labels/raster';

/** A pixel: row and column. */
export interface IPixel {
  row: number;
  column: number;
}

/** The scale of the mask for clear prompts, after SAM's three scales. */
export const SINGLE = 3;

/** The shape of a suggestion. */
export interface ISuggestionShape extends IMaskShape {
  /** Move the border to the edges of the image, where its pixels are known; absent: no. */
  edges?: boolean;
}

/** A part of a mask: 0 and 1. */
interface IMaskPart {
  rect: Rect;
  mask: Uint8Array;
}

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
    readonly shape: Readonly<ISuggestionShape> = PLAIN_SHAPE,
    /** The points of which connected parts are kept. */
    points: readonly IPixel[] = [at],
    /** The image's greys in a rectangle, null if they are not known: the border is moved to their edges. */
    greys?: (rect: Rect) => Float32Array | null
  ) {
    const inSeen = points.map(({ row, column }) => ({ row: row - seen.row0, column: column - seen.column0 }));
    this.shaped = shapedLogits(this.logits, shape, inSeen, this._size, _manifest);
    const margin = refinementMargin(this._step);
    this._refined = shape.edges && greys ? this._refine(this._bounds(margin), greys) : null;
    this.bounds = this._bounds(Math.max(0, shape.grow) + (this._refined ? margin : 0));
  }

  /** Whether the border was moved to the edges of the image. */
  get isRefined(): boolean {
    return this._refined !== null;
  }

  /** The logits, changed in shape; growth is left out. */
  readonly shaped: Float32Array;

  /** A rectangle that holds all pixels of the mask. */
  readonly bounds: Rect;

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
    const by = Math.round(this.shape.grow / 2 ** level);
    if (by === 0) {
      return this._ungrown(region, level);
    }
    // A margin around the rectangle, clipped to the image, decides about the pixels at its edges.
    const { rows, columns } = level === 0 ? this.image : levelSize(this.image, level);
    const margin = Math.abs(by);
    const row0 = Math.max(0, region.row0 - margin);
    const row1 = Math.min(rows, region.row1 + margin);
    const column0 = Math.max(0, region.column0 - margin);
    const column1 = Math.min(columns, region.column1 + margin);
    const size = { rows: row1 - row0, columns: column1 - column0 };
    const mask = grown(this._ungrown({ row0, row1, column0, column1 }, level), size, by);
    const width = region.column1 - region.column0;
    const out = new Uint8Array((region.row1 - region.row0) * width);
    for (let row = Math.max(region.row0, row0); row < Math.min(region.row1, row1); row++) {
      const from = (row - row0) * size.columns - column0;
      const [left, right] = [Math.max(region.column0, column0), Math.min(region.column1, column1)];
      out.set(mask.subarray(from + left, from + right), (row - region.row0) * width + left - region.column0);
    }
    return out;
  }

  /** As {@link region}, before the mask is grown. */
  private _ungrown(region: Rect, level: number): Uint8Array {
    const by = 2 ** level;
    const size = this._size;
    const seen = level === 0 ? size : levelSize(size, level);
    const [top, left] = [Math.floor(this.seen.row0 / by), Math.floor(this.seen.column0 / by)];
    const row0 = Math.max(region.row0, top);
    const row1 = Math.min(region.row1, top + seen.rows);
    const column0 = Math.max(region.column0, left);
    const column1 = Math.min(region.column1, left + seen.columns);
    const width = region.column1 - region.column0;
    const out = new Uint8Array((region.row1 - region.row0) * width);
    if (row0 < row1 && column0 < column1) {
      const part = moved({ row0, row1, column0, column1 }, -top, -left);
      const inside = upscaleMaskRegion(this.shaped, seen, part, this._manifest);
      const columns = column1 - column0;
      for (let row = row0; row < row1; row++) {
        const from = (row - row0) * columns;
        out.set(inside.subarray(from, from + columns), (row - region.row0) * width + column0 - region.column0);
      }
    }
    if (level === 0 && this._refined) {
      copyInto(out, region, this._refined);
    }
    return out;
  }

  /** Move the border to the edges of the image in a rectangle. */
  private _refine(around: Rect, greys: (rect: Rect) => Float32Array | null): IMaskPart | null {
    const rect = common(around, this.seen);
    const area = overlapArea(around, this.seen);
    const values = area > 0 && area <= REFINED_AREA_MAX ? greys(rect) : null;
    if (!values) {
      return null;
    }
    const inside = moved(rect, -this.seen.row0, -this.seen.column0);
    const logits = upscaleLogits(this.shaped, this._size, inside, this._manifest);
    const known: IGreys = { rect, values };
    return { rect, mask: refinedMask(logits, known, this._step) };
  }

  /** Pixels of the image a sample of the mask. */
  private get _step(): number {
    const { down, across } = samplesPerPixel(this._size, this._manifest);
    return 1 / Math.min(down, across);
  }

  /**
   * The common value of all pixels in a rectangle; undefined if they may differ. Where the logits around it have one sign, all
   * pixels between have it too, so that most tiles of a large mask need no upscaling.
   */
  uniform(region: Rect): 0 | 1 | undefined {
    const margin = Math.abs(this.shape.grow);
    if (this._refined && overlaps(this._refined.rect, region)) {
      return undefined;
    }
    if (margin > 0) {
      region = {
        row0: Math.max(0, region.row0 - margin),
        row1: Math.min(this.image.rows, region.row1 + margin),
        column0: Math.max(0, region.column0 - margin),
        column1: Math.min(this.image.columns, region.column1 + margin)
      };
    }
    const { row0: top, row1: bottom, column0: left, column1: right } = this.seen;
    if (region.row0 < top || region.row1 > bottom || region.column0 < left || region.column1 > right) {
      return undefined; // 0 outside of what the decoder saw
    }
    const side = this._manifest.decoder.maskSize;
    const { down, across } = samplesPerPixel(this._size, this._manifest);
    const range = (from: number, to: number, scale: number): [number, number] => [
      Math.max(0, Math.floor(from * scale - 1.5)),
      Math.min(side - 1, Math.ceil(to * scale + 1.5))
    ];
    const [row0, row1] = range(region.row0 - top, region.row1 - top, down);
    const [column0, column1] = range(region.column0 - left, region.column1 - left, across);
    const first = this.shaped[row0 * side + column0]! > 0;
    for (let row = row0; row <= row1; row++) {
      for (let column = column0; column <= column1; column++) {
        if (this.shaped[row * side + column]! > 0 !== first) {
          return undefined;
        }
      }
    }
    return first ? 1 : 0;
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

  /** A rectangle that holds all pixels of the logits' mask and a margin. */
  private _bounds(margin: number): Rect {
    const inSeen = maskBounds(this.shaped, this._size, this._manifest);
    if (inSeen.row1 === 0) {
      return inSeen;
    }
    const clip = (value: number, most: number) => Math.min(Math.max(value, 0), most);
    const { row0, row1, column0, column1 } = moved(inSeen, this.seen.row0, this.seen.column0);
    return {
      row0: clip(row0 - margin, this.image.rows),
      row1: clip(row1 + margin, this.image.rows),
      column0: clip(column0 - margin, this.image.columns),
      column1: clip(column1 + margin, this.image.columns)
    };
  }

  private readonly _refined: IMaskPart | null;
  private _stability: number | undefined;
}

function common(a: Rect, b: Rect): Rect {
  return {
    row0: Math.max(a.row0, b.row0),
    row1: Math.min(a.row1, b.row1),
    column0: Math.max(a.column0, b.column0),
    column1: Math.min(a.column1, b.column1)
  };
}

/** Copy the pixels that a part has of a rectangle. */
function copyInto(out: Uint8Array, region: Rect, { rect, mask }: IMaskPart): void {
  const [column0, column1] = [Math.max(region.column0, rect.column0), Math.min(region.column1, rect.column1)];
  if (column0 >= column1) {
    return;
  }
  for (let row = Math.max(region.row0, rect.row0); row < Math.min(region.row1, rect.row1); row++) {
    const from = (row - rect.row0) * (rect.column1 - rect.column0) - rect.column0;
    const to = (row - region.row0) * (region.column1 - region.column0) - region.column0;
    out.set(mask.subarray(from + column0, from + column1), to + column0);
  }
}
