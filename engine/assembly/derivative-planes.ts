/**
 * Sobel derivatives and the Hessian made of them (families sobel, hessian, hessianOrientation), as in Trainable Weka Segmentation: correlation with
 * Kx = [1 2 1; 0 0 0; −1 −2 −1] and Ky = [1 0 −1; 2 0 −2; 1 0 −1], the image continued by its edge before each of the two steps.
 * Strides are in bytes, widths multiples of 4.
 *
 * `engine/onnx/linear.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_linear.py` compares the kernels with NumPy.
 */

/**
 * Overwrite the pixels outside of the image with their nearest pixel inside. `top`, `bottom`, `left` and `right` count the rows and columns
 * of the plane that lie outside.
 */
export function replicateEdges(
  plane: usize,
  stride: usize,
  rows: i32,
  columns: i32,
  top: i32,
  bottom: i32,
  left: i32,
  right: i32
): void {
  for (let y = top; y < rows - bottom; y++) {
    const row = plane + <usize>y * stride;
    const first = load<f32>(row + (<usize>left << 2));
    for (let x = 0; x < left; x++) {
      store<f32>(row + (<usize>x << 2), first);
    }
    const last = load<f32>(row + (<usize>(columns - right - 1) << 2));
    for (let x = columns - right; x < columns; x++) {
      store<f32>(row + (<usize>x << 2), last);
    }
  }
  const bytes = <usize>columns << 2;
  const firstRow = plane + <usize>top * stride;
  for (let y = 0; y < top; y++) {
    memory.copy(plane + <usize>y * stride, firstRow, bytes);
  }
  const lastRow = plane + <usize>(rows - bottom - 1) * stride;
  for (let y = rows - bottom; y < rows; y++) {
    memory.copy(plane + <usize>y * stride, lastRow, bytes);
  }
}

/** Kx at the pixel right of and below `p`. */
@inline
function kx(p: usize, stride: usize): v128 {
  const q = p + 2 * stride;
  const above = f32x4.add(f32x4.add(v128.load(p), v128.load(p, 8)), f32x4.mul(f32x4.splat(2), v128.load(p, 4)));
  const below = f32x4.add(f32x4.add(v128.load(q), v128.load(q, 8)), f32x4.mul(f32x4.splat(2), v128.load(q, 4)));
  return f32x4.sub(above, below);
}

/** Ky at the pixel right of and below `p`. */
@inline
function ky(p: usize, stride: usize): v128 {
  const m = p + stride;
  const q = m + stride;
  const left = f32x4.add(f32x4.add(v128.load(p), v128.load(q)), f32x4.mul(f32x4.splat(2), v128.load(m)));
  const right = f32x4.add(f32x4.add(v128.load(p, 8), v128.load(q, 8)), f32x4.mul(f32x4.splat(2), v128.load(m, 8)));
  return f32x4.sub(left, right);
}

/** Kx and Ky, as float32, of a plane of float64 that begins one row and one column before the results. */
export function firstDerivatives(
  src: usize,
  srcStride: usize,
  sx: usize,
  sy: usize,
  stride: usize,
  width: i32,
  rows: i32
): void {
  const bytes = <usize>width << 2;
  for (let y = 0; y < rows; y++) {
    for (let x: usize = 0; x < bytes; x += 8) {
      const p = src + 2 * x;
      const q = p + srcStride;
      const r = q + srcStride;
      const left = sum121(v128.load(p), v128.load(q), v128.load(r));
      const right = sum121(v128.load(p, 16), v128.load(q, 16), v128.load(r, 16));
      const above = sum121(v128.load(p), v128.load(p, 8), v128.load(p, 16));
      const below = sum121(v128.load(r), v128.load(r, 8), v128.load(r, 16));
      v128.store64_lane(sx + x, f32x4.demote_f64x2_zero(f64x2.sub(above, below)), 0);
      v128.store64_lane(sy + x, f32x4.demote_f64x2_zero(f64x2.sub(left, right)), 0);
    }
    src += srcStride;
    sx += stride;
    sy += stride;
  }
}

@inline
function sum121(a: v128, b: v128, c: v128): v128 {
  return f64x2.add(f64x2.add(a, c), f64x2.add(b, b));
}

/** √(sx² + sy²) */
export function sobelMagnitude(
  sx: usize,
  sy: usize,
  stride: usize,
  out: usize,
  outStride: usize,
  width: i32,
  rows: i32
): void {
  const bytes = <usize>width << 2;
  for (let y = 0; y < rows; y++) {
    for (let x: usize = 0; x < bytes; x += 16) {
      const a = v128.load(sx + x);
      const b = v128.load(sy + x);
      v128.store(out + x, f32x4.sqrt(f32x4.add(f32x4.mul(a, a), f32x4.mul(b, b))));
    }
    sx += stride;
    sy += stride;
    out += outStride;
  }
}

