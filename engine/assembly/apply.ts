/**
 * A forest applied to 16 pixels at once: a node splits a mask of 16 lanes in two, a branch without pixels is not entered, and a leaf
 * adds its votes under the mask.
 *
 * A tree visits a group of blocks together, level by level: the visits of one level do not wait for each other, and what is entered
 * next is written without a branch (written always, and kept by moving the end of the list), so that nothing is mispredicted.
 *
 * A leaf's votes are whole numbers that add up to VOTES, so sums are exact and the order of trees does not matter.
 */

/** Sum of the votes of one leaf; `engine/forest.ts` has the same. */
const VOTES: u32 = 1024;
/** So many trees fit 16-bit sums: 63 × 1024 < 65536. */
const TREES_PER_SUM: i32 = 63;
/** Blocks that one tree visits together; `engine/forest.ts` has the same. */
const GROUP: i32 = 16;
/** A visit: mask, u32 reference, u32 block. */
const VISIT: usize = 32;

/**
 * A reference to a node is its offset in `nodes` in bytes, a multiple of 16; to a leaf it is the offset of its votes in bytes, shifted left
 * by one, plus 1.
 *
 * @param blocks u8 [block][feature][16]
 * @param nodes 16 bytes each: u32 feature × 16, u32 threshold, u32 reference left, u32 reference right
 * @param roots u32 [trees]: references
 * @param votes u16 [leaf][classes]
 * @param sums u32 [block][class][16], the result
 * @param short u16 [16][class][16], scratch
 * @param visits 3 × 8448 bytes, scratch: two levels and the leaves of one tree
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
  visits: usize
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
        const leaves = visits + 2 * LIST;
        const leavesEnd = descend(load<u32>(roots + (<usize>t << 2)), groupBlocks, blockBytes, count, nodes, visits);
        for (let leaf = leaves; leaf < leavesEnd; leaf += VISIT) {
          const mask = v128.load(leaf);
          const low16 = i16x8.extend_low_i8x16_s(mask);
          const high16 = i16x8.extend_high_i8x16_s(mask);
          let vote = votes + <usize>(load<u32>(leaf, 16) >> 1);
          let a = short + <usize>load<u32>(leaf, 20) * accumulatorBytes;
          for (let c = 0; c < classes; c++) {
            const splat = v128.load16_splat(vote);
            v128.store(a, i16x8.add(v128.load(a), v128.and(splat, low16)));
            v128.store(a, i16x8.add(v128.load(a, 16), v128.and(splat, high16)), 16);
            vote += 2;
            a += 32;
          }
        }
      }
      flush(short, groupSums, <usize>count * accumulatorBytes);
    }
  }
}

/** Bytes of a list of visits: no more than one a pixel of the group, and room for what is written and not kept. */
const LIST: usize = 8448;

/** Let a group of blocks down a tree. @returns the end of the list of leaves, which begins 2 × LIST behind `visits` */
@inline
function descend(root: u32, blocks: usize, blockBytes: usize, count: i32, nodes: usize, visits: usize): usize {
  let current = visits;
  let other = visits + LIST;
  let leaves = visits + 2 * LIST;
  const start = root & 1 ? leaves : current;
  let end = start;
  for (let b = 0; b < count; b++) {
    v128.store(end, i8x16.splat(-1));
    store<u32>(end, root, 16);
    store<u32>(end, b, 20);
    end += VISIT;
  }
  if (root & 1) {
    return end;
  }
  while (end > current) {
    let next = other;
    for (let visit = current; visit < end; visit += VISIT) {
      const mask = v128.load(visit);
      const node = nodes + <usize>load<u32>(visit, 16);
      const b = load<u32>(visit, 20);
      const values = v128.load(blocks + <usize>b * blockBytes + <usize>load<u32>(node));
      const low = i8x16.le_u(values, v128.load8_splat(node, 4));
      const left = v128.and(mask, low);
      const right = v128.andnot(mask, low);

      const leftReference = load<u32>(node, 8);
      const leftIsLeaf = <usize>(leftReference & 1);
      const anyLeft = <usize>v128.any_true(left) << 5;
      let to = leftIsLeaf ? leaves : next;
      v128.store(to, left);
      store<u64>(to, <u64>leftReference | (<u64>b << 32), 16);
      const leftTaken = anyLeft & (0 - leftIsLeaf);
      leaves += leftTaken;
      next += anyLeft ^ leftTaken;

      const rightReference = load<u32>(node, 12);
      const rightIsLeaf = <usize>(rightReference & 1);
      const anyRight = <usize>v128.any_true(right) << 5;
      to = rightIsLeaf ? leaves : next;
      v128.store(to, right);
      store<u64>(to, <u64>rightReference | (<u64>b << 32), 16);
      const rightTaken = anyRight & (0 - rightIsLeaf);
      leaves += rightTaken;
      next += anyRight ^ rightTaken;
    }
    const swap = current;
    current = other;
    other = swap;
    end = next;
  }
  return leaves;
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
