/**
 * Writes ONNX graphs of a few hundred bytes. A probe runs one on a provider before the real model is opened there.
 * Field numbers: onnx.proto3.
 */
import { Message } from '../../../src/shared/onnx/wire';

const FLOAT = 1;
const IR_VERSION = 8;
const OPSET = 17;
const ATTRIBUTE_INTS = 7;

/** A list of integers that an operator takes. */
export type TinyAttributes = Record<string, number[]>;

export interface ITinyNode {
  operator: string;
  inputs: string[];
  outputs: string[];
  attributes?: TinyAttributes;
}

export interface ITinyTensor {
  name: string;
  shape: number[];
}

export interface ITinyGraph {
  inputs: ITinyTensor[];
  outputs: ITinyTensor[];
  weights: (ITinyTensor & { data: Float32Array })[];
  nodes: ITinyNode[];
}

/** The bytes of an ONNX file. */
export function encodeTinyModel(graph: ITinyGraph): Uint8Array {
  const body = new Message();
  graph.nodes.forEach(node => body.message(1, encodeNode(node)));
  body.text(2, 'tiny');
  graph.weights.forEach(weight => body.message(5, encodeWeight(weight)));
  graph.inputs.forEach(input => body.message(11, encodeValueInfo(input)));
  graph.outputs.forEach(output => body.message(12, encodeValueInfo(output)));
  const opset = new Message().text(1, '').integer(2, OPSET);
  return new Message().integer(1, IR_VERSION).message(7, body).message(8, opset).toBytes();
}

/** y = relu(x·w + b) for 8×8 matrices, with an input and the output it must give. */
export function probeModel(): { model: Uint8Array; input: Float32Array; output: Float32Array; shape: number[] } {
  const n = 8;
  const fill = (seed: number) => Float32Array.from({ length: n * n }, (_, i) => (((i * seed) % 17) - 8) / 16);
  const [x, w, b] = [fill(5), fill(7), fill(11)] as [Float32Array, Float32Array, Float32Array];
  const output = new Float32Array(n * n);
  for (let row = 0; row < n; row++) {
    for (let column = 0; column < n; column++) {
      let sum = b[row * n + column]!;
      for (let i = 0; i < n; i++) {
        sum += x[row * n + i]! * w[i * n + column]!;
      }
      output[row * n + column] = Math.max(0, sum);
    }
  }
  const shape = [n, n];
  const model = encodeTinyModel({
    inputs: [{ name: 'x', shape }],
    outputs: [{ name: 'y', shape }],
    weights: [
      { name: 'w', shape, data: w },
      { name: 'b', shape, data: b }
    ],
    nodes: [
      { operator: 'MatMul', inputs: ['x', 'w'], outputs: ['xw'] },
      { operator: 'Add', inputs: ['xw', 'b'], outputs: ['sum'] },
      { operator: 'Relu', inputs: ['sum'], outputs: ['y'] }
    ]
  });
  return { model, input: x, output, shape };
}

function encodeNode({ inputs, outputs, operator, attributes = {} }: ITinyNode): Message {
  const node = new Message().texts(1, inputs).texts(2, outputs).text(4, operator);
  for (const [name, values] of Object.entries(attributes)) {
    const attribute = new Message().text(1, name);
    values.forEach(value => attribute.integer(8, value));
    node.message(5, attribute.integer(20, ATTRIBUTE_INTS));
  }
  return node;
}

function encodeWeight({ name, shape, data }: ITinyTensor & { data: Float32Array }): Message {
  const tensor = new Message();
  shape.forEach(size => tensor.integer(1, size));
  return tensor.integer(2, FLOAT).text(8, name).floats(9, data);
}

function encodeValueInfo({ name, shape }: ITinyTensor): Message {
  const dims = new Message();
  shape.forEach(size => dims.message(1, new Message().integer(1, size)));
  const tensor = new Message().integer(1, FLOAT).message(2, dims);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}
