/**
 * How grey values become what the screen shows, rounded to whole numbers (`src/shared/contrast.ts`). SAM sees the same; features and training use the
 * image's own values.
 */
import type { Contrast } from '../../shared';

/** Grey values, low < high. */
export interface IRange {
  low: number;
  high: number;
}

/** Tiles of 16 bits have 65,536 steps: of fewer than this many, a shade of the screen would be missing. */
const STEPS_LEAST = 256;

/** What the screen shows of a value, 0 to 255. */
export function shade(value: number, { low, high, gamma, inverse }: Omit<Contrast, 'channels'>): number {
  const part = Math.min(Math.max((value - low) / (high - low), 0), 1);
  const level = Math.round(255 * part ** gamma);
  return inverse ? 255 - level : level;
}

/** What the screen shows of each stored number from 0 to `length` − 1; `of` are the values of the first and the last. */
export function makeLut(length: number, of: IRange, display: Omit<Contrast, 'channels'>): Uint8Array {
  const step = (of.high - of.low) / (length - 1);
  return Uint8Array.from({ length }, (_, stored) => shade(of.low + stored * step, display));
}

/**
 * The values for which tiles of 16 bits are requested: `usual`, the sidecar's own, while it covers what is shown in steps that are fine
 * enough, else both together, else only what is shown.
 */
export function rangeToSend(usual: IRange, shown: IRange): IRange {
  const both = { low: Math.min(usual.low, shown.low), high: Math.max(usual.high, shown.high) };
  const fine = (shown.high - shown.low) * (65535 / (both.high - both.low)) >= STEPS_LEAST;
  return fine ? both : { low: shown.low, high: shown.high };
}

/**
 * Convert a tile's pixels, as `image.tile` sends them, to RGBA.
 *
 * @param lut what is shown of each stored number
 */
export function toRgba(
  bytes: Uint8Array,
  tile: { rows: number; columns: number; channels: number; dtype: 'uint8' | 'uint16' },
  lut: Uint8Array,
  shown: readonly [boolean, boolean, boolean] = [true, true, true]
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = tile.rows * tile.columns;
  const { channels } = tile;
  const values = storedValues(bytes, tile);
  const out = new Uint8ClampedArray(pixels * 4);
  const alone = shown.indexOf(true);
  if (channels === 1 || shown.indexOf(true, alone + 1) < 0) {
    for (let i = 0, o = 0, v = channels === 1 ? 0 : Math.max(alone, 0); i < pixels; i++, o += 4, v += channels) {
      out[o] = out[o + 1] = out[o + 2] = lut[values[v]!]!;
      out[o + 3] = 255;
    }
    return out;
  }
  const [red, green, blue] = shown;
  for (let i = 0, o = 0, v = 0; i < pixels; i++, o += 4, v += 3) {
    out[o] = red ? lut[values[v]!]! : 0;
    out[o + 1] = green ? lut[values[v + 1]!]! : 0;
    out[o + 2] = blue ? lut[values[v + 2]!]! : 0;
    out[o + 3] = 255;
  }
  return out;
}

/** The stored numbers of a tile. Throws an Error if its bytes do not fit its size. */
export function storedValues(
  bytes: Uint8Array,
  { rows, columns, channels, dtype }: { rows: number; columns: number; channels: number; dtype: 'uint8' | 'uint16' }
): Uint8Array | Uint16Array {
  const expected = rows * columns * channels * (dtype === 'uint16' ? 2 : 1);
  if (bytes.byteLength !== expected) {
    throw new Error(
      `A tile of ${rows}×${columns}×${channels} ${dtype} has ${expected} bytes, but this one has ${bytes.byteLength}.`
    );
  }
  return dtype === 'uint16' ? asUint16(bytes) : bytes;
}

/** View bytes as 16-bit values. A message's buffer may begin at an odd address; then the bytes are copied. */
function asUint16(bytes: Uint8Array): Uint16Array {
  const even = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(even.buffer, even.byteOffset, even.byteLength / 2);
}

/** A grey value as text: whole numbers in full, others to six digits. */
export function valueText(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));
}
