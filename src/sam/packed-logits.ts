/**
 * Masks in the form in which they travel from the sidecar to the page: a byte a logit, finest where the mask's border is.
 *
 * The code of a logit x has its sign, and counts the steps of |x| + 1/8 above 1/8, of which there are 16 in each octave: those of a float32 with four bits
 * of mantissa. It stands for the middle of its step. So three facts stay exact for each logit, whether it is above −1, 0 and 1: the mask, and what Auto and
 * the stability of a mask depend on. Logits beyond ±30 become ±30.
 */
import { Rect } from '../shared/rect';

/** Samples around an object that travel with it: what smoothing, and a border that moves, depend on. */
const AROUND = 8;
/** What the logits farther from it become. */
const FAR = -30;

const BIAS = 1 / 8;
/** Bits of a float32 that a code leaves out. */
const SHIFT = 19;
const CODE_MAX = 127;

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The codes of masks, one after the other. */
export function packLogits(masks: readonly Float32Array[]): Uint8Array {
  const codes = new Int8Array(masks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const mask of masks) {
    for (let i = 0; i < mask.length; i++, at++) {
      const logit = mask[i]!;
      float[0] = Math.abs(logit) + BIAS;
      const code = Math.min(CODE_MAX, (bits[0]! >> SHIFT) - FIRST + 1);
      codes[at] = logit > 0 ? code : -code;
    }
  }
  return new Uint8Array(codes.buffer);
}

/**
 * The masks of {@link packLogits}.
 *
 * @param length logits of a mask
 * @throws RangeError if the codes are not those of whole masks
 */
export function unpackLogits(codes: Uint8Array, length: number): Float32Array[] {
  if (codes.length % length !== 0) {
    throw new RangeError(`There are ${codes.length} codes; a multiple of ${length} will do.`);
  }
  const masks: Float32Array[] = [];
  for (let at = 0; at < codes.length; at += length) {
    const mask = new Float32Array(length);
    for (let i = 0; i < length; i++) {
      mask[i] = LOGITS[codes[at + i]!]!;
    }
    masks.push(mask);
  }
  return masks;
}

/** The logits of an object and a few samples around it, as {@link packLogits} writes them. */
export interface IPackedPart {
  /** The rows and columns of the logits that they are of. */
  samples: Rect;
  codes: Uint8Array;
}

/** Pack the part of a mask of `side` rows and columns in which its object lies; without an object, nothing. */
export function packPart(mask: Float32Array, side: number): IPackedPart {
  const samples = { row0: side, row1: 0, column0: side, column1: 0 };
  mask.forEach((logit, i) => {
    if (logit > 0) {
      const [row, column] = [Math.floor(i / side), i % side];
      samples.row0 = Math.min(samples.row0, row);
      samples.row1 = Math.max(samples.row1, row + 1);
      samples.column0 = Math.min(samples.column0, column);
      samples.column1 = Math.max(samples.column1, column + 1);
    }
  });
  const { row0, row1, column0, column1 } = samples;
  if (row0 >= row1) {
    return { samples: { row0: 0, row1: 0, column0: 0, column1: 0 }, codes: new Uint8Array() };
  }
  const [top, bottom] = [Math.max(0, row0 - AROUND), Math.min(side, row1 + AROUND)];
  const [left, right] = [Math.max(0, column0 - AROUND), Math.min(side, column1 + AROUND)];
  const rows = Array.from({ length: bottom - top }, (_, i) =>
    mask.subarray((top + i) * side + left, (top + i) * side + right)
  );
  return { samples: { row0: top, row1: bottom, column0: left, column1: right }, codes: packLogits(rows) };
}

/**
 * The mask of {@link packPart}, `side` rows and columns; what is far from its object is outside.
 *
 * @throws RangeError if the codes are not those of the part
 */
export function unpackPart({ samples, codes }: IPackedPart, side: number): Float32Array {
  const { row0, row1, column0, column1 } = samples;
  const width = column1 - column0;
  if (codes.length !== (row1 - row0) * width || row1 > side || column1 > side) {
    throw new RangeError(
      `There are ${codes.length} codes for rows ${row0} to ${row1} and columns ${column0} to ${column1} of ${side}.`
    );
  }
  const mask = new Float32Array(side * side).fill(FAR);
  const rows = width > 0 ? unpackLogits(codes, width) : [];
  rows.forEach((row, i) => mask.set(row, (row0 + i) * side + column0));
  return mask;
}

/** What the bits of 1/8 are without those that codes leave out. */
const FIRST = ((float[0] = BIAS), bits[0]! >> SHIFT);

/** Where a step of |x| begins. */
function stepAt(code: number): number {
  bits[0] = (FIRST + code) << SHIFT;
  return float[0]! - BIAS;
}

/** What each byte stands for. */
const LOGITS = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = byte < 128 ? byte : byte - 256;
  const size = Math.abs(code);
  return code === 0 ? 0 : (Math.sign(code) * (stepAt(size - 1) + stepAt(size))) / 2;
});
