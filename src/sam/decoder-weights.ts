/**
 * Reads the weights of SAM's mask decoder and of its prompt encoder from an ONNX file.
 *
 * The reference exporter names nodes after the modules that they come from, and parameters after their place in the model, so a weight is found
 * by the name of the node that uses it or by the end of its own name. Files without these names have no weights for this reader; a runtime for ONNX
 * still runs them.
 */
import { GRAPH, MODEL, NODE, TENSOR } from '../shared/onnx/fields';
import { readFields, readTexts } from '../shared/onnx/wire';

/** A linear layer: out = in · weights + bias. `weights` are [inputs][outputs]. */
export interface ILinear {
  inputs: number;
  outputs: number;
  weights: Float32Array;
  bias: Float32Array;
}

/** A norm's gain and bias. */
export interface INorm {
  gain: Float32Array;
  bias: Float32Array;
}

/** Channels of SAM's decoder, and those of its attention between image and tokens. */
export const CHANNELS = 256;
export const ATTENTION_CHANNELS = 128;

interface INode {
  inputs: string[];
}

/** The parameters of an ONNX file by name. */
export class DecoderWeights {
  /** @throws RangeError for bytes that are no ONNX file. */
  constructor(model: Uint8Array) {
    const graph = readFields(model).find(field => field.number === MODEL.graph)?.bytes;
    if (!graph) {
      throw new RangeError('The file has no graph: it is no ONNX model.');
    }
    for (const { number, bytes } of readFields(graph)) {
      if (number === GRAPH.node) {
        const fields = readFields(bytes!);
        const name = readTexts(fields, NODE.name)[0];
        if (name) {
          this._nodes.set(name, { inputs: readTexts(fields, NODE.input) });
        }
      } else if (number === GRAPH.initializer) {
        const fields = readFields(bytes!);
        const values = fields.find(field => field.number === TENSOR.raw || field.number === TENSOR.floats)?.bytes;
        if (values) {
          this._tensors.set(readTexts(fields, TENSOR.name)[0] ?? '', values);
        }
      }
    }
  }

  /** A linear layer of a module, as MatMul and Add or as Gemm. @throws RangeError if it is not there or has another size. */
  linear(module: string, inputs: number, outputs: number): ILinear {
    const gemm = this._nodes.get(`${module}/Gemm`);
    if (gemm) {
      const transposed = this._tensor(gemm.inputs[1], inputs * outputs, module);
      const weights = new Float32Array(inputs * outputs);
      for (let i = 0; i < inputs; i++) {
        for (let o = 0; o < outputs; o++) {
          weights[i * outputs + o] = transposed[o * inputs + i]!;
        }
      }
      return { inputs, outputs, weights, bias: this._tensor(gemm.inputs[2], outputs, module) };
    }
    const weights = this.operand(`${module}/MatMul`, inputs * outputs);
    return { inputs, outputs, weights, bias: this.operand(`${module}/Add`, outputs) };
  }

  norm(name: string): INorm {
    return { gain: this.parameter(`${name}.weight`, CHANNELS), bias: this.parameter(`${name}.bias`, CHANNELS) };
  }

  /** The parameter that a node has as one of its inputs. */
  operand(node: string, length: number): Float32Array {
    const name = this._nodes.get(node)?.inputs.find(input => this._tensors.has(input));
    return this._tensor(name, length, node);
  }

  /** A parameter by its name or the end of it after a dot. */
  parameter(name: string, length: number): Float32Array {
    const found = [...this._tensors.keys()].find(key => key === name || key.endsWith(`.${name}`));
    return this._tensor(found, length, name);
  }

  /** The names of all nodes that have a parameter of a length. */
  nodesWith(length: number): string[] {
    const has = (input: string) => this._tensors.get(input)?.length === 4 * length;
    return [...this._nodes].filter(([, { inputs }]) => inputs.some(has)).map(([name]) => name);
  }

  private _tensor(name: string | undefined, length: number, of: string): Float32Array {
    const bytes = name === undefined ? undefined : this._tensors.get(name);
    if (bytes?.length !== 4 * length) {
      throw new RangeError(
        `The decoder's file has ${bytes ? `${bytes.length / 4} numbers` : 'no weights'} for ${of}; ${length} will do.`
      );
    }
    return new Float32Array(Uint8Array.from(bytes).buffer);
  }

  private readonly _nodes = new Map<string, INode>();
  private readonly _tensors = new Map<string, Uint8Array>();
}
