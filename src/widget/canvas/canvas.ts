/**
 * The canvas of a view: gives pointer and wheel to the tool in use or to the navigation, and says what the layers show. Image,
 * overlays and labels are on the lower layer; what follows the pointer is on the upper one, which is redrawn alone.
 */
import { IDisposable } from '@lumino/disposable';
import { Message } from '@lumino/messaging';
import { ISignal, Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { ISize, LABEL_TILE } from '../../shared';
import { IPoint, tilesIn, ViewTransform } from '../base/geometry';
import { trans } from '../base/translation';
import { Change, IRepaint } from '../state/change';
import { LabellerState } from '../state/labeller-state';
import { AltWheel } from './alt-wheel';
import { Gestures, IGestureTarget, IPointer } from './gestures';
import { KeyCursor } from './key-cursor';
import { ILayerPainter, LayerName, Layers } from './layers';
import { Divider } from './divider';
import { Minimap } from './minimap';
import { Navigation } from './navigation';
import { Painter } from './painter';
import { watchPens } from './pen-watch';
import { ScaleBar } from './scale-bar';
import { IHover, kindOf, purposeOf } from './pointer-events';
import { SliceWheel } from './slice-wheel';
import { SuggestionPainter } from './suggestion-painter';
import { ToolInUse } from './tool-in-use';
import { currentTool, IToolEvent, IToolHandler } from './tools';

/** The canvas of one view of a labeller. */
export class CanvasView extends Widget {
  constructor(options: CanvasView.IOptions) {
    super();
    this._state = options.state;
    this._slice = options.state.slice;
    const { image } = options.state.parts!;
    this._image = image;
    this.navigation = new Navigation({ image, settings: options.state.settings, hasFocus: options.hasFocus });
    this._painter = new Painter(options.state, this.view);
    this._suggestion = new SuggestionPainter(options.state, this.view);
    this.addClass('sambalab-canvas');
    this.node.dataset['testid'] = 'sambalab-canvas';
    this._layers = new Layers({ node: this.node, image, navigation: this.navigation, painter: this._layerPainter });
    this._tools = new ToolInUse({ state: options.state, view: this.view, redraw: () => this.redraw('top') });
    this.cursor = new KeyCursor({
      state: options.state,
      navigation: this.navigation,
      tools: this._tools,
      busy: () => this._gestures.does !== null,
      hovered: at => this._hovered.emit(at),
      redraw: () => this.redraw('top')
    });
    this._divider = new Divider(options.state);
    this._minimap = new Minimap({ state: options.state, navigation: this.navigation, image });
    this.node.append(this.cursor.node, this._scaleBar.node, this._divider.node, this._minimap.node);
    const { top } = this._layers;
    top.setAttribute('role', 'img');
    top.setAttribute('aria-label', trans.__('Image of %1 rows and %2 columns, with labels', image.rows, image.columns));
    this.navigation.moved.connect(() => this.redraw('both'), this);
    this.navigation.zoomed.connect(() => this._tellView(), this);
    options.state.changed.connect(this._onState, this);
    options.state.repaint.connect(this._onRepaint, this);
    this._setCursor();
  }

  /** Moves the view. */
  readonly navigation: Navigation;

  /** The cross-hair for the keyboard. */
  readonly cursor: KeyCursor;

  /** Where the image is on the canvas. */
  get view(): ViewTransform {
    return this.navigation.view;
  }

  /** The handler of pointer and keys: of the tool that is pressed, else of the tool in use. */
  get handler(): IToolHandler {
    return this._tools.handler;
  }

  /** Emits the pixel under the pointer; null outside the image. */
  get hovered(): ISignal<this, IHover | null> {
    return this._hovered;
  }

  /** Whether the pointer is over the image. */
  get underPointer(): boolean {
    return this.node.matches(':hover');
  }

  /** The longest time that drawing the lower layer took, in milliseconds. */
  get longestDraw(): number {
    return this._layers.longestDraw;
  }

  /** Whether to draw the image alone, without overlays, labels and suggestion. */
  set hideOverlays(hide: boolean) {
    if (hide !== this._hideOverlays) {
      this._hideOverlays = hide;
      this.redraw('both');
    }
  }

  /** Whether it is as high as its parent; else as the image needs. */
  set fills(fills: boolean) {
    this._layers.fills = fills;
  }

  /** Whether dragging moves the image. */
  set panning(panning: boolean) {
    this._panning = panning;
    this._setCursor();
  }

  /** Where a place of the window is on the canvas, in screen coordinates. */
  toScreen(place: IPoint): IPoint {
    return this._layers.toScreen(place);
  }

  /** Where a place on the canvas is in the window. */
  toWindow(place: IPoint): IPoint {
    return this._layers.toWindow(place);
  }

  /** Draw layers again with the next frame. */
  redraw(layer: LayerName): void {
    this._layers.redraw(layer);
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._state.live.show(this, 0, null);
    this._unwatch();
    this._state.changed.disconnect(this._onState, this);
    this._state.repaint.disconnect(this._onRepaint, this);
    this._layers.dispose();
    this.cursor.dispose();
    this.navigation.dispose();
    Signal.clearData(this);
    super.dispose();
  }

  handleEvent(event: Event): void {
    switch (event.type) {
      case 'pointerdown':
        this._onPointerDown(event as PointerEvent);
        break;
      case 'pointermove':
        this._onPointerMove(event as PointerEvent);
        break;
      case 'pointerup':
        this._gestures.up(this._pointer(event as PointerEvent));
        break;
      case 'pointercancel':
      case 'lostpointercapture': // follows pointerup too, when the gesture is over
        this._gestures.cancel(this._pointer(event as PointerEvent));
        break;
      case 'pointerleave':
        if (!this._gestures.does && kindOf(event as PointerEvent) !== 'touch') {
          this._leave();
        }
        break;
      case 'dblclick':
        this.handler.finish?.();
        break;
      case 'contextmenu':
        event.preventDefault();
        event.stopPropagation();
        break;
      case 'wheel':
        if (!this._altWheel.turn(event as WheelEvent)) {
          this._onWheel(event as WheelEvent);
        }
        break;
      default:
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    for (const type of EVENTS) {
      this.node.addEventListener(type, this, type === 'wheel' ? { passive: false } : {});
    }
    this._pens = watchPens((where, time) => this._gestures.pen(where, time));
    this._resizes = new ResizeObserver(() => this._layers.fit());
    this._resizes.observe(this.node);
    // A browser may blank a canvas that has been out of sight for long.
    this._sights = new IntersectionObserver(entries => {
      this._inSight = entries[entries.length - 1]!.isIntersecting;
      this._tellView();
      if (this._inSight) {
        this.redraw('both');
      }
    });
    this._sights.observe(this.node);
    this._layers.fit();
  }

  protected override onBeforeDetach(message: Message): void {
    this._unwatch();
    super.onBeforeDetach(message);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._layers.fit();
    this.redraw('both');
  }

  private _unwatch(): void {
    this._gestures.end();
    this._pens?.dispose();
    for (const type of EVENTS) {
      this.node.removeEventListener(type, this);
    }
    this._resizes?.disconnect();
    this._sights?.disconnect();
    this._layers.pause();
  }

  /** Tell the sidecar what is in view: live segmentation begins there. */
  private _tellView(): void {
    const { live, slice, direction } = this._state;
    live.show(this, slice, this._inSight && direction === 'xy' ? this.view.visible() : null);
  }

  private _onState(_: LabellerState, change: Change): void {
    if (change === 'choice') {
      if (this._state.slice !== this._slice) {
        this._slice = this._state.slice;
        this.handler.stepped?.();
      }
      this._tools.follow();
      this._setCursor();
      this._tellView();
    }
    if (change === 'display') {
      this._divider.refresh();
    }
    if (change !== 'status' && change !== 'stroke') {
      this.redraw(change === 'top' ? 'top' : 'both');
    }
  }

  private _onRepaint(_: LabellerState, repaint: IRepaint): void {
    const area = this._painter.invalidate(repaint);
    if (area) {
      this._layers.redrawArea(area);
    } else if (repaint.area) {
      this.redraw('both');
    }
  }

  private _setCursor(): void {
    const moves = this._gestures.does === 'pan' || this._gestures.does === 'pinch';
    this._layers.top.style.cursor = moves ? 'grabbing' : this._panning ? 'grab' : this._tools.cursor;
  }

  private _screen(event: MouseEvent): IPoint {
    return this.toScreen({ x: event.clientX, y: event.clientY });
  }

  private _pointer(event: PointerEvent): IPointer {
    const { pointerId: id, altKey, shiftKey, timeStamp: time } = event;
    const accelKey = event.ctrlKey || event.metaKey;
    return { id, kind: kindOf(event), at: this._screen(event), altKey, shiftKey, accelKey, time };
  }

  private _toolEvent({ at, ...rest }: IPointer): IToolEvent {
    return { image: this.view.toImage(at), ...rest };
  }

  private _onWheel(event: WheelEvent): void {
    const stack = (this._state.parts?.slices ?? 1) > 1;
    const steps = stack && this.navigation.takesWheel ? this._sliceWheel.steps(event) : null;
    if (steps === null) {
      this.navigation.wheel(event, this._screen(event));
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this._state.step(steps);
  }

  private _onPointerDown(event: PointerEvent): void {
    const purpose = purposeOf(event, this._panning || this._tools.pans);
    if (purpose === 'other') {
      if (!this._gestures.does) {
        event.preventDefault();
        this.handler.secondaryPress?.(this._toolEvent(this._pointer(event)));
      }
      return;
    }
    this.cursor.release(); // the pointer takes over
    if (purpose && this._gestures.down(this._pointer(event), purpose)) {
      event.preventDefault();
      this._capture(event.pointerId);
    }
  }

  /** Get the pointer's events until it is lifted, wherever it goes. */
  private _capture(id: number): void {
    try {
      this._layers.top.setPointerCapture?.(id);
    } catch {
      // It was lifted before this event was handled; its pointerup comes next.
    }
  }

  private _onPointerMove(event: PointerEvent): void {
    const pointer = this._pointer(event);
    if (this._gestures.move(pointer)) {
      return;
    }
    if (this._gestures.draws(event.pointerId)) {
      const all = event.getCoalescedEvents?.() ?? [];
      const parts = all.length > 0 ? all.map(part => this._pointer(part)) : [pointer];
      this._hover(pointer.at); // last: what it writes on the page would make asking for places slow
      this.handler.drag?.(parts.map(part => this._toolEvent(part)));
    } else if (!this._gestures.does && pointer.kind !== 'touch') {
      this._hover(pointer.at);
      this.handler.hover?.(this._toolEvent(pointer));
    }
  }

  private _hover(at: IPoint): void {
    const image = this.view.toImage(at);
    const { rows, columns } = this._image;
    const inside = image.x >= 0 && image.y >= 0 && image.x < columns && image.y < rows;
    this._hovered.emit(inside ? { row: Math.floor(image.y), column: Math.floor(image.x) } : null);
  }

  private _release(pointer: IPointer): void {
    if (this._tools.release(this._toolEvent(pointer))) {
      this._hovered.emit(null);
    }
    this._setCursor();
  }

  private _abort(): void {
    this._tools.abort();
    this._hovered.emit(null);
    this._setCursor();
  }

  /** Nothing is over the image any more. */
  private _leave(): void {
    this.handler.leave?.();
    this._hovered.emit(null);
  }

  private readonly _state: LabellerState;
  private readonly _image: ISize;
  private readonly _painter: Painter;
  private readonly _suggestion: SuggestionPainter;
  private readonly _scaleBar = new ScaleBar();
  private readonly _divider: Divider;
  private readonly _minimap: Minimap;
  private readonly _layers: Layers;
  private readonly _tools: ToolInUse;
  private readonly _hovered = new Signal<this, IHover | null>(this);
  private readonly _altWheel = new AltWheel({
    used: () => {
      const { turned } = currentTool(this._state);
      return turned && (steps => turned(this._state, steps));
    }
  });
  private readonly _gestures = new Gestures({
    press: (pointer, purpose) => this._tools.press(this._toolEvent(pointer), purpose),
    release: pointer => this._release(pointer),
    abort: () => this._abort(),
    pan: (from, to) => this.navigation.pan(from, to),
    pinch: (from, to) => this.navigation.pinch(from, to),
    changed: () => this._setCursor()
  } satisfies IGestureTarget);
  private readonly _layerPainter: ILayerPainter = {
    base: (context, ratio, area) => {
      const complete = this._painter.base(context, ratio, { area, hideOverlays: this._hideOverlays });
      if (area) {
        return complete;
      }
      const { session, settings } = this._state;
      const pixelSize = settings.values.scaleBar ? session?.image.pixelSize : null;
      this._scaleBar.show(pixelSize, this.view.scale, this.view.width);
      this._minimap.draw(ratio);
      return complete;
    },
    top: (context, ratio) => {
      if (!this._hideOverlays) {
        this._painter.mark(context);
        this._suggestion.paint(context, ratio);
      }
      this.handler.paint?.(context, this.view);
      this.cursor.paint(context);
    },
    drawn: () => {
      const { parts, times, slice } = this._state;
      times.drawn(() => parts?.segmentation.labelsVersion(slice, tilesIn(this.view.visible(), LABEL_TILE)) ?? -1);
    }
  };
  private readonly _sliceWheel = new SliceWheel();
  private _slice: number;
  private _panning = false;
  private _hideOverlays = false;
  private _pens: IDisposable | null = null;
  private _resizes: ResizeObserver | null = null;
  private _sights: IntersectionObserver | null = null;
  private _inSight = true;
}

const EVENTS = [
  'pointerdown',
  'pointermove',
  'pointerup',
  'pointercancel',
  'lostpointercapture',
  'pointerleave',
  'dblclick',
  'contextmenu',
  'wheel'
] as const;

/** The namespace for {@link CanvasView}. */
export namespace CanvasView {
  export interface IOptions {
    /** Its session must be known. */
    state: LabellerState;
    /** Whether the keyboard focus is in the labeller. */
    hasFocus(): boolean;
  }
}
