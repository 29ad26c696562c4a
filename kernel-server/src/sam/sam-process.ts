/** The sidecar's side of the SAM process: starts it, sends it jobs, stops it, and notices when it dies. */
import { ChildProcess, fork } from 'node:child_process';
import { BridgeError } from '../../../src/shared/errors';
import type { SamDevice } from '../../../src/shared/protocol';
import type { IJobContext } from '../jobs/job-context';
import type {
  SamJob,
  FromSamProcess,
  ISamStart,
  IEmbedResult,
  IReduceResult,
  ISimilarResult,
  ISuggestResult,
  ToSamProcess
} from './messages';
import { MALLOC } from './providers';

/** Characters of the process's standard error that are kept for the message about its death. */
const STDERR_CHARS = 4000;

/** Milliseconds to wait after the process's end for the rest of its standard error. */
const LAST_WORDS_MS = 200;

/** The process ended before the job did. */
export class SamProcessDied extends Error {
  constructor(
    /** How it ended, for people: "SIGKILL", "exit code 1". */
    readonly how: string,
    /** Where its encoder ran; null if that was not decided yet. */
    readonly device: SamDevice | null
  ) {
    super(`The SAM process died (${how}).`);
    this.name = 'SamProcessDied';
  }
}

interface IResults {
  embed: IEmbedResult;
  suggest: ISuggestResult;
  similar: ISimilarResult;
  reduce: IReduceResult;
}
type AnyResult = IResults[keyof IResults];
type ResultOf<J extends SamJob> = IResults[J['kind']];

interface IWaiting {
  context: IJobContext;
  onEmbedding: ((result: IEmbedResult) => void) | undefined;
  resolve(result: AnyResult): void;
  reject(error: Error): void;
}

