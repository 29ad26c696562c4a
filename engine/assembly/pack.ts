/**
 * Packs forests into the form in which `apply.ts` applies them.
 *
 * Flat trees, as `grow.ts` makes them and files contain them; the nodes of tree t follow those of tree t − 1:
 *   counts     u32 [tree]   nodes of each tree
 *   feature    i16 [node]   feature that is tested; −1 in a leaf
 *   threshold  u8  [node]   a pixel goes left if its bin is at most this; 0 in a leaf
 *   left       u32 [node]   child, counted from the tree's first node; in a leaf its number, counted over all trees
 *   right      u32 [node]   child; 0 in a leaf
 *   votes      u16 [leaf][class], each leaf's sum the same, at most 1024
 *
 * Packed: a node and its two children make a quad of 16 bytes, three tests and u32 `below`. A test is u32: feature × 16 in the
 * upper 24 bits, threshold in the lower 8; 255 passes always. Passing the first, the second test decides, else the third. Four
 * children follow each other, at `below` bytes: left-left, left-right, right-left, right-right. Above the last two levels of a path
 * stands a bottom, whose children are leaves: there `below` is the offset in bytes of its votes, u8 [class but the last][8], the low
 * bytes of four leaves, then their high bytes. A path that ends early is extended by quads that pass always.
 *   quads   16 bytes each
 *   roots   u32 [tree][2]: offset of the first quad in bytes; levels of quads whose children are all alike × 2, plus 1 if others
 *           follow, whose `below` has bit k set where child k is a bottom
 *   tables  u8, votes of the bottoms
 *
 * The sequence of calls. Trees from outside must be checked before (`engine/core/tree-check.ts`, `sambalab/spec/forest.py`): the kernels
 * trust them.
 *   1. `packForest` with `quads` 0: counts. `result` is u32 [2], quads and bottoms.
 *   2. Allocate 16 × quads, 8 × trees and 8 × bottoms × (classes − 1) bytes (the caller checks that these fit) and call
 *      `packForest` with their addresses.
 *   3. `applyForest` and `decide` (`apply.ts`).
 */

/** Trees of at most this height have all bottoms at one level, so a visit need not test whether a bottom follows. */
const SHALLOW: u32 = 12;
/** Taller trees have no bottom within this many levels of quads from the top. */
const PLAIN: u32 = 3;
/** In an entry of the stack: this quad is a bottom. */
const BOTTOM: u32 = 0x80000000;

/**
 * Pack trees, or count quads and bottoms if `quads` is 0.
 *
 * @param scratch 16 × (nodes of the largest tree + 8) bytes
 * @param result u32 [2]: quads, bottoms
 */
export function packForest(
  counts: usize,
  trees: i32,
  feature: usize,
  threshold: usize,
  left: usize,
  right: usize,
  votes: usize,
  classes: i32,
  quads: usize,
  roots: usize,
  tables: usize,
  scratch: usize,
  result: usize
): void {
  const counted = <usize>(classes - 1);
  let quadCount: u32 = 0;
  let bottoms: u32 = 0;
  for (let t = 0; t < trees; t++) {
    const count = load<u32>(counts + (<usize>t << 2));
    measure(count, feature, left, right, scratch);
    const height = load<u32>(scratch);
    const tall = height > SHALLOW;
    const plain = tall ? PLAIN : height > 2 ? (height - 1) >> 1 : 0;
    if (quads) {
      store<u32>(roots + (<usize>t << 3), quadCount << 4);
      store<u32>(roots + (<usize>t << 3), (plain << 1) | <u32>tall, 4);
    }
    const stack = scratch + (<usize>count << 2);
    let top = push(stack, 0, quadCount, plain ? 0 : BOTTOM);
    quadCount++;
    while (top > stack) {
      top -= 12;
      const node = load<u32>(top);
      const quad = quads + (<usize>load<u32>(top, 4) << 4);
      const level = load<u32>(top, 8);
      const leaf = isLeaf(feature, node);
      const a = leaf ? node : child(left, node);
      const b = leaf ? node : child(right, node);
      if (quads) {
        store<u32>(quad, testOf(feature, threshold, node));
        store<u32>(quad, testOf(feature, threshold, a), 4);
        store<u32>(quad, testOf(feature, threshold, b), 8);
      }
      if (level & BOTTOM) {
        if (quads) {
          const table = <usize>bottoms * (counted << 3);
          store<u32>(quad, <u32>table, 12);
          for (let k: usize = 0; k < 4; k++) {
            const middle = k & 2 ? b : a;
            const own = isLeaf(feature, middle) ? middle : child(k & 1 ? right : left, middle);
            const from = votes + ((<usize>child(left, own) * <usize>classes) << 1);
            for (let c: usize = 0; c < counted; c++) {
              const vote = load<u16>(from + (c << 1));
              store<u8>(tables + table + (c << 3) + k, <u8>vote);
              store<u8>(tables + table + (c << 3) + k + 4, <u8>(vote >> 8));
            }
          }
        }
        bottoms++;
        continue;
      }
      const below = quadCount;
      let flags: u32 = 0;
      for (let k: u32 = 0; k < 4; k++) {
        const middle = k & 2 ? b : a;
        const ends = isLeaf(feature, middle);
        if ((ends && k & 1) || (leaf && k)) {
          // No pixel comes here, since the test above passes always.
          continue;
        }
        const next = ends ? middle : child(k & 1 ? right : left, middle);
        const nextLevel = level + 1;
        const last = tall ? nextLevel > PLAIN && load<u32>(scratch + (<usize>next << 2)) <= 2 : nextLevel == plain;
        flags |= <u32>(tall && last) << k;
        top = push(top, next, below + k, nextLevel | (last ? BOTTOM : 0));
        quadCount = below + k + 1;
      }
      if (quads) {
        store<u32>(quad, (below << 4) | flags, 12);
      }
    }
    feature += <usize>count << 1;
    threshold += count;
    left += <usize>count << 2;
    right += <usize>count << 2;
  }
  store<u32>(result, quadCount);
  store<u32>(result, bottoms, 4);
}

/** Height of each node over the leaves below it; children have larger numbers than their parents. */
@inline
function measure(count: u32, feature: usize, left: usize, right: usize, heights: usize): void {
  for (let node = count; node-- > 0; ) {
    let height: u32 = 0;
    if (!isLeaf(feature, node)) {
      const l = load<u32>(heights + (<usize>child(left, node) << 2));
      const r = load<u32>(heights + (<usize>child(right, node) << 2));
      height = max(l, r) + 1;
    }
    store<u32>(heights + (<usize>node << 2), height);
  }
}

@inline
function push(top: usize, node: u32, quad: u32, level: u32): usize {
  store<u32>(top, node);
  store<u32>(top, quad, 4);
  store<u32>(top, level, 8);
  return top + 12;
}

@inline
function isLeaf(feature: usize, node: u32): bool {
  return load<i16>(feature + (<usize>node << 1)) < 0;
}

@inline
function child(side: usize, node: u32): u32 {
  return load<u32>(side + (<usize>node << 2));
}

@inline
function testOf(feature: usize, threshold: usize, node: u32): u32 {
  return isLeaf(feature, node)
    ? 255
    : (<u32>load<i16>(feature + (<usize>node << 1)) << 12) | <u32>load<u8>(threshold + <usize>node);
}
