/**
 * Draws the layers of a view. Lower layer: the image, the segmentation, the probability of a class, the uncertainty, a feature and the
 * labels, in this order.
 * Upper layer: the mark of a region and the suggestion. Tiles meet on whole device pixels, so that no seam is visible.
 */
import { IMAGE_TILE, intersection, LABEL_TILE, Rect } from '../../shared';
import { chooseLevel, ISize, ITileRef, levelSize, tilesIn, ViewTransform } from '../base/geometry';
import { dimOutside } from './dim';
import { ByteTiles } from '../tiles/byte-tiles';
import { contourLevel, partInImage } from '../tiles/contours';
import { makeGreys, makePalette, makeRamp } from '../tiles/lut';
import { IRepaint, RepaintedOverlay } from '../state/change';
import { IScreenArea } from './layers';
import { LabellerState } from '../state/labeller-state';
import { SessionParts } from '../state/session-parts';
import { IImageTileRef } from '../tiles/image-tiles';
import { IRows, LEVEL_MAX, LEVEL_MIN, OverlayPictures, reduceLevels } from '../tiles/overlay-pictures';
import { coveringKeys, LEVELS, reducedKey } from '../tiles/reduced-tiles';
import { segmentationKey } from '../tiles/segmentation-tiles';
import { makeUncertaintyPalette } from '../tiles/uncertainty-colors';

/** A slice without a picture yet is blank after this time, in milliseconds. Until then the slice before stays on the screen. */
const HOLD_MS = 500;

/** Milliseconds of a frame for drawing pictures of overlay tiles; the rest waits for the next frame. */
const FRAME_MS = 7;

/** How to draw the lower layer. */
export interface IBaseOptions {
  /** The area to draw again, in device pixels; null for all. */
  area: IScreenArea | null;
  /** Whether to draw the image alone. */
  hideOverlays: boolean;
}

/** The painter of one view. */
export class Painter {
  constructor(
    private readonly _state: LabellerState,
    private readonly _view: ViewTransform
  ) {
    this._pictures.preview.palette = makeGreys();
    this._pictures.uncertainty.palette = makeUncertaintyPalette();
  }

  /**
   * Tiles of an overlay changed: draw their pictures again.
   *
   * @returns the rectangle of the image that looks different, if less than all that shows the tiles
   */
  invalidate({ overlay, keys, area }: IRepaint): Rect | null {
    // The segmentation's pictures contain the labels, so that the segmentation does not shine through them.
    const concerned = overlay === 'labels' ? (['labels', 'segmentation'] as const) : ([overlay] as const);
    let alone = area !== undefined;
    for (const name of concerned) {
      const pictures = this._pictures[name];
      if (!keys) {
        pictures.invalidateAll();
        alone = false;
        continue;
      }
      const outlined = this._outlined(name);
      alone &&= !outlined;
      for (const key of keys) {
        pictures.invalidate(key, outlined ? undefined : area && rowsIn(key, area));
      }
      // Contours at a tile's edge depend on the tile beside it.
      const more = outlined ? keys.flatMap(withNeighbours) : name === 'segmentation' ? keys : [];
      const others = new Set(name === 'segmentation' ? more.flatMap(withCovering) : more);
      keys.forEach(key => others.delete(key));
      others.forEach(key => pictures.invalidate(key));
      if (name === 'segmentation' && overlay === name) {
        const training = this._state.parts?.segmentation.training ?? 0;
        [...keys, ...others].forEach(key => this._pictures.before.invalidate(`${training}|${key}`));
      }
    }
    return alone ? area! : null;
  }

