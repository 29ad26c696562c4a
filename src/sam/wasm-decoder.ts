/**
 * SAM's mask decoder on our own kernels: what depends on the image alone is computed once for an embedding, and what depends on neither once for the
 * model, so that a prompt costs a quarter of the graph's multiplications. The masks are those of the graph up to rounding.
 *
 * Steps and names follow the two-way transformer of Kirillov et al., "Segment Anything", 2023, appendix A, and its reference code.
 */
import { DecoderManifest, embeddingLength, embeddingShape } from '../shared/models';
import type { ICandidates } from './decoder';
import { ATTENTION_CHANNELS, CHANNELS, ILinear, INorm } from './decoder-weights';
import {
  foldWeights,
  GRID,
  IAttention,
  IFoldedWeights,
  ILayer,
  IMAGE_ROWS,
  LAST_COLUMNS,
  MASKS,
  positionCode,
  SECOND_COLUMNS
} from './folded-weights';
import { IDecoderPart, IPartMasks, mergeSums, PartWork, sampleRows, sumsLayout } from './decoder-parts';
import { convolve, normaliseGelu } from './mask-convolutions';
import { encodePrompts, frameSize, IPrompts, ISize } from './prompts';

/** The exports of `engine/assembly/decoder`; addresses are in bytes. */
interface IDecoderKernels {
  memory: WebAssembly.Memory;
  heapBase(): number;
  multiply(...args: (number | boolean)[]): void;
  multiplyTransposed(...args: (number | boolean)[]): void;
  attend(...args: number[]): void;
  attendTokens(...args: number[]): void;
  upscale(...args: number[]): void;
  prepare(...args: (number | boolean)[]): void;
}

const HEADS = 8;
const HEAD_CHANNELS = ATTENTION_CHANNELS / HEADS;
const PANEL = 64;
const ROW = 4 * PANEL;
const PLACES = GRID * GRID;
const MASK_SIDE = 4 * GRID;
/** Rows that `prepare` adds behind the projections. */
const IMAGE_PLANES = IMAGE_ROWS.all + 3;
/** Bytes of an image's projections. */
const IMAGE_BYTES = IMAGE_PLANES * PLACES * 4;
/** Modes of the last stage beside the weights of both layers: the constant, and zeros up to a multiple of four. */
const CONSTANT_ROWS = 4;
const LAYER_EPSILON = 1e-5;
/** Images whose projections are kept, 27 MB each. */
const SLOTS = 3;
/** Points, corners of a box and padding up to which the kernels are faster than the graph: modes grow with them. */
const POINTS_MAX = 10;
/** Memory for an embedding in the making and for as many points. */
const SCRATCH_BYTES = 48 << 20;
/** Logit of samples beyond the image. */
const OUTSIDE = -16;

/** A linear layer in the kernels' memory: panels of 64 outputs, and the bias. */
interface IPanels {
  inputs: number;
  outputs: number;
  address: number;
  bias: Float32Array;
}

type PanelsOf<T> = T extends ILinear ? IPanels : T extends INorm ? INorm : { [K in keyof T]: PanelsOf<T[K]> };

/** An embedding as a decoder's input. */
export interface IWasmEmbedding {
  /** float32 [256][4096]. */
  readonly embedding: Float32Array;
  /** Where its projections lie; undefined once other images took their place. */
  slot: ISlot | undefined;
}

/** A place for an image's projections. */
interface ISlot {
  readonly address: number;
  /** The image, and the mask prompt whose influence is in the projections. */
  holds: IWasmEmbedding | null;
  mask: Float32Array | null;
  used: number;
}

/** The image at one stage of the transformer. Addresses; 0 for none. */
interface IImageStage {
  /** Codes of the places, in the scores. */
  codes: number;
  scales: number;
  modes: number;
  count: number;
}

/** Which rows of an image an attention reads, and what the modes add to them. */
interface IImageRead {
  keys: number;
  values: number;
  /** Added to the values. */
  constant: Float32Array | null;
  /** The vectors of the modes, bytes from one to the next, and the first columns for keys and values. */
  added: { vectors: number; stride: number; keys: number; values: number } | null;
}

/** Memory for an attention of the tokens to the image. */
interface IAttentionScratch {
  weights: number;
  work: number;
  /** See {@link sumsLayout}. */
  sums: number;
}

