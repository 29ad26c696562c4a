/**
 * From the decoder's low-resolution logits to pixels. A mask's logits cover the padded frame. They are sampled bilinearly at the centres of the
 * image's pixels; a pixel whose logit is above 0 is inside. Callers make only the mask that is shown, and only its part in view.
 */
import { DecoderManifest } from '../shared/models';
import { Rect } from '../shared/rect';
import { samplesOf } from './mask-shape';
import { frameSize, ISize } from './prompts';

/** Sample positions along an axis: the lower neighbour of each, and how far it is to the upper one (0 to 1). */
interface ISamples {
  index: Int32Array;
  fraction: Float64Array;
}

/** A mask of the whole image: 0 and 1, rows × columns. */
export function upscaleMask(lowRes: Float32Array, size: ISize, manifest: DecoderManifest): Uint8Array {
  return upscaleMaskRegion(lowRes, size, { row0: 0, row1: size.rows, column0: 0, column1: size.columns }, manifest);
}

/** A part of a mask: 0 and 1, the region's rows × columns. The same pixels as in the mask of the whole image. */
export function upscaleMaskRegion(
  lowRes: Float32Array,
  size: ISize,
  region: Rect,
  manifest: DecoderManifest
): Uint8Array {
  const out = new Uint8Array((region.row1 - region.row0) * (region.column1 - region.column0));
  upscaleRows(lowRes, size, region, manifest, (at, value) => (out[at] = value > 0 ? 1 : 0));
  return out;
}

/** The logits at the pixels of a part of the image, the region's rows × columns. */
export function upscaleLogits(
  lowRes: Float32Array,
  size: ISize,
  region: Rect,
  manifest: DecoderManifest
): Float32Array {
  const out = new Float32Array((region.row1 - region.row0) * (region.column1 - region.column0));
  upscaleRows(lowRes, size, region, manifest, (at, value) => (out[at] = value));
  return out;
}

/** Call `set` with each pixel's index in the region and its logit. */
function upscaleRows(
  lowRes: Float32Array,
  size: ISize,
  region: Rect,
  manifest: DecoderManifest,
  set: (at: number, value: number) => void
): void {
  const side = manifest.decoder.maskSize;
  if (lowRes.length !== side * side) {
    throw new RangeError(`The mask has ${lowRes.length} logits; ${side} × ${side} will do.`);
  }
  const { row0, row1, column0, column1 } = region;
  if (!(
    0 <= row0 &&
    row0 <= row1 &&
    row1 <= size.rows &&
    0 <= column0 &&
    column0 <= column1 &&
    column1 <= size.columns
  )) {
    throw new RangeError(`Region ${JSON.stringify(region)} is outside an image of ${size.rows} × ${size.columns}.`);
  }
  const frame = frameSize(size, manifest.encoder.size, manifest.encoder.resize);
  const step = side / manifest.encoder.size;
  const down = samples(row0, row1, (frame.rows / size.rows) * step, side);
  const across = samples(column0, column1, (frame.columns / size.columns) * step, side);
  const columns = column1 - column0;
  const line = new Float64Array(side + 1);
  for (let row = 0; row < row1 - row0; row++) {
    const upper = down.index[row]! * side;
    const lower = Math.min(down.index[row]! + 1, side - 1) * side;
    const t = down.fraction[row]!;
    for (let i = 0; i < side; i++) {
      line[i] = lowRes[upper + i]! + (lowRes[lower + i]! - lowRes[upper + i]!) * t;
    }
    line[side] = line[side - 1]!;
    for (let column = 0, at = row * columns; column < columns; column++, at++) {
      const left = across.index[column]!;
      set(at, line[left]! + (line[left + 1]! - line[left]!) * across.fraction[column]!);
    }
  }
}

/** Positions of the pixels `begin` to `end` among `side` samples, `scale` samples a pixel, held inside at the ends. */
function samples(begin: number, end: number, scale: number, side: number): ISamples {
  const index = new Int32Array(end - begin);
  const fraction = new Float64Array(end - begin);
  for (let i = 0; i < index.length; i++) {
    const position = Math.min(Math.max((begin + i + 0.5) * scale - 0.5, 0), side - 1);
    index[i] = Math.floor(position);
    fraction[i] = position - index[i]!;
  }
  return { index, fraction };
}

/** The fraction of the image that a mask covers, counted on its logits. */
export function coverage(lowRes: Float32Array, size: ISize, manifest: DecoderManifest): number {
  const side = manifest.decoder.maskSize;
  const { rows, columns } = samplesOf(size, manifest);
  let inside = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      inside += lowRes[row * side + column]! > 0 ? 1 : 0;
    }
  }
  return inside / (rows * columns);
}

/** The overlap (IoU) of two masks of one image, counted on their logits; 0 if both are empty. */
export function maskOverlap(one: Float32Array, other: Float32Array, size: ISize, manifest: DecoderManifest): number {
  const side = manifest.decoder.maskSize;
  const { rows, columns } = samplesOf(size, manifest);
  let [both, either] = [0, 0];
  for (let row = 0; row < rows; row++) {
    for (let at = row * side; at < row * side + columns; at++) {
      const [a, b] = [one[at]! > 0, other[at]! > 0];
      both += a && b ? 1 : 0;
      either += a || b ? 1 : 0;
    }
  }
  return either === 0 ? 0 : both / either;
}

/**
 * How little a mask depends on the threshold of its logits: the intersection over union of the masks at +1 and −1, as SAM's automatic mask generator
 * has it (`calculate_stability_score` in segment-anything's `utils/amg.py`). 0 to 1; 0 without a mask.
 */
export function stability(lowRes: Float32Array, size: ISize, manifest: DecoderManifest): number {
  const side = manifest.decoder.maskSize;
  const { rows, columns } = samplesOf(size, manifest);
  let [inner, outer] = [0, 0];
  for (let row = 0; row < rows; row++) {
    for (let at = row * side; at < row * side + columns; at++) {
      inner += lowRes[at]! > 1 ? 1 : 0;
      outer += lowRes[at]! > -1 ? 1 : 0;
    }
  }
  return outer === 0 ? 0 : inner / outer;
}
