/** Finds model files and checks their size and SHA-256 against the manifest, before a native library reads them. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { BridgeError } from '../../../src/shared/errors';
import type { IModelFile, IModelManifest } from '../../../src/shared/models';

/**
 * Where the file of a built-in model's encoder is: in one of the folders, or one named by the model in them, else in the manifest's package, looked
 * for from `from` upwards.
 *
 * @throws BridgeError `model` if it is in no folder and the package is not installed.
 */
export function encoderPath(manifest: IModelManifest, folders: readonly string[], from: string): string {
  const { name } = manifest.encoder.file;
  const found = folders
    .flatMap(folder => [join(folder, name), join(folder, manifest.id, name)])
    .find(path => existsSync(path));
  if (found) {
    return found;
  }
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
  const expected = `expected ${file.bytes} bytes with SHA-256 ${file.sha256}`;
  let found: string;
  try {
    const { size } = await stat(path);
    found = `${size} bytes`;
    if (size === file.bytes) {
      const digest = await sha256(path);
      if (digest === file.sha256) {
        return;
      }
      found = `SHA-256 ${digest}`;
    }
  } catch (error) {
    throw new BridgeError('model', `The model file ${path} cannot be read (${(error as Error).message}). ${remedy}`);
  }
  throw new BridgeError('model', `The model file ${path} is damaged: found ${found}, ${expected}. ${remedy}`);
}

/** The SHA-256 of a file, in hexadecimal. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
