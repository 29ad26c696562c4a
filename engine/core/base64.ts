/** Strict Base64 (RFC 4648, section 4) of typed arrays: each byte sequence has one text, so a file stays the same after a round trip. */

const ALPHABET = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const PAD = 0x3d;
/** Value of each character's code, 255 for those that are not in the alphabet. */
const VALUES = new Uint8Array(256).fill(255);
ALPHABET.forEach((code, value) => (VALUES[code] = value));

/** Our own code, since `btoa` takes a string and a forest has megabytes. */
export function toBase64(data: ArrayBufferView): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let to = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out[to++] = ALPHABET[bits >>> 18]!;
    out[to++] = ALPHABET[(bits >>> 12) & 63]!;
    out[to++] = ALPHABET[(bits >>> 6) & 63]!;
    out[to++] = ALPHABET[bits & 63]!;
  }
  out.fill(PAD, out.length - ((3 - (bytes.length % 3)) % 3));
  return new TextDecoder().decode(out);
}

/**
 * Decode to a new array; allocates nothing if the text has the wrong length.
 *
 * @returns undefined for a text that is not base64 of `bytes` bytes
 */
export function fromBase64(text: string, bytes: number): Uint8Array<ArrayBuffer> | undefined {
  if (text.length !== Math.ceil(bytes / 3) * 4) {
    return undefined;
  }
  const out = new Uint8Array(bytes);
  const spare = (3 - (bytes % 3)) % 3;
  let strange = 0;
  let bits = 0;
  for (let i = 0; i < text.length - spare; i++) {
    const code = text.charCodeAt(i);
    const value = code < 256 ? VALUES[code]! : 255;
    strange |= value;
    bits = (bits << 6) | value;
    if (i % 4 > 0) {
      const last = i % 4 === 1 ? 4 : i % 4 === 2 ? 2 : 0;
      out[Math.floor(i / 4) * 3 + (i % 4) - 1] = bits >>> last;
    }
  }
  const unused = spare === 1 ? bits & 3 : spare === 2 ? bits & 15 : 0;
  return strange > 63 || unused > 0 || !text.endsWith('='.repeat(spare)) ? undefined : out;
}
