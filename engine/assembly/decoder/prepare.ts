/** What the decoder needs of an image whatever the prompt: projections of its channels, once for each embedding. */
import { multiply, multiplyAdd, ROW } from './multiply';

/**
 * @param embedding f32 [256][4096]
 * @param dense f32 [256][4096], what a mask prompt adds to it; or f32 [256] if `denseIsMap` is false
 * @param weights f32 [rows][256], and `bias` f32 [rows]
 * @param position f32 [64 blocks][positionRows][64]: codes of the places, added to the first rows
 * @param centre f32 [256]: what is added to the channels before the first norm's lengths are taken
 * @param gain f32 [256]: the first norm's gain, and `constant` f32 [256] the constant before the second norm, with mean 0
 * @param out f32 [64 blocks][rows + 3][64]: the projections; the squared length of the channels without their mean; the same of the channels with the
 * gain; and the product of these with the constant
 * @param work scratch, f32 [256][64]
 * @param firstBlock the first block that is wanted, and every `blockStep`th behind it
 */
export function prepare(
  embedding: usize,
  dense: usize,
  denseIsMap: bool,
  weights: usize,
  bias: usize,
  rows: i32,
  position: usize,
  positionRows: i32,
  centre: usize,
  gain: usize,
  constant: usize,
  out: usize,
  work: usize,
  firstBlock: i32,
  blockStep: i32
): void {
  const stride = <usize>(rows + 3) * ROW;
  for (let block = <usize>firstBlock; block < 64; block += blockStep) {
    for (let channel: usize = 0; channel < 256; channel++) {
      const from = embedding + (channel << 14) + block * ROW;
      const to = work + channel * ROW;
      const same = v128.load32_splat(dense + (channel << 2));
      for (let x: usize = 0; x < ROW; x += 16) {
        const more = denseIsMap ? v128.load(dense + (channel << 14) + block * ROW + x) : same;
        v128.store(to + x, f32x4.add(v128.load(from + x), more));
      }
    }
    const planes = out + block * stride;
    for (let row: usize = 0; row < <usize>rows; row++) {
      const b = v128.load32_splat(bias + (row << 2));
      const codes = position + (block * <usize>positionRows + row) * ROW;
      const coded = row < <usize>positionRows;
      for (let x: usize = 0; x < ROW; x += 16) {
        v128.store(planes + row * ROW + x, coded ? f32x4.add(b, v128.load(codes + x)) : b);
      }
    }
    multiply(weights, 1024, rows, 256, work, planes, ROW, true, 8);
    lengths(work, centre, gain, constant, planes + <usize>rows * ROW);
  }
}

function lengths(channels: usize, centre: usize, gain: usize, constant: usize, out: usize): void {
  for (let x: usize = 0; x < ROW; x += 16) {
    let sum = f32x4.splat(0);
    for (let c: usize = 0; c < 256; c++) {
      sum = f32x4.add(sum, f32x4.add(v128.load(channels + c * ROW + x), v128.load32_splat(centre + (c << 2))));
    }
    const mean = f32x4.mul(sum, f32x4.splat(1 / 256.0));
    let squares = f32x4.splat(0);
    let gained = squares;
    let gainedSquares = squares;
    let product = squares;
    for (let c: usize = 0; c < 256; c++) {
      const value = f32x4.sub(
        f32x4.add(v128.load(channels + c * ROW + x), v128.load32_splat(centre + (c << 2))),
        mean
      );
      const more = f32x4.mul(value, v128.load32_splat(gain + (c << 2)));
      squares = multiplyAdd(value, value, squares);
      gained = f32x4.add(gained, more);
      gainedSquares = multiplyAdd(more, more, gainedSquares);
      product = multiplyAdd(more, v128.load32_splat(constant + (c << 2)), product);
    }
    v128.store(out + x, squares);
    const gainedMean = f32x4.mul(gained, f32x4.splat(1 / 256.0));
    v128.store(out + ROW + x, f32x4.sub(gainedSquares, f32x4.mul(gained, gainedMean)));
    v128.store(out + 2 * ROW + x, product);
  }
}
