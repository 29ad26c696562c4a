/** Labels on disk beside those that are shown: backups of this session, and other sessions whose labels would fit. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { Backup, BridgeError, RelatedSession, SessionState, SessionSummary } from '../../shared';
import { ISessionLink } from '../base/session-link';

export class StoredLabels implements IDisposable {
  constructor(options: StoredLabels.IOptions) {
    this._link = options.link;
  }

  /** Emits when a value below changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Labels of this session that were set aside, the latest first; null until they are known. */
  get backups(): readonly Backup[] | null {
    return this._backups;
  }

  /** Other sessions with labels of an image of this size, the latest first. */
  get sessions(): readonly SessionSummary[] {
    return this._sessions;
  }

  /** Sessions whose labels the user may be looking for, the likeliest first. Empty until known, and once this session had labels. */
  get related(): readonly RelatedSession[] {
    return this._hadLabels ? [] : this._related;
  }

  /** Why {@link fetch} failed; null if it did not. */
  get error(): string | null {
    return this._error;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Follow the session's labels. The first time, ask for related sessions if there are none. */
  take({ labels }: SessionState): void {
    if (this._hadLabels) {
      return;
    }
    this._hadLabels = Object.values(labels.counts).some(count => count > 0);
    if (this._hadLabels) {
      this._changed.emit();
    } else if (!this._asked) {
      this._asked = true;
      void this._ask();
    }
  }

  /** Fetch {@link backups} and {@link sessions}. */
  async fetch({ session, image }: SessionState): Promise<void> {
    try {
      const [{ result: own }, { result: all }] = await Promise.all([
        this._link.request('session.backups', { session }),
        this._link.request('session.list', {})
      ]);
      const size = image.shape.slice(0, 3).join();
      this._backups = own.backups;
      this._sessions = all.sessions.filter(
        other => other.session !== session && other.labelled > 0 && other.image.shape.slice(0, 3).join() === size
      );
      this._error = null;
    } catch (error) {
      this._error = BridgeError.from(error).message;
    }
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  /**
   * Restore labels and classes of a backup; the present labels are set aside.
   *
   * @throws BridgeError if the sidecar refuses
   */
  async restore(backup: string): Promise<SessionState> {
    const { result } = await this._link.request('session.restore', { session: this._link.session, backup });
    return result;
  }

  /**
   * Copy labels and classes of another session into this one; the present labels are set aside.
   *
   * @throws BridgeError if the sidecar refuses
   */
  async copy(from: string): Promise<SessionState> {
    const { result } = await this._link.request('labels.take', { session: this._link.session, from });
    return result;
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  private async _ask(): Promise<void> {
    try {
      const { result } = await this._link.request('session.related', { session: this._link.session });
      this._related = result.sessions;
      if (!this._disposed) {
        this._changed.emit();
      }
    } catch {
      this._asked = false; // disconnected: the next state of the session asks again
    }
  }

  private readonly _link: ISessionLink;
  private readonly _changed = new Signal<this, void>(this);
  private _backups: readonly Backup[] | null = null;
  private _sessions: readonly SessionSummary[] = [];
  private _related: readonly RelatedSession[] = [];
  private _asked = false;
  private _hadLabels = false;
  private _error: string | null = null;
  private _disposed = false;
}

/** The namespace for {@link StoredLabels}. */
export namespace StoredLabels {
  export interface IOptions {
    link: ISessionLink;
  }
}
