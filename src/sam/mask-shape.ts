/**
 * Changes of a mask's shape. Connected parts, holes and smoothing work on SAM's logits, before they are sampled at the image's pixels: so they cost the
 * same on images of any size, and every part of a mask can still be made on its own. Growing works on pixels.
 *
 * Logits have `maskSize` rows and columns; only the samples of the image count, at the upper left, not those of the padding.
 */
import { DecoderManifest } from '../shared/models';
import { ISize, Rect } from '../shared/rect';
import { connectedParts } from './connected-parts';
import { frameSize } from './prompts';

/** A sample among the logits. */
export interface ISample {
  row: number;
  column: number;
}

/** What is changed in a mask's shape. */
export interface IMaskShape {
  /** Keep the connected parts at the points alone. */
  connected: boolean;
  /** Fill holes. */
  filled: boolean;
  /** Smooth the border. */
  smooth: boolean;
  /** Grow by so many pixels, or shrink if negative. */
  grow: number;
}

/** The shape as SAM gives it. */
export const PLAIN_SHAPE: Readonly<IMaskShape> = { connected: false, filled: false, smooth: false, grow: 0 };

/**
 * Change the shape of a mask, all but its growth.
 *
 * @param points pixels of the image; the connected parts at them are kept, or the largest part if none is at them
 */
export function shapedLogits(
  logits: Float32Array,
  { connected, filled: fills, smooth }: Readonly<Omit<IMaskShape, 'grow'>>,
  points: readonly { row: number; column: number }[],
  size: ISize,
  manifest: DecoderManifest
): Float32Array {
  const side = manifest.decoder.maskSize;
  const samples = samplesOf(size, manifest);
  let shaped = logits;
  if (smooth) {
    shaped = smoothed(shaped, side, samples);
  }
  if (connected) {
    const { down, across } = samplesPerPixel(size, manifest);
    const sample = (pixel: number, scale: number, count: number) =>
      Math.min(Math.max(Math.floor((pixel + 0.5) * scale), 0), count - 1);
    const on = points.map(({ row, column }) => ({
      row: sample(row, down, samples.rows),
      column: sample(column, across, samples.columns)
    }));
    shaped = connectedPart(shaped, side, samples, on);
  }
  return fills ? filled(shaped, side, samples) : shaped;
}

/** A rectangle of the image's pixels that holds all of a mask; empty, at 0, for an empty mask. */
export function maskBounds(logits: Float32Array, size: ISize, manifest: DecoderManifest): Rect {
  const side = manifest.decoder.maskSize;
  const samples = samplesOf(size, manifest);
  const { down, across } = samplesPerPixel(size, manifest);
  let [top, bottom, left, right] = [side, -1, side, -1];
  for (let row = 0; row < samples.rows; row++) {
    for (let column = 0; column < samples.columns; column++) {
      if (logits[row * side + column]! > 0) {
        top = Math.min(top, row);
        bottom = Math.max(bottom, row);
        left = Math.min(left, column);
        right = Math.max(right, column);
      }
    }
  }
  if (bottom < 0) {
    return { row0: 0, row1: 0, column0: 0, column1: 0 };
  }
  // One sample of margin covers the pixels between two samples.
  const clip = (value: number, most: number) => Math.min(Math.max(value, 0), most);
  return {
    row0: clip(Math.floor((top - 1) / down), size.rows),
    row1: clip(Math.ceil((bottom + 2) / down), size.rows),
    column0: clip(Math.floor((left - 1) / across), size.columns),
    column1: clip(Math.ceil((right + 2) / across), size.columns)
  };
}

/** Rows and columns of logits for each row and column of an image of this size. */
export function samplesPerPixel(size: ISize, manifest: DecoderManifest): { down: number; across: number } {
  const { encoder, decoder } = manifest;
  const frame = frameSize(size, encoder.size, encoder.resize);
  const step = decoder.maskSize / encoder.size;
  return { down: (frame.rows / size.rows) * step, across: (frame.columns / size.columns) * step };
}

/** The logits' rows and columns that show an image of this size. */
export function samplesOf(size: ISize, manifest: DecoderManifest): ISize {
  const { maskSize } = manifest.decoder;
  const frame = frameSize(size, manifest.encoder.size, manifest.encoder.resize);
  const samples = (pixels: number) => Math.max(1, Math.round((pixels / manifest.encoder.size) * maskSize));
  return { rows: samples(frame.rows), columns: samples(frame.columns) };
}

/**
 * Keep the connected parts of a mask on which one of the samples lies, or the largest part if there is none. Samples are connected through the four
 * beside them: bilinear interpolation joins exactly these.
 */
export function connectedPart(
  logits: Float32Array,
  side: number,
  samples: ISize,
  on: readonly ISample[]
): Float32Array {
  const parts = components(logits, side, samples, true);
  const kept = new Set(on.flatMap(({ row, column }) => parts.of[row * side + column] || []));
  if (kept.size === 0 && parts.sizes.length > 0) {
    kept.add(parts.sizes.indexOf(Math.max(...parts.sizes)) + 1);
  }
  return logits.map((logit, i) => (parts.of[i] && !kept.has(parts.of[i]) ? Math.min(-logit, -1) : logit));
}

