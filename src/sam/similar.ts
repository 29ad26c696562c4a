/**
 * Objects like one that the user accepted: SAM's embedding says where they may be, SAM's decoder draws them, and what is drawn must look and measure like
 * the example.
 *
 * The embedding of a place is compared with the mean over the example by the cosine of their angle, both without the mean over the image, since all
 * places share a large part of it.
 */
import { DecoderManifest } from '../shared/models';
import type { ICandidates } from './decoder';
import { samplesOf } from './mask-shape';
import { stability } from './masks';
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

/** What is asked for. */
export interface ISimilarOptions {
  manifest: DecoderManifest;
  /** Of the image: float32 [channels, rows, columns]. */
  embedding: Float32Array;
  /** Rows and columns of the image. */
  size: ISize;
  /** Logits of the accepted object, of the padded frame. */
  example: Float32Array;
  /** Logits of other objects that are taken already: what overlaps them is not proposed. */
  taken?: readonly Float32Array[];
  /** Decodes prompts on the embedding. */
  decode(prompts: IPrompts): Promise<ICandidates>;
  /** Most prompts that are decoded; 400 by default. */
  most?: number;
  signal?: AbortSignal;
  /** Told how many of the places that may hold an object have been looked at. */
  progress?(done: number, total: number): void;
}

/** Places below this similarity are not looked at, and objects below it are not proposed. */
const PLACE_MIN = 0.35;
const OBJECT_MIN = 0.5;
/** An object's area may differ from the example's by this factor. */
const AREA_FACTOR = 3;
/** Least stability of a mask: the overlap of its parts above a logit of 1 and of −1. */
const STABILITY_MIN = 0.7;
/** After so many prompts without a proposal the rest, which is less similar, is not looked at. */
const PATIENCE = 48;
/** Of two proposals that share more than this part of the smaller one, the better is kept. */
const SHARED_MAX = 0.3;

/**
 * Propose objects like the example, best places first.
 *
 * @throws RangeError for an example without a pixel; the signal's reason when it is aborted.
 */
export async function* similarObjects(options: ISimilarOptions): AsyncGenerator<IProposal> {
  const { manifest, embedding, size, example, taken = [], decode, most = 400, signal, progress } = options;
  const side = manifest.decoder.maskSize;
  const samples = samplesOf(size, manifest);
  const area = areaOf(example);
  if (area === 0) {
    throw new RangeError('The example has no pixel: accept an object first.');
  }
  const places = new Places(embedding, size, manifest);
  const mean = places.mean(example);
  const map = places.similarities(mean);
  // What is covered: by the example, by objects that are taken, and by proposals.
  const covered = new Uint8Array(side * side);
  [example, ...taken].forEach(mask => cover(covered, mask));
  // Where a place was looked at in vain: the smallest region that SAM saw there.
  const vain = new Uint8Array(side * side);
  const order = peaks(map, places, Math.sqrt(area / Math.PI) / (side / places.columns) / 2);
  let decoded = 0;
  let fruitless = 0;
  for (const [index, { row, column }] of order.entries()) {
    signal?.throwIfAborted();
    progress?.(index, order.length);
    const step = side / places.columns;
    const [y, x] = [
      Math.min((row + 0.5) * step, samples.rows - 1),
      Math.min((column + 0.5) * step, samples.columns - 1)
    ];
    const sample = Math.floor(y) * side + Math.floor(x);
    if (covered[sample] || vain[sample]) {
      continue;
    }
    if (decoded >= most || fruitless >= PATIENCE) {
      break;
    }
    const point: IPromptPoint = {
      row: Math.min(((y + 0.5) * size.rows) / samples.rows - 0.5, size.rows - 1),
      column: Math.min(((x + 0.5) * size.columns) / samples.columns - 0.5, size.columns - 1),
      label: 1
    };
    decoded++;
    fruitless++;
    const answer = await decode({ points: [point] });
    const found = bestLike(answer, area, size, manifest, mask => places.similarity(mask, mean));
    if (!found || shared(covered, found.lowRes) > SHARED_MAX) {
      cover(
        vain,
        answer.lowRes.reduce((least, mask) => (areaOf(mask) < areaOf(least) ? mask : least))
      );
      continue;
    }
    fruitless = 0;
    cover(covered, found.lowRes);
    yield { ...found, point };
  }
  progress?.(order.length, order.length);
}

/** The scale that is most like the example; null if none is like it. */
function bestLike(
  { lowRes, scores }: ICandidates,
  area: number,
  size: ISize,
  manifest: DecoderManifest,
  similarityOf: (mask: Float32Array) => number
): Omit<IProposal, 'point'> | null {
  let best: Omit<IProposal, 'point'> | null = null;
  let merit = 0;
  lowRes.forEach((mask, i) => {
    const ratio = Math.abs(Math.log(Math.max(areaOf(mask), 1) / area));
    if (ratio > Math.log(AREA_FACTOR) || stability(mask, size, manifest) < STABILITY_MIN) {
      return;
    }
    const similarity = similarityOf(mask);
    const value = similarity * scores[i]! * (1 - ratio / (2 * Math.log(AREA_FACTOR)));
    if (similarity >= OBJECT_MIN && value > merit) {
      merit = value;
      best = { lowRes: mask, score: scores[i]!, similarity };
    }
  });
  return best;
}

/** An embedding's grid of places. */
class Places {
  constructor(embedding: Float32Array, size: ISize, manifest: DecoderManifest) {
    const [channels, rows, columns] = manifest.encoder.layers.output.shape;
    this.channels = channels;
    this.rows = rows;
    this.columns = columns;
    this._step = manifest.decoder.maskSize / columns;
    const frame = frameSize(size, manifest.encoder.size, manifest.encoder.resize);
    this.usedRows = Math.ceil((frame.rows / manifest.encoder.size) * rows);
    this.usedColumns = Math.ceil((frame.columns / manifest.encoder.size) * columns);
    // Channels of a place lie together here, without their mean over the image.
    const values = new Float32Array(embedding.length);
    const used = this.usedRows * this.usedColumns;
    for (let channel = 0; channel < channels; channel++) {
      const from = channel * rows * columns;
      let total = 0;
      for (let row = 0; row < this.usedRows; row++) {
        for (let column = 0; column < this.usedColumns; column++) {
          total += embedding[from + row * columns + column]!;
        }
      }
      for (let place = 0; place < rows * columns; place++) {
        values[place * channels + channel] = embedding[from + place]! - total / used;
      }
    }
    this._values = values;
  }

  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
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
function peaks(map: Float64Array, places: Places, radius: number): { row: number; column: number }[] {
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
