/** Keeps files of a session under dated names before they are replaced. */
import { constants, copyFile, link, open, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, explainStorage, syncDirectory } from '../base/files';

/** A name with the present time, `labels-2026-11-27T03-11-33-123Z.bak` for example. */
export function datedName(stem: string, extension: string): string {
  return `${stem}-${new Date().toISOString().replace(/[:.]/g, '-')}.${extension}`;
}

/**
 * Give a file a second name, or copy it where links are impossible. Returns when the disk has the whole file under that name.
 *
 * @throws BridgeError `disk-full`, or the system's error; then there is no file of that name but one that was there before
 */
export async function keepFile(path: string, as: string): Promise<void> {
  const info = await stat(path).catch(async error => {
    throw await explainStorage(error, path);
  });
  try {
    await link(path, as).catch(() => copyFile(path, as, constants.COPYFILE_EXCL));
    const file = await open(as, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    const explained = await explainStorage(error, as, info.size);
    if (codeOf(error) !== 'EEXIST') {
      await unlink(as).catch(() => undefined);
    }
    throw explained;
  }
  await syncDirectory(dirname(as));
}

/**
 * Keep a damaged file as `<stem>-<time>.damaged` beside it. If an earlier attempt gave the same file such a name, this is the one.
 *
 * @returns the path of the name
 */
export async function keepDamaged(path: string, stem: string): Promise<string> {
  const folder = dirname(path);
  const here = await stat(path, { bigint: true }).catch(async error => {
    throw await explainStorage(error, path);
  });
  if (here.nlink > 1n) {
    for (const name of await readdir(folder)) {
      const there =
        name.startsWith(`${stem}-`) && name.endsWith('.damaged') && (await stat(join(folder, name), { bigint: true }));
      if (there && there.ino === here.ino && there.dev === here.dev) {
        return join(folder, name);
      }
    }
  }
  const kept = join(folder, datedName(stem, 'damaged'));
  await keepFile(path, kept);
  return kept;
}
