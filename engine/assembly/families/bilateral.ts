/**
 * Bilateral filter (Tomasi and Manduchi, "Bilateral filtering for gray and color images", 1998): the mean of a square window of 2 r + 1 pixels'
 * side, weighted by closeness and by likeness,
 *
 *   exp(−(dx² + dy²) / 2σ²) · exp(−d² / 2ρ²) with σ = 0.4 (r + 1), ρ = 0.4 (R + 1), and 0 where |d| > R,
 *
 * where d is the difference of two of 256 grey levels. Widths and cut are those of Trainable Weka Segmentation, which rounds the mean
 * down to a whole level; the kernel does not. scikit-image's `denoise_bilateral` has no cut.
 *
 * A pair of pixels has one weight, so each pair of different rows is weighed once and adds to both. Row after row,
 * a pixel's terms come from the rows above it first, then from its own, then from those below: always in the same order.
 *
 * exp(−u) is needed for u = d² / 2ρ² up to 3.125, where the cut falls at the latest. It is the 32nd power of a polynomial in u / 32, which
 * interpolates at the Chebyshev nodes of [0, 3.125 / 32]; its relative error is below 5e-6.
 *
 * ONNX cannot express it. `sambalab/tests/features/test_nonlinear.py` compares the kernel with NumPy and SciPy.
 */
import { allocate, mark, release } from '../arena';
import { argument } from '../family';
import { greyAt, greyLevels, outStride, rows, width } from '../tile';

/** The polynomial's coefficients. */
const C3: f64 = -0.15874305564498903;
const C2: f64 = 0.4995203907742631;
const C1: f64 = -0.999990663604321;
const C0: f64 = 0.9999999715250744;

/** A ring of rows: grey levels as float32, and sums of weights and of weighted differences. */
let count = 0;
let stride: usize = 0;
let greys: usize = 0;
let weights: usize = 0;
let sums: usize = 0;

/** Offset of a row in the ring, in bytes. */
@inline
function turn(row: i32): usize {
  return <usize>((row + count) % count) * stride;
}

export function bilateralReach(args: usize): i32 {
  return <i32>argument(args, 0);
}

/** Arguments: radius, range. */
export function bilateral(args: usize, out: usize): void {
  const radius = <i32>argument(args, 0);
  const range = argument(args, 1);
  // The grey levels stay, so they must be allocated before the mark.
  greyLevels();
  const bottom = mark();
  const spread = 0.4 * <f64>(radius + 1);
  const closeness = allocate(<usize>(radius + 1) << 3);
  for (let i = 0; i <= radius; i++) {
    store<f64>(closeness + (<usize>i << 3), Math.exp((-0.5 * <f64>(i * i)) / (spread * spread)));
  }
  // The polynomial is evaluated at squared differences, so its coefficients are scaled once.
  const likeness = 0.4 * (range + 1);
  const scale = 1 / (64 * likeness * likeness);
  const c0 = f32x4.splat(<f32>C0);
  const c1 = f32x4.splat(<f32>(C1 * scale));
  const c2 = f32x4.splat(<f32>(C2 * scale * scale));
  const c3 = f32x4.splat(<f32>(C3 * scale * scale * scale));
  const most = Math.floor(range);
  const cut = f32x4.splat(<f32>(most * most));
  // Pixels beside the tile have sums as well, which are not used; their windows reach as far again.
  count = radius + 1;
  stride = <usize>((width + 4 * radius + 15) & ~7) << 2;
  const block = <usize>count * stride;
  greys = allocate(block);
  weights = allocate(block);
  sums = allocate(block);
  memory.fill(greys, 0, block);
  memory.fill(weights, 0, block);
  memory.fill(sums, 0, block);
  const first = <usize>(2 * radius) << 2;
  for (let row = -radius; row < 0; row++) {
    widen(row, radius);
  }
  for (let row = -radius; row < rows; row++) {
    widen(row + radius, radius);
    const here = turn(row) + first;
    for (let down = max(0, -row); down <= radius; down++) {
      const there = turn(row + down) + first;
      for (let right = -radius; right <= radius; right++) {
        const near = load<f64>(closeness + (<usize>down << 3)) * load<f64>(closeness + (<usize>abs(right) << 3));
        const weight = f32x4.splat(<f32>near);
        const shift = right << 2;
        if (down) {
          const start = <usize>(-4 * max(0, right));
          const bytes = <usize>(width + abs(right)) << 2;
          both(here + start, there + start + <usize>shift, bytes, weight, c3, c2, c1, c0, cut);
        } else {
          one(here, there + <usize>shift, <usize>width << 2, weight, c3, c2, c1, c0, cut);
        }
      }
    }
    if (row >= 0) {
      for (let x: usize = 0; x < <usize>width << 2; x += 16) {
        const mean = f32x4.div(v128.load(sums + here + x), v128.load(weights + here + x));
        v128.store(out + x, f32x4.add(v128.load(greys + here + x), mean));
      }
      out += outStride;
    }
    memory.fill(weights + turn(row), 0, stride);
    memory.fill(sums + turn(row), 0, stride);
  }
  release(bottom);
}

