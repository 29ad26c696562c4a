/** SAM's decoder over any ONNX session: prompts and an embedding in, low-resolution masks and their quality out. */
import { DecoderManifest, embeddingLength, embeddingShape, promptLength } from '../shared/models';
import { stability } from './masks';
import { encodePrompts, IPrompts, ISize } from './prompts';
import type { IMaskTraits } from './mask-traits';

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

/** Makes a float32 or int64 tensor of the runtime that the session belongs to. */
export type TensorFactory = (data: Float32Array | BigInt64Array, dims: readonly number[]) => ITensor;

/** The decoder's answer to prompts: masks as logits of the padded frame, and the quality that SAM predicts for each. */
export interface ICandidates {
  /** SAM's small, medium and large scale: for prompts that leave open what is meant, such as a single point. */
  lowRes: Float32Array[];
  scores: number[];
  /** The mask for prompts that are clear: two points or more, or a box. Null for models without one. */
  single: { lowRes: Float32Array; score: number } | null;
  /** How the scales are judged at the point that was asked for; absent: they are judged when one is chosen. */
  traits?: readonly IMaskTraits[];
}

/** An embedding, with the further features of the model, as a decoder's inputs by their names. */
export interface IPreparedEmbedding {
  readonly tensors: Record<string, ITensor>;
}

/** Runs the decoder's graph. One call at a time: sessions in a browser are not re-entrant. */
export class SamDecoder {
  /** @throws Error if the session's graph lacks an input or output that the manifest names. */
  constructor(options: SamDecoder.IOptions) {
    const { inputs, outputs, maskSize, features = [] } = options.manifest.decoder;
    const { inputNames, outputNames } = options.session;
    const { size, ...texts } = inputs;
    const named = Object.values(texts).filter(name => name !== undefined);
    const wanted = [...named, ...(size ? [size.name] : []), ...features.map(({ input }) => input)];
    const missing = [
      ...wanted.filter(name => !inputNames.includes(name)),
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
    if (inputs.mask !== undefined) {
      this._fixed[inputs.mask] = options.tensor(new Float32Array(maskSize * maskSize), [1, 1, maskSize, maskSize]);
    }
    if (inputs.hasMask !== undefined) {
      this._fixed[inputs.hasMask] = options.tensor(Float32Array.of(0), [1]);
    }
    if (size) {
      const sides =
        size.type === 'int64'
          ? BigInt64Array.of(BigInt(maskSize), BigInt(maskSize))
          : new Float32Array(2).fill(maskSize);
      this._fixed[size.name] = options.tensor(sides, [2]);
    }
  }

  /** Make an embedding, float32 [channels, rows, columns], and the features that follow it, the inputs of any number of {@link decode} calls. */
  prepare(embedding: Float32Array): IPreparedEmbedding {
    const { inputs, features = [] } = this._manifest.decoder;
    const length = promptLength(this._manifest);
    if (embedding.length !== length) {
      throw new RangeError(`The embedding has ${embedding.length} numbers; ${length} will do.`);
    }
    let at = embeddingLength(this._manifest);
    const tensors = {
      [inputs.embedding]: this._tensor(embedding.subarray(0, at), [1, ...embeddingShape(this._manifest)])
    };
    for (const { input, shape } of features) {
      const end = at + shape.reduce((product, each) => product * each, 1);
      tensors[input] = this._tensor(embedding.subarray(at, end), shape);
      at = end;
    }
    return { tensors };
  }

  /**
   * Decode prompts on an image of this size. A model that takes no mask decodes the others of the prompts alone.
   *
   * @throws RangeError for prompts that {@link encodePrompts} refuses
   */
  async decode(embedding: IPreparedEmbedding, size: ISize, prompts: IPrompts): Promise<ICandidates> {
    const { inputs, outputs, maskSize, scales, single, pointAxes, labelType, score } = this._manifest.decoder;
    const { coordinates, labels } = encodePrompts(prompts, size, this._manifest);
    const before = pointAxes === 4 ? [1, 1] : [1];
    const typed = labelType === 'int64' ? BigInt64Array.from(labels, label => BigInt(label)) : labels;
    const { mask } = prompts;
    const refined =
      mask && inputs.mask !== undefined && inputs.hasMask !== undefined
        ? {
            [inputs.mask]: this._tensor(mask, [1, 1, maskSize, maskSize]),
            [inputs.hasMask]: this._tensor(Float32Array.of(1), [1])
          }
        : {};
    const results = await this._session.run({
      ...embedding.tensors,
      ...this._fixed,
      ...refined,
      [inputs.coordinates]: this._tensor(coordinates, [...before, labels.length, 2]),
      [inputs.labels]: this._tensor(typed, [...before, labels.length])
    });
    try {
      const masks = results[outputs.masks]!.data as Float32Array;
      const scores = results[outputs.scores]!.data as Float32Array;
      const pixels = maskSize * maskSize;
      const most = Math.max(...scales, single ?? 0);
      if (masks.length < (most + 1) * pixels || scores.length <= most) {
        throw new RangeError(
          `The decoder gave ${masks.length} logits and ${scores.length} scores; ${most + 1} masks of ${maskSize} × ${maskSize} will do.`
        );
      }
      const logits = (index: number) => masks.slice(index * pixels, (index + 1) * pixels);
      const lowRes = scales.map(logits);
      const scoreOf = (index: number, of: Float32Array) =>
        score === 'stability' ? stability(of, size, this._manifest) : scores[index]!;
      const alone = single === null ? null : logits(single);
      return {
        lowRes,
        scores: scales.map((index, i) => scoreOf(index, lowRes[i]!)),
        single: alone && { lowRes: alone, score: scoreOf(single!, alone) }
      };
    } finally {
      Object.values(results).forEach(tensor => tensor.dispose?.());
    }
  }

  private readonly _manifest: DecoderManifest;
  private readonly _session: ISessionRunner;
  private readonly _tensor: TensorFactory;
  /** Inputs that are the same for all prompts, without a mask. */
  private readonly _fixed: Record<string, ITensor> = {};
}

/** The namespace for {@link SamDecoder}. */
export namespace SamDecoder {
  export interface IOptions {
    manifest: DecoderManifest;
    session: ISessionRunner;
    tensor: TensorFactory;
  }
}