/** Runs SAM's decoder. Calls return when they are done. */
export class WasmDecoder {
  /**
   * @param kernels `decoder.wasm` or `decoder-relaxed.wasm`, or the module of either
   * @param model the decoder's ONNX file
   * @param part the share of the image's places, if several instances decode together; {@link decode} needs all of them
   * @throws RangeError if the file is not SAM's decoder as the reference exports it
   */
  constructor(
    kernels: BufferSource | WebAssembly.Module,
    model: Uint8Array,
    manifest: DecoderManifest,
    readonly part: IDecoderPart = { index: 0, count: 1 }
  ) {
    const shape = embeddingShape(manifest).join();
    if (shape !== [CHANNELS, GRID, GRID].join() || manifest.decoder.maskSize !== MASK_SIDE) {
      throw new RangeError(`The model's embedding has the shape ${shape}; 256,64,64 will do.`);
    }
    this._manifest = manifest;
    const module = kernels instanceof WebAssembly.Module ? kernels : new WebAssembly.Module(kernels);
    this._kernels = new WebAssembly.Instance(module, {}).exports as unknown as IDecoderKernels;
    this._top = this._kernels.heapBase();
    const weights = foldWeights(model);
    this._weights = weights;
    const attention = ({ q, k, v, o }: IAttention) => ({
      q: this._panels(q),
      k: this._panels(k),
      v: this._panels(v),
      o: this._panels(o)
    });
    this._layers = weights.layers.map(({ self, toImage, toTokens, first, second, norms }) => ({
      self: attention(self),
      toImage: attention(toImage),
      toTokens: attention(toTokens),
      first: this._panels(first),
      second: this._panels(second),
      norms
    })) as [PanelsOf<ILayer>, PanelsOf<ILayer>];
    this._final = attention(weights.final);
    this._heads = weights.heads.map(head => head.map(layer => this._panels(layer)));
    const places = this._put(inBlocks(weights.places));
    const codes = (of: { weights: Float32Array; constants: Float32Array }) => this._codes(of, places);
    this._constants = {
      image: this._put(weights.image),
      imageBias: this._put(weights.imageBias),
      imageCodes: codes(weights.codes.image),
      keys1: codes(weights.codes.keys1),
      queries1: codes(weights.codes.queries1),
      keys2: codes(weights.codes.keys2),
      centre: this._put(weights.centre),
      gain: this._put(weights.gain),
      constant: this._put(weights.constant),
      noMask: this._put(weights.noMask),
      upscaledConstant: this._put(weights.upscaledConstant),
      upscaleGain: this._put(weights.upscaleNorm.gain),
      upscaleBias: this._put(weights.upscaleNorm.bias),
      upscaleSecond: this._put(weights.upscaleSecond),
      upscaleSecondBias: this._put(weights.upscaleSecondBias),
      maskThird: this._put(weights.maskConvolutions.third.weights),
      second: this._put(inHeadPanels(weights.second, SECOND_COLUMNS.all)),
      lastOfFirst: this._put(inHeadPanels(weights.lastOfFirst, LAST_COLUMNS.all)),
      lastOfSecond: this._put(inHeadPanels(weights.lastOfSecond, LAST_COLUMNS.all))
    };
    this._slots = Array.from({ length: SLOTS }, () => ({
      address: this._floats(IMAGE_BYTES / 4),
      holds: null,
      mask: null,
      used: 0
    }));
    // Views of the memory would be lost if it grew while prompts are decoded.
    this._grow(this._top + SCRATCH_BYTES);
  }

  /** Take an embedding, float32 [channels, rows, columns], for any number of {@link decode} calls, and compute its projections. */
  prepare(embedding: Float32Array): IWasmEmbedding {
    const length = embeddingLength(this._manifest);
    if (embedding.length !== length) {
      throw new RangeError(`The embedding has ${embedding.length} numbers; ${length} will do.`);
    }
    const image: IWasmEmbedding = { embedding, slot: undefined };
    this._project(image, null);
    return image;
  }

  /** Whether prompts are few enough to be decoded faster here than by the graph. */
  takes({ points, box }: IPrompts): boolean {
    return points.length + (box ? 2 : 1) <= POINTS_MAX;
  }

  /**
   * Decode prompts on an image of this size.
   *
   * @throws RangeError for prompts that {@link encodePrompts} refuses
   */
  decode(image: IWasmEmbedding, size: ISize, prompts: IPrompts): ICandidates {
    const step = this.decodePart(image, size, prompts).next();
    if (!step.done) {
      throw new Error(`This is one of ${this.part.count} parts of a decoder; decodePart will do.`);
    }
    return this.candidates([step.value], size);
  }

