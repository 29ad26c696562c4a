/**
 * The image's side of SAM's two-way transformer, computed from what a prompt changes alone.
 *
 * The image has 4096 places (64 rows of 64), each with 256 channels. In the layers these only gain sums of a few vectors: the attention of a place to the
 * T tokens adds, for each head h and token t, the weight S[h, t] times the token's value. So after a layer a channel is
 *
 *   scale · k + Σ_m mode_m · F_m (+ a constant)
 *
 * where k is the image's own channel before the layers, `scale` undoes the norm's division, and the modes are the weights S, at most 16 T + 1 numbers
 * a place instead of 256. Any projection of the channels is the projection of k, computed once for an image, plus that of the vectors F, which are few.
 *
 * A block is a row of 64 places. The planes of a block, f32 [rows][64], lie together. Row j = h · T + t of scores and weights belongs to head h and token t.
 * Several instances can share the blocks: an instance works on `firstBlock`, and on every `blockStep`th behind it.
 */
import { exponential } from '../exponential';
import { multiply, multiplyAdd, multiplyTransposed, ROW, sumOf } from './multiply';

/** Heads of attention, and channels of each. */
const HEADS: i32 = 8;
const HEAD_ROWS: usize = 16;
/** Blocks of an image. */
const BLOCKS: i32 = 64;
/** Channels of an image's place. */
const CHANNELS: f32 = 256;

/**
 * Scores of the tokens at the places of a block: scale ⊙ (q · plane) + q · position + mixing · modes, head by head.
 *
 * @param q f32 [T][128]: the tokens' queries or keys, divided by the root of a head's channels
 * @param planes f32 [128][64], projections of the image; `position` the same of the places' codes, or 0
 * @param scale f32 [64], or 0 for 1
 * @param mixing f32 [8 T][count], `mixingStride` bytes from row to row
 * @param modes f32 [count][64]
 * @param out f32 [8 T][64]
 */
function scores(
  q: usize,
  tokens: i32,
  planes: usize,
  position: usize,
  scale: usize,
  mixing: usize,
  mixingStride: usize,
  modes: usize,
  count: i32,
  out: usize
): void {
  const headBytes = <usize>tokens * ROW;
  for (let head: usize = 0; head < <usize>HEADS; head++) {
    const to = out + head * headBytes;
    multiply(q + (head << 6), 512, tokens, 16, planes + head * HEAD_ROWS * ROW, to, ROW, false, 8);
  }
  if (scale) {
    scaleRows(out, HEADS * tokens, scale);
  }
  if (position) {
    for (let head: usize = 0; head < <usize>HEADS; head++) {
      const to = out + head * headBytes;
      multiply(q + (head << 6), 512, tokens, 16, position + head * HEAD_ROWS * ROW, to, ROW, true, 8);
    }
  }
  if (count) {
    multiply(mixing, mixingStride, HEADS * tokens, count, modes, out, ROW, true, 8);
  }
}

function scaleRows(rows: usize, count: i32, by: usize): void {
  for (let x: usize = 0; x < ROW; x += 16) {
    const s = v128.load(by + x);
    let at = rows + x;
    for (let row = 0; row < count; row++) {
      v128.store(at, f32x4.mul(v128.load(at), s));
      at += ROW;
    }
  }
}

/**
 * Attention of the tokens to all places.
 *
 * @param image the first block's planes, `imageStride` bytes a block; `keys` and `values` are offsets of their 128 rows in a block
 * @param position f32 [64 blocks][128][64], or 0
 * @param scales f32 [64 blocks][64], or 0
 * @param modes f32 [64 blocks][count][64]
 * @param weights scratch, f32 [64 blocks][8 T][64]
 * @param work scratch, f32 [8 T][64]
 * @param largest f32 [8 T]: the largest scores, which the weights are relative to
 * @param sums f32 [8 T]: the sums of the weights, which are not divided by them
 * @param outValues f32 [T][128]: sums of the weighted, scaled values
 * @param outModes f32 [8 T][count], `mixingStride` bytes from row to row: sums of the weighted modes
 */
