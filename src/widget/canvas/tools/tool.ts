/** The contract of a tool: how the toolbar, the keyboard and the settings know it, and how it handles the pointer in a view. */
import { IPoint, ViewTransform } from '../../base/geometry';
import { ISettings } from '../../base/settings';
import { LabellerState } from '../../state/labeller-state';
import { PointerKind } from '../gestures';

/** What has a control in the toolbar: settings, and the scale of suggestions. */
export type ToolSetting =
  Extract<keyof ISettings, 'brushSize' | 'brushFills' | 'tolerance' | 'overlap' | 'erases'> | 'scale';

/** A tool. Each file of this folder exports one or more; `index.ts` registers them. */
export interface ITool {
  /** Its name in the settings and in test ids: lower case, without spaces. */
  readonly name: string;
  /** The word on its button. */
  readonly title: string;
  /** The tooltip of its button; its key is added. */
  readonly description: string;
  /** The key that takes it, a lower-case letter. */
  readonly key: string;
  /** The inside of an SVG of 16 × 16 units, drawn with `currentColor`. */
  readonly icon: string;
  /** CSS cursor over the image. */
  readonly cursor: string;
  /** Whether dragging with it moves the image; its handler gets no presses then. */
  readonly pans?: boolean;
  /** The settings that it draws with. */
  readonly settings: readonly ToolSetting[];
  /** Why it cannot be used on the slices in view; null if it can. */
  unusable?(state: LabellerState): string | null;
  /** Whether it can be used now; always, if left out. Until then another tool stands in. */
  ready?(state: LabellerState): boolean;
  /** Alt and the wheel were turned by so many steps, up if positive. */
  turned?(state: LabellerState, steps: number): void;
  /** The handler of one view. */
  create(host: IToolHost): IToolHandler;
}

/** Handles pointer and keys in one view while its tool is in use. */
export interface IToolHandler {
  /** The main button went down, or a finger or pen touched. */
  press(event: IToolEvent): void;
  /** The pointer moved while it is pressed: all places since the last call. */
  drag?(events: IToolEvent[]): void;
  /** Another slice is shown, maybe while the pointer is down. */
  stepped?(): void;
  /** The pointer was lifted after {@link press}. {@link abort} comes instead if the press does not count. */
  release?(event: IToolEvent): void;
  /** The press does not count, for example because a second finger came down: take back what it did. */
  abort?(): void;
  /** The pointer moved without being pressed. */
  hover?(event: IToolEvent): void;
  /** The pointer left the image, or the user takes another tool. */
  leave?(): void;
  /** The user takes another tool. */
  putAway?(): void;
  /** The secondary button went down. */
  secondaryPress?(event: IToolEvent): void;
  /** Enter, or a double click. */
  finish?(): void;
  /** Escape. Returns whether there was something to drop. */
  cancel?(): boolean;
  /** Backspace. */
  removeLast?(): void;
  /** Undo. Returns whether the tool had something to take back; else the last change of labels is undone. */
  undo?(): boolean;
  /** Draw on the top layer; the context is in CSS pixels. {@link IToolHost.redraw} asks for it. */
  paint?(context: CanvasRenderingContext2D, view: ViewTransform): void;
}

/** One place of the pointer. */
export interface IToolEvent {
  /** In image coordinates. */
  image: IPoint;
  /** A finger cannot hover: it has shown nothing before it presses, and may turn out to be the first of two. */
  kind: PointerKind;
  altKey: boolean;
  shiftKey: boolean;
  /** Ctrl, or Command on a Mac. */
  accelKey: boolean;
  /** When the browser saw it, in milliseconds as `performance.now()` counts. */
  time: number;
}

/** The view that a handler works in. */
export interface IToolHost {
  readonly state: LabellerState;
  readonly view: ViewTransform;
  /** Draw the top layer again with the next frame. */
  redraw(): void;
}
