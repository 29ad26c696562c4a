/** A map that forgets what was not used for longest once it holds more than its limit. */
export class LruCache<K, V> {
  constructor(private _limit: number) {}

  get size(): number {
    return this._entries.size;
  }

  get limit(): number {
    return this._limit;
  }

  set limit(limit: number) {
    this._limit = limit;
    this._trim();
  }

  get(key: K): V | undefined {
    const value = this._entries.get(key);
    if (value !== undefined) {
      this._entries.delete(key);
      this._entries.set(key, value);
    }
    return value;
  }

  /** The value, which is no use of it. */
  peek(key: K): V | undefined {
    return this._entries.get(key);
  }

  values(): IterableIterator<V> {
    return this._entries.values();
  }

  has(key: K): boolean {
    return this._entries.has(key);
  }

  set(key: K, value: V): void {
    this._entries.delete(key);
    this._entries.set(key, value);
    this._trim();
  }

  delete(key: K): void {
    this._entries.delete(key);
  }

  clear(): void {
    this._entries.clear();
  }

  private _trim(): void {
    for (const key of this._entries.keys()) {
      if (this._entries.size <= this._limit) {
        return;
      }
      this._entries.delete(key);
    }
  }

  private readonly _entries = new Map<K, V>();
}
