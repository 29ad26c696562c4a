/**
 * One tree of a boosted ensemble: leaf-wise growth on histograms (Ke et al., LightGBM, 2017), one tree for all classes, whose leaves hold a value for each
 * (Zhang and Jung, GBDT-MO, 2020).
 *
 * The leaf whose best cut gains most is divided next. Its child with fewer rows is counted; the other child's histograms are the parent's
 * less these. A leaf's values are the Newton step −rate × G / (H + λ) less its mean over the classes, as whole numbers of 1 / scale, at most
 * VALUE_MAX, that add up to 0 exactly. They are added to the scores of the leaf's rows, and written as votes, which are 512 more.
 *
 * The columns that a tree tries depend only on its number and the seed.
 */

import { bestCut, addFourGradients, addGradients, cutScore, scoreOf, subtract } from './boost-cuts';
import { vectorsOf } from './boost-softmax';
import { below, seedTree } from './random';

/** A value of 0 as a vote; `engine/core/boosting.ts` has the same. */
const ZERO: i32 = 512;
/** Below 512, to leave room for rounding. */
const VALUE_MAX: f64 = 510;
/** Gain below which a cut is rounding error, as a share of the node's own score. */
const LEAST_GAIN: f32 = 1e-5;

/** Bytes of a leaf in front of its records, which are its sums, those of its best cut's left side, and one for scratch. */
const LEAF: usize = 48;
/** u32 first and last row + 1 in the list of rows, i32 slot of its histograms, u32 depth, node, i32 feature (−1: no cut), u32 threshold, f32 gain. */
const END: usize = 4;
const SLOT: usize = 8;
const DEPTH: usize = 12;
const NODE: usize = 16;
const FEATURE: usize = 20;
const THRESHOLD: usize = 24;
const GAIN: usize = 28;

/** The arguments of `boostTree`, which all functions below read. */
let columns: usize = 0;
let rowCount: usize = 0;
let vectors: usize = 0;
let recordBytes: usize = 0;
let counter: usize = 0;
let leafBytes: usize = 0;
let tried: u32 = 0;
let shift: u32 = 0;
let bins: u32 = 0;
let histogramBytes: usize = 0;
let slotBytes: usize = 0;
let order: usize = 0;
let rows: usize = 0;
let gathered: usize = 0;
let histograms: usize = 0;
let freeSlots: usize = 0;
let freeCount: u32 = 0;
let spareSlot: u32 = 0;
let minLeafRows: f32 = 1;
let lambda: f32 = 1;
let depthMax: u32 = 64; // `DEPTH_MAX` in `src/shared/limits.ts`

/** Bytes of the histograms of one leaf. */
export function boostSlot(tried: u32, classes: u32, shift: u32): usize {
  return <usize>tried * <usize>(256 >> shift) * (vectorsOf(classes) << 5);
}

/** Bytes of scratch that `boostTree` needs, with histograms for `slots` leaves. */
export function boostScratch(rowCount: u32, features: u32, classes: u32, maxLeaves: u32, slot: usize, slots: u32): usize {
  const record = vectorsOf(classes) << 5;
  const lists = (<usize>features << 2) + (<usize>rowCount << 3) + (<usize>slots << 2);
  return lists + <usize>rowCount * record + <usize>maxLeaves * (LEAF + 3 * record) + <usize>(slots + 1) * slot + 4 * record + 512;
}

/**
 * Grow a tree.
 *
 * @param columns_ u8 [feature][row]; rows from `grown` on are held out: they are not learned from, but their scores are updated
 * @param records f32 [row][2][lanes] of the rows before `grown`
 * @param scores i32 [row][lanes]; the tree's values are added
 * @param slots leaves that have room for histograms; of other leaves both children are counted
 * @param scratch `boostScratch` bytes
 * @param nodes 16 bytes each: i32 feature, u32 threshold, u32 left, u32 right; feature −1 in a leaf, whose number is `left`
 * @param votes u16 [leaf][class]
 * @param importance f64 [feature], the result: gain of this feature's cuts
 * @param result u32 [2]: nodes, leaves. A tree of one leaf has the values 0
 */
