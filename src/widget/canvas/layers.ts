/**
 * The two layers of a view: their size and resolution, where they are on the page, and when they are drawn. What is drawn on them
 * is up to the canvas.
 */
import { IDisposable } from '@lumino/disposable';
import { ISize, Rect } from '../../shared';
import { IPoint } from '../base/geometry';
import { Navigation } from './navigation';

/** Which layers to draw. */
export type LayerName = 'base' | 'top' | 'both';

/** A rectangle of whole device pixels. */
export interface IScreenArea {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Draws the layers. `ratio` is device pixels a CSS pixel. */
export interface ILayerPainter {
  /**
   * Draw the lower layer. Returns whether it is complete; if not, it is called again with the next frame.
   *
   * @param area the part that changed, in device pixels; null for all
   */
  base(context: CanvasRenderingContext2D, ratio: number, area: IScreenArea | null): boolean;
  /** Draw the upper layer, which is clear; the context is in CSS pixels. */
  top(context: CanvasRenderingContext2D, ratio: number): void;
  /** All that was asked for is drawn. */
  drawn(): void;
}

/** Least and largest height in CSS pixels. */
const HEIGHT_MIN = 120;
const HEIGHT_MAX = 600;

/** Device pixels a CSS pixel at most, so that a view that the page enlarges much stays small in memory. */
const RATIO_MAX = 4;

/** The layers of one canvas. */
export class Layers implements IDisposable {
  constructor(options: Layers.IOptions) {
    this._options = options;
    options.node.append(this._base, this.top);
  }

  /** The upper layer, which has the pointer. */
  readonly top = document.createElement('canvas');

  /** The longest time that drawing the lower layer took, in milliseconds. */
  get longestDraw(): number {
    return this._longest;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Whether they are as high as the parent of their node; else as the image needs. */
  set fills(fills: boolean) {
    this._fills = fills;
    this.fit();
  }

  /** Draw layers again with the next frame. */
  redraw(layer: LayerName): void {
    if (layer !== 'top') {
      this._dirty = 'all';
    }
    this._dirtyTop ||= layer !== 'base';
    this._request();
  }

  /** Draw a rectangle of the image again on the lower layer, and the upper layer, with the next frame. */
  redrawArea({ row0, row1, column0, column1 }: Rect): void {
    const { view } = this._options.navigation;
    const from = view.toScreen({ x: column0, y: row0 });
    const to = view.toScreen({ x: column1, y: row1 });
    // A pixel more on each side: tiles are drawn at rounded places.
    const area = {
      x0: Math.floor(from.x * this._ratio) - 1,
      y0: Math.floor(from.y * this._ratio) - 1,
      x1: Math.ceil(to.x * this._ratio) + 1,
      y1: Math.ceil(to.y * this._ratio) + 1
    };
    this._dirty = this._dirty === null ? area : this._dirty === 'all' ? 'all' : around(this._dirty, area);
    this._dirtyTop = true;
    this._request();
  }

  private _request(): void {
    if (this._frame === 0 && !this._disposed && this._options.node.isConnected) {
      this._frame = requestAnimationFrame(() => {
        this._frame = 0;
        this._draw();
      });
    }
  }

  /** Draw nothing until {@link redraw} or {@link fit} is called. */
  pause(): void {
    cancelAnimationFrame(this._frame);
    this._frame = 0;
  }

  /** Set the height by the width and the image, and the layers' sizes by both and the screen's resolution. Draw at once. */
  fit(): void {
    const { node, image, navigation } = this._options;
    const width = node.clientWidth;
    if (width === 0) {
      return;
    }
    const room = this._fills ? (node.parentElement?.clientHeight ?? 0) : 0;
    const height = room > 0 ? room : heightFor(image, width);
    if (node.style.height !== `${height}px`) {
      node.style.height = `${height}px`;
    }
    this._ratio = this._deviceRatio();
    for (const layer of [this._base, this.top]) {
      const w = Math.round(width * this._ratio);
      const h = Math.round(height * this._ratio);
      if (layer.width !== w || layer.height !== h) {
        layer.width = w;
        layer.height = h;
      }
    }
    navigation.resize(width, height);
    this._draw(true);
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

  dispose(): void {
    this._disposed = true;
    this.pause();
  }

  /** The box of the canvas on the page. An ancestor's CSS scale or zoom makes it larger or smaller than the canvas's own size. */
  private _box(): { left: number; top: number; scale: number } {
    const { left, top, width } = this._options.node.getBoundingClientRect();
    const own = this._options.navigation.view.width;
    return { left, top, scale: width > 0 && own > 0 ? width / own : 1 };
  }

  /** Device pixels a pixel of the canvas: by the screen, the browser's zoom and the page's CSS. */
  private _deviceRatio(): number {
    const { node } = this._options;
    const { width } = node.getBoundingClientRect();
    const scale = width > 0 ? width / node.clientWidth : 1;
    return Math.min((window.devicePixelRatio || 1) * scale, RATIO_MAX);
  }

  private _draw(all = false): void {
    // The window moved to another screen, or the page was zoomed or scaled. Layout rounds, so small differences are none.
    if (!all && Math.abs(this._deviceRatio() / this._ratio - 1) > 0.01) {
      this.fit();
      return;
    }
    const { painter, navigation } = this._options;
    let complete = true;
    if (all || this._dirty) {
      const context = this._base.getContext('2d');
      if (context) {
        const start = performance.now();
        const area = all || this._dirty === 'all' ? null : this._dirty;
        complete = painter.base(context, this._ratio, area);
        this._longest = Math.max(this._longest, performance.now() - start);
      }
    }
    if (all || this._dirtyTop) {
      const context = this.top.getContext('2d');
      if (context) {
        context.setTransform(this._ratio, 0, 0, this._ratio, 0, 0);
        context.clearRect(0, 0, navigation.view.width, navigation.view.height);
        painter.top(context, this._ratio);
      }
    }
    this._dirty = null;
    this._dirtyTop = false;
    if (complete) {
      painter.drawn();
    } else {
      this.redraw('base');
    }
  }

  private readonly _options: Layers.IOptions;
  private _fills = false;
  private readonly _base = document.createElement('canvas');
  private _ratio = 1;
  private _frame = 0;
  private _longest = 0;
  /** What of the lower layer must be drawn again. */
  private _dirty: IScreenArea | 'all' | null = 'all';
  private _dirtyTop = true;
  private _disposed = false;
}

/** The least rectangle that contains both. */
function around(a: IScreenArea, b: IScreenArea): IScreenArea {
  return {
    x0: Math.min(a.x0, b.x0),
    y0: Math.min(a.y0, b.y0),
    x1: Math.max(a.x1, b.x1),
    y1: Math.max(a.y1, b.y1)
  };
}

/** The height of an image that is as wide as this, in CSS pixels, within limits. */
export function heightFor(image: ISize, width: number): number {
  const most = Math.max(HEIGHT_MIN, Math.min(HEIGHT_MAX, window.innerHeight * 0.66));
  return Math.round(Math.min(Math.max((width * image.rows) / image.columns, HEIGHT_MIN), most));
}

/** The namespace for {@link Layers}. */
export namespace Layers {
  export interface IOptions {
    /** Gets the layers and their height. */
    node: HTMLElement;
    image: ISize;
    navigation: Navigation;
    painter: ILayerPainter;
  }
}