  /** Put the masks of all parts together. */
  candidates(parts: readonly IPartMasks[], size: ISize): ICandidates {
    const { scales, single } = this._manifest.decoder;
    const { blocks } = this._covered(size);
    const logits = (mask: number) => {
      const out = new Float32Array(MASK_SIDE * MASK_SIDE).fill(OUTSIDE, 4 * blocks * MASK_SIDE);
      parts.forEach(({ logits: from }, index) => {
        const rows = sampleRows({ index, count: parts.length }, blocks);
        rows.forEach((row, i) => {
          const at = (mask * rows.length + i) * MASK_SIDE;
          out.set(from.subarray(at, at + MASK_SIDE), row * MASK_SIDE);
        });
      });
      return out;
    };
    const { scores } = parts[0]!;
    return {
      lowRes: scales.map(logits),
      scores: scales.map(mask => scores[mask]!),
      single: single === null ? null : { lowRes: logits(single), score: scores[single]! }
    };
  }

  /** This part's work on a decode. Until it is done, nothing else may be asked of this instance. */
  *decodePart(image: IWasmEmbedding, size: ISize, prompts: IPrompts): PartWork<IPartMasks> {
    const { coordinates, labels } = encodePrompts(prompts, size, this._manifest);
    if (!this.takes(prompts)) {
      throw new RangeError(`${prompts.points.length} points are too many for the kernels; the graph takes them.`);
    }
    const slot = this._project(image, prompts.mask ?? null);
    const top = this._top;
    try {
      return yield* this._decode(slot, coordinates, labels, size);
    } finally {
      this._top = top;
    }
  }

