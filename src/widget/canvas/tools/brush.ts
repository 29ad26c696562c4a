/** The brush: a disc that follows the pointer and paints the current class. */
import { IPoint, ViewTransform } from '../../base/geometry';
import { nextBrushSize, Settings } from '../../base/settings';
import { trans } from '../../base/translation';
import { Stroke } from '../../labels/stroke';
import { paintLine } from './contour';
import { ITool, IToolEvent, IToolHandler, IToolHost } from './tool';

export const brush: ITool = {
  name: 'brush',
  get title() {
    return trans.__('Brush');
  },
  get description() {
    return trans.__('Paint with the brush; Alt erases, Shift draws a straight line from the last stroke');
  },
  key: 'b',
  icon:
    '<path d="M13.6 2.4 7.6 8.4M9.4 10.2l4.4-7.6"/>' +
    '<path d="M7.4 8.6c-1.600-.5-3 .3-3.400 1.900-.3 1.300-.8 2.100-1.900 2.700 2.600.9 5.600.3 6.300-1.500.5-1.300.1-2.500-1-3.100z" fill="currentColor" stroke="none"/>',
  cursor: 'none',
  settings: ['brushSize', 'brushFills', 'overlap'],
  turned: turnBrush,
  create: host => new BrushHandler(host, false)
};

/** Change the size of the brush by steps. */
export function turnBrush({ settings }: { settings: Settings }, steps: number): void {
  let { brushSize } = settings.values;
  for (let n = Math.abs(steps); n > 0; n--) {
    brushSize = nextBrushSize(brushSize, steps > 0 ? 1 : -1, false);
  }
  settings.set({ brushSize });
}

/** Paints with the brush, or erases. */
export class BrushHandler implements IToolHandler {
  constructor(
    private readonly _host: IToolHost,
    private readonly _erases: boolean
  ) {}

  press(event: IToolEvent): void {
    const { state } = this._host;
    const labels = state.drawnOn;
    const current = state.currentClass;
    if (!labels || !current) {
      return;
    }
    const classId = this._erases || event.altKey ? 0 : current.id;
    // A straight line begins where the last stroke has painted; the label under the pointer counts.
    const replaces = state.replaces(classId, { row: Math.floor(event.image.y), column: Math.floor(event.image.x) });
    if (!replaces) {
      return;
    }
    this._begin = () => {
      this._slice = state.slice;
      return labels.stroke(state.slice, classId, replaces, classId ? 'brush' : 'eraser');
    };
    this._stroke = this._begin();
    this._last = this._lineStart(event) ?? event.image;
    this._path = [this._last];
    this._from = null;
    this._line(event.image);
  }

  drag(events: IToolEvent[]): void {
    for (const { image } of events) {
      this._line(image);
    }
    this._moveTo(events[events.length - 1]);
  }

  /** The pointer is down while slices are stepped through: each slice keeps its part of the stroke, and the next part begins here. */
  stepped(): void {
    if (this._stroke && this._last && this._slice !== this._host.state.slice) {
      this._stroke.end();
      this._stroke = this._begin();
      this._path = [];
      this._line(this._last);
    }
  }

  release({ time }: IToolEvent): void {
    if (this._stroke) {
      const { brushFills, brushSize } = this._host.state.settings.values;
      if (brushFills && !this._erases && goesAround(this._path, brushSize)) {
        this._stroke.fill(this._path);
      }
      this._stroke.end(time);
      this._end = this._last && { at: this._last, slice: this._slice };
    }
    this._stroke = null;
  }

  abort(): void {
    this._stroke?.drop();
    this._stroke = null;
    this.leave();
  }

  hover(event: IToolEvent): void {
    this._moveTo(event);
  }

  leave(): void {
    this._at = null;
    this._host.redraw();
  }

  /** Draw the outline of the disc, white and dashed if it erases, and the straight line that a press would draw. */
  paint(context: CanvasRenderingContext2D, view: ViewTransform): void {
    if (!this._at) {
      return;
    }
    const { state } = this._host;
    const { x, y } = view.toScreen(this._at);
    const radius = Math.max((state.settings.values.brushSize / 2) * view.scale, 1.5);
    const colour = this._erases || this._alt ? '#ffffff' : (state.currentClass?.color ?? '#ffffff');
    const circle = (width: number, style: string) => {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.lineWidth = width;
      context.strokeStyle = style;
      context.stroke();
    };
    if (this._from) {
      paintLine(context, view, [this._from, this._at], colour);
    }
    circle(3.5, 'rgba(0, 0, 0, 0.55)');
    context.setLineDash(this._erases || this._alt ? [4, 3] : []);
    circle(1.75, colour);
    context.setLineDash([]);
    if (radius > 6) {
      context.fillStyle = 'rgba(0, 0, 0, 0.55)';
      context.fillRect(x - 1.5, y - 1.5, 3, 3);
      context.fillStyle = '#ffffff';
      context.fillRect(x - 0.75, y - 0.75, 1.5, 1.5);
    }
  }

  private _line(to: IPoint): void {
    this._stroke?.line(this._last ?? to, to, this._host.state.settings.values.brushSize / 2);
    this._last = to;
    this._path.push(to);
  }

  /** Where a straight line to this place begins: at the end of the last stroke, with Shift. */
  private _lineStart({ shiftKey }: IToolEvent): IPoint | null {
    return shiftKey && this._end?.slice === this._host.state.slice ? this._end.at : null;
  }

  private _moveTo(event: IToolEvent | undefined): void {
    if (event) {
      this._at = event.image;
      this._alt = event.altKey;
      this._from = this._stroke ? null : this._lineStart(event);
      this._host.redraw();
    }
  }

  private _stroke: Stroke | null = null;
  /** Begins a stroke like the one that is drawn, on the slice that is shown. */
  private _begin: () => Stroke = () => {
    throw new Error('No stroke is drawn.');
  };
  private _last: IPoint | null = null;
  /** The places of the stroke that is drawn. */
  private _path: IPoint[] = [];
  private _at: IPoint | null = null;
  private _alt = false;
  /** Where the straight line begins that a press would draw. */
  private _from: IPoint | null = null;
  private _slice = 0;
  /** The end of the last stroke. */
  private _end: { at: IPoint; slice: number } | null = null;
}

/** Whether a stroke comes back to its start, so that the discs at its ends touch, after it went farther away. */
export function goesAround(path: readonly IPoint[], diameter: number): boolean {
  const [start] = path;
  const end = path[path.length - 1];
  const distance = (a: IPoint, b: IPoint) => Math.hypot(a.x - b.x, a.y - b.y);
  return !!start && !!end && distance(start, end) <= diameter && path.some(point => distance(start, point) > diameter);
}
