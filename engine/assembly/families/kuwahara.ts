/**
 * Kuwahara filter along lines, after Kuwahara et al. ("Processing of RI-angiocardiographic images", 1976), with lines in the place of
 * squares as in Trainable Weka Segmentation: a pixel gets the mean of the most even line of all that run through it (not only those
 * centred on it) in ten directions, 18° apart. Three criteria measure how uneven a line is: the variance σ² = Σ(v − m)² / n, σ² / |m|,
 * and σ² / m², with m its mean; 0 / 0 is 0. Where several lines are equally even (as float32), the smallest mean is taken.
 *
 * A line is one pixel wide, cut out of a square of `length` pixels' side; it is a column of length + 6 pixels, rotated by nearest neighbours.
 *
 * Trainable Weka Segmentation differs: it subtracts the image's minimum before it divides by the mean, which no tile can know; it takes
 * the first of equal lines; it adds ½; and beyond the image's edge it repeats the evenness of the edge's pixels, while here the edge's
 * pixels are repeated.
 *
 * Sums are float64, which is exact for images of 8 and 16 bits; means and variances are then rounded once. Sums, and the minima that
 * follow, are taken over a line by doubling: `line-plan.ts`. A criterion and its mean are packed into one whole number of 64 bits, which
 * sorts by criterion, then by mean.
 *
 * `engine/onnx/lines.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_nonlinear.py` compares the kernels with NumPy and SciPy.
 */
import { allocate, mark, release } from '../arena';
import { argument } from '../family';
import { LINE_PIXELS_MAX, PLAN_BYTES, PLAN_LEVELS, planLine, planPixels, planShift, writeTerms } from '../line-plan';
import { columns, outPlane, outStride, rows, sourceAt } from '../tile';

const DIRECTIONS = 10;
const CRITERIA = 3;
/** Side of a block in pixels. Blocks are computed one by one, so that each fits in the cache. */
const BLOCK = 128;
/** Added to divisors, so that 0 / 0 is 0 and x / 0 is finite. */
const TINY: f64 = 1e-300;

/** Half a line from the pixel to a line's centre, and as far again. */
export function kuwaharaReach(args: usize): i32 {
  return 2 * (<i32>argument(args, 0) >> 1);
}

/** The planes of a block: all have the margin and stride of the pixels, and lie one after the other. */
let plane: usize = 0;
let stride: usize = 0;
let half = 0;
/** Pixels, their squares; then the sums of both at each level, or, later, minima; then keys and the least keys of each criterion. */
const PIXELS = 0;
const LEVELS = 2;
const KEYS = LEVELS + 2 * PLAN_LEVELS;
const BEST = KEYS + CRITERIA;
const PLANES = BEST + CRITERIA;
let planes: usize = 0;

@inline
function planeAt(index: i32, row: i32, column: i32): usize {
  return planes + <usize>index * plane + <usize>(row + 2 * half) * stride + (<usize>(column + 2 * half) << 3);
}

/** Argument: length. */
export function kuwahara(args: usize, out: usize): void {
  const length = <i32>argument(args, 0);
  const bottom = mark();
  half = length >> 1;
  stride = <usize>(BLOCK + 4 * half + 2) << 3;
  // Doubling reads up to a line's length of rows too many.
  plane = <usize>(BLOCK + 6 * half + 4) * stride;
  planes = allocate(<usize>PLANES * plane);
  const plans = allocate(<usize>DIRECTIONS * PLAN_BYTES);
  const line = allocate(LINE_PIXELS_MAX << 3);
  for (let direction = 0; direction < DIRECTIONS; direction++) {
    const pixels = halfLine(half, direction, line);
    planLine(line, pixels, plans + <usize>direction * PLAN_BYTES);
  }
  const terms = allocate(LINE_PIXELS_MAX << 2);
  for (let row = 0; row < rows; row += BLOCK) {
    for (let column = 0; column < columns; column += BLOCK) {
      block(plans, terms, row, column, out);
    }
  }
  release(bottom);
}

