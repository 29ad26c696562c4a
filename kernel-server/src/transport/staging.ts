/** Staged arrays: shared files that hand an array over. Each belongs to the peer that requested it, and is removed with the peer. */
import { randomBytes } from 'node:crypto';
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor, Dtype } from '../../../src/shared/protocol';
import { ArrayStore } from '../arrays/array-store';
import { OverviewAhead } from '../arrays/overview-ahead';
import { TileCache } from '../arrays/pyramid';
import { Peer } from './peers';

/** Most staged arrays of one peer. */
const STAGED_MAX = 64;

export class Staging {
  /** `folder`: where the store makes them; `tiles`: where the overviews of images are kept that are written ahead. */
  constructor(
    private readonly _store: ArrayStore,
    private readonly _folder: string,
    private readonly _tiles: TileCache
  ) {}

  /** Make a staged array. `ahead`: see the method `array.stage`. */
  async make(
    peer: Peer,
    dtype: Dtype,
    shape: number[],
    ahead = false
  ): Promise<{ staged: string; array: ArrayDescriptor }> {
    if (peer.staged.size + this._making >= STAGED_MAX) {
      throw new BridgeError('invalid', `${STAGED_MAX} arrays are staged already; release some of them.`);
    }
    this._making++;
    try {
      const staged = randomBytes(16).toString('hex');
      const array = await this._store.allocate(this._folder, 'staged', dtype, shape, ahead, ahead);
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

  /** The first `bytes` of a staged image are written: begin its overview. */
  written(peer: Peer, staged: string, bytes: number): void {
    const array = this.get(peer, staged);
    let overview = this._overviews.get(staged);
    if (!overview) {
      overview = new OverviewAhead(array, this._tiles);
      this._overviews.set(staged, overview);
    }
    overview.written(bytes);
  }

  /**
   * Take a staged array away from a peer: the caller moves it elsewhere, or gives it to {@link discard}. The part of an overview that is made is in
   * the cache under the array's path.
   *
   * @returns undefined if there is none
   */
  take(peer: Peer, staged: string): ArrayDescriptor | undefined {
    const array = peer.staged.get(staged);
    peer.staged.delete(staged);
    this._overviews.get(staged)?.stop();
    this._overviews.delete(staged);
    return array;
  }

  /** Remove what was {@link take}n, if it was not moved. */
  async discard(array: ArrayDescriptor | undefined): Promise<void> {
    if (array) {
      this._tiles.forget(`${array.path}/`);
      await this._store.remove(array);
    }
  }

  /** Remove a staged array. A process that maps the file keeps its content. */
  async release(peer: Peer, staged: string): Promise<void> {
    await this.discard(this.take(peer, staged));
  }

  /** Remove all staged arrays of a peer. */
  async releaseAll(peer: Peer): Promise<void> {
    await Promise.all([...peer.staged.keys()].map(staged => this.release(peer, staged)));
  }

  private _making = 0;
  private readonly _overviews = new Map<string, OverviewAhead>();
}
