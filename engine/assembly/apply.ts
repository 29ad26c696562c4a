/**
 * A forest applied to 16 pixels at once: a node splits a mask of 16 lanes in two, a branch without pixels is not entered, and a leaf
 * adds its votes under the mask. A tree visits many blocks before the next tree comes, so that it stays in the cache.
 *
 * A leaf's votes are whole numbers that add up to VOTES, so sums are exact and the order of trees does not matter.
 */

/** Sum of the votes of one leaf; `engine/forest.ts` has the same. */
const VOTES: u32 = 1024;
/** So many trees fit 16-bit sums: 63 × 1024 < 65536. */
const TREES_PER_SUM: i32 = 63;
/** Blocks that one tree visits in a row. */
const GROUP: i32 = 32;

/**
 * @param blocks u8 [block][feature][16]
 * @param nodes 16 bytes each: i32 feature × 16 (−1 in a leaf), u32 threshold, u32 left, u32 right; in a leaf `left` is its number
 * @param roots u32 [trees]: number of the root's node; children's numbers count from the root
 * @param votes u16 [leaf][classes], leaves numbered over all trees
 * @param sums u32 [block][class][16], the result
 * @param short u16 [32][class][16], scratch
 * @param stack 32 bytes for each level of the deepest tree
 */
export function applyForest(
  blocks: usize,
  blockCount: i32,
  features: i32,
  nodes: usize,
  roots: usize,
  trees: i32,
  votes: usize,
  classes: i32,
  sums: usize,
  short: usize,
  stack: usize
): void {
  const blockBytes = <usize>features << 4;
  const accumulatorBytes = <usize>classes << 5;
  for (let first = 0; first < blockCount; first += GROUP) {
    const count = min(GROUP, blockCount - first);
    const groupBlocks = blocks + <usize>first * blockBytes;
    const groupSums = sums + <usize>first * (accumulatorBytes << 1);
    memory.fill(groupSums, 0, <usize>count * (accumulatorBytes << 1));
    for (let tree = 0; tree < trees; tree += TREES_PER_SUM) {
      memory.fill(short, 0, <usize>count * accumulatorBytes);
      const end = min(tree + TREES_PER_SUM, trees);
      for (let t = tree; t < end; t++) {
        const root = nodes + (<usize>load<u32>(roots + (<usize>t << 2)) << 4);
        let block = groupBlocks;
        let accumulator = short;
        for (let b = 0; b < count; b++) {
          walk(root, block, votes, classes, accumulator, stack);
          block += blockBytes;
          accumulator += accumulatorBytes;
        }
      }
      flush(short, groupSums, <usize>count * accumulatorBytes);
    }
  }
}

@inline
function walk(root: usize, block: usize, votes: usize, classes: i32, accumulator: usize, stack: usize): void {
  let top = stack;
  let mask = i8x16.splat(-1);
  let node = root;
  while (true) {
    let feature = load<i32>(node);
    while (feature >= 0) {
      const low = i8x16.le_u(v128.load(block + <usize>feature), v128.load8_splat(node, 4));
      const left = v128.and(mask, low);
      const right = v128.andnot(mask, low);
      if (!v128.any_true(right)) {
        node = root + (<usize>load<u32>(node, 8) << 4);
      } else if (!v128.any_true(left)) {
        node = root + (<usize>load<u32>(node, 12) << 4);
      } else {
        store<u32>(top, <u32>root + (load<u32>(node, 12) << 4));
        v128.store(top, right, 16);
        top += 32;
        mask = left;
        node = root + (<usize>load<u32>(node, 8) << 4);
      }
      feature = load<i32>(node);
    }
    const low16 = i16x8.extend_low_i8x16_s(mask);
    const high16 = i16x8.extend_high_i8x16_s(mask);
    let vote = votes + ((<usize>load<u32>(node, 8) * <usize>classes) << 1);
    let a = accumulator;
    for (let c = 0; c < classes; c++) {
      const splat = v128.load16_splat(vote);
      v128.store(a, i16x8.add(v128.load(a), v128.and(splat, low16)));
      v128.store(a, i16x8.add(v128.load(a, 16), v128.and(splat, high16)), 16);
      vote += 2;
      a += 32;
    }
    if (top == stack) {
      break;
    }
    top -= 32;
    node = <usize>load<u32>(top);
    mask = v128.load(top, 16);
  }
}

/** Add 16-bit sums to 32-bit sums. */
@inline
function flush(short: usize, sums: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = v128.load(short + i);
    const o = sums + (i << 1);
    v128.store(o, i32x4.add(v128.load(o), i32x4.extend_low_i16x8_u(v)));
    v128.store(o, i32x4.add(v128.load(o, 16), i32x4.extend_high_i16x8_u(v)), 16);
  }
}

/**
 * From sums to what is shown, row by row: index of the class with the most votes (the lowest of several), probabilities
 * [pixel][class], and uncertainty 1 − (highest − second highest probability). An address of 0 leaves a result out.
 */
export function decide(
  sums: usize,
  blockColumns: i32,
  rows: i32,
  columns: i32,
  classes: i32,
  trees: i32,
  prediction: usize,
  probabilities: usize,
  uncertainty: usize
): void {
  const total = <f64>VOTES * <f64>trees;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const block = <usize>((y >> 2) * blockColumns + (x >> 2)) * (<usize>classes << 6);
      const s = sums + block + <usize>((((y & 3) << 2) + (x & 3)) << 2);
      let best: u32 = load<u32>(s);
      let second: u32 = 0;
      let winner = 0;
      for (let c = 1; c < classes; c++) {
        const votes = load<u32>(s + (<usize>c << 6));
        if (votes > best) {
          second = best;
          best = votes;
          winner = c;
        } else if (votes > second) {
          second = votes;
        }
      }
      const pixel = <usize>(y * columns + x);
      if (prediction) {
        store<u8>(prediction + pixel, <u8>winner);
      }
      if (uncertainty) {
        store<f32>(uncertainty + (pixel << 2), <f32>(1 - <f64>(best - second) / total));
      }
      if (probabilities) {
        const p = probabilities + pixel * (<usize>classes << 2);
        for (let c = 0; c < classes; c++) {
          store<f32>(p + (<usize>c << 2), <f32>(<f64>load<u32>(s + (<usize>c << 6)) / total));
        }
      }
    }
  }
}