/** Write the pixels of a line, i32 row and column from its centre, row by row. @returns the number of pixels */
export function halfLine(half: i32, direction: i32, out: usize): i32 {
  const angle = (<f64>direction * Math.PI) / <f64>DIRECTIONS;
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  const end = <f64>(half + 3);
  let count = 0;
  for (let row = -half; row <= half; row++) {
    for (let column = -half; column <= half; column++) {
      const across = <f64>column * cosine + <f64>row * sine;
      const along = <f64>row * cosine - <f64>column * sine;
      if (Math.floor(across + 0.5) == 0 && along > -end - 0.01 && along < end + 1) {
        store<i32>(out + (<usize>count << 3), row);
        store<i32>(out + (<usize>count << 3), column, 4);
        count++;
      }
    }
  }
  return count;
}

function block(plans: usize, terms: usize, row0: i32, column0: i32, out: usize): void {
  const height = min(BLOCK, rows - row0);
  const breadth = (min(BLOCK, columns - column0) + 1) & ~1;
  loadPixels(row0, column0, height, breadth);
  for (let criterion = 0; criterion < CRITERIA; criterion++) {
    fillWithMost(planeAt(BEST + criterion, 0, 0), <usize>height * stride);
  }
  for (let direction = 0; direction < DIRECTIONS; direction++) {
    const plan = plans + <usize>direction * PLAN_BYTES;
    const levels = load<i32>(plan);
    let from = PIXELS;
    for (let level = 0; level < levels; level++) {
      const shift = planShift(plan, level, stride);
      const size = <usize>(height + 4 * half) * stride;
      addAll(planeAt(from, -2 * half, -2 * half), planeAt(LEVELS + 2 * level, -2 * half, -2 * half), shift, size);
      addAll(planeAt(from + 1, -2 * half, -2 * half), planeAt(LEVELS + 2 * level + 1, -2 * half, -2 * half), shift, size);
      from = LEVELS + 2 * level;
    }
    let count = writeTerms(plan, planes, <usize>LEVELS * plane, 2 * plane, stride, terms);
    evenness(terms, count, planPixels(plan), height, breadth);
    for (let criterion = 0; criterion < CRITERIA; criterion++) {
      const keys = planes + <usize>(KEYS + criterion) * plane;
      let source = KEYS + criterion;
      for (let level = 0; level < levels; level++) {
        const shift = planShift(plan, level, stride);
        const size = <usize>(height + 2 * half) * stride;
        leastOfTwo(planeAt(source, -half, -2 * half), planeAt(LEVELS + 2 * level, -half, -2 * half), shift, size);
        source = LEVELS + 2 * level;
      }
      const levelsAt = planes + <usize>LEVELS * plane - keys;
      count = writeTerms(plan, keys, levelsAt, 2 * plane, stride, terms);
      leastOfAll(terms, count, planeAt(BEST + criterion, 0, 0), height, breadth);
    }
  }
  for (let criterion = 0; criterion < CRITERIA; criterion++) {
    for (let row = 0; row < height; row++) {
      const from = planeAt(BEST + criterion, row, 0);
      const to = out + <usize>criterion * outPlane + <usize>(row0 + row) * outStride + (<usize>column0 << 2);
      for (let column: usize = 0; column < <usize>breadth; column++) {
        store<u32>(to + (column << 2), unsortable(load<u32>(from + (column << 3))));
      }
    }
  }
}

/** Larger than any key. */
function fillWithMost(to: usize, bytes: usize): void {
  for (let x: usize = 0; x < bytes; x += 16) {
    v128.store(to + x, i64x2.splat(i64.MAX_VALUE));
  }
}

/** Pixels and their squares as float64. */
function loadPixels(row0: i32, column0: i32, height: i32, breadth: i32): void {
  for (let row = -2 * half; row < height + 2 * half; row++) {
    const from = sourceAt(row0 + row, column0 - 2 * half);
    const to = planeAt(PIXELS, row, -2 * half);
    for (let column: usize = 0; column < <usize>(breadth + 4 * half); column += 2) {
      const value = f64x2.promote_low_f32x4(v128.load64_zero(from + (column << 2)));
      v128.store(to + (column << 3), value);
      v128.store(to + plane + (column << 3), f64x2.mul(value, value));
    }
  }
}

