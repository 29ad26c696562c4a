/**
 * Lipschitz filter: 255 + I − U on 256 grey levels, which falls with the depth of a pixel below the upper Lipschitz cover U of the image.
 *
 * U(p) = max over q of I(q) − c(p − q) is the least function that is nowhere below the image and nowhere steeper than `slope`. A cone falls by
 * s a step along rows and columns and by ⌊s √2⌋ along diagonals, c = s (m − n) + ⌊s √2⌋ n with m, n the larger and smaller of the two
 * distances. Two passes over the image find U, as for chamfer distances (Borgefors, "Distance transformations in digital images",
 * 1986): a best path has steps of two kinds only, one for each pass.
 *
 * This is what Trainable Weka Segmentation computes. A cone falls to 0 within ⌊254 / s⌋ pixels,
 * so tiles are exact; and all values are whole numbers.
 *
 * ONNX cannot express it. `sambalab/tests/features/test_nonlinear.py` compares the kernel with NumPy and SciPy.
 */
import { allocate, mark, release } from '../arena';
import { argument } from '../family';
import { columns, greyAt, greyLevels, outStride, rows } from '../tile';

/** Zeros on each side of a row. */
const PADDING: usize = 16;

export function lipschitzReach(args: usize): i32 {
  return 254 / <i32>argument(args, 0);
}

/** Argument: slope. */
export function lipschitz(args: usize, out: usize): void {
  const slope = <i32>argument(args, 0);
  // The grey levels stay, so they must be allocated before the mark.
  greyLevels();
  const bottom = mark();
  const reach = lipschitzReach(args);
  const breadth = columns + 2 * reach;
  const height = rows + 2 * reach;
  const blocks = <usize>((breadth + 15) & ~15);
  const stride = blocks + 2 * PADDING;
  const cover = allocate(<usize>(height + 2) * stride);
  memory.fill(cover, 0, <usize>(height + 2) * stride);
  // One row of zeros above and one below.
  const first = cover + stride + PADDING;
  for (let row = 0; row < height; row++) {
    memory.copy(first + <usize>row * stride, greyAt(row - reach, -reach), <usize>breadth);
  }
  const diagonal = <i32>Math.floor(<f64>slope * Math.SQRT2);
  for (let row = 0; row < height; row++) {
    const line = first + <usize>row * stride;
    spread(line, line - stride, blocks, slope, diagonal);
    sweepRight(line, blocks, slope);
  }
  for (let row = height - 1; row >= 0; row--) {
    const line = first + <usize>row * stride;
    spread(line, line + stride, blocks, slope, diagonal);
    sweepLeft(line, blocks, slope);
  }
  for (let row = 0; row < rows; row++) {
    const from = greyAt(row, 0);
    const under = first + <usize>(row + reach) * stride + <usize>reach;
    const to = out + <usize>row * outStride;
    for (let column: usize = 0; column < <usize>columns; column += 4) {
      const gap = i16x8.sub(fourLevels(from + column), fourLevels(under + column));
      const value = i32x4.extend_low_i16x8_s(i16x8.add(gap, i16x8.splat(255)));
      v128.store(to + (column << 2), f32x4.convert_i32x4_s(value));
    }
  }
  release(bottom);
}

@inline
function fourLevels(address: usize): v128 {
  return i16x8.extend_low_i8x16_u(v128.load32_zero(address));
}

/** Let the cones of the neighbour row reach a row. */
function spread(line: usize, neighbour: usize, bytes: usize, slope: i32, diagonal: i32): void {
  const straight = i8x16.splat(<i8>slope);
  const aslant = i8x16.splat(<i8>min(255, diagonal));
  for (let x: usize = 0; x < bytes; x += 16) {
    const from = neighbour + x;
    const beside = i8x16.max_u(v128.load(from - 1), v128.load(from + 1));
    const reaching = i8x16.max_u(i8x16.sub_sat_u(v128.load(from), straight), i8x16.sub_sat_u(beside, aslant));
    v128.store(line + x, i8x16.max_u(v128.load(line + x), reaching));
  }
}

