/**
 * Half precision (IEEE 754 binary16), in which embeddings travel to the browser: half the bytes, and the same masks. Rounds to the nearest,
 * ties to even; values that are too large become infinite.
 */
const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** The bits of each value as a half. */
export function toFloat16(values: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    single[0] = values[i]!;
    const word = bits[0]!;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    if (magnitude > 0x7f800000) {
      out[i] = sign | 0x7e00;
    } else if (magnitude >= 0x477ff000) {
      // 65520 and above is nearer to 2^16 than to the largest half.
      out[i] = sign | 0x7c00;
    } else if (magnitude >= 0x38800000) {
      // Normal: rebias the exponent. The mantissa's carry may raise the exponent, as it should.
      out[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    } else if (magnitude > 0x33000000) {
      // Subnormal: units of 2^-24.
      const shift = 126 - (magnitude >>> 23);
      const mantissa = (magnitude & 0x7fffff) | 0x800000;
      const half = 1 << (shift - 1);
      out[i] = sign | ((mantissa + half - 1 + ((mantissa >>> shift) & 1)) >>> shift);
    } else {
      out[i] = sign;
    }
  }
  return out;
}

let table: Float32Array | undefined;

/** The values of halves, given as their bits. */
export function fromFloat16(halves: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, half) => {
    const exponent = (half >>> 10) & 31;
    const mantissa = half & 1023;
    const magnitude =
      exponent === 0
        ? mantissa * 2 ** -24
        : exponent === 31
          ? mantissa === 0
            ? Infinity
            : NaN
          : (1024 + mantissa) * 2 ** (exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
  });
  const out = new Float32Array(halves.length);
  for (let i = 0; i < out.length; i++) {
    out[i] = table[halves[i]!]!;
  }
  return out;
}

/** A view of bytes as halves, copied only if they begin at an odd address. */
export function asHalves(bytes: Uint8Array): Uint16Array {
  if (bytes.byteLength % 2 !== 0) {
    throw new RangeError(`${bytes.byteLength} bytes are not a list of halves; the number must be even.`);
  }
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}
