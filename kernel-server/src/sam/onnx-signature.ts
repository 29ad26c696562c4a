/**
 * Reads the inputs and outputs of an ONNX file without its weights: fields are skipped by their lengths, so a file of gigabytes takes some
 * milliseconds, and no native code sees a file that is none. Field numbers: `src/shared/onnx/fields.ts`.
 */
import { FileHandle, open } from 'node:fs/promises';
import {
  DIM,
  ENTRY,
  GRAPH,
  MODEL,
  SHAPE,
  TENSOR,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO
} from '../../../src/shared/onnx/fields';
import { IField, readFields, readTexts } from '../../../src/shared/onnx/wire';

/** Bytes that are read at a time. */
const WINDOW = 1 << 16;
/** Most bytes of the description of an input or output. */
const VALUE_MAX = 1 << 20;

/** ONNX's numbers of element types (TensorProto.DataType) by names. */
const TYPES: Record<number, string> = { 1: 'float32', 7: 'int64', 10: 'float16' };

/** An input or output. A size that is not fixed is null; `shape` is null if the file does not tell. */
export interface ISignature {
  name: string;
  type: string;
  shape: (number | null)[] | null;
}

/** What a graph takes and gives. */
export interface IGraphSignature {
  inputs: ISignature[];
  outputs: ISignature[];
  /** Names of the files beside it that hold weights. */
  weights: string[];
}

/** A file that is no whole ONNX model; the message is what is wrong, without the path. */
export class NoOnnxError extends Error {}

/**
 * What the graph of an ONNX file takes and gives.
 *
 * @throws NoOnnxError if the file is something else, or ends too early; the system's error if it cannot be read.
 */
export async function readSignature(path: string): Promise<IGraphSignature> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return await new Skimmer(file, size).read();
  } finally {
    await file.close();
  }
}

class Skimmer {
  constructor(
    private readonly _file: FileHandle,
    private readonly _size: number
  ) {}

  async read(): Promise<IGraphSignature> {
    if (this._size === 0) {
      throw new NoOnnxError('it is empty');
    }
    const begin = await this._bytes(0, Math.min(this._size, 64));
    const kind = otherKind(begin);
    if (kind) {
      throw new NoOnnxError(`it is ${kind}, not an ONNX model`);
    }
    const signature: IGraphSignature = { inputs: [], outputs: [], weights: [] };
    const initializers = new Set<string>();
    const files = new Set<string>();
    let hasGraph = false;
    await this._each(0, this._size, async (number, from, to) => {
      if (number === MODEL.graph) {
        hasGraph = true;
        await this._each(from, to, async (field, first, end) => {
          if (field === GRAPH.input || field === GRAPH.output) {
            const list = field === GRAPH.input ? signature.inputs : signature.outputs;
            list.push(valueOf(await this._bytes(first, Math.min(end, first + VALUE_MAX))));
          } else if (field === GRAPH.initializer) {
            await this._each(first, end, async (part, begins, ends) => {
              if (part === TENSOR.name) {
                initializers.add(Buffer.from(await this._bytes(begins, ends)).toString());
              } else if (part === TENSOR.external) {
                const fields = readFields(await this._bytes(begins, Math.min(ends, begins + VALUE_MAX)));
                if (readTexts(fields, ENTRY.key)[0] === 'location') {
                  files.add(readTexts(fields, ENTRY.value)[0] ?? '');
                }
              }
            });
          }
        });
      }
    });
    if (!hasGraph) {
      throw new NoOnnxError('it has no graph, so it is not an ONNX model');
    }
    // Older files list weights as inputs, too.
    const inputs = signature.inputs.filter(({ name }) => !initializers.has(name));
    return { ...signature, inputs, weights: [...files] };
  }

