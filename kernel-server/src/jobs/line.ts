import { orAborted } from './or-aborted';

/**
 * Runs one piece of work at a time, in the order of the calls. Work that is cancelled before its turn never begins.
 * Work started with {@link runBehind} runs only while no other work waits, and is told to stop when other work arrives.
 */
export class Line {
  /** Run `work` when its turn comes. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    this._ahead++;
    this._behind.forEach(controller => controller.abort());
    try {
      return await this._inTurn(signal, work);
    } finally {
      if (--this._ahead === 0) {
        this._waiting.splice(0).forEach(wake => wake());
      }
    }
  }

  /** Run `work` when no other work waits. Its signal aborts with `signal`, and as soon as {@link run} is called. */
  async runBehind<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    while (this._ahead > 0) {
      await orAborted(new Promise<void>(wake => this._waiting.push(wake)), signal);
    }
    const controller = new AbortController();
    this._behind.add(controller);
    try {
      return await this._inTurn(signal, () => work(AbortSignal.any([signal, controller.signal])));
    } finally {
      this._behind.delete(controller);
    }
  }

  private async _inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this._tail;
    let finish!: () => void;
    this._tail = new Promise(resolve => (finish = resolve));
    try {
      await orAborted(before, signal);
    } catch (error) {
      void before.then(finish); // later work still waits for earlier work
      throw error;
    }
    try {
      return await work();
    } finally {
      finish();
    }
  }

  private _tail: Promise<void> = Promise.resolve();
  private _ahead = 0;
  private readonly _behind = new Set<AbortController>();
  private readonly _waiting: (() => void)[] = [];
}
