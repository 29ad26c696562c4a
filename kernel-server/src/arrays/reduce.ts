/**
 * Means of an image's pixels over squares of 2^level × 2^level, straight from the file. Sums are exact for integers of up to 32 bits, so the
 * result does not depend on how the squares are divided into reads.
 */
import { breathe } from '../base/files';
import { TypedArray } from './dtypes';
import { SliceReader } from './slices';

/** Bytes of a band of rows, about: read and reduced between two turns of the event loop. */
const BAND_BYTES = 4 << 20;

/** Pixels of a level: those of rows `row0` to `row1`, columns `column0` to `column1`. */
export interface ILevelRect {
  slice: number;
  level: number;
  row0: number;
  row1: number;
  column0: number;
  column1: number;
}

/** The means under some pixels of a level, rows × columns × channels. At the image's edges they are of fewer pixels. */
export async function reduced(file: SliceReader, rect: ILevelRect): Promise<Float32Array> {
  const { channels } = file;
  const size = 2 ** rect.level;
  const column0 = rect.column0 * size;
  const column1 = Math.min(file.columns, rect.column1 * size);
  const width = column1 - column0;
  const across = rect.column1 - rect.column0;
  const out = new Float32Array((rect.row1 - rect.row0) * across * channels);
  const sums = new Float64Array(across * channels);
  const bytes = width * channels * 8;
  const band = Math.max(1, Math.floor(BAND_BYTES / (bytes * size)));
  for (let first = rect.row0; first < rect.row1; first += band) {
    const last = Math.min(rect.row1, first + band);
    const [row0, row1] = [first * size, Math.min(file.rows, last * size)];
    const pixels = summable(file.read({ slice: rect.slice, row0, row1, column0, column1 }));
    for (let row = first; row < last; row++) {
      const rows = Math.min(size, file.rows - row * size);
      sums.fill(0);
      for (let r = 0; r < rows; r++) {
        addRow(pixels, ((row - first) * size + r) * width * channels, { width, channels, size }, sums);
      }
      const at = (row - rect.row0) * across * channels;
      for (let column = 0; column < across; column++) {
        const count = rows * Math.min(size, width - column * size);
        for (let k = 0; k < channels; k++) {
          out[at + column * channels + k] = sums[column * channels + k]! / count;
        }
      }
    }
    await breathe();
  }
  return out;
}

/** Arrays of three types only: code that sees more of them is several times slower in V8. */
type Summable = Uint8Array | Uint16Array | Float64Array;

function summable(pixels: TypedArray): Summable {
  return pixels instanceof Uint8Array || pixels instanceof Uint16Array ? pixels : new Float64Array(pixels);
}

/** Add a row of pixels to the sums of the squares that it belongs to. */
function addRow(
  pixels: Summable,
  from: number,
  { width, channels, size }: { width: number; channels: number; size: number },
  sums: Float64Array
): void {
  const whole = channels === 1 ? Math.floor(width / size) : 0;
  let at = from;
  // Written out, because a loop over 8 pixels takes more than twice as long.
  if (size === 8) {
    for (let i = 0; i < whole; i++, at += 8) {
      sums[i]! +=
        pixels[at]! +
        pixels[at + 1]! +
        pixels[at + 2]! +
        pixels[at + 3]! +
        pixels[at + 4]! +
        pixels[at + 5]! +
        pixels[at + 6]! +
        pixels[at + 7]!;
    }
  } else if (size === 4) {
    for (let i = 0; i < whole; i++, at += 4) {
      sums[i]! += pixels[at]! + pixels[at + 1]! + pixels[at + 2]! + pixels[at + 3]!;
    }
  } else if (size === 2) {
    for (let i = 0; i < whole; i++, at += 2) {
      sums[i]! += pixels[at]! + pixels[at + 1]!;
    }
  }
  for (let column = (at - from) / channels; column < width; column++) {
    const to = Math.floor(column / size) * channels;
    for (let k = 0; k < channels; k++, at++) {
      sums[to + k]! += pixels[at]!;
    }
  }
}