  private *_decode(slot: ISlot, coordinates: Float32Array, labels: Float32Array, size: ISize): PartWork<IPartMasks> {
    const weights = this._weights;
    const [first, second] = this._layers;
    const tokens = MASKS + 1 + labels.length;
    const rows = HEADS * tokens;
    const own = this._floats(tokens * CHANNELS);
    const queries = this._floats(tokens * CHANNELS);
    this._view(own, weights.tokens.length).set(weights.tokens);
    labels.forEach((label, i) => {
      this._view(own + 4 * (MASKS + 1 + i) * CHANNELS, CHANNELS).set(
        this._promptToken(coordinates[2 * i]!, coordinates[2 * i + 1]!, label)
      );
    });
    this._view(queries, tokens * CHANNELS).set(this._view(own, tokens * CHANNELS));

    // The first layer: the image's channels are as they came.
    this._attendSelf(first.self, queries, null, tokens);
    this._normalise(queries, tokens, first.norms[0]);
    const attention = this._newAttention(rows);
    const none: IImageStage = { codes: 0, scales: 0, modes: 0, count: 0 };
    yield* this._attendImage(first.toImage, own, queries, tokens, attention, slot, none, {
      keys: IMAGE_ROWS.keys0,
      values: IMAGE_ROWS.values0,
      constant: null,
      added: null
    });
    this._normalise(queries, tokens, first.norms[1]);
    this._feedForward(first, queries, tokens);
    this._normalise(queries, tokens, first.norms[2]);
    const firstKeys = this._scaled(this._linear(first.toTokens.k, this._sum(queries, own, tokens), tokens), tokens);
    const firstValues = this._linear(first.toTokens.v, queries, tokens);
    const firstVectors = this._vectors(firstValues, tokens, this._constants.second, SECOND_COLUMNS.all);
    const count = 2 * rows + CONSTANT_ROWS;
    const lastStride = 4 * LAST_COLUMNS.all;
    const lastVectors = this._floats(count * LAST_COLUMNS.all);
    this._vectors(firstValues, tokens, this._constants.lastOfFirst, LAST_COLUMNS.all, lastVectors);
    const firstModes = this._floats(rows * PLACES);
    const firstScales = this._floats(PLACES);
    this._kernels.attendTokens(
      firstKeys,
      firstValues,
      tokens,
      slot.address,
      IMAGE_PLANES * ROW,
      IMAGE_ROWS.queries0 * ROW,
      IMAGE_ROWS.own0 * ROW,
      0,
      0,
      IMAGE_ROWS.all * ROW,
      0,
      0,
      0,
      0,
      0,
      this._squares(firstVectors, 4 * SECOND_COLUMNS.all, rows),
      4 * rows,
      0,
      0,
      firstModes,
      rows,
      firstScales,
      LAYER_EPSILON,
      attention.work,
      this.part.index,
      this.part.count
    );

    // The second layer.
    this._attendSelf(second.self, queries, own, tokens);
    this._normalise(queries, tokens, second.norms[0]);
    const middle = { scales: firstScales, modes: firstModes, count: rows };
    yield* this._attendImage(
      second.toImage,
      own,
      queries,
      tokens,
      attention,
      slot,
      { ...middle, codes: this._constants.keys1 },
      {
        keys: IMAGE_ROWS.keys1,
        values: IMAGE_ROWS.values1,
        constant: weights.values1,
        added: {
          vectors: firstVectors,
          stride: 4 * SECOND_COLUMNS.all,
          keys: SECOND_COLUMNS.keys,
          values: SECOND_COLUMNS.values
        }
      }
    );
    this._normalise(queries, tokens, second.norms[1]);
    this._feedForward(second, queries, tokens);
    this._normalise(queries, tokens, second.norms[2]);
    const secondKeys = this._scaled(this._linear(second.toTokens.k, this._sum(queries, own, tokens), tokens), tokens);
    const secondValues = this._linear(second.toTokens.v, queries, tokens);
    const from = lastVectors + rows * lastStride;
    this._vectors(secondValues, tokens, this._constants.lastOfSecond, LAST_COLUMNS.all, from);
    const constants = this._view(from + rows * lastStride, CONSTANT_ROWS * LAST_COLUMNS.all);
    constants.fill(0);
    constants.set(weights.lastConstant);
    const modes = this._floats(count * PLACES);
    const scales = this._floats(PLACES);
    this._kernels.attendTokens(
      secondKeys,
      secondValues,
      tokens,
      slot.address,
      IMAGE_PLANES * ROW,
      IMAGE_ROWS.queries1 * ROW,
      IMAGE_ROWS.own1 * ROW,
      IMAGE_ROWS.earlier1 * ROW,
      firstValues,
      (IMAGE_ROWS.all + 1) * ROW,
      (IMAGE_ROWS.all + 2) * ROW,
      this._constants.queries1,
      firstScales,
      this._mixing(secondKeys, tokens, firstVectors + 4 * SECOND_COLUMNS.queries, 4 * SECOND_COLUMNS.all, rows),
      4 * rows,
      this._squares(lastVectors, lastStride, count),
      4 * count,
      firstModes,
      rows,
      modes,
      count,
      scales,
      LAYER_EPSILON,
      attention.work,
      this.part.index,
      this.part.count
    );

    // The last attention, the masks' vectors and the upscaling. Of the tokens only those of the masks and of their scores are read any more.
    const read = MASKS + 1;
    yield* this._attendImage(
      this._final,
      own,
      queries,
      read,
      attention,
      slot,
      { scales, modes, count, codes: this._constants.keys2 },
      {
        keys: IMAGE_ROWS.keys2,
        values: IMAGE_ROWS.values2,
        constant: weights.values2,
        added: { vectors: lastVectors, stride: lastStride, keys: LAST_COLUMNS.keys, values: LAST_COLUMNS.values }
      }
    );
    this._normalise(queries, read, weights.finalNorm);
    const vectors = this._floats(MASKS * 32);
    for (let mask = 0; mask < MASKS; mask++) {
      this._view(vectors + 128 * mask, 32).set(this._head(this._heads[mask]!, queries + 4 * (mask + 1) * CHANNELS));
    }
    const scores = this._head(this._heads[MASKS]!, queries);
    return this._upscale(slot, { scales, modes, count, codes: 0 }, lastVectors, vectors, scores, size);
  }

  private _upscale(
    slot: ISlot,
    { scales, modes, count }: IImageStage,
    lastVectors: number,
    vectors: number,
    scores: Float32Array,
    size: ISize
  ): IPartMasks {
    const samples = MASK_SIDE * MASK_SIDE;
    const mixing = this._floats(CHANNELS * count);
    const to = this._view(mixing, CHANNELS * count);
    const from = this._view(lastVectors, count * LAST_COLUMNS.all);
    for (let mode = 0; mode < count; mode++) {
      const at = mode * LAST_COLUMNS.all + LAST_COLUMNS.upscaled;
      for (let row = 0; row < CHANNELS; row++) {
        to[row * count + mode] = from[at + row]!;
      }
    }
    const { blocks, groups } = this._covered(size);
    const out = this._floats(MASKS * samples);
    const work = this._floats((CHANNELS + 128 + MASKS) * PANEL);
    if (groups < GRID / 8) {
      this._view(out, MASKS * samples).fill(OUTSIDE);
    }
    const { upscaledConstant, upscaleGain, upscaleBias, upscaleSecond, upscaleSecondBias } = this._constants;
    this._kernels.upscale(
      slot.address + IMAGE_ROWS.upscaled * ROW,
      IMAGE_PLANES * ROW,
      scales,
      upscaledConstant,
      mixing,
      4 * count,
      modes,
      count,
      upscaleGain,
      upscaleBias,
      upscaleSecond,
      upscaleSecondBias,
      vectors,
      MASKS,
      blocks,
      groups,
      out,
      work,
      this.part.index,
      this.part.count
    );
    const rows = sampleRows(this.part, blocks);
    const logits = new Float32Array(MASKS * rows.length * MASK_SIDE);
    for (let mask = 0, to = 0; mask < MASKS; mask++) {
      for (const row of rows) {
        logits.set(this._view(out + 4 * (mask * samples + row * MASK_SIDE), MASK_SIDE), to);
        to += MASK_SIDE;
      }
    }
    return { logits, scores: scores.slice() };
  }

