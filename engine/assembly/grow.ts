/**
 * One tree of a random forest (Breiman 2001) on features of 8 bits: for each node, histograms of the features tried, the best cut
 * by the fall of Gini impurity or entropy, and a partition of the rows.
 *
 * A row of the bag is touched only where a node tries features on it or hands it down: the children's class counts come with the best
 * cut, and rows of nodes that will not be split stay where they are. Rows that the bootstrap leaves out travel along and get the
 * tree's votes at their leaf: the out-of-bag estimate costs no second walk. All counts are whole numbers and every tree has its own
 * random numbers, so a tree depends on nothing but its seed and data.
 *
 * Counts of classes are kept four to a vector ("row of counts", 16 bytes for up to four classes, zeros behind the last).
 */

const VOTES: u32 = 1024;
const BINS: i32 = 256;
/** Rows up to which the bins of a node are noted one by one; above, all 256 are looked through. */
const FEW: u32 = 192;

/** xoshiro-like quality is not needed here: a 64-bit LCG with the output permutation of PCG (O'Neill 2014, PCG-XSH-RR). */
let state: u64 = 0;

@inline
function next(): u32 {
  const old = state;
  state = old * 6364136223846793005 + 1442695040888963407;
  const xorshifted = <u32>(((old >> 18) ^ old) >> 27);
  return rotr<u32>(xorshifted, <u32>(old >> 59));
}

/** A whole number in [0, n), by multiplication (Lemire 2019, without the rejection: the bias is below n / 2³²). */
@inline
function below(n: u32): u32 {
  return <u32>((<u64>next() * <u64>n) >> 32);
}

/** A seed for each tree, far from its neighbours (SplitMix64, Steele et al. 2014). */
function seedTree(seed: u32, tree: u32): void {
  let z: u64 = (<u64>seed << 32) + <u64>tree + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  state = z ^ (z >> 31);
  next();
  next();
}

/** Bytes of a row of counts. */
@inline
function countBytes(classes: u32): usize {
  return (<usize>(classes + 3) >> 2) << 4;
}

/** Bytes in front of the counts in an entry of the stack: node, depth, bag begin and end, out-of-bag begin and end. */
const ENTRY: usize = 32;

/** Bytes of scratch that `growTree` wants. */
export function growScratch(rowCount: u32, features: u32, classes: u32, maxDepth: u32): usize {
  const row: usize = countBytes(classes);
  const tables: usize = row * <usize>(3 * BINS + 4) + <usize>BINS + (<usize>features << 2);
  return <usize>rowCount * 26 + tables + (ENTRY + row) * (<usize>maxDepth + 3) + 256;
}

/** Histograms of two features, and of the one that is looked through each bin that has rows, and the counts of all rows up to it. */
let histogram0: usize = 0;
let histogram1: usize = 0;
let upTo: usize = 0;
let bins: usize = 0;
/** A bit for each bin that a node with few rows has, for both features. */
let seen: usize = 0;
/** Bytes of a row of counts. */
let stride: usize = 0;

/**
 * @param columns u8 [feature][row]
 * @param rowClass u8 [row]
 * @param weights f64 [class], with zeros up to a multiple of four
 * @param criterion 0 Gini, 1 entropy
 * @param scratch `growScratch` bytes
 * @param nodes 16 bytes each: i32 feature, u32 threshold, u32 left, u32 right; feature −1 in a leaf, whose number is `left`
 * @param votes u16 [leaf][class]
 * @param outOfBag u32 [row][class]: votes of the trees that did not see the row are added
 * @param importance f64 [feature], the result: fall of impurity by this feature's splits, weighted as the tree's rows are
 * @param result u32 [2]: nodes, leaves
 */
