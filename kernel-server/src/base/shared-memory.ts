/**
 * Memory that all threads see, and its return. V8 does not count what shared buffers hold, so nothing would make it look for those that
 * nobody uses; each thread therefore collects after every so many bytes that passed through it. That needs `node --expose-gc`; without it
 * the memory comes back whenever V8 happens to collect.
 */

/** Bytes that may wait in all threads together to be collected. */
const COLLECT_BYTES = 128 << 20;

/** Bytes for which no thread collects yet, however many there are. */
const LEAST_BYTES = 16 << 20;

/** Counts what passes through a thread. */
export class SharedMemoryMeter {
  /** @param share of {@link COLLECT_BYTES} that this thread may let wait, as one part of so many */
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
