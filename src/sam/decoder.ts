/** SAM's decoder over any ONNX session: prompts and an embedding in, low-resolution masks and their quality out. */
import { DecoderManifest, embeddingLength, embeddingShape } from '../shared/models';
import { encodePrompts, IPrompts, ISize } from './prompts';

/** The part of a tensor that the ONNX runtimes for Node and for the browser share. */
export interface ITensor {
  readonly data: unknown;
  readonly dims: readonly number[];
  /** Frees the runtime's memory for it. */
  dispose?(): void;
}

/** The part of a runtime's session that is used. */
export interface ISessionRunner {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, ITensor>): Promise<Record<string, ITensor>>;
}

/** Makes a float32 tensor of the runtime that the session belongs to. */
export type TensorFactory = (data: Float32Array, dims: readonly number[]) => ITensor;

/** The decoder's answer to prompts: masks as logits of the padded frame, and the quality that SAM predicts for each. */
export interface ICandidates {
  /** SAM's small, medium and large scale: for prompts that leave open what is meant, such as a single point. */
  lowRes: Float32Array[];
  scores: number[];
  /** The mask for prompts that are clear: two points or more, or a box. Null for models without one. */
  single: { lowRes: Float32Array; score: number } | null;
}

/** An embedding as a decoder's input. */
export interface IPreparedEmbedding {
  readonly tensor: ITensor;
}

/** Runs the decoder's graph. One call at a time: sessions in a browser are not re-entrant. */
export class SamDecoder {
  /** @throws Error if the session's graph lacks an input or output that the manifest names. */
  constructor(options: SamDecoder.IOptions) {
    const { inputs, outputs, maskSize } = options.manifest.decoder;
    const { inputNames, outputNames } = options.session;
    const missing = [
      ...Object.values(inputs).filter(name => !inputNames.includes(name)),
      ...Object.values(outputs).filter(name => !outputNames.includes(name))
    ];
    if (missing.length > 0) {
      throw new Error(
        `The decoder's graph has no ${missing.join(', ')}; it has ${[...inputNames, ...outputNames].join(', ')}.`
      );
    }
    this._manifest = options.manifest;
    this._session = options.session;
    this._tensor = options.tensor;
    this._noMask = options.tensor(new Float32Array(maskSize * maskSize), [1, 1, maskSize, maskSize]);
    this._hasMask = [0, 1].map(has => options.tensor(Float32Array.of(has), [1]));
  }

  /** Make an embedding, float32 [channels, rows, columns], the input of any number of {@link decode} calls. */
  prepare(embedding: Float32Array): IPreparedEmbedding {
    const length = embeddingLength(this._manifest);
    if (embedding.length !== length) {
      throw new RangeError(`The embedding has ${embedding.length} numbers; ${length} will do.`);
    }
    return { tensor: this._tensor(embedding, [1, ...embeddingShape(this._manifest)]) };
  }

  /**
   * Decode prompts on an image of this size.
   *
   * @throws RangeError for prompts that {@link encodePrompts} refuses
   */
  async decode(embedding: IPreparedEmbedding, size: ISize, prompts: IPrompts): Promise<ICandidates> {
    const { inputs, outputs, maskSize, scales, single } = this._manifest.decoder;
    const { coordinates, labels } = encodePrompts(prompts, size, this._manifest);
    const { mask } = prompts;
    const results = await this._session.run({
      [inputs.embedding]: embedding.tensor,
      [inputs.coordinates]: this._tensor(coordinates, [1, labels.length, 2]),
      [inputs.labels]: this._tensor(labels, [1, labels.length]),
      [inputs.mask]: mask ? this._tensor(mask, [1, 1, maskSize, maskSize]) : this._noMask,
      [inputs.hasMask]: this._hasMask[mask ? 1 : 0]!
    });
    try {
      const masks = results[outputs.masks]!.data as Float32Array;
      const scores = results[outputs.scores]!.data as Float32Array;
      const pixels = maskSize * maskSize;
      const logits = (index: number) => masks.slice(index * pixels, (index + 1) * pixels);
      return {
        lowRes: scales.map(logits),
        scores: scales.map(index => scores[index]!),
        single: single === null ? null : { lowRes: logits(single), score: scores[single]! }
      };
    } finally {
      Object.values(results).forEach(tensor => tensor.dispose?.());
    }
  }

  private readonly _manifest: DecoderManifest;
  private readonly _session: ISessionRunner;
  private readonly _tensor: TensorFactory;
  private readonly _noMask: ITensor;
  /** 0 and 1. */
  private readonly _hasMask: readonly ITensor[];
}

/** The namespace for {@link SamDecoder}. */
export namespace SamDecoder {
  export interface IOptions {
    manifest: DecoderManifest;
    session: ISessionRunner;
    tensor: TensorFactory;
  }
}
