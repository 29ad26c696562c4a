/**
 * Mean, variance, minimum and maximum over a disc.
 *
 * The disc of radius r is that of ImageJ's RankFilters: rows y with y² ≤ r² + 1, in each the columns x with x² + y² ≤ r² + 1, so r = 1 is
 * 3 × 3 pixels and r < 1 a cross. (ImageJ takes 1.5 ≤ r < 1.75 and 2.5 ≤ r < 2.85 for 1.75 and 2.85; here every radius is taken as given.)
 * The variance is that of the population, Σ (v − m)² / n, as ImageJ's and NumPy's, of sums in double precision: (n Σ v² − (Σ v)²) / n².
 *
 * Each row of pixels is summed over all widths that the disc has, the wider from the narrower and from sums over powers of two. A ring of
 * rows keeps these sums until each pixel has added up its disc, from top to bottom. So the order of the additions is the same
 * for every pixel, wherever the tile begins. Extrema are computed likewise, except that two overlapping powers of two make a width.
 *
 * `engine/onnx/discs.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_rank.py` compares the kernels with NumPy and SciPy.
 */
import { allocate, mark, release } from '../arena';
import { argument } from '../family';
import { columns, outStride, rows, sourceAt, sourceStride, width } from '../tile';

const enum Join {
  sum,
  sumOfSquares,
  minimum,
  maximum
}

/** Columns that are computed together, so that the ring stays in the cache. */
const STRIP = 64;
/** Bytes of a row that are added up together. */
const BLOCK: usize = 64;

/** Rows of the disc above its centre, and its halo. */
export function discReach(radius: f64): i32 {
  return halfWidth(radius, 0);
}

/** Columns of the disc to each side of its centre, `row` rows from it. */
export function halfWidth(radius: f64, row: i32): i32 {
  return <i32>Math.sqrt(Math.floor(radius * radius) + 1 - <f64>(row * row));
}

/** Pixels of the disc; odd, since it is symmetric about its centre. */
export function discCount(radius: f64): i32 {
  const reach = discReach(radius);
  let count = 0;
  for (let row = -reach; row <= reach; row++) {
    count += 2 * halfWidth(radius, row) + 1;
  }
  return count;
}

/** The reach of all families whose first argument is the radius of a disc. */
export function overDiscReach(args: usize): i32 {
  return discReach(argument(args, 0));
}

/** Argument: radius. */
export function mean(args: usize, out: usize): void {
  const radius = argument(args, 0);
  const bottom = mark();
  const stride = sumStride();
  const sums = allocate(<usize>rows * stride);
  discSums(radius, sums, stride);
  const count = f64x2.splat(<f64>discCount(radius));
  for (let row = 0; row < rows; row++) {
    const from = sums + <usize>row * stride;
    const to = out + <usize>row * outStride;
    for (let x: usize = 0; x < <usize>width << 2; x += 16) {
      const low = f64x2.div(v128.load(from + (x << 1)), count);
      const high = f64x2.div(v128.load(from + (x << 1), 16), count);
      v128.store(to + x, narrow(low, high));
    }
  }
  release(bottom);
}

/** Argument: radius. */
export function variance(args: usize, out: usize): void {
  const radius = argument(args, 0);
  const bottom = mark();
  const stride = sumStride();
  const sums = allocate(<usize>rows * stride);
  const squares = allocate(<usize>rows * stride);
  discSums(radius, sums, stride);
  discSumsOfSquares(radius, squares, stride);
  const pixels = <f64>discCount(radius);
  const count = f64x2.splat(pixels);
  const divisor = f64x2.splat(pixels * pixels);
  for (let row = 0; row < rows; row++) {
    const from = <usize>row * stride;
    const to = out + <usize>row * outStride;
    for (let x: usize = 0; x < <usize>width << 2; x += 16) {
      const i = from + (x << 1);
      const low = spread(v128.load(sums + i), v128.load(squares + i), count, divisor);
      const high = spread(v128.load(sums + i, 16), v128.load(squares + i, 16), count, divisor);
      v128.store(to + x, narrow(low, high));
    }
  }
  release(bottom);
}

/** Argument: radius. */
export function minimum(args: usize, out: usize): void {
  overDisc<f32>(Join.minimum, argument(args, 0), out, outStride);
}

/** Argument: radius. */
export function maximum(args: usize, out: usize): void {
  overDisc<f32>(Join.maximum, argument(args, 0), out, outStride);
}

