/**
 * Applies a packed forest (`pack.ts`) to blocks of 4 × 4 pixels; a block has one byte, a bin, for each feature and pixel. `engine/onnx/forest.ts`
 * counts the same votes in ONNX; `sambalab/tests/onnx/test_forest.py` and `test_boosting.py` compare the two.
 *
 * A visit is a block at a quad with a mask of its pixels. The quad's three tests are made on all 16 pixels, which splits the mask in
 * four; masks that are not empty are visited next. Neighbouring pixels mostly go the same way, so few quads are visited for 16 pixels.
 * A group of blocks goes down a tree together, level by level: the visits of a level do not wait for each other, and each visit is
 * written, and kept by moving the end of the list, so that no branch depends on a pixel. In the last two levels there are no
 * lists: the tests give each pixel the number of its leaf, 0 to 3, and a byte shuffle looks its votes up.
 *
 * A leaf's votes are whole numbers below 1024 that add up to the same for all leaves, so sums are exact and the order of trees does not matter; the last
 * class is not counted: it gets the votes that the others leave.
 *
 * To apply a forest: `applyForest` on all blocks of a tile (at once, or piece by piece), then `decide`. Addresses are in bytes.
 */

import { exponential } from './exponential';

/** Trees whose votes fit a 16-bit sum: 63 × 1024 < 65536. */
const TREES_PER_SUM: i32 = 63;
/** Blocks that go down a tree together: enough for long lists, few enough for the fastest cache. */
const GROUP: i32 = 16;
/** Bytes of a list of visits: at most one for each pixel of the group, 8 bytes each, and room for visits that are written but not kept. */
const LIST: usize = (<usize>GROUP << 7) + 64;
/** Bytes of the list of a group's blocks that still need trees: u32 each. */
const ACTIVE: usize = <usize>GROUP << 2;
/** After each 1 / LOOKS of the trees, blocks whose labels are certain drop out. */
const LOOKS: i32 = 16;
/** A visit: u16 mask, u16 block, u32 offset of the quad in bytes. */
const QUAD_OF: u64 = 0xffffffff00000000;
const NEXT_QUAD: u64 = 0x1000000000;
/** The same without the four bits that say which children are bottoms. */
const QUAD_OF_ROUTED: u64 = 0xfffffff000000000;

/** Bytes of scratch that `applyForest` needs: three lists, and 16-bit sums of all classes but one. */
export function applyScratch(classes: i32): usize {
  return 3 * LIST + <usize>(GROUP * (classes - 1)) * 32 + ACTIVE;
}

/**
 * Add up the votes of all trees.
 *
 * @param blocks u8 [block][feature][16]
 * @param quads 16 bytes each, @param roots u32 [tree][2], @param tables u8: as `packForest` wrote them
 * @param leafSum sum of the votes of each leaf
 * @param sums u32 [block][class][16], the result: votes of all trees
 * @param scratch `applyScratch(classes)` bytes
 */
export function applyForest(
  blocks: usize,
  blockCount: i32,
  features: i32,
  quads: usize,
  roots: usize,
  trees: i32,
  tables: usize,
  classes: i32,
  leafSum: u32,
  sums: usize,
  scratch: usize
): void {
  apply(blocks, blockCount, features, quads, roots, trees, tables, classes, leafSum, false, sums, scratch);
}

/**
 * The same for labels only: a block is done once the remaining trees cannot change any pixel's class, and its sums then lack their
 * votes. For forests only, whose leaves give a class at most `leafSum`.
 */
export function applyForestForLabels(
  blocks: usize,
  blockCount: i32,
  features: i32,
  quads: usize,
  roots: usize,
  trees: i32,
  tables: usize,
  classes: i32,
  leafSum: u32,
  sums: usize,
  scratch: usize
): void {
  apply(blocks, blockCount, features, quads, roots, trees, tables, classes, leafSum, true, sums, scratch);
}

