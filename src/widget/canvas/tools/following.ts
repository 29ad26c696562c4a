/** The base of tools that act where the pointer is lifted, since a finger may turn out to be the first of two, and show something below it until then. */
import { IPoint } from '../../base/geometry';
import { IToolEvent, IToolHandler, IToolHost } from './tool';

export abstract class FollowingHandler implements IToolHandler {
  constructor(protected readonly _host: IToolHost) {}

  press(event: IToolEvent): void {
    this.hover(event);
  }

  drag(events: IToolEvent[]): void {
    const last = events[events.length - 1];
    if (last) {
      this.hover(last);
    }
  }

  abort(): void {
    this.leave();
  }

  hover({ image }: IToolEvent): void {
    this._at = image;
    this._host.redraw();
  }

  leave(): void {
    this._at = null;
    this._host.redraw();
  }

  /** Where the pointer is; null if it is not over the image. */
  protected _at: IPoint | null = null;
}
