/** The class sets that the user has saved, for all sessions. */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { ClassSet, LabelClass, SessionState } from '../../shared';
import { ISessionLink } from '../base/session-link';

/** Lists, saves and removes class sets. */
export class ClassSets implements IDisposable {
  constructor(options: ClassSets.IOptions) {
    this._link = options.link;
  }

  /** Emits when {@link sets} changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The sets by name; empty until {@link fetch} has asked for them. */
  get sets(): readonly ClassSet[] {
    return this._sets;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Ask the sidecar for the sets. Rejects with BridgeError. */
  async fetch(): Promise<void> {
    this._sets = (await this._link.request('class-sets.list', {})).result.sets;
    this._changed.emit();
  }

  /** Save classes under a name, in place of a set of this name. Rejects with BridgeError. */
  async save(name: string, classes: readonly LabelClass[]): Promise<void> {
    await this._link.request('class-sets.save', {
      name,
      classes: classes.map(({ name, color }) => ({ name, color }))
    });
    await this.fetch();
  }

  /** Forget a set. Rejects with BridgeError. */
  async remove(name: string): Promise<void> {
    await this._link.request('class-sets.remove', { name });
    await this.fetch();
  }

  /** Give the session the names and colours of a set. Resolves to the session. Rejects with BridgeError. */
  async use(name: string): Promise<SessionState> {
    return (await this._link.request('class-sets.use', { session: this._link.session, name })).result;
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  private readonly _link: ISessionLink;
  private readonly _changed = new Signal<this, void>(this);
  private _sets: readonly ClassSet[] = [];
  private _disposed = false;
}

/** The namespace for {@link ClassSets}. */
export namespace ClassSets {
  export interface IOptions {
    link: ISessionLink;
  }
}
