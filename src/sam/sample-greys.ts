/**
 * The greys of an image at the samples of SAM's masks, so that a mask's mean grey can be had without its pixels.
 */
import { DecoderManifest } from '../shared/models';
import { areaOf, ISize, Rect } from '../shared/rect';
import { samplesOf, samplesPerPixel } from './mask-shape';

/** Most rows of the image that are read for a row of samples. */
const ROWS_MAX = 4;

/**
 * The mean grey of each sample.
 *
 * @param size of the image that the decoder saw
 * @param read the greys of a rectangle of it, rows × columns, in any unit; null if they are not known
 * @returns `maskSize`² of them, as the logits are; the padding repeats the last row and column. Null if a rectangle is not known
 */
export function sampleGreys(
  size: ISize,
  manifest: DecoderManifest,
  read: (rect: Rect) => ArrayLike<number> | null
): Float32Array | null {
  const side = manifest.decoder.maskSize;
  const samples = samplesOf(size, manifest);
  const { down, across } = samplesPerPixel(size, manifest);
  const pixels = (sample: number, scale: number, length: number): [number, number] => {
    const begin = Math.min(Math.floor(sample / scale), length - 1);
    return [begin, Math.min(Math.max(Math.floor((sample + 1) / scale), begin + 1), length)];
  };
  const out = new Float32Array(side * side);
  for (let row = 0; row < side; row++) {
    if (row >= samples.rows) {
      out.copyWithin(row * side, (row - 1) * side, row * side);
      continue;
    }
    const [begin, end] = pixels(row, down, size.rows);
    const row0 = begin + Math.max(0, (end - begin - ROWS_MAX) >> 1);
    const rect = { row0, row1: Math.min(end, row0 + ROWS_MAX), column0: 0, column1: size.columns };
    const greys = read(rect);
    if (!greys) {
      return null;
    }
    for (let column = 0; column < samples.columns; column++) {
      const [column0, column1] = pixels(column, across, size.columns);
      let sum = 0;
      for (let y = 0; y < rect.row1 - rect.row0; y++) {
        for (let x = column0; x < column1; x++) {
          sum += greys[y * size.columns + x]!;
        }
      }
      out[row * side + column] = sum / areaOf({ ...rect, column0, column1 });
    }
    out.fill(out[row * side + samples.columns - 1]!, row * side + samples.columns, (row + 1) * side);
  }
  return out;
}
