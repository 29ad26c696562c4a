/** Dims what is outside of the region that is worked on, on the lower layer of a view. */
import { Rect } from '../../shared';
import { regionIn } from '../../shared/region';
import { ViewTransform } from '../base/geometry';
import { LabellerState } from '../state/labeller-state';

const SHADE = 'rgba(0, 0, 0, 0.55)';

/** @param context in device pixels, `ratio` of them a CSS pixel */
export function dimOutside(
  context: CanvasRenderingContext2D,
  { session, slice, parts }: Pick<LabellerState, 'session' | 'slice' | 'parts'>,
  view: ViewTransform,
  ratio: number
): void {
  const stored = session?.region;
  if (!stored || !parts) {
    return;
  }
  const region = regionIn(parts.direction, stored);
  const box = ({ row0, row1, column0, column1 }: Rect) => {
    const from = view.toScreen({ x: column0, y: row0 });
    const to = view.toScreen({ x: column1, y: row1 });
    const [x, y] = [Math.round(from.x * ratio), Math.round(from.y * ratio)];
    return [x, y, Math.round(to.x * ratio) - x, Math.round(to.y * ratio) - y] as const;
  };
  const { rows, columns } = parts.image;
  const isIn = slice >= region.slice0 && slice < region.slice1;
  context.save();
  context.beginPath();
  context.rect(...box({ row0: 0, row1: rows, column0: 0, column1: columns }));
  if (isIn) {
    context.rect(...box(region));
  }
  context.fillStyle = SHADE;
  context.fill('evenodd');
  if (isIn) {
    // A line that is seen on a dark image too.
    context.lineWidth = Math.max(1, Math.round(ratio));
    context.strokeStyle = 'rgba(255, 255, 255, 0.55)';
    context.strokeRect(...box(region));
  }
  context.restore();
}
