/**
 * Alt and the wheel change the size of the brush: Ctrl and the wheel zoom, as a pinch on a touchpad does, and Shift and the wheel are for
 * slices. A touchpad sends many small turns, which add up to steps.
 */
import { nextBrushSize, Settings } from '../base/settings';

/** Pixels of the wheel that make a step; a notch of a mouse wheel has about 100. */
const STEP = 50;
/** Steps that one event makes at most. */
const STEPS_MAX = 3;

export class BrushWheel {
  constructor(
    private readonly _options: {
      settings(): Settings;
      /** Whether the tool in use has a size. */
      sizes(): boolean;
    }
  ) {}

  /** Take a turn of the wheel. Returns whether it was for the brush. */
  turn(event: WheelEvent): boolean {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || !this._options.sizes()) {
      return false;
    }
    event.preventDefault(); // some browsers go back in the history
    event.stopPropagation();
    const settings = this._options.settings();
    this._turned += event.deltaY * (event.deltaMode === 0 ? 1 : STEP);
    const steps = Math.min(Math.trunc(Math.abs(this._turned) / STEP), STEPS_MAX);
    if (steps > 0) {
      const direction = this._turned < 0 ? 1 : -1;
      this._turned = 0;
      let { brushSize } = settings.values;
      for (let n = 0; n < steps; n++) {
        brushSize = nextBrushSize(brushSize, direction, false);
      }
      settings.set({ brushSize });
    }
    return true;
  }

  private _turned = 0;
}
