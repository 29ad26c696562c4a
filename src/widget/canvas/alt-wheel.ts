/**
 * Alt and the wheel change the size of the brush, or what else the tool in use gives them: Ctrl and the wheel zoom, as a pinch on a touchpad does,
 * and Shift and the wheel are for slices. A touchpad sends many small turns, which add up to steps.
 */

/** Pixels of the wheel that make a step; a notch of a mouse wheel has about 100. */
const STEP = 50;
/** Steps that one event makes at most. */
const STEPS_MAX = 3;

export class AltWheel {
  constructor(
    private readonly _options: {
      /** What the tool in use does with steps, up if positive; undefined if it does nothing. */
      used(): ((steps: number) => void) | undefined;
    }
  ) {}

  /** Take a turn of the wheel. Returns whether it was for the tool. */
  turn(event: WheelEvent): boolean {
    const use = this._options.used();
    if (!use || !event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
      return false;
    }
    event.preventDefault(); // some browsers go back in the history
    event.stopPropagation();
    this._turned += event.deltaY * (event.deltaMode === 0 ? 1 : STEP);
    const steps = Math.min(Math.trunc(Math.abs(this._turned) / STEP), STEPS_MAX);
    if (steps > 0) {
      use(this._turned < 0 ? steps : -steps);
      this._turned = 0;
    }
    return true;
  }

  private _turned = 0;
}
