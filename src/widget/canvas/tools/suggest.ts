/**
 * SAM's suggestions: hover shows one, a click, a lifted finger or Enter accepts it, a right click changes its scale, Escape rejects it. Points, scribbles
 * and a box hold one instead and refine it, until Enter accepts or Escape drops it.
 */
import { IPoint, ViewTransform } from '../../base/geometry';
import { trans } from '../../base/translation';
import { LabellerState } from '../../state/labeller-state';
import { IPixel } from '../../state/suggestion';
import { ScaleChoice } from '../../state/suggestion-options';
import { Rect } from '../../../shared';
import { lineColour, paintLine } from './contour';
import { ITool, IToolEvent, IToolHandler, IToolHost } from './tool';

/** After accepting or rejecting, nothing is suggested until the pointer has moved this far, in CSS pixels. */
const QUIET = 10;
/** The pointer has to move this far for a box or a scribble, in CSS pixels. */
const LEAST = 5;
/** A click this near to the last one adds no point, in CSS pixels: it is the second one of a double click. */
const SAME = 3;
/** A scribble has a point for each of these lengths, in CSS pixels, and so many points at most. */
const SPACING = 24;
const SCRIBBLE_MAX = 8;

export const suggest: ITool = {
  name: 'suggest',
  get title() {
    return trans.__('Suggest');
  },
  get description() {
    return trans.__(
      'Suggest regions with SAM: click takes, right click changes the scale; Shift-click, Ctrl-click and dragged boxes refine, then Enter takes'
    );
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

/** What a press becomes: a click or a box; points inside the object, or outside of it. */
type Purpose = 'take' | 'inside' | 'outside';

/** The painter draws the suggestion, since all views show it; this handler draws its prompts. */
class SuggestHandler implements IToolHandler {
  constructor(private readonly _host: IToolHost) {}

  press(event: IToolEvent): void {
    if (event.kind === 'touch') {
      this.hover(event); // a finger shows the suggestion while it is down, and takes it when it is lifted
    } else {
      this._path = [event.image];
      this._purpose = event.shiftKey ? 'inside' : event.accelKey ? 'outside' : 'take';
    }
  }

  drag(events: IToolEvent[]): void {
    if (this._path) {
      this._path.push(...events.map(({ image }) => image));
      this._host.redraw();
    } else {
      const last = events[events.length - 1];
      if (last?.kind === 'touch') {
        this.hover(last);
      }
    }
  }

  release(event: IToolEvent): void {
    if (event.kind === 'touch') {
      this._click(event.image, 'take');
      return;
    }
    const path = this._path;
    if (!path) {
      return; // Escape dropped it meanwhile
    }
    this._path = null;
    path.push(event.image);
    const [first] = path as [IPoint, ...IPoint[]];
    const moved = path.some(point => this._distance(first, point) > LEAST);
    if (!moved) {
      this._click(first, this._purpose);
    } else if (this._purpose === 'take') {
      const box = boxOf(first, event.image);
      this._suggestions?.add({ box });
    } else {
      const points = this._sampled(path).flatMap(point => this._pixel(point) ?? []);
      addPoints(this._host.state, points, this._purpose === 'outside' ? 0 : 1);
    }
    this._host.redraw();
  }

  /** Only fingers are aborted, and these have taken nothing yet. */
  abort(): void {
    this.leave();
  }

  /** Another slice is shown: what was begun is not of it. */
  stepped(): void {
    this._path = null;
  }

  hover({ image }: IToolEvent): void {
    const pixel = this._pixel(image);
    if (pixel) {
      this._suggestions?.move(pixel, QUIET / this._host.view.scale);
    } else {
      this._suggestions?.leave();
    }
  }

  leave(): void {
    this._suggestions?.leave();
  }

  putAway(): void {
    this._path = null;
    this._suggestions?.clear();
    this._similar?.clear();
  }

  secondaryPress({ image }: IToolEvent): void {
    const { negativeClick } = this._host.state.settings.values;
    if (negativeClick === 'right' && this._suggestions?.held) {
      this._click(image, 'outside');
    } else {
      this._suggestions?.turn(1, true);
    }
  }

  finish(): void {
    if (!this._suggestions?.held && this._similar && this._similar.count > 0) {
      void this._host.state.acceptSimilar();
      return;
    }
    const place = this._suggestions?.place;
    if (place) {
      void this._host.state.accept(place);
    }
  }

  cancel(): boolean {
    const suggestions = this._suggestions;
    const drops =
      (!suggestions?.held && this._similar?.clear()) ||
      !!suggestions?.current ||
      !!suggestions?.held ||
      this._path !== null;
    this._path = null;
    suggestions?.reject();
    return drops;
  }

  removeLast(): void {
    this.undo();
  }

  undo(): boolean {
    return this._suggestions?.removeLast() ?? false;
  }

  paint(context: CanvasRenderingContext2D, view: ViewTransform): void {
    const held = this._suggestions?.held;
    const colour = lineColour(this._host, false);
    const [first] = this._path ?? [];
    const last = this._path?.[this._path.length - 1];
    const drags = first && last && this._distance(first, last) > LEAST;
    if (drags && this._purpose === 'take') {
      paintBox(context, view, boxOf(first, last), colour);
    } else if (held?.box) {
      paintBox(context, view, held.box, colour);
    }
    if (drags && this._purpose !== 'take') {
      paintLine(context, view, this._path!, lineColour(this._host, this._purpose === 'outside'), true);
    }
    for (const { row, column, label } of held?.points ?? []) {
      paintPoint(context, view.toScreen({ x: column + 0.5, y: row + 0.5 }), label === 1, colour);
    }
  }

  /** A click: it accepts a suggestion, or adds a point to the one that is held. */
  private _click(image: IPoint, purpose: Purpose): void {
    const pixel = this._pixel(image);
    if (!pixel) {
      return;
    }
    const held = this._suggestions?.held;
    if (purpose === 'take' && !held && this._similar?.drop(this._host.state.slice, pixel)) {
      return;
    }
    if (purpose === 'take' && !held) {
      void this._host.state.accept(pixel);
      return;
    }
    const last = held?.points[held.points.length - 1];
    if (!last || this._distance({ x: last.column + 0.5, y: last.row + 0.5 }, image) > SAME) {
      addPoints(this._host.state, [pixel], purpose === 'outside' ? 0 : 1);
    }
  }

  /** Points at equal distances along a path. */
  private _sampled(path: readonly IPoint[]): IPoint[] {
    const lengths = path.slice(1).map((point, i) => this._distance(path[i]!, point));
    const total = lengths.reduce((sum, length) => sum + length, 0);
    const count = Math.min(SCRIBBLE_MAX, 1 + Math.max(1, Math.round(total / SPACING)));
    let [segment, before] = [0, 0];
    return Array.from({ length: count }, (_, n) => {
      const at = (n * total) / (count - 1);
      while (segment < lengths.length - 1 && before + lengths[segment]! < at) {
        before += lengths[segment++]!;
      }
      const [a, b] = [path[segment]!, path[segment + 1]!];
      const part = Math.min(Math.max((at - before) / (lengths[segment]! || 1), 0), 1);
      return { x: a.x + (b.x - a.x) * part, y: a.y + (b.y - a.y) * part };
    });
  }

  private get _suggestions() {
    return this._host.state.parts?.suggestions;
  }

  private get _similar() {
    return this._host.state.parts?.similar;
  }

  /** The pixel at a place; null outside the image. */
  private _pixel(image: IPoint): IPixel | null {
    const size = this._host.state.parts?.image;
    const row = Math.floor(image.y);
    const column = Math.floor(image.x);
    return size && row >= 0 && column >= 0 && row < size.rows && column < size.columns ? { row, column } : null;
  }

  /** In CSS pixels. */
  private _distance(a: IPoint, b: IPoint): number {
    return Math.hypot(a.x - b.x, a.y - b.y) * this._host.view.scale;
  }

  /** Where the pointer has been since it was pressed; null if it is not. */
  private _path: IPoint[] | null = null;
  private _purpose: Purpose = 'take';
}

/** Add points inside (1) or outside (0) the object to the suggestion that is held, or hold one. */
export function addPoints(state: LabellerState, pixels: readonly IPixel[], label: 0 | 1): void {
  const suggestions = state.parts?.suggestions;
  if (label === 0 && suggestions && !suggestions.held) {
    state.hint(
      trans.__('Shift-click the object first, or drag a box around it; then Ctrl-click what does not belong to it.')
    );
    return;
  }
  suggestions?.add({ points: pixels.map(({ row, column }) => ({ row, column, label })) });
}

/** Choose the scale of suggestions, or that of what is held alone: see `Suggestions.choose`. */
export function chooseScale({ parts, suggestionOptions }: LabellerState, scale: ScaleChoice): void {
  if (parts) {
    parts.suggestions.choose(scale);
  } else {
    suggestionOptions.set({ scale });
  }
}

/** The pixels between two corners. */
function boxOf(a: IPoint, b: IPoint): Rect {
  return {
    row0: Math.floor(Math.min(a.y, b.y)),
    row1: Math.floor(Math.max(a.y, b.y)) + 1,
    column0: Math.floor(Math.min(a.x, b.x)),
    column1: Math.floor(Math.max(a.x, b.x)) + 1
  };
}

function paintBox(context: CanvasRenderingContext2D, view: ViewTransform, box: Rect, colour: string): void {
  const { row0: top, row1: bottom, column0: left, column1: right } = box;
  const corners = [
    { x: left, y: top },
    { x: right, y: top },
    { x: right, y: bottom },
    { x: left, y: bottom },
    { x: left, y: top }
  ];
  paintLine(context, view, corners, colour, true);
}

/** A disc with a plus for a point of the object, a white one with a minus for a point outside. */
function paintPoint(context: CanvasRenderingContext2D, { x, y }: IPoint, inside: boolean, colour: string): void {
  context.beginPath();
  context.arc(x, y, 6.5, 0, 2 * Math.PI);
  context.fillStyle = inside ? colour : '#ffffff';
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = 'rgba(0, 0, 0, 0.8)';
  context.stroke();
  context.beginPath();
  context.moveTo(x - 3, y);
  context.lineTo(x + 3, y);
  if (inside) {
    context.moveTo(x, y - 3);
    context.lineTo(x, y + 3);
  }
  context.lineWidth = 1.75;
  context.lineCap = 'round';
  context.strokeStyle = '#000000';
  context.stroke();
}
