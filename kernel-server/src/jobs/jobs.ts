import { BridgeError } from '../../../src/shared/errors';
import { IJobContext } from './job-context';
import { JobState, Reporter } from './reporter';
import { SharedWork } from './shared-work';

/** What a job does, and for which sessions. */
export interface IJobDescription {
  /** Callers that name the same key at the same time share one job. */
  key: string;
  /** The id of the request that starts it. */
  id: string;
  session: string;
  /** Further sessions that it works on. */
  others?: readonly string[];
  kind: JobState['kind'];
  /** Nobody waits for the result: the job is not worth finishing when no page shows the session, or no peer attends it. */
  ahead?: 'page' | 'session';
  /** See {@link IJobContext.urgency}; by default that of a job which is ahead, or none. */
  urgency?: IJobContext['urgency'];
}

/** The reason of the signal of a job whose labels were set aside: what it has made so far is not kept. */
export const SET_ASIDE = new BridgeError(
  'cancelled',
  'The training was cancelled: a fresh start has set aside the labels that it learned from.'
);

/** The jobs that run: {@link SharedWork} whose progress goes to the peers of a session as `job` events. */
export class Jobs {
  /** `emit` sends a `job` event. */
  constructor(private readonly _emit: (state: JobState) => void) {}

  /** How many jobs run. */
  get size(): number {
    return this._work.size;
  }

  /** Whether a job of a session runs, not counting those that are ahead of need. */
  runs(session: string): boolean {
    return [...this._started.values()].some(
      job => !job.ahead && (job.session === session || job.others?.includes(session))
    );
  }

  /**
   * Run a job, or join the one that runs under its key. A caller leaves when its signal aborts; the job is cancelled when all callers
   * have left.
   */
  run<T>(description: IJobDescription, signal: AbortSignal, work: (context: IJobContext) => Promise<T>): Promise<T> {
    const context = { signal, progress: () => undefined };
    return this._work.run(description.key, context, shared => this._run(description, shared.signal, work));
  }

  /** Cancel the job that the request of this id started, for all its callers. @returns whether there was one */
  cancel(id: string): boolean {
    return [...this._started.values()].some(job => job.id === id && this._work.cancel(job.key));
  }

  /** Whether a job runs under a key. */
  isRunning(key: string): boolean {
    return this._started.has(key);
  }

  /** Cancel the jobs of a session that are ahead of need; `of`: only of a page's. */
  cancelAhead(session: string, of?: 'page'): void {
    const ahead = [...this._started.values()].filter(
      job => job.session === session && job.ahead && (!of || job.ahead === of)
    );
    for (const { key } of ahead) {
      this._work.cancel(key);
    }
  }

  /** The labels of a session are about to be set aside: cancel what learns from them, and wait until it has ended. */
  async endLearning(session: string): Promise<void> {
    const learning = [...this._started.values()].filter(
      job => (job.kind === 'train' || job.kind === 'live') && [job.session, ...(job.others ?? [])].includes(session)
    );
    await Promise.all(learning.map(({ key }) => this._work.end(key, SET_ASIDE)));
  }

  /** Cancel all jobs and wait until they have ended. */
  stop(): Promise<void> {
    return this._work.stop();
  }

  private async _run<T>(
    description: IJobDescription,
    signal: AbortSignal,
    work: (context: IJobContext) => Promise<T>
  ): Promise<T> {
    const { key, id, session, kind, ahead } = description;
    this._started.set(key, description);
    const reporter = new Reporter(
      { session, job: id, kind, state: 'running', stage: 'waiting', done: 0, total: 1, message: '' },
      this._emit
    );
    try {
      const urgency = description.urgency ?? (ahead ? 'ahead' : undefined);
      const result = await work({ signal, urgency, progress: (...args) => reporter.progress(...args) });
      reporter.finish('done');
      return result;
    } catch (thrown) {
      const error = BridgeError.from(thrown);
      if (signal.aborted || error.code === 'cancelled') {
        reporter.finish('cancelled');
        throw signal.reason === SET_ASIDE
          ? SET_ASIDE
          : new BridgeError('cancelled', `The work (${kind}) was cancelled.`);
      }
      reporter.finish('failed', error.message);
      throw error;
    } finally {
      this._started.delete(key);
    }
  }

  private readonly _work = new SharedWork();
  /** The jobs that run, by key. */
  private readonly _started = new Map<string, IJobDescription>();
}
