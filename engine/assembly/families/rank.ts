/**
 * Median over a disc, that of `discs.ts`, exact for values of any type: the middle one of an odd number.
 *
 * Small discs are thinned out: among a little more than half of the values neither the least nor the largest can be the median, so both are
 * dropped and the next value is added (Paeth 1990), for many pixels at once by minima and maxima of vectors. The work grows with the square of the
 * number of pixels.
 *
 * Larger discs: a histogram slides with the disc, and the median moves from bin to bin with the count of pixels below it (Huang, Yang and
 * Tang 1979). Pixels of 8 bits are their own bins. Other pixels are replaced by the ranks of their values in the tile; a bin is a
 * run of ranks, and a bit set says which ranks of the run are in the disc. Equal values have different ranks, which does not change the median.
 *
 * `engine/onnx/discs.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_rank.py` compares the kernels with NumPy and SciPy.
 */
import { allocate, mark, release } from '../arena';
import { argument } from '../family';
import {
  columns,
  loads,
  outStride,
  rows,
  source,
  sourceAt,
  sourceMargin,
  sourceStride,
  width
} from '../tile';
import { discCount, discReach } from './discs';
import { PAIR, discOffsets, pairsOf, slidePairs } from './slide';

/** Largest number of pixels for thinning out, of bytes and of floats: about where sliding becomes as fast. */
const THINNED_BYTES = 100;
const THINNED_FLOATS = 60;
/** Ranks are made for at least this reach, so that several radii share them. */
const RANK_REACH = 16;

/** Kept for the loaded pixels: their bytes with the source's margin (0 if they are not bytes), their ranks, and the values by rank. */
let keptFor: u32 = 0;
let bytes: usize = 0;
let byteStride: usize = 0;
let ranks: usize = 0;
let rankMargin = 0;
let rankStride: usize = 0;
let sorted: usize = 0;
let rankCount = 0;

/** Argument: radius. */
export function median(args: usize, out: usize): void {
  const radius = argument(args, 0);
  if (keptFor != loads) {
    keptFor = loads;
    ranks = 0;
    bytes = packBytes();
  }
  const pixels = discCount(radius);
  if (bytes) {
    if (pixels <= THINNED_BYTES) {
      thinBytes(radius, pixels, out);
    } else {
      slideBytes(radius, pixels, out);
    }
  } else if (pixels <= THINNED_FLOATS) {
    thin<f32>(radius, pixels, sourceAt(0, 0), sourceStride, out);
  } else {
    const reach = discReach(radius);
    if (!ranks || rankMargin < reach) {
      rank(min(sourceMargin, max(reach, RANK_REACH)));
    }
    slideRanks(radius, pixels, out);
  }
}

/** The source as bytes, if its values are whole numbers 0 to 255, else 0. −0 does not count as one, so that it stays −0. */
function packBytes(): usize {
  const start = mark();
  const height = rows + 2 * sourceMargin;
  byteStride = <usize>(columns + 2 * sourceMargin + 63) & ~63;
  const packed = allocate(<usize>height * byteStride);
  for (let row = 0; row < height; row++) {
    const from = source + <usize>row * sourceStride;
    const to = packed + <usize>row * byteStride;
    let column: usize = 0;
    let strange = i32x4.splat(0);
    for (; column + 4 <= <usize>(columns + 2 * sourceMargin); column += 4) {
      strange = v128.or(strange, packFour(from + (column << 2), to + column));
    }
    for (; column < <usize>(columns + 2 * sourceMargin); column++) {
      // The last vector once more, on its own: the bytes behind the row are undefined.
      const value = v128.load32_splat(from + (column << 2));
      const whole = i32x4.trunc_sat_f32x4_u(value);
      strange = v128.or(strange, strangers(value, whole));
      store<u8>(to + column, <u8>i32x4.extract_lane(whole, 0));
    }
    if (v128.any_true(strange)) {
      release(start);
      return 0;
    }
  }
  return packed;
}

@inline
function packFour(from: usize, to: usize): v128 {
  const value = v128.load(from);
  const whole = i32x4.trunc_sat_f32x4_u(value);
  const half = i16x8.narrow_i32x4_u(whole, whole);
  v128.store32_lane(to, i8x16.narrow_i16x8_u(half, half), 0);
  return strangers(value, whole);
}

