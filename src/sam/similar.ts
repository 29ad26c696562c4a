/**
 * Objects like one that the user accepted: SAM's embedding says where they may be, SAM's decoder draws them, and what is drawn must look and measure like
 * the example.
 *
 * The embedding of a place is compared with the mean over the example by the cosine of their angle, both without the mean over the image in which the
 * example is, since all places share a large part of it. A mask is compared by its mean and by its contrast, the mean less that of the places around it:
 * the mean changes with an object's size and neighbours, the contrast less so. Where the image's greys are known, another grey makes a place and a mask
 * less similar. The example may lie in another image than the one that is searched: another window, or slice.
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
  /** How like the example it is, 1 at most: see {@link similarObjects}. */
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
  /** The mean embedding over the example less that of the places around it. */
  contrast: Float64Array;
  /** The example's mean grey, and the standard deviation of the greys of its image; null if they are not known. */
  grey: { mean: number; deviation: number } | null;
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
  /** Of the image, by `sampleGreys`, in the unit of the example's. */
  greys?: Float32Array | null;
  /** Only places in this rectangle of the image are looked at; absent: all. */
  where?: Rect;
  /** Whether this image is one of several that are searched, windows or slices, some of which may have no such object. */
  isPart?: boolean;
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

/** The weight of the contrast in a mask's similarity; that of the mean is the rest. */
const CONTRAST_WEIGHT = 0.5;
/** What a difference in grey of a standard deviation takes off a similarity. */
const GREY_WEIGHT = 0.5;
/**
 * The similarity below which no object is proposed, the one below which no place is looked at, and the most that the spread below may ask for. Greys tell
 * objects apart better than embeddings do, so that the embedding may differ more where greys are known.
 */
const LEAST = { object: 0, place: 0, spread: 0.6 };
const LEAST_WITHOUT_GREYS = { object: 0.5, place: 0.35, spread: 1 };
/**
 * Nor are those proposed that are further from the example, by 1 − similarity, than so many times the nearest ones: than the first quartile of those that
 * were found, once there are some. Particles that all look alike are told from anything else in this way; others may vary more. Less is allowed where an
 * image is one of several: there may be nothing like the example in it.
 */
const SPREAD_MAX = 5;
const SPREAD_MAX_IN_PARTS = 3.5;
const FOUND_MIN = 5;
/** Nor are places looked at that are less similar than objects must be by so much: a place may hold a part of one. */
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
 * @param greys of the image, by `sampleGreys`; null if they are not known
 * @throws RangeError for an example without a pixel
 */
export function likenessOf(
  embedding: Float32Array,
  size: ISize,
  example: Float32Array,
  manifest: DecoderManifest,
  greys: Float32Array | null = null
): ILikeness {
  const samples = areaOf(example);
  if (samples === 0) {
    throw new RangeError('The example has no pixel: accept an object first.');
  }
  const places = new Places(embedding, size, manifest);
  return {
    ...places.describe(example),
    common: places.common,
    grey: greys && { mean: greyOf(example, greys), deviation: deviationOf(greys, samplesOf(size, manifest), manifest) },
    area: samples * pixelsOfSample(size, manifest)
  };
}

/**
 * Propose objects like the example, best places first.
 *
 * The similarity of a mask m to the example e is (cos(mean m, mean e) + cos(contrast m, contrast e)) / 2 − |grey m − grey e| / (2 σ), with the deviation
 * σ of the greys of the example's image; without the last part if greys are not known. The limits were chosen by measurement (docs/measurements.md,
 * "Objects like one").
 */
