/** Sessions whose labels the user may be looking for, while this session has none. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { RelatedSession, SessionState } from '../../shared';
import { ISessionLink } from '../base/session-link';

export class RelatedSessions implements IDisposable {
  constructor(options: RelatedSessions.IOptions) {
    this._link = options.link;
  }

  /** Emits when {@link list} changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The likeliest first. Empty while they are not known, once this session had labels, or after {@link dismiss}. */
  get list(): readonly RelatedSession[] {
    return this._hadLabels || this._dismissed ? [] : this._list;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Follow the session's labels. The first time, ask for related sessions if there are none. */
  take(session: SessionState): void {
    if (!this._hadLabels && Object.values(session.labels.counts).some(count => count > 0)) {
      this._hadLabels = true;
      this._changed.emit();
    }
    if (!this._hadLabels && !this._asked) {
      this._asked = true;
      void this._ask();
    }
  }

  /** Show them no more. */
  dismiss(): void {
    this._dismissed = true;
    this._changed.emit();
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  private async _ask(): Promise<void> {
    try {
      const { result } = await this._link.request('session.related', { session: this._link.session });
      if (!this._disposed) {
        this._list = result.sessions;
        this._changed.emit();
      }
    } catch {
      this._asked = false; // disconnected: the next state of the session asks again
    }
  }

  private readonly _link: ISessionLink;
  private readonly _changed = new Signal<this, void>(this);
  private _list: readonly RelatedSession[] = [];
  private _hadLabels = false;
  private _asked = false;
  private _dismissed = false;
  private _disposed = false;
}

/** The namespace for {@link RelatedSessions}. */
export namespace RelatedSessions {
  export interface IOptions {
    link: ISessionLink;
  }
}