/** Ones in lanes whose value is not a whole number 0 to 255, bit by bit. */
@inline
function strangers(value: v128, whole: v128): v128 {
  const same = i32x4.eq(f32x4.convert_i32x4_s(whole), value);
  return v128.or(v128.not(same), i32x4.gt_u(whole, i32x4.splat(255)));
}

/** Thin out bytes, sixteen pixels at once. */
function thinBytes(radius: f64, pixels: i32, out: usize): void {
  const bottom = mark();
  const plane = allocate(<usize>rows * byteStride);
  thin<u8>(radius, pixels, byteAt(0, 0), byteStride, plane, byteStride);
  for (let row = 0; row < rows; row++) {
    const from = plane + <usize>row * byteStride;
    const to = out + <usize>row * outStride;
    for (let column: usize = 0; column < <usize>width; column += 4) {
      const whole = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(from + column)));
      v128.store(to + (column << 2), f32x4.convert_i32x4_s(whole));
    }
  }
  release(bottom);
}

@inline
function lower<T>(a: v128, b: v128): v128 {
  return isFloat<T>() ? v128.pmin<T>(a, b) : v128.min<T>(a, b);
}

@inline
function upper<T>(a: v128, b: v128): v128 {
  return isFloat<T>() ? v128.pmax<T>(a, b) : v128.max<T>(a, b);
}

/**
 * Medians of an odd number n ≥ 5 of values. Of (n + 3) / 2 of them the least and the largest cannot be the median, since fewer than half
 * of all values can lie beyond them. Both are dropped and one value is added, until all were added and three are left.
 */
function thin<T>(radius: f64, pixels: i32, from: usize, stride: usize, out: usize, toStride: usize = outStride): void {
  const bottom = mark();
  const offsets = discOffsets(radius, pixels, stride, sizeof<T>());
  const first = (pixels + 3) >> 1;
  const values = allocate(<usize>first << 4);
  for (let row = 0; row < rows; row++) {
    for (let x: usize = 0; x < <usize>width * sizeof<T>(); x += 16) {
      const centre = from + x;
      for (let i: usize = 0; i < <usize>first; i++) {
        v128.store(values + (i << 4), v128.load(centre + load<i32>(offsets + (i << 2))));
      }
      let next = offsets + (<usize>first << 2);
      for (let last = values + (<usize>(first - 1) << 4); last > values + 32; last -= 16) {
        extremesOut<T>(values, last);
        v128.store(values, v128.load(centre + load<i32>(next)));
        next += 4;
      }
      const a = v128.load(values);
      const b = v128.load(values, 16);
      const c = v128.load(values, 32);
      v128.store(out + x, upper<T>(lower<T>(a, b), lower<T>(upper<T>(a, b), c)));
    }
    from += stride;
    out += toStride;
  }
  release(bottom);
}

/** Move the least value to the first place, which the caller reuses, and the largest to the last, which the caller cuts off. */
@inline
function extremesOut<T>(first: usize, last: usize): void {
  let left = first;
  let right = last;
  let least = lower<T>(v128.load(left), v128.load(right));
  let most = upper<T>(v128.load(left), v128.load(right));
  left += 16;
  right -= 16;
  for (; left < right; left += 16) {
    const a = v128.load(left);
    const b = v128.load(right);
    const low = lower<T>(a, b);
    const high = upper<T>(a, b);
    v128.store(left, upper<T>(least, low));
    v128.store(right, lower<T>(most, high));
    least = lower<T>(least, low);
    most = upper<T>(most, high);
    right -= 16;
  }
  if (left == right) {
    const middle = v128.load(left);
    const above = upper<T>(least, middle);
    v128.store(left, lower<T>(most, above));
  }
}

function byteAt(row: i32, column: i32): usize {
  return bytes + <usize>(row + sourceMargin) * byteStride + <usize>(column + sourceMargin);
}

