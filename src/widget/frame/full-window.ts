/**
 * Shows a labeller over the whole window. It becomes a popover, which the browser lays over the page wherever the element is in it: an
 * ancestor that clips or scrolls, as a notebook's cells do, does not matter. Its place in the notebook is kept free meanwhile.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

/** The full window of one labeller. */
export class FullWindow implements IDisposable {
  constructor(private readonly _node: HTMLElement) {}

  /** Emits when it is entered or left. */
  get changed(): ISignal<this, boolean> {
    return this._changed;
  }

  get on(): boolean {
    return this._on;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  toggle(): void {
    const node = this._node;
    const place = node.parentElement;
    if (this._on) {
      node.hidePopover?.();
      node.removeAttribute('popover');
      if (place) {
        place.style.minHeight = this._minHeight;
      }
    } else {
      if (place) {
        this._minHeight = place.style.minHeight;
        place.style.minHeight = `${node.offsetHeight}px`;
      }
      node.setAttribute('popover', 'manual');
      node.showPopover?.();
    }
    this._on = !this._on;
    node.classList.toggle('sambalab-full', this._on);
    node.focus({ preventScroll: true });
    this._changed.emit(this._on);
  }

  dispose(): void {
    if (!this._disposed) {
      this._disposed = true;
      if (this._on) {
        this.toggle();
      }
      Signal.clearData(this);
    }
  }

  private readonly _changed = new Signal<this, boolean>(this);
  private _on = false;
  private _minHeight = '';
  private _disposed = false;
}
