/**
 * Forests in the form in which they are applied, and the check of forests that come from outside.
 *
 * Flat trees, as `grow.ts` makes them and files bring them; the nodes of tree t follow those of tree t − 1:
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
 * bytes of four leaves, then their high bytes. A path that ends early is drawn out by quads that pass always.
 *   quads   16 bytes each
 *   roots   u32 [tree][2]: offset of the first quad in bytes; levels of quads whose children are all alike × 2, plus 1 if others
 *           follow, whose `below` has bit k set where child k is a bottom
 *   tables  u8, votes of the bottoms
 *
 * The sequence of calls, for trees from outside:
 *   1. `validateForest`, which must return 0; the calls below believe their input.
 *   2. `packForest` with `quads` 0: counts. `result` is u32 [2], quads and bottoms.
 *   3. Allocate 16 × quads, 8 × trees and 8 × bottoms × (classes − 1) bytes (the caller checks that these fit) and call
 *      `packForest` with their addresses.
 *   4. `applyForest` and `decide` (`apply.ts`).
 */

/** No vote is larger: sums of 16 bits hold so many of so many trees. */
const VOTE_MAX: u32 = 1024;
/** Trees of at most this height have all bottoms at one level, so that no visit needs to ask what comes next. */
const SHALLOW: u32 = 12;
/** Levels of quads at the top of taller trees above which no bottom stands. */
const PLAIN: u32 = 3;
/** In an entry of the stack: this quad is a bottom. */
const BOTTOM: u32 = 0x80000000;

/** What `validateForest` finds wrong. */
const EMPTY_TREE: i32 = 1;
const COUNTS: i32 = 2;
const FEATURE: i32 = 3;
const ORPHAN: i32 = 4;
const LEAF_NUMBER: i32 = 5;
const LEAF_FIELDS: i32 = 6;
const THRESHOLD: i32 = 7;
const CHILD: i32 = 8;
const LEAF_VOTES: i32 = 9;
const LEAF_VOTE: i32 = 10;

/**
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
          // Nothing comes here, since the test above passes always.
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

/**
 * Whether flat trees are sound: every node is reached once, from a node before it; leaves are numbered from 0, each number once.
 *
 * @param nodes nodes of all trees, the length of the arrays
 * @param leaves leaves of all trees, by the length of `votes`
 * @param leafSum sum of the votes of each leaf
 * @param cuts u16 [feature]: cuts that each feature has; thresholds are below. 0: not asked
 * @param scratch `nodes` + `leaves` bytes
 * @param result u32 [3]: tree, node in the tree (for votes: the leaf), and the wrong value
 * @returns 0, or what is wrong: 1 a tree without nodes, 2 `counts` do not add up to `nodes`, or leaves to `leaves`, 3 feature,
 * 4 a node that is nobody's child, 5 a leaf's number, 6 a leaf with a threshold or a right child, 7 threshold, 8 child, 9 votes' sum, 10 a vote
 */
export function validateForest(
  counts: usize,
  trees: i32,
  nodes: u32,
  leaves: u32,
  feature: usize,
  threshold: usize,
  left: usize,
  right: usize,
  votes: usize,
  features: i32,
  classes: i32,
  leafSum: u32,
  cuts: usize,
  scratch: usize,
  result: usize
): i32 {
  memory.fill(scratch, 0, <usize>nodes + <usize>leaves);
  const numbered = scratch + <usize>nodes;
  let first: u32 = 0;
  let leafCount: u32 = 0;
  for (let t = 0; t < trees; t++) {
    const count = load<u32>(counts + (<usize>t << 2));
    if (count == 0) {
      return found(EMPTY_TREE, result, t, 0, 0);
    }
    if (count > nodes - first) {
      return found(COUNTS, result, t, 0, count);
    }
    const reached = scratch + <usize>first;
    store<u8>(reached, 1);
    for (let i: u32 = 0; i < count; i++) {
      const node = first + i;
      const f = <i32>load<i16>(feature + (<usize>node << 1));
      const cut = <u32>load<u8>(threshold + <usize>node);
      const l = child(left, node);
      const r = child(right, node);
      if (!load<u8>(reached + <usize>i)) {
        return found(ORPHAN, result, t, i, 0);
      }
      if (f < -1 || f >= features) {
        return found(FEATURE, result, t, i, f);
      }
      if (f < 0) {
        if (l >= leaves || load<u8>(numbered + <usize>l)) {
          return found(LEAF_NUMBER, result, t, i, l);
        }
        store<u8>(numbered + <usize>l, 1);
        leafCount++;
        if (cut != 0 || r != 0) {
          return found(LEAF_FIELDS, result, t, i, cut ? cut : r);
        }
        continue;
      }
      if (cuts && cut >= <u32>load<u16>(cuts + (<usize>f << 1))) {
        return found(THRESHOLD, result, t, i, cut);
      }
      if (l <= i || l >= count || load<u8>(reached + <usize>l)) {
        return found(CHILD, result, t, i, l);
      }
      store<u8>(reached + <usize>l, 1);
      if (r <= i || r >= count || load<u8>(reached + <usize>r)) {
        return found(CHILD, result, t, i, r);
      }
      store<u8>(reached + <usize>r, 1);
    }
    first += count;
  }
  if (first != nodes || leafCount != leaves) {
    return found(COUNTS, result, trees, 0, first != nodes ? first : leafCount);
  }
  for (let leaf: u32 = 0; leaf < leaves; leaf++) {
    let sum: u32 = 0;
    let most: u32 = 0;
    for (let c: i32 = 0; c < classes; c++) {
      const vote = <u32>load<u16>(votes + ((<usize>leaf * <usize>classes + <usize>c) << 1));
      sum += vote;
      most = max(most, vote);
    }
    if (sum != leafSum) {
      return found(LEAF_VOTES, result, 0, leaf, sum);
    }
    if (most > VOTE_MAX) {
      return found(LEAF_VOTE, result, 0, leaf, most);
    }
  }
  return 0;
}

function found(what: i32, result: usize, tree: u32, node: u32, value: u32): i32 {
  store<u32>(result, tree);
  store<u32>(result, node, 4);
  store<u32>(result, value, 8);
  return what;
}