function apply(
  blocks: usize,
  blockCount: i32,
  features: i32,
  quads: usize,
  roots: usize,
  trees: i32,
  tables: usize,
  classes: i32,
  leafSum: u32,
  early: bool,
  sums: usize,
  scratch: usize
): void {
  const blockBytes = <usize>features << 4;
  const counted = classes - 1;
  const shortBytes = <usize>counted << 5;
  const sumBytes = <usize>classes << 6;
  const short = scratch + 3 * LIST;
  const active = short + <usize>GROUP * shortBytes;
  for (let first = 0; first < blockCount; first += GROUP) {
    const count = min(GROUP, blockCount - first);
    const group = blocks + <usize>first * blockBytes;
    const groupSums = sums + <usize>first * sumBytes;
    memory.fill(groupSums, 0, <usize>count * sumBytes);
    let many = count;
    for (let b = 0; b < count; b++) {
      store<u32>(active + (<usize>b << 2), <u32>b);
    }
    let tree = 0;
    while (tree < trees && many > 0) {
      let end = min(tree + TREES_PER_SUM, trees);
      if (early) {
        // In the first half of the trees no lead can be large enough.
        const look = tree <= trees >> 1 ? (trees >> 1) + 1 : tree + max(4, trees / LOOKS);
        end = min(end, look);
      }
      memory.fill(short, 0, <usize>count * shortBytes);
      for (let t = tree; t < end; t++) {
        const root = roots + (<usize>t << 3);
        descend(load<u32>(root), load<u32>(root, 4), group, blockBytes, active, many, quads, tables, counted, short, scratch);
      }
      tree = end;
      const total = leafSum * <u32>tree;
      const most = leafSum * <u32>(trees - tree);
      let kept = 0;
      for (let i = 0; i < many; i++) {
        const b = load<u32>(active + (<usize>i << 2));
        const own = groupSums + <usize>b * sumBytes;
        flush(short + <usize>b * shortBytes, own, shortBytes);
        const last = own + (<usize>counted << 6);
        if (tree == trees || (early && tree > trees >> 1)) {
          giveRest(own, last, total);
          if (tree == trees || leads(own, last, most)) {
            continue;
          }
        }
        store<u32>(active + (<usize>kept << 2), b);
        kept++;
      }
      many = kept;
    }
  }
}

/** Whether at each of a block's pixels the class with most votes leads by more than `most`. */
@inline
function leads(sums: usize, last: usize, most: u32): bool {
  let all = i32x4.splat(-1);
  for (let i: usize = 0; i < 64; i += 16) {
    let best = v128.load(sums + i);
    let second = i32x4.splat(0);
    for (let s = sums + 64; s <= last; s += 64) {
      const votes = v128.load(s + i);
      second = i32x4.max_u(second, i32x4.min_u(votes, best));
      best = i32x4.max_u(best, votes);
    }
    all = v128.and(all, i32x4.gt_u(i32x4.sub(best, second), i32x4.splat(most)));
  }
  return i32x4.all_true(all);
}

/** Which of a block's 16 pixels pass a test: u32 feature × 16 in the upper 24 bits, threshold in the lower 8. */
@inline
function passes(block: usize, test: usize): v128 {
  return i8x16.le_u(v128.load(block + <usize>(load<u32>(test) >> 8)), v128.load8_splat(test));
}

/** Bytes by which a visit with this mask of 16 bits moves the end of its list: 8, or 0 for an empty one. */
@inline
function taken(mask: u32): usize {
  return ((mask + 0xffff) >> 13) & 8;
}

