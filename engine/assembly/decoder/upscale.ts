/**
 * From the image's places to masks: two transposed convolutions, each of 2 × 2 with step 2, so that a place becomes 4 × 4 samples that depend on no other
 * place; a norm over channels; GELU; and the product with each mask's vector.
 */
import { multiply, multiplyAdd, ROW } from './multiply';

/**
 * GELU: x Φ(x), where Φ is the normal distribution. Φ(x) − ½ is x times a polynomial in x², which was fitted by least squares for |x| ≤ 4.25 and
 * is held there: right to 1e-6 for |x| < 4, to 1e-4 for |x| < 10.
 */
@inline
export function gelu(x: v128): v128 {
  const bound = f32x4.splat(4.25);
  const held = f32x4.pmin(bound, f32x4.pmax(f32x4.neg(bound), x));
  const u = f32x4.sub(f32x4.mul(f32x4.mul(held, held), f32x4.splat(2 / (4.25 * 4.25))), f32x4.splat(1));
  let y = multiplyAdd(f32x4.splat(0.00034802037), u, f32x4.splat(-0.0011378122));
  y = multiplyAdd(y, u, f32x4.splat(0.00205664));
  y = multiplyAdd(y, u, f32x4.splat(-0.0040732445));
  y = multiplyAdd(y, u, f32x4.splat(0.008529074));
  y = multiplyAdd(y, u, f32x4.splat(-0.015686614));
  y = multiplyAdd(y, u, f32x4.splat(0.025758924));
  y = multiplyAdd(y, u, f32x4.splat(-0.038961373));
  y = multiplyAdd(y, u, f32x4.splat(0.0556616));
  y = multiplyAdd(y, u, f32x4.splat(-0.080787085));
  y = multiplyAdd(y, u, f32x4.splat(0.16593654));
  return f32x4.mul(x, multiplyAdd(held, y, f32x4.splat(0.5)));
}

/** Norm over the channels of each place, in place: (x − mean) / √(variance + 1e-6) · gain + bias, and GELU. */
function normaliseGelu(rows: usize, count: i32, gain: usize, bias: usize, width: usize): void {
  const bytes = <usize>count * ROW;
  for (let x: usize = 0; x < width; x += 16) {
    let sum = f32x4.splat(0);
    for (let at = rows + x; at < rows + bytes; at += ROW) {
      sum = f32x4.add(sum, v128.load(at));
    }
    const mean = f32x4.mul(sum, f32x4.splat(1 / <f32>count));
    let squares = f32x4.splat(0);
    for (let at = rows + x; at < rows + bytes; at += ROW) {
      const d = f32x4.sub(v128.load(at), mean);
      squares = multiplyAdd(d, d, squares);
    }
    const by = f32x4.div(
      f32x4.splat(1),
      f32x4.sqrt(multiplyAdd(squares, f32x4.splat(1 / <f32>count), f32x4.splat(1e-6)))
    );
    let row: usize = 0;
    for (let at = rows + x; at < rows + bytes; at += ROW) {
      const unit = f32x4.mul(f32x4.sub(v128.load(at), mean), by);
      v128.store(at, gelu(multiplyAdd(unit, v128.load32_splat(gain + row), v128.load32_splat(bias + row))));
      row += 4;
    }
  }
}

/**
 * The masks of some rows of places.
 *
 * @param planes the first block's 256 projections for the first convolution, `imageStride` bytes a block; rows are [2 × 2 parts][64 channels]
 * @param constant f32 [256], `mixing` f32 [256][count]
 * @param second f32 [128][64]: the second convolution's weights, rows are [2 × 2 parts][32 channels], and `secondBias` f32 [128]
 * @param vectors f32 [masks][32]
 * @param out f32 [masks][256][256]
 * @param blocks how many rows of places are wanted
 * @param groups how many groups of 8 places a row
 * @param work scratch, f32 [256 + 128 + masks][64]
 * @param firstBlock the first row of places, and every `blockStep`th behind it
 */
export function upscale(
  planes: usize,
  imageStride: usize,
  scales: usize,
  constant: usize,
  mixing: usize,
  mixingStride: usize,
  modes: usize,
  count: i32,
  gain: usize,
  bias: usize,
  second: usize,
  secondBias: usize,
  vectors: usize,
  masks: i32,
  blocks: i32,
  groups: i32,
  out: usize,
  work: usize,
  firstBlock: i32,
  blockStep: i32
): void {
  const deep = work + 256 * ROW;
  const line = deep + 128 * ROW;
  const width = <usize>groups << 5;
  for (let block = <usize>firstBlock; block < <usize>blocks; block += blockStep) {
    const own = planes + block * imageStride;
    const scale = scales + block * ROW;
    for (let row: usize = 0; row < 256; row++) {
      const c = v128.load32_splat(constant + (row << 2));
      for (let x: usize = 0; x < width; x += 16) {
        v128.store(work + row * ROW + x, multiplyAdd(v128.load(own + row * ROW + x), v128.load(scale + x), c));
      }
    }
    multiply(mixing, mixingStride, 256, count, modes + block * <usize>count * ROW, work, ROW, true, groups);
    for (let part: usize = 0; part < 4; part++) {
      const rows = work + part * 64 * ROW;
      normaliseGelu(rows, 64, gain, bias, width);
      for (let row: usize = 0; row < 128; row++) {
        const c = v128.load32_splat(secondBias + (row << 2));
        for (let x: usize = 0; x < width; x += 16) {
          v128.store(deep + row * ROW + x, c);
        }
      }
      multiply(second, 256, 128, 64, rows, deep, ROW, true, groups);
      for (let row: usize = 0; row < 128; row++) {
        for (let x: usize = 0; x < width; x += 16) {
          const at = deep + row * ROW + x;
          v128.store(at, gelu(v128.load(at)));
        }
      }
      for (let inner: usize = 0; inner < 4; inner++) {
        multiply(vectors, 128, masks, 32, deep + inner * 32 * ROW, line, ROW, false, groups);
        const y: usize = (block << 2) + ((part >> 1) << 1) + (inner >> 1);
        const x: usize = ((part & 1) << 1) + (inner & 1);
        for (let mask: usize = 0; mask < <usize>masks; mask++) {
          const from = line + mask * ROW;
          const to = out + (((mask << 16) + (y << 8) + x) << 2);
          for (let place: usize = 0; place < <usize>groups << 3; place++) {
            store<f32>(to + (place << 4), load<f32>(from + (place << 2)));
          }
        }
      }
    }
  }
}
