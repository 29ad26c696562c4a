/** Long work: progress for those who watch, callers that share a job, cancel. */
import { BridgeError } from '../../../src/shared/errors';
import { EventParams } from '../../../src/shared/protocol';
import { IJobContext } from './interfaces';

/** What a `job` event says. */
export type JobState = EventParams<'job'>;

/** Progress is told at most this often, in milliseconds; the end of a job always. */
const TELL_MS = 100;

/** Tells progress at a bearable rate. */
class Reporter {
  constructor(
    private _state: JobState,
    private readonly _emit: (state: JobState) => void
  ) {
    this._tell();
  }

  progress(stage: string, done: number, total: number, message?: string): void {
    if (this._state.state !== 'running') {
      return;
    }
    this._state = { ...this._state, stage, done, total, message: message ?? this._state.message };
    const wait = this._told + TELL_MS - performance.now();
    if (wait <= 0) {
      this._tell();
    } else {
      this._timer ??= setTimeout(() => this._tell(), wait);
    }
  }

  finish(state: 'done' | 'failed' | 'cancelled', message?: string): void {
    const done = state === 'done' ? this._state.total : this._state.done;
    this._state = { ...this._state, state, done, message: message ?? this._state.message };
    this._tell();
  }

  private _tell(): void {
    clearTimeout(this._timer);
    this._timer = undefined;
    this._told = performance.now();
    this._emit(this._state);
  }

  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _told = 0;
}

interface IJob {
  id: string;
  sessions: readonly string[];
  result: Promise<unknown>;
  controller: AbortController;
  /** Callers that still want it. */
  wanted: number;
}

/** What a job is, and who hears of it. */
export interface IJobDescription {
  /** Callers that name the same key at the same time share one job. */
  key: string;
  /** The id of the request that begins it. */
  id: string;
  session: string;
  /** Further sessions that it works on. */
  others?: readonly string[];
  kind: JobState['kind'];
}

/** The jobs that run. */
export class Jobs {
  constructor(private readonly _emit: (state: JobState) => void) {}

  /** How many run. */
  get size(): number {
    return this._jobs.size;
  }

  /** Whether one of a session runs. */
  runs(session: string): boolean {
    return [...this._jobs.values()].some(job => job.sessions.includes(session));
  }

  /**
   * Run a job, or join the one that runs under its key. A caller whose signal aborts leaves; when all have left, the
   * job is cancelled.
   */
  async run<T>(
    description: IJobDescription,
    signal: AbortSignal,
    work: (context: IJobContext) => Promise<T>
  ): Promise<T> {
    let job = this._jobs.get(description.key);
    // A job that is being cancelled still cleans up; whoever comes now wants one of his own, after it.
    while (job?.controller.signal.aborted) {
      await job.result.catch(() => undefined);
      job = this._jobs.get(description.key);
    }
    if (!job) {
      const controller = new AbortController();
      const { id, session, others = [] } = description;
      job = {
        id,
        sessions: [session, ...others],
        controller,
        wanted: 0,
        result: this._work(description, controller, work)
      };
      job.result.catch(() => undefined);
      this._jobs.set(description.key, job);
    }
    const { result, controller } = job;
    const joined = job;
    joined.wanted++;
    const leave = () => {
      if (--joined.wanted === 0 && this._jobs.get(description.key) === joined) {
        controller.abort();
      }
    };
    try {
      return (await orAborted(result, signal)) as T;
    } finally {
      leave();
    }
  }

  /** Cancel the job that a request began, for everyone. */
  cancel(id: string): boolean {
    for (const job of this._jobs.values()) {
      if (job.id === id && !job.controller.signal.aborted) {
        job.controller.abort();
        return true;
      }
    }
    return false;
  }

  /** Cancel everything and wait until it is over. */
  async stop(): Promise<void> {
    for (const job of this._jobs.values()) {
      job.controller.abort();
    }
    await Promise.allSettled([...this._jobs.values()].map(job => job.result));
  }

  private async _work<T>(
    { key, id, session, kind }: IJobDescription,
    controller: AbortController,
    work: (context: IJobContext) => Promise<T>
  ): Promise<T> {
    const state: JobState = {
      session,
      job: id,
      kind,
      state: 'running',
      stage: 'waiting',
      done: 0,
      total: 1,
      message: ''
    };
    const reporter = new Reporter(state, this._emit);
    const { signal } = controller;
    try {
      await Promise.resolve(); // the job is registered before it begins
      const result = await work({ signal, progress: (...args) => reporter.progress(...args) });
      reporter.finish('done');
      return result;
    } catch (thrown) {
      const error = BridgeError.from(thrown);
      if (signal.aborted || error.code === 'cancelled') {
        reporter.finish('cancelled');
        throw new BridgeError('cancelled', `The work (${kind}) was cancelled.`);
      }
      reporter.finish('failed', error.message);
      throw error;
    } finally {
      this._jobs.delete(key);
    }
  }

  private readonly _jobs = new Map<string, IJob>();
}

/** The promise, or `cancelled` as soon as the signal aborts. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new BridgeError('cancelled', 'The request was cancelled.'));
    if (signal.aborted) {
      promise.catch(() => undefined);
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/**
 * Runs work one after the other; work that is cancelled before its turn never begins. Work behind the line has its turn when nobody else
 * wants it, and gives way as soon as somebody comes.
 */
export class Line {
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

  /** `work` gets a signal that aborts with `signal`, and when it has to give way. */
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
      void before.then(finish); // those behind still wait for those before
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
