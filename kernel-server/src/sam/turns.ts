/**
 * Who may use the encoder and the decoder of the SAM process: one job at a time, the most urgent first, of equally urgent ones the oldest. A job asks
 * between its steps whether a more urgent one waits, and then waits itself until that is done; what it has made so far it keeps.
 */

/** Resolves when it is the job's turn again. Rejects with its signal's reason when the job is cancelled. */
export type GiveWay = () => Promise<void>;

interface IJob {
  number: number;
  urgency: number;
  /** Called when its turn comes; null while it is its turn. */
  go: (() => void) | null;
}

export class Turns {
  /**
   * Do a job when its turn comes.
   *
   * @param urgency the smaller, the more urgent
   * @param work gets what it calls between its steps, and what changes its urgency
   * @throws what `work` throws; the signal's reason if that aborts while the job waits
   */
  async run<T>(
    urgency: number,
    signal: AbortSignal,
    work: (giveWay: GiveWay, become: (urgency: number) => void) => Promise<T>
  ): Promise<T> {
    const job: IJob = { number: this._jobs++, urgency, go: null };
    try {
      await this._wait(job, signal);
      const giveWay = async () => {
        signal.throwIfAborted();
        if ([...this._waiting].some(other => other.urgency < job.urgency)) {
          await this._wait(job, signal);
        }
      };
      return await work(giveWay, changed => (job.urgency = changed));
    } finally {
      this._leave(job);
    }
  }

  private async _wait(job: IJob, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const cancel = () => {
        this._leave(job);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', cancel, { once: true });
      job.go = () => {
        job.go = null;
        signal.removeEventListener('abort', cancel);
        resolve();
      };
      this._waiting.add(job);
      if (this._turn === job) {
        this._turn = null;
      }
      this._next();
    });
  }

  private _leave(job: IJob): void {
    this._waiting.delete(job);
    if (this._turn === job) {
      this._turn = null;
      this._next();
    }
  }

  private _next(): void {
    if (this._turn) {
      return;
    }
    const [next] = [...this._waiting].sort((a, b) => a.urgency - b.urgency || a.number - b.number);
    if (next) {
      this._waiting.delete(next);
      this._turn = next;
      next.go!();
    }
  }

  private readonly _waiting = new Set<IJob>();
  /** The job whose turn it is. */
  private _turn: IJob | null = null;
  private _jobs = 0;
}
