/**
 * Objects like one that the user accepted: SAM's embedding says where they may be, SAM's decoder draws them, and what is drawn must look and measure like
 * the example.
 *
 * The embedding of a place is compared with the mean over the example by the cosine of their angle, both without the mean over the image in which the
 * example is, since all places share a large part of it. The example may lie in another image than the one that is searched: another window, or slice.
 */
import { DecoderManifest } from '../shared/models';
import { Rect } from '../shared/rect';
import type { ICandidates } from './decoder';
import { samplesOf, samplesPerPixel } from './mask-shape';
import { maskTraits } from './mask-traits';
import { frameSize, IPromptPoint, IPrompts, ISize } from './prompts';

/** An object that is proposed. */
export interface IProposal {
  /** Logits of the padded frame. */
  lowRes: Float32Array;
  /** The quality that SAM predicts for the mask. */
  score: number;
  /** Cosine between its mean embedding and that of the example, −1 to 1. */
  similarity: number;
  /** The prompt that it answers. */
  point: IPromptPoint;
}

/** What objects are compared with. */
export interface ILikeness {
  /** The mean embedding over the example, one number a channel, without {@link common}. */
  embedding: Float64Array;
  /** The mean embedding over the image in which the example is. */
  common: Float64Array;
  /** Pixels of the example. */
  area: number;
}

/** What is asked for. */
export interface ISimilarOptions {
  manifest: DecoderManifest;
  /** Of the image: float32 [channels, rows, columns]. */
  embedding: Float32Array;
  /** Rows and columns of the image. */
  size: ISize;
  /** That of the example, by {@link likenessOf}. */
  like: ILikeness;
  /** Only places in this rectangle of the image are looked at; absent: all. */
  where?: Rect;
  /** Similarities of objects that were found elsewhere, in other windows: they too say how similar those are that belong together. */
  known?: readonly number[];
  /** Logits of objects that are taken already, such as the example: what overlaps them is not proposed. */
  taken?: readonly Float32Array[];
  /** Decodes prompts on the embedding. */
  decode(prompts: IPrompts): Promise<ICandidates>;
  /** Most prompts that are decoded; 400 by default. */
  most?: number;
  signal?: AbortSignal;
  /** Told how many of the places that may hold an object have been looked at. */
  progress?(done: number, total: number): void;
}

/** Objects below this similarity are not proposed. */
const OBJECT_MIN = 0.5;
/**
 * Nor are those that are further from the example, by 1 − similarity, than so many times the nearest ones: than the first quartile of those that were found,
 * once there are some. Particles that all look alike are told from anything else in this way; others may vary more.
 */
const SPREAD_MAX = 5;
const FOUND_MIN = 5;
/** Places below this similarity are not looked at, nor those that are less similar than objects must be by so much: a place may hold a part of one. */
const PLACE_MIN = 0.35;
const PLACE_BELOW = 0.25;
/** An object's area may differ from the example's by this factor. */
export const AREA_FACTOR = 6;
/** Least stability of a mask: the overlap of its parts above a logit of 1 and of −1. */
const STABILITY_MIN = 0.7;
/** Least quality that SAM predicts for a mask. */
const SCORE_MIN = 0.75;
/** Weights of a scale's worth, the first three nearly as those of Auto; the last is for each factor e between its area and the example's. */
const SCORE_WEIGHT = 0.9;
const STABILITY_WEIGHT = 0.26;
const CONNECTED_WEIGHT = 0.28;
const SIMILARITY_WEIGHT = 0.2;
const SIZE_WEIGHT = -0.05;
/** After so many prompts without a proposal the rest, which is less similar, is not looked at. */
const PATIENCE = 24;
/** Of two proposals that share more than this part of the smaller one, the better is kept. */
const SHARED_MAX = 0.3;

/**
 * What makes other objects like an example.
 *
 * @param embedding of the image in which it is, float32 [channels, rows, columns]
 * @param example its logits, of the padded frame
 * @throws RangeError for an example without a pixel
 */
export function likenessOf(
  embedding: Float32Array,
  size: ISize,
  example: Float32Array,
  manifest: DecoderManifest
): ILikeness {
  const samples = areaOf(example);
  if (samples === 0) {
    throw new RangeError('The example has no pixel: accept an object first.');
  }
  const places = new Places(embedding, size, manifest);
  return { embedding: places.mean(example), common: places.common, area: samples * pixelsOfSample(size, manifest) };
}

