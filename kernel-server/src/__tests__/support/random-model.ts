/**
 * Small models of random weights that keep to a manifest's contract, for tests: the real weights are not needed to know what a graph is fed with.
 *
 * The encoder is one convolution for each tensor. The decoder's masks are discs of {@link DISC_RADII} pixels of the frame around the centre of the
 * points in the object, plus the mask that was fed back; each score is the mean of the embedding, plus 10, 100 … times that of each further feature.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EncoderLayout, IPromptModel } from '../../../../src/shared/models';
import {
  ATTRIBUTE,
  DIM,
  GRAPH,
  MODEL,
  NODE,
  OPSET,
  SHAPE,
  TENSOR,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO
} from '../../../../src/shared/onnx/fields';
import { Message } from '../../../../src/shared/onnx/wire';

/** Radii of the discs, in pixels of the frame; the mask for clear prompts comes first where a model has one. */
export const DISC_RADII = [200, 80, 120, 160];

const ELEMENTS = { float32: 1, int64: 7 } as const;
type Element = keyof typeof ELEMENTS;
type Shape = readonly (number | null)[];

/** A graph under construction; every operator has one output. */
export class GraphWriter {
  input(name: string, shape: Shape, type: Element = 'float32'): string {
    this._body.message(GRAPH.input, value(name, shape, type));
    return name;
  }

  output(name: string, of: string, shape: Shape): void {
    this._node('Identity', [of], {}, name);
    this._body.message(GRAPH.output, value(name, shape, 'float32'));
  }

  floats(data: ArrayLike<number>, shape: readonly number[]): string {
    return this._weight(new Uint8Array(Float32Array.from(data).buffer), shape, 'float32');
  }

  integers(...data: number[]): string {
    return this._weight(new Uint8Array(BigInt64Array.from(data, BigInt).buffer), [data.length], 'int64');
  }

  node(operator: string, inputs: string[], attributes: Record<string, number | number[]> = {}): string {
    return this._node(operator, inputs, attributes, `value${this._values++}`);
  }

  toBytes(): Uint8Array {
    const body = new Message().text(GRAPH.name, 'random');
    const graph = new Message();
    graph.field({ raw: this._body.toBytes() }).field({ raw: body.toBytes() });
    const opset = new Message().text(OPSET.domain, '').integer(OPSET.version, 17);
    return new Message().integer(MODEL.irVersion, 8).message(MODEL.graph, graph).message(MODEL.opsets, opset).toBytes();
  }

  private _node(
    operator: string,
    inputs: string[],
    attributes: Record<string, number | number[]>,
    out: string
  ): string {
    const node = new Message().texts(NODE.input, inputs).texts(NODE.output, [out]).text(NODE.operator, operator);
    for (const [name, given] of Object.entries(attributes)) {
      const attribute = new Message().text(ATTRIBUTE.name, name);
      if (typeof given === 'number') {
        attribute.integer(ATTRIBUTE.int, given).integer(ATTRIBUTE.type, 2);
      } else {
        given.forEach(each => attribute.integer(ATTRIBUTE.ints, each));
        attribute.integer(ATTRIBUTE.type, 7);
      }
      node.message(NODE.attribute, attribute);
    }
    this._body.message(GRAPH.node, node);
    return out;
  }

  private _weight(bytes: Uint8Array, shape: readonly number[], type: Element): string {
    const name = `weight${this._values++}`;
    const tensor = new Message();
    shape.forEach(side => tensor.integer(TENSOR.dims, side));
    tensor.integer(TENSOR.type, ELEMENTS[type]).text(TENSOR.name, name).bytes(TENSOR.raw, bytes);
    this._body.message(GRAPH.initializer, tensor);
    return name;
  }

  private readonly _body = new Message();
  private _values = 0;
}

/** The encoder of a manifest. Its weights depend on nothing but the tensors' shapes. */
export function randomEncoder({ encoder, decoder }: IPromptModel, layout: EncoderLayout = 'NCHW'): Uint8Array {
  const graph = new GraphWriter();
  const { size, mean, std, layers, input } = encoder;
  let pixels = graph.input(input, layout === 'HWC' ? [null, null, 3] : [1, 3, size, size]);
  if (layout === 'HWC') {
    pixels = graph.node('Sub', [pixels, graph.floats(mean, [3])]);
    pixels = graph.node('Div', [pixels, graph.floats(std, [3])]);
    pixels = graph.node('Transpose', [pixels], { perm: [2, 0, 1] });
    pixels = graph.node('Reshape', [pixels, graph.integers(1, 3, size, size)]);
  }
  const convolved = (channels: number, side: number) => {
    const cell = size / side;
    const weights = graph.floats(randoms(channels * 3 * cell * cell, channels), [channels, 3, cell, cell]);
    return graph.node('Conv', [pixels, weights], { kernel_shape: [cell, cell], strides: [cell, cell] });
  };
  const [channels, side] = layers.output.shape;
  graph.output(layers.output.tensor, convolved(channels, side), [1, ...layers.output.shape]);
  for (const { tensor, shape } of decoder.features ?? []) {
    if (shape.length === 4) {
      graph.output(tensor, convolved(shape[1]!, shape[2]!), shape);
      continue;
    }
    // Blocks of HQ-SAM's encoder: [blocks, 1, rows, columns, channels].
    const [blocks, , rows, columns, depth] = shape as [number, number, number, number, number];
    const last = graph.node('Transpose', [convolved(depth, rows)], { perm: [0, 2, 3, 1] });
    const block = graph.node('Reshape', [last, graph.integers(1, 1, rows, columns, depth)]);
    graph.output(tensor, graph.node('Concat', Array<string>(blocks).fill(block), { axis: 0 }), shape);
  }
  return graph.toBytes();
}

