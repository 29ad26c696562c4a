/**
 * One tree of a random forest (Breiman 2001) on features of 8 bits: for each node, histograms of the features tried, the best cut
 * by the fall of Gini impurity, and a partition of the rows.
 *
 * A row of the bag is read only where a node tries features on it or passes it to a child: the children's class counts come with the best
 * cut, and rows of nodes that will not be split are not moved. Rows that the bootstrap leaves out travel along and get the
 * tree's votes at their leaf: the out-of-bag estimate costs no second walk. All counts are whole numbers and every tree has its own
 * random numbers, so a tree depends only on its seed and data.
 */

import { below, seedTree } from './random';
import {
  accumulate,
  accumulateFew,
  bestGini,
  bins,
  countBytes,
  countFew,
  countOne,
  countPair,
  countPairFew,
  cutScore,
  giniOf,
  histogram0,
  histogram1,
  histogramBytes,
  placeHistograms,
  seen,
  stride,
  upTo,
  weigh
} from './cuts';

const VOTES: u32 = 1024;
/** Nodes with at most this many rows list their bins; larger nodes search all 256. */
const FEW: u32 = 192;

/** Bytes in front of the counts in an entry of the stack: node, depth, bag begin and end, out-of-bag begin and end. */
const ENTRY: usize = 32;

/** Bytes of scratch that `growTree` needs. */
export function growScratch(rowCount: u32, features: u32, classes: u32, maxDepth: u32): usize {
  const row: usize = countBytes(classes);
  const tables: usize = 4 * row + histogramBytes(classes) + (<usize>features << 2);
  return <usize>rowCount * 26 + tables + (ENTRY + row) * (<usize>maxDepth + 3) + 256;
}

/**
 * Grow a tree.
 *
 * @param columns u8 [feature][row]
 * @param rowClass u8 [row]
 * @param weights f64 [class], with zeros up to a multiple of four
 * @param scratch `growScratch` bytes
 * @param nodes 16 bytes each: i32 feature, u32 threshold, u32 left, u32 right; feature −1 in a leaf, whose number is `left`
 * @param votes u16 [leaf][class]
 * @param outOfBag u32 [row][class]: votes of the trees that did not see the row are added
 * @param importance f64 [feature], the result: fall of impurity by this feature's splits, by the weights of the tree's rows
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
  const bag0 = scratch;
  const bag1 = bag0 + (<usize>rowCount << 3);
  const out0 = bag1 + (<usize>rowCount << 3);
  const out1 = out0 + (<usize>rowCount << 2);
  const drawn = out1 + (<usize>rowCount << 2);
  // Weighted counts of the node (f64), counts left of the best cut and of one cut.
  const weighted = (drawn + (<usize>rowCount << 1) + 15) & ~15;
  const bestLeft = weighted + 2 * countBytes(classes);
  const order = placeHistograms(bestLeft + countBytes(classes), classes);
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
      const whole = giniOf(weighted, total);
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
          const cut = bestGini(found, counts, weights, weighted, total, minLeaf);
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

    // The right child replaces this entry; the left child comes first.
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

/** Weighted shares of the classes as whole numbers that add up to VOTES; the rest of rounding goes to the largest share, the lowest class at a tie. */
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