export function boostTree(
  columns_: usize,
  rowCount_: u32,
  grown: u32,
  features: u32,
  classes: u32,
  records: usize,
  scores: usize,
  scale: f64,
  rate: f64,
  maxLeaves: u32,
  maxDepth: u32,
  maxFeatures: u32,
  minLeaf: u32,
  l2: f64,
  shift_: u32,
  slots: u32,
  seed: u32,
  tree: u32,
  scratch: usize,
  nodes: usize,
  votes: usize,
  importance: usize,
  result: usize
): void {
  columns = columns_;
  rowCount = <usize>rowCount_;
  vectors = vectorsOf(classes);
  recordBytes = vectors << 5;
  counter = (vectors << 4) + (<usize>classes << 2);
  leafBytes = LEAF + 3 * recordBytes;
  tried = maxFeatures;
  shift = shift_;
  bins = 256 >> shift;
  histogramBytes = <usize>bins * recordBytes;
  slotBytes = <usize>tried * histogramBytes;
  minLeafRows = <f32>max(1, minLeaf);
  // Lanes of a record behind the classes must not divide by 0.
  lambda = <f32>max(l2, 1e-3);
  depthMax = maxDepth;
  order = scratch;
  rows = order + (<usize>features << 2);
  const spare = rows + (<usize>grown << 2);
  freeSlots = spare + (<usize>grown << 2);
  gathered = (freeSlots + (<usize>slots << 2) + 63) & ~63;
  const leaves = gathered + <usize>grown * recordBytes;
  const own = leaves + <usize>maxLeaves * leafBytes;
  histograms = (own + 2 * recordBytes + 63) & ~63;

  seedTree(seed, tree);
  for (let f: u32 = 0; f < features; f++) {
    store<u32>(order + (<usize>f << 2), f);
    store<f64>(importance + (<usize>f << 3), 0);
  }
  for (let f: u32 = 0; f < tried; f++) {
    const a = order + (<usize>f << 2);
    const b = order + (<usize>(f + below(features - f)) << 2);
    const feature = load<u32>(b);
    store<u32>(b, load<u32>(a));
    store<u32>(a, feature);
  }
  freeCount = slots;
  spareSlot = slots;
  for (let s: u32 = 0; s < slots; s++) {
    store<u32>(freeSlots + (<usize>s << 2), slots - 1 - s);
  }

  // The root.
  store<u32>(leaves, 0);
  store<u32>(leaves, grown, END);
  store<u32>(leaves, 0, DEPTH);
  store<u32>(leaves, 0, NODE);
  const sums = leaves + LEAF;
  memory.fill(sums, 0, recordBytes);
  for (let row: u32 = 0, p = records; row < grown; row++, p += recordBytes) {
    store<u32>(rows + (<usize>row << 2), row);
    for (let v: usize = 0; v < recordBytes; v += 16) {
      v128.store(sums + v, f32x4.add(v128.load(sums + v), v128.load(p + v)));
    }
  }
  prepare(leaves);
  if (mayDivide(leaves)) {
    countAndFind(leaves, records);
  }

  let nodeCount: u32 = 1;
  let leafCount: u32 = 1;
  while (leafCount < maxLeaves) {
    const parent = mostGain(leaves, leafCount);
    if (!parent) {
      break;
    }
    const feature = load<i32>(parent, FEATURE);
    const threshold = load<u32>(parent, THRESHOLD);
    const sum = importance + (<usize>feature << 3);
    store<f64>(sum, load<f64>(sum) + <f64>load<f32>(parent, GAIN));
    const record = nodes + (<usize>load<u32>(parent, NODE) << 4);
    store<i32>(record, feature);
    store<u32>(record, threshold, 4);
    store<u32>(record, nodeCount, 8);
    store<u32>(record, nodeCount + 1, 12);

    const begin = load<u32>(parent);
    const end = load<u32>(parent, END);
    const middle = partition(columns + <usize>feature * rowCount, threshold, begin, end, spare);
    const left = parent;
    const right = leaves + <usize>leafCount * leafBytes;
    memory.copy(right, parent, LEAF);
    store<u32>(left, middle, END);
    store<u32>(right, middle);
    store<u32>(left, nodeCount, NODE);
    store<u32>(right, nodeCount + 1, NODE);
    const depth = load<u32>(parent, DEPTH) + 1;
    store<u32>(left, depth, DEPTH);
    store<u32>(right, depth, DEPTH);
    for (let v: usize = 0; v < recordBytes; v += 16) {
      const all = v128.load(left + LEAF + v);
      const low = v128.load(left + LEAF + recordBytes + v);
      v128.store(left + LEAF + v, low);
      v128.store(right + LEAF + v, f32x4.sub(all, low));
    }
    nodeCount += 2;
    leafCount++;
    const slot = load<i32>(parent, SLOT);
    prepare(left);
    prepare(right);
    const few = middle - begin <= end - middle ? left : right;
    const many = few == left ? right : left;
    if (leafCount == maxLeaves || !mayDivide(many)) {
      takeBack(slot);
      continue;
    }
    store<i32>(many, slot, SLOT);
    if (slot >= 0 && freeCount > 0) {
      giveSlot(few);
      countRows(few, records);
      subtract(slotAt(slot), slotAt(load<i32>(few, SLOT)), slotBytes);
      findCut(many);
      if (mayDivide(few)) {
        findCut(few);
      }
    } else {
      countAndFind(many, records);
      if (mayDivide(few)) {
        countAndFind(few, records);
      }
    }
    if (load<i32>(few, FEATURE) < 0) {
      release(few);
    }
    if (load<i32>(many, FEATURE) < 0) {
      release(many);
    }
  }

  const values = own;
  for (let l: u32 = 0; l < leafCount; l++) {
    const leaf = leaves + <usize>l * leafBytes;
    const record = nodes + (<usize>load<u32>(leaf, NODE) << 4);
    store<i32>(record, -1);
    store<u32>(record, 0, 4);
    store<u32>(record, l, 8);
    store<u32>(record, 0, 12);
    memory.fill(values, 0, vectors << 4);
    if (leafCount > 1) {
      writeValues(leaf + LEAF, classes, scale, rate, values);
    }
    const vote = votes + ((<usize>l * <usize>classes) << 1);
    for (let c: usize = 0; c < <usize>classes; c++) {
      store<u16>(vote + (c << 1), <u16>(ZERO + load<i32>(values + (c << 2))));
    }
    for (let i = load<u32>(leaf); i < load<u32>(leaf, END); i++) {
      addValues(scores + <usize>load<u32>(rows + (<usize>i << 2)) * (vectors << 4), values);
    }
  }
  for (let row = grown; row < rowCount_; row++) {
    let node = nodes;
    while (load<i32>(node) >= 0) {
      const bin = load<u8>(columns + <usize>load<i32>(node) * rowCount + <usize>row);
      node = nodes + (<usize>(<u32>bin <= load<u32>(node, 4) ? load<u32>(node, 8) : load<u32>(node, 12)) << 4);
    }
    const vote = votes + ((<usize>load<u32>(node, 8) * <usize>classes) << 1);
    const score = scores + <usize>row * (vectors << 4);
    for (let c: usize = 0; c < <usize>classes; c++) {
      store<i32>(score + (c << 2), load<i32>(score + (c << 2)) + <i32>load<u16>(vote + (c << 1)) - ZERO);
    }
  }
  store<u32>(result, nodeCount);
  store<u32>(result, leafCount, 4);
}

