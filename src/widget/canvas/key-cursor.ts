/**
 * A cross-hair that keys move over the image, so that all tools work without a pointer. It presses, drags and lifts the tool in use
 * as a mouse would, and says in words where it is and what it does.
 */
import { LabellerState } from '../state/labeller-state';
import { IPoint } from '../base/geometry';
import { element, setText } from '../base/dom';
import { trans } from '../base/translation';
import { Navigation } from './navigation';
import { IHover } from './pointer-events';
import { ToolInUse } from './tool-in-use';
import { currentTool, IToolEvent } from './tools';

/** CSS pixels that a step moves it; one image pixel at least. */
const STEP = 5;
const FAR_STEP = 40;

/** Share of the view that a step moves the image while there is no cross-hair. */
const PAN = 0.1;
const FAR_PAN = 0.5;

/** The cross-hair stays this far from the edges of the view, in CSS pixels: the image moves under it. */
const MARGIN = 40;

/** A position is told this long after the last step, in milliseconds. */
const TELL_MS = 350;

/** The cross-hair of one view. */
export class KeyCursor {
  constructor(private readonly _options: KeyCursor.IOptions) {}

  /** Speaks to screen readers, and is not seen. */
  readonly node = element('div', {
    class: 'sambalab-spoken',
    role: 'status',
    'aria-live': 'polite',
    'data-testid': 'sambalab-spoken'
  });

  /** Where it is in the image; null if it is off. */
  get at(): IPoint | null {
    return this._at;
  }

  /** Whether it holds the tool down. */
  get pressed(): boolean {
    return this._pressed;
  }

  /** Show it in the middle of the view, or take it away. */
  toggle(): void {
    if (this._at) {
      this.release();
      this._at = null;
      clearTimeout(this._timer);
      this._options.tools.handler.leave?.();
      this._options.hovered(null);
      this._say(trans.__('The cross-hair is off.'));
    } else {
      const { view } = this._options.navigation;
      this._at = this._inside(view.toImage({ x: view.width / 2, y: view.height / 2 }));
      this._hover();
      this._say(
        trans.__('The cross-hair is on: arrow keys move it, Space presses the tool, Enter finishes. %1', this._where())
      );
    }
    this._options.redraw();
  }

  /** Move it by steps right and down; without it, move the view there. */
  move(right: number, down: number, far: boolean): void {
    const { navigation } = this._options;
    const { view } = navigation;
    if (!this._at) {
      const share = far ? FAR_PAN : PAN;
      navigation.pan({ x: right * view.width * share, y: down * view.height * share }, { x: 0, y: 0 });
      return;
    }
    const step = Math.max(1, Math.round((far ? FAR_STEP : STEP) / view.scale));
    this._at = this._inside({ x: this._at.x + right * step, y: this._at.y + down * step });
    this._follow();
    if (this._pressed) {
      this._options.tools.handler.drag?.([this._event()]);
    }
    this._hover();
    this._options.redraw();
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._say(this._where()), TELL_MS);
  }

  /** Press the tool in use. */
  press(): void {
    const { tools, busy } = this._options;
    if (this._at && !this._pressed && !tools.pans && !busy()) {
      this._pressed = true;
      tools.press(this._event(), 'draw');
      this._options.redraw();
    }
  }

  /** Lift the tool. */
  release(): void {
    if (!this._at || !this._pressed) {
      return;
    }
    this._pressed = false;
    const { tools, state } = this._options;
    tools.release(this._event());
    this._hover();
    clearTimeout(this._timer);
    const current = state.currentClass?.name ?? '';
    this._say(trans.__('%1, class %2, at %3', currentTool(state).title, current, this._place()));
  }

  /** Finish what the tool has begun; a tool that has nothing to finish is held down until the next time. */
  finish(): void {
    const { handler } = this._options.tools;
    if (!this._at || handler.finish) {
      handler.finish?.();
      if (this._at) {
        this._say(trans.__('Done. %1', this._where()));
      }
    } else if (this._pressed) {
      this.release();
    } else {
      this.press();
      this._say(trans.__('The tool is held down: arrow keys draw, Enter lifts it.'));
    }
  }

  /** Draw the cross-hair; the context is in CSS pixels. */
  paint(context: CanvasRenderingContext2D): void {
    if (!this._at) {
      return;
    }
    const { x, y } = this._options.navigation.view.toScreen(this._at);
    for (const [width, style] of [
      [4.5, 'rgba(0, 0, 0, 0.65)'],
      [1.75, this._pressed ? '#ffd43b' : '#ffffff']
    ] as const) {
      context.beginPath();
      for (const [dx, dy] of [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1]
      ] as const) {
        context.moveTo(x + 5 * dx, y + 5 * dy);
        context.lineTo(x + 17 * dx, y + 17 * dy);
      }
      context.lineCap = 'round';
      context.lineWidth = width;
      context.strokeStyle = style;
      context.stroke();
    }
  }

  dispose(): void {
    clearTimeout(this._timer);
  }

  /** The centre of the nearest pixel of the image. */
  private _inside({ x, y }: IPoint): IPoint {
    const { rows, columns } = this._options.state.parts!.image;
    const within = (value: number, size: number) => Math.min(Math.max(Math.floor(value), 0), size - 1) + 0.5;
    return { x: within(x, columns), y: within(y, rows) };
  }

  /** Move the view if the cross-hair is about to leave it. */
  private _follow(): void {
    const { navigation } = this._options;
    const { x, y } = navigation.view.toScreen(this._at!);
    const past = (at: number, size: number) => {
      const margin = Math.min(MARGIN, size / 4);
      return Math.max(at - (size - margin), 0) + Math.min(at - margin, 0);
    };
    const from = { x: past(x, navigation.view.width), y: past(y, navigation.view.height) };
    if (from.x !== 0 || from.y !== 0) {
      navigation.pan(from, { x: 0, y: 0 });
    }
  }

  private _event(): IToolEvent {
    return {
      image: this._at!,
      kind: 'mouse',
      altKey: false,
      shiftKey: false,
      accelKey: false,
      time: performance.now()
    };
  }

  private _hover(): void {
    const { tools, hovered } = this._options;
    if (!this._pressed) {
      tools.handler.hover?.(this._event());
    }
    hovered({ row: Math.floor(this._at!.y), column: Math.floor(this._at!.x) });
  }

  private _place(): string {
    return trans.__('row %1, column %2', Math.floor(this._at!.y), Math.floor(this._at!.x));
  }

  /** The place, and the class there. */
  private _where(): string {
    const { parts, slice, session } = this._options.state;
    const [row, column] = [Math.floor(this._at!.y), Math.floor(this._at!.x)];
    const name = (id: number) => session?.classes.find(item => item.id === id)?.name;
    const label = name(parts?.labels.slice(slice).at(row, column) ?? 0);
    const segmented = name(parts?.segmentation.at(slice, row, column) ?? 0);
    return label
      ? trans.__('%1: labelled %2', this._place(), label)
      : segmented
        ? trans.__('%1: no label, segmented as %2', this._place(), segmented)
        : trans.__('%1: no label', this._place());
  }

  private _say(text: string): void {
    setText(this.node, text);
  }

  private _at: IPoint | null = null;
  private _pressed = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

/** The namespace for {@link KeyCursor}. */
export namespace KeyCursor {
  export interface IOptions {
    state: LabellerState;
    navigation: Navigation;
    tools: ToolInUse;
    /** Whether a pointer is down. */
    busy(): boolean;
    /** Tells the pixel under the cross-hair. */
    hovered(at: IHover | null): void;
    /** Draws the top layer again. */
    redraw(): void;
  }
}
