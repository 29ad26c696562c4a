/**
 * Separable convolution in float64, two lanes at once: float32 is too coarse, since a high derivative is a small difference of large sums.
 * Planes of float64 hold the tile with a margin on each side, as those of float32 do (`tile.ts`).
 *
 * A kernel is given by its half, the centre's weight first, and is even or odd: w(−i) = w(i) or −w(i). Terms are added from the centre
 * outwards, pixel and mirror pixel together, in every lane alike, so a value does not depend on where its tile begins.
 * `Planes.convolve` in `engine/onnx/planes.ts` adds in the same order.
 */
import { allocate, mark, release } from './arena';
import { column0, column1, columns, imageColumns, imageRows, row0, row1, rows, sourceAt } from './tile';

/** Bytes of a row that are computed together. */
const BLOCK: usize = 64;

/** Bytes from row to row: an odd multiple of 64, so that the rows of a column use different lines of the cache; a block fits behind each row. */
export function wideStride(margin: i32): usize {
  return (((<usize>(columns + 2 * margin) << 3) + 2 * BLOCK - 1) & ~63) | 64;
}

/** A fresh plane of float64 with margins above and below, and before and after. */
export function widePlane(rowMargin: i32, margin: i32): usize {
  return allocate(<usize>(rows + 2 * rowMargin) * wideStride(margin));
}

/**
 * Filter the pixels along rows, then along columns.
 *
 * @param plane result, with `margin` on all sides; `margin + radius` must not exceed the source's
 * @param rowKernel f64 [radius + 1], half of the kernel along a row; `rowOdd` says that it is odd
 */
export function filterSource(
  plane: usize,
  margin: i32,
  radius: i32,
  rowKernel: usize,
  rowOdd: bool,
  columnKernel: usize,
  columnOdd: bool
): void {
  const bottom = mark();
  const above = margin + radius;
  const between = widePlane(above, margin);
  const count = columns + 2 * above;
  const line = allocate((<usize>count << 3) + BLOCK);
  const stride = wideStride(margin);
  for (let row = 0; row < rows + 2 * above; row++) {
    widen(sourceAt(row - above, -above), line, count);
    const from = line + (<usize>radius << 3);
    convolveLine(from, 8, between + <usize>row * stride, columns + 2 * margin, rowKernel, radius, rowOdd);
  }
  const from = between + <usize>radius * stride;
  filterColumns(from, stride, stride, plane, stride, margin, columnKernel, radius, columnOdd);
  release(bottom);
}

/**
 * Filter a plane along rows, then along columns, by kernels whose weights are `spacing` pixels apart.
 *
 * @param from a plane with `fromMargin` on all sides, which must not be less than `margin + spacing * radius`
 * @param plane result, with `margin` on all sides
 */
export function filterWide(
  from: usize,
  fromMargin: i32,
  plane: usize,
  margin: i32,
  spacing: i32,
  radius: i32,
  rowKernel: usize,
  rowOdd: bool,
  columnKernel: usize,
  columnOdd: bool
): void {
  const bottom = mark();
  const reach = spacing * radius;
  const above = margin + reach;
  const between = widePlane(above, margin);
  const fromStride = wideStride(fromMargin);
  const stride = wideStride(margin);
  let line = from + <usize>(fromMargin - above) * fromStride + (<usize>(fromMargin - margin) << 3);
  for (let row = 0; row < rows + 2 * above; row++) {
    const to = between + <usize>row * stride;
    convolveLine(line, <usize>spacing << 3, to, columns + 2 * margin, rowKernel, radius, rowOdd);
    line += fromStride;
  }
  const middle = between + <usize>reach * stride;
  filterColumns(middle, stride, <usize>spacing * stride, plane, stride, margin, columnKernel, radius, columnOdd);
  release(bottom);
}

/**
 * Smooth the product of two planes, pixel by pixel, with an even kernel in both directions.
 *
 * @param a plane with `margin`, as `b` is, which must not be less than `radius`
 * @param plane result, without margin
 */
export function smoothProduct(a: usize, b: usize, margin: i32, plane: usize, kernel: usize, radius: i32): void {
  const bottom = mark();
  const between = widePlane(radius, 0);
  const count = columns + 2 * radius;
  const line = allocate((<usize>count << 3) + BLOCK);
  const from = wideStride(margin);
  const first = <usize>(margin - radius) * (from + 8);
  const stride = wideStride(0);
  for (let row = 0; row < rows + 2 * radius; row++) {
    const offset = first + <usize>row * from;
    for (let i: usize = 0; i < <usize>count << 3; i += 16) {
      v128.store(line + i, f64x2.mul(v128.load(a + offset + i), v128.load(b + offset + i)));
    }
    convolveLine(line + (<usize>radius << 3), 8, between + <usize>row * stride, columns, kernel, radius, false);
  }
  filterColumns(between + <usize>radius * stride, stride, stride, plane, stride, 0, kernel, radius, false);
  release(bottom);
}

