/**
 * Cuts ONNX models: a model with other outputs, less all that does not lead to them, and places where a graph can be cut into stages.
 * Weights are not copied before a model is written.
 */
import { ATTRIBUTE, GRAPH, MODEL, NODE, TENSOR, VALUE_INFO } from './fields';
import { describeTensor } from './value';
import { IField, Message, readFields, readTexts } from './wire';

/** ONNX's number of float32 (TensorProto.DataType). */
const FLOAT = 1;

/** A float32 value of a graph. A size that is not fixed has a name; without `shape` the runtime infers it. */
export interface IFloatValue {
  name: string;
  shape?: readonly (number | string)[];
}

/** A node of the graph. */
interface INode {
  field: IField;
  operator: string;
  /** Names that it reads, those of its subgraphs included since they see the values outside. */
  inputs: string[];
  outputs: string[];
}

/** A model that is read once and cut at several places. */
export class ModelCutter {
  /** @throws RangeError for bytes that are no ONNX model */
  constructor(model: Uint8Array) {
    this._model = readFields(model);
    const graphs = this._model.filter(({ number }) => number === MODEL.graph);
    if (graphs.length === 0) {
      throw new RangeError('The file has no graph: it is no ONNX model.');
    }
    // Parts of one message: protobuf merges them.
    this._fields = graphs.flatMap(({ bytes }) => readFields(bytes!));
    this._names = new Map(this._fields.map(field => [field, nameOf(field)]));
    this._nodes = this._fields
      .filter(({ number }) => number === GRAPH.node)
      .map(field => {
        const fields = readFields(field.bytes!);
        const operator = readTexts(fields, NODE.operator)[0] ?? '';
        return { field, operator, inputs: inputsOf(field.bytes!), outputs: readTexts(fields, NODE.output) };
      });
  }

  /** Number of nodes of the graph. */
  get nodes(): number {
    return this._nodes.length;
  }

  /** Whether weights are in another file. */
  get hasExternalWeights(): boolean {
    return this._fields.some(
      field =>
        field.number === GRAPH.initializer && readFields(field.bytes!).some(({ number }) => number === TENSOR.external)
    );
  }

  /** Names of the graph's outputs. */
  get outputs(): string[] {
    return this._named(GRAPH.output);
  }

  /**
   * The part of the model between some values and its new outputs.
   *
   * @param outputs float32 values of the graph
   * @param inputs float32 values that are given instead of being made; the graph's own inputs stay as they are
   * @returns the new model, and how many nodes it has
   */
  cut(outputs: readonly IFloatValue[], inputs: readonly IFloatValue[] = []): { model: Uint8Array; nodes: number } {
    const given = new Set(inputs.map(({ name }) => name));
    const wanted = new Set(outputs.map(({ name }) => name));
    const { kept, needed } = this._leading(wanted, given);
    const made = new Set([...kept].flatMap(node => node.outputs));
    for (const name of wanted) {
      if (!made.has(name)) {
        throw new RangeError(`The graph has no value ${name}.`);
      }
    }
    const keptFields = new Set([...kept].map(({ field }) => field));
    const stays = (field: IField) => {
      const name = this._names.get(field)!;
      switch (field.number) {
        case GRAPH.node:
          return keptFields.has(field);
        case GRAPH.initializer:
        case GRAPH.input:
          return needed.has(name);
        case GRAPH.valueInfo:
          return needed.has(name) && !wanted.has(name) && !given.has(name);
        default:
          return field.number !== GRAPH.output;
      }
    };
    const graph = new Message();
    this._fields.filter(stays).forEach(field => graph.field(field));
    inputs.forEach(({ name, shape }) => graph.message(GRAPH.input, describeTensor(name, FLOAT, shape)));
    outputs.forEach(({ name, shape }) => graph.message(GRAPH.output, describeTensor(name, FLOAT, shape)));
    const model = new Message();
    const first = this._model.find(({ number }) => number === MODEL.graph);
    for (const field of this._model) {
      if (field === first) {
        model.message(MODEL.graph, graph);
      } else if (field.number !== MODEL.graph) {
        model.field(field);
      }
    }
    return { model: model.toBytes(), nodes: kept.size };
  }

