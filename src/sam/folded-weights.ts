/**
 * The decoder's weights, folded for {@link WasmDecoder}: products of matrices, norms' gains and constants that depend on neither image nor prompt are
 * computed here, once a model.
 *
 * Names: k is an image's channels with the dense prompt, before the layers. C x is x without its mean. γ and β are a norm's gain and bias; W a
 * linear layer's weights, b its bias. M and N are the vectors that the attention to a token adds to the image (`engine/assembly/decoder`).
 */
import { ATTENTION_CHANNELS, CHANNELS, DecoderWeights, ILinear, INorm } from './decoder-weights';

/** Attention of one set of vectors to another. */
export interface IAttention {
  q: ILinear;
  k: ILinear;
  v: ILinear;
  o: ILinear;
}

/** A layer of the two-way transformer. */
export interface ILayer {
  self: IAttention;
  /** Tokens to image. */
  toImage: IAttention;
  /** Image to tokens. */
  toTokens: IAttention;
  first: ILinear;
  second: ILinear;
  norms: [INorm, INorm, INorm, INorm];
}

/** First rows of the projections of an image. Those in `coded` come first, since they have the places' codes in them. */
export const IMAGE_ROWS = {
  keys0: 0,
  queries0: 128,
  coded: 256,
  values0: 256,
  own0: 384,
  keys1: 512,
  values1: 640,
  queries1: 768,
  earlier1: 896,
  own1: 1024,
  keys2: 1152,
  values2: 1280,
  upscaled: 1408,
  all: 1664
} as const;

/** First columns of what a vector M of the first layer gives to the second. */
export const SECOND_COLUMNS = { vector: 0, keys: 256, values: 384, queries: 512, all: 640 } as const;
/** First columns of what a vector of either layer gives to what follows the second. */
export const LAST_COLUMNS = { vector: 0, keys: 256, values: 384, upscaled: 512, all: 768 } as const;

/** Side of the embedding's grid of places. */
export const GRID = 64;
/** Masks of the graph: the single one and the three scales. */
export const MASKS = 4;
const PLACES = GRID * GRID;

/** All that does not depend on an image or a prompt. Matrices are row-major. */
export interface IFoldedWeights {
  layers: [ILayer, ILayer];
  final: IAttention;
  finalNorm: INorm;
  /** For codes of places: [2][128]. */
  gaussian: Float32Array;
  /** Embeddings of labels −1, 0, 1, 2 and 3. */
  labels: Float32Array[];
  /** The tokens of the predicted quality and of the masks: [5][256]. */
  tokens: Float32Array;
  /** Added to an image without a mask prompt. */
  noMask: Float32Array;
  maskConvolutions: IMaskConvolutions;
  /** For each mask its layers, and those of the predicted quality. */
  heads: ILinear[][];
  /** [{@link IMAGE_ROWS.all}][256], and a bias for each row. */
  image: Float32Array;
  imageBias: Float32Array;
  /** Codes of the grid's places: [256][4096]. */
  places: Float32Array;
  /** What is added to rows at each place: weights over the places' codes, [rows][256], and constants. */
  codes: Record<'image' | 'keys1' | 'queries1' | 'keys2', { weights: Float32Array; constants: Float32Array }>;
  /** Constants of the values there. */
  values1: Float32Array;
  values2: Float32Array;
  /** For each head's 16 values of the first layer: [128][{@link SECOND_COLUMNS.all}] and [128][{@link LAST_COLUMNS.all}]; of the second, the latter. */
  second: Float32Array;
  lastOfFirst: Float32Array;
  lastOfSecond: Float32Array;
  /** The row of {@link LAST_COLUMNS} of the constant between the norms. */
  lastConstant: Float32Array;
  /** Added to the channels before the first norm; the first norm's gain; the constant before the second norm. */
  centre: Float32Array;
  gain: Float32Array;
  constant: Float32Array;
  /** After the image's projection for the upscaling: [256]. */
  upscaledConstant: Float32Array;
  upscaleNorm: INorm;
  /** The second transposed convolution: rows are [2 × 2 parts][32 channels], [128][64]. */
  upscaleSecond: Float32Array;
  upscaleSecondBias: Float32Array;
}