export function growTree(
  columns: usize,
  rowCount: u32,
  features: u32,
  rowClass: usize,
  classes: u32,
  weights: usize,
  maxDepth: u32,
  maxFeatures: u32,
  minLeaf: u32,
  criterion: i32,
  bootstrap: i32,
  seed: u32,
  tree: u32,
  scratch: usize,
  nodes: usize,
  votes: usize,
  outOfBag: usize,
  importance: usize,
  result: usize
): void {
  stride = countBytes(classes);
  const bag0 = scratch;
  const bag1 = bag0 + (<usize>rowCount << 3);
  const out0 = bag1 + (<usize>rowCount << 3);
  const out1 = out0 + (<usize>rowCount << 2);
  const drawn = out1 + (<usize>rowCount << 2);
  // Weighted counts of the node (f64), counts left of the best cut and of one cut.
  const weighted = (drawn + (<usize>rowCount << 1) + 15) & ~15;
  const bestLeft = weighted + 2 * stride;
  histogram0 = bestLeft + 2 * stride;
  histogram1 = histogram0 + <usize>BINS * stride;
  upTo = histogram1 + <usize>BINS * stride;
  bins = upTo + <usize>BINS * stride;
  seen = bins + <usize>BINS;
  const order = seen + 64;
  const stack = (order + (<usize>features << 2) + 15) & ~15;
  const entryBytes = ENTRY + stride;

  seedTree(seed, tree);
  drawRows(drawn, rowCount, bootstrap);
  const counts0 = stack + ENTRY;
  memory.fill(counts0, 0, stride);
  let p = bag0;
  let o = out0;
  for (let i: u32 = 0; i < rowCount; i++) {
    const times = <u64>load<u16>(drawn + (<usize>i << 1));
    const own = <u64>load<u8>(rowClass + <usize>i) << 2;
    const c = counts0 + <usize>own;
    store<u32>(c, load<u32>(c) + <u32>times);
    // Written to both lists, kept in one.
    store<u64>(p, (times << 48) | (own << 32) | <u64>i);
    store<u32>(o, i);
    p += <usize>(times > 0) << 3;
    o += <usize>(times == 0) << 2;
  }
  for (let f: u32 = 0; f < features; f++) {
    store<u32>(order + (<usize>f << 2), f);
    store<f64>(importance + (<usize>f << 3), 0);
  }
  memory.fill(histogram0, 0, 2 * <usize>BINS * stride);
  memory.fill(seen, 0, 64);

  let nodeCount: u32 = 1;
  let leafCount: u32 = 0;
  let top = stack;
  push(top, 0, 0, 0, <u32>((p - bag0) >> 3), 0, <u32>((o - out0) >> 2));
  top += entryBytes;
  while (top > stack) {
    top -= entryBytes;
    const node = load<u32>(top);
    const depth = load<u32>(top, 4);
    const begin = load<u32>(top, 8);
    const end = load<u32>(top, 12);
    const outBegin = load<u32>(top, 16);
    const outEnd = load<u32>(top, 20);
    const counts = top + ENTRY;
    // Children lie in the other of two lists, so that nothing is copied back.
    const bag = depth & 1 ? bag1 : bag0;
    const out = depth & 1 ? out1 : out0;

    let bestFeature: i32 = -1;
    let bestThreshold: u32 = 0;
    if (depth < maxDepth && canSplit(counts, minLeaf)) {
      const total = weigh(counts, weights, weighted);
      const whole = criterion ? entropyOf(weighted, classes, total) : giniOf(weighted, total);
      let bestScore: f64 = -Infinity;
      let varied: u32 = 0;
      let visited: u32 = 0;
      const from = bag + (<usize>begin << 3);
      const to = bag + (<usize>end << 3);
      const few = end - begin <= FEW;
      while (visited < features && (visited < maxFeatures || !varied)) {
        const pair = visited + 1 < min(maxFeatures, features);
        const feature0 = draw(order, visited, features);
        visited++;
        const column0 = columns + <usize>feature0 * <usize>rowCount;
        let feature1: u32 = feature0;
        if (pair) {
          feature1 = draw(order, visited, features);
          visited++;
          const column1 = columns + <usize>feature1 * <usize>rowCount;
          if (few) {
            countPairFew(column0, column1, from, to);
          } else {
            countPair(column0, column1, from, to);
          }
        } else if (few) {
          countFew(column0, from, to);
        } else {
          countOne(column0, from, to);
        }
        for (let k: u32 = 0; k <= <u32>pair; k++) {
          const histogram = k ? histogram1 : histogram0;
          const found = few ? accumulateFew(histogram, seen + (<usize>k << 5)) : accumulate(histogram);
          if (found < 2) {
            continue;
          }
          varied = 1;
          const cut = criterion
            ? bestEntropy(found, counts, weights, classes, minLeaf)
            : bestGini(found, counts, weights, weighted, total, minLeaf);
          if (cut >= 0 && cutScore > bestScore) {
            bestScore = cutScore;
            bestFeature = <i32>(k ? feature1 : feature0);
            // The cut between two bins with rows lies half way.
            const bin = bins + <usize>cut;
            bestThreshold = (<u32>load<u8>(bin) + <u32>load<u8>(bin, 1) - 1) >> 1;
            copyCounts(bestLeft, upTo + <usize>cut * stride);
          }
        }
      }
      if (bestFeature >= 0) {
        const sum = importance + (<usize>bestFeature << 3);
        store<f64>(sum, load<f64>(sum) + max(0, bestScore - whole));
      }
    }

    const record = nodes + (<usize>node << 4);
    if (bestFeature < 0) {
      store<i32>(record, -1);
      store<u32>(record, 0, 4);
      store<u32>(record, leafCount, 8);
      store<u32>(record, 0, 12);
      const leaf = votes + ((<usize>leafCount * <usize>classes) << 1);
      writeVotes(counts, weights, classes, leaf);
      leafCount++;
      for (let i = outBegin; i < outEnd; i++) {
        const row = outOfBag + ((<usize>load<u32>(out + (<usize>i << 2)) * <usize>classes) << 2);
        for (let c: usize = 0; c < <usize>classes; c++) {
          store<u32>(row + (c << 2), load<u32>(row + (c << 2)) + <u32>load<u16>(leaf + (c << 1)));
        }
      }
      continue;
    }

    store<i32>(record, bestFeature);
    store<u32>(record, bestThreshold, 4);
    store<u32>(record, nodeCount, 8);
    store<u32>(record, nodeCount + 1, 12);

    // The right child takes this entry's place, the left one is looked at first.
    const leftEntry = top + entryBytes;
    for (let v: usize = 0; v < stride; v += 16) {
      const l = v128.load(bestLeft + v);
      v128.store(counts + v, i32x4.sub(v128.load(counts + v), l));
      v128.store(leftEntry + ENTRY + v, l);
    }
    const column = columns + <usize>bestFeature * <usize>rowCount;
    let middle = begin;
    if (depth + 1 < maxDepth && (canSplit(counts, minLeaf) || canSplit(leftEntry + ENTRY, minLeaf))) {
      middle = partition(column, bestThreshold, bag, depth & 1 ? bag0 : bag1, begin, end);
    }
    const outMiddle = partitionOut(column, bestThreshold, out, depth & 1 ? out0 : out1, outBegin, outEnd);
    push(top, nodeCount + 1, depth + 1, middle, end, outMiddle, outEnd);
    push(leftEntry, nodeCount, depth + 1, begin, middle, outBegin, outMiddle);
    top = leftEntry + entryBytes;
    nodeCount += 2;
  }
  store<u32>(result, nodeCount);
  store<u32>(result, leafCount, 4);
}

