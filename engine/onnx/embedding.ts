/**
 * An encoder's maps as inputs of the graph, interpolated at each pixel by the formula of `engine/assembly/embedding.ts`, which must change with this
 * file. The order of operations is the same: places in float64, values in float32, first along the columns, then along the rows.
 */
import { BridgeError } from '../../src/shared/errors';
import { encoderLayer, encoderLayers, findModel } from '../../src/shared/models';
import { IClassifier } from '../core/classifier';
import { Graph, TYPES, Value } from './graph';
import { Message } from '../../src/shared/onnx/wire';

/** An input of the graph: a layer, reduced; float32 [1, components, grid rows, grid columns]. */
export interface IEmbeddingInput {
  name: string;
  layer: string;
  components: number;
  /** Pixels of the image under a cell's side. */
  cell: number;
}

/** The metadata's description of the embedding: with the encoder and the classifier's matrix and mean, a program can compute the inputs. */
export interface IEmbeddingMetadata {
  model: string;
  /** SHA-256 of the encoder's file. */
  digest: string;
  /** Pixels along the side of the square that fills the encoder's frame. */
  window: number;
  layers: IEmbeddingInput[];
}

/**
 * The inputs that a classifier needs besides the image; null if it sees no embedding.
 *
 * @throws BridgeError `invalid` if the classifier has no basis for the embedding
 */
export function embeddingOf({ features, basis }: Pick<IClassifier, 'features' | 'basis'>): IEmbeddingMetadata | null {
  const spec = features.embedding;
  if (!spec) {
    return null;
  }
  if (!basis || spec.window === null) {
    throw new BridgeError(
      'invalid',
      'The classifier has an embedding among its features, but no basis for it. Train it again.'
    );
  }
  const window = spec.window;
  const model = findModel(basis.model);
  const layers = spec.layers.map(({ layer, components }, i) => {
    const found = model && encoderLayer(model, layer);
    if (!found) {
      throw new BridgeError(
        'invalid',
        `ONNX files do not support the layer ${layer} of ${basis.model}; ${model ? encoderLayers(model).join(', ') : 'no layer of it'} will do.`
      );
    }
    return { name: embeddingInput(i, spec.layers.length), layer, components, cell: window / found.shape[1] };
  });
  return { model: basis.model, digest: basis.digest, window, layers };
}

/** Name of the input for a layer. */
export function embeddingInput(index: number, count: number): string {
  return count === 1 ? 'embedding' : `embedding_${index + 1}`;
}

/** The input's description in the graph. */
export function describeInput({ name, components }: IEmbeddingInput): Message {
  return Graph.described(name, 'float', [1, components, `${name}_rows`, `${name}_columns`]);
}

/** Pixels to each side that a pixel depends on: half a cell; tiles begin at a cell, which covers the other half. */
export function embeddingReach({ layers }: IEmbeddingMetadata): number {
  return Math.ceil(Math.max(...layers.map(({ cell }) => cell)) / 2);
}

/** The components of a layer at all pixels, float32 [components, pixels]. */
export function embeddingLines(graph: Graph, { name, components, cell }: IEmbeddingInput): Value {
  const grid = graph.node('Squeeze', [name, graph.constant('int64', [0])]);
  const along = (value: Value, axis: number, pixels: Value, cells: Value) => {
    const { first, second, weight } = places(graph, cell, pixels, cells);
    const low = graph.node('Gather', [value, first], { axis });
    const high = graph.node('Gather', [value, second], { axis });
    // Weights of columns lie along the last axis, those of rows before it.
    const weights = axis === 2 ? weight : graph.node('Unsqueeze', [weight, graph.constant('int64', [1])]);
    return graph.node('Add', [low, graph.node('Mul', [graph.node('Sub', [high, low]), weights])]);
  };
  const columns = along(grid, 2, size(graph, 'image', 1), size(graph, name, 3));
  const rows = along(columns, 1, size(graph, 'image', 0), size(graph, name, 2));
  return graph.node('Reshape', [rows, graph.constant('int64', [components, -1])]);
}

/** Where each pixel of an axis lies on the grid: the cells before and after it, and the weight of the latter. */
function places(graph: Graph, cell: number, pixels: Value, cells: Value) {
  const one = graph.constant('int64', [1], []);
  const last = graph.node('Sub', [cells, one]);
  const index = graph.node('Range', [graph.constant('int64', [0], []), pixels, one]);
  const centre = graph.node('Add', [toDouble(graph, index), graph.double(0.5)]);
  const place = graph.node('Sub', [graph.node('Div', [centre, graph.double(cell)]), graph.double(0.5)]);
  const inside = graph.node('Min', [graph.node('Max', [place, graph.double(0)]), toDouble(graph, last)]);
  const floor = graph.node('Floor', [inside]);
  const first = graph.node('Cast', [floor], { to: TYPES.int64 });
  return {
    first,
    second: graph.node('Min', [graph.node('Add', [first, one]), last]),
    weight: graph.node('Cast', [graph.node('Sub', [inside, floor])], { to: TYPES.float })
  };
}

/** A size of an input as a number. */
function size(graph: Graph, input: Value, axis: number): Value {
  return graph.node('Gather', [graph.node('Shape', [input]), graph.constant('int64', [axis], [])], { axis: 0 });
}

function toDouble(graph: Graph, value: Value): Value {
  return graph.node('Cast', [value], { to: TYPES.double });
}
