/**
 * Bilateral filter (Tomasi and Manduchi, "Bilateral filtering for gray and color images", 1998): the mean of a square window of 2 r + 1 pixels'
 * side, weighted by closeness and by likeness,
 *
 *   exp(−(dx² + dy²) / 2σ²) · exp(−d² / 2ρ²) with σ = 0.4 (r + 1), ρ = 0.4 (R + 1), and 0 where |d| > R,
 *
 * d the difference of two of 256 grey levels. These are the widths and the cut that Trainable Weka Segmentation has; it rounds the mean
 * down to a whole level, which is not done here. scikit-image's `denoise_bilateral` knows no cut.
 *
 * exp(−u) is needed for u = d² / 2ρ² up to 3.125, where the cut falls at the latest. It is the fourth power of a polynomial in u / 4, which
 * interpolates at the Chebyshev nodes of [0, 0.78125]; its relative error is below 2e-6.
 */
import { allocate, mark, release } from '../arena';
import { greyAt, greyLevels, outStride, rows, width } from '../tile';

/** The polynomial's coefficients, the highest power first. */
const C5: f64 = -0.005669416764485679;
const C4: f64 = 0.03948191313983919;
const C3: f64 = -0.16581018986119908;
const C2: f64 = 0.49984584755400907;
const C1: f64 = -0.9999897628244514;
const C0: f64 = 0.9999998890987013;

export function bilateral(radius: i32, range: f64, out: usize): void {
  // Kept, so it has to lie below what is released.
  greyLevels();
  const bottom = mark();
  const side = 2 * radius + 1;
  const spread = 0.4 * <f64>(radius + 1);
  // Four times each weight of a line, one for each lane.
  const line = allocate(<usize>side << 4);
  for (let i = 0; i < side; i++) {
    const distance = <f64>(i - radius);
    v128.store(line + (<usize>i << 4), f32x4.splat(<f32>Math.exp((-0.5 * distance * distance) / (spread * spread))));
  }
  const likeness = 0.4 * (range + 1);
  // The polynomial takes squared differences; so its coefficients are scaled, once.
  const scale = 0.125 / (likeness * likeness);
  const c0 = f32x4.splat(<f32>C0);
  const c1 = f32x4.splat(<f32>(C1 * scale));
  const c2 = f32x4.splat(<f32>(C2 * scale * scale));
  const c3 = f32x4.splat(<f32>(C3 * scale * scale * scale));
  const c4 = f32x4.splat(<f32>(C4 * scale * scale * scale * scale));
  const c5 = f32x4.splat(<f32>(C5 * scale * scale * scale * scale * scale));
  const most = Math.floor(range);
  const cut = f32x4.splat(<f32>(most * most));
  // The window's rows as float32, once for each row of pixels that needs them.
  const breadth = width + 2 * radius + 8;
  const stride = <usize>((breadth + 7) & ~7) << 2;
  const ring = allocate(<usize>side * stride);
  for (let row = -radius; row < radius; row++) {
    widen(row, radius, ring + <usize>((row + radius) % side) * stride, stride);
  }
  for (let row = 0; row < rows; row++) {
    widen(row + radius, radius, ring + <usize>((row + 2 * radius) % side) * stride, stride);
    const own = ring + <usize>((row + radius) % side) * stride + (<usize>radius << 2);
    for (let x: usize = 0; x < <usize>width << 2; x += 32) {
      const a = v128.load(own + x);
      const b = v128.load(own + x, 16);
      let aWeight = f32x4.splat(0);
      let bWeight = f32x4.splat(0);
      let aSum = f32x4.splat(0);
      let bSum = f32x4.splat(0);
      for (let i = 0; i < side; i++) {
        let aRowWeight = f32x4.splat(0);
        let bRowWeight = f32x4.splat(0);
        let aRowSum = f32x4.splat(0);
        let bRowSum = f32x4.splat(0);
        let q = ring + <usize>((row + i) % side) * stride + x;
        const end = line + (<usize>side << 4);
        for (let weights = line; weights < end; weights += 16) {
          const near = v128.load(weights);
          const aStep = f32x4.sub(v128.load(q), a);
          const bStep = f32x4.sub(v128.load(q, 16), b);
          const aPart = f32x4.mul(near, alike(f32x4.mul(aStep, aStep), c5, c4, c3, c2, c1, c0, cut));
          const bPart = f32x4.mul(near, alike(f32x4.mul(bStep, bStep), c5, c4, c3, c2, c1, c0, cut));
          aRowWeight = f32x4.add(aRowWeight, aPart);
          bRowWeight = f32x4.add(bRowWeight, bPart);
          aRowSum = f32x4.add(aRowSum, f32x4.mul(aPart, aStep));
          bRowSum = f32x4.add(bRowSum, f32x4.mul(bPart, bStep));
          q += 4;
        }
        const far = v128.load(line + (<usize>i << 4));
        aWeight = f32x4.add(aWeight, f32x4.mul(far, aRowWeight));
        bWeight = f32x4.add(bWeight, f32x4.mul(far, bRowWeight));
        aSum = f32x4.add(aSum, f32x4.mul(far, aRowSum));
        bSum = f32x4.add(bSum, f32x4.mul(far, bRowSum));
      }
      v128.store(out + x, f32x4.add(a, f32x4.div(aSum, aWeight)));
      if (x + 16 < <usize>width << 2) {
        v128.store(out + x, f32x4.add(b, f32x4.div(bSum, bWeight)), 16);
      }
    }
    out += outStride;
  }
  release(bottom);
}

/** Grey levels of a row, from `radius` pixels before the tile on, as float32. */
function widen(row: i32, radius: i32, to: usize, bytes: usize): void {
  const from = greyAt(row, -radius);
  for (let x: usize = 0; x < bytes; x += 16) {
    const four = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(from + (x >> 2))));
    v128.store(to + x, f32x4.convert_i32x4_u(four));
  }
}

/** The polynomial of a squared difference, to the fourth power; 0 where the square is above the cut. */
@inline
function alike(square: v128, c5: v128, c4: v128, c3: v128, c2: v128, c1: v128, c0: v128, cut: v128): v128 {
  let y = f32x4.add(f32x4.mul(square, c5), c4);
  y = f32x4.add(f32x4.mul(y, square), c3);
  y = f32x4.add(f32x4.mul(y, square), c2);
  y = f32x4.add(f32x4.mul(y, square), c1);
  y = f32x4.add(f32x4.mul(y, square), c0);
  y = f32x4.mul(y, y);
  y = f32x4.mul(y, y);
  return v128.and(y, f32x4.le(square, cut));
}
