/**
 * Products of small matrices of float32. Matrices that are read along their rows in vectors are kept in panels: 64 columns wide, a row of 256 bytes
 * behind the other, so that a panel fits the nearest cache whatever the matrix's width.
 */

/** Columns of a panel. */
export const PANEL: i32 = 64;
/** Bytes of a panel's row. */
export const ROW: usize = 256;

/** a · b + c for four numbers, rounded once where the module may use relaxed SIMD. */
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    return f32x4.relaxed_madd(a, b, c);
  }
  return f32x4.add(f32x4.mul(a, b), c);
}

/**
 * c = a · x, or c += a · x.
 *
 * @param a f32 [rows][inner], `aStride` bytes from row to row
 * @param x f32 [inner][64], a panel
 * @param c f32 [rows][64], `cStride` bytes from row to row
 * @param groups how many groups of 8 columns are wanted, 1 to 8
 */
export function multiply(
  a: usize,
  aStride: usize,
  rows: i32,
  inner: i32,
  x: usize,
  c: usize,
  cStride: usize,
  add: bool,
  groups: i32
): void {
  let row = 0;
  while (row + 4 <= rows) {
    for (let group = 0; group < groups; group++) {
      fourRows(a, aStride, inner, x + (<usize>group << 5), c + (<usize>group << 5), cStride, add);
    }
    // The last four overlap with those before, unless they would be added twice: a row alone would read all of x.
    const step = !add && row + 4 < rows ? min(4, rows - row - 4) : 4;
    a += aStride * step;
    c += cStride * step;
    row += step;
  }
  for (; row < rows; row++) {
    for (let group = 0; group < groups; group++) {
      oneRow(a, inner, x + (<usize>group << 5), c + (<usize>group << 5), add);
    }
    a += aStride;
    c += cStride;
  }
}

function fourRows(a: usize, aStride: usize, inner: i32, x: usize, c: usize, cStride: usize, add: bool): void {
  const a1 = a + aStride;
  const a2 = a1 + aStride;
  const a3 = a2 + aStride;
  const c1 = c + cStride;
  const c2 = c1 + cStride;
  const c3 = c2 + cStride;
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  if (add) {
    c00 = v128.load(c);
    c01 = v128.load(c, 16);
    c10 = v128.load(c1);
    c11 = v128.load(c1, 16);
    c20 = v128.load(c2);
    c21 = v128.load(c2, 16);
    c30 = v128.load(c3);
    c31 = v128.load(c3, 16);
  }
  const end = <usize>inner << 2;
  for (let k: usize = 0; k < end; k += 4) {
    const x0 = v128.load(x);
    const x1 = v128.load(x, 16);
    let s = v128.load32_splat(a + k);
    c00 = multiplyAdd(s, x0, c00);
    c01 = multiplyAdd(s, x1, c01);
    s = v128.load32_splat(a1 + k);
    c10 = multiplyAdd(s, x0, c10);
    c11 = multiplyAdd(s, x1, c11);
    s = v128.load32_splat(a2 + k);
    c20 = multiplyAdd(s, x0, c20);
    c21 = multiplyAdd(s, x1, c21);
    s = v128.load32_splat(a3 + k);
    c30 = multiplyAdd(s, x0, c30);
    c31 = multiplyAdd(s, x1, c31);
    x += ROW;
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c1, c10);
  v128.store(c1, c11, 16);
  v128.store(c2, c20);
  v128.store(c2, c21, 16);
  v128.store(c3, c30);
  v128.store(c3, c31, 16);
}

function oneRow(a: usize, inner: i32, x: usize, c: usize, add: bool): void {
  let c0 = f32x4.splat(0);
  let c1 = c0;
  if (add) {
    c0 = v128.load(c);
    c1 = v128.load(c, 16);
  }
  for (const end = a + (<usize>inner << 2); a < end; a += 4) {
    const s = v128.load32_splat(a);
    c0 = multiplyAdd(s, v128.load(x), c0);
    c1 = multiplyAdd(s, v128.load(x, 16), c1);
    x += ROW;
  }
  v128.store(c, c0);
  v128.store(c, c1, 16);
}

