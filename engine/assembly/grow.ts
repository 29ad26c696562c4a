/**
 * One tree of a random forest (Breiman 2001) on features of 8 bits: for each node, histograms of the features tried, the best cut
 * by the fall of Gini impurity or entropy, and a stable partition of the rows.
 *
 * Rows that the bootstrap leaves out travel along and get the tree's votes at their leaf: the out-of-bag estimate costs no second
 * walk. All counts are whole numbers and every tree has its own random numbers, so a tree depends on nothing but its seed and data.
 */

const VOTES: u32 = 1024;
const BINS: i32 = 256;

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

/** Bytes of one entry of the stack: node, depth, bag begin and end, out-of-bag begin and end. */
const ENTRY: usize = 24;

/**
 * @param columns u8 [feature][row]
 * @param rowClass u8 [row]
 * @param weights f64 [class]
 * @param criterion 0 Gini, 1 entropy
 * @param bag u64 [row], scratch: row in the low 32 bits, class in 8, times drawn in the rest
 * @param spare u64 [row], scratch
 * @param out u32 [row], scratch: rows out of bag
 * @param drawn u16 [row], scratch
 * @param histogram u32 [256][class], scratch
 * @param order u32 [feature], scratch
 * @param counts u32 [class] and f64 [2][class], scratch
 * @param stack 24 bytes × (2 + maxDepth) scratch
 * @param nodes 16 bytes each: i32 feature, u32 threshold, u32 left, u32 right; feature −1 in a leaf, whose number is `left`
 * @param votes u16 [leaf][class]
 * @param outOfBag u32 [row][class]: votes of the trees that did not see the row are added
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
  bag: usize,
  spare: usize,
  out: usize,
  drawn: usize,
  histogram: usize,
  order: usize,
  counts: usize,
  stack: usize,
  nodes: usize,
  votes: usize,
  outOfBag: usize,
  result: usize
): void {
  seedTree(seed, tree);
  memory.fill(drawn, bootstrap ? 0 : 1, <usize>rowCount << 1);
  if (bootstrap) {
    for (let i: u32 = 0; i < rowCount; i++) {
      const p = drawn + (<usize>below(rowCount) << 1);
      const times = load<u16>(p);
      store<u16>(p, times + <u16>(times < 65535));
    }
  }
  let bagCount: u32 = 0;
  let outCount: u32 = 0;
  for (let i: u32 = 0; i < rowCount; i++) {
    const times = bootstrap ? <u64>load<u16>(drawn + (<usize>i << 1)) : 1;
    if (times) {
      const entry = <u64>i | (<u64>load<u8>(rowClass + <usize>i) << 32) | (times << 40);
      store<u64>(bag + (<usize>bagCount << 3), entry);
      bagCount++;
    } else {
      store<u32>(out + (<usize>outCount << 2), i);
      outCount++;
    }
  }
  for (let f: u32 = 0; f < features; f++) {
    store<u32>(order + (<usize>f << 2), f);
  }
  memory.fill(histogram, 0, (<usize>classes * <usize>BINS) << 2);

  const left = counts + (<usize>classes << 3);
  const leftCounts = left;
  let nodeCount: u32 = 1;
  let leafCount: u32 = 0;
  let top = stack;
  push(top, 0, 0, 0, bagCount, 0, outCount);
  top += ENTRY;
  while (top > stack) {
    top -= ENTRY;
    const node = load<u32>(top);
    const depth = load<u32>(top, 4);
    const begin = load<u32>(top, 8);
    const end = load<u32>(top, 12);
    const outBegin = load<u32>(top, 16);
    const outEnd = load<u32>(top, 20);

    memory.fill(counts, 0, <usize>classes << 2);
    for (let p = bag + (<usize>begin << 3), q = bag + (<usize>end << 3); p < q; p += 8) {
      const entry = load<u64>(p);
      const c = counts + (<usize>((entry >> 32) & 0xff) << 2);
      store<u32>(c, load<u32>(c) + <u32>(entry >> 40));
    }
    let present: u32 = 0;
    let total: u32 = 0;
    for (let c: u32 = 0; c < classes; c++) {
      const n = load<u32>(counts + (<usize>c << 2));
      present += <u32>(n > 0);
      total += n;
    }

    let bestFeature: i32 = -1;
    let bestThreshold: u32 = 0;
    if (present > 1 && depth < maxDepth && total >= 2 * minLeaf) {
      let bestScore: f64 = -Infinity;
      let varied: u32 = 0;
      for (let visited: u32 = 0; visited < features && (visited < maxFeatures || !varied); visited++) {
        const a = order + (<usize>visited << 2);
        const b = order + (<usize>(visited + below(features - visited)) << 2);
        const feature = load<u32>(b);
        store<u32>(b, load<u32>(a));
        store<u32>(a, feature);

        const column = columns + <usize>feature * <usize>rowCount;
        let lowest: u32 = 255;
        let highest: u32 = 0;
        for (let p = bag + (<usize>begin << 3), q = bag + (<usize>end << 3); p < q; p += 8) {
          const entry = load<u64>(p);
          const bin = <u32>load<u8>(column + <usize>(<u32>entry));
          lowest = min(lowest, bin);
          highest = max(highest, bin);
          const h = histogram + (<usize>(bin * classes + <u32>((entry >> 32) & 0xff)) << 2);
          store<u32>(h, load<u32>(h) + <u32>(entry >> 40));
        }
        if (lowest < highest) {
          varied = 1;
          memory.fill(leftCounts, 0, <usize>classes << 2);
          let taken: u32 = 0;
          let previous: i32 = -1;
          let pending = -Infinity;
          for (let bin = lowest; bin <= highest; bin++) {
            const row = histogram + (<usize>(bin * classes) << 2);
            let here: u32 = 0;
            for (let c: usize = 0; c < <usize>classes; c++) {
              here += load<u32>(row + (c << 2));
            }
            if (!here) {
              continue;
            }
            // The cut between the previous bin with rows and this one lies half way.
            if (pending > bestScore) {
              bestScore = pending;
              bestFeature = <i32>feature;
              bestThreshold = (<u32>previous + bin - 1) >> 1;
            }
            for (let c: usize = 0; c < <usize>classes; c++) {
              const l = leftCounts + (c << 2);
              store<u32>(l, load<u32>(l) + load<u32>(row + (c << 2)));
            }
            taken += here;
            previous = <i32>bin;
            pending =
              bin < highest && taken >= minLeaf && total - taken >= minLeaf
                ? score(counts, leftCounts, weights, classes, criterion)
                : -Infinity;
          }
        }
        memory.fill(
          histogram + (<usize>(lowest * classes) << 2),
          0,
          (<usize>(highest - lowest + 1) * <usize>classes) << 2
        );
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

    const column = columns + <usize>bestFeature * <usize>rowCount;
    let l = bag + (<usize>begin << 3);
    let r = spare;
    for (let p = l, q = bag + (<usize>end << 3); p < q; p += 8) {
      const entry = load<u64>(p);
      const goesLeft = <usize>(<u32>load<u8>(column + <usize>(<u32>entry)) <= bestThreshold);
      store<u64>(l, entry);
      store<u64>(r, entry);
      l += goesLeft << 3;
      r += (goesLeft ^ 1) << 3;
    }
    memory.copy(l, spare, r - spare);
    const middle = <u32>((l - bag) >> 3);

    l = out + (<usize>outBegin << 2);
    r = spare;
    for (let p = l, q = out + (<usize>outEnd << 2); p < q; p += 4) {
      const row = load<u32>(p);
      const goesLeft = <usize>(<u32>load<u8>(column + <usize>row) <= bestThreshold);
      store<u32>(l, row);
      store<u32>(r, row);
      l += goesLeft << 2;
      r += (goesLeft ^ 1) << 2;
    }
    memory.copy(l, spare, r - spare);
    const outMiddle = <u32>((l - out) >> 2);

    store<i32>(record, bestFeature);
    store<u32>(record, bestThreshold, 4);
    store<u32>(record, nodeCount, 8);
    store<u32>(record, nodeCount + 1, 12);
    push(top, nodeCount + 1, depth + 1, middle, end, outMiddle, outEnd);
    top += ENTRY;
    push(top, nodeCount, depth + 1, begin, middle, outBegin, outMiddle);
    top += ENTRY;
    nodeCount += 2;
  }
  store<u32>(result, nodeCount);
  store<u32>(result, leafCount, 4);
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

/** What a split gains, up to terms that all splits of a node share; higher is better. */
@inline
function score(counts: usize, leftCounts: usize, weights: usize, classes: u32, criterion: i32): f64 {
  let leftWeight: f64 = 0;
  let rightWeight: f64 = 0;
  let leftSum: f64 = 0;
  let rightSum: f64 = 0;
  for (let c: usize = 0; c < <usize>classes; c++) {
    const n = load<u32>(leftCounts + (c << 2));
    const weight = load<f64>(weights + (c << 3));
    const l = weight * <f64>n;
    const r = weight * <f64>(load<u32>(counts + (c << 2)) - n);
    leftWeight += l;
    rightWeight += r;
    if (criterion) {
      leftSum += l > 0 ? l * Math.log(l) : 0;
      rightSum += r > 0 ? r * Math.log(r) : 0;
    } else {
      leftSum += l * l;
      rightSum += r * r;
    }
  }
  return criterion
    ? leftSum - leftWeight * Math.log(leftWeight) + rightSum - rightWeight * Math.log(rightWeight)
    : leftSum / leftWeight + rightSum / rightWeight;
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
