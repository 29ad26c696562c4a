/**
 * An ONNX model that is being built: nodes, constants, inputs and outputs, and what the file says of itself. Message and field numbers are
 * those of onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3); the operators are those of opset 17 and of
 * ai.onnx.ml 3, which runtimes since 2022 know.
 */
import { Message } from './wire';

const IR_VERSION = 8;
const OPSET = 17;
const OPSET_ML = 3;
export const ML_DOMAIN = 'ai.onnx.ml';

/** Element types, as ONNX numbers them. */
export const TYPES = { float: 1, uint8: 2, int64: 7, double: 11 } as const;
type ElementType = keyof typeof TYPES;

/** AttributeProto's types. */
const ATTRIBUTE = { int: 2, text: 3, floats: 6, ints: 7, texts: 8 } as const;

/** What a node's attribute may be. */
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
   * @param name of its output; a number by default
   */
  node(
    operator: string,
    inputs: Value[],
    attributes: Record<string, Attribute> = {},
    { name, domain }: { name?: Value; domain?: string } = {}
  ): Value {
    const output = name ?? this._name();
    const message = new Message();
    inputs.forEach(input => message.text(1, input));
    message.text(2, output).text(4, operator);
    Object.entries(attributes).forEach(([key, value]) => message.message(5, attribute(key, value)));
    if (domain !== undefined) {
      message.text(7, domain);
    }
    this._nodes.push({ inputs, output, message });
    return output;
  }

  /** A constant; the same name for the same one. */
  constant(type: ElementType, values: readonly number[], shape: readonly number[] = [values.length]): Value {
    const key = `${type} ${shape.join()} ${values.join()}`;
    let name = this._constants.get(key);
    if (name === undefined) {
      name = this._name();
      this._constants.set(key, name);
      const tensor = new Message();
      shape.forEach(size => tensor.integer(1, size));
      tensor.integer(2, TYPES[type]).text(8, name).bytes(9, raw(type, values));
      this._initializers.push({ name, tensor });
    }
    return name;
  }

  /** One float, for arithmetic. */
  float(value: number): Value {
    return this.constant('float', [value], []);
  }

  /** One float of double precision. */
  double(value: number): Value {
    return this.constant('double', [value], []);
  }

  /** An input or an output; a size is a number or a name. */
  static described(name: Value, type: ElementType, shape: readonly (number | string)[]): Message {
    const dims = new Message();
    for (const size of shape) {
      const dim = new Message();
      dims.message(1, typeof size === 'number' ? dim.integer(1, size) : dim.text(2, size));
    }
    const tensor = new Message().integer(1, TYPES[type]).message(2, dims);
    return new Message().text(1, name).message(2, new Message().message(1, tensor));
  }

  /** The file; what leads to no output is left out. */
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
    kept.reverse().forEach(({ message }) => graph.message(1, message));
    graph.text(2, 'sambalab');
    this._initializers.filter(({ name }) => needed.has(name)).forEach(({ tensor }) => graph.message(5, tensor));
    options.inputs.forEach(input => graph.message(11, input));
    options.outputs.forEach(({ described }) => graph.message(12, described));
    const model = new Message().integer(1, IR_VERSION).text(2, 'sambalab').text(6, options.description);
    model.message(7, graph);
    model.message(8, new Message().text(1, '').integer(2, OPSET));
    model.message(8, new Message().text(1, ML_DOMAIN).integer(2, OPSET_ML));
    for (const [key, value] of Object.entries(options.metadata)) {
      const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
      model.message(14, new Message().text(1, key).bytes(2, bytes));
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
  const message = new Message().text(1, name);
  if (typeof value === 'number') {
    return message.integer(3, value).integer(20, ATTRIBUTE.int);
  }
  if (typeof value === 'string') {
    return message.text(4, value).integer(20, ATTRIBUTE.text);
  }
  if ('ints' in value) {
    return message.integers(8, value.ints).integer(20, ATTRIBUTE.ints);
  }
  if ('floats' in value) {
    return message.floats(7, value.floats).integer(20, ATTRIBUTE.floats);
  }
  return message.texts(9, value.texts).integer(20, ATTRIBUTE.texts);
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
