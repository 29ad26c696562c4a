/** Which files the running programs of this user map into their memory. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { codeOf } from './files';

/** The files of all maps, by path and by number. */
export interface IMappedFiles {
  paths: Set<string>;
  /** Inode numbers, for maps whose path another container sees by another name. */
  inodes: Set<string>;
}

/** A line of `/proc/<process>/maps`: range, rights, offset, device, inode, path. */
const LINE = /^\S+ \S+ \S+ \S+ (\d+) +(\/.*)$/;

/** The process that starts all others. In a container it may have more rights than we and not be readable; it uses no arrays. */
const INIT = '1';

/** The files that programs map. `undefined` if the system does not tell, as all but Linux. */
export async function mappedFiles(): Promise<IMappedFiles | undefined> {
  if (process.platform !== 'linux') {
    return undefined;
  }
  const found: IMappedFiles = { paths: new Set(), inodes: new Set() };
  try {
    const uid = process.getuid?.();
    for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
      // Nobody else can open owner-only files, except root, who needs them no more than their owner does.
      if ((await stat(`/proc/${pid}`).catch(gone))?.uid !== uid) {
        continue;
      }
      const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(pid === INIT ? nothing : gone);
      for (const line of (maps ?? '').split('\n')) {
        const [, inode, path] = LINE.exec(line) ?? [];
        if (inode !== undefined && path !== undefined) {
          found.inodes.add(inode);
          found.paths.add(path);
        }
      }
    }
    return found;
  } catch {
    return undefined; // one of them cannot be read
  }
}

const nothing = () => undefined;

/** `undefined` for a process that has ended meanwhile; throws any other error. */
function gone(error: unknown): undefined {
  if (!['ENOENT', 'ESRCH'].includes(codeOf(error) ?? '')) {
    throw error;
  }
}
