/** The sidecar's side of the decoder's thread: starts it when it is first needed, ends it when idle, and starts a new one after it has died. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { BridgeError } from '../../../src/shared/errors';
import type { DecoderManifest } from '../../../src/shared/models';
import type { DecodeReply, IDecodeTask, IDecoderModel } from './decoder-tasks';

/** The thread of one model. Tasks are done one after the other. */
export class DecoderThread {
  constructor(private readonly _options: DecoderThread.IOptions) {}

  /**
   * Do a task. One that is aborted while it waits is not done.
   *
   * @throws BridgeError with the thread's code and message; `compute` when it dies; `cancelled`.
   */
  run(task: Omit<IDecodeTask, 'id'>, signal: AbortSignal): Promise<DecodeReply> {
    const turn = this._last.then(() => {
      if (signal.aborted || this._disposed) {
        throw new BridgeError('cancelled', 'The work was cancelled.');
      }
      return this._post(task);
    });
    this._last = turn.catch(() => undefined);
    return turn;
  }

  async dispose(): Promise<void> {
    this._disposed = true;
    clearTimeout(this._idle);
    await this._worker?.terminate();
  }

  private async _post(task: Omit<IDecodeTask, 'id'>): Promise<DecodeReply> {
    clearTimeout(this._idle);
    const id = this._ids++;
    const worker = (this._worker ??= this._start());
    try {
      const reply = await new Promise<DecodeReply>((resolve, reject) => {
        this._current = { id, resolve, reject };
        worker.postMessage({ ...task, id } satisfies IDecodeTask);
      });
      if (reply.kind === 'error') {
        throw new BridgeError(reply.code, reply.message);
      }
      return reply;
    } finally {
      this._current = undefined;
      this._idle = setTimeout(() => void this._worker?.terminate(), this._options.idleMs);
      this._idle.unref();
    }
  }

  private _start(): Worker {
    const { script, model } = this._options;
    const worker = new Worker(script, { workerData: model });
    worker.unref(); // it does not keep the sidecar alive
    let reason = 'it ended by itself';
    worker.on('message', (reply: DecodeReply) => {
      if (this._current?.id === reply.id) {
        this._current.resolve(reply);
      }
    });
    worker.on('error', error => (reason = error instanceof Error ? error.message : String(error)));
    worker.on('exit', () => {
      if (this._worker === worker) {
        this._worker = undefined;
        this._current?.reject(
          new BridgeError(
            'compute',
            `The sidecar's thread for SAM's decoder died (${reason}). The next request starts it anew.`
          )
        );
      }
    });
    return worker;
  }

  private _worker: Worker | undefined;
  private _current: { id: number; resolve(reply: DecodeReply): void; reject(error: BridgeError): void } | undefined;
  private _last: Promise<unknown> = Promise.resolve();
  private _idle: ReturnType<typeof setTimeout> | undefined;
  private _ids = 0;
  private _disposed = false;
}

/** The threads of the models that our kernels run. */
export class DecoderThreads {
  constructor(options: DecoderThreads.IOptions = {}) {
    const folder = options.folder ?? __dirname;
    const file = (name: string) => join(folder, name);
    this._script = file('decoder-worker.cjs');
    this._kernels = { relaxed: file('decoder-relaxed.wasm'), plain: file('decoder.wasm') };
    this._idleMs = options.idleMs ?? 300_000;
    this._isHere = [this._script, ...Object.values(this._kernels)].every(path => existsSync(path));
  }

  /** The thread of a model, by the SHA-256 and the path of its decoder; null if our kernels do not run it. */
  of(digest: string, path: string, manifest: DecoderManifest): DecoderThread | null {
    if (!this._isHere || !manifest.decoder.kernels) {
      return null;
    }
    let thread = this._threads.get(digest);
    if (!thread) {
      const model: IDecoderModel = { path, manifest, kernels: this._kernels };
      thread = new DecoderThread({ script: this._script, model, idleMs: this._idleMs });
      this._threads.set(digest, thread);
    }
    return thread;
  }

  async dispose(): Promise<void> {
    await Promise.all([...this._threads.values()].map(thread => thread.dispose()));
  }

  private readonly _script: string;
  private readonly _kernels: IDecoderModel['kernels'];
  private readonly _idleMs: number;
  private readonly _isHere: boolean;
  private readonly _threads = new Map<string, DecoderThread>();
}

/** The namespace for {@link DecoderThread}. */
export namespace DecoderThread {
  export interface IOptions {
    /** The bundle of `decoder-worker.ts`. */
    script: string;
    model: IDecoderModel;
    /** Milliseconds without a task until the thread ends: it holds 200 MB. */
    idleMs: number;
  }
}

/** The namespace for {@link DecoderThreads}. */
export namespace DecoderThreads {
  export interface IOptions {
    /** The folder of the thread's bundle and the kernels; by default that of the running bundle. */
    folder?: string;
    /** See {@link DecoderThread.IOptions.idleMs}. */
    idleMs?: number;
  }
}
