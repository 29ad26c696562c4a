/**
 * An ONNX model under construction: nodes, constants, inputs, outputs and metadata. The operators are those of opset 17 and of
 * ai.onnx.ml 3, which runtimes since 2022 know.
 */
import {
  ATTRIBUTE,
  DIM,
  ENTRY,
  GRAPH,
  MODEL,
  NODE,
  OPSET,
  SHAPE,
  TENSOR,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO
} from './fields';
import { Message } from './wire';

const IR_VERSION = 8;
const OPERATORS_VERSION = 17;
const ML_OPERATORS_VERSION = 3;
export const ML_DOMAIN = 'ai.onnx.ml';

/** Element types, as ONNX numbers them. */
export const TYPES = { float: 1, uint8: 2, int64: 7, double: 11 } as const;
type ElementType = keyof typeof TYPES;

/** AttributeProto's types. */
const ATTRIBUTE_TYPES = { int: 2, text: 3, floats: 6, ints: 7, texts: 8 } as const;

/** The value of a node's attribute. */
export type Attribute =
  number | string | { ints: ArrayLike<number> } | { floats: Float32Array } | { texts: readonly string[] };

/** Name of a value in the graph. */
export type Value = string;

interface INode {
  inputs: Value[];
  output: Value;
  message: Message;
}

export class Graph {
  /**
   * Add a node with one output.
   *
   * @param name of its output; numbered by default
   */
  node(
    operator: string,
    inputs: Value[],
    attributes: Record<string, Attribute> = {},
    { name, domain }: { name?: Value; domain?: string } = {}
  ): Value {
    const output = name ?? this._name();
    const message = new Message();
    inputs.forEach(input => message.text(NODE.input, input));
    message.text(NODE.output, output).text(NODE.operator, operator);
    Object.entries(attributes).forEach(([key, value]) => message.message(NODE.attribute, attribute(key, value)));
    if (domain !== undefined) {
      message.text(NODE.domain, domain);
    }
    this._nodes.push({ inputs, output, message });
    return output;
  }

  /** A constant; equal constants share a name. */
  constant(type: ElementType, values: readonly number[], shape: readonly number[] = [values.length]): Value {
    const key = `${type} ${shape.join()} ${values.join()}`;
    let name = this._constants.get(key);
    if (name === undefined) {
      name = this._name();
      this._constants.set(key, name);
      const tensor = new Message();
      shape.forEach(size => tensor.integer(TENSOR.dims, size));
      tensor.integer(TENSOR.type, TYPES[type]).text(TENSOR.name, name).bytes(TENSOR.raw, raw(type, values));
      this._initializers.push({ name, tensor });
    }
    return name;
  }

  /** One float32, for arithmetic. */
  float(value: number): Value {
    return this.constant('float', [value], []);
  }

  /** One float64, for arithmetic. */
  double(value: number): Value {
    return this.constant('double', [value], []);
  }

  /** An input or an output; a size is a number or a name. */
  static described(name: Value, type: ElementType, shape: readonly (number | string)[]): Message {
    const dims = new Message();
    for (const size of shape) {
      const dim = new Message();
      dims.message(SHAPE.dim, typeof size === 'number' ? dim.integer(DIM.value, size) : dim.text(DIM.parameter, size));
    }
    const tensor = new Message().integer(TENSOR_TYPE.elements, TYPES[type]).message(TENSOR_TYPE.shape, dims);
    return new Message()
      .text(VALUE_INFO.name, name)
      .message(VALUE_INFO.type, new Message().message(TYPE.tensor, tensor));
  }

  /** The file; nodes that lead to no output are left out. */
  encode(options: {
    inputs: readonly Message[];
    outputs: readonly { name: Value; described: Message }[];
    description: string;
    metadata: Readonly<Record<string, string | Uint8Array>>;
  }): Uint8Array {
    const needed = new Set(options.outputs.map(({ name }) => name));
    const kept: INode[] = [];
    for (let i = this._nodes.length - 1; i >= 0; i--) {
      const node = this._nodes[i]!;
      if (needed.has(node.output)) {
        kept.push(node);
        node.inputs.forEach(input => needed.add(input));
      }
    }
    const graph = new Message();
    kept.reverse().forEach(({ message }) => graph.message(GRAPH.node, message));
    graph.text(GRAPH.name, 'sambalab');
    this._initializers
      .filter(({ name }) => needed.has(name))
      .forEach(({ tensor }) => graph.message(GRAPH.initializer, tensor));
    options.inputs.forEach(input => graph.message(GRAPH.input, input));
    options.outputs.forEach(({ described }) => graph.message(GRAPH.output, described));
    const model = new Message()
      .integer(MODEL.irVersion, IR_VERSION)
      .text(MODEL.producer, 'sambalab')
      .text(MODEL.description, options.description);
    model.message(MODEL.graph, graph);
    model.message(MODEL.opsets, new Message().text(OPSET.domain, '').integer(OPSET.version, OPERATORS_VERSION));
    model.message(
      MODEL.opsets,
      new Message().text(OPSET.domain, ML_DOMAIN).integer(OPSET.version, ML_OPERATORS_VERSION)
    );
    for (const [key, value] of Object.entries(options.metadata)) {
      const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
      model.message(MODEL.metadata, new Message().text(ENTRY.key, key).bytes(ENTRY.value, bytes));
    }
    return model.toBytes();
  }

  private _name(): Value {
    return `v${this._names++}`;
  }

  private readonly _nodes: INode[] = [];
  private readonly _initializers: { name: Value; tensor: Message }[] = [];
  private readonly _constants = new Map<string, Value>();
  private _names = 0;
}

function attribute(name: string, value: Attribute): Message {
  const message = new Message().text(ATTRIBUTE.name, name);
  if (typeof value === 'number') {
    return message.integer(ATTRIBUTE.int, value).integer(ATTRIBUTE.type, ATTRIBUTE_TYPES.int);
  }
  if (typeof value === 'string') {
    return message.text(ATTRIBUTE.text, value).integer(ATTRIBUTE.type, ATTRIBUTE_TYPES.text);
  }
  if ('ints' in value) {
    return message.integers(ATTRIBUTE.ints, value.ints).integer(ATTRIBUTE.type, ATTRIBUTE_TYPES.ints);
  }
  if ('floats' in value) {
    return message.floats(ATTRIBUTE.floats, value.floats).integer(ATTRIBUTE.type, ATTRIBUTE_TYPES.floats);
  }
  return message.texts(ATTRIBUTE.texts, value.texts).integer(ATTRIBUTE.type, ATTRIBUTE_TYPES.texts);
}

function raw(type: ElementType, values: readonly number[]): Uint8Array {
  const data = {
    float: () => Float32Array.from(values),
    uint8: () => Uint8Array.from(values),
    int64: () => BigInt64Array.from(values, BigInt),
    double: () => Float64Array.from(values)
  }[type]();
  return new Uint8Array(data.buffer);
}
