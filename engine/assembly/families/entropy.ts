/**
 * Entropy of the grey levels over a disc: −Σ p log₂ p, in bits, with p the part of the disc's pixels in each of `bins` equal bins of the 256
 * levels, bin ⌊level · bins / 256⌋, as in Trainable Weka Segmentation, which scales its levels to the least and largest value of each image;
 * here the spec's range scales them. The disc is that of `discs.ts`.
 *
 * With c pixels in a bin and n in the disc the entropy is (n log₂ n − Σ c log₂ c) / n. The terms are fixed-point whole numbers, which are updated
 * as the histogram slides.
 *
 * ONNX cannot express it. `sambalab/tests/features/test_rank.py` compares the kernel with NumPy and SciPy.
 */
import { allocate, mark, release } from '../arena';
import { argument } from '../family';
import { columns, greyAt, greyLevels, greyStride, outStride, rows } from '../tile';
import { discCount, discReach } from './discs';
import { PAIR, discOffsets, pairsOf, slidePairs } from './slide';

/** Fractional bits of c log₂ c, which has up to 18 bits before the point for the largest disc. */
const FRACTION: f64 = <f64>((<u64>1) << 40);

/** Arguments: radius, bins. */
export function entropy(args: usize, out: usize): void {
  const radius = argument(args, 0);
  const bins = <i32>argument(args, 1);
  // The grey levels stay, so they must be allocated before the mark.
  greyLevels();
  const bottom = mark();
  let stride = greyStride();
  let centre = greyAt(0, 0);
  if (bins < 256) {
    const reach = discReach(radius);
    stride = <usize>(columns + 2 * reach + 15) & ~15;
    const binned = allocate(<usize>(rows + 2 * reach) * stride);
    for (let row = -reach; row < rows + reach; row++) {
      binRow(greyAt(row, -reach), binned + <usize>(row + reach) * stride, stride, bins);
    }
    centre = binned + <usize>reach * stride + <usize>reach;
  }
  const pixels = discCount(radius);
  const gains = gainTable(pixels);
  const most = <i64>termOf(pixels);
  const scale = 1 / (FRACTION * <f64>pixels);
  const histogram = allocate(256 << 2);
  memory.fill(histogram, 0, 256 << 2);
  let sum: i64 = 0;
  const offsets = discOffsets(radius, pixels, stride, 1);
  for (let i: usize = 0; i < <usize>pixels; i++) {
    sum += enter(centre + load<i32>(offsets + (i << 2)), histogram, gains);
  }
  const right = slidePairs(radius, stride, 1);
  const step = <usize>pairsOf(radius) * PAIR;
  for (let row = 0; row < rows; row++) {
    const leftwards = row & 1;
    let to = out + <usize>row * outStride;
    if (row) {
      sum += slide(right + 2 * step, step, centre, histogram, gains);
      centre += stride;
    }
    if (leftwards) {
      to += <usize>(columns - 1) << 2;
    }
    store<f32>(to, <f32>(<f64>(most - sum) * scale));
    const pairs = leftwards ? right + step : right;
    const ahead = leftwards ? <usize>-1 : 1;
    for (let column = 1; column < columns; column++) {
      sum += slide(pairs, step, centre, histogram, gains);
      centre += ahead;
      to += ahead << 2;
      store<f32>(to, <f32>(<f64>(most - sum) * scale));
    }
  }
  release(bottom);
}

/** Bins of a row of levels, fewer than 256 of them; `bytes` is a multiple of 16. */
function binRow(from: usize, to: usize, bytes: usize, bins: i32): void {
  const factor = i8x16.splat(<i8>bins);
  for (let x: usize = 0; x < bytes; x += 16) {
    const levels = v128.load(from + x);
    const low = i16x8.shr_u(i16x8.extmul_low_i8x16_u(levels, factor), 8);
    const high = i16x8.shr_u(i16x8.extmul_high_i8x16_u(levels, factor), 8);
    v128.store(to + x, i8x16.narrow_i16x8_u(low, high));
  }
}

/** c log₂ c in fixed point. */
function termOf(count: i32): f64 {
  return count ? Math.round(<f64>count * Math.log2(<f64>count) * FRACTION) : 0;
}

/** The increase of the sum when a bin of c pixels gets one more, i64 for each c below `pixels`. */
function gainTable(pixels: i32): usize {
  const gains = allocate(<usize>(pixels + 1) << 3);
  let term: f64 = 0;
  for (let count = 0; count <= pixels; count++) {
    const next = termOf(count + 1);
    store<i64>(gains + (<usize>count << 3), <i64>next - <i64>term);
    term = next;
  }
  return gains;
}

@inline
function enter(pixel: usize, histogram: usize, gains: usize): i64 {
  const bin = histogram + (<usize>load<u8>(pixel) << 2);
  const count = <usize>load<u32>(bin);
  store<u32>(bin, <u32>(count + 1));
  return load<i64>(gains + (count << 3));
}

/** Move the disc by one step. @returns the increase of the sum */
@inline
function slide(pairs: usize, bytes: usize, centre: usize, histogram: usize, gains: usize): i64 {
  let growth: i64 = 0;
  for (const end = pairs + bytes; pairs < end; pairs += PAIR) {
    growth += enter(centre + load<i32>(pairs), histogram, gains);
    const bin = histogram + (<usize>load<u8>(centre + load<i32>(pairs, 4)) << 2);
    const count = <usize>load<u32>(bin) - 1;
    store<u32>(bin, <u32>count);
    growth -= load<i64>(gains + (count << 3));
  }
  return growth;
}