/**
 * c += a · xᵀ, or c = a · xᵀ.
 *
 * @param a f32 [rows][inner], x f32 [columns][inner], c f32 [rows][columns]; strides in bytes; `inner` is a multiple of 4
 */
export function multiplyTransposed(
  a: usize,
  aStride: usize,
  rows: i32,
  x: usize,
  xStride: usize,
  columns: i32,
  inner: i32,
  c: usize,
  cStride: usize,
  add: bool
): void {
  let row = 0;
  for (; row + 2 <= rows; row += 2) {
    let column = 0;
    for (; column + 4 <= columns; column += 4) {
      twoByFour(
        a,
        a + aStride,
        x + <usize>column * xStride,
        xStride,
        inner,
        c + (<usize>column << 2),
        c + cStride + (<usize>column << 2),
        add
      );
    }
    for (; column < columns; column++) {
      const at = <usize>column << 2;
      single(a, x + <usize>column * xStride, inner, c + at, add);
      single(a + aStride, x + <usize>column * xStride, inner, c + cStride + at, add);
    }
    a += aStride << 1;
    c += cStride << 1;
  }
  for (; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      single(a, x + <usize>column * xStride, inner, c + (<usize>column << 2), add);
    }
    a += aStride;
    c += cStride;
  }
}

function twoByFour(a0: usize, a1: usize, x: usize, xStride: usize, inner: i32, c0: usize, c1: usize, add: bool): void {
  const x1 = x + xStride;
  const x2 = x1 + xStride;
  const x3 = x2 + xStride;
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s02 = s00;
  let s03 = s00;
  let s10 = s00;
  let s11 = s00;
  let s12 = s00;
  let s13 = s00;
  const end = <usize>inner << 2;
  for (let k: usize = 0; k < end; k += 16) {
    const p = v128.load(a0 + k);
    const q = v128.load(a1 + k);
    let y = v128.load(x + k);
    s00 = multiplyAdd(p, y, s00);
    s10 = multiplyAdd(q, y, s10);
    y = v128.load(x1 + k);
    s01 = multiplyAdd(p, y, s01);
    s11 = multiplyAdd(q, y, s11);
    y = v128.load(x2 + k);
    s02 = multiplyAdd(p, y, s02);
    s12 = multiplyAdd(q, y, s12);
    y = v128.load(x3 + k);
    s03 = multiplyAdd(p, y, s03);
    s13 = multiplyAdd(q, y, s13);
  }
  let first = sums(s00, s01, s02, s03);
  let second = sums(s10, s11, s12, s13);
  if (add) {
    first = f32x4.add(first, v128.load(c0));
    second = f32x4.add(second, v128.load(c1));
  }
  v128.store(c0, first);
  v128.store(c1, second);
}

function single(a: usize, x: usize, inner: i32, c: usize, add: bool): void {
  let s = f32x4.splat(0);
  const end = <usize>inner << 2;
  for (let k: usize = 0; k < end; k += 16) {
    s = multiplyAdd(v128.load(a + k), v128.load(x + k), s);
  }
  const sum = sumOf(s);
  store<f32>(c, add ? load<f32>(c) + sum : sum);
}

/** The sums of the lanes of four vectors, as the lanes of one. */
@inline
function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(
    v128.shuffle<f32>(a, b, 0, 4, 1, 5),
    v128.shuffle<f32>(a, b, 2, 6, 3, 7)
  ); // a0+a2, b0+b2, a1+a3, b1+b3
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

@inline
export function sumOf(s: v128): f32 {
  return (
    f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1) + (f32x4.extract_lane(s, 2) + f32x4.extract_lane(s, 3))
  );
}
