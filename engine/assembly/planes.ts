/** Whole planes of float32: sums and copies that the feature families share. */

/** to[i] = a[i] + b[i] for `bytes` bytes (a multiple of 16). */
export function add(a: usize, b: usize, to: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(to + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
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
