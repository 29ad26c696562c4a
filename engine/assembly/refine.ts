/**
 * Smooths probabilities along the image's edges, not across them: the guided filter (K. He, J. Sun, X. Tang, Guided image filtering, IEEE TPAMI 35,
 * 2013, equations 5, 6 and 8), with the image as guide. In a window of (2r + 1)² pixels, cut off at the image's edge, the probability p of a class
 * is fitted by a line in the guide's value I,
 *   a = (mean(I p) − mean(I) mean(p)) / (var(I) + ε),   b = mean(p) − a mean(I),
 * and a pixel gets mean(a) I + mean(b) over the windows that contain it. So a pixel depends on 2r pixels to each side.
 *
 * Sums are taken anew at each pixel, in the same order, so the result does not depend on where a tile begins.
 *
 * `engine/onnx/refine.ts` repeats this arithmetic bit by bit and must change with it; `engine/onnx/__tests__/onnx-refine.spec.ts` compares the two.
 */

/** Size of the tile, and radius of the windows, which is the margin of each row before and behind. */
let rows: i32 = 0;
let columns: i32 = 0;
let radius: i32 = 0;
/** Bytes from row to row. */
let stride: usize = 0;
/** A row with zeros before and behind it. */
let wide: usize = 0;
let margin: usize = 0;

@inline
function strideOf(width: i32): usize {
  return <usize>((width + 3) & ~3) << 2;
}

@inline
function marginOf(reach: i32): usize {
  return <usize>((reach + 3) & ~3) << 2;
}

/** Bytes that {@link refine} needs as scratch. */
export function refineScratch(ofRows: i32, ofColumns: i32, reach: i32): usize {
  return 8 * <usize>ofRows * strideOf(ofColumns) + strideOf(ofColumns) + 2 * marginOf(reach) + 64;
}

/**
 * Refine the probabilities of a part of a tile.
 *
 * @param probabilities f32 [pixel][class] of the whole tile, row by row
 * @param guide f32, a plane of the whole tile, `guideStride` bytes from row to row
 * @param firstRow first row of the part; the tile reaches 2 `reach` pixels beyond the part, or to the image's edge
 * @param refined f32 [pixel][class] of the part: receives probabilities
 * @param prediction u8 [pixel] of the part: index of the class with the highest probability, the lowest at a tie; 0 leaves it out
 * @param uncertainty f32 [pixel] of the part: 1 − (highest − second highest); 0 leaves it out
 * @param scratch {@link refineScratch} bytes
 */
export function refine(
  probabilities: usize,
  ofRows: i32,
  ofColumns: i32,
  classes: i32,
  guide: usize,
  guideStride: usize,
  firstRow: i32,
  firstColumn: i32,
  partRows: i32,
  partColumns: i32,
  reach: i32,
  epsilon: f32,
  refined: usize,
  prediction: usize,
  uncertainty: usize,
  scratch: usize
): void {
  rows = ofRows;
  columns = ofColumns;
  radius = reach;
  stride = strideOf(columns);
  margin = marginOf(reach);
  const plane = <usize>rows * stride;
  const image = scratch;
  const mean = image + plane;
  const inverse = mean + plane;
  const p = inverse + plane;
  const product = p + plane;
  const a = product + plane;
  const b = a + plane;
  const rest = b + plane;
  wide = rest + plane;
  memory.fill(wide, 0, stride + 2 * margin + 64);

  for (let row = 0; row < rows; row++) {
    const to = image + <usize>row * stride;
    memory.copy(to, guide + <usize>row * guideStride, <usize>columns << 2);
    // Values behind the last column are never added, but must be numbers.
    memory.fill(to + (<usize>columns << 2), 0, stride - (<usize>columns << 2));
  }
  makeSound(image, plane);
  memory.fill(p, 0, plane);
  multiply(image, image, product);
  box(image, rest, mean);
  box(product, rest, inverse);
  for (let i: usize = 0; i < plane; i += 16) {
    const m = v128.load(mean + i);
    const variance = f32x4.pmax(f32x4.splat(0), f32x4.sub(v128.load(inverse + i), f32x4.mul(m, m)));
    v128.store(inverse + i, f32x4.div(f32x4.splat(1), f32x4.add(variance, f32x4.splat(epsilon))));
  }
  for (let c = 0; c < classes - 1; c++) {
    take(probabilities, classes, c, p);
    multiply(image, p, product);
    box(p, rest, b);
    box(product, rest, a);
    for (let i: usize = 0; i < plane; i += 16) {
      const m = v128.load(mean + i);
      const level = v128.load(b + i);
      const slope = f32x4.mul(f32x4.sub(v128.load(a + i), f32x4.mul(m, level)), v128.load(inverse + i));
      v128.store(a + i, slope);
      v128.store(b + i, f32x4.sub(level, f32x4.mul(slope, m)));
    }
    box(a, rest, product);
    box(b, rest, p);
    let to = refined + (<usize>c << 2);
    for (let row = firstRow; row < firstRow + partRows; row++) {
      let at = <usize>row * stride + (<usize>firstColumn << 2);
      for (let column = 0; column < partColumns; column++) {
        store<f32>(to, load<f32>(product + at) * load<f32>(image + at) + load<f32>(p + at));
        to += <usize>classes << 2;
        at += 4;
      }
    }
  }
  choose(refined, <usize>partRows * <usize>partColumns, classes, prediction, uncertainty);
}