/** Let a group of blocks down a tree and add its votes. */
@inline
function descend(
  root: u32,
  way: u32,
  blocks: usize,
  blockBytes: usize,
  active: usize,
  count: i32,
  quads: usize,
  tables: usize,
  counted: i32,
  short: usize,
  lists: usize
): void {
  let current = lists;
  let other = lists + LIST;
  let end = current;
  for (let b = 0; b < count; b++) {
    store<u64>(end, (<u64>root << 32) | (<u64>load<u32>(active + (<usize>b << 2)) << 16) | 0xffff);
    end += 8;
  }
  for (let level: u32 = 0, plain = way >> 1; level < plain; level++) {
    let next = other;
    for (let at = current; at < end; at += 8) {
      const visit = load<u64>(at);
      const quad = quads + <usize>(visit >> 32);
      const block = blocks + <usize>(<u32>visit >> 16) * blockBytes;
      const mask = <u32>visit & 0xffff;
      const l = mask & i8x16.bitmask(passes(block, quad));
      const ll = l & i8x16.bitmask(passes(block, quad + 4));
      const r = mask ^ l;
      const rl = r & i8x16.bitmask(passes(block, quad + 8));
      const lr = l ^ ll;
      const rr = r ^ rl;
      let child = (load<u64>(quad, 8) & QUAD_OF) | (visit & 0xffff0000);
      store<u64>(next, child | <u64>ll);
      next += taken(ll);
      child += NEXT_QUAD;
      store<u64>(next, child | <u64>lr);
      next += taken(lr);
      child += NEXT_QUAD;
      store<u64>(next, child | <u64>rl);
      next += taken(rl);
      child += NEXT_QUAD;
      store<u64>(next, child | <u64>rr);
      next += taken(rr);
    }
    const swap = current;
    current = other;
    other = swap;
    end = next;
  }
  if (!(way & 1)) {
    vote(current, end, blocks, blockBytes, quads, tables, counted, short);
    return;
  }
  let bottoms = lists + 2 * LIST;
  while (end > current) {
    let next = other;
    for (let at = current; at < end; at += 8) {
      const visit = load<u64>(at);
      const quad = quads + <usize>(visit >> 32);
      const block = blocks + <usize>(<u32>visit >> 16) * blockBytes;
      const mask = <u32>visit & 0xffff;
      const l = mask & i8x16.bitmask(passes(block, quad));
      const ll = l & i8x16.bitmask(passes(block, quad + 4));
      const r = mask ^ l;
      const rl = r & i8x16.bitmask(passes(block, quad + 8));
      const lr = l ^ ll;
      const rr = r ^ rl;
      const flags = <usize>load<u32>(quad, 12);
      let child = (load<u64>(quad, 8) & QUAD_OF_ROUTED) | (visit & 0xffff0000);
      store<u64>(next, child | <u64>ll);
      store<u64>(bottoms, child | <u64>ll);
      let to = taken(ll);
      let down = to & (flags << 3);
      bottoms += down;
      next += to ^ down;
      child += NEXT_QUAD;
      store<u64>(next, child | <u64>lr);
      store<u64>(bottoms, child | <u64>lr);
      to = taken(lr);
      down = to & (flags << 2);
      bottoms += down;
      next += to ^ down;
      child += NEXT_QUAD;
      store<u64>(next, child | <u64>rl);
      store<u64>(bottoms, child | <u64>rl);
      to = taken(rl);
      down = to & (flags << 1);
      bottoms += down;
      next += to ^ down;
      child += NEXT_QUAD;
      store<u64>(next, child | <u64>rr);
      store<u64>(bottoms, child | <u64>rr);
      to = taken(rr);
      down = to & flags;
      bottoms += down;
      next += to ^ down;
    }
    const swap = current;
    current = other;
    other = swap;
    end = next;
  }
  vote(lists + 2 * LIST, bottoms, blocks, blockBytes, quads, tables, counted, short);
}

