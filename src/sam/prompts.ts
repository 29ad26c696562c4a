/**
 * From points on the image to the decoder's input. Image and frame share their upper left corner; the frame is the
 * image resized so that its longer side is the encoder's size, then padded to a square on the right and below
 * (Kirillov et al., "Segment Anything", 2023, and the transforms of its reference code).
 */
import { DecoderManifest } from '../shared/models';
import { ISize } from '../shared/rect';

export type { ISize };

/** A point prompt: row and column are pixel indices, fractions allowed; `label` 1 belongs to the object, 0 does not. */
export interface IPromptPoint {
  row: number;
  column: number;
  label: 0 | 1;
}

/** Prompts in the decoder's frame: N pairs (x, y), and their N labels. */
export interface IEncodedPoints {
  coordinates: Float32Array;
  labels: Float32Array;
}

/** The size an image has in a frame of side `side`: the longer side fills it, no side vanishes. */
export function frameSize({ rows, columns }: ISize, side: number): ISize {
  if (!(Number.isInteger(rows) && rows > 0 && Number.isInteger(columns) && columns > 0)) {
    throw new RangeError(`An image of ${rows} × ${columns} pixels has no frame; rows and columns must be 1 or more.`);
  }
  const scale = side / Math.max(rows, columns);
  return {
    rows: Math.max(1, Math.floor(rows * scale + 0.5)),
    columns: Math.max(1, Math.floor(columns * scale + 0.5))
  };
}

/**
 * Encode points.
 *
 * @throws RangeError for no point, too many, a label other than 0 and 1, or a point outside the image.
 */
export function encodePoints(points: readonly IPromptPoint[], size: ISize, manifest: DecoderManifest): IEncodedPoints {
  const { maxPoints, pad, coordinateOffset } = manifest.decoder;
  if (points.length < 1 || points.length > maxPoints) {
    throw new RangeError(`${points.length} points were given; 1 to ${maxPoints} will do.`);
  }
  const frame = frameSize(size, manifest.encoder.size);
  const length = points.length + (pad ? 1 : 0);
  const coordinates = new Float32Array(2 * length);
  const labels = new Float32Array(length).fill(-1);
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
    // Add half a pixel in the image's pixels, so that centres map to centres, and subtract what the graph will add.
    coordinates[2 * index] = ((column + 0.5) * frame.columns) / size.columns - coordinateOffset;
    coordinates[2 * index + 1] = ((row + 0.5) * frame.rows) / size.rows - coordinateOffset;
    labels[index] = label;
  });
  return { coordinates, labels };
}