/** How often each row is in the bag. */
@inline
function drawRows(drawn: usize, rowCount: u32, bootstrap: i32): void {
  if (!bootstrap) {
    for (let i: usize = 0; i < <usize>rowCount; i++) {
      store<u16>(drawn + (i << 1), 1);
    }
    return;
  }
  memory.fill(drawn, 0, <usize>rowCount << 1);
  for (let i: u32 = 0; i < rowCount; i++) {
    const p = drawn + (<usize>below(rowCount) << 1);
    const times = load<u16>(p);
    store<u16>(p, times + <u16>(times < 65535));
  }
}

/** The next feature of a random order (Fisher and Yates). */
@inline
function draw(order: usize, visited: u32, features: u32): u32 {
  const a = order + (<usize>visited << 2);
  const b = order + (<usize>(visited + below(features - visited)) << 2);
  const feature = load<u32>(b);
  store<u32>(b, load<u32>(a));
  store<u32>(a, feature);
  return feature;
}

@inline
function push(p: usize, node: u32, depth: u32, begin: u32, end: u32, outBegin: u32, outEnd: u32): void {
  store<u32>(p, node);
  store<u32>(p, depth, 4);
  store<u32>(p, begin, 8);
  store<u32>(p, end, 12);
  store<u32>(p, outBegin, 16);
  store<u32>(p, outEnd, 20);
}

