/** Brush and eraser: a disc that follows the pointer. */
import { IPoint } from '../../base/geometry';
import { Stroke } from '../../labels/label-store';
import { ITool, IToolEvent, IToolHost } from './tool';

export class BrushTool implements ITool {
  constructor(
    private readonly _host: IToolHost,
    private readonly _erases: boolean
  ) {}

  readonly cursor = 'none';

  press(event: IToolEvent): void {
    const { state } = this._host;
    const labels = state.parts?.labels;
    const current = state.currentClass;
    if (!labels || !current) {
      return;
    }
    state.keepTool();
    const classId = this._erases || event.altKey ? 0 : current.id;
    this._stroke = labels.stroke(state.slice, classId, state.settings.values.preserve);
    this._last = event.image;
    this._line(event.image);
  }

  drag(events: IToolEvent[]): void {
    for (const { image } of events) {
      this._line(image);
    }
    this._moveTo(events[events.length - 1]);
  }

  release(): void {
    this._stroke?.end();
    this._stroke = null;
  }

  hover(event: IToolEvent): void {
    this._moveTo(event);
  }

  leave(): void {
    this._at = null;
    this._host.redraw();
  }

  turn(): void {
    // The brush has nothing to turn.
  }

  draw(context: CanvasRenderingContext2D): void {
    if (!this._at) {
      return;
    }
    const { state, view } = this._host;
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
  }

  private _moveTo(event: IToolEvent | undefined): void {
    if (event) {
      this._at = event.image;
      this._alt = event.altKey;
      this._host.redraw();
    }
  }

  private _stroke: Stroke | null = null;
  private _last: IPoint | null = null;
  private _at: IPoint | null = null;
  private _alt = false;
}
