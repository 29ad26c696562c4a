/**
 * Frees unused SharedArrayBuffers. V8 does not count their bytes, so it sees no reason to collect them. Each thread therefore starts a
 * collection after a fixed number of bytes. That needs `node --expose-gc`; without it the memory comes back when V8 happens to collect.
 */

/** Bytes that may be uncollected in all threads together. */
const COLLECT_BYTES = 128 << 20;

/** The least bytes for which a thread starts a collection, whatever its share. */
const LEAST_BYTES = 16 << 20;

/** Counts the bytes of the shared buffers that a thread used. */
export class SharedMemoryMeter {
  /** @param _share this thread's part of {@link COLLECT_BYTES} is one part in `_share` */
  constructor(private readonly _share: number) {}

  /** So many bytes were allocated, or came from another thread. */
  add(bytes: number): void {
    this._bytes += bytes;
    if (this._bytes > Math.max(COLLECT_BYTES / this._share, LEAST_BYTES)) {
      this._bytes = 0;
      globalThis.gc?.();
    }
  }

  private _bytes = 0;
}

/** The meter of the main thread. */
const meter = new SharedMemoryMeter(1);

/** Memory that worker threads see too. */
export function sharedBytes(length: number): Uint8Array {
  meter.add(length);
  return new Uint8Array(new SharedArrayBuffer(length));
}

/** The same, of floats. */
export function sharedFloats(length: number): Float32Array {
  meter.add(length * 4);
  return new Float32Array(new SharedArrayBuffer(length * 4));
}
