/** What the status line says of an object that was carried through a stack. No DOM here. */
import { CarryEnd, Result } from '../../shared';
import { trans } from '../base/translation';

/** Where an object is that was carried from `slice`, and why it is not on further slices. */
export function carriedText({ first, last, changed, ends }: Result<'labels.carry'>, slice: number): string {
  const why = [endText(ends.before, first, -1), endText(ends.after, last, 1)].join(' ');
  if (first === last) {
    return trans.__('There is nothing to carry from slice %1. %2', slice, why);
  }
  return changed === 0
    ? trans.__('The object is on slices %1 to %2, but nothing changed: older labels are kept. %3', first, last, why)
    : trans.__('Carried through slices %1 to %2. %3', first, last, why);
}

/** Why an object that is on a slice is not on the next one in a direction. */
function endText(end: CarryEnd, slice: number, direction: 1 | -1): string {
  const next = slice + direction;
  switch (end) {
    case 'stack':
      return direction < 0
        ? trans.__('Slice %1 is the first one.', slice)
        : trans.__('Slice %1 is the last one.', slice);
    case 'reach':
      return trans.__('Slice %1 was not asked for.', next);
    case 'changed':
      return trans.__('On slice %1 its outline changes by more than half.', next);
    case 'unsure':
      return trans.__('On slice %1 SAM is not sure of it.', next);
    case 'unseen':
      return trans.__('On slice %1 SAM sees no such object.', next);
  }
}