/** Keys of all lines of one direction whose centres a line through the block's pixels can have. */
function evenness(terms: usize, count: i32, pixels: i32, height: i32, breadth: i32): void {
  const end = terms + (<usize>count << 2);
  const n = f64x2.splat(<f64>pixels);
  const squared = f64x2.splat(<f64>pixels * <f64>pixels);
  const tiny = f64x2.splat(TINY);
  const bytes = <usize>(breadth + 2 * half) << 3;
  for (let row = -half; row < height + half; row++) {
    const start = planeAt(0, row, -half) - planes;
    const keys = planes + <usize>KEYS * plane + start;
    for (let x: usize = 0; x < bytes; x += 16) {
      let sum = f64x2.splat(0);
      let squares = f64x2.splat(0);
      for (let term = terms; term < end; term += 4) {
        const address = <usize>load<u32>(term) + start + x;
        sum = f64x2.add(sum, v128.load(address));
        squares = f64x2.add(squares, v128.load(address + plane));
      }
      const mean = f64x2.div(sum, n);
      const spread = f64x2.sub(f64x2.mul(n, squares), f64x2.mul(sum, sum));
      const variance = f64x2.div(f64x2.max(spread, f64x2.splat(0)), squared);
      const means = sortable(f32x4.demote_f64x2_zero(mean));
      storeKeys(keys + x, variance, means);
      storeKeys(keys + x + plane, f64x2.div(variance, f64x2.add(f64x2.abs(mean), tiny)), means);
      storeKeys(keys + x + 2 * plane, f64x2.div(variance, f64x2.add(f64x2.mul(mean, mean), tiny)), means);
    }
  }
}

/** The criterion above, the mean below; a criterion is not negative, so signed whole numbers sort right. */
@inline
function storeKeys(to: usize, criterion: v128, means: v128): void {
  v128.store(to, i32x4.shuffle(means, f32x4.demote_f64x2_zero(criterion), 0, 4, 1, 5));
}

/** The bits of float32 so that they sort as unsigned whole numbers. */
@inline
function sortable(value: v128): v128 {
  return v128.xor(value, v128.or(i32x4.shr_s(value, 31), i32x4.splat(0x80000000)));
}

/** The float32's bits again. */
@inline
function unsortable(bits: u32): u32 {
  return bits ^ (bits & 0x80000000 ? 0x80000000 : 0xffffffff);
}

/** to[i] = from[i] + from[i + shift] */
function addAll(from: usize, to: usize, shift: usize, bytes: usize): void {
  for (let x: usize = 0; x < bytes; x += 16) {
    v128.store(to + x, f64x2.add(v128.load(from + x), v128.load(from + x + shift)));
  }
}

function leastOfTwo(from: usize, to: usize, shift: usize, bytes: usize): void {
  for (let x: usize = 0; x < bytes; x += 16) {
    v128.store(to + x, least(v128.load(from + x), v128.load(from + x + shift)));
  }
}

function leastOfAll(terms: usize, count: i32, best: usize, height: i32, breadth: i32): void {
  const end = terms + (<usize>count << 2);
  const bytes = <usize>breadth << 3;
  for (let row = 0; row < height; row++) {
    const start = planeAt(0, row, 0) - planes;
    const to = best + <usize>row * stride;
    for (let x: usize = 0; x < bytes; x += 16) {
      let key = v128.load(to + x);
      for (let term = terms; term < end; term += 4) {
        key = least(key, v128.load(<usize>load<u32>(term) + start + x));
      }
      v128.store(to + x, key);
    }
  }
}

@inline
function least(a: v128, b: v128): v128 {
  return v128.bitselect(a, b, i64x2.lt_s(a, b));
}
