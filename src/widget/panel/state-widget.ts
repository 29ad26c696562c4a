/** What the small widgets have in common: each shows a part of the state and follows it as long as it exists. */
import { Widget } from '@lumino/widgets';
import { Change } from '../state/change';
import { LabellerState } from '../state/labeller-state';

/** Calls {@link refresh} for the changes that it follows. Whoever extends it calls `refresh` once its nodes are made. */
export abstract class StateWidget extends Widget {
  constructor(
    protected readonly _state: LabellerState,
    private readonly _follows: readonly Change[]
  ) {
    super();
    _state.changed.connect(this._onChanged, this);
  }

  override dispose(): void {
    this._state.changed.disconnect(this._onChanged, this);
    super.dispose();
  }

  /** Show the state as it is now. */
  protected abstract refresh(): void;

  private _onChanged(_: LabellerState, change: Change): void {
    if (this._follows.includes(change)) {
      this.refresh();
    }
  }
}
