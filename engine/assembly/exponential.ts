/**
 * e^x of four float32 numbers that are not above 0, in the same steps on every host: 2^k e^r with x = k ln 2 + r, |r| ≤ ½ ln 2 (the
 * reduction of Cody and Waite, with ln 2 in two parts), and e^r by its Taylor polynomial of degree 6, which is then right to 2e-8. Relative error
 * about 2e-7; results below e^-87 become e^-87, about 1e-38.
 */
@inline
export function exponential(x: v128): v128 {
  const bounded = f32x4.pmax(x, f32x4.splat(-87));
  const k = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(1.44269504)));
  // 0.693359375 has 9 bits: its product with k is exact.
  let r = f32x4.sub(bounded, f32x4.mul(k, f32x4.splat(0.693359375)));
  r = f32x4.add(r, f32x4.mul(k, f32x4.splat(0.00021219444)));
  let y = f32x4.add(f32x4.mul(r, f32x4.splat(1 / 720.0)), f32x4.splat(1 / 120.0));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1 / 24.0));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1 / 6.0));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(0.5));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(k), i32x4.splat(127)), 23);
  return f32x4.mul(y, power);
}
