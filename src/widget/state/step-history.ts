/** The list of the session's steps, as the history section shows it. Undo itself goes through the queue of patches, in their order. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { BridgeError, HistoryStep } from '../../shared';
import { ISessionLink } from '../base/session-link';

export class StepHistory implements IDisposable {
  constructor(options: { link: ISessionLink }) {
    this._link = options.link;
  }

  /** Emits when a value below changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** All steps, the oldest first. */
  get steps(): readonly HistoryStep[] {
    return this._steps;
  }

  /** How many of the steps are done; the rest are undone. */
  get position(): number {
    return this._position;
  }

  /** Why the list could not be fetched; null if it could. */
  get error(): string | null {
    return this._error;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Fetch the list. Of several calls, the last one counts. */
  async fetch(): Promise<void> {
    const request = ++this._requests;
    try {
      const { result } = await this._link.request('history.list', { session: this._link.session });
      if (request !== this._requests || this._disposed) {
        return;
      }
      [this._steps, this._position, this._error] = [result.steps, result.position, null];
    } catch (reason) {
      const error = BridgeError.from(reason);
      if (request !== this._requests || this._disposed || error.code === 'disconnected') {
        return;
      }
      this._error = error.message;
    }
    this._changed.emit();
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  private readonly _link: ISessionLink;
  private readonly _changed = new Signal<this, void>(this);
  private _steps: readonly HistoryStep[] = [];
  private _position = 0;
  private _error: string | null = null;
  private _requests = 0;
  private _disposed = false;
}
