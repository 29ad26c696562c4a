/** Maps of slices in memory, up to a number of bytes. */
import type { ISliceMaps } from '../../../engine/core/embedding';
import { Lru } from '../../../src/shared/lru';

/** Bytes of maps that are kept by default. */
const CACHE_BYTES = 256 << 20;

export type MapCache = Lru<string, ISliceMaps>;

/** A cache of maps. The maps that were set last are kept even if they alone have more bytes than the limit. */
export function createMapCache(limit = CACHE_BYTES): MapCache {
  return new Lru({ limit, weight: maps => Math.min(bytesOf(maps), limit) });
}

function bytesOf(maps: ISliceMaps): number {
  return maps.reduce((sum, { data }) => sum + data.byteLength, 0);
}
