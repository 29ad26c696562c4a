/**
 * The canvas of a view: pointer, wheel, size, and two layers. Image, overlays and labels are on the lower layer; what follows
 * the pointer is on the upper one, which is redrawn alone.
 */
import { IDisposable } from '@lumino/disposable';
import { Message } from '@lumino/messaging';
import { ISignal, Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { LABEL_TILE, Rect } from '../../shared';
import { IPoint, tilesIn, ViewTransform } from '../base/geometry';
import { Change, IRepaint } from '../state/change';
import { LabellerState } from '../state/labeller-state';
import { Gestures, IGestureTarget, IPointer, PointerKind, Purpose } from './gestures';
import { Painter } from './painter';
import { watchPens } from './pen-watch';
import { currentTool, ERASER_END, findTool, ITool, IToolEvent, IToolHandler, TOOLS } from './tools';
import { trans } from '../base/translation';

/** The pixel under the pointer, for the status line. */
export interface IHover {
  row: number;
  column: number;
}

/** Least and largest height of the canvas in CSS pixels. */
const HEIGHT_MIN = 240;
const HEIGHT_MAX = 600;

/** Device pixels a CSS pixel at most, so that a view that the page enlarges much stays small in memory. */
const RATIO_MAX = 4;

/** The canvas of one view of a labeller. */
export class CanvasView extends Widget {
  constructor(options: CanvasView.IOptions) {
    super();
    this._state = options.state;
    this._hasFocus = options.hasFocus;
    const parts = options.state.parts!;
    this.view = new ViewTransform(parts.image);
    this._image = parts.image;
    this._painter = new Painter(options.state, this.view);
    const host = { state: options.state, view: this.view, redraw: () => this.redraw('top') };
    this._handlers = new Map(TOOLS.map(tool => [tool, tool.create(host)]));
    this._tool = currentTool(options.state);
    this.addClass('sambalab-canvas');
    this.node.dataset['testid'] = 'sambalab-canvas';
    for (const layer of [this._base, this._top]) {
      this.node.appendChild(layer);
    }
    this._top.setAttribute('role', 'img');
    this._top.setAttribute(
      'aria-label',
      trans.__('Image of %1 rows and %2 columns, with labels', parts.image.rows, parts.image.columns)
    );
    options.state.changed.connect(this._onState, this);
    options.state.repaint.connect(this._onRepaint, this);
    this._checkSettings();
    this._setCursor();
  }

  /** Where the image is on the canvas. */
  readonly view: ViewTransform;

  /** The handler of pointer and keys: of the tool that is pressed, else of the tool in use. */
  get handler(): IToolHandler {
    return this._pressed?.handler ?? this._handlers.get(this._tool)!;
  }

  /** Emits the pixel under the pointer; null outside the image. */
  get hovered(): ISignal<this, IHover | null> {
    return this._hovered;
  }

  /** Emits when the zoom changed. */
  get zoomed(): ISignal<this, number> {
    return this._zoomed;
  }

  /** Emits when the wheel turned without zooming, for example because the labeller has no focus. */
  get wheelIgnored(): ISignal<this, void> {
    return this._wheelIgnored;
  }

  /** Whether the pointer is over the image. */
  get underPointer(): boolean {
    return this.node.matches(':hover');
  }

  /** The longest time that drawing the lower layer took, in milliseconds. */
  get longestDraw(): number {
    return this._longest;
  }

  /** Whether to draw the image alone, without overlays, labels and suggestion. */
  set hideOverlays(hide: boolean) {
    if (hide !== this._hideOverlays) {
      this._hideOverlays = hide;
      this.redraw('both');
    }
  }

  /** Whether dragging moves the image. */
  set panning(panning: boolean) {
    this._panning = panning;
    this._setCursor();
  }

  /** Show the whole image. */
  showAll(): void {
    this.view.fit();
    this._onView();
  }

  /** Bring a region into view, large enough to draw in it. */
  lookAt(region: Rect): void {
    if (!this.isDisposed && this.view.show(region)) {
      this._onView();
    }
  }

  /** Zoom about the middle of the canvas. */
  zoom(factor: number): void {
    this.view.zoomAt({ x: this.view.width / 2, y: this.view.height / 2 }, factor);
    this._onView();
  }

  /** Where a place of the window is on the canvas, in screen coordinates. */
  toScreen({ x, y }: IPoint): IPoint {
    const { left, top, scale } = this._box();
    return { x: (x - left) / scale, y: (y - top) / scale };
  }

  /** Where a place on the canvas is in the window. */
  toWindow({ x, y }: IPoint): IPoint {
    const { left, top, scale } = this._box();
    return { x: left + x * scale, y: top + y * scale };
  }

  /** Draw layers again with the next frame. */
  redraw(layer: 'base' | 'top' | 'both'): void {
    this._dirtyBase ||= layer !== 'top';
    this._dirtyTop ||= layer !== 'base';
    if (this._frame === 0 && this.isAttached) {
      this._frame = requestAnimationFrame(() => {
        this._frame = 0;
        this._draw();
      });
    }
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._state.live.show(this, 0, null);
    this._unwatch();
    this._state.changed.disconnect(this._onState, this);
    this._state.repaint.disconnect(this._onRepaint, this);
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
        this._onWheel(event as WheelEvent);
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
    this._resizes = new ResizeObserver(() => this._fitSize());
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
    this._fitSize();
  }

  protected override onBeforeDetach(message: Message): void {
    this._unwatch();
    super.onBeforeDetach(message);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._fitSize();
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
    cancelAnimationFrame(this._frame);
    this._frame = 0;
  }

  /** Set the height by the width and the image, and the layers' sizes by both and the screen's resolution. */
  private _fitSize(): void {
    const width = this.node.clientWidth;
    if (width === 0) {
      return;
    }
    const most = Math.max(HEIGHT_MIN, Math.min(HEIGHT_MAX, window.innerHeight * 0.66));
    const height = Math.round(Math.min(Math.max((width * this._image.rows) / this._image.columns, HEIGHT_MIN), most));
    if (this.node.style.height !== `${height}px`) {
      this.node.style.height = `${height}px`;
    }
    this._ratio = this._deviceRatio();
    for (const layer of [this._base, this._top]) {
      const w = Math.round(width * this._ratio);
      const h = Math.round(height * this._ratio);
      if (layer.width !== w || layer.height !== h) {
        layer.width = w;
        layer.height = h;
      }
    }
    this.view.resize(width, height);
    this._draw(true);
    this._tellView();
    this._zoomed.emit(this.view.scale);
  }

  /** The box of the canvas on the page. An ancestor's CSS scale or zoom makes it larger or smaller than the canvas's own size. */
  private _box(): { left: number; top: number; scale: number } {
    const { left, top, width } = this.node.getBoundingClientRect();
    return { left, top, scale: width > 0 && this.view.width > 0 ? width / this.view.width : 1 };
  }

  /** Device pixels a pixel of the canvas: by the screen, the browser's zoom and the page's CSS. */
  private _deviceRatio(): number {
    const { width } = this.node.getBoundingClientRect();
    const scale = width > 0 ? width / this.node.clientWidth : 1;
    return Math.min((window.devicePixelRatio || 1) * scale, RATIO_MAX);
  }

  /** Tell the sidecar what is in view: live segmentation begins there. */
  private _tellView(): void {
    this._state.live.show(this, this._state.slice, this._inSight ? this.view.visible() : null);
  }

  private _draw(all = false): void {
    // The window moved to another screen, or the page was zoomed or scaled. Layout rounds, so small differences are none.
    if (!all && Math.abs(this._deviceRatio() / this._ratio - 1) > 0.01) {
      this._fitSize();
      return;
    }
    let unfinished = false;
    if (all || this._dirtyBase) {
      const context = this._base.getContext('2d');
      if (context) {
        const start = performance.now();
        unfinished = !this._painter.base(context, this._ratio, this._hideOverlays);
        this._longest = Math.max(this._longest, performance.now() - start);
      }
    }
    if (all || this._dirtyTop) {
      const context = this._top.getContext('2d');
      if (context) {
        context.setTransform(this._ratio, 0, 0, this._ratio, 0, 0);
        context.clearRect(0, 0, this.view.width, this.view.height);
        if (!this._hideOverlays) {
          this._painter.mark(context);
          this._painter.suggestion(context, this._ratio);
        }
        this.handler.paint?.(context, this.view);
      }
    }
    this._dirtyBase = this._dirtyTop = false;
    if (unfinished) {
      this.redraw('base');
      return;
    }
    const { parts, times, slice } = this._state;
    times.drawn(() => parts?.segmentation.labelsVersion(slice, tilesIn(this.view.visible(), LABEL_TILE)) ?? -1);
  }

  private _onState(_: LabellerState, change: Change): void {
    if (change === 'choice') {
      const tool = currentTool(this._state);
      if (this._tool !== tool) {
        this._handlers.get(this._tool)!.leave?.();
        this._tool = tool;
      }
      this._checkSettings();
      this._setCursor();
      this._tellView();
    }
    if (change !== 'status') {
      this.redraw(change === 'top' ? 'top' : 'both');
    }
  }

  private _onRepaint(_: LabellerState, { overlay, keys }: IRepaint): void {
    this._painter.invalidate(overlay, keys);
  }

  private _onView(): void {
    this.redraw('both');
    this._tellView();
    this._zoomed.emit(this.view.scale);
  }

  /** Tell the user, once, if the settings name a tool that does not exist. */
  private _checkSettings(): void {
    const { tool } = this._state.settings.values;
    if (tool !== this._checkedTool) {
      this._checkedTool = tool;
      if (!findTool(tool)) {
        const names = TOOLS.map(({ name }) => name).join(', ');
        this._state.note(trans.__('The settings name the tool “%1”; the tools are %2.', tool, names));
      }
    }
  }

  private _setCursor(): void {
    const { cursor } = this._pressed?.tool ?? this._tool;
    const moves = this._gestures.does === 'pan' || this._gestures.does === 'pinch';
    this._top.style.cursor = moves ? 'grabbing' : this._panning ? 'grab' : cursor;
  }

  private _screen(event: MouseEvent): IPoint {
    return this.toScreen({ x: event.clientX, y: event.clientY });
  }

  private _pointer(event: PointerEvent): IPointer {
    const { pointerId: id, altKey, timeStamp: time } = event;
    return { id, kind: kindOf(event), at: this._screen(event), altKey, time };
  }

  private _toolEvent({ at, kind, altKey, time }: IPointer): IToolEvent {
    return { image: this.view.toImage(at), kind, altKey, time };
  }

  private _onPointerDown(event: PointerEvent): void {
    const purpose = this._purposeOf(event);
    if (purpose === 'other') {
      if (!this._gestures.does) {
        event.preventDefault();
        this.handler.secondaryPress?.(this._toolEvent(this._pointer(event)));
      }
      return;
    }
    if (purpose && this._gestures.down(this._pointer(event), purpose)) {
      event.preventDefault();
      this._capture(event.pointerId);
    }
  }

  /** What a button is for: `other` is the secondary one. Null for buttons that do nothing here. */
  private _purposeOf({ button, buttons }: PointerEvent): Purpose | 'other' | null {
    if (button === 2) {
      return 'other';
    }
    if (button === 1 || (this._panning && button === 0)) {
      return 'pan';
    }
    if (button === ERASER_BUTTON || buttons & ERASER_BUTTONS) {
      return 'erase';
    }
    return button === 0 ? 'draw' : null;
  }

  /** Get the pointer's events until it is lifted, wherever it goes. */
  private _capture(id: number): void {
    try {
      this._top.setPointerCapture?.(id);
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
      this._hover(pointer.at);
      const all = event.getCoalescedEvents?.() ?? [];
      const parts = all.length > 0 ? all.map(part => this._pointer(part)) : [pointer];
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

  private _press(pointer: IPointer, purpose: 'draw' | 'erase'): void {
    const tool = purpose === 'erase' ? ERASER_END : this._tool;
    const handler = this._handlers.get(tool)!;
    if (tool !== this._tool) {
      this.handler.leave?.();
    }
    const takes = purpose === 'draw' && this._state.takenTool === null;
    this._pressed = { tool, handler, takes };
    if (takes) {
      this._state.keepTool(tool.name);
    }
    handler.press(this._toolEvent(pointer));
  }

  private _release(pointer: IPointer): void {
    this._pressed?.handler.release?.(this._toolEvent(pointer));
    const erased = this._pressed?.tool !== this._tool;
    if (pointer.kind === 'touch' || erased) {
      this._leave(); // a lifted finger is nowhere, and the pen that erased shows the tool in use next
    }
    this._pressed = null;
    this._setCursor();
  }

  private _abort(): void {
    const pressed = this._pressed;
    pressed?.handler.abort?.();
    this._pressed = null;
    this._hovered.emit(null);
    if (pressed?.takes) {
      this._state.keepTool(null);
    }
    this._setCursor();
  }

  /** Nothing is over the image any more. */
  private _leave(): void {
    this.handler.leave?.();
    this._hovered.emit(null);
  }

  private _onWheel(event: WheelEvent): void {
    const how = this._state.settings.values.wheelZoom;
    const zooms = event.ctrlKey || event.metaKey || how === 'always' || (how === 'focus' && this._hasFocus());
    if (!zooms) {
      this._wheelIgnored.emit();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    // Some browsers count lines or pages: convert to pixels. One event at most doubles the scale.
    const pixels = event.deltaY * (event.deltaMode === 1 ? 20 : event.deltaMode === 2 ? 400 : 1);
    const speed = event.ctrlKey && Math.abs(pixels) < 20 ? 0.01 : 0.0025; // browsers report a pinch as small steps with Ctrl
    this.view.zoomAt(this._screen(event), Math.exp(Math.min(Math.max(-pixels * speed, -0.7), 0.7)));
    this._onView();
  }

  private readonly _state: LabellerState;
  private readonly _hasFocus: () => boolean;
  private readonly _image: { rows: number; columns: number };
  private readonly _painter: Painter;
  private readonly _handlers: ReadonlyMap<ITool, IToolHandler>;
  private readonly _base = document.createElement('canvas');
  private readonly _top = document.createElement('canvas');
  private readonly _hovered = new Signal<this, IHover | null>(this);
  private readonly _zoomed = new Signal<this, number>(this);
  private readonly _wheelIgnored = new Signal<this, void>(this);
  /** The tool in use. */
  private _tool: ITool;
  /** The tool that is pressed; it stays the same until release. `takes` if it is kept only because it was pressed. */
  private _pressed: { tool: ITool; handler: IToolHandler; takes: boolean } | null = null;
  private readonly _gestures = new Gestures({
    press: (pointer, purpose) => this._press(pointer, purpose),
    release: pointer => this._release(pointer),
    abort: () => this._abort(),
    pan: (from, to) => {
      this.view.panBy(to.x - from.x, to.y - from.y);
      this._onView();
    },
    pinch: (from, to) => {
      this.view.pinch(from, to);
      this._onView();
    },
    changed: () => this._setCursor()
  } satisfies IGestureTarget);
  /** The settings' tool that {@link _checkSettings} has checked. */
  private _checkedTool: string | null = null;
  private _panning = false;
  private _hideOverlays = false;
  private _pens: IDisposable | null = null;
  private _resizes: ResizeObserver | null = null;
  private _sights: IntersectionObserver | null = null;
  private _inSight = true;
  private _longest = 0;
  private _frame = 0;
  private _ratio = 1;
  private _dirtyBase = true;
  private _dirtyTop = true;
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

/** A pen's eraser end in `PointerEvent.button` and `buttons`. */
const ERASER_BUTTON = 5;
const ERASER_BUTTONS = 32;

/** The kind of a pointer. An unknown device counts as a mouse. */
function kindOf({ pointerType }: PointerEvent): PointerKind {
  return pointerType === 'pen' || pointerType === 'touch' ? pointerType : 'mouse';
}

/** The namespace for {@link CanvasView}. */
export namespace CanvasView {
  export interface IOptions {
    /** Its session must be known. */
    state: LabellerState;
    /** Whether the keyboard focus is in the labeller. */
    hasFocus(): boolean;
  }
}
