/** Contours that tools draw on the image: their lines on the screen, and the labels inside them. */
import { PATCH_TILES_MAX } from '../../../shared';
import { IPoint, ViewTransform } from '../../base/geometry';
import { contourRuns, MaskBuilder } from '../../labels/raster';
import { IToolHost } from './tool';

/** What a contour becomes when it is closed. */
export interface IFill {
  /** Name of the tool, for the list of steps. */
  tool: string;
  /** Whether it erases instead of labelling. */
  erases: boolean;
  /** When the pointer was lifted, in milliseconds; null if a key closed it. */
  released: number | null;
  /** The slice; the one that is shown if left out. */
  slice?: number;
}

/** Label the inside of a closed contour with the current class. */
export function fillContour(
  { state }: IToolHost,
  contour: readonly IPoint[],
  { tool, erases, released, slice = state.slice }: IFill
): void {
  const { parts, currentClass } = state;
  const [first] = contour;
  if (!parts || !currentClass || !first) {
    return;
  }
  const mask = new MaskBuilder(parts.image);
  contourRuns(contour, parts.image, (row, start, end) => mask.addRun(row, start, end));
  const tiles = mask.tiles();
  const classId = erases ? 0 : currentClass.id;
  const replaces = state.replaces(classId, { row: Math.floor(first.y), column: Math.floor(first.x) }, slice);
  if (!replaces) {
    return;
  }
  const made = { provenance: 'hand', tool } as const;
  // A patch holds so many tiles at most; a larger area needs several.
  for (let i = 0; i < tiles.length; i += PATCH_TILES_MAX) {
    const part = tiles.slice(i, i + PATCH_TILES_MAX);
    (state.drawnOn ?? parts.labels).commit({ slice, classId, replaces, tiles: part, made }, { released });
  }
}

/** The colour of lines that label, or erase. */
export function lineColour({ state }: IToolHost, erases: boolean): string {
  return erases ? '#ffffff' : (state.currentClass?.color ?? '#ffffff');
}

/** Draw a line through points of the image, with a dark border that shows on any image. */
export function paintLine(
  context: CanvasRenderingContext2D,
  view: ViewTransform,
  points: readonly IPoint[],
  colour: string,
  dashed = false
): void {
  context.beginPath();
  for (const point of points) {
    const { x, y } = view.toScreen(point);
    context.lineTo(x, y);
  }
  context.lineJoin = 'round';
  context.lineWidth = 3.5;
  context.strokeStyle = 'rgba(0, 0, 0, 0.55)';
  context.setLineDash([]);
  context.stroke();
  context.lineWidth = 1.75;
  context.strokeStyle = colour;
  context.setLineDash(dashed ? [4, 3] : []);
  context.stroke();
  context.setLineDash([]);
}
