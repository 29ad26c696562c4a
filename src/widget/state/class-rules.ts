/** Rules of classes: which labels a tool may change while classes are locked, and the list after one was moved, merged or removed. */
import { LabelClass, Marks, Params, Replaces, SessionState } from '../../shared';
import { Erases, Overlap } from '../base/settings';

/** What a tool is about to do. */
export interface IDrawing {
  /** 0 erases. */
  classId: number;
  /** The class that is chosen. */
  current: number;
  /** The label of the pixel on which it begins. */
  label: number;
  overlap: Overlap;
  erases: Erases;
}

/** The labels that a tool may change; or the id of a locked class, because of which it may not change any. */
export function mayChange(
  { classId, current, label, overlap, erases }: IDrawing,
  classes: readonly LabelClass[],
  { locked }: Marks
): Replaces | { locked: number } {
  const drawn = classId === 0 && erases === 'current' ? current : classId;
  if (locked.includes(drawn)) {
    return { locked: drawn };
  }
  if (classId === 0 && erases === 'current') {
    return [current];
  }
  if (classId !== 0 && overlap === 'keep') {
    return [0];
  }
  if (classId !== 0 && overlap === 'same') {
    return locked.includes(label) ? { locked: label } : [label];
  }
  return classes.some(({ id }) => locked.includes(id))
    ? [0, ...classes.map(({ id }) => id).filter(id => !locked.includes(id))]
    : 'all';
}

/** A change of the classes, as the protocol has it. */
export type ClassChange = Pick<Params<'session.classes'>, 'classes' | 'relabel'>;

/** The labels of one class become those of another, and the class goes. */
export function merged({ classes }: Pick<SessionState, 'classes'>, id: number, into: number): ClassChange {
  return { classes: classes.filter(item => item.id !== id), relabel: [[id, into]] };
}

/** A class goes, and its labels with it. */
export function removed({ classes }: Pick<SessionState, 'classes'>, id: number): ClassChange {
  return { classes: classes.filter(item => item.id !== id), relabel: [[id, 0]] };
}

/** A class moves up (negative) or down by some places; null if there is no such place. */
export function moved({ classes }: Pick<SessionState, 'classes'>, id: number, by: number): ClassChange | null {
  const from = classes.findIndex(item => item.id === id);
  const to = from + by;
  if (from < 0 || to < 0 || to >= classes.length) {
    return null;
  }
  const next = classes.filter(item => item.id !== id);
  next.splice(to, 0, classes[from]!);
  return { classes: next };
}

/** The marks with a class marked, or not. */
export function marked(marks: Marks, which: keyof Marks, id: number, on: boolean): Marks {
  const others = marks[which].filter(each => each !== id);
  return { ...marks, [which]: on ? [...others, id] : others };
}
