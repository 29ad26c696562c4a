/** Palettes: from class ids and bytes to pixels of the screen. */

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
