/**
 * Gabor filters: cos(2πf x′/n + ψ) · exp(−½ (x′²/σ² + y′² γ²/σ²)) on a square of n = 6 ⌊max(σ, σ/γ)⌋ + 1 pixels, where x′, y′ are the
 * coordinates turned by ten angles, 18° apart. For each of ψ = 0 and π/2: the maximum and the minimum of the ten responses. Daugman, 1985;
 * kernels and parameters are those of Trainable Weka Segmentation.
 *
 * That plugin standardises each response over the whole image, which a tile cannot. Here the kernel gets mean 0, by subtracting its
 * Gaussian-weighted mean from the cosine, and Σ|w| = 1.
 *
 * A kernel is split by its symmetry along x and along y. Turning by −θ mirrors it, which only changes the sign of the parts that are odd along x, so
 * the same parts serve both angles. Where the Gaussian is round, a part is a sum of few products of a function of x and one of y, found by
 * cross approximation (Bebendorf, Approximation of boundary element matrices, 2000, with full pivoting); elsewhere it is a sum of
 * one product for each column.
 *
 * `engine/onnx/lines.ts` repeats this arithmetic and must change with it; `sambalab/tests/onnx/test_forest.py` compares the two, and
 * `sambalab/tests/features/test_linear.py` compares the kernels with NumPy and SciPy.
 */
import { allocate, mark, release } from '../arena';
import { argument } from '../family';
import { columns, outPlane, outStride, rows, sourceAt, sourceStride } from '../tile';

const ANGLES = 10;
/** Largest error of a part, of Σ|w| = 1, spread over all pixels. */
const REMAINDER: f64 = 1e-7;
/** Rows that are filtered at a time: the planes of all functions of x stay in the cache. */
const BAND = 64;
/** Pixels of a row, as bytes, that are computed together. */
const BLOCK: usize = 32;
/** Bytes before a product's functions: i32 its column (−1: all, by the function of x); f32 the sum of an even function of x. */
const PRODUCT_HEAD: usize = 16;

/** Pixels to each side under a kernel. */
export function gaborReach(args: usize): i32 {
  const sigma = argument(args, 0);
  const gamma = argument(args, 1);
  return 3 * max(1, <i32>Math.floor(max(sigma, sigma / gamma)));
}

/** Arguments: σ, γ, frequency. */
export function gabor(args: usize, out: usize): void {
  const sigma = argument(args, 0);
  const gamma = argument(args, 1);
  const frequency = argument(args, 2);
  const bottom = mark();
  const reach = gaborReach(args);
  const stride = planeStride();
  const bytes = matrixBytes(reach);
  const evenX = allocate(bytes);
  const oddX = allocate(bytes);
  const products = allocate(<usize>(2 * reach + 1) * productBytes(reach));
  const planes = allocate(<usize>(2 * reach + 1) * <usize>(BAND + 2 * reach) * stride);
  for (let angle = 0; 2 * angle <= ANGLES; angle++) {
    parts(sigma, gamma, frequency, reach, (<f64>angle * Math.PI) / <f64>ANGLES, evenX, oddX);
    let even = cross(evenX, reach, products);
    let odd = cross(oddX, reach, products + <usize>even * productBytes(reach));
    // A column by itself costs a sum along y alone.
    if (5 * (even + odd) > 3 * (2 * reach + 1)) {
      even = single(evenX, reach, 0, products);
      odd = single(oddX, reach, 1, products + <usize>even * productBytes(reach));
    }
    const mirrored = angle > 0 && 2 * angle < ANGLES;
    for (let row = 0; row < rows; row += BAND) {
      const height = min(BAND, rows - row);
      for (let i = 0; i < even + odd; i++) {
        const plane = planes + <usize>(i * (BAND + 2 * reach)) * stride;
        alongX(products + <usize>i * productBytes(reach), reach, i >= even, row, height, plane);
      }
      alongY(products, even, odd, reach, row, height, planes, out + <usize>row * outStride, angle == 0, mirrored);
    }
  }
  release(bottom);
}

/** f64 [x][2][y], the parts of the even and of the odd function of y, x and y from 0 to the reach. */
function matrixBytes(reach: i32): usize {
  return (<usize>(reach + 1) * <usize>(2 * (reach + 1))) << 3;
}

/** f32 [reach + 1] function of x, then f32 [reach + 1][2], the even and the odd function of y. */
function productBytes(reach: i32): usize {
  return (PRODUCT_HEAD + (<usize>(3 * (reach + 1)) << 2) + 15) & ~15;
}

/** An odd multiple of 64, so that rows use different lines of the cache; a block fits behind each row. */
function planeStride(): usize {
  return (((<usize>columns << 2) + 2 * BLOCK + 63) & ~63) | 64;
}