/** The convolutions that bring a mask prompt to the embedding's grid. */
export interface IMaskConvolutions {
  first: { weights: Float32Array; bias: Float32Array; norm: INorm };
  second: { weights: Float32Array; bias: Float32Array; norm: INorm };
  third: { weights: Float32Array; bias: Float32Array };
}

/** Read and fold the weights of a decoder's ONNX file. @throws RangeError if the file is not SAM's decoder as the reference exports it. */
export function foldWeights(model: Uint8Array): IFoldedWeights {
  const file = new DecoderWeights(model);
  const attention = (module: string, inner: number): IAttention => ({
    q: file.linear(`${module}/q_proj`, CHANNELS, inner),
    k: file.linear(`${module}/k_proj`, CHANNELS, inner),
    v: file.linear(`${module}/v_proj`, CHANNELS, inner),
    o: file.linear(`${module}/out_proj`, inner, CHANNELS)
  });
  const hidden = 2048;
  const layer = (index: number): ILayer => {
    const module = `/transformer/layers.${index}`;
    const norm = (n: number) => file.norm(`transformer.layers.${index}.norm${n}`);
    return {
      self: attention(`${module}/self_attn`, CHANNELS),
      toImage: attention(`${module}/cross_attn_token_to_image`, ATTENTION_CHANNELS),
      toTokens: attention(`${module}/cross_attn_image_to_token`, ATTENTION_CHANNELS),
      first: file.linear(`${module}/mlp/lin1`, CHANNELS, hidden),
      second: file.linear(`${module}/mlp/lin2`, hidden, CHANNELS),
      norms: [norm(1), norm(2), norm(3), norm(4)]
    };
  };
  const head = (module: string, outputs: number) =>
    [CHANNELS, CHANNELS, outputs].map((size, i) => file.linear(`${module}/layers.${i}`, CHANNELS, size));
  const layers: [ILayer, ILayer] = [layer(0), layer(1)];
  const final = attention('/transformer/final_attn_token_to_image', ATTENTION_CHANNELS);
  const [gain1, bias1] = [layers[0].norms[3].gain, layers[0].norms[3].bias];
  const [gain2, bias2] = [layers[1].norms[3].gain, layers[1].norms[3].bias];
  const gaussian = file.parameter('prompt_encoder.pe_layer.positional_encoding_gaussian_matrix', 256);
  const upscaleModule = '/output_upscaling/output_upscaling';
  const firstUpscale = file.parameter('output_upscaling.0.weight', CHANNELS * 64 * 4);
  const secondUpscale = file.parameter('output_upscaling.3.weight', 64 * 32 * 4);
  const upscaleBias = file.parameter('output_upscaling.0.bias', 64);
  const secondBias = file.parameter('output_upscaling.3.bias', 32);

  // Rows over the image's channels.
  const rows = (linear: ILinear) => transposed(linear.weights, linear.inputs, linear.outputs);
  /** The first transposed convolution: rows [2 × 2 parts][64 channels] over the image's channels. */
  const upscaled = Array.from({ length: CHANNELS }, (_, row) =>
    Float64Array.from({ length: CHANNELS }, (_, i) => firstUpscale[(i * 64 + (row % 64)) * 4 + (row >> 6)]!)
  );
  const [out0, out1] = [split(layers[0].toTokens.o.weights), split(layers[1].toTokens.o.weights)];
  const centre = layers[0].toTokens.o.bias;
  const constant = centred(sum(bias1, layers[1].toTokens.o.bias));
  const lastFunctionals = [...rows(final.k), ...rows(final.v), ...upscaled].map(row => times(row, gain2));

  const plain = (linear: ILinear) => rows(linear).map((weights, i) => ({ weights, bias: linear.bias[i]! }));
  const relative = (weights: ArrayLike<number>) => ({
    weights: centred(weights),
    bias: dot(centred(weights), centre)
  });
  const imageRows = [
    ...plain(layers[0].toImage.k),
    ...plain(layers[0].toTokens.q),
    ...plain(layers[0].toImage.v),
    ...out0.map(relative),
    ...rows(layers[1].toImage.k).map(row => relative(times(row, gain1))),
    ...rows(layers[1].toImage.v).map(row => relative(times(row, gain1))),
    ...rows(layers[1].toTokens.q).map(row => relative(times(row, gain1))),
    ...out0.map(row => relative(times(centred(times(centred(row), gain1)), gain1))),
    ...out1.map(row => relative(times(centred(row), gain1))),
    ...lastFunctionals.map(row => relative(times(centred(row), gain1)))
  ];

  const vectors0 = out0.map(centred); // M of the first layer
  const later0 = vectors0.map(vector => centred(times(vector, gain1))); // N
  const vectors1 = out1.map(centred);
  const secondFunctionals = [layers[1].toImage.k, layers[1].toImage.v, layers[1].toTokens.q].flatMap(linear =>
    rows(linear).map(row => times(row, gain1))
  );
  const with_ = (vectors: Float64Array[], functionals: Float64Array[]) =>
    joined(vectors.map(vector => Float64Array.from([...vector, ...functionals.map(row => dot(row, vector))])));

  const code = (linears: ILinear[], constant: (linear: ILinear, row: Float64Array, i: number) => number) => ({
    weights: joined(linears.flatMap(rows)),
    constants: Float32Array.from(linears.flatMap(linear => rows(linear).map((row, i) => constant(linear, row, i))))
  });
  const after = (norm: Float32Array) => (linear: ILinear, row: Float64Array, i: number) =>
    dot(row, norm) + linear.bias[i]!;

  const maskNorm = (index: number, channels: number): INorm => ({
    gain: file.operand(`/mask_downscaling/mask_downscaling.${index}/Mul`, channels),
    bias: file.operand(`/mask_downscaling/mask_downscaling.${index}/Add_1`, channels)
  });
  const maskConvolution = (index: number, length: number, channels: number) => ({
    weights: file.parameter(`mask_downscaling.${index}.weight`, length),
    bias: file.parameter(`mask_downscaling.${index}.bias`, channels)
  });
  const applied = (linear: ILinear, to: ArrayLike<number>) =>
    Float32Array.from(rows(linear), (row, i) => dot(row, to) + linear.bias[i]!);

  return {
    layers,
    final,
    finalNorm: file.norm('transformer.norm_final_attn'),
    gaussian,
    labels: [
      file.parameter('prompt_encoder.not_a_point_embed.weight', CHANNELS),
      ...[0, 1, 2, 3].map(label => file.parameter(`prompt_encoder.point_embeddings.${label}.weight`, CHANNELS))
    ],
    tokens: file.operand(only(file.nodesWith(5 * CHANNELS), 'the tokens of masks and quality'), 5 * CHANNELS),
    noMask: file.operand('/Mul_9', CHANNELS),
    maskConvolutions: {
      first: { ...maskConvolution(0, 16, 4), norm: maskNorm(1, 4) },
      second: { ...maskConvolution(3, 256, 16), norm: maskNorm(4, 16) },
      third: maskConvolution(6, CHANNELS * 16, CHANNELS)
    },
    heads: [
      ...Array.from({ length: MASKS }, (_, mask) => head(`/output_hypernetworks_mlps.${mask}`, 32)),
      head('/iou_prediction_head', MASKS)
    ],
    image: joined(imageRows.map(({ weights }) => weights)),
    imageBias: Float32Array.from(imageRows, ({ bias }) => bias),
    places: placeCodes(gaussian),
    codes: {
      image: code([layers[0].toImage.k, layers[0].toTokens.q], () => 0),
      keys1: code([layers[1].toImage.k], after(bias1)),
      queries1: code([layers[1].toTokens.q], after(bias1)),
      keys2: code([final.k], after(bias2))
    },
    values1: applied(layers[1].toImage.v, bias1),
    values2: applied(final.v, bias2),
    second: with_(vectors0, secondFunctionals),
    lastOfFirst: with_(later0, lastFunctionals),
    lastOfSecond: with_(vectors1, lastFunctionals),
    lastConstant: with_([Float64Array.from(constant)], lastFunctionals),
    centre,
    gain: gain1,
    constant: Float32Array.from(constant),
    upscaledConstant: Float32Array.from(upscaled, (row, i) => dot(row, bias2) + upscaleBias[i % 64]!),
    upscaleNorm: {
      gain: file.operand(`${upscaleModule}.1/Mul`, 64),
      bias: file.operand(`${upscaleModule}.1/Add_1`, 64)
    },
    upscaleSecond: Float32Array.from(
      { length: 128 * 64 },
      (_, at) => secondUpscale[((at % 64) * 32 + ((at >> 6) % 32)) * 4 + (at >> 11)]!
    ),
    upscaleSecondBias: Float32Array.from({ length: 128 }, (_, row) => secondBias[row % 32]!)
  };
}