export function attend(
  q: usize,
  tokens: i32,
  image: usize,
  imageStride: usize,
  keys: usize,
  values: usize,
  position: usize,
  scales: usize,
  mixing: usize,
  mixingStride: usize,
  modes: usize,
  count: i32,
  weights: usize,
  work: usize,
  largest: usize,
  sums: usize,
  outValues: usize,
  outModes: usize,
  firstBlock: i32,
  blockStep: i32
): void {
  const rows = HEADS * tokens;
  const weightBytes = <usize>rows * ROW;
  const modeBytes = <usize>count * ROW;
  // The largest score of each row, in four lanes.
  const most = work;
  for (let row: usize = 0; row < <usize>rows; row++) {
    v128.store(most + (row << 4), f32x4.splat(-Infinity));
  }
  for (let block = <usize>firstBlock; block < <usize>BLOCKS; block += blockStep) {
    const s = weights + block * weightBytes;
    scores(
      q,
      tokens,
      image + block * imageStride + keys,
      position ? position + block * 128 * ROW : 0,
      scales ? scales + block * ROW : 0,
      mixing,
      mixingStride,
      modes + block * modeBytes,
      count,
      s
    );
    for (let row: usize = 0; row < <usize>rows; row++) {
      let best = v128.load(most + (row << 4));
      for (let x: usize = 0; x < ROW; x += 16) {
        best = f32x4.pmax(best, v128.load(s + row * ROW + x));
      }
      v128.store(most + (row << 4), best);
    }
  }
  for (let row: usize = 0; row < <usize>rows; row++) {
    const best = v128.load(most + (row << 4));
    const pair = f32x4.pmax(best, v128.shuffle<f32>(best, best, 2, 3, 0, 1));
    store<f32>(largest + (row << 2), f32x4.extract_lane(f32x4.pmax(pair, v128.shuffle<f32>(pair, pair, 1, 0, 3, 2)), 0));
  }
  memory.fill(outValues, 0, <usize>tokens * 512);
  if (count) {
    memory.fill(outModes, 0, <usize>rows * mixingStride);
  }
  const totals = work + <usize>rows * ROW;
  memory.fill(totals, 0, <usize>rows << 4);
  for (let block = <usize>firstBlock; block < <usize>BLOCKS; block += blockStep) {
    const s = weights + block * weightBytes;
    for (let row: usize = 0; row < <usize>rows; row++) {
      const best = f32x4.splat(load<f32>(largest + (row << 2)));
      let total = v128.load(totals + (row << 4));
      const at = s + row * ROW;
      const to = work + row * ROW;
      for (let x: usize = 0; x < ROW; x += 16) {
        const weight = exponential(f32x4.sub(v128.load(at + x), best));
        total = f32x4.add(total, weight);
        v128.store(at + x, weight);
        v128.store(to + x, scales ? f32x4.mul(weight, v128.load(scales + block * ROW + x)) : weight);
      }
      v128.store(totals + (row << 4), total);
    }
    for (let head: usize = 0; head < <usize>HEADS; head++) {
      multiplyTransposed(
        work + head * <usize>tokens * ROW,
        ROW,
        tokens,
        image + block * imageStride + values + head * HEAD_ROWS * ROW,
        ROW,
        16,
        64,
        outValues + (head << 6),
        512,
        true
      );
    }
    if (count) {
      multiplyTransposed(s, ROW, rows, modes + block * modeBytes, ROW, count, 64, outModes, mixingStride, true);
    }
  }
  for (let row: usize = 0; row < <usize>rows; row++) {
    store<f32>(sums + (row << 2), sumOf(v128.load(totals + (row << 4))));
  }
}

/** Weights of T tokens at each place of a block, in place: the softmax over a head's tokens. */
function softmaxTokens(s: usize, tokens: i32): void {
  const headBytes = <usize>tokens * ROW;
  for (let head: usize = 0; head < <usize>HEADS; head++) {
    const first = s + head * headBytes;
    const end = first + headBytes;
    for (let x: usize = 0; x < ROW; x += 16) {
      let best = v128.load(first + x);
      for (let at = first + x + ROW; at < end; at += ROW) {
        best = f32x4.pmax(best, v128.load(at));
      }
      let total = f32x4.splat(0);
      for (let at = first + x; at < end; at += ROW) {
        const weight = exponential(f32x4.sub(v128.load(at), best));
        total = f32x4.add(total, weight);
        v128.store(at, weight);
      }
      const by = f32x4.div(f32x4.splat(1), total);
      for (let at = first + x; at < end; at += ROW) {
        v128.store(at, f32x4.mul(v128.load(at), by));
      }
    }
  }
}

/** out += 2 scale ⊙ Σ_j weights_j ⊙ (v_j · plane of its head): the products of the image's own part with what tokens add. */
function addProducts(
  v: usize,
  tokens: i32,
  planes: usize,
  weights: usize,
  scale: usize,
  work: usize,
  out: usize
): void {
  const headBytes = <usize>tokens * ROW;
  for (let head: usize = 0; head < <usize>HEADS; head++) {
    multiply(
      v + (head << 6),
      512,
      tokens,
      16,
      planes + head * HEAD_ROWS * ROW,
      work + head * headBytes,
      ROW,
      false,
      8
    );
  }
  const bytes = <usize>(HEADS * tokens) * ROW;
  for (let x: usize = 0; x < ROW; x += 16) {
    let sum = f32x4.splat(0);
    for (let at = x; at < bytes; at += ROW) {
      sum = multiplyAdd(v128.load(work + at), v128.load(weights + at), sum);
    }
    sum = f32x4.add(sum, sum);
    if (scale) {
      sum = f32x4.mul(sum, v128.load(scale + x));
    }
    v128.store(out + x, f32x4.add(v128.load(out + x), sum));
  }
}

