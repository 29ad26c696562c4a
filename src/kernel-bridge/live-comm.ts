/**
 * The transport of the browser: a comm that stays live while a cell runs.
 *
 * An ipywidget's own comm waits for the running cell, since the kernel opened it from one. This comm is opened by the
 * browser once its subshell has started, so the kernel hears it on a thread of its own. Frames travel as the buffers of
 * the comm message; its data stays empty.
 */
import { ISignal, Signal } from '@lumino/signaling';
import { Frames } from '../shared/frames';
import { ITransport } from './client';

/** The comm target that Python registers. */
export const COMM_TARGET = 'sambalab';

/** The part of JupyterLab's `Kernel.IComm` that is used here; other front ends can offer the same. */
export interface ICommLike {
  open(data?: object): unknown;
  send(data: object, metadata?: object, buffers?: (ArrayBuffer | ArrayBufferView)[]): unknown;
  close(data?: object): unknown;
  /** Release the comm in the browser. The kernel is not told. */
  dispose?(): void;
  readonly isDisposed?: boolean;
  /** Settles when the comm's subshell runs; never settles on kernels without subshells. */
  readonly subshellStarted?: Promise<void>;
  onMsg: (message: { buffers?: (ArrayBuffer | ArrayBufferView)[] }) => unknown;
  onClose: (message: never) => unknown;
}

/** The part of JupyterLab's `Kernel.IKernelConnection` that is used here. */
export interface IKernelLike {
  readonly info: Promise<unknown>;
  readonly supportsSubshells?: boolean;
  createComm(target: string): ICommLike;
}

/** How long to wait for a subshell before the comm is opened on the main shell. */
const SUBSHELL_TIMEOUT_MS = 5000;

/** Time that the subshell stays so that the kernel can receive the closing of the comm. */
const CLOSE_TIMEOUT_MS = 5000;

/** Frames over a comm. */
export class LiveComm implements ITransport {
  /**
   * Use a comm that is open.
   *
   * @param keeper a comm of the same target that is never opened. JupyterLab deletes a target's subshell with its last
   * comm, by a message that overtakes the comm's own closing. The closing would be lost, and the kernel would send to the
   * comm for ever. The keeper holds the subshell until the kernel has received the closing.
   */
  constructor(comm: ICommLike, keeper: ICommLike | null = null) {
    this._comm = comm;
    this._keeper = keeper;
    comm.onMsg = message => {
      this._received.emit((message.buffers ?? []).map(toBytes));
    };
    comm.onClose = () => {
      this._gone = true;
      this._closed.emit(undefined);
    };
  }

  /** Open a comm on the kernel, on a subshell if the kernel has subshells. */
  static async open(kernel: IKernelLike): Promise<LiveComm> {
    const comm = kernel.createComm(COMM_TARGET);
    let keeper: ICommLike | null = null;
    await kernel.info;
    if (kernel.supportsSubshells && comm.subshellStarted) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>(resolve => {
        timer = setTimeout(resolve, SUBSHELL_TIMEOUT_MS);
      });
      await Promise.race([comm.subshellStarted, late]);
      clearTimeout(timer);
      keeper = kernel.createComm(COMM_TARGET);
    }
    const transport = new LiveComm(comm, keeper);
    comm.open({});
    return transport;
  }

  get received(): ISignal<this, Frames> {
    return this._received;
  }

  get closed(): ISignal<this, void> {
    return this._closed;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  send(frames: Frames): void {
    if (!this._gone && !this._comm.isDisposed) {
      try {
        this._comm.send({}, undefined, frames);
      } catch {
        this._gone = true; // the kernel is dead: nothing can be sent any more
        this._closed.emit(undefined);
      }
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    const heard = this._close();
    this._gone = true;
    Signal.clearData(this);
    void heard.then(() => {
      try {
        this._keeper?.dispose?.();
      } catch {
        // its kernel is gone, and the subshell with it
      }
    });
  }

  /** Close the comm. Resolves when the kernel has received the closing, or is dead. */
  private async _close(): Promise<void> {
    if (this._gone || this._comm.isDisposed) {
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const sent = this._comm.close({}) as { done?: Promise<unknown> } | undefined;
      const late = new Promise(resolve => {
        timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
      });
      await Promise.race([sent?.done, late]);
    } catch {
      // the kernel is dead
    } finally {
      clearTimeout(timer);
    }
  }

  private readonly _comm: ICommLike;
  private readonly _keeper: ICommLike | null;
  private readonly _received = new Signal<this, Frames>(this);
  private readonly _closed = new Signal<this, void>(this);
  private _gone = false;
  private _disposed = false;
}

function toBytes(buffer: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(buffer)
    ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    : new Uint8Array(buffer);
}