/** Replace pixels that are not finite, or huge, by the image's mean: they would spoil all windows around them. */
function makeSound(guide: usize, bytes: usize): void {
  const limit = f32x4.splat(1e6);
  const mean = f32x4.splat(127.5);
  for (let i: usize = 0; i < bytes; i += 16) {
    const value = v128.load(guide + i);
    v128.store(guide + i, v128.bitselect(value, mean, f32x4.le(f32x4.abs(value), limit)));
  }
}

/** One class of the probabilities, as a plane. */
function take(probabilities: usize, classes: i32, c: i32, to: usize): void {
  let from = probabilities + (<usize>c << 2);
  for (let row = 0; row < rows; row++) {
    const end = to + (<usize>columns << 2);
    for (let at = to; at < end; at += 4) {
      store<f32>(at, load<f32>(from));
      from += <usize>classes << 2;
    }
    to += stride;
  }
}

function multiply(x: usize, y: usize, to: usize): void {
  const end = <usize>rows * stride;
  for (let i: usize = 0; i < end; i += 16) {
    v128.store(to + i, f32x4.mul(v128.load(x + i), v128.load(y + i)));
  }
}

/** Means over the windows; `down` is a plane for sums along columns. */
function box(from: usize, down: usize, to: usize): void {
  for (let row = 0; row < rows; row++) {
    const begin = from + <usize>max(0, row - radius) * stride;
    const end = from + <usize>min(rows - 1, row + radius) * stride;
    const out = down + <usize>row * stride;
    for (let x: usize = 0; x < stride; x += 16) {
      let sum = v128.load(begin + x);
      for (let at = begin + stride; at <= end; at += stride) {
        sum = f32x4.add(sum, v128.load(at + x));
      }
      v128.store(out + x, sum);
    }
  }
  const used = <usize>columns << 2;
  const window = <usize>(2 * radius + 1) << 2;
  const last = <f32>(columns - 1);
  const reach = <f32>radius;
  for (let row = 0; row < rows; row++) {
    memory.copy(wide + margin, down + <usize>row * stride, used);
    memory.fill(wide + margin + used, 0, margin);
    const count = <f32>(min(rows - 1, row + radius) - max(0, row - radius) + 1);
    const out = to + <usize>row * stride;
    const first = wide + margin - (<usize>radius << 2);
    let column = f32x4(0, 1, 2, 3);
    for (let x: usize = 0; x < stride; x += 16) {
      let sum = v128.load(first + x);
      for (let at: usize = 4; at < window; at += 4) {
        sum = f32x4.add(sum, v128.load(first + x + at));
      }
      const right = f32x4.pmin(f32x4.splat(last), f32x4.add(column, f32x4.splat(reach)));
      const left = f32x4.pmax(f32x4.splat(0), f32x4.sub(column, f32x4.splat(reach)));
      const across = f32x4.pmax(f32x4.splat(1), f32x4.add(f32x4.sub(right, left), f32x4.splat(1)));
      v128.store(out + x, f32x4.div(sum, f32x4.mul(across, f32x4.splat(count))));
      column = f32x4.add(column, f32x4.splat(4));
    }
  }
}

/** Give the last class what the others leave of 1, clip below 0, divide by the sum and choose the class. */
function choose(refined: usize, pixels: usize, classes: i32, prediction: usize, uncertainty: usize): void {
  const bytes = <usize>classes << 2;
  for (let pixel: usize = 0; pixel < pixels; pixel++) {
    const own = refined + pixel * bytes;
    let rest: f32 = 1;
    let sum: f32 = 0;
    for (let c = 0; c < classes; c++) {
      const value = c == classes - 1 ? rest : load<f32>(own + (<usize>c << 2));
      rest -= value;
      const kept = max<f32>(0, value);
      store<f32>(own + (<usize>c << 2), kept);
      sum += kept;
    }
    let best: f32 = -1;
    let second: f32 = 0;
    let winner = 0;
    for (let c = 0; c < classes; c++) {
      const value = load<f32>(own + (<usize>c << 2)) / sum;
      store<f32>(own + (<usize>c << 2), value);
      if (value > best) {
        second = max<f32>(0, best);
        best = value;
        winner = c;
      } else if (value > second) {
        second = value;
      }
    }
    if (prediction) {
      store<u8>(prediction + pixel, <u8>winner);
    }
    if (uncertainty) {
      store<f32>(uncertainty + (pixel << 2), 1 - (best - second));
    }
  }
}