/** One run of the SAM process. */
export class SamProcess {
  constructor(options: SamProcess.IOptions) {
    this._options = options;
    this._child = fork(options.path, [], {
      serialization: 'advanced',
      execArgv: [],
      env: { ...MALLOC, ...options.env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc']
    });
    this._child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this._stderr = (this._stderr + text).slice(-STDERR_CHARS);
    });
    this._child.on('message', message => this._onMessage(message as FromSamProcess));
    this._child.on('error', error => this._onEnd(error.message));
    this._child.on('exit', (code, signal) => {
      const end = () => this._onEnd(signal ?? `exit code ${code}`);
      // Standard error may still arrive after the end. (`close` is not emitted after `disconnect()`.)
      this._child.stderr?.once('close', end);
      setTimeout(end, LAST_WORDS_MS);
    });
    this._send(options.start);
  }

  get pid(): number | null {
    return this._ended ? null : (this._child.pid ?? null);
  }

  /** Where its encoder runs; null until that is known. */
  get device(): SamDevice | null {
    return this._device;
  }

  get isEnded(): boolean {
    return this._ended;
  }

  /** Number of unfinished jobs. */
  get jobs(): number {
    return this._waiting.size;
  }

  /**
   * Do a job.
   *
   * @param onEmbedding called with an embedding that is ready before the job is done
   * @throws SamProcessDied when the process ends before the job does; the process's BridgeError, or `cancelled`.
   */
  run<J extends SamJob>(
    job: J,
    context: IJobContext,
    onEmbedding?: (result: IEmbedResult) => void
  ): Promise<ResultOf<J>> {
    const { signal } = context;
    const id = this._jobs++;
    return new Promise<AnyResult>((resolve, reject) => {
      if (signal.aborted) {
        reject(new BridgeError('cancelled', 'The work was cancelled.'));
        return;
      }
      if (this._ended) {
        reject(new SamProcessDied(this._how, this._device));
        return;
      }
      const abort = () => {
        this._send({ kind: 'cancel', id });
        waiting.reject(new BridgeError('cancelled', 'The work was cancelled.'));
        // The process answers a cancelled job as well. If it does not answer in time, it is stuck.
        const grace = setTimeout(() => this._waiting.has(id) && this.kill(), this._options.graceMs);
        grace.unref();
      };
      signal.addEventListener('abort', abort, { once: true });
      const done = () => signal.removeEventListener('abort', abort);
      const waiting: IWaiting = {
        context,
        onEmbedding,
        resolve: result => (done(), resolve(result)),
        reject: error => (done(), reject(error))
      };
      this._waiting.set(id, waiting);
      this._watch();
      this._send({ kind: 'job', id, job, urgency: context.urgency });
    }) as Promise<ResultOf<J>>;
  }

  /** End it at once. Its jobs fail with {@link SamProcessDied}. */
  kill(): void {
    this._child.kill('SIGKILL');
  }

  /** Close the channel, upon which the process ends by itself. Resolves when it has ended. */
  async stop(): Promise<void> {
    if (this._ended) {
      return;
    }
    const gone = new Promise<void>(resolve => (this._gone = resolve));
    if (this._child.connected) {
      this._child.disconnect();
    }
    const timer = setTimeout(() => this.kill(), 1000);
    await gone;
    clearTimeout(timer);
  }

  private _send(message: ToSamProcess): void {
    if (this._child.connected) {
      // If sending fails, the process is ending, and `exit` follows.
      this._child.send(message, () => undefined);
    }
  }

  private _onMessage(message: FromSamProcess): void {
    this._watch();
    if (message.kind === 'device') {
      this._device = message.device;
      return;
    }
    const waiting = this._waiting.get(message.id);
    if (!waiting) {
      return;
    }
    if (message.kind === 'progress') {
      if (!waiting.context.signal.aborted) {
        waiting.context.progress(message.stage, message.done, message.total, message.message);
      }
      return;
    }
    if (message.kind === 'embedding') {
      if (!waiting.context.signal.aborted) {
        waiting.onEmbedding?.(message.result);
      }
      return;
    }
    this._waiting.delete(message.id);
    this._watch();
    if (message.kind === 'result') {
      waiting.resolve(message.result);
    } else {
      waiting.reject(new BridgeError(message.code, message.message));
    }
  }

  /** Kill a process that is silent for too long over its jobs: native code hangs. */
  private _watch(): void {
    clearTimeout(this._silence);
    if (this._waiting.size > 0 && !this._ended) {
      this._silence = setTimeout(() => {
        this._how = `it was silent for ${this._options.silenceMs / 1000} s`;
        this.kill();
      }, this._options.silenceMs);
      this._silence.unref();
    }
  }

  private _onEnd(how: string): void {
    if (this._ended) {
      return;
    }
    this._ended = true;
    clearTimeout(this._silence);
    const words = this._stderr
      .split('\n')
      .map(line => line.trim())
      .filter(line => /error|fatal|abort|assert/i.test(line));
    this._how ||= words.length > 0 ? `${how}: ${words[0]!.slice(0, 300)}` : how;
    const waiting = [...this._waiting.values()];
    this._waiting.clear();
    waiting.forEach(({ reject }) => reject(new SamProcessDied(this._how, this._device)));
    this._gone();
  }

  private readonly _options: SamProcess.IOptions;
  private readonly _child: ChildProcess;
  private readonly _waiting = new Map<number, IWaiting>();
  private _gone: () => void = () => undefined;
  private _silence: ReturnType<typeof setTimeout> | undefined;
  private _device: SamDevice | null = null;
  private _jobs = 0;
  private _stderr = '';
  private _how = '';
  private _ended = false;
}

/** The namespace for {@link SamProcess}. */
export namespace SamProcess {
  export interface IOptions {
    /** The bundle of `child-process.ts`. */
    path: string;
    env: NodeJS.ProcessEnv;
    start: ISamStart;
    /** Milliseconds that a cancelled job may go on before the process is killed. */
    graceMs: number;
    /** Milliseconds that the process may be silent over its jobs before it is killed. */
    silenceMs: number;
  }
}
