/**
 * The tile in hand: its place in the image, the pixels of one channel with their halo, and the planes that several feature families share
 * (256 grey levels here, Gaussians and derivatives in `smoothed.ts`), computed on first use.
 *
 * A plane of float32 holds the tile with a margin on each side. Outside of the image it repeats its nearest pixel inside, after every
 * step, as the plane of a whole image does; so tiles join without seams.
 *
 * Luminance and standardising have twins in `engine/onnx/index.ts` and `engine/onnx/intensity.ts`.
 */
import { allocate } from './arena';
import { replicateEdges } from './derivative-planes';

/** Margin of Gaussians: two Sobel steps follow. */
export const SMOOTH_MARGIN = 2;

/** The image, and the tile in it: rows and columns, the ends exclusive. */
export let imageRows = 0;
export let imageColumns = 0;
export let row0 = 0;
export let row1 = 0;
export let column0 = 0;
export let column1 = 0;
/** The tile's own size. */
export let rows = 0;
export let columns = 0;
/** Columns, rounded up to a multiple of 4: kernels compute this many of each row of the results. */
export let width = 0;
/** Bytes from row to row, and from plane to plane, of the results. */
export let outStride: usize = 0;
export let outPlane: usize = 0;

/** The pixels: address, bytes from row to row, and margin, which is the halo and {@link SMOOTH_MARGIN} more. */
export let source: usize = 0;
export let sourceStride: usize = 0;
export let sourceMargin = 0;
/** Grey values that families of 256 grey levels take as 0 and 255. */
export let low: f64 = 0;
export let high: f64 = 255;
/** Pixels are taken as (value − {@link origin}) · {@link gain}, and then {@link compressed} if they are standardised. */
let origin: f64 = 0;
let gain: f64 = 1;
let standardised = false;

/** Standardised pixels: the mean's value, the distance from it up to which a pixel keeps its value, and the most that can be added to that. */
const CENTRE: f64 = 127.5;
const KNEE: f64 = 425;
const ROOM: f64 = 850;

/**
 * Planes that are kept for this channel: f64 σ, u32 address of the Gaussian, of its derivatives along rows' and columns' direction; 0 is none.
 * From byte 20 on families keep values of their own (`families/derivatives.ts`, `families/structure.ts`).
 */
const KEPT_MAX = 128;
const KEPT_BYTES: usize = 32;
let kept: usize = 0;
let keptCount = 0;
let grey: usize = 0;
/** Number of calls of {@link loadSource}: a family whose kept values belong to an earlier one must compute them again. */
export let loads: u32 = 0;

/** Number of calls of {@link placeTile}: a family whose plan belongs to an earlier tile must begin another. */
export let placements: u32 = 0;

/** Set the tile and the image that the kernels work on. */
export function placeTile(
  ofRows: i32,
  ofColumns: i32,
  firstRow: i32,
  endRow: i32,
  firstColumn: i32,
  endColumn: i32,
  rangeLow: f64,
  rangeHigh: f64,
  zero: f64,
  factor: f64,
  compress: bool
): void {
  placements++;
  origin = zero;
  gain = factor;
  standardised = compress;
  imageRows = ofRows;
  imageColumns = ofColumns;
  row0 = firstRow;
  row1 = endRow;
  column0 = firstColumn;
  column1 = endColumn;
  rows = endRow - firstRow;
  columns = endColumn - firstColumn;
  width = (columns + 3) & ~3;
  outStride = <usize>width << 2;
  outPlane = <usize>((rows + 3) & ~3) * outStride;
  low = rangeLow;
  high = rangeHigh;
}

/** Element types of images, numbered: `engine/core/dtype.ts` and `sambalab/wasm/engine.py` have the same. */
export const enum Dtype {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  f64
}

/**
 * Load the pixels of a channel: the tile with `halo` around, clipped at the image's edges, `channels` values a pixel.
 *
 * @param channel its number; −1 takes the luminance of three, 0.2125 R + 0.7154 G + 0.0721 B (ITU-R BT.709, as
 * scikit-image's rgb2gray)
 */
export function loadSource(pixels: usize, dtype: i32, channels: i32, channel: i32, halo: i32): void {
  loads++;
  sourceMargin = halo + SMOOTH_MARGIN;
  sourceStride = strideOf(sourceMargin);
  source = newPlane(sourceMargin);
  kept = allocate(KEPT_BYTES * KEPT_MAX);
  keptCount = 0;
  grey = 0;
  const top = max(0, row0 - halo);
  const bottom = min(imageRows, row1 + halo);
  const left = max(0, column0 - halo);
  const right = min(imageColumns, column1 + halo);
  let index = 0;
  for (let row = top; row < bottom; row++) {
    let to = at(source, sourceStride, sourceMargin, row - row0, left - column0);
    const end = index + (right - left) * channels;
    if (channel >= 0 && dtype == Dtype.u8 && !standardised) {
      for (; index < end; index += channels) {
        store<f32>(to, <f32>load<u8>(pixels + <usize>(index + channel)));
        to += 4;
      }
    } else {
      for (; index < end; index += channels) {
        const value =
          channel >= 0
            ? valueAt(pixels, dtype, index + channel)
            : 0.2125 * valueAt(pixels, dtype, index) +
              0.7154 * valueAt(pixels, dtype, index + 1) +
              0.0721 * valueAt(pixels, dtype, index + 2);
        const scaled = (value - origin) * gain;
        store<f32>(to, <f32>(standardised ? compressed(scaled) : scaled));
        to += 4;
      }
    }
  }
  // Pixels beyond those given are outside of the image, or never read.
  replicateEdges(
    source,
    sourceStride,
    rows + 2 * sourceMargin,
    columns + 2 * sourceMargin,
    top - row0 + sourceMargin,
    row1 + sourceMargin - bottom,
    left - column0 + sourceMargin,
    column1 + sourceMargin - right
  );
}