@inline
function copyCounts(to: usize, from: usize): void {
  for (let v: usize = 0; v < stride; v += 16) {
    v128.store(to + v, v128.load(from + v));
  }
}

/** Whether there are two classes, and rows enough for two leaves. */
@inline
function canSplit(counts: usize, minLeaf: u32): bool {
  let present: u32 = 0;
  let total: u32 = 0;
  for (let c: usize = 0; c < stride; c += 4) {
    const n = load<u32>(counts + c);
    present += <u32>(n > 0);
    total += n;
  }
  return present > 1 && total >= 2 * minLeaf;
}

/** Weighted counts of a node, and their sum. */
@inline
function weigh(counts: usize, weights: usize, weighted: usize): f64 {
  let total: f64 = 0;
  for (let c: usize = 0; c < stride; c += 4) {
    const w = load<f64>(weights + (c << 1)) * <f64>load<u32>(counts + c);
    store<f64>(weighted + (c << 1), w);
    total += w;
  }
  return total;
}

/** Sum of squares over the sum: what `bestGini` gives a node that is not divided. */
@inline
function giniOf(weighted: usize, total: f64): f64 {
  let squares: f64 = 0;
  for (let c: usize = 0; c < stride; c += 4) {
    const w = load<f64>(weighted + (c << 1));
    squares += w * w;
  }
  return squares / total;
}

/** What `bestEntropy` gives a node that is not divided. */
@inline
function entropyOf(weighted: usize, classes: u32, total: f64): f64 {
  let sum: f64 = 0;
  for (let c: usize = 0; c < <usize>classes; c++) {
    sum += timesLog(load<f64>(weighted + (c << 3)));
  }
  return sum - timesLog(total);
}

