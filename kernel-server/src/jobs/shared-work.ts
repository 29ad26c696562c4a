/** Work that several may want at the same time: it is done once, all hear of its progress, and it stops when all have left. */
import { IJobContext } from './interfaces';
import { orAborted } from './jobs';

interface IRunning {
  result: Promise<unknown>;
  controller: AbortController;
  contexts: Set<IJobContext>;
}

export class SharedWork {
  /** Whether somebody works under a key. */
  has(key: string): boolean {
    return this._running.has(key);
  }

  /**
   * Do work under a key, or join those who do.
   *
   * @throws BridgeError `cancelled` for a caller whose signal aborts, whatever becomes of the work
   */
  async run<T>(key: string, context: IJobContext, work: (context: IJobContext) => Promise<T>): Promise<T> {
    let running = this._running.get(key);
    // Work that is being stopped still cleans up; whoever comes now wants it done anew.
    while (running?.controller.signal.aborted) {
      await running.result.catch(() => undefined);
      running = this._running.get(key);
    }
    running ??= this._begin(key, work);
    const { result, controller, contexts } = running;
    contexts.add(context);
    try {
      return (await orAborted(result, context.signal)) as T;
    } finally {
      contexts.delete(context);
      if (contexts.size === 0) {
        controller.abort(); // of no effect where it is done
      }
    }
  }

  private _begin<T>(key: string, work: (context: IJobContext) => Promise<T>): IRunning {
    const controller = new AbortController();
    const contexts = new Set<IJobContext>();
    const shared: IJobContext = {
      signal: controller.signal,
      progress: (...args) => contexts.forEach(context => context.progress(...args))
    };
    const result = Promise.resolve()
      .then(() => work(shared))
      .finally(() => this._running.delete(key));
    result.catch(() => undefined);
    const running = { result, controller, contexts };
    this._running.set(key, running);
    return running;
  }

  private readonly _running = new Map<string, IRunning>();
}
