/** What a user who begins does next, in one line that follows what was done. No DOM here. */
import { LabellerState } from '../state/labeller-state';
import { trans } from '../base/translation';

/** The next step; null once there is a whole segmentation: then the user knows the way. */
export function nextStep(state: LabellerState): string | null {
  const { session, currentClass } = state;
  if (!session || !currentClass) {
    return null;
  }
  if (session.segmentation) {
    const { part } = session.segmentation;
    return part === undefined
      ? null
      : trans.__(
          '%1 % of the image is segmented: the training was cancelled. Train again for all of it.',
          percent(part)
        );
  }
  const { classes, labels } = session;
  const isLabelled = ({ id }: { id: number }) => (labels.counts[String(id)] ?? 0) > 0;
  if (classes.length === 1) {
    return trans.__('Add a second class (+ beside Classes), label some of both, and Train.');
  }
  const labelled = classes.filter(isLabelled);
  if (labelled.length > 1 && session.segmentationFreed) {
    return trans.__(
      'The segmentation is no longer in memory. Labels and corrections are kept; press Train to make it again.'
    );
  }
  if (labelled.length > 1) {
    return trans.__('Press Train to segment the image, or label more first.');
  }
  const key = ({ id }: { id: number }) => {
    const index = classes.findIndex(item => item.id === id);
    return index < 9 ? String(index + 1) : '';
  };
  const clicks = state.direction === 'xy'; // SAM labels what is clicked on
  if (labelled.length === 0) {
    const other = classes.find(({ id }) => id !== currentClass.id)!;
    if (!clicks) {
      return key(other)
        ? trans.__('Paint “%1”, then press %3 and paint “%2”; then Train.', currentClass.name, other.name, key(other))
        : trans.__('Paint “%1”, then choose “%2” and paint it; then Train.', currentClass.name, other.name);
    }
    return key(other)
      ? trans.__(
          'Click on “%1”, then press %3 and click on “%2”; then Train.',
          currentClass.name,
          other.name,
          key(other)
        )
      : trans.__('Click on “%1”, then choose “%2” and click on it; then Train.', currentClass.name, other.name);
  }
  if (!isLabelled(currentClass)) {
    return clicks
      ? trans.__('Now click on “%1”, or paint it; then Train.', currentClass.name)
      : trans.__('Now paint “%1”; then Train.', currentClass.name);
  }
  const other = classes.find(item => !isLabelled(item))!;
  if (!clicks) {
    return key(other)
      ? trans.__('Now press %2 and paint “%1”; then Train.', other.name, key(other))
      : trans.__('Now choose “%1” and paint it; then Train.', other.name);
  }
  return key(other)
    ? trans.__('Now press %2 and click on “%1”, or paint it; then Train.', other.name, key(other))
    : trans.__('Now choose “%1” and click on it, or paint it; then Train.', other.name);
}

/** A share below 1 in whole percent: never 0, never 100. */
function percent(share: number): number {
  return Math.min(99, Math.max(1, Math.round(share * 100)));
}
