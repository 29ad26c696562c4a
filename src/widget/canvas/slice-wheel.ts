/** Turns Shift-wheel into steps through a stack. */

/** A turn of this many pixels is one step: less than a notch of any mouse wheel. Smaller turns, of touchpads, are added up. */
const STEP = 40;
/** A notch of a mouse wheel, at most. Several that come as one event are several steps. */
const NOTCH = 120;
/** Pixels of a line and of a page, for browsers that count these. */
const UNITS = [1, 20, 400];

/** Counts the steps of one view. */
export class SliceWheel {
  /** The steps of a turn, on if positive and back if negative; null if it does not turn slices. */
  steps(
    event: Pick<WheelEvent, 'deltaX' | 'deltaY' | 'deltaMode' | 'shiftKey' | 'ctrlKey' | 'metaKey'>
  ): number | null {
    if (!event.shiftKey || event.ctrlKey || event.metaKey) {
      this._turned = 0;
      return null;
    }
    // With Shift, most browsers report a turn as a horizontal one.
    const turn = (event.deltaY || event.deltaX) * (UNITS[event.deltaMode] ?? 1);
    this._turned = Math.sign(turn) === Math.sign(this._turned) ? this._turned + turn : turn;
    if (Math.abs(this._turned) < STEP) {
      return 0;
    }
    const steps = Math.sign(this._turned) * Math.max(1, Math.floor(Math.abs(this._turned) / NOTCH));
    this._turned = 0;
    return steps;
  }

  /** Pixels turned since the last step. */
  private _turned = 0;
}
