/**
 * Histograms of derivatives over the bins of features, and the cut that gains most: Σ over the classes of G² / (H + λ) left and right (Chen and
 * Guestrin, XGBoost, 2016, equation 7; one tree for all classes: Zhang and Jung, GBDT-MO, 2020, equation 5).
 *
 * A bin is a record (`boost-softmax.ts`): the sum of its rows' records. Bins may be joined, 2^shift to one.
 */

import { sumOf } from './boost-softmax';

/** Count the rows of a node, whose records lie one behind the other, in the histograms of four features. */
export function addFourGradients(
  columns: usize,
  rowCount: usize,
  order: usize,
  rows: usize,
  records: usize,
  count: u32,
  vectors: usize,
  shift: u32,
  histograms: usize,
  histogramBytes: usize
): void {
  const c0 = columns + <usize>load<u32>(order) * rowCount;
  const c1 = columns + <usize>load<u32>(order, 4) * rowCount;
  const c2 = columns + <usize>load<u32>(order, 8) * rowCount;
  const c3 = columns + <usize>load<u32>(order, 12) * rowCount;
  const h0 = histograms;
  const h1 = h0 + histogramBytes;
  const h2 = h1 + histogramBytes;
  const h3 = h2 + histogramBytes;
  const end = rows + (<usize>count << 2);
  if (vectors == 1) {
    for (let p = rows, from = records; p < end; p += 4, from += 32) {
      const row = <usize>load<u32>(p);
      const g = v128.load(from);
      const h = v128.load(from, 16);
      addRecord(h0 + (<usize>(<u32>load<u8>(c0 + row) >> shift) << 5), g, h);
      addRecord(h1 + (<usize>(<u32>load<u8>(c1 + row) >> shift) << 5), g, h);
      addRecord(h2 + (<usize>(<u32>load<u8>(c2 + row) >> shift) << 5), g, h);
      addRecord(h3 + (<usize>(<u32>load<u8>(c3 + row) >> shift) << 5), g, h);
    }
    return;
  }
  const bytes = vectors << 5;
  for (let p = rows, from = records; p < end; p += 4, from += bytes) {
    const row = <usize>load<u32>(p);
    const b0 = h0 + <usize>(<u32>load<u8>(c0 + row) >> shift) * bytes;
    const b1 = h1 + <usize>(<u32>load<u8>(c1 + row) >> shift) * bytes;
    const b2 = h2 + <usize>(<u32>load<u8>(c2 + row) >> shift) * bytes;
    const b3 = h3 + <usize>(<u32>load<u8>(c3 + row) >> shift) * bytes;
    for (let v: usize = 0; v < bytes; v += 16) {
      const value = v128.load(from + v);
      v128.store(b0 + v, f32x4.add(v128.load(b0 + v), value));
      v128.store(b1 + v, f32x4.add(v128.load(b1 + v), value));
      v128.store(b2 + v, f32x4.add(v128.load(b2 + v), value));
      v128.store(b3 + v, f32x4.add(v128.load(b3 + v), value));
    }
  }
}

@inline
function addRecord(bin: usize, g: v128, h: v128): void {
  v128.store(bin, f32x4.add(v128.load(bin), g));
  v128.store(bin, f32x4.add(v128.load(bin, 16), h), 16);
}

/** The same for one feature. */
export function addGradients(
  column: usize,
  rows: usize,
  records: usize,
  count: u32,
  vectors: usize,
  shift: u32,
  histogram: usize
): void {
  const bytes = vectors << 5;
  const end = rows + (<usize>count << 2);
  for (let p = rows, from = records; p < end; p += 4, from += bytes) {
    const bin = histogram + <usize>(<u32>load<u8>(column + <usize>load<u32>(p)) >> shift) * bytes;
    for (let v: usize = 0; v < bytes; v += 16) {
      v128.store(bin + v, f32x4.add(v128.load(bin + v), v128.load(from + v)));
    }
  }
}

/** Subtract one child's histograms from the parent's: the difference is the other child's. */
export function subtract(parent: usize, child: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(parent + i, f32x4.sub(v128.load(parent + i), v128.load(child + i)));
  }
}

/** Σ G² / (H + λ) of a record. Subtraction may leave H a little below 0 where there are no rows. */
export function scoreOf(record: usize, vectors: usize, l2: f32): f32 {
  let sum = f32x4.splat(0);
  for (let v: usize = 0; v < vectors; v++) {
    const g = v128.load(record + (v << 4));
    sum = f32x4.add(sum, share(g, v128.load(record + ((vectors + v) << 4)), f32x4.splat(l2)));
  }
  return sumOf(sum);
}

