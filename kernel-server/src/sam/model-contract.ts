/**
 * Checks that an ONNX file is the encoder or the decoder that a manifest describes, before a native library reads it: its inputs and outputs, and
 * their sizes as far as the file tells them. Models of one family share a contract, so this does not tell one size of a model from another.
 */
import { access } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import { EncoderLayout, IPromptModel } from '../../../src/shared/models';
import { IGraphSignature, ISignature, NoOnnxError, readSignature } from './onnx-signature';

/** The two files of a model. */
export type ModelPart = 'encoder' | 'decoder';

/** An input or output that a graph must have. A size that must not be fixed is null; `undefined` stands for any. */
interface IExpected {
  name: string;
  types: readonly string[];
  shape: readonly (number | null | undefined)[];
  /** What to do about a wrong size, as a sentence. */
  hint?: string;
}

const FLOAT = ['float32'];

/** A file is not the one that a manifest describes. */
export class ContractError extends BridgeError {
  constructor(
    /** What is wrong with the file, without its name: "it is cut short". */
    readonly why: string,
    message: string
  ) {
    super('model', message);
  }
}

/** What a file that keeps to its contract says beside it. */
export interface IContract {
  /** The layout of the encoder's input. */
  layout: EncoderLayout;
  /** Files beside it that hold weights: large models do not fit into one. */
  weights: string[];
}

/** How a file is checked that is about to be added. */
export interface IContractOptions {
  /** Where the file comes from: messages name this instead of its path. */
  source?: string;
  /** Brings a file of weights beside it, before it is looked for. */
  fetchWeights?(name: string): Promise<void>;
}

/**
 * Check a file of a model against its manifest.
 *
 * @throws ContractError that names the file, what is wrong with it, and what would do
 */
export async function checkContract(
  manifest: IPromptModel,
  part: ModelPart,
  path: string,
  { source, fetchWeights }: IContractOptions = {}
): Promise<IContract> {
  const fail = (why: string) =>
    new ContractError(
      why,
      `The file ${source ?? path} is not the ${part} of ${manifest.title}: ${why}. A file exported by ${manifest.contract} will do` +
        (source === undefined ? `; \`sambalab models verify ${manifest.id}\` checks it.` : '.')
    );
  let graph: IGraphSignature;
  try {
    graph = await readSignature(path);
  } catch (error) {
    throw error instanceof NoOnnxError ? fail(error.message) : fail(`it cannot be read (${(error as Error).message})`);
  }
  const { weights } = graph;
  for (const name of weights) {
    if (part === 'decoder' || name !== basename(name)) {
      throw fail(
        `its weights are in another file, ${name}; ${part === 'decoder' ? 'one file' : 'a file beside it'} will do`
      );
    }
    await fetchWeights?.(name);
    await access(join(dirname(path), name)).catch(() => {
      throw fail(`its weights are missing: the file ${join(dirname(path), name)} must lie beside it`);
    });
  }
  const check = (kind: 'input' | 'output', expected: IExpected): ISignature => {
    const found = graph[`${kind}s`].find(({ name }) => name === expected.name);
    if (!found) {
      const names = graph[`${kind}s`].map(({ name }) => name).join(', ') || 'none';
      throw fail(`it has no ${kind} ${expected.name}; its ${kind}s are ${names}`);
    }
    const { type, shape } = found;
    if (!expected.types.includes(type)) {
      throw fail(`its ${kind} ${expected.name} is ${type}; ${expected.types.join(' or ')} will do`);
    }
    const fits =
      !shape ||
      (shape.length === expected.shape.length &&
        expected.shape.every((side, i) => side === undefined || (shape[i] ?? null) === null || shape[i] === side));
    if (!fits) {
      throw fail(
        `its ${kind} ${expected.name} is ${sizes(shape!)}; ${sizes(expected.shape)} will do${expected.hint ? `. ${expected.hint}` : ''}`
      );
    }
    return found;
  };
  if (part === 'decoder') {
    const { inputs, outputs } = decoderContract(manifest);
    inputs.forEach(input => check('input', input));
    const known = new Set(inputs.map(({ name }) => name));
    const more = graph.inputs.find(({ name }) => !known.has(name));
    if (more) {
      throw fail(`it has an input ${more.name} that this model does not have`);
    }
    outputs.forEach(output => check('output', output));
    return { layout: 'NCHW', weights };
  }
  const { encoder, decoder } = manifest;
  const { layouts = ['NCHW'], input, size, layers } = encoder;
  const found = graph.inputs.find(({ name }) => name === input);
  const layout = layouts.find(each => (each === 'HWC' ? 3 : 4) === found?.shape?.length) ?? layouts[0]!;
  const shape = layout === 'HWC' ? [size, size, 3] : [1, 3, size, size];
  check('input', { name: input, types: FLOAT, shape });
  check('output', { name: layers.output.tensor, types: FLOAT, shape: [1, ...layers.output.shape] });
  for (const feature of decoder.features ?? []) {
    check('output', { name: feature.tensor, types: FLOAT, shape: feature.shape });
  }
  return { layout, weights };
}

/** What a decoder takes and gives. */
function decoderContract({ encoder, decoder }: IPromptModel): { inputs: IExpected[]; outputs: IExpected[] } {
  const { inputs, outputs, features = [], pointAxes, labelType = 'float32', maskSize, masks, coordinates } = decoder;
  const before = pointAxes === 4 ? [1, 1] : [1];
  const points = { hint: 'Export it with a dynamic number of points' };
  const taken: IExpected[] = [
    { name: inputs.embedding, types: FLOAT, shape: [1, ...encoder.layers.output.shape] },
    ...features.map(({ input, shape }) => ({ name: input, types: FLOAT, shape })),
    { name: inputs.coordinates, types: FLOAT, shape: [...before, null, 2], ...points },
    { name: inputs.labels, types: [labelType], shape: [...before, null], ...points }
  ];
  if (inputs.mask !== undefined) {
    taken.push({ name: inputs.mask, types: FLOAT, shape: [1, 1, maskSize, maskSize] });
  }
  if (inputs.hasMask !== undefined) {
    taken.push({ name: inputs.hasMask, types: FLOAT, shape: [1] });
  }
  if (inputs.size) {
    taken.push({ name: inputs.size.name, types: [inputs.size.type], shape: [2] });
  }
  const all = { hint: 'Export it with all its masks, without --return-single-mask' };
  const sides = coordinates === 'masks' ? [undefined, undefined] : [maskSize, maskSize];
  return {
    inputs: taken,
    outputs: [
      { name: outputs.masks, types: FLOAT, shape: [...before, masks, ...sides], ...(masks > 1 && all) },
      { name: outputs.scores, types: FLOAT, shape: [...before, masks], ...(masks > 1 && all) }
    ]
  };
}

/** A shape for people; a size that is not fixed is `?`. */
function sizes(shape: readonly (number | null | undefined)[]): string {
  return `[${shape.map(side => side ?? '?').join(', ')}]`;
}