function slideBytes(radius: f64, pixels: i32, out: usize): void {
  const bottom = mark();
  const half = pixels >> 1;
  const histogram = allocate(256 << 2);
  memory.fill(histogram, 0, 256 << 2);
  const offsets = discOffsets(radius, pixels, byteStride, 1);
  let centre = byteAt(0, 0);
  for (let i: usize = 0; i < <usize>pixels; i++) {
    const bin = histogram + (<usize>load<u8>(centre + load<i32>(offsets + (i << 2))) << 2);
    store<u32>(bin, load<u32>(bin) + 1);
  }
  const right = slidePairs(radius, byteStride, 1);
  const step = <usize>pairsOf(radius) * PAIR;
  // The median, and how many pixels of the disc are below it.
  let level: u32 = 0;
  let below = 0;
  for (let row = 0; row < rows; row++) {
    const leftwards = row & 1;
    const ahead = leftwards ? <usize>-1 : 1;
    let to = out + <usize>row * outStride + (leftwards ? <usize>(columns - 1) << 2 : 0);
    for (let column = 0; column < columns; column++) {
      if (column) {
        below += slideByte(leftwards ? right + step : right, step, centre, histogram, level);
        centre += ahead;
        to += ahead << 2;
      } else if (row) {
        below += slideByte(right + 2 * step, step, centre, histogram, level);
        centre += byteStride;
      }
      while (below > half) {
        level--;
        below -= load<i32>(histogram + (<usize>level << 2));
      }
      for (;;) {
        const here = load<i32>(histogram + (<usize>level << 2));
        if (below + here > half) {
          break;
        }
        below += here;
        level++;
      }
      store<f32>(to, <f32>level);
    }
  }
  release(bottom);
}

/** Move the disc by one step. @returns the increase of the pixels below `level` */
@inline
function slideByte(pairs: usize, size: usize, centre: usize, histogram: usize, level: u32): i32 {
  let more = 0;
  for (const end = pairs + size; pairs < end; pairs += PAIR) {
    const into = <u32>load<u8>(centre + load<i32>(pairs));
    const from = <u32>load<u8>(centre + load<i32>(pairs, 4));
    const a = histogram + (<usize>into << 2);
    store<u32>(a, load<u32>(a) + 1);
    const b = histogram + (<usize>from << 2);
    store<u32>(b, load<u32>(b) - 1);
    more += <i32>(into < level) - <i32>(from < level);
  }
  return more;
}

/** Sort the tile's values, with a margin around, and give each pixel its rank. Least significant digits first, eleven bits at a time. */
function rank(margin: i32): void {
  const height = rows + 2 * margin;
  const breadth = columns + 2 * margin;
  rankMargin = margin;
  rankStride = <usize>breadth << 2;
  rankCount = height * breadth;
  const count = <usize>rankCount;
  ranks = allocate(count << 2);
  sorted = allocate(count << 2);
  const bottom = mark();
  let from = allocate(count << 3);
  let to = allocate(count << 3);
  const places = allocate(3 << 13);
  memory.fill(places, 0, 3 << 13);
  let i: usize = 0;
  for (let row = 0; row < height; row++) {
    const pixel = sourceAt(row - margin, -margin);
    for (let column: usize = 0; column < <usize>breadth; column++) {
      const key = keyOf(load<u32>(pixel + (column << 2)));
      store<u64>(from + (i << 3), ((<u64>key) << 32) | <u64>i);
      tally(places, key & 2047);
      tally(places + (1 << 13), (key >> 11) & 2047);
      tally(places + (2 << 13), key >> 22);
      i++;
    }
  }
  for (let digit = 0; digit < 3; digit++) {
    const place = places + (<usize>digit << 13);
    let before: u32 = 0;
    for (let bin: usize = 0; bin < 2048; bin++) {
      const here = load<u32>(place + (bin << 2));
      store<u32>(place + (bin << 2), before);
      before += here;
    }
    const shift = 32 + 11 * digit;
    for (let j: usize = 0; j < count; j++) {
      const entry = load<u64>(from + (j << 3));
      const bin = place + ((<usize>(entry >> shift) & 2047) << 2);
      const position = load<u32>(bin);
      store<u32>(bin, position + 1);
      store<u64>(to + (<usize>position << 3), entry);
    }
    const swap = from;
    from = to;
    to = swap;
  }
  for (let j: usize = 0; j < count; j++) {
    const entry = load<u64>(from + (j << 3));
    store<u32>(ranks + (<usize>(<u32>entry) << 2), <u32>j);
    store<u32>(sorted + (j << 2), bitsOf(<u32>(entry >> 32)));
  }
  release(bottom);
}

@inline
function tally(places: usize, bin: u32): void {
  const place = places + (<usize>bin << 2);
  store<u32>(place, load<u32>(place) + 1);
}

