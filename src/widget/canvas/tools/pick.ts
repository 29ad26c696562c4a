/** The picker: a click takes the class under the pointer, of the label or else of the segmentation, and returns to the tool before. */
import { IPoint, ViewTransform } from '../../base/geometry';
import { trans } from '../../base/translation';
import { FollowingHandler } from './following';
import { ITool, IToolEvent, IToolHandler } from './tool';

export const pick: ITool = {
  name: 'pick',
  get title() {
    return trans.__('Pick');
  },
  get description() {
    return trans.__('Take the class under the pointer, then go on with the tool before');
  },
  key: 'i',
  icon: '<path d="m9.500 4.500 2 2M8.500 5.500 3.500 10.500l-.8 2.800 2.800-.8 5-5"/><path d="m9.300 4.300 2.200-2.200 2.400 2.400-2.200 2.200z" fill="currentColor"/>',
  cursor: 'crosshair',
  settings: [],
  create: host => new PickHandler(host)
};

class PickHandler extends FollowingHandler implements IToolHandler {
  release({ image }: IToolEvent): void {
    const { state } = this._host;
    const found = this._classAt(image);
    if (found) {
      state.setClass(found.id);
      state.returnTool();
    } else {
      state.note(trans.__('There is no label and no segmentation at this place: click where there is a colour.'));
    }
  }

  cancel(): boolean {
    this._host.state.returnTool();
    return true;
  }

  /** Draw a ring in the colour that a click would take. */
  paint(context: CanvasRenderingContext2D, view: ViewTransform): void {
    const found = this._at && this._classAt(this._at);
    if (!found) {
      return;
    }
    const { x, y } = view.toScreen(this._at!);
    for (const [width, style] of [
      [6, 'rgba(0, 0, 0, 0.55)'],
      [4, found.color]
    ] as const) {
      context.beginPath();
      context.arc(x, y, 12, 0, 2 * Math.PI);
      context.lineWidth = width;
      context.strokeStyle = style;
      context.stroke();
    }
  }

  private _classAt({ x, y }: IPoint) {
    const { parts, slice, session } = this._host.state;
    const [row, column] = [Math.floor(y), Math.floor(x)];
    if (!parts || row < 0 || column < 0 || row >= parts.image.rows || column >= parts.image.columns) {
      return undefined;
    }
    const id = parts.labels.slice(slice).at(row, column) || parts.segmentation.at(slice, row, column);
    return session?.classes.find(item => item.id === id);
  }
}
