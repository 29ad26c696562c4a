/**
 * Finds the files of models that the user brought. A model is a folder with an encoder and a decoder, named by the model's id, or with a
 * `model.json` that names it. Folders are looked for in this order: a path that the user gives; `<folder>/<id>` for each folder of SAMBALAB_MODELS;
 * `sambalab/models/<id>` in Jupyter's data directories, where `sambalab models add` puts it; repositories of Hugging Face's cache that are named by
 * the id, or have a folder of that name. Nothing is fetched from a network here.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, delimiter, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { BridgeError } from '../../../src/shared/errors';
import { findPromptModel, IPromptModel, MODELS, PROMPT_MODELS } from '../../../src/shared/models';
import { isMissing } from '../base/files';
import { EncoderSource, IPlacedFile } from './messages';
import { checkContract, IContract, ModelPart } from './model-contract';
import { sha256 } from './model-files';

/** The file that tells of a folder which model it has. */
export const MODEL_FILE = 'model.json';

const zSum = z.object({ bytes: z.number().int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) });
const zModelFile = z.object({
  format: z.literal(1),
  model: z.string(),
  encoder: zSum.optional(),
  decoder: zSum.optional()
});
/** What {@link MODEL_FILE} says: the model, and the sums of its files when they were added. */
export type ModelFileContent = z.infer<typeof zModelFile>;

/** How a model's folder was found. */
export type ModelPlace = 'path' | 'SAMBALAB_MODELS' | 'jupyter' | 'hugging-face';

/** A model's folder. */
export interface IFoundModel {
  manifest: IPromptModel;
  folder: string;
  place: ModelPlace;
  /** Sums that were recorded when the model was added; absent: they are read from the folder. */
  recorded?: ModelFileContent | null;
}

/** A model whose files were found and keep to its contract. */
export interface IOpenedModel {
  manifest: IPromptModel;
  encoder: Extract<EncoderSource, { layout: unknown }>;
  decoder: IPlacedFile;
  /** How the files were checked: against known sums, or by their contract alone. */
  checked: 'sha256' | 'contract';
  /** What is wrong with the files of folders that were passed over, and what would do. */
  problems: readonly string[];
}

/** The folders that SAMBALAB_MODELS names. */
export function modelFolders(env: NodeJS.ProcessEnv): string[] {
  return pathsOf(env['SAMBALAB_MODELS']);
}

/** The folders that models are looked for in, in their order, without those of Hugging Face's cache. */
export function placesOf(env: NodeJS.ProcessEnv): { folder: string; place: ModelPlace }[] {
  return [
    ...modelFolders(env).map(folder => ({ folder, place: 'SAMBALAB_MODELS' as const })),
    ...pathsOf(env['SAMBALAB_JUPYTER_PATH']).map(folder => ({
      folder: join(folder, 'sambalab', 'models'),
      place: 'jupyter' as const
    }))
  ];
}

/** Hugging Face's cache, as its own library finds it (huggingface_hub, `constants.py`). */
export function huggingFaceCache(env: NodeJS.ProcessEnv): string {
  const home = env['HF_HOME'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'huggingface');
  return env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'] || join(home, 'hub');
}

/**
 * The folder of a model: the first of {@link findModelFolders}.
 *
 * @throws BridgeError `model` if there is no such model, or no folder with it
 */
export async function findModelFolder(choice: string, env: NodeJS.ProcessEnv): Promise<IFoundModel> {
  return (await findModelFolders(choice, env))[0];
}

/**
 * The folders with a model's name, in the order in which they are looked for. A path is the only one.
 *
 * @param choice the id of a model, or the path of its folder
 * @throws BridgeError `model` if there is no such model, or no folder with it
 */
export async function findModelFolders(
  choice: string,
  env: NodeJS.ProcessEnv
): Promise<[IFoundModel, ...IFoundModel[]]> {
  if (isPath(choice)) {
    return [await fromPath(choice)];
  }
  const manifest = findPromptModel(choice);
  if (!manifest) {
    throw new BridgeError(
      'model',
      `There is no model ${choice}; ${PROMPT_MODELS.map(({ id }) => id).join(', ')} will do, or the path of a model's folder.`
    );
  }
  const tried: string[] = [];
  const found: IFoundModel[] = [];
  for (const { folder, place } of placesOf(env)) {
    const path = join(folder, manifest.id);
    if (await isFolder(path)) {
      found.push({ manifest, folder: path, place });
    }
    tried.push(path);
  }
  const cache = huggingFaceCache(env);
  const cached = await inCache(cache, manifest.id);
  if (cached) {
    found.push({ manifest, folder: cached, place: 'hugging-face', recorded: null });
  }
  const [first, ...more] = found;
  if (first) {
    return [first, ...more];
  }
  throw new BridgeError(
    'model',
    `The files of ${manifest.title} are not here: there is no folder ${[...tried, `${cache}/models--…--${manifest.id}`].join(', ')}. ` +
      `\`sambalab models add ${manifest.id} ENCODER DECODER\` takes them from two files or addresses. MobileSAM, which is built in, goes on.`
  );
}

/**
 * The model of the first folder whose files are the model's. A folder that has others is passed over, unless a path names it.
 *
 * @param choice the id of a model, or the path of its folder
 * @throws BridgeError `model` that names the file, what is wrong with it, and what would do
 */
