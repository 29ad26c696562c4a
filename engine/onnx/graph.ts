/**
 * An ONNX model under construction: nodes, constants, inputs, outputs and metadata. The operators are those of opset 17 and of
 * ai.onnx.ml 3, which runtimes since 2022 know.
 */
import { ATTRIBUTE, ENTRY, GRAPH, MODEL, NODE, OPSET, TENSOR } from '../../src/shared/onnx/fields';
import { describeTensor } from '../../src/shared/onnx/value';
import { Message } from '../../src/shared/onnx/wire';

const IR_VERSION = 8;
const OPERATORS_VERSION = 17;
const ML_OPERATORS_VERSION = 3;
export const ML_DOMAIN = 'ai.onnx.ml';

/** Element types, as ONNX numbers them. */
export const TYPES = { float: 1, uint8: 2, int64: 7, bool: 9, double: 11 } as const;
export type ElementType = keyof typeof TYPES;

/** AttributeProto's types. */
const ATTRIBUTE_TYPES = { int: 2, text: 3, graph: 5, floats: 6, ints: 7, texts: 8 } as const;

/** The value of a node's attribute. */
export type Attribute =
  | number
  | string
  | { ints: ArrayLike<number> }
  | { floats: Float32Array }
  | { texts: readonly string[] }
  | { graph: Message };

/** Name of a value in the graph. */
export type Value = string;

interface INode {
  /** With those that a body takes from the graph around it. */
  inputs: Value[];
  outputs: Value[];
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
    this._nodes.push({ inputs, outputs: [output], message: nodeOf(operator, inputs, [output], attributes, domain) });
    return output;
  }

  /**
   * Repeat some nodes (the operator Loop).
   *
   * @param most times
   * @param condition bool; false ends the loop, or lets it never begin
   * @param carried numbers or booleans that each time replaces, and their values before
   * @param body makes the nodes of a time from the values carried; they may use all values made before
   * @returns the values carried at the end
   */
  loop(
    most: number,
    condition: Value,
    carried: readonly { type: ElementType; value: Value }[],
    body: (values: Value[]) => { condition: Value; values: Value[] }
  ): Value[] {
    const around = this._nodes;
    const nodes: INode[] = (this._nodes = []);
    const given = [this._name(), this._name(), ...carried.map(() => this._name())];
    const made = body(given.slice(2));
    // A value that passes through gets a name of its own, since an output of a body belongs to one of its nodes.
    const results = [made.condition, ...made.values].map(value => this.node('Identity', [value]));
    this._nodes = around;
    const scalar = (name: Value, type: ElementType) => Graph.described(name, type, []);
    const types = carried.map(({ type }) => type);
    const graph = new Message();
    nodes.forEach(({ message }) => graph.message(GRAPH.node, message));
    graph.text(GRAPH.name, 'body');
    given.forEach((name, i) => graph.message(GRAPH.input, scalar(name, (['int64', 'bool', ...types] as const)[i]!)));
    results.forEach((name, i) => graph.message(GRAPH.output, scalar(name, (['bool', ...types] as const)[i]!)));
    const inputs = [this.constant('int64', [most], []), condition, ...carried.map(({ value }) => value)];
    const outputs = carried.map(() => this._name());
    const own = new Set([...given, ...nodes.flatMap(node => node.outputs)]);
    const taken = nodes.flatMap(node => node.inputs).filter(name => !own.has(name));
    const message = nodeOf('Loop', inputs, outputs, { body: { graph } });
    this._nodes.push({ inputs: [...inputs, ...taken], outputs, message });
    return outputs;
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
    return describeTensor(name, TYPES[type], shape);
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
      if (node.outputs.some(output => needed.has(output))) {
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

  private _nodes: INode[] = [];
  private readonly _initializers: { name: Value; tensor: Message }[] = [];
  private readonly _constants = new Map<string, Value>();
  private _names = 0;
}

function nodeOf(
  operator: string,
  inputs: readonly Value[],
  outputs: readonly Value[],
  attributes: Record<string, Attribute>,
  domain?: string
): Message {
  const message = new Message();
  inputs.forEach(input => message.text(NODE.input, input));
  outputs.forEach(output => message.text(NODE.output, output));
  message.text(NODE.operator, operator);
  Object.entries(attributes).forEach(([key, value]) => message.message(NODE.attribute, attribute(key, value)));
  return domain === undefined ? message : message.text(NODE.domain, domain);
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
  if ('graph' in value) {
    return message.message(ATTRIBUTE.graph, value.graph).integer(ATTRIBUTE.type, ATTRIBUTE_TYPES.graph);
  }
  return message.texts(ATTRIBUTE.texts, value.texts).integer(ATTRIBUTE.type, ATTRIBUTE_TYPES.texts);
}

function raw(type: ElementType, values: readonly number[]): Uint8Array {
  const data = {
    float: () => Float32Array.from(values),
    uint8: () => Uint8Array.from(values),
    bool: () => Uint8Array.from(values),
    int64: () => BigInt64Array.from(values, BigInt),
    double: () => Float64Array.from(values)
  }[type]();
  return new Uint8Array(data.buffer);
}