/** Add the votes of the leaves under a list of bottoms. */
@inline
function vote(
  begin: usize,
  end: usize,
  blocks: usize,
  blockBytes: usize,
  quads: usize,
  tables: usize,
  counted: i32,
  short: usize
): void {
  const bits = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  const zero = i8x16.splat(0);
  const shortBytes = <usize>counted << 5;
  for (let at = begin; at < end; at += 8) {
    const visit = load<u64>(at);
    const quad = quads + <usize>(visit >> 32);
    const block = blocks + <usize>(<u32>visit >> 16) * blockBytes;
    const first = passes(block, quad);
    const second = v128.bitselect(passes(block, quad + 4), passes(block, quad + 8), first);
    const mask = i16x8.splat(<i16>visit);
    const spread = i8x16.shuffle(mask, mask, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const outside = i8x16.eq(v128.and(spread, bits), zero);
    // 3, less 2 for the left half, less 1 for its left quarter; pixels of other visits find no votes at −128.
    const leaf = i8x16.add(i8x16.add(first, first), i8x16.add(second, i8x16.splat(3)));
    const low = v128.or(leaf, v128.and(outside, i8x16.splat(-128)));
    const high = v128.or(low, i8x16.splat(4));
    let table = tables + <usize>load<u32>(quad, 12);
    let sum = short + <usize>(<u32>visit >> 16) * shortBytes;
    for (let c = 0; c < counted; c++) {
      const votes = v128.load64_splat(table);
      const a = i8x16.swizzle(votes, low);
      const b = i8x16.swizzle(votes, high);
      const votes0 = i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const votes1 = i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      v128.store(sum, i16x8.add(v128.load(sum), votes0));
      v128.store(sum, i16x8.add(v128.load(sum, 16), votes1), 16);
      table += 8;
      sum += 32;
    }
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

/** Give a block's last class, at `last`, the votes that the classes before it leave of `total`. */
@inline
function giveRest(sums: usize, last: usize, total: u32): void {
  for (let i: usize = 0; i < 64; i += 16) {
    let rest = i32x4.splat(total);
    for (let s = sums; s < last; s += 64) {
      rest = i32x4.sub(rest, v128.load(s + i));
    }
    v128.store(last + i, rest);
  }
}

/**
 * The results from the sums, row by row: index of the class with the most votes (the lowest at a tie), probabilities
 * [pixel][class], and uncertainty 1 − (highest − second highest probability). An address of 0 leaves a result out.
 *
 * @param total votes that each pixel has
 */
export function decide(
  sums: usize,
  blockColumns: i32,
  rows: i32,
  columns: i32,
  classes: i32,
  total: f64,
  prediction: usize,
  probabilities: usize,
  uncertainty: usize
): void {
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

/**
 * The same for boosted trees, whose votes are logits: probabilities are their softmax.
 *
 * @param sums are overwritten
 * @param step logit of one vote
 */
export function decideBoosted(
  sums: usize,
  blockColumns: i32,
  rows: i32,
  columns: i32,
  classes: i32,
  step: f32,
  prediction: usize,
  probabilities: usize,
  uncertainty: usize
): void {
  const logit = f32x4.splat(step);
  const last = <usize>(classes - 1) << 6;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x += 4) {
      const block = <usize>((y >> 2) * blockColumns + (x >> 2)) * (<usize>classes << 6);
      const s = sums + block + <usize>((y & 3) << 4);
      let best = v128.load(s);
      let second = i32x4.splat(0);
      let winner = i32x4.splat(0);
      for (let c = 1; c < classes; c++) {
        const votes = v128.load(s + (<usize>c << 6));
        const more = i32x4.gt_u(votes, best);
        winner = v128.bitselect(i32x4.splat(c), winner, more);
        second = i32x4.max_u(second, i32x4.min_u(votes, best));
        best = i32x4.max_u(best, votes);
      }
      const width = min(4, columns - x);
      const pixel = <usize>(y * columns + x);
      if (prediction) {
        for (let i = 0; i < width; i++) {
          store<u8>(prediction + pixel + <usize>i, <u8>(<u32>i32x4.extract_lane(winner, 0)));
          winner = i8x16.shuffle(winner, winner, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3);
        }
      }
      if (!probabilities && !uncertainty) {
        continue;
      }
      let total = f32x4.splat(0);
      for (let c: usize = 0; c <= last; c += 64) {
        const power = exponential(f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(v128.load(s + c), best)), logit));
        v128.store(s + c, power);
        total = f32x4.add(total, power);
      }
      const share = f32x4.div(f32x4.splat(1), total);
      if (uncertainty) {
        const next = exponential(f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(second, best)), logit));
        const lead = f32x4.mul(f32x4.sub(f32x4.splat(1), classes > 1 ? next : f32x4.splat(0)), share);
        let value = f32x4.sub(f32x4.splat(1), lead);
        for (let i = 0; i < width; i++) {
          store<f32>(uncertainty + ((pixel + <usize>i) << 2), f32x4.extract_lane(value, 0));
          value = i8x16.shuffle(value, value, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3);
        }
      }
      if (probabilities) {
        for (let c = 0; c < classes; c++) {
          let value = f32x4.mul(v128.load(s + (<usize>c << 6)), share);
          for (let i = 0; i < width; i++) {
            const to = probabilities + (((pixel + <usize>i) * <usize>classes + <usize>c) << 2);
            store<f32>(to, f32x4.extract_lane(value, 0));
            value = i8x16.shuffle(value, value, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3);
          }
        }
      }
    }
  }
}
