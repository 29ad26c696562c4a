/**
 * Converts between image and screen coordinates. Image coordinates are continuous: pixel (row, column) covers
 * [column, column + 1) × [row, row + 1) in (x, y), its centre is at + 0.5. Screen coordinates are CSS pixels from the
 * upper left corner of the canvas.
 */
import { IMAGE_TILE, ISize, LEVEL_MAX, levelSize, Rect } from '../../shared';

export { levelSize, type ISize };

/** A point in image or screen coordinates; the variable's name says which. */
export interface IPoint {
  x: number;
  y: number;
}

/** A region is shown at least this large, in CSS pixels, and in at most this share of the view. */
const SHOWN_LEAST = 72;
const SHOWN_BEST = 160;
const SHOWN_MOST = 0.7;

/** Fingers closer than this, in CSS pixels, do not zoom further. */
const PINCH_LEAST = 24;

/** Largest side of an image pixel on the screen, in CSS pixels. */
const SCALE_MAX = 64;

/** Scale and position of the image on the canvas. Only the methods change the values. */
export class ViewTransform {
  constructor(private _image: ISize) {}

  /** CSS pixels per image pixel. */
  get scale(): number {
    return this._scale;
  }

  /** Size of the canvas in CSS pixels. */
  get width(): number {
    return this._width;
  }

  get height(): number {
    return this._height;
  }

  /** The scale that shows the whole image. */
  get fitScale(): number {
    return Math.min(this._width / this._image.columns, this._height / this._image.rows, SCALE_MAX) || 1;
  }

  /** Take a new size of the canvas. The point in its middle stays there, or the whole image stays in view. */
  resize(width: number, height: number): void {
    const middle = this.toImage({ x: this._width / 2, y: this._height / 2 });
    this._width = width;
    this._height = height;
    if (this._fitted) {
      this.fit();
      return;
    }
    this._x = middle.x - width / 2 / this._scale;
    this._y = middle.y - height / 2 / this._scale;
    this._clamp();
  }

  /** Show the whole image. */
  fit(): void {
    this._fitted = true;
    this._scale = this.fitScale;
    this._x = (this._image.columns - this._width / this._scale) / 2;
    this._y = (this._image.rows - this._height / this._scale) / 2;
  }

  /** Zoom by a factor; the image point under `at` stays under it. */
  zoomAt(at: IPoint, factor: number): void {
    const fixed = this.toImage(at);
    const least = Math.min(this.fitScale / 2, 1);
    this._scale = Math.min(Math.max(this._scale * factor, least), SCALE_MAX);
    this._x = fixed.x - at.x / this._scale;
    this._y = fixed.y - at.y / this._scale;
    this._fitted = false;
    this._clamp();
  }

  /** Move the image by CSS pixels. */
  panBy(dx: number, dy: number): void {
    this._x -= dx / this._scale;
    this._y -= dy / this._scale;
    this._fitted = false;
    this._clamp();
  }