/**
 * Write the parts of the kernels of both phases at an angle: even along x, with the even function of y of phase 0 and the odd one of phase π/2;
 * odd along x, with the even function of y of phase π/2 and the odd one of phase 0.
 */
function parts(sigma: f64, gamma: f64, frequency: f64, reach: i32, angle: f64, evenX: usize, oddX: usize): void {
  const wave = (2 * Math.PI * frequency) / <f64>(2 * reach + 1);
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  const bottom = mark();
  // The kernels of both phases at (x, y) and at (−x, y); x ≥ 0 is the half that the other mirrors.
  const side = 2 * reach + 1;
  const real = allocate((<usize>(side * side)) << 3);
  const imaginary = allocate((<usize>(side * side)) << 3);
  let weights: f64 = 0;
  let mean: f64 = 0;
  for (let pass = 0; pass < 2; pass++) {
    let address: usize = 0;
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        if (pass) {
          const g = load<f64>(imaginary + address);
          const phase = wave * (<f64>x * cosine + <f64>y * sine);
          store<f64>(real + address, load<f64>(real + address) - (mean / weights) * g);
          store<f64>(imaginary + address, -g * Math.sin(phase));
        } else {
          const along = <f64>x * cosine + <f64>y * sine;
          const across = (<f64>y * cosine - <f64>x * sine) * gamma;
          const g = Math.exp((-0.5 * (along * along + across * across)) / (sigma * sigma));
          weights += g;
          mean += g * Math.cos(wave * along);
          store<f64>(real + address, g * Math.cos(wave * along));
          store<f64>(imaginary + address, g);
        }
        address += 8;
      }
    }
  }
  const realScale = 0.5 / absoluteSum(real, side * side);
  const imaginaryScale = 0.5 / absoluteSum(imaginary, side * side);
  for (let x = 0; x <= reach; x++) {
    for (let y = 0; y <= reach; y++) {
      const here = <usize>((reach + y) * side + reach + x) << 3;
      const mirror = <usize>((reach + y) * side + reach - x) << 3;
      const evenY = <usize>(2 * x * (reach + 1) + y) << 3;
      const oddY = evenY + (<usize>(reach + 1) << 3);
      store<f64>(evenX + evenY, (load<f64>(real + here) + load<f64>(real + mirror)) * realScale);
      store<f64>(oddX + oddY, (load<f64>(real + here) - load<f64>(real + mirror)) * realScale);
      store<f64>(evenX + oddY, (load<f64>(imaginary + here) + load<f64>(imaginary + mirror)) * imaginaryScale);
      store<f64>(oddX + evenY, (load<f64>(imaginary + here) - load<f64>(imaginary + mirror)) * imaginaryScale);
    }
  }
  release(bottom);
}

function absoluteSum(values: usize, count: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < count; i++) {
    sum += Math.abs(load<f64>(values + (<usize>i << 3)));
  }
  return sum;
}

/** Write a matrix as a sum of products of a column and a row. @returns the number of products */
function cross(matrix: usize, reach: i32, products: usize): i32 {
  const bottom = mark();
  const size = reach + 1;
  const left = allocate(matrixBytes(reach));
  memory.copy(left, matrix, matrixBytes(reach));
  const side = <f64>(2 * reach + 1);
  let count = 0;
  for (; count < size; count++) {
    let pivot = 0;
    for (let i = 1; i < 2 * size * size; i++) {
      if (Math.abs(element(left, i)) > Math.abs(element(left, pivot))) {
        pivot = i;
      }
    }
    const largest = element(left, pivot);
    if (Math.abs(largest) * side * side <= REMAINDER) {
      break;
    }
    const row = pivot / (2 * size);
    const column = pivot % (2 * size);
    const product = products + <usize>count * productBytes(reach);
    store<i32>(product, -1);
    for (let x = 0; x < size; x++) {
      store<f32>(product + (<usize>x << 2), <f32>element(left, 2 * x * size + column), PRODUCT_HEAD);
    }
    store<f32>(product, <f32>sumOf(product + PRODUCT_HEAD, reach), 4);
    storeRow(left + (<usize>(2 * row * size) << 3), 1 / largest, reach, product);
    for (let x = 0; x < size; x++) {
      const factor = element(left, 2 * x * size + column) / largest;
      // The pivot's own row goes last: the others need it.
      if (x != row) {
        subtractRow(left, x, row, factor, size);
      }
    }
    subtractRow(left, row, row, 1, size);
  }
  release(bottom);
  return count;
}

@inline
function element(matrix: usize, i: i32): f64 {
  return load<f64>(matrix + (<usize>i << 3));
}