/** Let a plane repeat its outermost pixels where it reaches beyond the image. */
export function continueWide(plane: usize, margin: i32): void {
  const stride = wideStride(margin);
  const top = max(0, margin - row0);
  const end = rows + 2 * margin - max(0, row1 + margin - imageRows);
  const left = max(0, margin - column0);
  const right = columns + 2 * margin - max(0, column1 + margin - imageColumns);
  for (let row = top; row < end; row++) {
    const line = plane + <usize>row * stride;
    const first = load<f64>(line + (<usize>left << 3));
    for (let column = 0; column < left; column++) {
      store<f64>(line + (<usize>column << 3), first);
    }
    const last = load<f64>(line + (<usize>(right - 1) << 3));
    for (let column = right; column < columns + 2 * margin; column++) {
      store<f64>(line + (<usize>column << 3), last);
    }
  }
  for (let row = 0; row < top; row++) {
    memory.copy(plane + <usize>row * stride, plane + <usize>top * stride, stride);
  }
  for (let row = end; row < rows + 2 * margin; row++) {
    memory.copy(plane + <usize>row * stride, plane + <usize>(end - 1) * stride, stride);
  }
}

/** `count` values of float32 as float64. */
function widen(from: usize, to: usize, count: i32): void {
  const end = from + (<usize>count << 2);
  for (; from < end; from += 8) {
    v128.store(to, f64x2.promote_low_f32x4(v128.load64_zero(from)));
    to += 16;
  }
}

/** Filter along a row; the kernel's weights are `step` bytes apart. */
function convolveLine(from: usize, step: usize, to: usize, count: i32, kernel: usize, radius: i32, odd: bool): void {
  const end = to + (<usize>count << 3);
  const last = kernel + (<usize>radius << 3);
  for (; to < end; to += BLOCK) {
    if (odd) {
      convolveBlock(from, step, to, kernel, last, true);
    } else {
      convolveBlock(from, step, to, kernel, last, false);
    }
    from += BLOCK;
  }
}

/** Filter along columns, strip by strip, so that the rows of a strip stay in the cache. */
function filterColumns(
  from: usize,
  fromStride: usize,
  step: usize,
  to: usize,
  toStride: usize,
  margin: i32,
  kernel: usize,
  radius: i32,
  odd: bool
): void {
  const bytes = <usize>(columns + 2 * margin) << 3;
  const last = kernel + (<usize>radius << 3);
  for (let x: usize = 0; x < bytes; x += BLOCK) {
    let p = from + x;
    let q = to + x;
    for (let row = 0; row < rows + 2 * margin; row++) {
      if (odd) {
        convolveBlock(p, step, q, kernel, last, true);
      } else {
        convolveBlock(p, step, q, kernel, last, false);
      }
      p += fromStride;
      q += toStride;
    }
  }
}

@inline
function convolveBlock(p: usize, step: usize, to: usize, kernel: usize, last: usize, odd: bool): void {
  const centre = v128.load64_splat(kernel);
  let a = f64x2.mul(v128.load(p), centre);
  let b = f64x2.mul(v128.load(p, 16), centre);
  let c = f64x2.mul(v128.load(p, 32), centre);
  let d = f64x2.mul(v128.load(p, 48), centre);
  let before = p;
  let after = p;
  for (let k = kernel; k < last; ) {
    k += 8;
    before -= step;
    after += step;
    const w = v128.load64_splat(k);
    a = f64x2.add(a, f64x2.mul(w, pair(v128.load(after), v128.load(before), odd)));
    b = f64x2.add(b, f64x2.mul(w, pair(v128.load(after, 16), v128.load(before, 16), odd)));
    c = f64x2.add(c, f64x2.mul(w, pair(v128.load(after, 32), v128.load(before, 32), odd)));
    d = f64x2.add(d, f64x2.mul(w, pair(v128.load(after, 48), v128.load(before, 48), odd)));
  }
  v128.store(to, a);
  v128.store(to, b, 16);
  v128.store(to, c, 32);
  v128.store(to, d, 48);
}

@inline
function pair(after: v128, before: v128, odd: bool): v128 {
  return odd ? f64x2.sub(after, before) : f64x2.add(after, before);
}