export async function openChosenModel(choice: string, env: NodeJS.ProcessEnv): Promise<IOpenedModel> {
  const problems: string[] = [];
  for (const found of await findModelFolders(choice, env)) {
    try {
      const model = await openModel(found);
      return { ...model, problems: problems.length > 0 ? [...problems, `${found.folder} is used instead.`] : [] };
    } catch (error) {
      problems.push(BridgeError.from(error).message);
    }
  }
  throw new BridgeError('model', `${problems.join(' ')} MobileSAM, which is built in, goes on.`);
}

/**
 * Check a model's files: contract first, then size and SHA-256 where they are known.
 *
 * @throws BridgeError `model` that names the file, what is wrong with it, and what would do
 */
export async function openModel(found: IFoundModel): Promise<IOpenedModel> {
  const { manifest, folder } = found;
  const recorded = found.recorded === undefined ? await recordIn(folder) : found.recorded;
  const open = async (part: ModelPart): Promise<IPlacedFile & IContract & { known: boolean }> => {
    const path = await fileIn(manifest, folder, part);
    const contract = await checkContract(manifest, part, path);
    const { size: bytes } = await stat(path);
    const digest = await sha256(path);
    const known = manifest[part].sha256 ?? recorded?.[part]?.sha256;
    if (known !== undefined && known !== digest) {
      throw new BridgeError(
        'model',
        `The file ${path} is not the one that was ${manifest[part].sha256 ? 'published' : 'added'}: its SHA-256 is ${digest}, ` +
          `${known} will do. Add it again: \`sambalab models add ${manifest.id} ENCODER DECODER\`.`
      );
    }
    const file = { name: basename(path), bytes, sha256: digest };
    return { path, file, ...contract, known: known !== undefined };
  };
  const encoder = await open('encoder');
  const decoder = await open('decoder');
  return {
    manifest,
    encoder: { path: encoder.path, file: encoder.file, layout: encoder.layout },
    decoder: { path: decoder.path, file: decoder.file },
    checked: encoder.known && decoder.known ? 'sha256' : 'contract',
    problems: []
  };
}

/**
 * A model's file in its folder: `encoder.onnx`, or the only ONNX file with that word in its name; `decoder.onnx` likewise.
 *
 * @throws BridgeError `model` if there is none, or more than one
 */
export async function fileIn({ title, id }: IPromptModel, folder: string, part: ModelPart): Promise<string> {
  const names = (await readdir(folder)).filter(name => name.toLowerCase().endsWith('.onnx'));
  const like = names.filter(name => name.toLowerCase().includes(part));
  const name = names.includes(`${part}.onnx`) ? `${part}.onnx` : like.length === 1 ? like[0] : undefined;
  if (name === undefined) {
    throw new BridgeError(
      'model',
      `The folder ${folder} has ${like.length === 0 ? `no ${part}` : `several ${part}s, ${like.join(', ')},`} of ${title}; a file ${part}.onnx will do. ` +
        `\`sambalab models add ${id} ENCODER DECODER\` makes the folder.`
    );
  }
  return join(folder, name);
}

/** Whether a choice of a model is a path, not an id. */
export function isPath(choice: string): boolean {
  return isAbsolute(choice) || /[\\/]/.test(choice) || choice.startsWith('~');
}

async function fromPath(choice: string): Promise<IFoundModel> {
  const folder = choice.startsWith('~') ? join(homedir(), choice.slice(1)) : resolve(choice);
  if (!(await isFolder(folder))) {
    throw new BridgeError(
      'model',
      `There is no folder ${folder}; a folder with a model's encoder and decoder will do.`
    );
  }
  const recorded = await recordIn(folder);
  const id = recorded?.model ?? basename(folder);
  const manifest = findPromptModel(id);
  if (!manifest || MODELS.some(model => model.id === id)) {
    throw new BridgeError(
      'model',
      `The folder ${folder} does not say which model it has; a folder named ${PROMPT_MODELS.slice(MODELS.length)
        .map(model => model.id)
        .join(', ')} will do, or one with a ${MODEL_FILE} such as {"format": 1, "model": "sam-vit-b"}.`
    );
  }
  return { manifest, folder, place: 'path', recorded };
}

async function recordIn(folder: string): Promise<ModelFileContent | null> {
  const path = join(folder, MODEL_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) {
      return null;
    }
    throw new BridgeError('model', `The file ${path} cannot be read (${(error as Error).message}).`);
  }
  try {
    return zModelFile.parse(JSON.parse(text));
  } catch {
    throw new BridgeError(
      'model',
      `The file ${path} is damaged; {"format": 1, "model": "sam-vit-b"} is an example of what will do. Remove it if the folder has the model's name.`
    );
  }
}

/** A model's folder in Hugging Face's cache: `models--<owner>--<name>/snapshots/<commit>`, the commit of `refs/main`. */
async function inCache(cache: string, id: string): Promise<string | null> {
  const names = await readdir(cache).catch(() => []);
  for (const name of names.filter(each => each.startsWith('models--')).sort()) {
    const commit = await readFile(join(cache, name, 'refs', 'main'), 'utf8').catch(() => undefined);
    if (commit !== undefined) {
      const snapshot = join(cache, name, 'snapshots', commit.trim());
      if (await isFolder(join(snapshot, id))) {
        return join(snapshot, id);
      }
      if (name.toLowerCase().endsWith(`--${id}`) && (await isFolder(snapshot))) {
        return snapshot;
      }
    }
  }
  return null;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isDirectory(),
    () => false
  );
}

function pathsOf(value: string | undefined): string[] {
  return (value ?? '').split(delimiter).filter(Boolean);
}