/**
 * The code of a position (Tancik et al., "Fourier features let networks learn high frequency functions", 2020): sines and cosines of 2π (2 p − 1) G.
 *
 * @param x, y in units of the frame, 0 to 1
 */
export function positionCode(gaussian: Float32Array, x: number, y: number): Float64Array {
  const half = CHANNELS / 2;
  const code = new Float64Array(CHANNELS);
  for (let i = 0; i < half; i++) {
    const angle = 2 * Math.PI * ((2 * x - 1) * gaussian[i]! + (2 * y - 1) * gaussian[half + i]!);
    code[i] = Math.sin(angle);
    code[half + i] = Math.cos(angle);
  }
  return code;
}

/** The codes of all places: [256][4096]. */
function placeCodes(gaussian: Float32Array): Float32Array {
  const out = new Float32Array(CHANNELS * PLACES);
  for (let place = 0; place < PLACES; place++) {
    const [x, y] = [((place % GRID) + 0.5) / GRID, (Math.floor(place / GRID) + 0.5) / GRID];
    positionCode(gaussian, x, y).forEach((value, i) => (out[i * PLACES + place] = value));
  }
  return out;
}

function only(names: string[], what: string): string {
  if (names.length !== 1) {
    throw new RangeError(`The decoder's file has ${names.length} nodes with ${what}; 1 will do.`);
  }
  return names[0]!;
}

