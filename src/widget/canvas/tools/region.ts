/** The region to work on: drag a rectangle, or an edge or corner of the present one. */
import { Rect } from '../../../shared';
import { IPoint, ViewTransform } from '../../base/geometry';
import { trans } from '../../base/translation';
import { ITool, IToolEvent, IToolHandler, IToolHost } from './tool';

/** A press this near to an edge takes the edge, in CSS pixels. */
const NEAR = 8;
/** A rectangle with a smaller side is a click, in CSS pixels. */
const LEAST = 4;

export const region: ITool = {
  name: 'region',
  get title() {
    return trans.__('Region');
  },
  get description() {
    return trans.__(
      'Work on a part of the image: drag a rectangle, or its edges; only its labels are learned, and only it is segmented'
    );
  },
  key: 'r',
  icon: '<path d="M4.500 1.500v10h10"/><path d="M1.500 4.500h10v10"/>',
  cursor: 'crosshair',
  settings: [],
  unusable: state => (state.direction === 'xy' ? null : trans.__('The region to work on is drawn on slices in xy')),
  create: host => new RegionHandler(host)
};

/** The corner that stays while the other one follows the pointer; `x` or `y` is false for a side that stays as well. */
interface IDrag {
  from: IPoint;
  to: IPoint;
  x: boolean;
  y: boolean;
}

class RegionHandler implements IToolHandler {
  constructor(private readonly _host: IToolHost) {}

  press({ image }: IToolEvent): void {
    this._drag = this._taken(image) ?? { from: image, to: image, x: true, y: true };
    this._host.redraw();
  }

  drag(events: IToolEvent[]): void {
    const last = events[events.length - 1];
    if (last) {
      this._follow(last.image);
    }
  }

  release({ image }: IToolEvent): void {
    this._follow(image);
    const rect = this._rect();
    const { scale } = this._host.view;
    this._drag = null;
    if (rect && (rect.column1 - rect.column0) * scale >= LEAST && (rect.row1 - rect.row0) * scale >= LEAST) {
      void this._host.state.workOn(rect);
    }
    this._host.redraw();
  }

  abort(): void {
    this.cancel();
  }

  cancel(): boolean {
    const drops = this._drag !== null;
    this._drag = null;
    this._host.redraw();
    return drops;
  }

  paint(context: CanvasRenderingContext2D, view: ViewTransform): void {
    const { parts, session } = this._host.state;
    const rect = this._rect() ?? session?.region;
    if (!rect || parts?.direction !== 'xy') {
      return;
    }
    const from = view.toScreen({ x: rect.column0, y: rect.row0 });
    const to = view.toScreen({ x: rect.column1, y: rect.row1 });
    context.save();
    context.lineWidth = 3;
    context.strokeStyle = 'rgba(0, 0, 0, 0.7)';
    context.strokeRect(from.x, from.y, to.x - from.x, to.y - from.y);
    context.lineWidth = 1.25;
    context.strokeStyle = '#ffffff';
    context.strokeRect(from.x, from.y, to.x - from.x, to.y - from.y);
    context.fillStyle = '#ffffff';
    context.lineWidth = 1;
    context.strokeStyle = 'rgba(0, 0, 0, 0.7)';
    const [middleX, middleY] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
    for (const [x, y] of [
      [from.x, from.y],
      [middleX, from.y],
      [to.x, from.y],
      [from.x, middleY],
      [to.x, middleY],
      [from.x, to.y],
      [middleX, to.y],
      [to.x, to.y]
    ] as const) {
      context.fillRect(x - 3, y - 3, 6, 6);
      context.strokeRect(x - 3, y - 3, 6, 6);
    }
    context.restore();
  }

  private _follow({ x, y }: IPoint): void {
    const drag = this._drag;
    if (drag) {
      this._drag = { ...drag, to: { x: drag.x ? x : drag.to.x, y: drag.y ? y : drag.to.y } };
      this._host.redraw();
    }
  }

  /** The edge or corner of the present region at a place. */
  private _taken({ x, y }: IPoint): IDrag | null {
    const rect = this._host.state.session?.region;
    if (!rect) {
      return null;
    }
    const near = NEAR / this._host.view.scale;
    const { row0, row1, column0, column1 } = rect;
    if (x < column0 - near || x > column1 + near || y < row0 - near || y > row1 + near) {
      return null;
    }
    // The nearer one of two edges: a small region has both within reach.
    const left = Math.abs(x - column0) < Math.abs(x - column1);
    const top = Math.abs(y - row0) < Math.abs(y - row1);
    const takesX = Math.abs(x - (left ? column0 : column1)) <= near;
    const takesY = Math.abs(y - (top ? row0 : row1)) <= near;
    return takesX || takesY
      ? {
          from: { x: left ? column1 : column0, y: top ? row1 : row0 },
          to: { x: left ? column0 : column1, y: top ? row0 : row1 },
          x: takesX,
          y: takesY
        }
      : null;
  }

  /** The rectangle that is being dragged, in whole pixels of the image; null if there is none. */
  private _rect(): Rect | null {
    const size = this._host.state.parts?.image;
    if (!this._drag || !size) {
      return null;
    }
    const { from, to } = this._drag;
    const along = (a: number, b: number, most: number) => {
      const clip = (value: number) => Math.min(Math.max(Math.round(value), 0), most);
      return [clip(Math.min(a, b)), clip(Math.max(a, b))] as const;
    };
    const [row0, row1] = along(from.y, to.y, size.rows);
    const [column0, column1] = along(from.x, to.x, size.columns);
    return row0 < row1 && column0 < column1 ? { row0, row1, column0, column1 } : null;
  }

  private _drag: IDrag | null = null;
}
