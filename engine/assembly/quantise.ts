/**
 * Float32 features to 8 bits: a value's bin is the number of cuts that are smaller than it, and 0 for NaN.
 *
 * The upper 16 bits of a float, as an integer that keeps the order, name a cell. A table gives, for each cell, how many cuts lie in the
 * cells before it: a bound from below, from which the few cuts of the cell itself are counted one by one.
 */

const CELLS: usize = 65536;
/** Floats for each feature's cuts: 255 at most, the rest +∞. */
const CUTS_BYTES: usize = 1024;

@inline
function cell(value: f32): usize {
  const bits = reinterpret<u32>(value);
  return <usize>((bits ^ (<u32>(<i32>bits >> 31) | 0x80000000)) >> 16);
}

/** Fill the tables (65,536 bytes a feature) for cuts (256 floats a feature, ascending, ending in +∞). */
export function buildTables(cuts: usize, features: i32, tables: usize): void {
  for (let f = 0; f < features; f++) {
    let position: usize = 0;
    let bin: u8 = 0;
    for (let i = 0; i < 255; i++) {
      const cut = load<f32>(cuts + (<usize>i << 2));
      if (!(cut < Infinity)) {
        break;
      }
      // The cells up to and including the cut's own come before it.
      const own = cell(cut + 0);
      while (position <= own) {
        store<u8>(tables + position++, bin);
      }
      bin++;
    }
    while (position < CELLS) {
      store<u8>(tables + position++, bin);
    }
    cuts += CUTS_BYTES;
    tables += CELLS;
  }
}

/**
 * Quantise planes of float32 into blocks of 4 × 4 pixels: `out` is [block row][block column][feature][16], row by row in a block.
 * Planes are `planeBytes` apart, rows `stride` bytes; rows and columns are padded to multiples of 4.
 */
export function quantise(
  planes: usize,
  planeBytes: usize,
  stride: usize,
  blockRows: i32,
  blockColumns: i32,
  features: i32,
  cuts: usize,
  tables: usize,
  out: usize
): void {
  const blockBytes = <usize>features << 4;
  for (let by = 0; by < blockRows; by++) {
    const strip = planes + <usize>by * 4 * stride;
    const outStrip = out + <usize>(by * blockColumns) * blockBytes;
    for (let f = 0; f < features; f++) {
      const plane = strip + <usize>f * planeBytes;
      const table = tables + <usize>f * CELLS;
      const ownCuts = cuts + <usize>f * CUTS_BYTES;
      for (let r: usize = 0; r < 4; r++) {
        let p = plane + r * stride;
        let o = outStrip + (<usize>f << 4) + (r << 2);
        for (let bx = 0; bx < blockColumns; bx++) {
          const b0 = binOf(load<f32>(p), table, ownCuts);
          const b1 = binOf(load<f32>(p, 4), table, ownCuts);
          const b2 = binOf(load<f32>(p, 8), table, ownCuts);
          const b3 = binOf(load<f32>(p, 12), table, ownCuts);
          store<u32>(o, b0 | (b1 << 8) | (b2 << 16) | (b3 << 24));
          p += 16;
          o += blockBytes;
        }
      }
    }
  }
}

@inline
function binOf(raw: f32, table: usize, cuts: usize): u32 {
  // Adding 0 turns −0 into +0, which share no cell.
  const value = raw + 0;
  if (value != value) {
    return 0;
  }
  let bin = <u32>load<u8>(table + cell(value));
  while (value > load<f32>(cuts + (<usize>bin << 2))) {
    bin++;
  }
  return bin;
}