  /**
   * Draw the lower layer, or an area of it after a change that {@link invalidate} has said to be less than all; `ratio` is device pixels a
   * CSS pixel.
   *
   * @returns whether all pictures are up to date; if not, draw again with the next frame.
   */
  base(context: CanvasRenderingContext2D, ratio: number, { area, hideOverlays }: IBaseOptions): boolean {
    const { segmentation, before, preview, uncertainty, probability } = this._pictures;
    const later = [segmentation, before, preview, uncertainty, probability];
    later.forEach(pictures => (pictures.late = false));
    const { parts } = this._state;
    this._seen = this._view.visible();
    this._partial = area !== null;
    if (!area) {
      this._upcoming = parts && this._view.width > 0 ? this._fetchImage(parts, ratio) : [];
    }
    if (parts && this._holds(context.canvas, parts, ratio)) {
      return false;
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (area) {
      this._seen = intersection(this._seen, this._inImage(area, ratio));
      context.save();
      context.beginPath();
      context.rect(area.x0, area.y0, area.x1 - area.x0, area.y1 - area.y0);
      context.clip();
    }
    this._base(context, ratio, hideOverlays);
    if (area) {
      context.restore();
    }
    return !later.some(pictures => pictures.late);
  }

  private _base(context: CanvasRenderingContext2D, ratio: number, hideOverlays: boolean): void {
    const parts = this._state.parts;
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    if (!parts || this._view.width === 0) {
      return;
    }
    this._image(context, parts, ratio);
    if (!hideOverlays) {
      this._overlays(context, parts, ratio);
      if (parts.direction === 'xy') {
        dimOutside(context, this._state, this._view, ratio);
      }
    }
  }

  private _overlays(context: CanvasRenderingContext2D, parts: SessionParts, ratio: number): void {
    const { values } = this._state.settings;
    this._recolour();
    const slice = this._state.slice;
    const { labels, segmentation, preview } = parts;
    const level = overlayLevel(parts.image, this._view, ratio);
    const visible = tilesIn(this._seen, LABEL_TILE, level);
    // Labels stay in sight while there is no segmentation: else strokes would be drawn and not seen.
    const onlySegmentation = values.shown === 'segmentation' && segmentation.version > 0;
    if (values.shown !== 'labels' && values.segmentationOpacity > 0) {
      if (!this._partial) {
        segmentation.want(slice, visible, this._upcoming, level);
      }
      if (segmentation.size.tiles > 0) {
        this._segmentation(context, parts, ratio, visible, level);
      }
    }
    for (const name of ['probability', 'uncertainty'] as const) {
      const opacity = values[`${name}Opacity`];
      if (parts[name].shown && opacity > 0) {
        this._bytes(context, ratio, name, parts[name], opacity, visible, level);
      }
    }
    if (preview.shown) {
      this._bytes(context, ratio, 'preview', preview, preview.opacity, tilesIn(this._seen, LABEL_TILE), 0);
    }
    if (!this._partial) {
      this._upcoming.forEach(next => labels.slice(next));
    }
    const drawn = labels.slice(slice);
    if (!onlySegmentation && values.labelOpacity > 0) {
      this._overlay(context, ratio, 'labels', values.labelOpacity, drawn.in(this._seen), 0, tile => ({
        key: segmentationKey(slice, tile),
        values: () => drawn.tile(tile.row, tile.column)
      }));
    }
  }

  /** Draw the segmentation, or what was before the last training, or both beside each other. */
  private _segmentation(
    context: CanvasRenderingContext2D,
    { segmentation, comparison }: SessionParts,
    ratio: number,
    visible: ITileRef[],
    level: number
  ): void {
    const { slice } = this._state;
    const { segmentationOpacity: opacity } = this._state.settings.values;
    const { width, height } = context.canvas;
    const edge = comparison.before ? width : Math.round((comparison.line ?? 0) * width);
    const within = (from: number, to: number, draw: () => void) => {
      if (from < to) {
        context.save();
        context.beginPath();
        context.rect(from, 0, to - from, height);
        context.clip();
        draw();
        context.restore();
      }
    };
    within(0, edge, () =>
      this._overlay(context, ratio, 'before', opacity, visible, level, tile => ({
        key: `${segmentation.training}|${reducedKey(slice, { ...tile, level })}`,
        values: () => segmentation.before(slice, { ...tile, level })
      }))
    );
    within(edge, width, () =>
      this._overlay(context, ratio, 'segmentation', opacity, visible, level, tile => ({
        key: reducedKey(slice, { ...tile, level }),
        values: () => segmentation.classes(slice, { ...tile, level })
      }))
    );
  }

  /** Fetch and draw an overlay of bytes. */
  private _bytes(
    context: CanvasRenderingContext2D,
    ratio: number,
    name: 'probability' | 'uncertainty' | 'preview',
    tiles: ByteTiles,
    opacity: number,
    visible: ITileRef[],
    level: number
  ): void {
    const slice = this._state.slice;
    if (!this._partial) {
      tiles.want(slice, visible, level);
    }
    if (tiles.drawn) {
      this._overlay(context, ratio, name, opacity, visible, level, tile => ({
        key: tiles.key(slice, tile, level),
        values: () => tiles.levels(slice, tile, level)
      }));
    }
  }

  /** Mark the region where labels help most; the context is in CSS pixels. */
  mark(context: CanvasRenderingContext2D): void {
    const region = this._state.parts?.guide.region;
    if (region && region.slice === this._state.slice) {
      const from = this._view.toScreen({ x: region.column0, y: region.row0 });
      const to = this._view.toScreen({ x: region.column1, y: region.row1 });
      drawMark(context, from.x, from.y, to.x - from.x, to.y - from.y);
    }
  }

  /** The image tiles to draw. */
  private _imageTiles(parts: SessionParts, ratio: number): IImageTileRef[] {
    const level = chooseLevel(parts.image, this._view.scale * ratio);
    const { slice } = this._state;
    return tilesIn(this._seen, IMAGE_TILE, level).map(tile => ({ ...tile, slice, level }));
  }

  /** Fetch the image tiles in view, then those of the upcoming slices. Returns these slices. */
  private _fetchImage(parts: SessionParts, ratio: number): number[] {
    if (!this._state.session?.imageReady) {
      return [];
    }
    const tiles = this._imageTiles(parts, ratio);
    const upcoming = parts.upcoming.after(this._state.slice, tiles.length);
    parts.tiles.want(tiles, upcoming);
    return upcoming;
  }

  /** Whether to leave the last slice on the screen, because the one that the user stepped to has no picture yet. */
  private _holds({ width, height }: HTMLCanvasElement, parts: SessionParts, ratio: number): boolean {
    const { slice } = this._state;
    const now = performance.now();
    const last = this._drawn;
    // A canvas of another size is blank.
    const stepped = last?.parts === parts && last.slice !== slice && last.width === width && last.height === height;
    if (stepped && !this._imageTiles(parts, ratio).some(tile => parts.tiles.picture(tile))) {
      if (this._held?.slice !== slice) {
        this._held = { slice, since: now };
      }
      if (now - this._held.since < HOLD_MS) {
        return true;
      }
    }
    this._drawn = { parts, slice, width, height };
    this._held = null;
    return false;
  }

  private _image(context: CanvasRenderingContext2D, parts: SessionParts, ratio: number): void {
    const scale = this._view.scale * ratio;
    const level = chooseLevel(parts.image, scale);
    const tiles = this._imageTiles(parts, ratio);
    const by = 2 ** level;
    const size = levelSize(parts.image, level);
    for (const tile of tiles) {
      const picture = parts.tiles.picture(tile);
      if (!picture) {
        continue;
      }
      // Enlarged pixels are squares; reduced ones, and coarser levels in place of missing tiles, are smoothed.
      context.imageSmoothingEnabled = scale * by < 1 || !picture.exact;
      const target = this._target(
        tile.row * IMAGE_TILE * by,
        tile.column * IMAGE_TILE * by,
        Math.min((tile.row + 1) * IMAGE_TILE, size.rows) * by,
        Math.min((tile.column + 1) * IMAGE_TILE, size.columns) * by,
        ratio
      );
      const { canvas, x, y, width, height } = picture;
      context.drawImage(canvas, x, y, width, height, ...target);
    }
  }

  private _overlay(
    context: CanvasRenderingContext2D,
    ratio: number,
    name: RepaintedOverlay | 'preview' | 'before',
    opacity: number,
    tiles: readonly ITileRef[],
    reduced: number,
    find: (tile: ITileRef) => { key: string; values(): Uint8Array | undefined }
  ): void {
    // Labels follow the pointer and are never left for the next frame.
    const until = name === 'labels' ? Infinity : performance.now() + FRAME_MS;
    // From here on a pixel is one of the tiles, which may be reduced.
    const side = 2 ** reduced;
    const scale = this._view.scale * ratio * side;
    const full = this._state.parts!.image;
    const image = levelSize(full, reduced);
    const outlined = this._outlined(name);
    const level = outlined
      ? contourLevel(scale, LEVEL_MIN, LEVEL_MAX)
      : Math.min(LEVEL_MAX, Math.max(0, Math.floor(Math.log2(1 / scale) + 1e-6)));
    const pictures = this._pictures[name];
    if (!this._partial) {
      pictures.reserve(tiles.length, level);
    }
    /** A tile beside another: a tile without labels is blank, other ones are unknown until they arrive. */
    const beside = (row: number, column: number) => {
      const inside = row >= 0 && column >= 0 && row * LABEL_TILE < image.rows && column * LABEL_TILE < image.columns;
      return inside ? (find({ row, column }).values() ?? (name === 'labels' ? null : undefined)) : undefined;
    };
    // A line is harder to see than an area: it counts twice.
    context.globalAlpha = outlined ? 1 - (1 - opacity) ** 2 : opacity;
    context.imageSmoothingEnabled = false;
    for (const tile of tiles) {
      const { key, values } = find(tile);
      const around = () => ({
        ...partInImage(tile, image),
        above: beside(tile.row - 1, tile.column),
        below: beside(tile.row + 1, tile.column),
        left: beside(tile.row, tile.column - 1),
        right: beside(tile.row, tile.column + 1)
      });
      const picture = pictures.get(key, level, values, until, outlined ? around : undefined);
      if (picture) {
        // Clip to the image.
        const { rows: height, columns: width } = partInImage(tile, image);
        const target = this._target(
          tile.row * LABEL_TILE * side,
          tile.column * LABEL_TILE * side,
          Math.min((tile.row * LABEL_TILE + height) * side, full.rows),
          Math.min((tile.column * LABEL_TILE + width) * side, full.columns),
          ratio
        );
        const by = 2 ** level;
        context.drawImage(picture, 0, 0, width / by, height / by, ...target);
      }
    }
    context.globalAlpha = 1;
  }

  /** The rectangle of the image under an area of the layer. */
  private _inImage({ x0, y0, x1, y1 }: IScreenArea, ratio: number): Rect {
    const from = this._view.toImage({ x: x0 / ratio, y: y0 / ratio });
    const to = this._view.toImage({ x: x1 / ratio, y: y1 / ratio });
    return { row0: Math.floor(from.y), row1: Math.ceil(to.y), column0: Math.floor(from.x), column1: Math.ceil(to.x) };
  }

  /** A rectangle of the image in whole device pixels: x, y, width, height. */
  private _target(
    row0: number,
    column0: number,
    row1: number,
    column1: number,
    ratio: number
  ): [number, number, number, number] {
    const from = this._view.toScreen({ x: column0, y: row0 });
    const to = this._view.toScreen({ x: column1, y: row1 });
    const x = Math.round(from.x * ratio);
    const y = Math.round(from.y * ratio);
    return [x, y, Math.round(to.x * ratio) - x, Math.round(to.y * ratio) - y];
  }

  private _recolour(): void {
    const classes = this._state.session?.classes ?? [];
    const shown = classes.filter(({ id }) => !this._state.session?.marks.hidden.includes(id));
    const key = shown.map(({ id, color }) => `${id}${color}`).join();
    if (key !== this._colours) {
      this._colours = key;
      const palette = makePalette(shown);
      this._pictures.labels.palette = this._pictures.segmentation.palette = this._pictures.before.palette = palette;
    }
    const { classId } = this._state.parts!.probability;
    const color = classes.find(({ id }) => id === classId)?.color ?? '#ffffff';
    if (color !== this._probabilityColour) {
      this._probabilityColour = color;
      this._pictures.probability.palette = makeRamp(color);
    }
  }

  /** Whether an overlay is drawn as contours. */
  private _outlined(name: RepaintedOverlay | 'preview' | 'before'): boolean {
    const { values } = this._state.settings;
    switch (name) {
      case 'labels':
        return values.labelOutline;
      case 'preview':
        return false;
      case 'before':
        return values.segmentationOutline;
      default:
        return values[`${name}Outline`];
    }
  }

  private readonly _pictures = {
    labels: new OverlayPictures(),
    segmentation: new OverlayPictures(),
    before: new OverlayPictures(),
    preview: new OverlayPictures(reduceLevels),
    uncertainty: new OverlayPictures(reduceLevels),
    probability: new OverlayPictures(reduceLevels)
  };
  /** The part of the image that is being drawn. */
  private _seen: Rect = { row0: 0, row1: 0, column0: 0, column1: 0 };
  /** Whether it is less than what is in view: then all tiles in view were asked for before. */
  private _partial = false;
  private _colours = '';
  private _probabilityColour = '';
  /** The slices to fetch ahead. */
  private _upcoming: readonly number[] = [];
  /** The slice on the screen, and the one that has no picture yet, if it stays there in its place. */
  private _drawn: { parts: SessionParts; slice: number; width: number; height: number } | null = null;
  private _held: { slice: number; since: number } | null = null;
}

/** Tiles of an overlay that a view needs at full resolution without being asked for reduced ones. */
const FULL_TILES_MAX = 64;

/**
 * The level of an overlay's tiles: 0 unless many tiles are in view, so that most images have one kind only; never coarser than the screen.
 */
export function overlayLevel(image: ISize, view: ViewTransform, ratio: number): number {
  const most = Math.max(0, Math.floor(Math.log2(1 / (view.scale * ratio)) + 1e-6));
  const { row0, row1, column0, column1 } = view.visible();
  const count = (from: number, to: number, side: number) => Math.ceil(to / side) - Math.floor(from / side);
  for (let level = 0; ; level++) {
    const side = LABEL_TILE * 2 ** level;
    const whole = side >= Math.max(image.rows, image.columns);
    if (level >= Math.min(most, LEVELS) || whole) {
      return level;
    }
    if (count(row0, row1, side) * count(column0, column1, side) <= FULL_TILES_MAX) {
      return level;
    }
  }
}

/** The rows of a tile that lie in a rectangle of its slice. */
function rowsIn(key: string, { row0, row1 }: Rect): IRows {
  const top = LABEL_TILE * Number(key.split('/').at(-2));
  return { from: Math.max(0, row0 - top), to: Math.min(LABEL_TILE, row1 - top) };
}

/** A tile's key with those of the tiles of all levels that cover it. */
function withCovering(key: string): string[] {
  const match = /^(\d+)\/(\d+)\/(\d+)$/.exec(key);
  if (!match) {
    return [key]; // of a level
  }
  const [slice, row, column] = match.slice(1).map(Number) as [number, number, number];
  return [key, ...coveringKeys(slice, [{ row, column }])];
}

/** A tile's key (`…/row/column`) with those of the tiles around it. */
function withNeighbours(key: string): string[] {
  const parts = key.split('/');
  const column = Number(parts.pop());
  const row = Number(parts.pop());
  const keyAt = (r: number, c: number) => [...parts, r, c].join('/');
  return [key, keyAt(row - 1, column), keyAt(row + 1, column), keyAt(row, column - 1), keyAt(row, column + 1)];
}

/** Draw the mark around a region, in CSS pixels. It is light on dark, to be visible on any image. */
function drawMark(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
  context.save();
  context.lineJoin = 'round';
  context.beginPath();
  context.rect(x - 2, y - 2, width + 4, height + 4);
  context.lineWidth = 4;
  context.strokeStyle = 'rgba(0, 0, 0, 0.65)';
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = '#ffffff';
  context.stroke();
  context.setLineDash([7, 7]);
  context.strokeStyle = '#ff7f0e';
  context.stroke();
  context.restore();
}
