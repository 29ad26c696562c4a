/**
 * Multi-class log-loss for boosting (Friedman, Greedy function approximation: a gradient boosting machine, 2001, section 4.6): its first and second
 * derivatives at each row, and its value on rows that were held out.
 *
 * A row's scores are whole numbers i32 [class], the sums of its leaves' values; the logit of a class is its score × `step`. So training sees exactly the scores
 * that application computes later, and sums do not depend on the order.
 *
 * Vectors ("lanes") of four: a row has `lanes` = 4 ⌈(classes + 1) / 4⌉ scores, zeros behind the last class. Its record is f32 [2][lanes]: gradients, then
 * second derivatives with a 1 behind the last class, which counts rows.
 */

import { exponential } from './exponential';

const LANES: v128 = i32x4(0, 1, 2, 3);

/** Vectors of the scores of a row; a record has twice as many. */
@inline
export function vectorsOf(classes: u32): usize {
  return <usize>(classes + 4) >> 2;
}

/** All bits of the lanes of vector `v` that belong to a class. */
@inline
function classLanes(v: usize, classes: u32): v128 {
  return i32x4.lt_s(i32x4.add(LANES, i32x4.splat(<i32>v << 2)), i32x4.splat(<i32>classes));
}

@inline
export function sumOf(v: v128): f32 {
  const pairs = f32x4.add(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.add(pairs, i32x4.shuffle(pairs, pairs, 1, 0, 3, 2)), 0);
}

@inline
function largestOf(v: v128): i32 {
  const pairs = i32x4.max_s(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
  return i32x4.extract_lane(i32x4.max_s(pairs, i32x4.shuffle(pairs, pairs, 1, 0, 3, 2)), 0);
}

/** Probabilities of a row's classes, zeros behind the last. */
@inline
function softmax(scores: usize, classes: u32, vectors: usize, step: f32, out: usize): void {
  let most = i32x4.splat(i32.MIN_VALUE);
  for (let v: usize = 0; v < vectors; v++) {
    const own = v128.load(scores + (v << 4));
    most = i32x4.max_s(most, v128.bitselect(own, i32x4.splat(i32.MIN_VALUE), classLanes(v, classes)));
  }
  const top = i32x4.splat(largestOf(most));
  let total = f32x4.splat(0);
  for (let v: usize = 0; v < vectors; v++) {
    const below = f32x4.convert_i32x4_s(i32x4.sub(v128.load(scores + (v << 4)), top));
    // Lanes behind the last class may exceed the highest score; they are masked out.
    const power = exponential(f32x4.pmin(f32x4.mul(below, f32x4.splat(step)), f32x4.splat(0)));
    const e = v128.and(power, classLanes(v, classes));
    v128.store(out + (v << 4), e);
    total = f32x4.add(total, e);
  }
  const share = f32x4.splat(1 / sumOf(total));
  for (let v: usize = 0; v < vectors; v++) {
    v128.store(out + (v << 4), f32x4.mul(v128.load(out + (v << 4)), share));
  }
}

/**
 * Records of all rows: weight × (p − 1 or 0), and weight × p (1 − p) × classes / (classes − 1), since one class's probability follows from the others'.
 *
 * @param rowClass u8 [row]
 * @param weights f32 [class]
 * @param scores i32 [row][lanes]
 * @param records f32 [row][2][lanes], the result
 */
export function boostGradients(
  rowCount: u32,
  rowClass: usize,
  classes: u32,
  weights: usize,
  scores: usize,
  step: f32,
  records: usize
): void {
  const vectors = vectorsOf(classes);
  const factor = <f32>classes / <f32>max(1, classes - 1);
  const one = f32x4.splat(1);
  for (let row: u32 = 0; row < rowCount; row++) {
    const own = <u32>load<u8>(rowClass + <usize>row);
    const weight = f32x4.splat(load<f32>(weights + (<usize>own << 2)));
    const record = records + <usize>row * (vectors << 5);
    softmax(scores + <usize>row * (vectors << 4), classes, vectors, step, record);
    const second = record + (vectors << 4);
    for (let v: usize = 0; v < vectors; v++) {
      const p = v128.load(record + (v << 4));
      const label = i32x4.eq(i32x4.add(LANES, i32x4.splat(<i32>v << 2)), i32x4.splat(<i32>own));
      v128.store(record + (v << 4), f32x4.mul(weight, f32x4.sub(p, v128.and(one, label))));
      const h = f32x4.mul(f32x4.mul(p, f32x4.sub(one, p)), f32x4.splat(factor));
      v128.store(second + (v << 4), f32x4.mul(weight, h));
    }
    store<f32>(second + (<usize>classes << 2), 1);
  }
}

/**
 * Loss of rows `first` to `end`: the mean over the classes that occur of the mean −ln p of their rows.
 *
 * @param confusion u32 [labelled class][predicted class], the result; the predicted class has the highest score, the lowest class at a tie
 * @param scratch 16 × vectors bytes, and 8 × classes
 */
export function boostLoss(
  first: u32,
  end: u32,
  rowClass: usize,
  classes: u32,
  scores: usize,
  step: f32,
  confusion: usize,
  scratch: usize
): f64 {
  const vectors = vectorsOf(classes);
  const losses = scratch + (vectors << 4);
  memory.fill(losses, 0, <usize>classes << 3);
  memory.fill(confusion, 0, (<usize>classes * <usize>classes) << 2);
  for (let row = first; row < end; row++) {
    const own = <usize>load<u8>(rowClass + <usize>row);
    const score = scores + <usize>row * (vectors << 4);
    softmax(score, classes, vectors, step, scratch);
    const loss = losses + (own << 3);
    store<f64>(loss, load<f64>(loss) - Math.log(max(1e-30, <f64>load<f32>(scratch + (own << 2)))));
    let best: usize = 0;
    for (let c: usize = 1; c < <usize>classes; c++) {
      best = load<i32>(score + (c << 2)) > load<i32>(score + (best << 2)) ? c : best;
    }
    const cell = confusion + ((own * <usize>classes + best) << 2);
    store<u32>(cell, load<u32>(cell) + 1);
  }
  let total: f64 = 0;
  let present = 0;
  for (let c: usize = 0; c < <usize>classes; c++) {
    let count: u32 = 0;
    for (let other: usize = 0; other < <usize>classes; other++) {
      count += load<u32>(confusion + ((c * <usize>classes + other) << 2));
    }
    if (count > 0) {
      total += load<f64>(losses + (c << 3)) / <f64>count;
      present++;
    }
  }
  return present ? total / <f64>present : 0;
}
