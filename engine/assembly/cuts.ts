/**
 * The cuts of a node: histograms of its rows over the bins of a feature, and the cut with the least impurity (Breiman et al.,
 * Classification and Regression Trees, 1984), by Gini.
 *
 * Counts of classes are kept four to a vector ("row of counts", 16 bytes for up to four classes, zeros behind the last).
 */

const BINS: i32 = 256;

/** Bytes of a row of counts. */
@inline
export function countBytes(classes: u32): usize {
  return (<usize>(classes + 3) >> 2) << 4;
}

/** Addresses: histograms of two features; of the feature in hand, the bins that have rows and the counts of all rows up to each. */
export let histogram0: usize = 0;
export let histogram1: usize = 0;
export let upTo: usize = 0;
export let bins: usize = 0;
/** Address: for both features a bit for each bin with rows, in nodes with few rows. */
export let seen: usize = 0;
/** Bytes of a row of counts. */
export let stride: usize = 0;

/** Set the addresses above, from `at` on. @returns the address behind */
export function placeHistograms(at: usize, classes: u32): usize {
  stride = countBytes(classes);
  histogram0 = at;
  histogram1 = histogram0 + <usize>BINS * stride;
  upTo = histogram1 + <usize>BINS * stride;
  bins = upTo + <usize>BINS * stride;
  seen = bins + <usize>BINS;
  memory.fill(histogram0, 0, 2 * <usize>BINS * stride);
  memory.fill(seen, 0, 64);
  return seen + 64;
}

/** Bytes that `placeHistograms` takes. */
export function histogramBytes(classes: u32): usize {
  return 3 * <usize>BINS * countBytes(classes) + <usize>BINS + 64;
}

/** Weighted counts of a node, and their sum. */
@inline
export function weigh(counts: usize, weights: usize, weighted: usize): f64 {
  let total: f64 = 0;
  for (let c: usize = 0; c < stride; c += 4) {
    const w = load<f64>(weights + (c << 1)) * <f64>load<u32>(counts + c);
    store<f64>(weighted + (c << 1), w);
    total += w;
  }
  return total;
}

/** Sum of squares over the sum: the score of `bestGini` for an undivided node. */
@inline
export function giniOf(weighted: usize, total: f64): f64 {
  let squares: f64 = 0;
  for (let c: usize = 0; c < stride; c += 4) {
    const w = load<f64>(weighted + (c << 1));
    squares += w * w;
  }
  return squares / total;
}

/** Add an entry of the bag to a histogram. */
@inline
function addTo(histogram: usize, bin: u32, entry: u64): void {
  const h = histogram + <usize>bin * stride + <usize>((entry >> 32) & 0xffff);
  store<u32>(h, load<u32>(h) + <u32>(entry >> 48));
}

@inline
function note(bits: usize, bin: u32): void {
  const word = bits + ((<usize>bin >> 6) << 3);
  store<u64>(word, load<u64>(word) | (<u64>1 << <u64>(bin & 63)));
}

export function countOne(column: usize, from: usize, to: usize): void {
  const histogram = histogram0;
  for (let p = from; p < to; p += 8) {
    const entry = load<u64>(p);
    addTo(histogram, <u32>load<u8>(column + <usize>(<u32>entry)), entry);
  }
}

export function countPair(column0: usize, column1: usize, from: usize, to: usize): void {
  const a = histogram0;
  const b = histogram1;
  for (let p = from; p < to; p += 8) {
    const entry = load<u64>(p);
    const row = <usize>(<u32>entry);
    addTo(a, <u32>load<u8>(column0 + row), entry);
    addTo(b, <u32>load<u8>(column1 + row), entry);
  }
}

export function countFew(column: usize, from: usize, to: usize): void {
  for (let p = from; p < to; p += 8) {
    const entry = load<u64>(p);
    const bin = <u32>load<u8>(column + <usize>(<u32>entry));
    addTo(histogram0, bin, entry);
    note(seen, bin);
  }
}

export function countPairFew(column0: usize, column1: usize, from: usize, to: usize): void {
  for (let p = from; p < to; p += 8) {
    const entry = load<u64>(p);
    const row = <usize>(<u32>entry);
    const bin0 = <u32>load<u8>(column0 + row);
    const bin1 = <u32>load<u8>(column1 + row);
    addTo(histogram0, bin0, entry);
    addTo(histogram1, bin1, entry);
    note(seen, bin0);
    note(seen + 32, bin1);
  }
}

/** List the bins with rows and the counts up to each of them; empties the histogram. @returns the number of bins */
export function accumulate(histogram: usize): u32 {
  let found: usize = 0;
  if (stride == 16) {
    let sum = i32x4.splat(0);
    for (let bin: usize = 0; bin < <usize>BINS; bin++) {
      const h = histogram + (bin << 4);
      const here = v128.load(h);
      v128.store(h, i32x4.splat(0));
      sum = i32x4.add(sum, here);
      v128.store(upTo + (found << 4), sum);
      store<u8>(bins + found, <u8>bin);
      found += <usize>v128.any_true(here);
    }
    return <u32>found;
  }
  for (let bin: usize = 0; bin < <usize>BINS; bin++) {
    const h = histogram + bin * stride;
    let any = i32x4.splat(0);
    for (let v: usize = 0; v < stride; v += 16) {
      any = v128.or(any, v128.load(h + v));
    }
    if (v128.any_true(any)) {
      accumulateBin(h, found);
      store<u8>(bins + found, <u8>bin);
      found++;
    }
  }
  return <u32>found;
}