/** Load the grey levels of a row, from `radius` pixels before the tile on. */
function widen(row: i32, radius: i32): void {
  const from = greyAt(row, -radius);
  const to = greys + turn(row) + (<usize>radius << 2);
  for (let x: usize = 0; x < <usize>(width + 2 * radius) << 2; x += 16) {
    const four = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(from + (x >> 2))));
    v128.store(to + x, f32x4.convert_i32x4_u(four));
  }
}

/** Let pixels of one row and of another add to each other's sums. */
function both(
  here: usize,
  there: usize,
  bytes: usize,
  near: v128,
  c3: v128,
  c2: v128,
  c1: v128,
  c0: v128,
  cut: v128
): void {
  for (let x: usize = 0; x < bytes; x += 16) {
    const p = here + x;
    const q = there + x;
    const difference = f32x4.sub(v128.load(greys + q), v128.load(greys + p));
    const weight = f32x4.mul(near, alike(f32x4.mul(difference, difference), c3, c2, c1, c0, cut));
    const part = f32x4.mul(weight, difference);
    v128.store(weights + p, f32x4.add(v128.load(weights + p), weight));
    v128.store(weights + q, f32x4.add(v128.load(weights + q), weight));
    v128.store(sums + p, f32x4.add(v128.load(sums + p), part));
    v128.store(sums + q, f32x4.sub(v128.load(sums + q), part));
  }
}

/** Let pixels of a row add to the sums of others of the same row. */
function one(
  here: usize,
  there: usize,
  bytes: usize,
  near: v128,
  c3: v128,
  c2: v128,
  c1: v128,
  c0: v128,
  cut: v128
): void {
  for (let x: usize = 0; x < bytes; x += 16) {
    const p = here + x;
    const difference = f32x4.sub(v128.load(greys + there + x), v128.load(greys + p));
    const weight = f32x4.mul(near, alike(f32x4.mul(difference, difference), c3, c2, c1, c0, cut));
    v128.store(weights + p, f32x4.add(v128.load(weights + p), weight));
    v128.store(sums + p, f32x4.add(v128.load(sums + p), f32x4.mul(weight, difference)));
  }
}

/** The polynomial of a squared difference, to the 32nd power; 0 where the square is above the cut. */
@inline
function alike(square: v128, c3: v128, c2: v128, c1: v128, c0: v128, cut: v128): v128 {
  let y = f32x4.add(f32x4.mul(square, c3), c2);
  y = f32x4.add(f32x4.mul(y, square), c1);
  y = f32x4.add(f32x4.mul(y, square), c0);
  y = f32x4.mul(y, y);
  y = f32x4.mul(y, y);
  y = f32x4.mul(y, y);
  y = f32x4.mul(y, y);
  y = f32x4.mul(y, y);
  return v128.and(y, f32x4.le(square, cut));
}
