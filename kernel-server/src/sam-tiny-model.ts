/**
 * ONNX graphs of a few hundred bytes, written here. A probe runs one before the real model is trusted to a provider.
 * Field numbers: onnx.proto3; wire format: https://protobuf.dev/programming-guides/encoding.
 */

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
  const body = [
    ...graph.nodes.map(node => message(1, encodeNode(node))),
    text(2, 'tiny'),
    ...graph.weights.map(weight => message(5, encodeWeight(weight))),
    ...graph.inputs.map(input => message(11, encodeValueInfo(input))),
    ...graph.outputs.map(output => message(12, encodeValueInfo(output)))
  ];
  return Buffer.concat([integer(1, IR_VERSION), message(7, body), message(8, [text(1, ''), integer(2, OPSET)])]);
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

function encodeNode(node: ITinyNode): Uint8Array[] {
  return [
    ...node.inputs.map(name => text(1, name)),
    ...node.outputs.map(name => text(2, name)),
    text(4, node.operator),
    ...Object.entries(node.attributes ?? {}).map(([name, values]) =>
      message(5, [text(1, name), ...values.map(value => integer(8, value)), integer(20, ATTRIBUTE_INTS)])
    )
  ];
}

function encodeWeight({ name, shape, data }: ITinyTensor & { data: Float32Array }): Uint8Array[] {
  return [
    ...shape.map(size => integer(1, size)),
    integer(2, FLOAT),
    text(8, name),
    bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  ];
}

function encodeValueInfo({ name, shape }: ITinyTensor): Uint8Array[] {
  const dims = shape.map(size => message(1, [integer(1, size)]));
  return [text(1, name), message(2, [message(1, [integer(1, FLOAT), message(2, dims)])])];
}

function integer(field: number, value: number): Uint8Array {
  return Uint8Array.of(...varint(field * 8), ...varint(value));
}

function bytes(field: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(...varint(field * 8 + 2), ...varint(value.length)), value]);
}

function text(field: number, value: string): Uint8Array {
  return bytes(field, new TextEncoder().encode(value));
}

function message(field: number, fields: Uint8Array[]): Uint8Array {
  return bytes(field, Buffer.concat(fields));
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}
