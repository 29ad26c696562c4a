/**
 * Separable symmetric convolution of float32 planes. The kernel is given by its half: weight 0 is the centre's. Terms are added from
 * the centre outwards, in every lane alike, so a pixel's value does not depend on where its tile begins.
 */

/** Along rows: `width` (a multiple of 8) columns of `rows` rows; strides in bytes. */
export function convolveRows(
  src: usize,
  srcStride: usize,
  dst: usize,
  dstStride: usize,
  width: i32,
  rows: i32,
  kernel: usize,
  radius: i32
): void {
  convolve(src, srcStride, 4, dst, dstStride, width, rows, kernel, radius);
}

/** Along columns. */
export function convolveColumns(
  src: usize,
  srcStride: usize,
  dst: usize,
  dstStride: usize,
  width: i32,
  rows: i32,
  kernel: usize,
  radius: i32
): void {
  convolve(src, srcStride, srcStride, dst, dstStride, width, rows, kernel, radius);
}

@inline
function convolve(
  src: usize,
  srcStride: usize,
  step: usize,
  dst: usize,
  dstStride: usize,
  width: i32,
  rows: i32,
  kernel: usize,
  radius: i32
): void {
  const bytes = <usize>width << 2;
  const centre = v128.load32_splat(kernel);
  const end = kernel + (<usize>radius << 2);
  for (let y = 0; y < rows; y++) {
    for (let x: usize = 0; x < bytes; x += 32) {
      const p = src + x;
      let a = f32x4.mul(v128.load(p), centre);
      let b = f32x4.mul(v128.load(p, 16), centre);
      let before = p;
      let after = p;
      for (let k = kernel; k < end; ) {
        k += 4;
        before -= step;
        after += step;
        const w = v128.load32_splat(k);
        a = f32x4.add(a, f32x4.mul(w, f32x4.add(v128.load(before), v128.load(after))));
        b = f32x4.add(b, f32x4.mul(w, f32x4.add(v128.load(before, 16), v128.load(after, 16))));
      }
      v128.store(dst + x, a);
      v128.store(dst + x, b, 16);
    }
    src += srcStride;
    dst += dstStride;
  }
}
