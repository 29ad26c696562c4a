/**
 * The compiled kernels and their memory: an arena that grows upwards. Callers mark its end and release all that lies behind the mark.
 */
import { BridgeError } from '../../src/shared/errors';

/** The exports of `engine/assembly/index.ts`; addresses are in bytes. */
export interface IKernels {
  memory: WebAssembly.Memory;
  heapBase(): number;
  computeTile: Kernel;
  programHalo(program: number, ops: number): number;
  embedTile: Kernel;
  joinBlocks: Kernel;
  buildTables: Kernel;
  quantise: Kernel;
  growTree: Kernel;
  growScratch(rows: number, features: number, classes: number, maxDepth: number): number;
  boostSlot(tried: number, classes: number, shift: number): number;
  boostScratch(rows: number, features: number, classes: number, maxLeaves: number, slot: number, slots: number): number;
  boostTree: Kernel;
  boostGradients: Kernel;
  boostLoss(...args: number[]): number;
  packForest: Kernel;
  applyForest: Kernel;
  applyForestForLabels: Kernel;
  applyScratch(classes: number): number;
  decide: Kernel;
  decideBoosted: Kernel;
  refine: Kernel;
  refineScratch(rows: number, columns: number, radius: number): number;
  rowMoments: Kernel;
}
type Kernel = (...args: number[]) => void;

/** Pixels of any element type. */
export type TypedArray =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

const PAGE = 65536;
/** Vector loops may read this far past the end of a block. */
const SLACK = 256;

/** Compile `engine.wasm` once; instances are cheap. */
export function compileEngine(bytes: BufferSource): WebAssembly.Module {
  return new WebAssembly.Module(bytes);
}

/** An instance of the kernels with its own memory. */
export class Engine {
  constructor(module: WebAssembly.Module) {
    this.kernels = new WebAssembly.Instance(module, {}).exports as unknown as IKernels;
    this._top = align(this.kernels.heapBase());
  }

  readonly kernels: IKernels;

  /** Bytes of memory that this instance holds. */
  get bytes(): number {
    return this.kernels.memory.buffer.byteLength;
  }

  /** Where the arena ends now, for {@link release}. */
  get mark(): number {
    return this._top;
  }

  /** Free all blocks behind a {@link mark}. */
  release(mark: number): void {
    this._top = mark;
  }

  /**
   * Address of `bytes` fresh bytes; their contents are undefined. Earlier views may be detached.
   *
   * @throws BridgeError `invalid` beyond 4 GiB or the host's memory.
   */
  allocate(bytes: number): number {
    const address = this._top;
    const top = align(address + bytes + SLACK);
    const missing = top - this.bytes;
    if (missing > 0) {
      try {
        this.kernels.memory.grow(Math.ceil(missing / PAGE));
      } catch {
        throw outOfMemory(top);
      }
    }
    this._top = top;
    return address;
  }

  /**
   * Run a kernel that allocates scratch memory itself, behind {@link mark}. Earlier views may be detached.
   *
   * @throws BridgeError `invalid` if the host has no more memory.
   */
  run(kernel: (kernels: IKernels) => void): void {
    try {
      kernel(this.kernels);
    } catch (error) {
      throw error instanceof WebAssembly.RuntimeError ? outOfMemory(this.bytes) : error;
    }
  }

  /** Allocate and fill. */
  put(data: TypedArray): number {
    const address = this.allocate(data.byteLength);
    this.u8(address, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return address;
  }

  u8(address: number, length: number): Uint8Array {
    return new Uint8Array(this.kernels.memory.buffer, address, length);
  }

  u16(address: number, length: number): Uint16Array {
    return new Uint16Array(this.kernels.memory.buffer, address, length);
  }

  u32(address: number, length: number): Uint32Array {
    return new Uint32Array(this.kernels.memory.buffer, address, length);
  }

  i32(address: number, length: number): Int32Array {
    return new Int32Array(this.kernels.memory.buffer, address, length);
  }

  f32(address: number, length: number): Float32Array {
    return new Float32Array(this.kernels.memory.buffer, address, length);
  }

  f64(address: number, length: number): Float64Array {
    return new Float64Array(this.kernels.memory.buffer, address, length);
  }

  private _top: number;
}

function outOfMemory(bytes: number): BridgeError {
  return new BridgeError(
    'invalid',
    `The engine needs more than ${Math.ceil(bytes / 2 ** 20)} MiB in one thread, which the host does not have; fewer features, classes, maxSamples or maxDepth will do.`
  );
}

function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}
