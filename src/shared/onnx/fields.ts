/**
 * Numbers of the fields of ONNX's messages, as far as models are written or cut here: onnx.proto3,
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.
 */
export const MODEL = { irVersion: 1, producer: 2, description: 6, graph: 7, opsets: 8, metadata: 14 } as const;
export const OPSET = { domain: 1, version: 2 } as const;
/** An entry of the metadata (StringStringEntryProto). */
export const ENTRY = { key: 1, value: 2 } as const;
export const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12, valueInfo: 13 } as const;
export const NODE = { input: 1, output: 2, name: 3, operator: 4, attribute: 5, domain: 7 } as const;
export const ATTRIBUTE = {
  name: 1,
  int: 3,
  text: 4,
  graph: 6,
  floats: 7,
  ints: 8,
  texts: 9,
  graphs: 11,
  type: 20
} as const;
export const TENSOR = { dims: 1, type: 2, floats: 4, name: 8, raw: 9, external: 13 } as const;
/** Name and type of an input, an output or a value in between (ValueInfoProto). */
export const VALUE_INFO = { name: 1, type: 2 } as const;
export const TYPE = { tensor: 1 } as const;
export const TENSOR_TYPE = { elements: 1, shape: 2 } as const;
export const SHAPE = { dim: 1 } as const;
export const DIM = { value: 1, parameter: 2 } as const;
