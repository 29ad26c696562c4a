/** Maps of slices in memory, complete or in the making, up to a number of bytes. */
import { Lru } from '../../../src/shared/lru';
import type { WindowedMaps } from './windowed-maps';

/** Bytes of maps that are kept by default. */
const CACHE_BYTES = 256 << 20;

export type MapCache = Lru<string, WindowedMaps>;

/** A cache of maps, which are set again as they grow. Those that were set last are kept even if they alone have more bytes than the limit. */
export function createMapCache(limit = CACHE_BYTES): MapCache {
  return new Lru({ limit, weight: maps => Math.min(maps.bytes, limit) });
}