/** The bits of a float as a number that grows with the float: flips all bits of a negative float, else the sign. */
@inline
function keyOf(bits: u32): u32 {
  return bits ^ (<u32>(<i32>bits >> 31) | 0x80000000);
}

/** The reverse. */
@inline
function bitsOf(key: u32): u32 {
  return key ^ (<u32>(<i32>~key >> 31) | 0x80000000);
}

function slideRanks(radius: f64, pixels: i32, out: usize): void {
  const bottom = mark();
  const half = pixels >> 1;
  // Runs of 64 ranks or more, 256 to 512 of them if there are that many.
  const shift = max(6, 32 - clz(rankCount) - 9);
  const runs = (rankCount >> shift) + 1;
  const histogram = allocate(<usize>runs << 2);
  memory.fill(histogram, 0, <usize>runs << 2);
  const present = allocate(<usize>runs << (shift - 3));
  memory.fill(present, 0, <usize>runs << (shift - 3));
  const offsets = discOffsets(radius, pixels, rankStride, 4);
  let centre = ranks + <usize>rankMargin * rankStride + (<usize>rankMargin << 2);
  for (let i: usize = 0; i < <usize>pixels; i++) {
    const own = load<u32>(centre + load<i32>(offsets + (i << 2)));
    const bin = histogram + (<usize>(own >> shift) << 2);
    store<u32>(bin, load<u32>(bin) + 1);
    toggle(present, own);
  }
  const right = slidePairs(radius, rankStride, 4);
  const step = <usize>pairsOf(radius) * PAIR;
  // The run with the median, and how many pixels of the disc are below the run.
  let run: u32 = 0;
  let below = 0;
  for (let row = 0; row < rows; row++) {
    const leftwards = row & 1;
    const ahead = leftwards ? <usize>-4 : 4;
    let to = out + <usize>row * outStride + (leftwards ? <usize>(columns - 1) << 2 : 0);
    for (let column = 0; column < columns; column++) {
      if (column) {
        below += slideRank(leftwards ? right + step : right, step, centre, histogram, present, shift, run);
        centre += ahead;
        to += ahead;
      } else if (row) {
        below += slideRank(right + 2 * step, step, centre, histogram, present, shift, run);
        centre += rankStride;
      }
      while (below > half) {
        run--;
        below -= load<i32>(histogram + (<usize>run << 2));
      }
      for (;;) {
        const here = load<i32>(histogram + (<usize>run << 2));
        if (below + here > half) {
          break;
        }
        below += here;
        run++;
      }
      store<u32>(to, load<u32>(sorted + (<usize>rankOf(present, run << shift, half - below) << 2)));
    }
  }
  release(bottom);
}

/** Rank of the set bit number `nth` at or behind `from`, a multiple of 64. */
@inline
function rankOf(present: usize, from: u32, nth: i32): u32 {
  let word = present + (<usize>from >> 3);
  let bits = load<u64>(word);
  for (let here = <i32>popcnt(bits); here <= nth; here = <i32>popcnt(bits)) {
    nth -= here;
    word += 8;
    bits = load<u64>(word);
  }
  while (nth--) {
    bits &= bits - 1;
  }
  return <u32>((word - present) << 3) + <u32>ctz(bits);
}

@inline
function toggle(present: usize, own: u32): void {
  const word = present + ((<usize>own >> 6) << 3);
  store<u64>(word, load<u64>(word) ^ ((<u64>1) << (own & 63)));
}

/** Move the disc by one step. @returns the increase of the pixels below `run` */
@inline
function slideRank(
  pairs: usize,
  size: usize,
  centre: usize,
  histogram: usize,
  present: usize,
  shift: i32,
  run: u32
): i32 {
  let more = 0;
  for (const end = pairs + size; pairs < end; pairs += PAIR) {
    const into = load<u32>(centre + load<i32>(pairs));
    const from = load<u32>(centre + load<i32>(pairs, 4));
    toggle(present, into);
    toggle(present, from);
    const a = histogram + (<usize>(into >> shift) << 2);
    store<u32>(a, load<u32>(a) + 1);
    const b = histogram + (<usize>(from >> shift) << 2);
    store<u32>(b, load<u32>(b) - 1);
    more += <i32>(into >> shift < run) - <i32>(from >> shift < run);
  }
  return more;
}