/** Propose objects like the example, best places first. */
export async function* similarObjects(options: ISimilarOptions): AsyncGenerator<IProposal> {
  const { manifest, embedding, size, like, where, taken = [], decode, most = 400, signal, progress } = options;
  const side = manifest.decoder.maskSize;
  const samples = samplesOf(size, manifest);
  const area = like.area / pixelsOfSample(size, manifest);
  const places = new Places(embedding, size, manifest, like.common);
  const map = places.similarities(like.embedding);
  // What is covered: by objects that are taken, and by proposals.
  const covered = new Uint8Array(side * side);
  taken.forEach(mask => cover(covered, mask));
  // Where a place was looked at in vain: the smallest region that SAM saw there.
  const vain = new Uint8Array(side * side);
  const order = peaks(map, places, Math.sqrt(area / Math.PI) / (side / places.columns) / 2);
  const similarities = [...(options.known ?? [])];
  let decoded = 0;
  let fruitless = 0;
  for (const [index, { row, column, value }] of order.entries()) {
    signal?.throwIfAborted();
    progress?.(index, order.length);
    const step = side / places.columns;
    const [y, x] = [
      Math.min((row + 0.5) * step, samples.rows - 1),
      Math.min((column + 0.5) * step, samples.columns - 1)
    ];
    const sample = Math.floor(y) * side + Math.floor(x);
    const point: IPromptPoint = {
      row: Math.min(((y + 0.5) * size.rows) / samples.rows - 0.5, size.rows - 1),
      column: Math.min(((x + 0.5) * size.columns) / samples.columns - 0.5, size.columns - 1),
      label: 1
    };
    if (covered[sample] || vain[sample] || (where && !contains(where, point))) {
      continue;
    }
    if (decoded >= most || fruitless >= PATIENCE) {
      break;
    }
    const least = leastSimilarity(similarities);
    if (value < least - PLACE_BELOW) {
      continue;
    }
    decoded++;
    fruitless++;
    const answer = await decode({ points: [point] });
    const found = bestLike(answer, point, area, least, size, manifest, mask => places.similarity(mask, like.embedding));
    if (!found || shared(covered, found.lowRes) > SHARED_MAX) {
      cover(
        vain,
        answer.lowRes.reduce((least, mask) => (areaOf(mask) < areaOf(least) ? mask : least))
      );
      continue;
    }
    fruitless = 0;
    similarities.push(found.similarity);
    cover(covered, found.lowRes);
    yield { ...found, point };
  }
  progress?.(order.length, order.length);
}

/** How similar an object must be, after those that were found so far. */
function leastSimilarity(similarities: readonly number[]): number {
  const { length } = similarities;
  const falling = [...similarities].sort((a, b) => b - a);
  return length < FOUND_MIN ? OBJECT_MIN : Math.max(OBJECT_MIN, 1 - SPREAD_MAX * (1 - falling[length >> 2]!));
}

/** The scale of most worth among those that are like the example; null if none is. */
function bestLike(
  { lowRes, scores }: ICandidates,
  at: IPromptPoint,
  area: number,
  least: number,
  size: ISize,
  manifest: DecoderManifest,
  similarityOf: (mask: Float32Array) => number
): Omit<IProposal, 'point'> | null {
  let best: Omit<IProposal, 'point'> | null = null;
  let most = -Infinity;
  lowRes.forEach((mask, i) => {
    const score = scores[i]!;
    const ratio = Math.abs(Math.log(Math.max(areaOf(mask), 1) / area));
    if (ratio > Math.log(AREA_FACTOR) || score < SCORE_MIN) {
      return;
    }
    const { stability, connected } = maskTraits(mask, at, size, manifest);
    const similarity = similarityOf(mask);
    const worth =
      SCORE_WEIGHT * score +
      STABILITY_WEIGHT * stability +
      CONNECTED_WEIGHT * connected +
      SIMILARITY_WEIGHT * similarity +
      SIZE_WEIGHT * ratio;
    if (stability >= STABILITY_MIN && similarity >= least && worth > most) {
      most = worth;
      best = { lowRes: mask, score, similarity };
    }
  });
  return best;
}

/** An embedding's grid of places. */
class Places {
  /** @param common what is taken off each place, one number a channel; absent: the mean over the image */
  constructor(embedding: Float32Array, size: ISize, manifest: DecoderManifest, common?: Float64Array) {
    const [channels, rows, columns] = manifest.encoder.layers.output.shape;
    this.channels = channels;
    this.rows = rows;
    this.columns = columns;
    this._step = manifest.decoder.maskSize / columns;
    const frame = frameSize(size, manifest.encoder.size, manifest.encoder.resize);
    this.usedRows = Math.ceil((frame.rows / manifest.encoder.size) * rows);
    this.usedColumns = Math.ceil((frame.columns / manifest.encoder.size) * columns);
    this.common = common ?? this._meanOf(embedding);
    // Channels of a place lie together here, without what is common.
    const values = new Float32Array(channels * rows * columns);
    for (let channel = 0; channel < channels; channel++) {
      const from = channel * rows * columns;
      for (let place = 0; place < rows * columns; place++) {
        values[place * channels + channel] = embedding[from + place]! - this.common[channel]!;
      }
    }
    this._values = values;
  }

  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
  /** What is taken off each place. */
  readonly common: Float64Array;
  /** Rows and columns that the image covers; the others are padding. */
  readonly usedRows: number;
  readonly usedColumns: number;