/** Fill the holes of a mask: what is outside of it and is not connected with the image's border, through the four samples beside each. */
export function filled(logits: Float32Array, side: number, samples: ISize): Float32Array {
  const parts = components(logits, side, samples, false);
  const open = new Set<number>([0]);
  for (let row = 0; row < samples.rows; row++) {
    const inner = row > 0 && row < samples.rows - 1;
    for (let column = 0; column < samples.columns; column += inner ? Math.max(1, samples.columns - 1) : 1) {
      open.add(parts.of[row * side + column]!);
    }
  }
  return logits.map((logit, i) => (open.has(parts.of[i]!) ? logit : Math.max(-logit, 1)));
}

/**
 * Smooth the border of a mask: blur its logits, clipped so that none outweighs its neighbours, and move the threshold so that the area stays. Without
 * that, small objects would shrink or vanish.
 */
export function smoothed(logits: Float32Array, side: number, { rows, columns }: ISize): Float32Array {
  const out = logits.slice();
  const line = new Float32Array(Math.max(rows, columns) + 4);
  /** A binomial filter of five samples, which is close to a Gaussian of one sample; the ends are repeated. */
  const blur = (start: number, step: number, count: number) => {
    for (let i = 0; i < count; i++) {
      line[i + 2] = out[start + i * step]!;
    }
    line[0] = line[1] = line[2]!;
    line[count + 2] = line[count + 3] = line[count + 1]!;
    for (let i = 0; i < count; i++) {
      out[start + i * step] =
        (line[i]! + line[i + 4]!) / 16 + (line[i + 1]! + line[i + 3]!) / 4 + (line[i + 2]! * 6) / 16;
    }
  };
  let area = 0;
  for (let row = 0; row < rows; row++) {
    for (let at = row * side; at < row * side + columns; at++) {
      area += logits[at]! > 0 ? 1 : 0;
      out[at] = Math.min(Math.max(logits[at]!, -CLIP), CLIP);
    }
  }
  for (let row = 0; row < rows; row++) {
    blur(row * side, 1, columns);
  }
  for (let column = 0; column < columns; column++) {
    blur(column, side, rows);
  }
  if (area === 0 || area === rows * columns) {
    return logits;
  }
  // Most samples are clipped, and stay on their side: the others alone are sorted.
  const between = new Float32Array(rows * columns);
  let [count, above] = [0, 0];
  for (let row = 0; row < rows; row++) {
    for (let at = row * side; at < row * side + columns; at++) {
      if (out[at]! >= CLIP) {
        above++;
      } else if (out[at]! > -CLIP) {
        between[count++] = out[at]!;
      }
    }
  }
  const sorted = between.subarray(0, count).sort();
  const first = count - (area - above); // the lowest one inside
  const threshold = ((sorted[first] ?? CLIP) + (sorted[first - 1] ?? -CLIP)) / 2;
  for (let row = 0; row < rows; row++) {
    for (let at = row * side; at < row * side + columns; at++) {
      out[at]! -= threshold;
    }
  }
  return out;
}

/** Logits beyond this are sure, and count no more than this when a border is smoothed. */
const CLIP = 4;

/**
 * Grow a mask by a disc of radius `by` pixels, or shrink it if `by` is negative. What lies beyond the raster counts neither as inside nor as outside.
 *
 * @param mask 0 and 1, rows × columns
 */
export function grown(mask: Uint8Array, { rows, columns }: ISize, by: number): Uint8Array {
  const radius = Math.abs(by);
  const value = by > 0 ? 1 : 0;
  const out = mask.slice();
  const reaches = Array.from({ length: radius + 1 }, (_, dy) => Math.floor(Math.sqrt(radius * radius - dy * dy)));
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (mask[row * columns + column] !== value) {
        continue;
      }
      const start = column;
      while (column < columns && mask[row * columns + column] === value) {
        column++;
      }
      for (let to = Math.max(0, row - radius); to <= Math.min(rows - 1, row + radius); to++) {
        const reach = reaches[Math.abs(to - row)]!;
        out.fill(value, to * columns + Math.max(0, start - reach), to * columns + Math.min(columns, column + reach));
      }
    }
  }
  return out;
}

/** For each logit the number of its connected part, from 1; 0 if it is in none. Sizes by number less 1. */
function components(
  logits: Float32Array,
  side: number,
  size: ISize,
  inside: boolean
): { of: Uint16Array; sizes: number[] } {
  const of = new Uint16Array(logits.length);
  const { runs, sizes } = connectedParts(logits, side, size, inside);
  for (const { row, from, to, part } of runs) {
    of.fill(part + 1, row * side + from, row * side + to);
  }
  return { of, sizes };
}