  /**
   * Values at which the graph can be cut into parts of about equally many nodes, in the graph's order: those between the blocks of a network, which
   * each block adds its result to, where no other value that depends on the input crosses. Outputs of the graph that are made before do not count.
   *
   * @param most number of values
   */
  places(most: number): string[] {
    const inputs = this._named(GRAPH.input);
    const fixed = new Set(this._named(GRAPH.initializer));
    const varying = new Set(inputs.filter(name => !fixed.has(name)));
    const crossing = new Set(varying);
    const lastUse = new Map<string, number>();
    this._nodes.forEach((node, i) => {
      if (node.inputs.some(name => varying.has(name))) {
        node.outputs.forEach(name => varying.add(name));
      }
      node.inputs.forEach(name => lastUse.set(name, i));
    });
    const found: { name: string; before: number }[] = [];
    let before = 0;
    this._nodes.forEach(({ operator, outputs }, i) => {
      const own = outputs.filter(name => varying.has(name));
      before += own.length > 0 ? 1 : 0;
      own.forEach(name => crossing.add(name));
      crossing.forEach(name => (lastUse.get(name) ?? -1) <= i && crossing.delete(name));
      if (operator === 'Add' && crossing.size === 1 && crossing.has(own[0] ?? '')) {
        found.push({ name: own[0]!, before });
      }
    });
    const nodes = before;
    const chosen = Array.from({ length: most }, (_, i) => {
      const share = (nodes * (i + 1)) / (most + 1);
      const distance = (place: (typeof found)[number]) => Math.abs(place.before - share);
      return found.reduce<(typeof found)[number] | undefined>(
        (best, place) => (best && distance(best) <= distance(place) ? best : place),
        undefined
      );
    });
    return [...new Set(chosen.flatMap(place => place?.name ?? []))];
  }

  /** The graph's outputs that are made by the nodes up to the one that makes a value. */
  outputsBefore(value: string): string[] {
    const end = this._nodes.findIndex(({ outputs }) => outputs.includes(value));
    const made = new Set(this._nodes.slice(0, end + 1).flatMap(({ outputs }) => outputs));
    return this.outputs.filter(name => made.has(name));
  }

  /** The nodes that lead to values, less those behind given ones; and all names that they need. */
  private _leading(wanted: ReadonlySet<string>, given: ReadonlySet<string>) {
    const needed = new Set(wanted);
    const kept = new Set<INode>();
    // Nodes stand in topological order, so one pass from the end finds all that is needed.
    for (let i = this._nodes.length - 1; i >= 0; i--) {
      const node = this._nodes[i]!;
      if (node.outputs.some(name => needed.has(name) && !given.has(name))) {
        kept.add(node);
        node.inputs.forEach(name => needed.add(name));
      }
    }
    return { kept, needed };
  }

  private _named(number: number): string[] {
    return this._fields.filter(field => field.number === number).map(field => this._names.get(field)!);
  }

  private readonly _model: IField[];
  private readonly _fields: IField[];
  private readonly _names: ReadonlyMap<IField, string>;
  private readonly _nodes: INode[];
}

/** The name of an initializer, an input, an output or a described value; empty for other fields. */
function nameOf({ number, bytes }: IField): string {
  switch (number) {
    case GRAPH.initializer:
      return readTexts(readFields(bytes!), TENSOR.name)[0] ?? '';
    case GRAPH.input:
    case GRAPH.output:
    case GRAPH.valueInfo:
      return readTexts(readFields(bytes!), VALUE_INFO.name)[0] ?? '';
    default:
      return '';
  }
}

/** Names that a node reads, those of its subgraphs included. */
function inputsOf(node: Uint8Array): string[] {
  const fields = readFields(node);
  const names = readTexts(fields, NODE.input).filter(name => name !== '');
  for (const attribute of fields.filter(({ number }) => number === NODE.attribute)) {
    for (const { number, bytes } of readFields(attribute.bytes!)) {
      if (bytes && (number === ATTRIBUTE.graph || number === ATTRIBUTE.graphs)) {
        for (const field of readFields(bytes)) {
          if (field.number === GRAPH.node) {
            names.push(...inputsOf(field.bytes!));
          } else if (field.number === GRAPH.output) {
            names.push(...readTexts(readFields(field.bytes!), VALUE_INFO.name));
          }
        }
      }
    }
  }
  return names;
}
