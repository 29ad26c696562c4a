/** Staged arrays: shared files that hand an array over. Each belongs to the peer that requested it, and is removed with the peer. */
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor, Dtype } from '../../../src/shared/protocol';
import { ArrayStore } from '../arrays/array-store';
import { Peer } from './peers';

/** Most staged arrays of one peer. */
const STAGED_MAX = 64;

export class Staging {
  constructor(private readonly _store: ArrayStore) {}

  /** Make a staged array. */
  async make(peer: Peer, dtype: Dtype, shape: number[]): Promise<{ staged: string; array: ArrayDescriptor }> {
    if (peer.staged.size + this._making >= STAGED_MAX) {
      throw new BridgeError('invalid', `${STAGED_MAX} arrays are staged already; release some of them.`);
    }
    this._making++;
    try {
      const staged = randomBytes(16).toString('hex');
      const array = await this._store.allocate(folderOf(process.pid), 'staged', dtype, shape);
      peer.staged.set(staged, array);
      return { staged, array };
    } finally {
      this._making--;
    }
  }

  /** A peer's staged array. */
  get(peer: Peer, staged: string): ArrayDescriptor {
    const array = peer.staged.get(staged);
    if (!array) {
      throw new BridgeError(
        'invalid',
        `There is no staged array ${staged}; it was released, or the sidecar was restarted.`
      );
    }
    return array;
  }

  /** Remove a staged array. A process that maps the file keeps its content. */
  async release(peer: Peer, staged: string): Promise<void> {
    const array = peer.staged.get(staged);
    peer.staged.delete(staged);
    await this._store.remove(array);
  }

  /** Remove all staged arrays of a peer. */
  async releaseAll(peer: Peer): Promise<void> {
    await this._store.remove(...peer.staged.values());
    peer.staged.clear();
  }

  /** Remove the staged arrays of sidecars that died; with `own`, those of this sidecar too. */
  async clean(directories: string[], own: boolean): Promise<void> {
    for (const directory of directories) {
      for (const name of await readdir(directory).catch(() => [])) {
        const pid = Number(/^staged-(\d+)$/.exec(name)?.[1] ?? NaN);
        if (pid > 0 && (pid === process.pid ? own : !alive(pid))) {
          await this._store.removeFolder(name);
        }
      }
    }
  }

  private _making = 0;
}

function folderOf(pid: number): string {
  return `staged-${pid}`;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
