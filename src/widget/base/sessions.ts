/** Sessions in words. */
import { SessionSummary } from '../../shared';
import { dayOf } from './dates';

/** The session's name in quotes, or its notebook and variable, and the day of its last change. */
export function placeOf({ name, origin, changed }: Pick<SessionSummary, 'name' | 'origin' | 'changed'>): string {
  const notebook = origin?.document.split(/[\\/]/).pop() ?? '';
  const place = name !== null ? `“${name}”` : [notebook, origin?.place].filter(Boolean).join(', ');
  return [place, dayOf(changed)].filter(Boolean).join(', ');
}
