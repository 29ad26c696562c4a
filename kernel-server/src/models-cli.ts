/** `sambalab models list | add | verify`: the models whose files are on this computer. Python runs this program and says where Jupyter's data is. */
import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BridgeError } from '../../src/shared/errors';
import { DEFAULT_MODEL, findPromptModel, IPromptModel, MODELS, PROMPT_MODELS } from '../../src/shared/models';
import { isMissing, writeAtomically } from './base/files';
import { checkContract, ContractError, ModelPart } from './sam/model-contract';
import { checkAddress, download, forgetDownload, keptDownloads, removeDownload } from './sam/model-download';
import { checkModelFile, encoderInFolders, packagedEncoder, sha256 } from './sam/model-files';
import { findModelFolder, isPath, MODEL_FILE, modelFolders, ModelFileContent, openModel } from './sam/model-search';
import { PromptModels } from './sam/prompt-models';
import { SamService } from './sam/service';

const USAGE = `Usage: sambalab models list
       sambalab models add MODEL ENCODER DECODER [--to FOLDER]
       sambalab models verify [MODEL | FOLDER]...

ENCODER and DECODER are ONNX files, or http:// or https:// addresses of some: a download that broke goes on where it stopped.
FOLDER is where models are kept; by default sambalab/models in Jupyter's data directory.`;

const PARTS = ['encoder', 'decoder'] as const;

/** What a command writes to; tests read it. */
export interface ICliOptions {
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  print(line: string): void;
  /** Shows how far a download is, instead of what was shown before; null: it is done. */
  progress(line: string | null): void;
}

/** Run a command. Returns its exit code: 1 if a model is wrong, 2 for wrong arguments. */
export async function runModels({ args, env, print, progress }: ICliOptions): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { to: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true
    });
    const [command, ...rest] = positionals;
    if (values.help) {
      print(USAGE);
      return 0;
    }
    if (command === 'list' && rest.length === 0) {
      return await list(env, print);
    }
    if (command === 'add' && rest.length === 3) {
      const [id, encoder, decoder] = rest as [string, string, string];
      return await add({ id, sources: { encoder, decoder }, to: values.to, env, print, progress });
    }
    if (command === 'verify') {
      return await verify(rest, env, print);
    }
    print(USAGE);
    return 2;
  } catch (error) {
    print(
      error instanceof BridgeError || !(error instanceof Error)
        ? String((error as Error).message)
        : `${error.message}\n${USAGE}`
    );
    return error instanceof BridgeError ? 1 : 2;
  }
}

async function list(env: NodeJS.ProcessEnv, print: (line: string) => void): Promise<number> {
  const models = await new PromptModels({ builtIn: new SamService({ env }), env }).list();
  const width = Math.max(...models.map(({ id }) => id.length));
  for (const { id, title, state, place, folder, problem, license } of models) {
    const where = state === 'missing' ? 'not here' : place === 'built-in' ? 'built in' : folder!;
    print(`${id.padEnd(width)}  ${state === 'broken' ? `wrong: ${problem}` : where}  (${title}, ${license})`);
  }
  return 0;
}

async function verify(choices: string[], env: NodeJS.ProcessEnv, print: (line: string) => void): Promise<number> {
  const named = choices.length > 0;
  let wrong = 0;
  let others = 0;
  for (const choice of named ? choices : PROMPT_MODELS.map(({ id }) => id)) {
    if (choice === DEFAULT_MODEL.id) {
      try {
        await verifyBuiltIn(env, print);
      } catch (error) {
        wrong++;
        print(`${choice}: ${(error as Error).message}`);
      }
      continue;
    }
    let found: Awaited<ReturnType<typeof findModelFolder>>;
    try {
      found = await findModelFolder(choice, env);
    } catch (error) {
      if (named) {
        wrong++;
        print(`${choice}: ${(error as Error).message}`);
      }
      continue;
    }
    others++;
    try {
      const { encoder, decoder, checked } = await openModel(found);
      const how =
        checked === 'sha256'
          ? 'its SHA-256 sums are those that are known'
          : 'its inputs and outputs are right; no SHA-256 is known, so the weights were not checked';
      print(`${choice}: ${found.folder}: ${how}`);
      for (const { path, file } of [encoder, decoder]) {
        print(`  ${basename(path)}  ${file.bytes} bytes  ${file.sha256}`);
      }
    } catch (error) {
      wrong++;
      print(`${choice}: ${(error as Error).message}`);
    }
  }
  if (!named && others === 0) {
    print(
      'No other model is here. `sambalab models add MODEL ENCODER DECODER` takes one from two ONNX files or their http addresses; ' +
        '`sambalab models list` names the models.'
    );
  }
  return wrong > 0 ? 1 : 0;
}

