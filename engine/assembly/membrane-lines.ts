/**
 * Membrane projections: mean, maximum, minimum, sum, standard deviation (n − 1) and median over ten directional means.
 *
 * Each directional mean is a sum over few pixels of planes that hold sums over small boxes already (`families/membrane.ts` covers every
 * rotated line by such boxes). The ten are ordered by a network of 29 comparators (checked by the 0-1 principle), of which the
 * compiler drops those that the middle two do not need.
 *
 * `engine/onnx/membrane.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two.
 */

const DIRECTIONS = 10;

/** Bytes of the ten averages of four pixels. */
const TEN: usize = 16 * DIRECTIONS;

/**
 * Write the six projections.
 *
 * @param table for each direction u32 count, f32 pixels, then `count` addresses (u32) of box planes at the first pixel of the result
 * @param stride of the box planes in bytes
 * @param scratch 320 bytes
 */
export function lineProjections(
  table: usize,
  stride: usize,
  out: usize,
  outStride: usize,
  outPlane: usize,
  width: i32,
  rows: i32,
  scratch: usize
): void {
  const bytes = <usize>width << 2;
  const scratchEnd = scratch + TEN;
  for (let y = 0; y < rows; y++) {
    const shift = <usize>y * stride;
    // Eight pixels at a time; the last four of a row may be alone.
    for (let x: usize = 0; x < bytes; x += 32) {
      const position = shift + x;
      let entry = table;
      for (let s = scratch; s < scratchEnd; s += 16) {
        const end = entry + 8 + (<usize>load<u32>(entry) << 2);
        const pixels = v128.load32_splat(entry, 4);
        entry += 8;
        const first = <usize>load<u32>(entry) + position;
        let a = v128.load(first);
        let b = v128.load(first, 16);
        for (entry += 4; entry < end; entry += 4) {
          const box = <usize>load<u32>(entry) + position;
          a = f32x4.add(a, v128.load(box));
          b = f32x4.add(b, v128.load(box, 16));
        }
        v128.store(s, f32x4.div(a, pixels));
        v128.store(s, f32x4.div(b, pixels), TEN);
      }
      project(scratch, out + x, outPlane);
      if (x + 16 < bytes) {
        project(scratchEnd, out + x + 16, outPlane);
      }
    }
    out += outStride;
  }
}

