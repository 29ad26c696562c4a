/** What the user asks SAM with, piece by piece: points inside and outside the object, a box around it. */
import { IPromptPoint, IPrompts } from '../../sam';
import { Rect } from '../../shared';
import { IPixel } from './suggestion';

/** One action of the user: a click, a scribble, or a box. */
export type Prompt = { points: readonly IPromptPoint[] } | { box: Rect };

/** The prompts of several actions. A later box replaces an earlier one. */
export function promptsOf(actions: readonly Prompt[]): IPrompts {
  return {
    points: actions.flatMap(action => ('points' in action ? action.points : [])),
    box: actions.flatMap(action => ('box' in action ? [action.box] : [])).pop()
  };
}

/** The part of an action that lies in a rectangle, with so many points at most; null if nothing is left. */
export function clipped(action: Prompt, within: Rect, pointsMax: number): Prompt | null {
  if ('box' in action) {
    const box = {
      row0: Math.max(action.box.row0, within.row0),
      row1: Math.min(action.box.row1, within.row1),
      column0: Math.max(action.box.column0, within.column0),
      column1: Math.min(action.box.column1, within.column1)
    };
    return box.row0 < box.row1 && box.column0 < box.column1 ? { box } : null;
  }
  const points = action.points.filter(point => holds(within, point)).slice(0, Math.max(0, pointsMax));
  return points.length > 0 ? { points } : null;
}

/** Whether all prompts lie in a rectangle. */
export function allIn({ points, box }: IPrompts, within: Rect): boolean {
  const { row0, row1, column0, column1 } = box ?? within;
  return (
    points.every(point => holds(within, point)) &&
    row0 >= within.row0 &&
    row1 <= within.row1 &&
    column0 >= within.column0 &&
    column1 <= within.column1
  );
}

/** Whether the prompts leave little doubt about what is meant: a box, or two points or more. */
export function areClear({ points, box }: IPrompts): boolean {
  return points.length > 1 || box !== undefined;
}

/** A pixel that stands for the object: the first point inside it, else the middle of the box. */
export function placeOf({ points, box }: IPrompts): IPixel {
  const { row, column } = points.find(({ label }) => label === 1) ?? {
    row: box ? Math.floor((box.row0 + box.row1) / 2) : 0,
    column: box ? Math.floor((box.column0 + box.column1) / 2) : 0
  };
  return { row, column };
}

function holds({ row0, row1, column0, column1 }: Rect, { row, column }: IPixel): boolean {
  return row >= row0 && row < row1 && column >= column0 && column < column1;
}
