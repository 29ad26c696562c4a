/**
 * Masks in the form in which they travel from the sidecar to the page: a byte a logit, finest where the mask's border is.
 *
 * The code of a logit x has its sign, and counts the steps of |x| + 1/8 above 1/8, of which there are 16 in each octave: those of a float32 with four bits
 * of mantissa. It stands for the middle of its step. So three facts stay exact for each logit, whether it is above −1, 0 and 1: the mask, and what Auto and
 * the stability of a mask depend on. Logits beyond ±30 become ±30.
 */

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