/** A leaf without cut and histograms. */
@inline
function prepare(leaf: usize): void {
  store<i32>(leaf, -1, SLOT);
  store<i32>(leaf, -1, FEATURE);
  store<f32>(leaf, 0, GAIN);
}

/** Whether a leaf's depth and rows are enough for two children. */
@inline
function mayDivide(leaf: usize): bool {
  const count = load<u32>(leaf, END) - load<u32>(leaf);
  return load<u32>(leaf, DEPTH) < depthMax && <f32>count >= 2 * minLeafRows;
}

@inline
function slotAt(slot: i32): usize {
  return histograms + <usize>slot * slotBytes;
}

/** Room for a leaf's histograms, if there is any. */
function giveSlot(leaf: usize): void {
  if (freeCount > 0) {
    freeCount--;
    store<u32>(leaf, load<u32>(freeSlots + (<usize>freeCount << 2)), SLOT);
  }
}

function takeBack(slot: i32): void {
  if (slot >= 0) {
    store<i32>(freeSlots + (<usize>freeCount << 2), slot);
    freeCount++;
  }
}

function release(leaf: usize): void {
  takeBack(load<i32>(leaf, SLOT));
  store<i32>(leaf, -1, SLOT);
}

/** The leaf whose cut gains most (the first at a tie); 0 if none has a cut. */
function mostGain(leaves: usize, count: u32): usize {
  let best: usize = 0;
  let most: f32 = 0;
  for (let l: u32 = 0; l < count; l++) {
    const leaf = leaves + <usize>l * leafBytes;
    if (load<i32>(leaf, FEATURE) >= 0 && load<f32>(leaf, GAIN) > most) {
      most = load<f32>(leaf, GAIN);
      best = leaf;
    }
  }
  return best;
}

/** Count the rows of a leaf and find its cut. Without a free slot the histograms go to a spare one, which no leaf keeps. */
function countAndFind(leaf: usize, records: usize): void {
  if (load<i32>(leaf, SLOT) < 0) {
    giveSlot(leaf);
  }
  const kept = load<i32>(leaf, SLOT);
  if (kept < 0) {
    store<u32>(leaf, spareSlot, SLOT);
  }
  countRows(leaf, records);
  findCut(leaf);
  store<i32>(leaf, kept, SLOT);
}