function subtractRow(matrix: usize, row: i32, other: i32, factor: f64, size: i32): void {
  for (let i = 0; i < 2 * size; i++) {
    const to = matrix + (<usize>(2 * row * size + i) << 3);
    store<f64>(to, load<f64>(to) - factor * element(matrix, 2 * other * size + i));
  }
}

/** Write a matrix as the sum of its rows from `first`, each with a function of x that is 1 in this row only. @returns the number of products */
function single(matrix: usize, reach: i32, first: i32, products: usize): i32 {
  for (let x = first; x <= reach; x++) {
    const product = products + <usize>(x - first) * productBytes(reach);
    store<i32>(product, x);
    store<f32>(product, x ? 2 : 1, 4);
    storeRow(matrix + (<usize>(2 * x * (reach + 1)) << 3), 1, reach, product);
  }
  return reach + 1 - first;
}

/** Write the functions of y of a product. */
function storeRow(row: usize, factor: f64, reach: i32, product: usize): void {
  let to = product + PRODUCT_HEAD + (<usize>(reach + 1) << 2);
  for (let y = 0; y <= reach; y++) {
    store<f32>(to, <f32>(element(row, y) * factor));
    store<f32>(to, <f32>(element(row, reach + 1 + y) * factor), 4);
    to += 8;
  }
}

/** Sum of an even function from the weights of its half. */
function sumOf(weights: usize, reach: i32): f64 {
  let sum = <f64>load<f32>(weights);
  for (let i = 1; i <= reach; i++) {
    sum += 2 * <f64>load<f32>(weights + (<usize>i << 2));
  }
  return sum;
}

/** Filter the pixels of a band of rows, with the reach above and below, by a product's function of x. */
function alongX(product: usize, reach: i32, odd: bool, row: i32, height: i32, plane: usize): void {
  const stride = planeStride();
  for (let i = -reach; i < height + reach; i++) {
    const from = sourceAt(row + i, 0);
    if (odd) {
      lineAlongX(product, reach, from, plane, true);
    } else {
      lineAlongX(product, reach, from, plane, false);
    }
    plane += stride;
  }
}

@inline
function lineAlongX(product: usize, reach: i32, from: usize, to: usize, odd: bool): void {
  const bytes = <usize>columns << 2;
  const only = load<i32>(product);
  if (only >= 0) {
    const shift = <usize>only << 2;
    for (let x: usize = 0; x < bytes; x += 16) {
      const after = v128.load(from + x + shift);
      v128.store(to + x, only ? pair(after, v128.load(from + x - shift), odd) : after);
    }
    return;
  }
  const kernel = product + PRODUCT_HEAD;
  const last = kernel + (<usize>reach << 2);
  for (let x: usize = 0; x < bytes; x += BLOCK) {
    // Even ones see differences from the middle: w₀ v₀ + Σ wᵢ (v₋ᵢ + vᵢ) = (Σ w) v₀ + Σ wᵢ (v₋ᵢ + vᵢ − 2 v₀).
    const sum = v128.load32_splat(product, 4);
    const middle0 = v128.load(from + x);
    const middle1 = v128.load(from + x, 16);
    const twice0 = f32x4.add(middle0, middle0);
    const twice1 = f32x4.add(middle1, middle1);
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    let before = from + x;
    let after = from + x;
    for (let k = kernel; k < last; ) {
      k += 4;
      before -= 4;
      after += 4;
      const w = v128.load32_splat(k);
      const pair0 = pair(v128.load(after), v128.load(before), odd);
      const pair1 = pair(v128.load(after, 16), v128.load(before, 16), odd);
      a = f32x4.add(a, f32x4.mul(w, odd ? pair0 : f32x4.sub(pair0, twice0)));
      b = f32x4.add(b, f32x4.mul(w, odd ? pair1 : f32x4.sub(pair1, twice1)));
    }
    if (!odd) {
      a = f32x4.add(a, f32x4.mul(sum, middle0));
      b = f32x4.add(b, f32x4.mul(sum, middle1));
    }
    v128.store(to + x, a);
    v128.store(to + x, b, 16);
  }
}

@inline
function pair(after: v128, before: v128, odd: bool): v128 {
  return odd ? f32x4.sub(after, before) : f32x4.add(after, before);
}

/**
 * Filter the planes of all products along y, add them up, and widen the range of the responses so far; `fresh` for the first angle.
 * If `mirrored`, do so for the mirrored kernel, too.
 */
