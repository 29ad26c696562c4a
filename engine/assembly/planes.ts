/** Whole planes of float32: sums and differences that the feature families share. */

/** dst[i] = src[i] + src[i + offset] for `bytes` bytes (a multiple of 16); `offset` in bytes. */
export function addShifted(src: usize, dst: usize, offset: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(dst + i, f32x4.add(v128.load(src + i), v128.load(src + i + offset)));
  }
}

/** out[y][x] = a[y][x] − b[y][x]; strides in bytes, `width` a multiple of 4. */
export function subtract(a: usize, b: usize, stride: usize, out: usize, outStride: usize, width: i32, rows: i32): void {
  const bytes = (<usize>width) << 2;
  for (let y = 0; y < rows; y++) {
    for (let x: usize = 0; x < bytes; x += 16) {
      v128.store(out + x, f32x4.sub(v128.load(a + x), v128.load(b + x)));
    }
    a += stride;
    b += stride;
    out += outStride;
  }
}

/** out[y][x] = src[y][x]; strides in bytes, `width` a multiple of 4. */
export function copyRows(src: usize, stride: usize, out: usize, outStride: usize, width: i32, rows: i32): void {
  for (let y = 0; y < rows; y++) {
    memory.copy(out, src, (<usize>width) << 2);
    src += stride;
    out += outStride;
  }
}
