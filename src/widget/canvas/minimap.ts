/** A small map of the whole image in a corner, with the part that is in view. It is shown while a part is out of view; dragging moves the view. */
import { IPoint, ISize, topLevel } from '../base/geometry';
import { element } from '../base/dom';
import { trans } from '../base/translation';
import { LabellerState } from '../state/labeller-state';
import { Navigation } from './navigation';

/** Longest side in CSS pixels, and the longest part of the view's sides. */
const SIDE = 128;
const PART = 0.3;
/** The shortest side; of a strip, the map is wider than it should be. */
const SIDE_LEAST = 10;

/** The map of one view. */
export class Minimap {
  constructor(private readonly _options: Minimap.IOptions) {
    this.node.hidden = true;
    for (const type of ['pointerdown', 'pointermove', 'pointerup', 'pointercancel', 'dblclick'] as const) {
      this.node.addEventListener(type, event => this._onPointer(event as PointerEvent));
    }
  }

  readonly node = element('canvas', {
    class: 'sambalab-minimap',
    title: trans.__('Drag to move the view'),
    'aria-hidden': 'true',
    'data-testid': 'sambalab-minimap'
  });

  /** Draw it, or hide it. `ratio` is device pixels a CSS pixel. */
  draw(ratio: number): void {
    const { state, navigation, image } = this._options;
    const { view } = navigation;
    const { row0, row1, column0, column1 } = view.visible();
    const all = row0 === 0 && column0 === 0 && row1 === image.rows && column1 === image.columns;
    this.node.hidden = all || !state.settings.values.minimap || view.width === 0;
    const picture = state.parts?.tiles.picture({ slice: state.slice, level: topLevel(image), row: 0, column: 0 });
    if (this.node.hidden || !picture) {
      return;
    }
    const scale = Math.min(
      Math.min(SIDE, view.width * PART) / image.columns,
      Math.min(SIDE, view.height * PART) / image.rows
    );
    const width = Math.max(SIDE_LEAST, Math.round(image.columns * scale));
    const height = Math.max(SIDE_LEAST, Math.round(image.rows * scale));
    this._size = { columns: width, rows: height };
    this.node.style.width = `${width}px`;
    this.node.style.height = `${height}px`;
    this.node.width = Math.round(width * ratio);
    this.node.height = Math.round(height * ratio);
    const context = this.node.getContext('2d');
    if (!context) {
      return;
    }
    context.scale(ratio, ratio);
    context.imageSmoothingQuality = 'high';
    context.drawImage(picture.canvas, picture.x, picture.y, picture.width, picture.height, 0, 0, width, height);
    const [x, y] = [(column0 / image.columns) * width, (row0 / image.rows) * height];
    const [w, h] = [((column1 - column0) / image.columns) * width, ((row1 - row0) / image.rows) * height];
    // Light on dark, to be seen on any image; never smaller than can be seen.
    context.fillStyle = 'rgba(0, 0, 0, 0.35)';
    context.beginPath();
    context.rect(0, 0, width, height);
    context.rect(x, y, w, h);
    context.fill('evenodd');
    context.lineWidth = 3;
    context.strokeStyle = 'rgba(0, 0, 0, 0.7)';
    context.strokeRect(x, y, Math.max(w, 3), Math.max(h, 3));
    context.lineWidth = 1.25;
    context.strokeStyle = '#ffffff';
    context.strokeRect(x, y, Math.max(w, 3), Math.max(h, 3));
  }

  private _onPointer(event: PointerEvent): void {
    // The tool below must not draw.
    event.stopPropagation();
    if (event.type === 'pointerdown' && event.button === 0) {
      event.preventDefault();
      this._pressed = true;
      this.node.setPointerCapture?.(event.pointerId);
    } else if (event.type === 'pointerup' || event.type === 'pointercancel') {
      this._pressed = false;
    }
    if (this._pressed) {
      this._lookAt(event);
    }
  }

  /** Bring the place under the pointer into the middle of the view. */
  private _lookAt({ clientX, clientY }: PointerEvent): void {
    const { navigation, image } = this._options;
    const { left, top, width, height } = this.node.getBoundingClientRect();
    const part = {
      x: (clientX - left) / (width || this._size.columns),
      y: (clientY - top) / (height || this._size.rows)
    };
    const place: IPoint = { x: part.x * image.columns, y: part.y * image.rows };
    const { view } = navigation;
    navigation.pan(view.toScreen(place), { x: view.width / 2, y: view.height / 2 });
  }

  private _size: ISize = { rows: 1, columns: 1 };
  private _pressed = false;
}

/** The namespace for {@link Minimap}. */
export namespace Minimap {
  export interface IOptions {
    state: LabellerState;
    navigation: Navigation;
    image: ISize;
  }
}
