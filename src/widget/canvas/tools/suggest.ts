/** SAM under the cursor: hover to see, click to take, right click for another scale. */
import { IPixel } from '../../state/suggestions';
import { ITool, IToolEvent, IToolHost } from './tool';

/** How far the pointer may move on the screen and still be where it was, in CSS pixels. */
const STAY = 40;

export class SuggestTool implements ITool {
  constructor(private readonly _host: IToolHost) {}

  readonly cursor = 'crosshair';

  press(event: IToolEvent): void {
    const pixel = this._pixel(event);
    if (pixel) {
      this._host.state.keepTool();
      void this._host.state.accept(pixel);
    }
  }

  drag(events: IToolEvent[]): void {
    const last = events[events.length - 1];
    if (last) {
      this.hover(last);
    }
  }

  release(): void {
    // A suggestion is taken when the button goes down.
  }

  hover(event: IToolEvent): void {
    const pixel = this._pixel(event);
    const suggestions = this._host.state.parts?.suggestions;
    if (pixel) {
      suggestions?.move(pixel, STAY / this._host.view.scale);
    } else {
      suggestions?.leave();
    }
  }

  leave(): void {
    this._host.state.parts?.suggestions.leave();
  }

  turn(): void {
    this._host.state.parts?.suggestions.cycle();
  }

  draw(): void {
    // The suggestion is drawn by the painter, in all views; the cursor is the browser's.
  }

  /** The pixel under the pointer, if it is on the image. */
  private _pixel({ image }: IToolEvent): IPixel | null {
    const size = this._host.state.parts?.image;
    const row = Math.floor(image.y);
    const column = Math.floor(image.x);
    return size && row >= 0 && column >= 0 && row < size.rows && column < size.columns ? { row, column } : null;
  }
}
