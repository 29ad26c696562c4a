import { EventParams } from '../../../src/shared/protocol';

/** The content of a `job` event. */
export type JobState = EventParams<'job'>;

/** Least time between two progress events of a job, in milliseconds. */
const PROGRESS_MS = 100;

/** Turns the progress of one job into `job` events: at most one in {@link PROGRESS_MS}, the last one at once. */
export class Reporter {
  /** Emits `state` at once. */
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
    const wait = this._told + PROGRESS_MS - performance.now();
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
