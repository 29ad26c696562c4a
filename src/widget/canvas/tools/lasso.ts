/** The lasso: what is drawn around in one go is filled when the pointer is lifted. */
import { IPoint, ViewTransform } from '../../base/geometry';
import { trans } from '../../base/translation';
import { fillContour, lineColour, paintLine } from './contour';
import { ITool, IToolEvent, IToolHandler, IToolHost } from './tool';

export const lasso: ITool = {
  name: 'lasso',
  get title() {
    return trans.__('Lasso');
  },
  get description() {
    return trans.__('Draw around a region to fill it; with Alt it erases');
  },
  key: 'a',
  icon: '<ellipse cx="8" cy="6" rx="5.800" ry="3.800" stroke-dasharray="2.500 1.400"/><path d="M4.200 9.200c-1 .8-1 2 0 2.200s1.500 1 .6 2.400"/>',
  cursor: 'crosshair',
  settings: ['overlap'],
  create: host => new LassoHandler(host)
};

class LassoHandler implements IToolHandler {
  constructor(private readonly _host: IToolHost) {}

  press({ image, altKey }: IToolEvent): void {
    this._contour = [image];
    this._slice = this._host.state.slice;
    this._erases = altKey;
    this._host.redraw();
  }

  drag(events: IToolEvent[]): void {
    this._contour?.push(...events.map(({ image }) => image));
    this._host.redraw();
  }

  release({ image, time }: IToolEvent): void {
    const contour = this._contour;
    this._contour = null;
    if (contour) {
      // It belongs to the slice on which it was begun, even if another one is shown by now.
      const slice = this._slice;
      contour.push(image);
      fillContour(this._host, contour, { tool: lasso.name, erases: this._erases, released: time, slice });
    }
    this._host.redraw();
  }

  abort(): void {
    this.cancel();
  }

  cancel(): boolean {
    const drops = this._contour !== null;
    this._contour = null;
    this._host.redraw();
    return drops;
  }

  paint(context: CanvasRenderingContext2D, view: ViewTransform): void {
    if (this._contour && this._slice === this._host.state.slice) {
      const colour = lineColour(this._host, this._erases);
      paintLine(context, view, [this._contour[this._contour.length - 1]!, this._contour[0]!], colour, true);
      paintLine(context, view, this._contour, colour);
    }
  }

  private _contour: IPoint[] | null = null;
  private _slice = 0;
  private _erases = false;
}
