/**
 * How the user moves about the image: fit, zoom, pan, pinch, wheel. A command that moves the view is a method here; its key is in
 * `commands/index.ts`, its button in `frame/toolbar.ts`.
 */
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { ISize, Rect } from '../../shared';
import { IPoint, ViewTransform } from '../base/geometry';
import { Settings } from '../base/settings';

/** Moves the view of one canvas. */
export class Navigation implements IDisposable {
  constructor(options: Navigation.IOptions) {
    this.view = new ViewTransform(options.image);
    this._options = options;
  }

  /** Where the image is on the canvas. */
  readonly view: ViewTransform;

  /** Emits when the image must be drawn elsewhere or at another scale. */
  get moved(): ISignal<this, void> {
    return this._moved;
  }

  /** Emits the scale when the view was moved or resized. */
  get zoomed(): ISignal<this, number> {
    return this._zoomed;
  }

  /** Emits when the wheel turned without zooming, for example because the labeller has no focus. */
  get wheelIgnored(): ISignal<this, void> {
    return this._wheelIgnored;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Show the whole image. */
  showAll(): void {
    this.view.fit();
    this._tell();
  }

  /** Bring a region into view, large enough to draw in it. */
  lookAt(region: Rect): void {
    if (!this._disposed && this.view.show(region)) {
      this._tell();
    }
  }

  /** Zoom about the middle of the canvas. */
  zoom(factor: number): void {
    this.view.zoomAt({ x: this.view.width / 2, y: this.view.height / 2 }, factor);
    this._tell();
  }

  /** Move the image with a pointer; points are in screen coordinates. */
  pan(from: IPoint, to: IPoint): void {
    this.view.panBy(to.x - from.x, to.y - from.y);
    this._tell();
  }

  /** Move and zoom the image with two fingers; points are in screen coordinates. */
  pinch(from: readonly [IPoint, IPoint], to: readonly [IPoint, IPoint]): void {
    this.view.pinch(from, to);
    this._tell();
  }

  /** Whether Shift-wheel turns slices; else it is left to the page, which scrolls sideways. */
  get takesWheel(): boolean {
    const { settings, hasFocus } = this._options;
    return settings.values.wheelZoom === 'always' || hasFocus();
  }

  /** The wheel turned at a point in screen coordinates: zoom there, or leave the event to the page. */
  wheel(event: WheelEvent, at: IPoint): void {
    const { settings, hasFocus } = this._options;
    const how = settings.values.wheelZoom;
    const zooms = event.ctrlKey || event.metaKey || how === 'always' || (how === 'focus' && hasFocus());
    if (!zooms) {
      this._wheelIgnored.emit();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.view.zoomAt(at, wheelFactor(event));
    this._tell();
  }

  /** The canvas has another size, in CSS pixels. Drawing it is up to the caller. */
  resize(width: number, height: number): void {
    this.view.resize(width, height);
    this._zoomed.emit(this.view.scale);
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  private _tell(): void {
    this._moved.emit();
    this._zoomed.emit(this.view.scale);
  }

  private readonly _options: Navigation.IOptions;
  private readonly _moved = new Signal<this, void>(this);
  private readonly _zoomed = new Signal<this, number>(this);
  private readonly _wheelIgnored = new Signal<this, void>(this);
  private _disposed = false;
}

/** The factor by which a turn of the wheel zooms. One event at most doubles the scale. */
function wheelFactor({ deltaY, deltaMode, ctrlKey }: WheelEvent): number {
  // Some browsers count lines or pages: convert to pixels.
  const pixels = deltaY * (deltaMode === 1 ? 20 : deltaMode === 2 ? 400 : 1);
  const speed = ctrlKey && Math.abs(pixels) < 20 ? 0.01 : 0.0025; // browsers report a pinch as small steps with Ctrl
  return Math.exp(Math.min(Math.max(-pixels * speed, -0.7), 0.7));
}

/** The namespace for {@link Navigation}. */
export namespace Navigation {
  export interface IOptions {
    image: ISize;
    settings: Settings;
    /** Whether the keyboard focus is in the labeller. */
    hasFocus(): boolean;
  }
}