/**
 * Module √(a² + b² + d²), trace a + d, determinant ad − b² and eigenvalues (a + d ± √((a − d)² + 4b²)) / 2 of the Hessian
 * a = Kx⋆sx, b = Ky⋆sx, d = Ky⋆sy, as five planes `outPlane` bytes apart. `sx` and `sy` begin one row and one column before the results.
 */
export function hessianPlanes(
  sx: usize,
  sy: usize,
  stride: usize,
  out: usize,
  outStride: usize,
  outPlane: usize,
  width: i32,
  rows: i32
): void {
  const bytes = <usize>width << 2;
  for (let y = 0; y < rows; y++) {
    for (let x: usize = 0; x < bytes; x += 16) {
      const a = kx(sx + x, stride);
      const b = ky(sx + x, stride);
      const d = ky(sy + x, stride);
      const bb = f32x4.mul(b, b);
      const trace = f32x4.add(a, d);
      const difference = f32x4.sub(a, d);
      const root = f32x4.sqrt(f32x4.add(f32x4.mul(difference, difference), f32x4.mul(f32x4.splat(4), bb)));
      let o = out + x;
      v128.store(o, f32x4.sqrt(f32x4.add(f32x4.add(f32x4.mul(a, a), bb), f32x4.mul(d, d))));
      o += outPlane;
      v128.store(o, trace);
      o += outPlane;
      v128.store(o, f32x4.sub(f32x4.mul(a, d), bb));
      o += outPlane;
      v128.store(o, f32x4.mul(f32x4.splat(0.5), f32x4.add(trace, root)));
      o += outPlane;
      v128.store(o, f32x4.mul(f32x4.splat(0.5), f32x4.sub(trace, root)));
    }
    sx += stride;
    sy += stride;
    out += outStride;
  }
}

/**
 * The further features that Trainable Weka Segmentation makes of the Hessian, with D = (a − d)² + 4b²: the orientation ±½ acos((a − d) / √D), negative
 * where b is negative, and 0 where D is 0; (a + d)² D; and D. Three planes `outPlane` bytes apart.
 */
export function orientationPlanes(
  sx: usize,
  sy: usize,
  stride: usize,
  out: usize,
  outStride: usize,
  outPlane: usize,
  width: i32,
  rows: i32
): void {
  const bytes = <usize>width << 2;
  for (let y = 0; y < rows; y++) {
    for (let x: usize = 0; x < bytes; x += 16) {
      const a = kx(sx + x, stride);
      const b = ky(sx + x, stride);
      const d = ky(sy + x, stride);
      const trace = f32x4.add(a, d);
      const difference = f32x4.sub(a, d);
      const squared = f32x4.add(f32x4.mul(difference, difference), f32x4.mul(f32x4.splat(4), f32x4.mul(b, b)));
      const o = out + x;
      v128.store(o + outPlane, f32x4.mul(f32x4.mul(trace, trace), squared));
      v128.store(o + 2 * outPlane, squared);
      // ½ atan2(2b, a − d) is the same angle without the loss of acos near ±1.
      v128.store(o, f32x4.mul(f32x4.splat(0.5), arcTangent(f32x4.add(b, b), difference)));
    }
    sx += stride;
    sy += stride;
    out += outStride;
  }
}

/**
 * atan2(y, x) by four, 0 for (0, 0), with an error below 4e-7. The arc tangent of r = min / max of |x| and |y| is r · P(r²), P interpolating
 * atan(r) / r at nine Chebyshev nodes of r² in [0, 1]; the other octants are its mirror images.
 */
@inline
function arcTangent(y: v128, x: v128): v128 {
  const ax = f32x4.abs(x);
  const ay = f32x4.abs(y);
  const larger = f32x4.max(ax, ay);
  const zero = f32x4.splat(0);
  const r = v128.andnot(f32x4.div(f32x4.min(ax, ay), larger), f32x4.eq(larger, zero));
  const t = f32x4.mul(r, r);
  let p = f32x4.add(f32x4.mul(f32x4.splat(0.00276628), t), f32x4.splat(-0.01573125));
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(0.04213762));
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(-0.07456855));
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(0.10618371));
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(-0.14197798));
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(0.19991872));
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(-0.33333037));
  p = f32x4.add(f32x4.mul(p, t), f32x4.splat(0.99999998));
  let angle = f32x4.mul(r, p);
  angle = v128.bitselect(f32x4.sub(f32x4.splat(1.5707963267948966), angle), angle, f32x4.gt(ay, ax));
  angle = v128.bitselect(f32x4.sub(f32x4.splat(3.141592653589793), angle), angle, f32x4.lt(x, zero));
  return v128.bitselect(f32x4.neg(angle), angle, f32x4.lt(y, zero));
}