@inline
function share(g: v128, h: v128, l2: v128): v128 {
  return f32x4.div(f32x4.mul(g, g), f32x4.add(f32x4.pmax(h, f32x4.splat(0)), l2));
}

/** Score of the cut that `bestCut` found. */
export let cutScore: f32 = 0;

/**
 * The cut with the highest score (the first at a tie) if it is above `least`.
 *
 * @param total record of the node
 * @param counter offset in bytes of a record's count
 * @param left record of the rows to the left, the result; behind it lies room for another
 * @returns the largest bin (not joined) that goes left, half way between two bins with rows, or −1
 */
export function bestCut(
  histogram: usize,
  bins: u32,
  shift: u32,
  total: usize,
  vectors: usize,
  counter: usize,
  minLeaf: f32,
  l2: f32,
  least: f32,
  left: usize
): i32 {
  return vectors == 1
    ? bestOfOne(histogram, bins, shift, total, counter, minLeaf, l2, least, left)
    : bestOfMany(histogram, bins, shift, total, vectors, counter, minLeaf, l2, least, left);
}

/** Up to three classes. */
function bestOfOne(
  histogram: usize,
  bins: u32,
  shift: u32,
  total: usize,
  counter: usize,
  minLeaf: f32,
  l2: f32,
  least: f32,
  left: usize
): i32 {
  const allG = v128.load(total);
  const allH = v128.load(total, 16);
  const rest = load<f32>(total + counter) - minLeaf;
  const lambda = f32x4.splat(l2);
  let g = f32x4.splat(0);
  let h = g;
  let bestG = g;
  let bestH = g;
  let count: f32 = 0;
  let before: u32 = 0;
  let best = least;
  let at: i32 = -1;
  for (let bin: u32 = 0, p = histogram; bin < bins; bin++, p += 32) {
    const here = load<f32>(p + counter);
    if (here == 0) {
      continue;
    }
    if (count > rest) {
      break;
    }
    if (count >= minLeaf) {
      const score = sumOf(
        f32x4.add(share(g, h, lambda), share(f32x4.sub(allG, g), f32x4.sub(allH, h), lambda))
      );
      if (score > best) {
        best = score;
        bestG = g;
        bestH = h;
        at = between(before, bin, shift);
      }
    }
    g = f32x4.add(g, v128.load(p));
    h = f32x4.add(h, v128.load(p, 16));
    count += here;
    before = bin;
  }
  if (at >= 0) {
    v128.store(left, bestG);
    v128.store(left, bestH, 16);
    cutScore = best;
  }
  return at;
}

function bestOfMany(
  histogram: usize,
  bins: u32,
  shift: u32,
  total: usize,
  vectors: usize,
  counter: usize,
  minLeaf: f32,
  l2: f32,
  least: f32,
  left: usize
): i32 {
  const bytes = vectors << 5;
  const half = vectors << 4;
  const rest = load<f32>(total + counter) - minLeaf;
  const lambda = f32x4.splat(l2);
  const sums = left + bytes;
  memory.fill(sums, 0, bytes);
  let count: f32 = 0;
  let before: u32 = 0;
  let best = least;
  let at: i32 = -1;
  for (let bin: u32 = 0, p = histogram; bin < bins; bin++, p += bytes) {
    const here = load<f32>(p + counter);
    if (here == 0) {
      continue;
    }
    if (count > rest) {
      break;
    }
    if (count >= minLeaf) {
      let score = f32x4.splat(0);
      for (let v: usize = 0; v < half; v += 16) {
        const g = v128.load(sums + v);
        const h = v128.load(sums + half + v);
        const otherG = f32x4.sub(v128.load(total + v), g);
        const otherH = f32x4.sub(v128.load(total + half + v), h);
        score = f32x4.add(score, f32x4.add(share(g, h, lambda), share(otherG, otherH, lambda)));
      }
      const sum = sumOf(score);
      if (sum > best) {
        best = sum;
        memory.copy(left, sums, bytes);
        at = between(before, bin, shift);
      }
    }
    for (let v: usize = 0; v < bytes; v += 16) {
      v128.store(sums + v, f32x4.add(v128.load(sums + v), v128.load(p + v)));
    }
    count += here;
    before = bin;
  }
  if (at >= 0) {
    cutScore = best;
  }
  return at;
}

/** Half way between the last bin of one joined bin and the first of another. */
@inline
function between(before: u32, bin: u32, shift: u32): i32 {
  return <i32>((((before + 1) << shift) - 1 + (bin << shift)) >> 1);
}
