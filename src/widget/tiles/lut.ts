/** Lookup tables and palettes: from stored values to pixels of the screen. */

/** A table from 16-bit values to grey levels: `low` becomes 0, `high` 255, linear between. */
export function makeLut(low = 0, high = 65535): Uint8ClampedArray {
  const lut = new Uint8ClampedArray(65536);
  const span = Math.max(high - low, 1);
  for (let value = 0; value < lut.length; value++) {
    lut[value] = ((value - low) * 255) / span;
  }
  return lut;
}

/** Convert a tile's pixels as `image.tile` sends them to RGBA. 16-bit values go through `lut`. */
export function toRgba(
  bytes: Uint8Array,
  tile: { rows: number; columns: number; channels: number; dtype: 'uint8' | 'uint16' },
  lut: Uint8ClampedArray
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = tile.rows * tile.columns;
  const values = pixels * tile.channels;
  const expected = values * (tile.dtype === 'uint16' ? 2 : 1);
  if (bytes.byteLength !== expected) {
    throw new Error(
      `A tile of ${tile.rows}×${tile.columns}×${tile.channels} ${tile.dtype} has ${expected} bytes, but this one has ${bytes.byteLength}.`
    );
  }
  const out = new Uint8ClampedArray(pixels * 4);
  const wide = tile.dtype === 'uint16' ? asUint16(bytes) : undefined;
  const colour = tile.channels === 3;
  for (let i = 0, o = 0, v = 0; i < pixels; i++, o += 4, v += tile.channels) {
    const red = wide ? lut[wide[v]!]! : bytes[v]!;
    out[o] = red;
    out[o + 1] = colour ? (wide ? lut[wide[v + 1]!]! : bytes[v + 1]!) : red;
    out[o + 2] = colour ? (wide ? lut[wide[v + 2]!]! : bytes[v + 2]!) : red;
    out[o + 3] = 255;
  }
  return out;
}

/** View bytes as 16-bit values. A message's buffer may begin at an odd address; then the bytes are copied. */
function asUint16(bytes: Uint8Array): Uint16Array {
  const even = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(even.buffer, even.byteOffset, even.byteLength / 2);
}

/** Class colours as 32-bit RGBA pixels in memory order, opaque; entry 0 is transparent. */
export function makePalette(classes: readonly { id: number; color: string }[]): Uint32Array {
  const palette = new Uint32Array(256);
  for (const { id, color } of classes) {
    const rgb = parseInt(color.slice(1), 16);
    palette[id] = ((0xff << 24) | ((rgb & 0xff) << 16) | (rgb & 0xff00) | ((rgb >> 16) & 0xff)) >>> 0;
  }
  return palette;
}

/** The 256 grey levels as 32-bit RGBA pixels, opaque. */
export function makeGreys(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, level) => (0xff000000 | (level * 0x010101)) >>> 0);
}

/** A colour (`#rrggbb`) from transparent (0) to opaque (255) as 32-bit RGBA pixels. */
export function makeRamp(color: string): Uint32Array {
  const opaque = makePalette([{ id: 1, color }])[1]!;
  return Uint32Array.from({ length: 256 }, (_, level) => ((opaque & 0xffffff) | (level << 24)) >>> 0);
}