export async function* similarObjects(options: ISimilarOptions): AsyncGenerator<IProposal> {
  const { manifest, embedding, size, like, where, taken = [], decode, most = 400, signal, progress } = options;
  const side = manifest.decoder.maskSize;
  const samples = samplesOf(size, manifest);
  const area = like.area / pixelsOfSample(size, manifest);
  const places = new Places(embedding, size, manifest, like.common);
  const greys = like.grey && (options.greys ?? null);
  const least = greys ? LEAST : LEAST_WITHOUT_GREYS;
  const map = places.similarities(like.embedding);
  if (greys) {
    map.forEach((_, place) => (map[place]! -= greyCost(places.grey(place, greys), like)));
  }
  const similarityOf = (mask: Float32Array) => {
    const { embedding: mean, contrast } = places.describe(mask);
    const alike = (1 - CONTRAST_WEIGHT) * cosine(mean, 0, like.embedding);
    const cost = greys ? greyCost(greyOf(mask, greys), like) : 0;
    return alike + CONTRAST_WEIGHT * cosine(contrast, 0, like.contrast) - cost;
  };
  // What is covered: by objects that are taken, and by proposals.
  const covered = new Uint8Array(side * side);
  taken.forEach(mask => cover(covered, mask));
  // Where a place was looked at in vain: the smallest region that SAM saw there.
  const vain = new Uint8Array(side * side);
  const order = peaks(map, places, Math.sqrt(area / Math.PI) / (side / places.columns) / 2, least.place);
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
    const needed = leastSimilarity(similarities, least, options.isPart ? SPREAD_MAX_IN_PARTS : SPREAD_MAX);
    if (value < needed - PLACE_BELOW) {
      continue;
    }
    decoded++;
    fruitless++;
    const answer = await decode({ points: [point] });
    const found = bestLike(answer, point, area, needed, size, manifest, similarityOf);
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
function leastSimilarity(similarities: readonly number[], least: typeof LEAST, spread: number): number {
  const { length } = similarities;
  if (length < FOUND_MIN) {
    return least.object;
  }
  const nearest = [...similarities].sort((a, b) => b - a)[length >> 2]!;
  return Math.max(least.object, Math.min(least.spread, 1 - spread * (1 - nearest)));
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

  /** The mean over a mask, where places count by the part of them that is inside, and the mean less that of the places around the mask. */
  describe(mask: Float32Array): Pick<ILikeness, 'embedding' | 'contrast'> {
    const { channels, columns, usedRows, usedColumns } = this;
    const inside = this._insides(mask);
    const isAround = (row: number, column: number) => {
      for (let y = Math.max(0, row - 1); y <= Math.min(usedRows - 1, row + 1); y++) {
        for (let x = Math.max(0, column - 1); x <= Math.min(usedColumns - 1, column + 1); x++) {
          if (inside[y * columns + x]! > 0) {
            return true;
          }
        }
      }
      return false;
    };
    const [own, around] = [new Float64Array(channels), new Float64Array(channels)];
    let [ownWeight, aroundWeight] = [0, 0];
    for (let row = 0; row < usedRows; row++) {
      for (let column = 0; column < usedColumns; column++) {
        const place = row * columns + column;
        // Places that lie inside count more than those that the border crosses.
        const weight = inside[place]! ** 2;
        if (weight > 0) {
          ownWeight += weight;
          this._add(own, place, weight);
        } else if (isAround(row, column)) {
          aroundWeight++;
          this._add(around, place, 1);
        }
      }
    }
    const embedding = own.map(sum => sum / Math.max(ownWeight, Number.MIN_VALUE));
    return {
      embedding,
      contrast: embedding.map((mean, channel) => mean - around[channel]! / Math.max(aroundWeight, 1))
    };
  }

  /** The mean grey of a place. @param greys by `sampleGreys` */
  grey(place: number, greys: Float32Array): number {
    const side = this._step * this.columns;
    const [top, left] = [Math.floor(place / this.columns) * this._step, (place % this.columns) * this._step];
    let sum = 0;
    for (let y = top; y < top + this._step; y++) {
      for (let x = left; x < left + this._step; x++) {
        sum += greys[y * side + x]!;
      }
    }
    return sum / this._step ** 2;
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

  /** The part of each place that is inside of a mask. */
  private _insides(mask: Float32Array): Float64Array {
    const side = this._step * this.columns;
    const inside = new Float64Array(this.rows * this.columns);
    mask.forEach((logit, i) => {
      if (logit > 0) {
        const place =
          Math.floor(Math.floor(i / side) / this._step) * this.columns + Math.floor((i % side) / this._step);
        inside[place]! += 1 / this._step ** 2;
      }
    });
    return inside;
  }

  private _add(to: Float64Array, place: number, weight: number): void {
    const from = place * this.channels;
    for (let channel = 0; channel < this.channels; channel++) {
      to[channel]! += weight * this._values[from + channel]!;
    }
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

/**
 * Places that may hold an object, of a similarity of `least` and more: those that are the most similar within a radius first, then the others, by falling
 * similarity.
 */
function peaks(
  map: Float64Array,
  places: Places,
  radius: number,
  least: number
): { row: number; column: number; value: number }[] {
  const reach = Math.max(1, Math.round(radius));
  const out: { row: number; column: number; value: number; peak: boolean }[] = [];
  for (let row = 0; row < places.usedRows; row++) {
    for (let column = 0; column < places.usedColumns; column++) {
      const value = map[row * places.columns + column]!;
      if (value < least) {
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

/** The mean grey of a mask's samples. */
function greyOf(mask: Float32Array, greys: Float32Array): number {
  let [sum, count] = [0, 0];
  mask.forEach((logit, i) => {
    if (logit > 0) {
      sum += greys[i]!;
      count++;
    }
  });
  return count ? sum / count : 0;
}

/** The standard deviation of an image's greys. */
function deviationOf(greys: Float32Array, { rows, columns }: ISize, manifest: DecoderManifest): number {
  const side = manifest.decoder.maskSize;
  let [sum, squares] = [0, 0];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = greys[row * side + column]!;
      sum += value;
      squares += value * value;
    }
  }
  const mean = sum / (rows * columns);
  return Math.sqrt(Math.max(0, squares / (rows * columns) - mean * mean));
}

/** What another grey than the example's takes off a similarity. */
function greyCost(grey: number, { grey: own }: ILikeness): number {
  return own && own.deviation > 0 ? (GREY_WEIGHT * Math.abs(grey - own.mean)) / own.deviation : 0;
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
