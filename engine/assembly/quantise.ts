/**
 * Quantises float32 features to 8 bits: a value's bin is the number of cuts below it, and 0 for NaN.
 *
 * Floats, as integers that keep their order, are divided into cells between a feature's lowest and highest cut. A table gives, for each
 * cell, how many cuts lie in the cells before it: a bound from below. Most cells hold one cut or none, so one comparison gives the
 * bin and the loop for further cuts is seldom entered.
 */

/** Cells of a feature; one more is for values above the highest cut. */
const CELLS: u32 = 16384;
/** Bytes for each feature: i32 lowest key, i32 key above the highest, u32 shift, u32 unused, then the table. */
const TABLE_BYTES: usize = 16 + 16384 + 16;
/** Bytes of each feature's cuts: 255 floats at most (`CUTS_MAX` in `src/shared/limits.ts`), the rest +∞. */
const CUTS_BYTES: usize = 1024;

/** Floats as integers in the same order; -0 must have been made +0. */
@inline
function keyOf(value: f32): i32 {
  const bits = reinterpret<i32>(value);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

/** Fill the tables (16,416 bytes a feature) for cuts (256 floats a feature, ascending, ending in +∞). */
export function buildTables(cuts: usize, features: i32, tables: usize): void {
  for (let f = 0; f < features; f++) {
    let count = 0;
    while (count < 255 && load<f32>(cuts + (<usize>count << 2)) < Infinity) {
      count++;
    }
    const table = tables + 16;
    let lowest = 0;
    let above = 0;
    let shift: u32 = 0;
    if (count > 0) {
      lowest = keyOf(load<f32>(cuts) + 0);
      const range = <u32>keyOf(load<f32>(cuts + (<usize>(count - 1) << 2)) + 0) - <u32>lowest;
      while (range >> shift >= CELLS) {
        shift++;
      }
      const over = <u64>(<u32>lowest ^ 0x80000000) + ((<u64>(range >> shift) + 1) << shift);
      above = <i32>(<u32>min<u64>(over, 0xffffffff) ^ 0x80000000);
    }
    store<i32>(tables, lowest);
    store<i32>(tables, above, 4);
    store<u32>(tables, shift, 8);
    let position: usize = 0;
    for (let i = 0; i < count; i++) {
      // The cells up to and including the cut's own come before it.
      const own = <usize>((<u32>keyOf(load<f32>(cuts + (<usize>i << 2)) + 0) - <u32>lowest) >> shift);
      while (position <= own) {
        store<u8>(table + position++, <u8>i);
      }
    }
    while (position <= <usize>CELLS) {
      store<u8>(table + position++, <u8>count);
    }
    cuts += CUTS_BYTES;
    tables += TABLE_BYTES;
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
      const meta = tables + <usize>f * TABLE_BYTES;
      const table = meta + 16;
      const ownCuts = cuts + <usize>f * CUTS_BYTES;
      const lowest = v128.load32_splat(meta);
      const above = v128.load32_splat(meta, 4);
      const shift = load<i32>(meta, 8);
      for (let r: usize = 0; r < 4; r++) {
        let p = plane + r * stride;
        let o = outStrip + (<usize>f << 4) + (r << 2);
        for (let bx = 0; bx < blockColumns; bx++) {
          // Adding 0 makes −0 the same as 0; NaN becomes −∞, below every cut.
          const raw = f32x4.add(v128.load(p), f32x4.splat(0));
          const values = v128.bitselect(raw, f32x4.splat(-Infinity), f32x4.eq(raw, raw));
          let keys = v128.xor(values, v128.and(i32x4.shr_s(values, 31), i32x4.splat(0x7fffffff)));
          keys = i32x4.min_s(i32x4.max_s(keys, lowest), above);
          keys = i32x4.shr_u(i32x4.sub(keys, lowest), shift);
          const b0 = binOf(f32x4.extract_lane(values, 0), i32x4.extract_lane(keys, 0), table, ownCuts);
          const b1 = binOf(f32x4.extract_lane(values, 1), i32x4.extract_lane(keys, 1), table, ownCuts);
          const b2 = binOf(f32x4.extract_lane(values, 2), i32x4.extract_lane(keys, 2), table, ownCuts);
          const b3 = binOf(f32x4.extract_lane(values, 3), i32x4.extract_lane(keys, 3), table, ownCuts);
          store<u32>(o, b0 | (b1 << 8) | (b2 << 16) | (b3 << 24));
          p += 16;
          o += blockBytes;
        }
      }
    }
  }
}

@inline
function binOf(value: f32, cell: i32, table: usize, cuts: usize): u32 {
  let bin = <u32>load<u8>(table + <usize>cell);
  bin += <u32>(value > load<f32>(cuts + (<usize>bin << 2)));
  while (value > load<f32>(cuts + (<usize>bin << 2))) {
    bin++;
  }
  return bin;
}