/**
 * Compare the files of the model that comes with SambaLab with their SHA-256 sums.
 *
 * @throws BridgeError `model` that names the file that is wrong
 */
async function verifyBuiltIn(env: NodeJS.ProcessEnv, print: (line: string) => void): Promise<void> {
  const { id, encoder } = DEFAULT_MODEL;
  const service = new SamService({ env });
  const decoder = await service.decoder();
  const { path, problems } = await encoderInFolders(DEFAULT_MODEL, modelFolders(env));
  const placed = path ?? packagedEncoder(DEFAULT_MODEL, __dirname);
  await checkModelFile(placed, encoder.file, 'Install SambaLab again.');
  print(`${id}: built in: its SHA-256 sums are those that are known`);
  print(`  ${basename(placed)}  ${encoder.file.bytes} bytes  ${encoder.file.sha256}`);
  print(`  ${basename(decoder.path)}  ${decoder.bytes} bytes  ${decoder.digest}`);
  problems.forEach(problem => print(`  ${problem}`));
}

interface IAddition {
  id: string;
  sources: Record<ModelPart, string>;
  to: string | undefined;
  env: NodeJS.ProcessEnv;
  print(line: string): void;
  progress(line: string | null): void;
}

/** Take a model's files into a folder. They are checked before the folder gets the model's name, so one that is there stays as it was till then. */
async function add({ id, sources, to, env, print, progress }: IAddition): Promise<number> {
  const manifest = findPromptModel(id);
  const others = PROMPT_MODELS.slice(MODELS.length).map(model => model.id);
  if (!manifest || !others.includes(id)) {
    throw new BridgeError(
      'model',
      `${manifest ? `${id} is built in` : `There is no model ${id}`}; ${others.join(', ')} will do.`
    );
  }
  const home = to ?? env['SAMBALAB_MODELS_HOME'];
  if (!home) {
    throw new BridgeError('model', 'Say where models are kept: --to FOLDER.');
  }
  const folder = join(resolve(home), id);
  const coming = join(resolve(home), `.${id}.partial`);
  PARTS.forEach(part => checkScheme(sources[part], part));
  // Files are checked where they lie, before anything is written: errors name the user's file.
  const local = new Map<ModelPart, ILocalFile>();
  for (const part of PARTS.filter(each => !isUrl(sources[each]))) {
    const file = await existingFile(sources[part], part);
    local.set(part, { file, ...(await checkContract(manifest, part, file, { source: file })) });
  }
  // A wrong address of the decoder shows before the encoder is fetched.
  for (const part of PARTS.filter(each => isUrl(sources[each]))) {
    await checkAddress(sources[part], env);
  }
  await mkdir(coming, { recursive: true });
  try {
    await bring({ manifest, sources, local, coming, env, print, progress });
  } catch (error) {
    const kept = await keptDownloads(coming);
    if (kept.length > 0) {
      print(`Kept in ${coming} for the next try: ${kept.join(', ')}`);
    } else {
      await rm(coming, { recursive: true, force: true });
    }
    throw error;
  }
  await rm(folder, { recursive: true, force: true });
  await rename(coming, folder);
  print(
    `${manifest.title} is in ${folder}. Its inputs and outputs are right; \`sambalab models verify ${id}\` compares its sums with those above.`
  );
  if (!isPath(id)) {
    print(`Choose it in the panel's section Suggestions, or with lab.sam_model = "${id}".`);
  }
  return 0;
}

interface IBringing extends Pick<IAddition, 'sources' | 'env' | 'print' | 'progress'> {
  manifest: IPromptModel;
  /** The files that are here, by their part. */
  local: ReadonlyMap<ModelPart, ILocalFile>;
  /** The folder that they come to. */
  coming: string;
}

/** A file of a model that the user named, and the names of the files of weights beside it. */
interface ILocalFile {
  file: string;
  weights: string[];
}

