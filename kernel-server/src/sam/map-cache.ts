/** Maps of slices in memory, up to a number of bytes. */
import type { ISliceEmbedding } from '../../../engine/core/embedding';

/** Maps that are kept in memory have at most so many bytes. */
const CACHE_BYTES = 256 << 20;

/** Maps by keys; those not used for longest are forgotten when there are too many bytes. */
export class MapCache {
  constructor(private readonly _limit = CACHE_BYTES) {}

  has(key: string): boolean {
    return this._entries.has(key);
  }

  get(key: string): ISliceEmbedding | undefined {
    const maps = this._entries.get(key);
    if (maps) {
      this._entries.delete(key);
      this._entries.set(key, maps);
    }
    return maps;
  }

  /** Keep maps; these are kept even if they alone are more than the limit. */
  set(key: string, maps: ISliceEmbedding): void {
    this.forget(other => other === key);
    this._entries.set(key, maps);
    this._bytes += bytesOf(maps);
    for (const oldest of this._entries.keys()) {
      if (this._bytes <= this._limit || oldest === key) {
        return;
      }
      this.forget(other => other === oldest);
    }
  }

  forget(which: (key: string) => boolean): void {
    for (const [key, maps] of this._entries) {
      if (which(key)) {
        this._entries.delete(key);
        this._bytes -= bytesOf(maps);
      }
    }
  }

  private readonly _entries = new Map<string, ISliceEmbedding>();
  private _bytes = 0;
}

function bytesOf(maps: ISliceEmbedding): number {
  return maps.reduce((sum, { data }) => sum + data.byteLength, 0);
}
