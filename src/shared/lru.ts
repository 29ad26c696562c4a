/** A cache that drops the least recently used entry once it holds more than its limit. */
export class Lru<K, V> {
  constructor(options: Lru.IOptions<K, V>) {
    const { limit, weight, onEvict } = options;
    this._limit = limit;
    this._weightOf = weight ?? (() => 1);
    this._onEvict = onEvict;
  }

  /** Number of entries. */
  get size(): number {
    return this._entries.size;
  }

  /** Sum of the entries' weights. */
  get weight(): number {
    return this._weight;
  }

  /** The largest weight that is kept. A lower limit evicts at once. */
  get limit(): number {
    return this._limit;
  }

  set limit(limit: number) {
    this._limit = limit;
    this._trim();
  }

  /** Read a value and mark it as used. */
  get(key: K): V | undefined {
    const entry = this._entries.get(key);
    if (entry) {
      this._entries.delete(key);
      this._entries.set(key, entry);
    }
    return entry?.value;
  }

  /** Read a value without marking it as used. */
  peek(key: K): V | undefined {
    return this._entries.get(key)?.value;
  }

  /** Whether there is a value; does not mark it as used. */
  has(key: K): boolean {
    return this._entries.has(key);
  }

  /** The keys, the least recently used first. */
  keys(): IterableIterator<K> {
    return this._entries.keys();
  }

  /** The values, the least recently used first. */
  *values(): Generator<V, void> {
    for (const { value } of this._entries.values()) {
      yield value;
    }
  }

  /** Keep a value, as the most recently used. An entry that alone outweighs the limit is evicted at once. */
  set(key: K, value: V): void {
    this.delete(key);
    const weight = this._weightOf(value, key);
    this._entries.set(key, { value, weight });
    this._weight += weight;
    this._trim();
  }

  /** Remove an entry; `onEvict` is not called. Returns whether there was one. */
  delete(key: K): boolean {
    this._weight -= this._entries.get(key)?.weight ?? 0;
    return this._entries.delete(key);
  }

  /** Remove all entries; `onEvict` is not called. */
  clear(): void {
    this._entries.clear();
    this._weight = 0;
  }

  private _trim(): void {
    for (const [key, { value }] of this._entries) {
      if (this._weight <= this._limit) {
        return;
      }
      this.delete(key);
      this._onEvict?.(key, value);
    }
  }

  private readonly _entries = new Map<K, { value: V; weight: number }>();
  private readonly _weightOf: (value: V, key: K) => number;
  private readonly _onEvict: ((key: K, value: V) => void) | undefined;
  private _limit: number;
  private _weight = 0;
}

export namespace Lru {
  export interface IOptions<K, V> {
    /** The largest sum of weights that is kept; without `weight`, the largest number of entries. */
    limit: number;
    /** Weight of an entry, its bytes for example; read once, when the entry is set. Default: 1. */
    weight?(value: V, key: K): number;
    /** Called with each entry that the limit drops. */
    onEvict?(key: K, value: V): void;
  }
}
