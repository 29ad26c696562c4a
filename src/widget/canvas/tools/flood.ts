/** Flood fill: a click labels the pixels that are like the one under the pointer in grey and connected with it. */
import { trans } from '../../base/translation';
import { ITool, IToolEvent, IToolHandler, IToolHost } from './tool';

export const flood: ITool = {
  name: 'flood',
  get title() {
    return trans.__('Fill');
  },
  get description() {
    return trans.__('Click to label what is connected and of a similar grey; Alt erases it');
  },
  key: 'f',
  icon: '<path d="m7.200 2.500 5.300 5.300-4.800 4.800a1 1 0 0 1-1.400 0L2.900 9.200a1 1 0 0 1 0-1.400z"/><path d="M2.800 8.500h9M5.500 1.800l2.700 2.700"/><path d="M13.300 10.200c.7 1 1.100 1.700 1.100 2.200a1.100 1.100 0 0 1-2.200 0c0-.5.4-1.200 1.100-2.200z" fill="currentColor" stroke="none"/>',
  cursor: 'crosshair',
  settings: ['tolerance', 'overlap'],
  create: host => new FloodHandler(host)
};

class FloodHandler implements IToolHandler {
  constructor(private readonly _host: IToolHost) {}

  /** It fills where the pointer is lifted: a finger may turn out to be the first of two. */
  press(): void {
    this._pressed = true;
  }

  release({ image, altKey }: IToolEvent): void {
    const size = this._host.state.parts?.image;
    const [row, column] = [Math.floor(image.y), Math.floor(image.x)];
    if (this._pressed && size && row >= 0 && column >= 0 && row < size.rows && column < size.columns) {
      void this._host.state.fill({ row, column }, altKey);
    }
    this._pressed = false;
  }

  abort(): void {
    this._pressed = false;
  }

  cancel(): boolean {
    const drops = this._pressed;
    this._pressed = false;
    return drops;
  }

  private _pressed = false;
}
