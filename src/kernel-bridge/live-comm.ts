/**
 * The transport of the browser: a comm that stays live while a cell runs.
 *
 * An ipywidget's own comm waits for the running cell, since the kernel opened it from one. This comm is opened by the
 * browser once its subshell has started, so the kernel hears it on a thread of its own. Frames travel as the buffers of
 * the comm message; its data stays empty.
 */
import { ISignal, Signal } from '@lumino/signaling';
import { Frames } from './frames';
import { ITransport } from './client';

/** What Python registers the live protocol under. */
export const COMM_TARGET = 'sambalab';

/** The part of JupyterLab's `Kernel.IComm` that is used here; other front ends can offer the same. */
export interface ICommLike {
  open(data?: object): unknown;
  send(data: object, metadata?: object, buffers?: (ArrayBuffer | ArrayBufferView)[]): unknown;
  close(data?: object): unknown;
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

/** Frames over a comm. */
export class LiveComm implements ITransport {
  /** Use a comm that is open. */
  constructor(comm: ICommLike) {
    this._comm = comm;
    comm.onMsg = message => {
      this._received.emit((message.buffers ?? []).map(toBytes));
    };
    comm.onClose = () => {
      this._gone = true;
      this._closed.emit(undefined);
    };
  }

  /** Open a comm on the kernel, on a subshell where it has them. */
  static async open(kernel: IKernelLike): Promise<LiveComm> {
    const comm = kernel.createComm(COMM_TARGET);
    await kernel.info;
    if (kernel.supportsSubshells && comm.subshellStarted) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>(resolve => {
        timer = setTimeout(resolve, SUBSHELL_TIMEOUT_MS);
      });
      await Promise.race([comm.subshellStarted, late]);
      clearTimeout(timer);
    }
    const transport = new LiveComm(comm);
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
      this._comm.send({}, undefined, frames);
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    if (!this._gone && !this._comm.isDisposed) {
      this._comm.close({});
    }
    this._gone = true;
    Signal.clearData(this);
  }

  private readonly _comm: ICommLike;
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
