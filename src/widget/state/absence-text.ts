/** What the user reads where nothing is suggested: why, and what would do. No DOM here. */
import { trans } from '../base/translation';
import { Absence } from './absent-suggestion';

export function absenceText(why: Absence): string {
  switch (why) {
    case 'large':
      return trans.__(
        'All that SAM sees here covers more than a third of the image. Choose a scale (S, M, L) to see it, or Shift-click to hold it.'
      );
    case 'ragged':
      return trans.__('SAM sees no clear object here. Choose a scale (S, M, L), Shift-click, or drag a box.');
    case 'weak':
      return trans.__('SAM is not sure of its suggestion here, so it is hidden. Shift-click to hold it.');
  }
}
