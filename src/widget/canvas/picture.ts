/**
 * Draws the picture of a labeller that a saved notebook keeps: the slice that is shown, its segmentation and its labels, as PNG.
 * It needs no answer of the sidecar, so that it is right at the moment of saving. Python draws the first one (`picture.py`).
 */
import { IMAGE_TILE, LABEL_TILE, PICTURE } from '../../shared';
import { chooseLevel, ISize, ITileRef, levelSize, tilesIn } from '../base/geometry';
import { LabellerState } from '../state/labeller-state';
import { SessionParts } from '../state/session-parts';
import { makePalette } from '../tiles/lut';
import { LEVEL_MAX, OverlayPictures } from '../tiles/overlay-pictures';
import { segmentationKey } from '../tiles/segmentation-tiles';

/** The picture in base64; null while the image has not arrived. */
export function drawPicture(state: LabellerState): string | null {
  const { parts } = state;
  let png: string | null = null;
  if (parts) {
    for (const side of PICTURE.sides) {
      png = draw(state, parts, side);
      if (png === null || png.length * 0.75 <= PICTURE.bytes) {
        break;
      }
    }
  }
  return png;
}

function draw(state: LabellerState, parts: SessionParts, side: number): string | null {
  const { image } = parts;
  const scale = Math.min(1, side / Math.max(image.rows, image.columns));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(image.columns * scale));
  canvas.height = Math.max(1, Math.round(image.rows * scale));
  const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  if (!context || !drawImage(context, state.slice, parts, scale)) {
    return null;
  }
  reduceGreys(context);
  drawOverlays(context, state, parts, scale);
  const url = canvas.toDataURL('image/png');
  return url.slice(url.indexOf(',') + 1);
}

/** Draw the image from the tiles that are there. Returns whether they cover it. */
function drawImage(
  context: CanvasRenderingContext2D,
  slice: number,
  { image, tiles }: SessionParts,
  scale: number
): boolean {
  const level = chooseLevel(image, scale);
  const size = levelSize(image, level);
  const by = 2 ** level;
  context.imageSmoothingQuality = 'high';
  return tilesIn(all(image), IMAGE_TILE, level).every(({ row, column }) => {
    const picture = tiles.picture({ slice, level, row, column });
    if (picture) {
      const x = column * IMAGE_TILE;
      const y = row * IMAGE_TILE;
      const target = [
        x * by * scale,
        y * by * scale,
        Math.min(IMAGE_TILE, size.columns - x) * by * scale,
        Math.min(IMAGE_TILE, size.rows - y) * by * scale
      ] as const;
      context.drawImage(picture.canvas, picture.x, picture.y, picture.width, picture.height, ...target);
    }
    return picture !== undefined;
  });
}

/** Greys in steps of 4 look the same and make a smaller file. */
function reduceGreys(context: CanvasRenderingContext2D): void {
  const { width, height } = context.canvas;
  const data = context.getImageData(0, 0, width, height);
  for (let i = 0; i < data.data.length; i++) {
    data.data[i]! &= 0xfc;
  }
  context.putImageData(data, 0, 0);
}

function drawOverlays(
  context: CanvasRenderingContext2D,
  state: LabellerState,
  { image, labels, segmentation }: SessionParts,
  scale: number
): void {
  const { slice } = state;
  const palette = makePalette(state.session?.classes ?? []);
  /** Draw the tiles of a level of an overlay. */
  const overlay = (opacity: number, at: number, values: (tile: ITileRef) => Uint8Array | undefined) => {
    const pictures = new OverlayPictures();
    const reduced = levelSize(image, at);
    const side = 2 ** at;
    const level = Math.min(LEVEL_MAX, Math.max(0, Math.floor(Math.log2(1 / (scale * side)) + 1e-6)));
    pictures.palette = palette;
    context.globalAlpha = opacity;
    context.imageSmoothingEnabled = false;
    for (const tile of tilesIn(all(image), LABEL_TILE, at)) {
      const picture = pictures.get(segmentationKey(slice, tile), level, () => values(tile));
      if (picture) {
        const by = 2 ** level;
        const x = tile.column * LABEL_TILE;
        const y = tile.row * LABEL_TILE;
        const width = Math.min(LABEL_TILE, reduced.columns - x);
        const height = Math.min(LABEL_TILE, reduced.rows - y);
        // On whole pixels, so that no seam is visible.
        const [left, top] = [Math.round(x * side * scale), Math.round(y * side * scale)];
        const right = Math.round(Math.min((x + width) * side, image.columns) * scale);
        const bottom = Math.round(Math.min((y + height) * side, image.rows) * scale);
        context.drawImage(picture, 0, 0, width / by, height / by, left, top, right - left, bottom - top);
      }
    }
  };
  const at = segmentation.level;
  if (tilesIn(all(image), LABEL_TILE, at).length <= PICTURE.tiles) {
    overlay(PICTURE.segmentation, at, tile => segmentation.classes(slice, { ...tile, level: at }));
  }
  const drawn = labels.slice(slice);
  overlay(PICTURE.labels, 0, tile => drawn.tile(tile.row, tile.column));
  context.globalAlpha = 1;
}

function all({ rows, columns }: ISize) {
  return { row0: 0, row1: rows, column0: 0, column1: columns };
}