/**
 * A standardised pixel. Up to 10 standard deviations from the mean it keeps its value; beyond, 10 + d becomes 10 + 20 d / (d + 20): bounded,
 * so that a hot pixel spoils no features around it, and still growing, so that two bright phases on an even background remain two.
 */
@inline
function compressed(value: f64): f64 {
  if (value > CENTRE + KNEE) {
    return CENTRE + KNEE + (ROOM - (ROOM * ROOM) / (value - (CENTRE + KNEE) + ROOM));
  }
  if (value < CENTRE - KNEE) {
    return CENTRE - KNEE - (ROOM - (ROOM * ROOM) / (CENTRE - KNEE - value + ROOM));
  }
  return value;
}

export function valueAt(pixels: usize, dtype: i32, index: i32): f64 {
  const i = <usize>index;
  switch (dtype) {
    case Dtype.u8:
      return <f64>load<u8>(pixels + i);
    case Dtype.i8:
      return <f64>load<i8>(pixels + i);
    case Dtype.u16:
      return <f64>load<u16>(pixels + (i << 1));
    case Dtype.i16:
      return <f64>load<i16>(pixels + (i << 1));
    case Dtype.u32:
      return <f64>load<u32>(pixels + (i << 2));
    case Dtype.i32:
      return <f64>load<i32>(pixels + (i << 2));
    case Dtype.f32:
      return <f64>load<f32>(pixels + (i << 2));
    default:
      return load<f64>(pixels + (i << 3));
  }
}

/** Bytes from row to row of a plane of float32 with this margin. */
export function strideOf(margin: i32): usize {
  return <usize>((columns + 2 * margin + 15) >> 3) << 5;
}

/** A fresh plane of float32 with a margin; its first pixel is `margin` rows and columns before the tile's. */
export function newPlane(margin: i32): usize {
  return allocate(<usize>(rows + 2 * margin + 4) * strideOf(margin));
}

/** Address of pixel (row, column) of the tile in a plane of float32. */
@inline
export function at(plane: usize, stride: usize, margin: i32, row: i32, column: i32): usize {
  return plane + <usize>(row + margin) * stride + (<usize>(column + margin) << 2);
}

/** The same in the source. */
export function sourceAt(row: i32, column: i32): usize {
  return at(source, sourceStride, sourceMargin, row, column);
}

/** Let a plane repeat its outermost pixels where it reaches beyond the image. */
export function continueEdges(plane: usize, margin: i32): void {
  const above = max(0, margin - row0);
  const below = max(0, row1 + margin - imageRows);
  const before = max(0, margin - column0);
  const after = max(0, column1 + margin - imageColumns);
  if (above + below + before + after > 0) {
    replicateEdges(plane, strideOf(margin), rows + 2 * margin, columns + 2 * margin, above, below, before, after);
  }
}

/** Address of the entry of a σ. */
export function entryOf(sigma: f64): usize {
  for (let i = 0; i < keptCount; i++) {
    const entry = kept + <usize>i * KEPT_BYTES;
    if (load<f64>(entry) == sigma) {
      return entry;
    }
  }
  if (keptCount == KEPT_MAX) {
    unreachable();
  }
  const entry = kept + <usize>keptCount * KEPT_BYTES;
  keptCount++;
  memory.fill(entry, 0, KEPT_BYTES);
  store<f64>(entry, sigma);
  return entry;
}

/** Bytes from row to row of {@link greyLevels}. */
export function greyStride(): usize {
  return <usize>(columns + 2 * sourceMargin + 63) & ~63;
}

/**
 * The pixels as whole numbers 0 to 255, one byte each, with the source's margin; kept. (value − low) · 255 / (high − low), rounded half up
 * and clipped; pixels of 8 bits stay the same with the range 0 to 255.
 */
export function greyLevels(): usize {
  if (!grey) {
    const stride = greyStride();
    grey = allocate(<usize>(rows + 2 * sourceMargin) * stride);
    const scale = 255 / (high - low);
    for (let row = 0; row < rows + 2 * sourceMargin; row++) {
      const from = source + <usize>row * sourceStride;
      const to = grey + <usize>row * stride;
      for (let column: usize = 0; column < <usize>(columns + 2 * sourceMargin); column++) {
        const level = Math.floor((<f64>load<f32>(from + (column << 2)) - low) * scale + 0.5);
        store<u8>(to + column, <u8>max<f64>(0, min<f64>(255, level)));
      }
    }
  }
  return grey;
}

/** Address of pixel (row, column) of the tile in {@link greyLevels}. */
export function greyAt(row: i32, column: i32): usize {
  return greyLevels() + <usize>(row + sourceMargin) * greyStride() + <usize>(column + sourceMargin);
}