  /** Two fingers moved: the image points under them follow. */
  pinch(from: readonly [IPoint, IPoint], to: readonly [IPoint, IPoint]): void {
    const middle = ([a, b]: readonly [IPoint, IPoint]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
    const span = ([a, b]: readonly [IPoint, IPoint]) => Math.max(Math.hypot(a.x - b.x, a.y - b.y), PINCH_LEAST);
    const target = middle(to);
    this.panBy(target.x - middle(from).x, target.y - middle(from).y);
    this.zoomAt(target, span(to) / span(from));
  }

  /**
   * Bring a region into view: enlarge a tiny one, reduce one that does not fit, and leave one that is well in view.
   *
   * @returns whether scale or position changed.
   */
  show({ row0, row1, column0, column1 }: Rect): boolean {
    const side = Math.max(row1 - row0, column1 - column0, 1);
    const room = Math.min(this._width, this._height);
    if (room === 0) {
      return false;
    }
    const most = (SHOWN_MOST * room) / side;
    const tiny = side * this._scale < SHOWN_LEAST;
    const wanted = Math.min(tiny ? SHOWN_BEST / side : this._scale, most, SCALE_MAX);
    const from = this.toScreen({ x: column0, y: row0 });
    const to = this.toScreen({ x: column1, y: row1 });
    const margin = 0.1 * room;
    const inside =
      from.x >= margin && from.y >= margin && to.x <= this._width - margin && to.y <= this._height - margin;
    if (inside && wanted === this._scale) {
      return false;
    }
    this._fitted = false;
    this._scale = wanted;
    this._x = (column0 + column1 - this._width / wanted) / 2;
    this._y = (row0 + row1 - this._height / wanted) / 2;
    this._clamp();
    return true;
  }

  toImage(screen: IPoint): IPoint {
    return { x: this._x + screen.x / this._scale, y: this._y + screen.y / this._scale };
  }

  toScreen(image: IPoint): IPoint {
    return { x: (image.x - this._x) * this._scale, y: (image.y - this._y) * this._scale };
  }

  /** The image's pixels that are at least partly in view. */
  visible(): Rect {
    const from = this.toImage({ x: 0, y: 0 });
    const to = this.toImage({ x: this._width, y: this._height });
    const clip = (value: number, most: number) => Math.min(Math.max(value, 0), most);
    return {
      row0: clip(Math.floor(from.y), this._image.rows),
      row1: clip(Math.ceil(to.y), this._image.rows),
      column0: clip(Math.floor(from.x), this._image.columns),
      column1: clip(Math.ceil(to.x), this._image.columns)
    };
  }

  /** Keep the middle of the canvas on the image, so that the user cannot lose sight of it. */
  private _clamp(): void {
    const halfWidth = this._width / 2 / this._scale;
    const halfHeight = this._height / 2 / this._scale;
    this._x = Math.min(Math.max(this._x, -halfWidth), this._image.columns - halfWidth);
    this._y = Math.min(Math.max(this._y, -halfHeight), this._image.rows - halfHeight);
  }

  private _scale = 1;
  private _x = 0;
  private _y = 0;
  private _width = 0;
  private _height = 0;
  private _fitted = true;
}

/** The coarsest level: the whole image fits in one tile. */
export function topLevel(image: ISize): number {
  const longest = Math.max(image.rows, image.columns);
  return Math.min(LEVEL_MAX, Math.max(0, Math.ceil(Math.log2(longest / IMAGE_TILE))));
}

/** The level to draw at `scale` device pixels per image pixel: never coarser than the screen, and less than twice as fine. */
export function chooseLevel(image: ISize, scale: number): number {
  return Math.min(topLevel(image), Math.max(0, Math.floor(Math.log2(1 / scale) + 1e-6)));
}

/** Level, row and column of a tile. */
export interface ITileRef {
  row: number;
  column: number;
}

/** A tile's row and column as one number, a key that is faster than a string: columns are below 2^16. */
export function tileKey(row: number, column: number): number {
  return row * 65536 + column;
}

/** The tiles of side `tile · 2^level` image pixels that a region touches, nearest to its middle first. */
export function tilesIn(region: Rect, tile: number, level = 0): ITileRef[] {
  if (region.row1 <= region.row0 || region.column1 <= region.column0) {
    return [];
  }
  const side = tile * 2 ** level;
  const tiles: ITileRef[] = [];
  for (let row = Math.floor(region.row0 / side); row * side < region.row1; row++) {
    for (let column = Math.floor(region.column0 / side); column * side < region.column1; column++) {
      tiles.push({ row, column });
    }
  }
  const middleRow = (region.row0 + region.row1) / 2 / side - 0.5;
  const middleColumn = (region.column0 + region.column1) / 2 / side - 0.5;
  const distance = (t: ITileRef) => (t.row - middleRow) ** 2 + (t.column - middleColumn) ** 2;
  return tiles.sort((a, b) => distance(a) - distance(b));
}