/** Copy or fetch the files of a model, and check them. A download that is complete but not the model's is removed. */
async function bring({ manifest, sources, local, coming, env, print, progress }: IBringing): Promise<void> {
  const content: ModelFileContent = { format: 1, model: manifest.id };
  const taken: string[] = [];
  for (const part of PARTS) {
    const path = join(coming, `${part}.onnx`);
    const source = sources[part];
    const here = local.get(part);
    let weights: string[];
    if (here) {
      weights = here.weights;
      await removeDownload(path); // an earlier call may have fetched another one
      await copy(here.file, path);
      for (const name of weights) {
        await copy(join(dirname(here.file), name), join(coming, name));
      }
    } else {
      const fetched: string[] = [];
      const fetch = async (url: string, name: string) => {
        await fetchFile(url, join(coming, name), env, progress);
        fetched.push(join(coming, name));
      };
      await fetch(source, basename(path));
      // Large models keep their weights in a file beside them.
      const fetchWeights = (name: string) => fetch(new URL(encodeURIComponent(name), source).href, name);
      try {
        ({ weights } = await checkContract(manifest, part, path, { source, fetchWeights }));
      } catch (error) {
        if (error instanceof ContractError) {
          await Promise.all(fetched.map(removeDownload));
        }
        throw error;
      }
      taken.push(...fetched);
    }
    const { size } = await stat(path);
    content[part] = { bytes: size, sha256: await sha256(path) };
    print(`${part}: ${[`${part}.onnx`, ...weights].join(', ')}  ${size} bytes  ${content[part].sha256}`);
  }
  await Promise.all(taken.map(forgetDownload));
  await writeAtomically(join(coming, MODEL_FILE), `${JSON.stringify(content, undefined, 1)}\n`);
}

/**
 * Refuse addresses of other kinds, so that they are not taken for paths.
 *
 * @throws BridgeError `model` if the source is an address that is neither http nor https
 */
function checkScheme(source: string, part: ModelPart): void {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(source) && !isUrl(source)) {
    throw new BridgeError(
      'model',
      `${source}, given as the ${part}, cannot be fetched. An http:// or https:// address of an ONNX file or the path of one will do.`
    );
  }
}

/**
 * The absolute path of a file that the user named.
 *
 * @throws BridgeError `model` if there is no such file
 */
async function existingFile(source: string, part: ModelPart): Promise<string> {
  const path = resolve(source);
  const wrong = await stat(path).then(
    found => (found.isFile() ? null : 'is not a file'),
    error => (isMissing(error) ? 'does not exist' : `cannot be read (${(error as Error).message})`)
  );
  if (wrong !== null) {
    const example = `\`sambalab models add MODEL encoder.onnx decoder.onnx\``;
    throw new BridgeError(
      'model',
      `The file ${path}, given as the ${part}, ${wrong}. The path of an ONNX file or an http:// or https:// address of one will do, as in ${example}.`
    );
  }
  return path;
}

async function copy(source: string, path: string): Promise<void> {
  try {
    await copyFile(source, path);
  } catch (error) {
    throw new BridgeError('model', `The file ${source} cannot be copied to ${path} (${(error as Error).message}).`);
  }
}

async function fetchFile(
  source: string,
  path: string,
  env: NodeJS.ProcessEnv,
  progress: (line: string | null) => void
): Promise<void> {
  const name = basename(path);
  await download({
    url: source,
    path,
    env,
    progress: (done, total) =>
      progress(
        `${name}: ${megabytes(done)}${total === null ? '' : ` of ${megabytes(total)} (${Math.floor((100 * done) / total)} %)`}`
      )
  });
  progress(null);
}

function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

if (require.main === module) {
  const { stderr } = process;
  let shown = '';
  const progress = (line: string | null) => {
    if (line === null) {
      stderr.write(stderr.isTTY && shown ? '\n' : '');
      shown = '';
    } else if (stderr.isTTY) {
      stderr.write(`\r${line.padEnd(shown.length)}`);
      shown = line;
    } else if (/(\d)\d? %/.exec(line)?.[1] !== /(\d)\d? %/.exec(shown)?.[1]) {
      stderr.write(`${line}\n`); // about every tenth part
      shown = line;
    }
  };
  void runModels({
    args: process.argv.slice(2),
    env: process.env,
    print: line => process.stdout.write(`${line}\n`),
    progress
  }).then(code => (process.exitCode = code));
}
