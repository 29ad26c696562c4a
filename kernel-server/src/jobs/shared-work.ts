import { IJobContext } from './job-context';
import { orAborted } from './or-aborted';

interface IRunning {
  result: Promise<unknown>;
  controller: AbortController;
  /** The callers that still wait for the result. */
  contexts: Set<IJobContext>;
  /** How far it is. */
  progress: Parameters<IJobContext['progress']> | null;
}

/** Callers that ask for the same work at the same time share one run of it. It stops when all of them have left. */
export class SharedWork {
  /** How many pieces of work run. */
  get size(): number {
    return this._running.size;
  }

  /**
   * Run the work of a key, or join the run that is under way. Each caller's context gets its progress; one that joins is told at once how far it is.
   *
   * @throws BridgeError `cancelled` for a caller whose signal aborts, even if the work goes on for others
   */
  async run<T>(key: string, context: IJobContext, work: (context: IJobContext) => Promise<T>): Promise<T> {
    let running = this._running.get(key);
    // A cancelled run still cleans up. A new caller waits for that and starts a new run.
    while (running?.controller.signal.aborted) {
      await running.result.catch(() => undefined);
      running = this._running.get(key);
    }
    if (running) {
      running.contexts.add(context);
      if (running.progress) {
        context.progress(...running.progress);
      }
    } else {
      running = this._begin(key, context, work);
    }
    try {
      return (await orAborted(running.result, context.signal)) as T;
    } finally {
      running.contexts.delete(context);
      if (running.contexts.size === 0 && this._running.get(key) === running) {
        running.controller.abort();
      }
    }
  }

  /** Cancel the run of a key for all its callers. @returns whether there was one that was not cancelled yet */
  cancel(key: string): boolean {
    const controller = this._running.get(key)?.controller;
    if (!controller || controller.signal.aborted) {
      return false;
    }
    controller.abort();
    return true;
  }

  /** Cancel the run of a key for all its callers, and wait until it has ended. `reason`: that of its signal. */
  async end(key: string, reason: unknown): Promise<void> {
    const running = this._running.get(key);
    running?.controller.abort(reason);
    await running?.result.catch(() => undefined);
  }

  /** Cancel everything and wait until it has ended. */
  async stop(): Promise<void> {
    const all = [...this._running.values()];
    all.forEach(({ controller }) => controller.abort());
    await Promise.allSettled(all.map(({ result }) => result));
  }

  private _begin<T>(key: string, context: IJobContext, work: (context: IJobContext) => Promise<T>): IRunning {
    const controller = new AbortController();
    const contexts = new Set([context]);
    const shared: IJobContext = {
      signal: controller.signal,
      urgency: context.urgency,
      progress: (...args) => {
        running.progress = args;
        contexts.forEach(each => each.progress(...args));
      }
    };
    const result = Promise.resolve()
      .then(() => work(shared))
      .finally(() => this._running.delete(key));
    result.catch(() => undefined); // each caller handles it, unless all have left
    const running: IRunning = { result, controller, contexts, progress: null };
    this._running.set(key, running);
    return running;
  }

  private readonly _running = new Map<string, IRunning>();
}