/** Histograms of a leaf's rows, for the features that this tree tries. */
function countRows(leaf: usize, records: usize): void {
  const to = slotAt(load<i32>(leaf, SLOT));
  memory.fill(to, 0, slotBytes);
  const begin = load<u32>(leaf);
  const count = load<u32>(leaf, END) - begin;
  const from = rows + (<usize>begin << 2);
  let own = records;
  if (load<u32>(leaf, NODE) > 0) {
    // Gathered once for all features, since the rows lie far apart.
    own = gathered;
    for (let i: usize = 0; i < <usize>count; i++) {
      const record = records + <usize>load<u32>(from + (i << 2)) * recordBytes;
      const copy = own + i * recordBytes;
      for (let v: usize = 0; v < recordBytes; v += 16) {
        v128.store(copy + v, v128.load(record + v));
      }
    }
  }
  let f: u32 = 0;
  for (; f + 4 <= tried; f += 4) {
    const at = to + <usize>f * histogramBytes;
    addFourGradients(columns, rowCount, order + (<usize>f << 2), from, own, count, vectors, shift, at, histogramBytes);
  }
  for (; f < tried; f++) {
    const column = columns + <usize>load<u32>(order + (<usize>f << 2)) * rowCount;
    addGradients(column, from, own, count, vectors, shift, to + <usize>f * histogramBytes);
  }
}

/** Find the best cut of a leaf from its histograms. */
function findCut(leaf: usize): void {
  const total = leaf + LEAF;
  const left = total + recordBytes;
  const whole = scoreOf(total, vectors, lambda);
  let best = whole + LEAST_GAIN * (1 + whole);
  const from = slotAt(load<i32>(leaf, SLOT));
  for (let f: u32 = 0; f < tried; f++) {
    const at = bestCut(
      from + <usize>f * histogramBytes,
      bins,
      shift,
      total,
      vectors,
      counter,
      minLeafRows,
      lambda,
      best,
      left
    );
    if (at >= 0) {
      best = cutScore;
      store<i32>(leaf, <i32>load<u32>(order + (<usize>f << 2)), FEATURE);
      store<u32>(leaf, <u32>at, THRESHOLD);
      store<f32>(leaf, best - whole, GAIN);
    }
  }
}

/** Sort the rows of a leaf: those that go left, then the others, each in their order. @returns where the others begin */
function partition(column: usize, threshold: u32, begin: u32, end: u32, spare: usize): u32 {
  let l = rows + (<usize>begin << 2);
  let r = spare;
  for (let p = l, q = rows + (<usize>end << 2); p < q; p += 4) {
    const row = load<u32>(p);
    const goesLeft = <usize>(<u32>load<u8>(column + <usize>row) <= threshold) << 2;
    store<u32>(r, row);
    store<u32>(l, row);
    l += goesLeft;
    r += goesLeft ^ 4;
  }
  memory.copy(l, spare, r - spare);
  return <u32>((l - rows) >> 2);
}

/** The step of a leaf in whole numbers of 1 / scale that add up to 0. */
function writeValues(sums: usize, classes: u32, scale: f64, rate: f64, values: usize): void {
  const second = sums + (vectors << 4);
  const count = <usize>classes;
  let mean: f64 = 0;
  for (let c: usize = 0; c < count; c++) {
    mean += stepOf(sums, second, c);
  }
  mean /= <f64>classes;
  let most: f64 = 0;
  for (let c: usize = 0; c < count; c++) {
    most = max(most, abs(stepOf(sums, second, c) - mean));
  }
  // A step that is too long is shortened for all classes alike.
  const factor = rate * scale * min(1, VALUE_MAX / max(1e-30, most * rate * scale));
  let rest: i32 = 0;
  for (let c: usize = 0; c < count; c++) {
    const value = <i32>nearest((stepOf(sums, second, c) - mean) * factor);
    store<i32>(values + (c << 2), value);
    rest += value;
  }
  // The rest of rounding goes to the class whose rounding error is largest.
  while (rest != 0) {
    const sign: i32 = rest > 0 ? 1 : -1;
    let worst: usize = 0;
    let error: f64 = -Infinity;
    for (let c: usize = 0; c < count; c++) {
      const exact = (stepOf(sums, second, c) - mean) * factor;
      const own = (<f64>load<i32>(values + (c << 2)) - exact) * <f64>sign;
      if (own > error) {
        error = own;
        worst = c;
      }
    }
    store<i32>(values + (worst << 2), load<i32>(values + (worst << 2)) - sign);
    rest -= sign;
  }
}

@inline
function stepOf(sums: usize, second: usize, c: usize): f64 {
  return -(<f64>load<f32>(sums + (c << 2))) / (<f64>max<f32>(0, load<f32>(second + (c << 2))) + <f64>lambda);
}

@inline
function addValues(score: usize, values: usize): void {
  for (let v: usize = 0; v < vectors << 4; v += 16) {
    v128.store(score + v, i32x4.add(v128.load(score + v), v128.load(values + v)));
  }
}