function alongY(
  products: usize,
  even: i32,
  odd: i32,
  reach: i32,
  first: i32,
  height: i32,
  planes: usize,
  out: usize,
  fresh: bool,
  mirrored: bool
): void {
  const stride = planeStride();
  const plane = <usize>(BAND + 2 * reach) * stride;
  const step = productBytes(reach);
  const middle = planes + <usize>reach * stride;
  for (let x: usize = 0; x < outStride; x += BLOCK) {
    const whole = x + 16 < outStride;
    for (let row = 0; row < height; row++) {
      const p = middle + <usize>row * stride + x;
      const pixels = sourceAt(first + row, 0) + x;
      sums(p, plane, stride, products, step, even, reach, pixels, false);
      const evenY0 = sumA;
      const evenY1 = sumB;
      const oddY0 = sumC;
      const oddY1 = sumD;
      sums(p + <usize>even * plane, plane, stride, products + <usize>even * step, step, odd, reach, pixels, true);
      const to = out + <usize>row * outStride + x;
      widenRange(to, evenY0, sumC, fresh, mirrored);
      widenRange(to + 2 * outPlane, oddY0, sumA, fresh, mirrored);
      if (whole) {
        widenRange(to + 16, evenY1, sumD, fresh, mirrored);
        widenRange(to + 2 * outPlane + 16, oddY1, sumB, fresh, mirrored);
      }
    }
  }
}

/** Results of {@link sums}: with the even functions of y, and with the odd ones, 8 pixels each. */
let sumA: v128 = f32x4.splat(0);
let sumB: v128 = f32x4.splat(0);
let sumC: v128 = f32x4.splat(0);
let sumD: v128 = f32x4.splat(0);

/**
 * Sums over the products of one parity along x. Those that are even see pixels as differences from the one in the middle, at `middle`, which
 * a kernel of mean 0 allows: in a bright image long sums of pixels would lose the structure.
 */
@inline
function sums(
  p: usize,
  plane: usize,
  stride: usize,
  product: usize,
  step: usize,
  count: i32,
  reach: i32,
  middle: usize,
  odd: bool
): void {
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  let c = f32x4.splat(0);
  let d = f32x4.splat(0);
  const middle0 = v128.load(middle);
  const middle1 = v128.load(middle, 16);
  for (let i = 0; i < count; i++) {
    const weights = product + PRODUCT_HEAD + (<usize>(reach + 1) << 2);
    const sum = v128.load32_splat(product, 4);
    const base0 = f32x4.mul(sum, middle0);
    const base1 = f32x4.mul(sum, middle1);
    const twice0 = f32x4.add(base0, base0);
    const twice1 = f32x4.add(base1, base1);
    const centre = v128.load32_splat(weights);
    a = f32x4.add(a, f32x4.mul(centre, odd ? v128.load(p) : f32x4.sub(v128.load(p), base0)));
    b = f32x4.add(b, f32x4.mul(centre, odd ? v128.load(p, 16) : f32x4.sub(v128.load(p, 16), base1)));
    let before = p;
    let after = p;
    const last = weights + (<usize>reach << 3);
    for (let k = weights; k < last; ) {
      k += 8;
      before -= stride;
      after += stride;
      const after0 = v128.load(after);
      const after1 = v128.load(after, 16);
      const before0 = v128.load(before);
      const before1 = v128.load(before, 16);
      const w = v128.load32_splat(k);
      const v = v128.load32_splat(k, 4);
      const sum0 = f32x4.add(after0, before0);
      const sum1 = f32x4.add(after1, before1);
      a = f32x4.add(a, f32x4.mul(w, odd ? sum0 : f32x4.sub(sum0, twice0)));
      b = f32x4.add(b, f32x4.mul(w, odd ? sum1 : f32x4.sub(sum1, twice1)));
      c = f32x4.add(c, f32x4.mul(v, f32x4.sub(after0, before0)));
      d = f32x4.add(d, f32x4.mul(v, f32x4.sub(after1, before1)));
    }
    product += step;
    p += plane;
  }
  sumA = a;
  sumB = b;
  sumC = c;
  sumD = d;
}

/** Take the responses `one` + `other`, and `one` − `other` where mirrored, into the maximum and the minimum of 4 pixels. */
@inline
function widenRange(to: usize, one: v128, other: v128, fresh: bool, mirrored: bool): void {
  const response = f32x4.add(one, other);
  let most = response;
  let least = response;
  if (!fresh) {
    most = f32x4.max(most, v128.load(to));
    least = f32x4.min(least, v128.load(to + outPlane));
  }
  if (mirrored) {
    const mirror = f32x4.sub(one, other);
    most = f32x4.max(most, mirror);
    least = f32x4.min(least, mirror);
  }
  v128.store(to, most);
  v128.store(to + outPlane, least);
}