@inline
function timesLog(x: f64): f64 {
  return x > 0 ? x * Math.log(x) : 0;
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

function countOne(column: usize, from: usize, to: usize): void {
  const histogram = histogram0;
  for (let p = from; p < to; p += 8) {
    const entry = load<u64>(p);
    addTo(histogram, <u32>load<u8>(column + <usize>(<u32>entry)), entry);
  }
}

function countPair(column0: usize, column1: usize, from: usize, to: usize): void {
  const a = histogram0;
  const b = histogram1;
  for (let p = from; p < to; p += 8) {
    const entry = load<u64>(p);
    const row = <usize>(<u32>entry);
    addTo(a, <u32>load<u8>(column0 + row), entry);
    addTo(b, <u32>load<u8>(column1 + row), entry);
  }
}

function countFew(column: usize, from: usize, to: usize): void {
  for (let p = from; p < to; p += 8) {
    const entry = load<u64>(p);
    const bin = <u32>load<u8>(column + <usize>(<u32>entry));
    addTo(histogram0, bin, entry);
    note(seen, bin);
  }
}

function countPairFew(column0: usize, column1: usize, from: usize, to: usize): void {
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

/** From a histogram to the bins with rows and the counts up to each of them; the histogram is left empty. @returns how many bins */
function accumulate(histogram: usize): u32 {
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
function accumulateFew(histogram: usize, bits: usize): u32 {
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

/** Score of the cut that `bestGini` or `bestEntropy` returned; higher is better. */
let cutScore: f64 = 0;

/**
 * The cut with the largest Σ wₗ² / Σ wₗ + Σ wᵣ² / Σ wᵣ over the weighted counts left and right, which has the least Gini impurity;
 * the first of several. @returns its number among the bins with rows, the last that goes left, or −1
 */
function bestGini(found: u32, counts: usize, weights: usize, weighted: usize, total: f64, minLeaf: u32): i32 {
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

/** The same with Σ w ln w − W ln W of both sides, for the least entropy. */
function bestEntropy(found: u32, counts: usize, weights: usize, classes: u32, minLeaf: u32): i32 {
  let best: f64 = -Infinity;
  let at: i32 = -1;
  for (let i: u32 = 0; i < found - 1; i++) {
    const a = upTo + <usize>i * stride;
    let left: f64 = 0;
    let right: f64 = 0;
    let sum: f64 = 0;
    for (let c: usize = 0; c < <usize>classes; c++) {
      const n = load<u32>(a + (c << 2));
      const weight = load<f64>(weights + (c << 3));
      const l = weight * <f64>n;
      const r = weight * <f64>(load<u32>(counts + (c << 2)) - n);
      left += l;
      right += r;
      sum += timesLog(l) + timesLog(r);
    }
    const score = sum - timesLog(left) - timesLog(right);
    if (score > best && leavesEnough(a, counts, minLeaf)) {
      best = score;
      at = <i32>i;
    }
  }
  cutScore = best;
  return at;
}

/** Write the bag's entries that go left upwards from the begin, the others downwards from the end. @returns where these begin */
function partition(column: usize, threshold: u32, bag: usize, to: usize, begin: u32, end: u32): u32 {
  let l = to + (<usize>begin << 3);
  let r = to + (<usize>end << 3) - 8;
  for (let p = bag + (<usize>begin << 3), q = bag + (<usize>end << 3); p < q; p += 8) {
    const entry = load<u64>(p);
    const goesLeft = <usize>(<u32>load<u8>(column + <usize>(<u32>entry)) <= threshold) << 3;
    store<u64>(l, entry);
    store<u64>(r, entry);
    l += goesLeft;
    r -= goesLeft ^ 8;
  }
  return <u32>((l - to) >> 3);
}

/** The same for rows out of the bag. */
function partitionOut(column: usize, threshold: u32, out: usize, to: usize, begin: u32, end: u32): u32 {
  let l = to + (<usize>begin << 2);
  let r = to + (<usize>end << 2) - 4;
  for (let p = out + (<usize>begin << 2), q = out + (<usize>end << 2); p < q; p += 4) {
    const row = load<u32>(p);
    const goesLeft = <usize>(<u32>load<u8>(column + <usize>row) <= threshold) << 2;
    store<u32>(l, row);
    store<u32>(r, row);
    l += goesLeft;
    r -= goesLeft ^ 4;
  }
  return <u32>((l - to) >> 2);
}

/** Weighted shares of the classes as whole numbers that add up to VOTES; what rounding leaves goes to the largest share, the lowest class of several. */
@inline
function writeVotes(counts: usize, weights: usize, classes: u32, leaf: usize): void {
  let total: f64 = 0;
  let largest: f64 = -1;
  let winner: usize = 0;
  for (let c: usize = 0; c < <usize>classes; c++) {
    const w = load<f64>(weights + (c << 3)) * <f64>load<u32>(counts + (c << 2));
    total += w;
    if (w > largest) {
      largest = w;
      winner = c;
    }
  }
  let given: u32 = 0;
  for (let c: usize = 0; c < <usize>classes; c++) {
    const w = load<f64>(weights + (c << 3)) * <f64>load<u32>(counts + (c << 2));
    const share = <u32>Math.floor((w / total) * <f64>VOTES);
    store<u16>(leaf + (c << 1), <u16>share);
    given += share;
  }
  store<u16>(leaf + (winner << 1), <u16>(<u32>load<u16>(leaf + (winner << 1)) + VOTES - given));
}