  /**
   * Rows of places, and groups of 8 columns of them, that the image covers. Samples beyond it are outside of any mask; one more than the image has is
   * read between the last two.
   */
  private _covered(size: ISize): { blocks: number; groups: number } {
    const { size: side } = this._manifest.encoder;
    const frame = frameSize(size, side);
    const place = side / GRID;
    return {
      blocks: Math.min(GRID, Math.floor(frame.rows / place) + 1),
      groups: Math.min(GRID / 8, Math.floor(frame.columns / (8 * place)) + 1)
    };
  }

  /** The token of a point at a place of the frame, in its pixels without the offset that the graph adds. */
  private _promptToken(x: number, y: number, label: number): Float32Array {
    const { gaussian, labels } = this._weights;
    const { encoder, decoder } = this._manifest;
    const offset = decoder.coordinateOffset;
    const embedding = labels[label + 1]!;
    const code =
      label < 0
        ? new Float64Array(CHANNELS)
        : positionCode(gaussian, (x + offset) / encoder.size, (y + offset) / encoder.size);
    return Float32Array.from(code, (value, i) => value + embedding[i]!);
  }

  /** Attention of the tokens to each other; without `own` codes it replaces the queries, else it is added to them. */
  private _attendSelf(attention: PanelsOf<IAttention>, queries: number, own: number | null, tokens: number): void {
    const coded = own === null ? queries : this._sum(queries, own, tokens);
    const length = tokens * CHANNELS;
    const [q, k, v] = [attention.q, attention.k, attention.v].map((layer, i) =>
      this._view(this._linear(layer, i < 2 ? coded : queries, tokens), length)
    ) as [Float32Array, Float32Array, Float32Array];
    const mixed = this._floats(length);
    const out = this._view(mixed, length).fill(0);
    const width = CHANNELS / HEADS;
    const scores = new Float64Array(tokens);
    for (let head = 0; head < CHANNELS; head += width) {
      for (let a = 0; a < tokens; a++) {
        for (let b = 0; b < tokens; b++) {
          let score = 0;
          for (let i = head; i < head + width; i++) {
            score += q[a * CHANNELS + i]! * k[b * CHANNELS + i]!;
          }
          scores[b] = score / Math.sqrt(width);
        }
        const most = Math.max(...scores);
        let total = 0;
        for (let b = 0; b < tokens; b++) {
          scores[b] = Math.exp(scores[b]! - most);
          total += scores[b]!;
        }
        for (let b = 0; b < tokens; b++) {
          const weight = scores[b]! / total;
          for (let i = head; i < head + width; i++) {
            out[a * CHANNELS + i]! += weight * v[b * CHANNELS + i]!;
          }
        }
      }
    }
    const result = this._view(this._linear(attention.o, mixed, tokens), length);
    const to = this._view(queries, length);
    for (let i = 0; i < length; i++) {
      to[i] = own === null ? result[i]! : to[i]! + result[i]!;
    }
  }

