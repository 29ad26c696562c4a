/** CRC-32 as in ISO 3309 and zlib (polynomial 0xEDB88320, reflected). */
import * as zlib from 'node:zlib';

/** Node's own, ten times as fast; older releases of Node 20 lack it. */
const native = (zlib as { crc32?: (bytes: Uint8Array, seed: number) => number }).crc32;
/** Fewer bytes are summed here: a call costs more than they do. */
const NATIVE_BYTES = 64;

const TABLE = new Uint32Array(256).map((_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) {
    c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  }
  return c >>> 0;
});

/** The checksum of `bytes`. To go on from earlier bytes, pass their checksum as `seed`. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  if (native && bytes.length >= NATIVE_BYTES) {
    return native(bytes, seed);
  }
  let c = ~seed;
  for (let i = 0; i < bytes.length; i++) {
    c = TABLE[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  }
  return ~c >>> 0;
}
