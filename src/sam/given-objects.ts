/**
 * Objects that are given as an array, as SAM draws them: the box of each, a pixel deep inside and its mask are the prompts. It cleans up a threshold or
 * a segmentation, object by object.
 */
import { DecoderManifest } from '../shared/models';
import { Rect } from '../shared/rect';
import { maskPrompts } from './carry';
import type { ICandidates } from './decoder';
import { samplesOf } from './mask-shape';
import { upscaleMaskRegion } from './masks';
import { IPrompts, ISize } from './prompts';

/** Least overlap (IoU) of SAM's mask with the object: with less SAM does not see it, and it stays as it was. */
const OVERLAP_MIN = 0.5;
/** Logit of a sample that lies wholly in the object; −this outside. */
const SURE = 8;

/** An object, and what SAM made of it. */
export interface IDrawnObject {
  id: number;
  /** Pixels of the image: row · columns + column, rising. */
  pixels: Uint32Array;
  /** The quality that SAM predicts for its mask. */
  score: number;
  /** Overlap (IoU) of SAM's mask with the given object. */
  overlap: number;
}

/** What is asked for. */
export interface IGivenObjects {
  manifest: DecoderManifest;
  /** Rows and columns of the image that the decoder sees. */
  size: ISize;
  /** The number of each pixel's object, rows × columns; 0 for none. */
  objects: Uint16Array;
  decode(prompts: IPrompts): Promise<ICandidates>;
  signal?: AbortSignal;
  /** Told how many objects are drawn. */
  progress?(done: number, total: number): void;
}

/** Draw each object, in the order of their numbers. An object that SAM does not see keeps its pixels. */
export async function* drawnObjects(options: IGivenObjects): AsyncGenerator<IDrawnObject> {
  const { manifest, size, objects, decode, signal, progress } = options;
  const pixelsOf = new Map<number, number[]>();
  objects.forEach((id, pixel) => {
    if (id > 0) {
      const pixels = pixelsOf.get(id);
      if (pixels) {
        pixels.push(pixel);
      } else {
        pixelsOf.set(id, [pixel]);
      }
    }
  });
  const ids = [...pixelsOf.keys()].sort((a, b) => a - b);
  for (const [done, id] of ids.entries()) {
    signal?.throwIfAborted();
    progress?.(done, ids.length);
    const given = Uint32Array.from(pixelsOf.get(id)!);
    const answer = await decode(promptsOf(given, size, manifest));
    const clear = answer.single ?? best(answer);
    const drawn = pixelsIn(upscaleMaskRegion(clear.lowRes, size, whole(size), manifest));
    const overlap = iou(given, drawn);
    yield { id, pixels: overlap >= OVERLAP_MIN ? drawn : given, score: clear.score, overlap };
  }
  progress?.(ids.length, ids.length);
}

/** Number the connected parts of what is not 0, along rows and columns, from 1 on in reading order. @throws RangeError for more than 65535 parts */
export function connectedObjects(inside: ArrayLike<number>, { rows, columns }: ISize): Uint16Array {
  const objects = new Uint16Array(rows * columns);
  const waiting: number[] = [];
  let count = 0;
  for (let first = 0; first < objects.length; first++) {
    if (!inside[first] || objects[first]) {
      continue;
    }
    if (++count > 0xffff) {
      throw new RangeError('The array has more than 65,535 objects; drop the small ones first.');
    }
    objects[first] = count;
    waiting.push(first);
    while (waiting.length > 0) {
      const pixel = waiting.pop()!;
      const column = pixel % columns;
      for (const next of [
        pixel - columns,
        pixel + columns,
        column > 0 ? pixel - 1 : -1,
        column < columns - 1 ? pixel + 1 : -1
      ]) {
        if (next >= 0 && next < objects.length && inside[next] && !objects[next]) {
          objects[next] = count;
          waiting.push(next);
        }
      }
    }
  }
  return objects;
}

/** An object as prompts. */
function promptsOf(pixels: Uint32Array, size: ISize, manifest: DecoderManifest): IPrompts {
  const side = manifest.decoder.maskSize;
  const samples = samplesOf(size, manifest);
  const [down, across] = [samples.rows / size.rows, samples.columns / size.columns];
  const shares = new Float32Array(side * side);
  const box: Rect = { row0: size.rows, row1: 0, column0: size.columns, column1: 0 };
  for (const pixel of pixels) {
    const [row, column] = [Math.floor(pixel / size.columns), pixel % size.columns];
    box.row0 = Math.min(box.row0, row);
    box.row1 = Math.max(box.row1, row + 1);
    box.column0 = Math.min(box.column0, column);
    box.column1 = Math.max(box.column1, column + 1);
    shares[Math.floor((row + 0.5) * down) * side + Math.floor((column + 0.5) * across)]! += 1;
  }
  // Of a small object the fullest sample is inside, even if it is not half full.
  const full = shares.reduce((most, share) => Math.max(most, share), 0);
  const mask = shares.map(share => SURE * ((2 * share) / full - 1));
  const { points } = maskPrompts(mask, size, manifest)!;
  return { points: points.map(point => nearest(point, pixels, size)), box, mask };
}

/** The object's pixel that is nearest to a point. */
function nearest(
  point: IPrompts['points'][number],
  pixels: Uint32Array,
  { columns }: ISize
): IPrompts['points'][number] {
  let found = pixels[0]!;
  let least = Infinity;
  for (const pixel of pixels) {
    const distance = (Math.floor(pixel / columns) - point.row) ** 2 + ((pixel % columns) - point.column) ** 2;
    if (distance < least) {
      [found, least] = [pixel, distance];
    }
  }
  return { ...point, row: Math.floor(found / columns), column: found % columns };
}

function best({ lowRes, scores }: ICandidates): { lowRes: Float32Array; score: number } {
  const scale = scores.indexOf(Math.max(...scores));
  return { lowRes: lowRes[scale]!, score: scores[scale]! };
}

function whole({ rows, columns }: ISize): Rect {
  return { row0: 0, row1: rows, column0: 0, column1: columns };
}

function pixelsIn(mask: Uint8Array): Uint32Array {
  const pixels: number[] = [];
  mask.forEach((inside, pixel) => {
    if (inside) {
      pixels.push(pixel);
    }
  });
  return Uint32Array.from(pixels);
}

/** Intersection over union of two rising lists. */
function iou(a: Uint32Array, b: Uint32Array): number {
  let both = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const [one, other] = [a[i]!, b[j]!];
    both += one === other ? 1 : 0;
    i += one <= other ? 1 : 0;
    j += other <= one ? 1 : 0;
  }
  return both / (a.length + b.length - both);
}
