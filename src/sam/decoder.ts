/** SAM's decoder over any ONNX session: points and an embedding in, low-resolution masks and their quality out. */
import { DecoderManifest, embeddingLength, embeddingShape } from '../shared/models';
import { encodePoints, IPromptPoint, ISize } from './prompts';

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

/** Suggestions: for SAM's small, medium and large scale the logits of the padded frame, and the predicted quality. */
export interface ICandidates {
  lowRes: Float32Array[];
  scores: number[];
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
    this._hasNoMask = options.tensor(new Float32Array(1), [1]);
  }

  /** Make an embedding, float32 [channels, rows, columns], the input of any number of {@link decode} calls. */
  prepare(embedding: Float32Array): IPreparedEmbedding {
    const length = embeddingLength(this._manifest);
    if (embedding.length !== length) {
      throw new RangeError(`The embedding has ${embedding.length} numbers; ${length} will do.`);
    }
    return { tensor: this._tensor(embedding, [1, ...embeddingShape(this._manifest)]) };
  }

  /** The three candidates at the points on an image of this size. */
  async decode(embedding: IPreparedEmbedding, size: ISize, points: readonly IPromptPoint[]): Promise<ICandidates> {
    const { inputs, outputs, maskSize, scales } = this._manifest.decoder;
    const { coordinates, labels } = encodePoints(points, size, this._manifest);
    const results = await this._session.run({
      [inputs.embedding]: embedding.tensor,
      [inputs.coordinates]: this._tensor(coordinates, [1, labels.length, 2]),
      [inputs.labels]: this._tensor(labels, [1, labels.length]),
      [inputs.mask]: this._noMask,
      [inputs.hasMask]: this._hasNoMask
    });
    try {
      const masks = results[outputs.masks]!.data as Float32Array;
      const scores = results[outputs.scores]!.data as Float32Array;
      const pixels = maskSize * maskSize;
      return {
        lowRes: scales.map(index => masks.slice(index * pixels, (index + 1) * pixels)),
        scores: scales.map(index => scores[index]!)
      };
    } finally {
      Object.values(results).forEach(tensor => tensor.dispose?.());
    }
  }

  private readonly _manifest: DecoderManifest;
  private readonly _session: ISessionRunner;
  private readonly _tensor: TensorFactory;
  private readonly _noMask: ITensor;
  private readonly _hasNoMask: ITensor;
}

/** The namespace for {@link SamDecoder}. */
export namespace SamDecoder {
  export interface IOptions {
    manifest: DecoderManifest;
    session: ISessionRunner;
    tensor: TensorFactory;
  }
}
