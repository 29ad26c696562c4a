/** What a tool is: it hears the pointer in image coordinates and draws its cursor over the image. */
import { IPoint, ViewTransform } from '../../base/geometry';
import { LabellerState } from '../../state/labeller-state';

/** One place of the pointer. */
export interface IToolEvent {
  /** In image coordinates. */
  image: IPoint;
  altKey: boolean;
}

/** A tool of one view. */
export interface ITool {
  /** CSS cursor over the image. */
  readonly cursor: string;
  /** The main button went down, or a finger or pen touched. */
  press(event: IToolEvent): void;
  /** The pointer moves while it is pressed; all places since the last time. */
  drag(events: IToolEvent[]): void;
  release(): void;
  /** The pointer moves without being pressed. */
  hover(event: IToolEvent): void;
  /** The pointer left the image. */
  leave(): void;
  /** The secondary button. */
  turn(): void;
  /** Draw over the image; the context is in CSS pixels. */
  draw(context: CanvasRenderingContext2D): void;
}

/** What tools work with. */
export interface IToolHost {
  readonly state: LabellerState;
  readonly view: ViewTransform;
  /** The tool's cursor has to be drawn again. */
  redraw(): void;
}