/** The columns of a matrix [inputs][outputs]. */
function transposed(weights: Float32Array, inputs: number, outputs: number): Float64Array[] {
  return Array.from({ length: outputs }, (_, o) =>
    Float64Array.from({ length: inputs }, (_, i) => weights[i * outputs + o]!)
  );
}

/** The rows of a matrix with 256 columns. */
function split(weights: Float32Array): Float64Array[] {
  return Array.from({ length: weights.length / CHANNELS }, (_, row) =>
    Float64Array.from(weights.subarray(row * CHANNELS, (row + 1) * CHANNELS))
  );
}

function joined(rows: ArrayLike<number>[]): Float32Array {
  const width = rows[0]!.length;
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => out.set(row, i * width));
  return out;
}

function centred(row: ArrayLike<number>): Float64Array {
  let total = 0;
  for (let i = 0; i < row.length; i++) {
    total += row[i]!;
  }
  const mean = total / row.length;
  return Float64Array.from(row, value => value - mean);
}

function times(row: ArrayLike<number>, by: ArrayLike<number>): Float64Array {
  return Float64Array.from(row, (value, i) => value * by[i]!);
}

function sum(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  return Float64Array.from(a, (value, i) => value + b[i]!);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) {
    total += a[i]! * b[i]!;
  }
  return total;
}