  /** Call `take` with each field of the message at some bytes that has a length: its number, and where its bytes are. */
  private async _each(
    from: number,
    to: number,
    take: (number: number, from: number, to: number) => Promise<void>
  ): Promise<void> {
    let at = from;
    const integer = async () => {
      let value = 0;
      for (let factor = 1; factor <= 2 ** 63; factor *= 128) {
        const byte = at < to ? await this._byte(at++) : undefined;
        if (byte === undefined) {
          throw this._cut(at);
        }
        value += (byte & 127) * factor;
        if (byte < 128) {
          return value;
        }
      }
      throw new NoOnnxError(`byte ${at} is not that of an ONNX model`);
    };
    while (at < to) {
      const start = at;
      const key = await integer();
      const wire = key % 8;
      if (key < 8 || key > 0xffffffff || ![0, 1, 2, 5].includes(wire)) {
        throw new NoOnnxError(`byte ${start} is not that of an ONNX model`);
      }
      if (wire === 0) {
        await integer();
        continue;
      }
      const length = wire === 1 ? 8 : wire === 5 ? 4 : await integer();
      if (at + length > to) {
        throw this._cut(at + length);
      }
      if (wire === 2) {
        await take(Math.floor(key / 8), at, at + length);
      }
      at += length;
    }
  }

  private _cut(needed: number): NoOnnxError {
    return new NoOnnxError(
      needed > this._size
        ? `it is cut short: it has ${this._size} bytes and needs ${needed} or more`
        : `byte ${needed} is not that of an ONNX model`
    );
  }

  private async _byte(at: number): Promise<number | undefined> {
    if (at < this._from || at >= this._from + this._window.length) {
      this._from = at;
      this._window = await this._bytes(at, Math.min(this._size, at + WINDOW));
    }
    return this._window[at - this._from];
  }

  private async _bytes(from: number, to: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, to - from));
    const { bytesRead } = await this._file.read(bytes, 0, bytes.length, from);
    return bytes.subarray(0, bytesRead);
  }

  private _window: Uint8Array = new Uint8Array();
  private _from = 0;
}

/** What a file is that begins with these bytes, if it is a kind that is taken for a model by mistake. */
function otherKind(begin: Uint8Array): string | undefined {
  const text = Buffer.from(begin).toString('latin1');
  if (text.startsWith('version https://git-lfs')) {
    return "Git LFS's pointer to a file (git lfs pull fetches the file)";
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    return 'a web page';
  }
  if (text.startsWith('PK\x03\x04')) {
    return 'a zip archive, such as a checkpoint of PyTorch (export it to ONNX first)';
  }
  return text.startsWith('\x80\x02') ? 'a checkpoint of PyTorch (export it to ONNX first)' : undefined;
}

function valueOf(bytes: Uint8Array): ISignature {
  try {
    const fields = readFields(bytes);
    const name = readTexts(fields, VALUE_INFO.name)[0] ?? '';
    const tensor = messageIn(messageIn(fields, VALUE_INFO.type), TYPE.tensor);
    const type = tensor.find(({ number }) => number === TENSOR_TYPE.elements);
    const dims = tensor.some(({ number }) => number === TENSOR_TYPE.shape)
      ? messageIn(tensor, TENSOR_TYPE.shape).filter(({ number }) => number === SHAPE.dim)
      : null;
    const shape = dims?.map(dim => {
      const value = readFields(dim.bytes!).find(({ number }) => number === DIM.value);
      return value ? numberIn(value) : null;
    });
    const element = type ? numberIn(type) : 0;
    return { name, type: TYPES[element] ?? `type ${element}`, shape: shape ?? null };
  } catch {
    throw new NoOnnxError('the description of one of its inputs or outputs is damaged');
  }
}

/** The fields of a message in a field; none if it is not there. */
function messageIn(fields: readonly IField[], number: number): IField[] {
  const bytes = fields.find(field => field.number === number)?.bytes;
  return bytes ? readFields(bytes) : [];
}

/** The whole number in a field, whose key has one byte. */
function numberIn({ raw }: IField): number {
  return raw.subarray(1).reduce((value, byte, i) => value + (byte & 127) * 128 ** i, 0);
}