  /** Attention of the tokens to the image, added to the queries. */
  private *_attendImage(
    attention: PanelsOf<Pick<IAttention, 'q' | 'o'>>,
    own: number,
    queries: number,
    tokens: number,
    { weights, work, sums }: IAttentionScratch,
    slot: ISlot,
    stage: IImageStage,
    read: IImageRead
  ): PartWork<void> {
    const rows = HEADS * tokens;
    const { codes, scales, modes, count } = stage;
    const layout = sumsLayout(rows, tokens, count);
    const values = sums + 4 * layout.values;
    const q = this._scaled(this._linear(attention.q, this._sum(queries, own, tokens), tokens), tokens);
    const { added } = read;
    const mixing = added ? this._mixing(q, tokens, added.vectors + 4 * added.keys, added.stride, count) : 0;
    this._kernels.attend(
      q,
      tokens,
      slot.address,
      IMAGE_PLANES * ROW,
      read.keys * ROW,
      read.values * ROW,
      codes,
      scales,
      mixing,
      4 * count,
      modes,
      count,
      weights,
      work,
      sums + 4 * layout.largest,
      sums + 4 * layout.sums,
      values,
      sums + 4 * layout.modes,
      this.part.index,
      this.part.count
    );
    if (this.part.count > 1) {
      const all = yield this._view(sums, layout.all).slice();
      mergeSums(this._view(sums, layout.all), all, tokens, count);
    }
    const out = this._view(values, tokens * ATTENTION_CHANNELS);
    const total = this._view(sums + 4 * layout.sums, rows);
    const sumsOfModes = this._view(sums + 4 * layout.modes, rows * count);
    const vectors = added ? this._view(added.vectors, (count * added.stride) / 4) : null;
    for (let token = 0; token < tokens; token++) {
      for (let head = 0; head < HEADS; head++) {
        const row = head * tokens + token;
        for (let i = 0; i < HEAD_CHANNELS; i++) {
          const channel = head * HEAD_CHANNELS + i;
          const at = token * ATTENTION_CHANNELS + channel;
          let value = out[at]!;
          if (added && vectors) {
            const width = added.stride / 4;
            for (let mode = 0, from = added.values + channel; mode < count; mode++, from += width) {
              value += sumsOfModes[row * count + mode]! * vectors[from]!;
            }
          }
          out[at] = value / total[row]! + (read.constant?.[channel] ?? 0);
        }
      }
    }
    const result = this._view(this._linear(attention.o, values, tokens), tokens * CHANNELS);
    const to = this._view(queries, tokens * CHANNELS);
    for (let i = 0; i < result.length; i++) {
      to[i] = to[i]! + result[i]!;
    }
  }

  private _feedForward({ first, second }: PanelsOf<ILayer>, queries: number, tokens: number): void {
    const hidden = this._linear(first, queries, tokens);
    rectify(this._view(hidden, tokens * first.outputs));
    const result = this._view(this._linear(second, hidden, tokens), tokens * CHANNELS);
    const to = this._view(queries, tokens * CHANNELS);
    for (let i = 0; i < result.length; i++) {
      to[i] = to[i]! + result[i]!;
    }
  }

  private _head(layers: IPanels[], token: number): Float32Array {
    let at = token;
    layers.forEach((layer, i) => {
      at = this._linear(layer, at, 1);
      if (i < layers.length - 1) {
        rectify(this._view(at, layer.outputs));
      }
    });
    return this._view(at, layers.at(-1)!.outputs);
  }

  /** What values of tokens add to the image, under projections: one row for each head and token. */
  private _vectors(values: number, tokens: number, panels: number, columns: number, out?: number): number {
    const to = out ?? this._floats(HEADS * tokens * columns);
    const count = columns / PANEL;
    for (let head = 0; head < HEADS; head++) {
      for (let panel = 0; panel < count; panel++) {
        this._kernels.multiply(
          values + 4 * head * HEAD_CHANNELS,
          4 * ATTENTION_CHANNELS,
          tokens,
          HEAD_CHANNELS,
          panels + (head * count + panel) * HEAD_CHANNELS * ROW,
          to + 4 * (head * tokens * columns + panel * PANEL),
          4 * columns,
          false,
          8
        );
      }
    }
    return to;
  }

  /** Scores between tokens and vectors that modes carry: [8 T][count]. */
  private _mixing(q: number, tokens: number, vectors: number, stride: number, count: number): number {
    const out = this._floats(HEADS * tokens * count);
    for (let head = 0; head < HEADS; head++) {
      this._kernels.multiplyTransposed(
        q + 4 * head * HEAD_CHANNELS,
        4 * ATTENTION_CHANNELS,
        tokens,
        vectors + 4 * head * HEAD_CHANNELS,
        stride,
        count,
        HEAD_CHANNELS,
        out + 4 * head * tokens * count,
        4 * count,
        false
      );
    }
    return out;
  }

