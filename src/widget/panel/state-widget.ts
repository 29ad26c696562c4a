/** Base class of the widgets that show a part of the labeller's state and follow its changes. */
import { Widget } from '@lumino/widgets';
import { Change } from '../state/change';
import { LabellerState } from '../state/labeller-state';

/** Calls {@link refresh} for the changes that it follows. A subclass calls `refresh` once at the end of its constructor. */
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

  /** Show the current state. */
  protected abstract refresh(): void;

  private _onChanged(_: LabellerState, change: Change): void {
    if (this._follows.includes(change)) {
      this.refresh();
    }
  }
}
