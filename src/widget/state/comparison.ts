/** Comparing the segmentation with the one before the last training: beside each other along a line, or in turn. */
import { ISignal, Signal } from '@lumino/signaling';

/** How the segmentations of one image are compared. */
export class Comparison {
  /** Emits when anything changes. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Where the line is, as a part of the view's width: left of it is the segmentation before. Null if there is no line. */
  get line(): number | null {
    return this._line;
  }

  set line(line: number | null) {
    const next = line === null ? null : Math.min(Math.max(line, 0), 1);
    if (next !== this._line) {
      this._line = next;
      this._changed.emit();
    }
  }

  /** Whether the segmentation before is shown alone, while a key is held down. */
  get before(): boolean {
    return this._before;
  }

  set before(before: boolean) {
    if (before !== this._before) {
      this._before = before;
      this._changed.emit();
    }
  }

  /** Show the line in the middle, or take it away. */
  toggle(): void {
    this.line = this._line === null ? 0.5 : null;
  }

  /** Nobody follows any more. */
  dispose(): void {
    Signal.clearData(this);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _line: number | null = null;
  private _before = false;
}
