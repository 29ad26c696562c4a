/** Finds model files and checks their size and SHA-256 against the manifest, before a native library reads them. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import type { IModelFile, IModelManifest } from '../../../src/shared/models';
import { ContractError, checkContract } from './model-contract';

/**
 * The file of a built-in model's encoder in one of the folders, or in one named by the model in them. Files that are not the model's are passed
 * over: what is in these folders was not chosen for a session, and the package has the same file.
 *
 * @returns its path, null if no folder has it; and for each file that was passed over what is wrong with it and what would do
 */
export async function encoderInFolders(
  manifest: IModelManifest,
  folders: readonly string[]
): Promise<{ path: string | null; problems: string[] }> {
  const { file } = manifest.encoder;
  const paths = folders.flatMap(folder => [join(folder, file.name), join(folder, manifest.id, file.name)]);
  const problems: string[] = [];
  for (const path of paths.filter(each => existsSync(each))) {
    const damage = await damageOf(path, file);
    if (damage === null) {
      return { path, problems };
    }
    // The graph's inputs and outputs say more than a wrong sum does.
    const why = await checkContract(manifest, 'encoder', path).then(
      () => `it ${damage}`,
      error => (error instanceof ContractError ? error.why : `it ${damage}`)
    );
    problems.push(
      `The file ${path} is not the encoder of ${manifest.title}: ${why}. Remove it, or replace it by the one of SHA-256 ${file.sha256}.`
    );
  }
  return { path: null, problems };
}

/**
 * Where the file of a built-in model's encoder is in the manifest's package, looked for from `from` upwards.
 *
 * @throws BridgeError `model` if the package is not installed.
 */
export function packagedEncoder(manifest: IModelManifest, from: string): string {
  const { name } = manifest.encoder.file;
  const { name: packageName, folder } = manifest.package;
  try {
    return createRequire(join(from, 'sam-child-process.cjs')).resolve(`${packageName}/${folder}/${name}`);
  } catch {
    throw new BridgeError(
      'model',
      `The model file ${name} was not found: the npm package ${packageName} is not installed in ${from} or above. ` +
        `Install SambaLab again, or set SAMBALAB_MODELS to a folder that holds ${name}.`
    );
  }
}

/**
 * Check a file's size and SHA-256.
 *
 * @param remedy what the user can do, as a sentence
 * @throws BridgeError `model` that names the path, the expected and the found value.
 */
export async function checkModelFile(path: string, file: IModelFile, remedy: string): Promise<void> {
  const damage = await damageOf(path, file);
  if (damage !== null) {
    throw new BridgeError('model', `The model file ${path} ${damage}. ${remedy}`);
  }
}

/** What is wrong with a file's size and SHA-256, as the end of a sentence about it; null: nothing. */
async function damageOf(path: string, { bytes, sha256: sum }: IModelFile): Promise<string | null> {
  const expected = `expected ${bytes} bytes with SHA-256 ${sum}`;
  try {
    const { size } = await stat(path);
    if (size !== bytes) {
      return `is damaged: found ${size} bytes, ${expected}`;
    }
    const digest = await sha256(path);
    return digest === sum ? null : `is damaged: found SHA-256 ${digest}, ${expected}`;
  } catch (error) {
    return `cannot be read (${(error as Error).message})`;
  }
}

/** The SHA-256 of a file, in hexadecimal. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