function discSums(radius: f64, out: usize, stride: usize): void {
  overDisc<f64>(Join.sum, radius, out, stride);
}

function discSumsOfSquares(radius: f64, out: usize, stride: usize): void {
  overDisc<f64>(Join.sumOfSquares, radius, out, stride);
}

/** Bytes from row to row of sums. */
function sumStride(): usize {
  return <usize>width << 3;
}

@inline
function narrow(low: v128, high: v128): v128 {
  return v128.shuffle<i32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

/** The larger of a value and 0: rounding may leave variances below 0. */
@inline
function spread(sum: v128, square: v128, count: v128, divisor: v128): v128 {
  const difference = f64x2.sub(f64x2.mul(count, square), f64x2.mul(sum, sum));
  return f64x2.div(f64x2.pmax(f64x2.splat(0), difference), divisor);
}

@inline
function join<T>(op: i32, a: v128, b: v128): v128 {
  return op == Join.minimum ? v128.pmin<T>(a, b) : op == Join.maximum ? v128.pmax<T>(a, b) : v128.add<T>(a, b);
}

/** Reduce the disc around each pixel of the tile to one value of type T. Whole rows of the results are written, `width` values. */
@inline
function overDisc<T>(op: i32, radius: f64, out: usize, stride: usize): void {
  const bottom = mark();
  const reach = discReach(radius);
  const height = 2 * reach + 1;
  // The widths of the disc, the narrowest first, and the number of its width for each row of the disc.
  const halves = allocate(<usize>height << 2);
  const kind = allocate(<usize>height << 2);
  let kinds = 0;
  for (let y = reach; y >= 0; y--) {
    const half = halfWidth(radius, y);
    if (!kinds || load<i32>(halves + (<usize>(kinds - 1) << 2)) != half) {
      store<i32>(halves + (<usize>kinds << 2), half);
      kinds++;
    }
    store<i32>(kind + (<usize>(reach - y) << 2), kinds - 1);
    store<i32>(kind + (<usize>(reach + y) << 2), kinds - 1);
  }
  // Level k is a row reduced over 2^k pixels, from each one to the right.
  let longest = height;
  if (op == Join.sum || op == Join.sumOfSquares) {
    longest = 2 * load<i32>(halves) + 1;
    for (let i: usize = 1; i < <usize>kinds; i++) {
      longest = max(longest, load<i32>(halves + (i << 2)) - load<i32>(halves + ((i - 1) << 2)));
    }
  }
  const levels = 32 - clz(longest);
  const lineBytes = (<usize>(STRIP + 2 * reach) * sizeof<T>() + 2 * BLOCK) & ~15;
  const lines = allocate(<usize>levels * lineBytes);
  const ringRow = <usize>STRIP * sizeof<T>();
  const slotBytes = <usize>kinds * ringRow;
  const ring = allocate(<usize>height * slotBytes);
  const parts = allocate(<usize>height << 2);
  for (let column = 0; column < columns; column += STRIP) {
    const strip = min(STRIP, width - column);
    const bytes = <usize>strip * sizeof<T>();
    for (let row = -reach; row < rows + reach; row++) {
      const slot = ring + <usize>((row + reach) % height) * slotBytes;
      loadLine<T>(op, sourceAt(row, column - reach), lines, strip + 2 * reach);
      for (let level = 1; level < levels; level++) {
        const from = lines + <usize>(level - 1) * lineBytes;
        const shift = sizeof<T>() << (level - 1);
        for (let x: usize = 0; x < <usize>(strip + 2 * reach) * sizeof<T>(); x += 16) {
          v128.store(from + lineBytes + x, join<T>(op, v128.load(from + x), v128.load(from + shift + x)));
        }
      }
      if (op == Join.minimum || op == Join.maximum) {
        extremaOfWidths<T>(op, lines, lineBytes, halves, kinds, reach, slot, ringRow, bytes);
      } else {
        sumsOfWidths(lines, lineBytes, halves, kinds, reach, slot, ringRow, bytes);
      }
      if (row < reach) {
        continue;
      }
      for (let y = 0; y < height; y++) {
        const part =
          ring +
          <usize>((row - reach + y) % height) * slotBytes +
          <usize>load<i32>(kind + (<usize>y << 2)) * ringRow;
        store<u32>(parts + (<usize>y << 2), <u32>part);
      }
      const to = out + <usize>(row - reach) * stride + <usize>column * sizeof<T>();
      joinRows<T>(op, parts, height, to, bytes);
    }
  }
  release(bottom);
}

/** Take `count` pixels of the source as T. */
@inline
function loadLine<T>(op: i32, from: usize, to: usize, count: i32): void {
  if (sizeof<T>() == 4) {
    memory.copy(to, from, <usize>count << 2);
    return;
  }
  const end = from + (<usize>count << 2);
  while (from < end) {
    let value = f64x2.promote_low_f32x4(v128.load64_zero(from));
    if (op == Join.sumOfSquares) {
      value = f64x2.mul(value, value);
    }
    v128.store(to, value);
    from += 8;
    to += 16;
  }
}

/** Sums of a row over each width: those of the next narrower width plus the new pixels to the left and right, by powers of two. */
function sumsOfWidths(
  lines: usize,
  lineBytes: usize,
  halves: usize,
  kinds: i32,
  reach: i32,
  out: usize,
  ringRow: usize,
  bytes: usize
): void {
  let before = -1;
  for (let i = 0; i < kinds; i++) {
    const half = load<i32>(halves + (<usize>i << 2));
    const to = out + <usize>i * ringRow;
    let left = lines + (<usize>(reach - half) << 3);
    let right = lines + (<usize>(reach + before + 1) << 3);
    let fresh = true;
    // The narrowest width is one run, from −half to half; the others have one on each side.
    let missing = before < 0 ? 2 * half + 1 : half - before;
    for (let level = 0; missing; level++) {
      if (missing & 1) {
        const line = <usize>level * lineBytes;
        const base = fresh ? to - ringRow : to;
        for (let x: usize = 0; x < bytes; x += 16) {
          let sum = v128.load(left + line + x);
          if (before >= 0) {
            sum = f64x2.add(v128.load(base + x), f64x2.add(sum, v128.load(right + line + x)));
          } else if (!fresh) {
            sum = f64x2.add(v128.load(base + x), sum);
          }
          v128.store(to + x, sum);
        }
        left += <usize>8 << level;
        right += <usize>8 << level;
        fresh = false;
      }
      missing >>= 1;
    }
    before = half;
  }
}

@inline
function extremaOfWidths<T>(
  op: i32,
  lines: usize,
  lineBytes: usize,
  halves: usize,
  kinds: i32,
  reach: i32,
  out: usize,
  ringRow: usize,
  bytes: usize
): void {
  for (let i = 0; i < kinds; i++) {
    const half = load<i32>(halves + (<usize>i << 2));
    const level = 31 - clz(2 * half + 1);
    const line = lines + <usize>level * lineBytes;
    const left = line + <usize>(reach - half) * sizeof<T>();
    const right = line + <usize>(reach + half + 1 - (1 << level)) * sizeof<T>();
    const to = out + <usize>i * ringRow;
    for (let x: usize = 0; x < bytes; x += 16) {
      v128.store(to + x, join<T>(op, v128.load(left + x), v128.load(right + x)));
    }
  }
}

/** Join the rows of the disc, from top to bottom. */
@inline
function joinRows<T>(op: i32, parts: usize, height: i32, out: usize, bytes: usize): void {
  const end = parts + (<usize>height << 2);
  let x: usize = 0;
  for (; x + BLOCK <= bytes; x += BLOCK) {
    const first = <usize>load<u32>(parts) + x;
    let a = v128.load(first);
    let b = v128.load(first, 16);
    let c = v128.load(first, 32);
    let d = v128.load(first, 48);
    for (let part = parts + 4; part < end; part += 4) {
      const from = <usize>load<u32>(part) + x;
      a = join<T>(op, a, v128.load(from));
      b = join<T>(op, b, v128.load(from, 16));
      c = join<T>(op, c, v128.load(from, 32));
      d = join<T>(op, d, v128.load(from, 48));
    }
    v128.store(out + x, a);
    v128.store(out + x, b, 16);
    v128.store(out + x, c, 32);
    v128.store(out + x, d, 48);
  }
  for (; x < bytes; x += 16) {
    let a = v128.load(<usize>load<u32>(parts) + x);
    for (let part = parts + 4; part < end; part += 4) {
      a = join<T>(op, a, v128.load(<usize>load<u32>(part) + x));
    }
    v128.store(out + x, a);
  }
}