function project(scratch: usize, out: usize, outPlane: usize): void {
  let v0 = v128.load(scratch, 0);
  let v1 = v128.load(scratch, 16);
  let v2 = v128.load(scratch, 32);
  let v3 = v128.load(scratch, 48);
  let v4 = v128.load(scratch, 64);
  let v5 = v128.load(scratch, 80);
  let v6 = v128.load(scratch, 96);
  let v7 = v128.load(scratch, 112);
  let v8 = v128.load(scratch, 128);
  let v9 = v128.load(scratch, 144);
  let sum = f32x4.add(v0, v1);
  sum = f32x4.add(sum, v2);
  sum = f32x4.add(sum, v3);
  sum = f32x4.add(sum, v4);
  sum = f32x4.add(sum, v5);
  sum = f32x4.add(sum, v6);
  sum = f32x4.add(sum, v7);
  sum = f32x4.add(sum, v8);
  sum = f32x4.add(sum, v9);
  const mean = f32x4.div(sum, f32x4.splat(10));
  let square = squaredDifference(v0, mean);
  square = f32x4.add(square, squaredDifference(v1, mean));
  square = f32x4.add(square, squaredDifference(v2, mean));
  square = f32x4.add(square, squaredDifference(v3, mean));
  square = f32x4.add(square, squaredDifference(v4, mean));
  square = f32x4.add(square, squaredDifference(v5, mean));
  square = f32x4.add(square, squaredDifference(v6, mean));
  square = f32x4.add(square, squaredDifference(v7, mean));
  square = f32x4.add(square, squaredDifference(v8, mean));
  square = f32x4.add(square, squaredDifference(v9, mean));
  let low: v128;
  low = f32x4.pmin(v0, v8);
  v8 = f32x4.pmax(v0, v8);
  v0 = low;
  low = f32x4.pmin(v1, v9);
  v9 = f32x4.pmax(v1, v9);
  v1 = low;
  low = f32x4.pmin(v2, v7);
  v7 = f32x4.pmax(v2, v7);
  v2 = low;
  low = f32x4.pmin(v3, v5);
  v5 = f32x4.pmax(v3, v5);
  v3 = low;
  low = f32x4.pmin(v4, v6);
  v6 = f32x4.pmax(v4, v6);
  v4 = low;
  low = f32x4.pmin(v0, v2);
  v2 = f32x4.pmax(v0, v2);
  v0 = low;
  low = f32x4.pmin(v1, v4);
  v4 = f32x4.pmax(v1, v4);
  v1 = low;
  low = f32x4.pmin(v5, v8);
  v8 = f32x4.pmax(v5, v8);
  v5 = low;
  low = f32x4.pmin(v7, v9);
  v9 = f32x4.pmax(v7, v9);
  v7 = low;
  low = f32x4.pmin(v0, v3);
  v3 = f32x4.pmax(v0, v3);
  v0 = low;
  low = f32x4.pmin(v2, v4);
  v4 = f32x4.pmax(v2, v4);
  v2 = low;
  low = f32x4.pmin(v5, v7);
  v7 = f32x4.pmax(v5, v7);
  v5 = low;
  low = f32x4.pmin(v6, v9);
  v9 = f32x4.pmax(v6, v9);
  v6 = low;
  low = f32x4.pmin(v0, v1);
  v1 = f32x4.pmax(v0, v1);
  v0 = low;
  low = f32x4.pmin(v3, v6);
  v6 = f32x4.pmax(v3, v6);
  v3 = low;
  low = f32x4.pmin(v8, v9);
  v9 = f32x4.pmax(v8, v9);
  v8 = low;
  low = f32x4.pmin(v1, v5);
  v5 = f32x4.pmax(v1, v5);
  v1 = low;
  low = f32x4.pmin(v2, v3);
  v3 = f32x4.pmax(v2, v3);
  v2 = low;
  low = f32x4.pmin(v4, v8);
  v8 = f32x4.pmax(v4, v8);
  v4 = low;
  low = f32x4.pmin(v6, v7);
  v7 = f32x4.pmax(v6, v7);
  v6 = low;
  low = f32x4.pmin(v1, v2);
  v2 = f32x4.pmax(v1, v2);
  v1 = low;
  low = f32x4.pmin(v3, v5);
  v5 = f32x4.pmax(v3, v5);
  v3 = low;
  low = f32x4.pmin(v4, v6);
  v6 = f32x4.pmax(v4, v6);
  v4 = low;
  low = f32x4.pmin(v7, v8);
  v8 = f32x4.pmax(v7, v8);
  v7 = low;
  low = f32x4.pmin(v2, v3);
  v3 = f32x4.pmax(v2, v3);
  v2 = low;
  low = f32x4.pmin(v4, v5);
  v5 = f32x4.pmax(v4, v5);
  v4 = low;
  low = f32x4.pmin(v6, v7);
  v7 = f32x4.pmax(v6, v7);
  v6 = low;
  low = f32x4.pmin(v3, v4);
  v4 = f32x4.pmax(v3, v4);
  v3 = low;
  low = f32x4.pmin(v5, v6);
  v6 = f32x4.pmax(v5, v6);
  v5 = low;
  v128.store(out, mean);
  out += outPlane;
  v128.store(out, v9);
  out += outPlane;
  v128.store(out, v0);
  out += outPlane;
  v128.store(out, sum);
  out += outPlane;
  v128.store(out, f32x4.sqrt(f32x4.div(square, f32x4.splat(9))));
  out += outPlane;
  v128.store(out, f32x4.mul(f32x4.splat(0.5), f32x4.add(v4, v5)));
}

@inline
function squaredDifference(a: v128, b: v128): v128 {
  const difference = f32x4.sub(a, b);
  return f32x4.mul(difference, difference);
}