/** The same for a node with few rows. */
export function accumulateFew(histogram: usize, bits: usize): u32 {
  let found: usize = 0;
  for (let word: usize = 0; word < 4; word++) {
    let left = load<u64>(bits + (word << 3));
    store<u64>(bits + (word << 3), 0);
    while (left) {
      const bin = (word << 6) + <usize>ctz(left);
      left &= left - 1;
      accumulateBin(histogram + bin * stride, found);
      store<u8>(bins + found, <u8>bin);
      found++;
    }
  }
  return <u32>found;
}

/** Add a bin's counts to those up to the bin found before, and empty it. */
@inline
function accumulateBin(h: usize, found: usize): void {
  const to = upTo + found * stride;
  for (let v: usize = 0; v < stride; v += 16) {
    const before = found ? v128.load(to - stride + v) : i32x4.splat(0);
    v128.store(to + v, i32x4.add(before, v128.load(h + v)));
    v128.store(h + v, i32x4.splat(0));
  }
}

/** Score of the cut that `bestGini` returned; higher is better. */
export let cutScore: f64 = 0;

/**
 * The cut with the largest Σ wₗ² / Σ wₗ + Σ wᵣ² / Σ wᵣ over the weighted counts left and right, which has the least Gini impurity;
 * the first at a tie. @returns its number among the bins with rows, the last that goes left, or −1
 */
export function bestGini(found: u32, counts: usize, weights: usize, weighted: usize, total: f64, minLeaf: u32): i32 {
  let best: f64 = -Infinity;
  let at: i32 = -1;
  const cuts = found - 1;
  const all = f64x2.splat(total);
  for (let i: u32 = 0; i < cuts; i += 2) {
    const a = upTo + <usize>i * stride;
    const b = a + stride;
    // Sums of even and odd classes, for two cuts.
    let leftA = f64x2.splat(0);
    let leftB = leftA;
    let squaresLeftA = leftA;
    let squaresLeftB = leftA;
    let squaresRightA = leftA;
    let squaresRightB = leftA;
    for (let c: usize = 0; c < stride; c += 8) {
      const w = v128.load(weights + (c << 1));
      const own = v128.load(weighted + (c << 1));
      const lA = f64x2.mul(w, f64x2.convert_low_i32x4_s(v128.load64_zero(a + c)));
      const lB = f64x2.mul(w, f64x2.convert_low_i32x4_s(v128.load64_zero(b + c)));
      const rA = f64x2.sub(own, lA);
      const rB = f64x2.sub(own, lB);
      leftA = f64x2.add(leftA, lA);
      leftB = f64x2.add(leftB, lB);
      squaresLeftA = f64x2.add(squaresLeftA, f64x2.mul(lA, lA));
      squaresLeftB = f64x2.add(squaresLeftB, f64x2.mul(lB, lB));
      squaresRightA = f64x2.add(squaresRightA, f64x2.mul(rA, rA));
      squaresRightB = f64x2.add(squaresRightB, f64x2.mul(rB, rB));
    }
    const left = sums(leftA, leftB);
    const score = f64x2.add(
      f64x2.div(sums(squaresLeftA, squaresLeftB), left),
      f64x2.div(sums(squaresRightA, squaresRightB), f64x2.sub(all, left))
    );
    const scoreA = f64x2.extract_lane(score, 0);
    const scoreB = f64x2.extract_lane(score, 1);
    if (scoreA > best && leavesEnough(a, counts, minLeaf)) {
      best = scoreA;
      at = <i32>i;
    }
    if (scoreB > best && i + 1 < cuts && leavesEnough(b, counts, minLeaf)) {
      best = scoreB;
      at = <i32>i + 1;
    }
  }
  cutScore = best;
  return at;
}

/** [a₀ + a₁, b₀ + b₁] */
@inline
function sums(a: v128, b: v128): v128 {
  return f64x2.add(i64x2.shuffle(a, b, 0, 2), i64x2.shuffle(a, b, 1, 3));
}

/** Whether a cut with these counts to its left puts `minLeaf` rows on both sides. */
@inline
function leavesEnough(left: usize, counts: usize, minLeaf: u32): bool {
  if (minLeaf == 1) {
    return true;
  }
  let l: u32 = 0;
  let all: u32 = 0;
  for (let c: usize = 0; c < stride; c += 4) {
    l += load<u32>(left + c);
    all += load<u32>(counts + c);
  }
  return l >= minLeaf && all - l >= minLeaf;
}