  /** Products of vectors of 256 numbers, as `attendTokens` takes them. */
  private _squares(vectors: number, stride: number, count: number): number {
    const out = this._floats(count * count);
    this._kernels.multiplyTransposed(vectors, stride, count, vectors, stride, count, CHANNELS, out, 4 * count, false);
    const products = this._view(out, count * count);
    for (let row = 0; row < count; row++) {
      for (let column = 0; column < row; column++) {
        products[row * count + column]! *= 2;
      }
      products.fill(0, row * count + row + 1, (row + 1) * count);
    }
    return out;
  }

  private _linear({ inputs, outputs, address, bias }: IPanels, from: number, rows: number): number {
    const width = Math.ceil(outputs / PANEL) * PANEL;
    const out = this._floats(rows * width);
    for (let panel = 0; panel < width / PANEL; panel++) {
      this._kernels.multiply(
        from,
        4 * inputs,
        rows,
        inputs,
        address + panel * inputs * ROW,
        out + panel * ROW,
        4 * width,
        false,
        8
      );
    }
    const result = this._view(out, rows * width);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < outputs; i++) {
        result[row * width + i]! += bias[i]!;
      }
    }
    return out;
  }

  private _normalise(at: number, rows: number, { gain, bias }: INorm): void {
    const values = this._view(at, rows * CHANNELS);
    for (let row = 0; row < values.length; row += CHANNELS) {
      let mean = 0;
      for (let i = 0; i < CHANNELS; i++) {
        mean += values[row + i]!;
      }
      mean /= CHANNELS;
      let variance = 0;
      for (let i = 0; i < CHANNELS; i++) {
        variance += (values[row + i]! - mean) ** 2;
      }
      const by = 1 / Math.sqrt(variance / CHANNELS + LAYER_EPSILON);
      for (let i = 0; i < CHANNELS; i++) {
        values[row + i] = (values[row + i]! - mean) * by * gain[i]! + bias[i]!;
      }
    }
  }

  private _sum(a: number, b: number, tokens: number): number {
    const length = tokens * CHANNELS;
    const out = this._floats(length);
    const [to, x, y] = [this._view(out, length), this._view(a, length), this._view(b, length)];
    for (let i = 0; i < length; i++) {
      to[i] = x[i]! + y[i]!;
    }
    return out;
  }

  /** Divide queries or keys by the root of a head's channels. */
  private _scaled(at: number, tokens: number): number {
    const values = this._view(at, tokens * ATTENTION_CHANNELS);
    for (let i = 0; i < values.length; i++) {
      values[i]! /= Math.sqrt(HEAD_CHANNELS);
    }
    return at;
  }

  private _newAttention(rows: number): IAttentionScratch {
    return {
      weights: this._floats(rows * PLACES),
      work: this._floats((rows + 4) * PANEL + 4 * rows),
      sums: this._floats(sumsLayout(rows, rows / HEADS, 2 * rows + CONSTANT_ROWS).all)
    };
  }

  /** The image's projections under a mask prompt, which are computed if they are not there. */
  private _project(image: IWasmEmbedding, mask: Float32Array | null): ISlot {
    const slot = image.slot?.holds === image ? image.slot : this._freeSlot();
    slot.used = ++this._clock;
    if (slot.holds === image && (mask === slot.mask || (mask && slot.mask && same(mask, slot.mask)))) {
      return slot;
    }
    const top = this._top;
    const embedding = this._put(image.embedding);
    const dense = mask ? this._denseMask(mask) : this._constants.noMask;
    const { image: weights, imageBias, imageCodes, centre, gain, constant } = this._constants;
    slot.holds = null;
    this._kernels.prepare(
      embedding,
      dense,
      mask !== null,
      weights,
      imageBias,
      IMAGE_ROWS.all,
      imageCodes,
      IMAGE_ROWS.coded,
      centre,
      gain,
      constant,
      slot.address,
      this._floats(CHANNELS * PANEL),
      this.part.index,
      this.part.count
    );
    this._top = top;
    slot.holds = image;
    slot.mask = mask && mask.slice();
    image.slot = slot;
    return slot;
  }

  /** A place for projections: a free one, or that of the image that was not used for longest. */
  private _freeSlot(): ISlot {
    const free = this._slots.find(slot => !slot.holds);
    return free ?? this._slots.reduce((oldest, slot) => (slot.used < oldest.used ? slot : oldest));
  }

  /** Codes of the places under weights, block by block: [64 blocks][rows][64]. */
  private _codes({ weights, constants }: { weights: Float32Array; constants: Float32Array }, places: number): number {
    const rows = constants.length;
    const out = this._floats(rows * PLACES);
    const from = this._put(weights);
    for (let block = 0; block < GRID; block++) {
      const to = out + block * rows * ROW;
      constants.forEach((value, row) => this._view(to + row * ROW, PANEL).fill(value));
      const codes = places + block * CHANNELS * ROW;
      this._kernels.multiply(from, 4 * CHANNELS, rows, CHANNELS, codes, to, ROW, true, 8);
    }
    return out;
  }

  /** What a mask prompt adds to the embedding: [256][4096]. */
  private _denseMask(mask: Float32Array): number {
    const { first, second, third } = this._weights.maskConvolutions;
    const half = convolve(mask, MASK_SIDE, 1, first.weights, first.bias);
    normaliseGelu(half, first.norm);
    const quarter = convolve(half, MASK_SIDE / 2, 4, second.weights, second.bias);
    normaliseGelu(quarter, second.norm);
    const channels = second.bias.length;
    const blocks = this._put(inBlocks(quarter));
    const out = this._floats(CHANNELS * PLACES);
    for (let block = 0; block < GRID; block++) {
      this._kernels.multiply(
        this._constants.maskThird,
        4 * channels,
        CHANNELS,
        channels,
        blocks + block * channels * ROW,
        out + block * ROW,
        4 * PLACES,
        false,
        8
      );
    }
    const dense = this._view(out, CHANNELS * PLACES);
    third.bias.forEach((bias, channel) => {
      for (let at = channel * PLACES; at < (channel + 1) * PLACES; at++) {
        dense[at]! += bias;
      }
    });
    return out;
  }

  /** Put a layer's weights into the memory as panels; those that are no multiple of 64 wide end in zeros. */
  private _panels({ inputs, outputs, weights, bias }: ILinear): IPanels {
    const panels = Math.ceil(outputs / PANEL);
    const out = new Float32Array(panels * inputs * PANEL);
    for (let panel = 0; panel < panels; panel++) {
      const width = Math.min(PANEL, outputs - panel * PANEL);
      for (let i = 0; i < inputs; i++) {
        const from = i * outputs + panel * PANEL;
        out.set(weights.subarray(from, from + width), (panel * inputs + i) * PANEL);
      }
    }
    return { inputs, outputs, bias, address: this._put(out) };
  }

  private _put(values: Float32Array): number {
    const address = this._floats(values.length);
    this._view(address, values.length).set(values);
    return address;
  }

  /** Room for float32 numbers, from a multiple of 64 bytes on. */
  private _floats(length: number): number {
    const address = Math.ceil(this._top / 64) * 64;
    this._top = address + 4 * length;
    this._grow(this._top);
    return address;
  }

  private _grow(bytes: number): void {
    const { memory } = this._kernels;
    const missing = bytes - memory.buffer.byteLength;
    if (missing > 0) {
      memory.grow(Math.ceil(missing / 65536));
    }
  }

  private _view(address: number, length: number): Float32Array {
    return new Float32Array(this._kernels.memory.buffer, address, length);
  }

  private readonly _manifest: DecoderManifest;
  private readonly _kernels: IDecoderKernels;
  private readonly _weights: IFoldedWeights;
  private readonly _layers: [PanelsOf<ILayer>, PanelsOf<ILayer>];
  private readonly _final: PanelsOf<IAttention>;
  private readonly _heads: IPanels[][];
  /** Addresses. */
  private readonly _constants;
  private readonly _slots: ISlot[];
  private _clock = 0;
  private _top: number;
}

/** Rows of `planes` [rows][4096] put together block by block: [64 blocks][rows][64]. */
function inBlocks(planes: Float32Array): Float32Array {
  const rows = planes.length / PLACES;
  const out = new Float32Array(planes.length);
  for (let block = 0; block < GRID; block++) {
    for (let row = 0; row < rows; row++) {
      const from = row * PLACES + block * PANEL;
      out.set(planes.subarray(from, from + PANEL), (block * rows + row) * PANEL);
    }
  }
  return out;
}

/** A matrix [128][columns] as panels of the 16 rows of each head: [8][columns / 64][16][64]. */
function inHeadPanels(matrix: Float32Array, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  let to = 0;
  for (let head = 0; head < HEADS; head++) {
    for (let panel = 0; panel < columns; panel += PANEL) {
      for (let i = 0; i < HEAD_CHANNELS; i++, to += PANEL) {
        const from = (head * HEAD_CHANNELS + i) * columns + panel;
        out.set(matrix.subarray(from, from + PANEL), to);
      }
    }
  }
  return out;
}

function rectify(values: Float32Array): void {
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.max(0, values[i]!);
  }
}

function same(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
