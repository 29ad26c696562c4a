/**
 * The pixels of a mask in the shape that the user chose: SAM's logits changed in shape, sampled at the image's pixels, the border moved to the edges of the
 * image, grown. The page and the sidecar make the same pixels.
 */
import { DecoderManifest } from '../shared/models';
import { intersection, ISize, levelSize, moved, overlapArea, overlaps, Rect } from '../shared/rect';
import { IGreys, REFINED_AREA_MAX, refinedMask, refinementMargin } from './edge-refinement';
import { grown, IMaskShape, maskBounds, samplesPerPixel, shapedLogits } from './mask-shape';
import { upscaleLogits, upscaleMaskRegion } from './masks';

/** The shape of an object. */
export interface IObjectShape extends IMaskShape {
  /** Move the border to the edges of the image, where its pixels are known; absent: no. */
  edges?: boolean;
}

/** SAM's mask of an object. */
export interface IObjectMask {
  /** `maskSize` rows and columns of logits, of the padded frame. */
  logits: Float32Array;
  /** The rows and columns of the image that the decoder saw. */
  seen: Rect;
  /** Pixels of the image; the connected parts at them are kept, or the largest part if none is at them. */
  points: readonly { row: number; column: number }[];
}

/** A part of a mask: 0 and 1. */
interface IMaskPart {
  rect: Rect;
  mask: Uint8Array;
}

/** The mask of an object in a shape; immutable. */
export class ShapedMask {
  /** @param greys the image's greys in a rectangle, null if they are not known; absent: the border stays where it is */
  constructor(
    { logits, seen, points }: IObjectMask,
    private readonly _shape: Readonly<IObjectShape>,
    private readonly _image: ISize,
    private readonly _manifest: DecoderManifest,
    greys?: (rect: Rect) => Float32Array | null
  ) {
    this._seen = seen;
    const inSeen = points.map(({ row, column }) => ({ row: row - seen.row0, column: column - seen.column0 }));
    this.logits = shapedLogits(logits, _shape, inSeen, this._size, _manifest);
    const margin = refinementMargin(this._step);
    this._refined = _shape.edges && greys ? this._refine(this._bounds(margin), greys) : null;
    this.bounds = this._bounds(Math.max(0, _shape.grow) + (this._refined ? margin : 0));
  }

  /** The logits, changed in shape; growth and edges are left out. */
  readonly logits: Float32Array;

  /** A rectangle that holds all pixels of the mask. */
  readonly bounds: Rect;

  /** Whether the border was moved to the edges of the image. */
  get isRefined(): boolean {
    return this._refined !== null;
  }

  /**
   * The common value of all pixels in a rectangle; undefined if they may differ. Where the logits around it have one sign, all
   * pixels between have it too, so that most tiles of a large mask need no upscaling.
   */
  uniform(region: Rect): 0 | 1 | undefined {
    const margin = Math.abs(this._shape.grow);
    if (this._refined && overlaps(this._refined.rect, region)) {
      return undefined;
    }
    if (margin > 0) {
      region = {
        row0: Math.max(0, region.row0 - margin),
        row1: Math.min(this._image.rows, region.row1 + margin),
        column0: Math.max(0, region.column0 - margin),
        column1: Math.min(this._image.columns, region.column1 + margin)
      };
    }
    const { row0: top, row1: bottom, column0: left, column1: right } = this._seen;
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
    const first = this.logits[row0 * side + column0]! > 0;
    for (let row = row0; row <= row1; row++) {
      for (let column = column0; column <= column1; column++) {
        if (this.logits[row * side + column]! > 0 !== first) {
          return undefined;
        }
      }
    }
    return first ? 1 : 0;
  }

  /** The mask's pixels in a rectangle, 0 or 1. At level l, for display only, the image and the rectangle are reduced 2^l times. */
  region(region: Rect, level = 0): Uint8Array {
    const by = Math.round(this._shape.grow / 2 ** level);
    if (by === 0) {
      return this._ungrown(region, level);
    }
    // A margin around the rectangle, clipped to the image, decides about the pixels at its edges.
    const { rows, columns } = level === 0 ? this._image : levelSize(this._image, level);
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
    const [top, left] = [Math.floor(this._seen.row0 / by), Math.floor(this._seen.column0 / by)];
    const row0 = Math.max(region.row0, top);
    const row1 = Math.min(region.row1, top + seen.rows);
    const column0 = Math.max(region.column0, left);
    const column1 = Math.min(region.column1, left + seen.columns);
    const width = region.column1 - region.column0;
    const out = new Uint8Array((region.row1 - region.row0) * width);
    if (row0 < row1 && column0 < column1) {
      const part = moved({ row0, row1, column0, column1 }, -top, -left);
      const inside = upscaleMaskRegion(this.logits, seen, part, this._manifest);
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
    const rect = intersection(around, this._seen);
    const area = overlapArea(around, this._seen);
    const values = area > 0 && area <= REFINED_AREA_MAX ? greys(rect) : null;
    if (!values) {
      return null;
    }
    const inside = moved(rect, -this._seen.row0, -this._seen.column0);
    const logits = upscaleLogits(this.logits, this._size, inside, this._manifest);
    const known: IGreys = { rect, values };
    return { rect, mask: refinedMask(logits, known, this._step) };
  }

  /** Pixels of the image a sample of the mask. */
  private get _step(): number {
    const { down, across } = samplesPerPixel(this._size, this._manifest);
    return 1 / Math.min(down, across);
  }

  /** Rows and columns that the decoder saw. */
  private get _size(): ISize {
    const { row0, row1, column0, column1 } = this._seen;
    return { rows: row1 - row0, columns: column1 - column0 };
  }

  /** A rectangle that holds all pixels of the logits' mask and a margin. */
  private _bounds(margin: number): Rect {
    const inSeen = maskBounds(this.logits, this._size, this._manifest);
    if (inSeen.row1 === 0) {
      return inSeen;
    }
    const clip = (value: number, most: number) => Math.min(Math.max(value, 0), most);
    const { row0, row1, column0, column1 } = moved(inSeen, this._seen.row0, this._seen.column0);
    return {
      row0: clip(row0 - margin, this._image.rows),
      row1: clip(row1 + margin, this._image.rows),
      column0: clip(column0 - margin, this._image.columns),
      column1: clip(column1 + margin, this._image.columns)
    };
  }

  private readonly _seen: Rect;
  private readonly _refined: IMaskPart | null;
}

/**
 * All pixels of an object's mask in a shape: 0 and 1, in a rectangle of the image, which may be empty, at 0.
 *
 * @param greys as for {@link ShapedMask}
 */
export function shapedPixels(
  object: IObjectMask,
  shape: Readonly<IObjectShape>,
  image: ISize,
  manifest: DecoderManifest,
  greys?: (rect: Rect) => Float32Array | null
): { rect: Rect; mask: Uint8Array } {
  const shaped = new ShapedMask(object, shape, image, manifest, greys);
  return { rect: shaped.bounds, mask: shaped.region(shaped.bounds) };
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
