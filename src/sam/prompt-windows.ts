/**
 * Square windows in which the encoder sees a part of an image for prompts, so that small objects of a large image, and objects in a view that is
 * zoomed in, fill more of its frame. There is a grid of windows for each of the sides 256, 512, 1024 … pixels; neighbours overlap by half, so an
 * object of up to half a window lies wholly inside one of them. The window whose centre is nearest to a pixel serves prompts at that pixel.
 */
import { Rect } from '../shared/rect';

/** Side of the smallest windows, in pixels of the image. */
const SMALLEST = 256;

/** From one window to the next, as a part of the side. */
const STRIDE = 1 / 2;

/** Windows serve only if the image's longer side is at least this many times theirs; else the whole image does. */
const WHOLE_BELOW = 1.5;

/**
 * The side of the windows for a view, in pixels: the nearest, by ratio, to the view's longer side. Null if the whole image serves.
 *
 * @param seen the rows and columns of the image that SAM sees
 * @param view the rows and columns that the user sees
 */
export function windowSide(seen: Rect, view: Rect): number | null {
  const rows = Math.min(view.row1, seen.row1) - Math.max(view.row0, seen.row0);
  const columns = Math.min(view.column1, seen.column1) - Math.max(view.column0, seen.column0);
  if (rows <= 0 || columns <= 0) {
    return null;
  }
  const longest = Math.max(seen.row1 - seen.row0, seen.column1 - seen.column0);
  const side = SMALLEST * 2 ** Math.max(0, Math.round(Math.log2(Math.max(rows, columns) / SMALLEST)));
  return longest >= WHOLE_BELOW * side ? side : null;
}

/** The window that serves prompts at a pixel. */
export function windowAt(seen: Rect, side: number, row: number, column: number): Rect {
  const down = spanAt(seen.row0, seen.row1, side, row, STRIDE);
  const across = spanAt(seen.column0, seen.column1, side, column, STRIDE);
  return { row0: down[0], row1: down[1], column0: across[0], column1: across[1] };
}

/**
 * The windows that serve prompts in a rectangle; the one of the given pixel first, and of the others those that are nearer to it first.
 *
 * @param stride from one window to the next, as a part of the side
 */
export function windowsFor(seen: Rect, side: number, rect: Rect, row: number, column: number, stride = STRIDE): Rect[] {
  const down = spansIn(seen.row0, seen.row1, side, rect.row0, rect.row1, stride);
  const across = spansIn(seen.column0, seen.column1, side, rect.column0, rect.column1, stride);
  const far = ({ row0, row1, column0, column1 }: Rect) =>
    Math.hypot((row0 + row1) / 2 - row - 0.5, (column0 + column1) / 2 - column - 0.5);
  return down
    .flatMap(([row0, row1]) => across.map(([column0, column1]) => ({ row0, row1, column0, column1 })))
    .sort((a, b) => far(a) - far(b));
}

/** Where windows of a side begin from `begin` to `end`: a stride apart, the last one at the end. */
function startsOf(begin: number, end: number, side: number, stride: number): number[] {
  const last = Math.max(begin, end - side);
  const count = Math.ceil((last - begin) / (side * stride)) + 1;
  return Array.from({ length: count }, (_, i) => Math.min(begin + i * side * stride, last));
}

function spanAt(begin: number, end: number, side: number, pixel: number, stride: number): [number, number] {
  const length = Math.min(side, end - begin);
  const offset = (start: number) => Math.abs(start + length / 2 - pixel - 0.5);
  const start = startsOf(begin, end, side, stride).reduce((best, each) => (offset(each) < offset(best) ? each : best));
  return [start, start + length];
}

/** The windows that serve pixels from `from` to `to`. */
function spansIn(
  begin: number,
  end: number,
  side: number,
  from: number,
  to: number,
  stride: number
): [number, number][] {
  const [first] = spanAt(begin, end, side, Math.max(from, begin), stride);
  const [last] = spanAt(begin, end, side, Math.min(to, end) - 1, stride);
  const length = Math.min(side, end - begin);
  return startsOf(begin, end, side, stride)
    .filter(start => start >= first && start <= last)
    .map(start => [start, start + length]);
}