/** out += modesᵀ G modes at each place, with G as a lower triangle whose entries off the diagonal are doubled; `count` is a multiple of 4. */
function addSquares(triangle: usize, stride: usize, modes: usize, count: i32, work: usize, out: usize): void {
  for (let row = 0; row < count; row += 4) {
    multiply(triangle + <usize>row * stride, stride, 4, row + 4, modes, work, ROW, false, 8);
    const four = modes + <usize>row * ROW;
    for (let x: usize = 0; x < ROW; x += 16) {
      let sum = v128.load(out + x);
      for (let at = x; at < 4 * ROW; at += ROW) {
        sum = multiplyAdd(v128.load(work + at), v128.load(four + at), sum);
      }
      v128.store(out + x, sum);
    }
  }
}

/**
 * Attention of all places to the tokens, and the norm behind it: the next modes and scales.
 *
 * @param k f32 [T][128]: the tokens' keys, divided by the root of a head's channels; `v` f32 [T][128] their values
 * @param queries offset of the image's queries in a block
 * @param own offset of the planes whose products with `v` are those of the image's own part with what it adds
 * @param earlier the same for `earlierValues` f32 [T][128], those of the layer before; 0 in the first
 * @param squares offset of one row: the squared length of the image's own part; `constant` of its product with the layer's constant, or 0
 * @param triangle f32 [outCount][…], `triangleStride` bytes from row to row: products of the modes' vectors, see {@link addSquares}
 * @param modes f32 [64 blocks][count][64] of the layer before; `outModes` f32 [64 blocks][outCount][64]. With modes before it, the new
 * ones are these, the weights, and 1 in the next row
 */
export function attendTokens(
  k: usize,
  v: usize,
  tokens: i32,
  image: usize,
  imageStride: usize,
  queries: usize,
  own: usize,
  earlier: usize,
  earlierValues: usize,
  squares: usize,
  constant: usize,
  position: usize,
  scales: usize,
  mixing: usize,
  mixingStride: usize,
  triangle: usize,
  triangleStride: usize,
  modes: usize,
  count: i32,
  outModes: usize,
  outCount: i32,
  outScales: usize,
  epsilon: f32,
  work: usize,
  firstBlock: i32,
  blockStep: i32
): void {
  const rows = HEADS * tokens;
  const length = work + <usize>rows * ROW;
  for (let block = <usize>firstBlock; block < <usize>BLOCKS; block += blockStep) {
    const planes = image + block * imageStride;
    const scale = scales ? scales + block * ROW : 0;
    const before = modes + block * <usize>count * ROW;
    const next = outModes + block * <usize>outCount * ROW;
    const weights = next + <usize>count * ROW;
    scores(
      k,
      tokens,
      planes + queries,
      position ? position + block * 128 * ROW : 0,
      scale,
      mixing,
      mixingStride,
      before,
      count,
      weights
    );
    softmaxTokens(weights, tokens);
    for (let x: usize = 0; x < ROW; x += 16) {
      let sum = v128.load(planes + squares + x);
      if (scale) {
        const s = v128.load(scale + x);
        const c = v128.load(planes + constant + x);
        sum = f32x4.mul(s, f32x4.add(f32x4.mul(s, sum), f32x4.add(c, c)));
      }
      v128.store(length + x, sum);
    }
    addProducts(v, tokens, planes + own, weights, scale, work, length);
    if (count) {
      memory.copy(next, before, <usize>count * ROW);
      addProducts(earlierValues, tokens, planes + earlier, next, scale, work, length);
      const one = next + <usize>(count + rows) * ROW;
      for (let x: usize = 0; x < ROW; x += 16) {
        v128.store(one + x, f32x4.splat(1));
      }
      memory.fill(one + ROW, 0, <usize>(outCount - count - rows - 1) * ROW);
    }
    addSquares(triangle, triangleStride, next, outCount, work, length);
    const to = outScales + block * ROW;
    for (let x: usize = 0; x < ROW; x += 16) {
      const variance = f32x4.mul(v128.load(length + x), f32x4.splat(1 / CHANNELS));
      const by = f32x4.div(
        f32x4.splat(1),
        f32x4.sqrt(f32x4.add(f32x4.pmax(variance, f32x4.splat(0)), f32x4.splat(epsilon)))
      );
      v128.store(length + x, by);
      v128.store(to + x, scale ? f32x4.mul(by, v128.load(scale + x)) : by);
    }
    scaleRows(next, outCount, length);
  }
}