/** What a decoder may have otherwise than its manifest says. */
export interface IOtherwise {
  /** A fixed number of points. */
  points?: number;
  /** Masks of the output. */
  masks?: number;
  /** Other names of inputs and outputs. */
  names?: Record<string, string>;
}

/** The decoder of a manifest. */
export function randomDecoder({ encoder, decoder }: IPromptModel, otherwise: IOtherwise = {}): Uint8Array {
  const { inputs, outputs, features = [], maskSize, coordinateOffset, pointAxes, coordinates, labelType } = decoder;
  const { points = null, masks = decoder.masks, names = {} } = otherwise;
  const named = (name: string) => names[name] ?? name;
  const graph = new GraphWriter();
  const before = pointAxes === 4 ? [1, 1] : [1];
  const embedding = graph.input(named(inputs.embedding), [1, ...encoder.layers.output.shape]);
  const further = features.map(({ input, shape }) => graph.input(named(input), shape));
  let place = graph.input(named(inputs.coordinates), [...before, points, 2]);
  let labels = graph.input(named(inputs.labels), [...before, points], labelType);
  const size = inputs.size && graph.input(named(inputs.size.name), [2], inputs.size.type);
  const scalar = (number: number) => graph.floats([number], [1]);

  // The centre of the points in the object, in pixels of the frame.
  place = graph.node('Reshape', [place, graph.integers(1, -1, 2)]);
  if (coordinates === 'masks') {
    const sides = graph.node('ReduceMean', [graph.node('Cast', [size!], { to: 1 })], { keepdims: 0 });
    place = graph.node('Div', [graph.node('Mul', [place, scalar(encoder.size)]), sides]);
  }
  place = graph.node('Add', [place, scalar(coordinateOffset)]);
  labels = graph.node('Cast', [labels], { to: 1 });
  labels = graph.node('Reshape', [labels, graph.integers(1, -1, 1)]);
  const inside = graph.node('Cast', [graph.node('Equal', [labels, scalar(1)])], { to: 1 });
  const sum = (of: string) => graph.node('ReduceSum', [of, graph.integers(1)], { keepdims: 0 });
  const centre = graph.node('Div', [sum(graph.node('Mul', [place, inside])), sum(inside)]);

  // |g − p|² = |g|² − 2 p·g + |p|² for the samples g of the masks.
  const pixels = maskSize * maskSize;
  const step = encoder.size / maskSize;
  const at = (i: number) => (i + 0.5) * step;
  const grid = new Float32Array(2 * pixels).map((_, i) =>
    at(i < pixels ? i % maskSize : Math.floor((i - pixels) / maskSize))
  );
  const squares = new Float32Array(pixels).map((_, i) => grid[i]! ** 2 + grid[pixels + i]! ** 2);
  const product = graph.node('MatMul', [centre, graph.floats(grid, [2, pixels])]);
  const length = graph.node('ReduceSum', [graph.node('Mul', [centre, centre]), graph.integers(1)], { keepdims: 1 });
  const less = graph.node('Sub', [graph.node('Mul', [product, scalar(2)]), length]);
  const radii = masks === 4 ? DISC_RADII : masks === 3 ? DISC_RADII.slice(1) : DISC_RADII.slice(1, 2);
  const discs = graph.floats(
    radii.map(radius => radius ** 2),
    [radii.length, 1]
  );
  let logits = graph.node('Add', [graph.node('Sub', [less, graph.floats(squares, [1, pixels])]), discs]);
  if (inputs.mask !== undefined) {
    const mask = graph.input(named(inputs.mask), [1, 1, maskSize, maskSize]);
    const has = graph.input(named(inputs.hasMask!), [1]);
    const fed = graph.node('Mul', [graph.node('Reshape', [mask, graph.integers(1, pixels)]), has]);
    logits = graph.node('Add', [logits, fed]);
  }
  const shape = [...before, masks, maskSize, maskSize];
  graph.output(named(outputs.masks), graph.node('Reshape', [logits, graph.integers(...shape)]), shape);

  let score = graph.node('ReduceMean', [embedding], { keepdims: 0 });
  further.forEach((feature, i) => {
    const mean = graph.node('ReduceMean', [feature], { keepdims: 0 });
    score = graph.node('Add', [score, graph.node('Mul', [mean, scalar(10 ** (i + 1))])]);
  });
  const ones = graph.floats(new Float32Array(masks).fill(1), [...before, masks]);
  graph.output(named(outputs.scores), graph.node('Mul', [score, ones]), [...before, masks]);
  return graph.toBytes();
}

/** Write both files of a model to a folder that has its name. Returns the folder. */
export function writeRandomModel(parent: string, manifest: IPromptModel, layout: EncoderLayout = 'NCHW'): string {
  const folder = join(parent, manifest.id);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'encoder.onnx'), randomEncoder(manifest, layout));
  writeFileSync(join(folder, 'decoder.onnx'), randomDecoder(manifest));
  return folder;
}

function value(name: string, shape: Shape, type: Element): Message {
  const dims = new Message();
  for (const side of shape) {
    dims.message(
      SHAPE.dim,
      side === null ? new Message().text(DIM.parameter, 'n') : new Message().integer(DIM.value, side)
    );
  }
  const tensor = new Message().integer(TENSOR_TYPE.elements, ELEMENTS[type]).message(TENSOR_TYPE.shape, dims);
  return new Message().text(VALUE_INFO.name, name).message(VALUE_INFO.type, new Message().message(TYPE.tensor, tensor));
}

/** Numbers from −0.05 to 0.05 by a linear congruential generator. */
function randoms(length: number, seed: number): Float32Array {
  let state = seed;
  return new Float32Array(length).map(() => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647 / 10 - 0.05;
  });
}
