/**
 * From prompts on the image to the decoder's input. Image and frame share their upper left corner; the frame is the
 * image resized so that its longer side is the encoder's size, then padded to a square on the right and below
 * (Kirillov et al., "Segment Anything", 2023, and the transforms of its reference code).
 */
import { DecoderManifest } from '../shared/models';
import { ISize, Rect } from '../shared/rect';

export type { ISize };

/** A point prompt: row and column are pixel indices, fractions allowed; `label` 1 belongs to the object, 0 does not. */
export interface IPromptPoint {
  row: number;
  column: number;
  label: 0 | 1;
}

/** What a mask is asked for with: points, a box around the object, or both. */
export interface IPrompts {
  points: readonly IPromptPoint[];
  /** Its rows and columns hold the object. */
  box?: Rect | undefined;
  /** The logits of an earlier answer to prompts on the same embedding, which these prompts refine: `maskSize`² numbers. */
  mask?: Float32Array | undefined;
}

/** Prompts in the decoder's frame: N pairs (x, y), and their N labels: 1 and 0 as in {@link IPromptPoint}, 2 and 3 the box's corners, −1 padding. */
export interface IEncodedPrompts {
  coordinates: Float32Array;
  labels: Float32Array;
}

/** The size an image has in a frame of side `side`: the longer side fills it, no side vanishes; squashed, both sides fill it. */
export function frameSize({ rows, columns }: ISize, side: number, resize: 'longest' | 'squash' = 'longest'): ISize {
  if (!(Number.isInteger(rows) && rows > 0 && Number.isInteger(columns) && columns > 0)) {
    throw new RangeError(`An image of ${rows} × ${columns} pixels has no frame; rows and columns must be 1 or more.`);
  }
  if (resize === 'squash') {
    return { rows: side, columns: side };
  }
  const scale = side / Math.max(rows, columns);
  return {
    rows: Math.max(1, Math.floor(rows * scale + 0.5)),
    columns: Math.max(1, Math.floor(columns * scale + 0.5))
  };
}

/**
 * Encode points and box. The mask is an input of its own.
 *
 * @throws RangeError for neither a point nor a box, too many points, a label other than 0 and 1, a point outside the image, a box that is empty or
 * not inside the image, or a mask of another length.
 */
export function encodePrompts(
  { points, box, mask }: IPrompts,
  size: ISize,
  manifest: DecoderManifest
): IEncodedPrompts {
  const { maxPoints, pad, coordinateOffset, maskSize, coordinates: coordinatesIn, negative = true } = manifest.decoder;
  if ((points.length < 1 && !box) || points.length > maxPoints) {
    throw new RangeError(`${points.length} points were given; 1 to ${maxPoints} will do${box ? '' : ', or a box'}.`);
  }
  if (mask && mask.length !== maskSize * maskSize) {
    throw new RangeError(`The mask has ${mask.length} logits; ${maskSize} × ${maskSize} will do.`);
  }
  const { encoder } = manifest;
  const frame = frameSize(size, encoder.size, encoder.resize);
  // Pixels of what the graph takes coordinates in, for each pixel of the frame.
  const unit = coordinatesIn === 'masks' ? maskSize / encoder.size : 1;
  const length = points.length + (box ? 2 : pad ? 1 : 0);
  const coordinates = new Float32Array(2 * length);
  const labels = new Float32Array(length).fill(-1);
  /** Place a prompt; pixel centres are at .5 here. */
  const place = (index: number, row: number, column: number, label: number) => {
    coordinates[2 * index] = ((column * frame.columns) / size.columns - coordinateOffset) * unit;
    coordinates[2 * index + 1] = ((row * frame.rows) / size.rows - coordinateOffset) * unit;
    labels[index] = label;
  };
  points.forEach(({ row, column, label }, index) => {
    // Pixel centres are at whole indices, so the image's edges are half a pixel further out.
    if (!(row >= -0.5 && row <= size.rows - 0.5 && column >= -0.5 && column <= size.columns - 0.5)) {
      throw new RangeError(
        `Point (row ${row}, column ${column}) is outside the image of ${size.rows} rows and ${size.columns} columns.`
      );
    }
    if (label !== 0 && label !== 1) {
      throw new RangeError(`A point's label is ${String(label)}; 1 (in the object) or 0 (outside) will do.`);
    }
    if (label === 0 && !negative) {
      throw new RangeError(`${manifest.title} takes no points outside of the object; points in it and a box will do.`);
    }
    place(index, row + 0.5, column + 0.5, label);
  });
  if (box) {
    const { row0, row1, column0, column1 } = box;
    const fits = row0 >= 0 && row0 < row1 && row1 <= size.rows && column0 >= 0 && column0 < column1;
    if (!(fits && column1 <= size.columns)) {
      throw new RangeError(
        `Box ${JSON.stringify(box)} is empty or outside the image of ${size.rows} rows and ${size.columns} columns.`
      );
    }
    place(points.length, row0, column0, BOX_UPPER_LEFT);
    place(points.length + 1, row1, column1, BOX_LOWER_RIGHT);
  }
  return { coordinates, labels };
}

/** SAM's labels of a box's corners. */
const BOX_UPPER_LEFT = 2;
const BOX_LOWER_RIGHT = 3;
