/** The polygon: clicks set vertices; Enter, a double or right click, or a click on the first vertex closes and fills it. */
import { IPoint, ViewTransform } from '../../base/geometry';
import { trans } from '../../base/translation';
import { fillContour, lineColour, paintLine } from './contour';
import { FollowingHandler } from './following';
import { ITool, IToolEvent, IToolHandler } from './tool';

/** A click this near to the first vertex closes the polygon, in CSS pixels. */
const CLOSE = 8;

/** A click this near to the last vertex sets no other, in CSS pixels: it is the second one of a double click. */
const SAME = 3;

export const polygon: ITool = {
  name: 'polygon',
  get title() {
    return trans.__('Polygon');
  },
  get description() {
    return trans.__(
      'Fill a polygon: click to set vertices; right click, Enter or the first vertex closes, Backspace goes back, Escape drops'
    );
  },
  key: 'p',
  icon: '<path d="M3 11.500 4.500 3.500l8 2 1 6.500-5.500 1.500z"/><path d="M2 10.500h2v2H2zM3.500 2.500h2v2h-2zM11.500 4.500h2v2h-2zM12.500 11h2v2h-2z" fill="currentColor" stroke="none"/>',
  cursor: 'crosshair',
  settings: ['overlap'],
  create: host => new PolygonHandler(host)
};

/** Keeps the vertices until the polygon is closed or dropped, also while another tool is in use. */
class PolygonHandler extends FollowingHandler implements IToolHandler {
  override press(event: IToolEvent): void {
    this._pressed = true;
    super.press(event);
  }

  release({ image, altKey, time }: IToolEvent): void {
    if (!this._pressed) {
      return; // Escape dropped it meanwhile
    }
    this._pressed = false;
    const { slice } = this._host.state;
    if (slice !== this._slice) {
      this._vertices = []; // it was begun on another slice
      this._slice = slice;
    }
    const [first] = this._vertices;
    const last = this._vertices[this._vertices.length - 1];
    if (!first || !last) {
      this._erases = altKey;
    }
    if (first && this._vertices.length > 2 && this._distance(first, image) <= CLOSE) {
      this._close(time);
    } else if (!last || this._distance(last, image) > SAME) {
      this._vertices.push(image);
    }
    this._host.redraw();
  }

  override abort(): void {
    this._pressed = false;
    super.abort();
  }

  secondaryPress({ time }: IToolEvent): void {
    this._close(time);
  }

  finish(): void {
    this._close(null);
  }

  cancel(): boolean {
    const drops = this._vertices.length > 0;
    this._pressed = false;
    this._vertices = [];
    this._host.redraw();
    return drops;
  }

  removeLast(): void {
    this._vertices.pop();
    this._host.redraw();
  }

  paint(context: CanvasRenderingContext2D, view: ViewTransform): void {
    const [first] = this._vertices;
    if (!first || this._slice !== this._host.state.slice) {
      return;
    }
    const colour = lineColour(this._host, this._erases);
    const last = this._vertices[this._vertices.length - 1]!;
    const closes = this._at !== null && this._vertices.length > 2 && this._distance(first, this._at) <= CLOSE;
    if (this._at) {
      paintLine(context, view, closes ? [last, first] : [last, this._at, first], colour, true);
    }
    paintLine(context, view, this._vertices, colour);
    for (const vertex of this._vertices) {
      const { x, y } = view.toScreen(vertex);
      const radius = vertex === first && closes ? 6 : 3;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fillStyle = colour;
      context.fill();
      context.lineWidth = 1;
      context.strokeStyle = 'rgba(0, 0, 0, 0.7)';
      context.stroke();
    }
  }

  /** Fill it; two vertices have no inside and are dropped. */
  private _close(released: number | null): void {
    const vertices = this._vertices;
    if (this._slice === this._host.state.slice) {
      this._vertices = [];
      fillContour(this._host, vertices, { tool: polygon.name, erases: this._erases, released });
    }
    this._host.redraw();
  }

  /** In CSS pixels. */
  private _distance(a: IPoint, b: IPoint): number {
    return Math.hypot(a.x - b.x, a.y - b.y) * this._host.view.scale;
  }

  private _vertices: IPoint[] = [];
  private _slice = 0;
  private _erases = false;
  private _pressed = false;
}