  /** The mean over a mask; places count by the part of them that is inside. */
  mean(mask: Float32Array): Float64Array {
    const { channels, columns } = this;
    const side = this._step * columns;
    const mean = new Float64Array(channels);
    for (let row = 0; row < this.usedRows; row++) {
      for (let column = 0; column < this.usedColumns; column++) {
        let inside = 0;
        for (let y = row * this._step; y < (row + 1) * this._step; y++) {
          for (let x = column * this._step; x < (column + 1) * this._step; x++) {
            inside += mask[y * side + x]! > 0 ? 1 : 0;
          }
        }
        if (inside > 0) {
          // Places that lie inside count more than those that the border crosses.
          const weight = (inside / this._step ** 2) ** 2;
          const at = (row * columns + column) * channels;
          for (let channel = 0; channel < channels; channel++) {
            mean[channel]! += weight * this._values[at + channel]!;
          }
        }
      }
    }
    return mean;
  }

  similarity(mask: Float32Array, to: Float64Array): number {
    return cosine(this.mean(mask), 0, to);
  }

  similarities(to: Float64Array): Float64Array {
    return Float64Array.from({ length: this.rows * this.columns }, (_, place) =>
      cosine(this._values, place * this.channels, to)
    );
  }

  /** The mean over the image. */
  private _meanOf(embedding: Float32Array): Float64Array {
    const used = this.usedRows * this.usedColumns;
    return Float64Array.from({ length: this.channels }, (_, channel) => {
      const from = channel * this.rows * this.columns;
      let total = 0;
      for (let row = 0; row < this.usedRows; row++) {
        for (let column = 0; column < this.usedColumns; column++) {
          total += embedding[from + row * this.columns + column]!;
        }
      }
      return total / used;
    });
  }

  private readonly _values: Float32Array;
  private readonly _step: number;
}

function cosine(values: ArrayLike<number>, from: number, to: Float64Array): number {
  let [product, a, b] = [0, 0, 0];
  for (let i = 0; i < to.length; i++) {
    const value = values[from + i]!;
    product += value * to[i]!;
    a += value * value;
    b += to[i]! * to[i]!;
  }
  return a > 0 && b > 0 ? product / Math.sqrt(a * b) : 0;
}

/** Places that may hold an object: those that are the most similar within a radius first, then the others, by falling similarity. */
function peaks(map: Float64Array, places: Places, radius: number): { row: number; column: number; value: number }[] {
  const reach = Math.max(1, Math.round(radius));
  const out: { row: number; column: number; value: number; peak: boolean }[] = [];
  for (let row = 0; row < places.usedRows; row++) {
    for (let column = 0; column < places.usedColumns; column++) {
      const value = map[row * places.columns + column]!;
      if (value < PLACE_MIN) {
        continue;
      }
      let peak = true;
      for (let y = Math.max(0, row - reach); y <= Math.min(places.usedRows - 1, row + reach); y++) {
        for (let x = Math.max(0, column - reach); x <= Math.min(places.usedColumns - 1, column + reach); x++) {
          peak &&= map[y * places.columns + x]! <= value;
        }
      }
      out.push({ row, column, value, peak });
    }
  }
  return out.sort((a, b) => Number(b.peak) - Number(a.peak) || b.value - a.value);
}

/** Pixels of the image that a sample of a mask covers. */
function pixelsOfSample(size: ISize, manifest: DecoderManifest): number {
  const { down, across } = samplesPerPixel(size, manifest);
  return 1 / (down * across);
}

function contains({ row0, row1, column0, column1 }: Rect, { row, column }: IPromptPoint): boolean {
  return row >= row0 - 0.5 && row < row1 - 0.5 && column >= column0 - 0.5 && column < column1 - 0.5;
}

function areaOf(mask: Float32Array): number {
  return mask.reduce((sum, logit) => sum + (logit > 0 ? 1 : 0), 0);
}

function cover(covered: Uint8Array, mask: Float32Array): void {
  mask.forEach((logit, i) => (covered[i] ||= logit > 0 ? 1 : 0));
}

/** The part of a mask that is covered. */
function shared(covered: Uint8Array, mask: Float32Array): number {
  let [both, all] = [0, 0];
  mask.forEach((logit, i) => {
    if (logit > 0) {
      all++;
      both += covered[i]!;
    }
  });
  return all ? both / all : 1;
}
