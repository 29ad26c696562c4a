/** SAM's suggestions: hover shows one, a click, a lifted finger or Enter accepts it, a right click changes its scale, Escape rejects it. */
import { trans } from '../../base/translation';
import { IPixel } from '../../state/suggestion';
import { ITool, IToolEvent, IToolHandler, IToolHost } from './tool';

/** After accepting or rejecting, nothing is suggested until the pointer has moved this far, in CSS pixels. */
const QUIET = 10;

export const suggest: ITool = {
  name: 'suggest',
  get title() {
    return trans.__('Suggest');
  },
  get description() {
    return trans.__('Suggest regions with SAM: click takes, right click changes the scale');
  },
  key: 's',
  icon: '<path d="M6.2 2.2v2M6.2 8.2v2M2.2 6.2h2M8.2 6.2h2M3.4 3.4l1.2 1.2M9 3.4 7.8 4.6M3.4 9l1.2-1.2"/><path d="m6.6 6.6 7 7" stroke-width="2"/>',
  cursor: 'crosshair',
  settings: ['scale', 'overlap'],
  ready: state => state.parts?.suggestions.ready ?? false,
  unusable: state =>
    state.direction === 'xy' ? null : trans.__('SAM suggests on slices in xy; in this direction the other tools work'),
  turned: (state, steps) => state.parts?.suggestions.turn(Math.sign(steps)),
  create: host => new SuggestHandler(host)
};

/** The painter draws the suggestion, since all views show it; this handler draws nothing. */
class SuggestHandler implements IToolHandler {
  constructor(private readonly _host: IToolHost) {}

  press(event: IToolEvent): void {
    if (event.kind === 'touch') {
      this.hover(event); // a finger shows the suggestion while it is down, and takes it when it is lifted
    } else {
      this._accept(event);
    }
  }

  release(event: IToolEvent): void {
    if (event.kind === 'touch') {
      this._accept(event);
    }
  }

  /** Only fingers are aborted, and these have taken nothing yet. */
  abort(): void {
    this.leave();
  }

  drag(events: IToolEvent[]): void {
    const last = events[events.length - 1];
    if (last) {
      this.hover(last);
    }
  }

  hover(event: IToolEvent): void {
    const pixel = this._pixel(event);
    const suggestions = this._host.state.parts?.suggestions;
    if (pixel) {
      suggestions?.move(pixel, QUIET / this._host.view.scale);
    } else {
      suggestions?.leave();
    }
  }

  leave(): void {
    this._host.state.parts?.suggestions.leave();
  }

  secondaryPress(): void {
    this._host.state.parts?.suggestions.turn(1, true);
  }

  finish(): void {
    const { state } = this._host;
    const current = state.parts?.suggestions.current;
    if (current) {
      void state.accept(current.at);
    }
  }

  cancel(): boolean {
    const suggestions = this._host.state.parts?.suggestions;
    const drops = !!suggestions?.current;
    suggestions?.reject();
    return drops;
  }

  private _accept(event: IToolEvent): void {
    const pixel = this._pixel(event);
    if (pixel) {
      void this._host.state.accept(pixel);
    }
  }

  /** The pixel under the pointer; null outside the image. */
  private _pixel({ image }: IToolEvent): IPixel | null {
    const size = this._host.state.parts?.image;
    const row = Math.floor(image.y);
    const column = Math.floor(image.x);
    return size && row >= 0 && column >= 0 && row < size.rows && column < size.columns ? { row, column } : null;
  }
}