/** Let cones reach along a row to the right: within 16 pixels by doubling the distance, then on from the last of the 16 before. */
function sweepRight(line: usize, bytes: usize, slope: i32): void {
  const zero = i8x16.splat(0);
  const one = fall(slope, 1);
  const two = fall(slope, 2);
  const four = fall(slope, 4);
  const eight = fall(slope, 8);
  let ramp = zero;
  ramp = i8x16.add_sat_u(ramp, one);
  ramp = i8x16.add_sat_u(ramp, i8x16.shuffle(zero, one, 0, 17, 0, 17, 0, 17, 0, 17, 0, 17, 0, 17, 0, 17, 0, 17));
  ramp = i8x16.add_sat_u(ramp, i8x16.shuffle(zero, two, 0, 0, 17, 17, 0, 0, 17, 17, 0, 0, 17, 17, 0, 0, 17, 17));
  ramp = i8x16.add_sat_u(ramp, i8x16.shuffle(zero, four, 0, 0, 0, 0, 17, 17, 17, 17, 0, 0, 0, 0, 17, 17, 17, 17));
  ramp = i8x16.add_sat_u(ramp, i8x16.shuffle(zero, eight, 0, 0, 0, 0, 0, 0, 0, 0, 17, 17, 17, 17, 17, 17, 17, 17));
  let carry = zero;
  for (let x: usize = 0; x < bytes; x += 16) {
    let v = v128.load(line + x);
    let moved = i8x16.shuffle(zero, v, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    v = i8x16.max_u(v, i8x16.sub_sat_u(moved, one));
    moved = i8x16.shuffle(zero, v, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
    v = i8x16.max_u(v, i8x16.sub_sat_u(moved, two));
    moved = i8x16.shuffle(zero, v, 0, 0, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27);
    v = i8x16.max_u(v, i8x16.sub_sat_u(moved, four));
    moved = i8x16.shuffle(zero, v, 0, 0, 0, 0, 0, 0, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23);
    v = i8x16.max_u(v, i8x16.sub_sat_u(moved, eight));
    v = i8x16.max_u(v, i8x16.sub_sat_u(carry, ramp));
    v128.store(line + x, v);
    carry = i8x16.shuffle(v, v, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15);
  }
}

/** The same to the left. */
function sweepLeft(line: usize, bytes: usize, slope: i32): void {
  const zero = i8x16.splat(0);
  const one = fall(slope, 1);
  const two = fall(slope, 2);
  const four = fall(slope, 4);
  const eight = fall(slope, 8);
  let ramp = zero;
  ramp = i8x16.add_sat_u(ramp, one);
  ramp = i8x16.add_sat_u(ramp, i8x16.shuffle(zero, one, 17, 0, 17, 0, 17, 0, 17, 0, 17, 0, 17, 0, 17, 0, 17, 0));
  ramp = i8x16.add_sat_u(ramp, i8x16.shuffle(zero, two, 17, 17, 0, 0, 17, 17, 0, 0, 17, 17, 0, 0, 17, 17, 0, 0));
  ramp = i8x16.add_sat_u(ramp, i8x16.shuffle(zero, four, 17, 17, 17, 17, 0, 0, 0, 0, 17, 17, 17, 17, 0, 0, 0, 0));
  ramp = i8x16.add_sat_u(ramp, i8x16.shuffle(zero, eight, 17, 17, 17, 17, 17, 17, 17, 17, 0, 0, 0, 0, 0, 0, 0, 0));
  let carry = zero;
  for (let x = bytes; x > 0; ) {
    x -= 16;
    let v = v128.load(line + x);
    let moved = i8x16.shuffle(v, zero, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    v = i8x16.max_u(v, i8x16.sub_sat_u(moved, one));
    moved = i8x16.shuffle(v, zero, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16);
    v = i8x16.max_u(v, i8x16.sub_sat_u(moved, two));
    moved = i8x16.shuffle(v, zero, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16);
    v = i8x16.max_u(v, i8x16.sub_sat_u(moved, four));
    moved = i8x16.shuffle(v, zero, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16, 16, 16, 16, 16, 16);
    v = i8x16.max_u(v, i8x16.sub_sat_u(moved, eight));
    v = i8x16.max_u(v, i8x16.sub_sat_u(carry, ramp));
    v128.store(line + x, v);
    carry = i8x16.shuffle(v, v, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }
}

/** The fall of a cone over some steps, at most 255, in every lane. */
@inline
function fall(slope: i32, steps: i32): v128 {
  return i8x16.splat(<i8>min(255, slope * steps));
}
