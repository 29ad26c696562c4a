/**
 * The worker threads of the engine. Tasks go to free threads in order of arrival, urgent ones first. If a thread dies, its task is rejected and
 * a new thread takes the next task.
 */
import { setMaxListeners } from 'node:events';
import { Worker } from 'node:worker_threads';
import { BridgeError, ERROR_CODES, ErrorCode } from '../../../src/shared/errors';
import { EngineResult, EngineTask, IWorkerRequest, WorkerReply } from './tasks';

/** Milliseconds that a thread may continue with a cancelled task. */
const GRACE_MS = 300;

interface IQueued {
  id: number;
  task: EngineTask;
  urgent: boolean;
  resolve(result: unknown): void;
  reject(error: BridgeError): void;
}

interface IThread {
  worker: Worker;
  /** The task that the thread runs; its caller may have cancelled it. */
  current: IQueued | undefined;
}

export class EnginePool {
  constructor(options: EnginePool.IOptions) {
    this._options = options;
  }

  get threads(): number {
    return this._options.threads;
  }

  /**
   * Run a task.
   *
   * @throws BridgeError with the worker's code and message; `cancelled` as soon as the signal is aborted. The thread then has a short time to
   * finish the task, and is replaced if it does not.
   */
  async run<T extends EngineTask>(
    task: T,
    signal: AbortSignal,
    { urgent = false }: EnginePool.IRunOptions = {}
  ): Promise<EngineResult<T>> {
    if (this._disposed) {
      throw new BridgeError('cancelled', 'The engine is shutting down.');
    }
    if (signal.aborted) {
      throw new BridgeError('cancelled', 'The work was cancelled.');
    }
    return new Promise<EngineResult<T>>((resolve, reject) => {
      const settle = () => signal.removeEventListener('abort', abort);
      const queued: IQueued = {
        id: this._ids++,
        task,
        urgent,
        resolve: result => {
          settle();
          resolve(result as EngineResult<T>);
        },
        reject: error => {
          settle();
          reject(error);
        }
      };
      const abort = () => {
        const place = this._queue.indexOf(queued);
        if (place >= 0) {
          this._queue.splice(place, 1);
        }
        queued.reject(new BridgeError('cancelled', 'The work was cancelled.'));
        this._endSoon(queued);
      };
      signal.addEventListener('abort', abort, { once: true });
      const behind = urgent ? this._queue.findIndex(other => !other.urgent) : -1;
      this._queue.splice(behind < 0 ? this._queue.length : behind, 0, queued);
      this._dispatch();
    });
  }

  /** Run tasks in parallel and call `done` after each. The first failure cancels the other tasks. */
  async runAll<T extends EngineTask>(
    tasks: readonly T[],
    signal: AbortSignal,
    done: (result: EngineResult<T>, index: number) => void,
    options?: EnginePool.IRunOptions
  ): Promise<void> {
    await together(tasks, signal, async (task, either, index) => done(await this.run(task, either, options), index));
  }

  async dispose(): Promise<void> {
    this._disposed = true;
    const error = new BridgeError('cancelled', 'The engine is shutting down.');
    this._queue.splice(0).forEach(queued => queued.reject(error));
    const threads = [...this._all];
    this._all.clear();
    threads.forEach(thread => thread.current?.reject(error));
    await Promise.all(threads.map(async ({ worker }) => worker.terminate()));
  }

  /** Give the thread of a cancelled task a short time to finish, since a new thread has to load everything again; then end it. */
  private _endSoon(queued: IQueued): void {
    const thread = [...this._all].find(({ current }) => current === queued);
    if (thread) {
      const timer = setTimeout(() => {
        if (thread.current === queued) {
          void thread.worker.terminate();
        }
      }, GRACE_MS);
      timer.unref();
    }
  }

  private _dispatch(): void {
    while (this._queue.length > 0) {
      const thread = [...this._all].find(({ current }) => !current) ?? this._start();
      if (!thread) {
        return;
      }
      const queued = this._queue.shift()!;
      thread.current = queued;
      const request: IWorkerRequest = { id: queued.id, task: queued.task };
      thread.worker.ref();
      try {
        thread.worker.postMessage(request);
      } catch (error) {
        thread.current = undefined;
        queued.reject(BridgeError.from(error));
      }
    }
  }

  private _start(): IThread | undefined {
    if (this._all.size >= this._options.threads) {
      return undefined;
    }
    const { script, wasm, threads } = this._options;
    const thread: IThread = { worker: new Worker(script, { workerData: { wasm, threads } }), current: undefined };
    this._all.add(thread);
    let reason = 'it ended by itself';
    thread.worker.on('message', (reply: WorkerReply) => {
      const { current } = thread;
      thread.current = undefined;
      // An idle thread does not keep the process alive.
      thread.worker.unref();
      if (current && current.id === reply.id) {
        if ('message' in reply) {
          const code = (ERROR_CODES as readonly string[]).includes(reply.code) ? (reply.code as ErrorCode) : 'internal';
          current.reject(new BridgeError(code, reply.message));
        } else {
          current.resolve(reply.result);
        }
      }
      this._dispatch();
    });
    thread.worker.on('error', error => {
      reason = error instanceof Error ? error.message : String(error);
    });
    thread.worker.on('exit', () => {
      if (this._all.delete(thread)) {
        thread.current?.reject(
          new BridgeError('compute', `A thread of the engine died (${reason}). The work can be started again.`)
        );
        this._dispatch();
      }
    });
    return thread;
  }

  private readonly _options: EnginePool.IOptions;
  private readonly _all = new Set<IThread>();
  private readonly _queue: IQueued[] = [];
  private _ids = 0;
  private _disposed = false;
}

/** Do some work for all items at the same time. The first failure cancels the rest. */
export async function together<T>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal, index: number) => Promise<void>
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  // Each task adds a listener, which Node would report as a leak.
  setMaxListeners(0, either);
  try {
    await Promise.all(items.map(async (item, index) => work(item, either, index)));
  } catch (error) {
    failed.abort();
    throw error;
  }
}

/** The namespace for {@link EnginePool}. */
export namespace EnginePool {
  export interface IRunOptions {
    /** Run before all waiting tasks that are not urgent. For short work that a user waits for. */
    urgent?: boolean;
  }

  export interface IOptions {
    threads: number;
    /** Path of the bundled `engine-worker.cjs`. */
    script: string;
    /** Path of `engine.wasm`. */
    wasm: string;
  }
}
