/** What the status line says of the pixel under the pointer. No DOM here. */
import { voxelIn } from '../../shared';
import { trans } from '../base/translation';
import { valueText } from '../tiles/display-map';
import { LabellerState } from '../state/labeller-state';

/** Where the pixel is (counted from 0, as in Python), its values, its label, and its class in the segmentation. */
export function pixelText(state: LabellerState, { row, column }: { row: number; column: number }): string {
  const { parts, session, slice, direction } = state;
  if (!parts) {
    return '';
  }
  const { z, y, x } = voxelIn(direction, { slice, row, column });
  const place =
    direction !== 'xy'
      ? trans.__('z %1, y %2, x %3', z, y, x)
      : parts.slices > 1
        ? trans.__('slice %1, row %2, column %3', slice, row, column)
        : trans.__('row %1, column %2', row, column);
  const nameOf = (id: number) => session?.classes.find(one => one.id === id)?.name ?? String(id);
  const said = [place];
  const values = session?.imageReady ? parts.pixels.of({ slice, row, column }) : null;
  if (values) {
    said.push(trans.__('value %1', values.map(valueText).join(', ')));
  }
  const label = parts.labels.slice(slice).at(row, column);
  if (label > 0) {
    said.push(trans.__('label %1', nameOf(label)));
  }
  const segmented = parts.segmentation.at(slice, row, column);
  const shown = parts.probability.shown ? parts.probability.at(slice, row, column) : -1;
  const { classId } = parts.probability;
  if (segmented > 0) {
    const unsure =
      parts.uncertainty.shown && parts.uncertainty.measure === 'maximum'
        ? parts.uncertainty.at(slice, row, column)
        : -1;
    // By the second measure, the uncertainty is 1 less the probability of the most probable class; a label may be another one.
    const level = classId === segmented && shown >= 0 ? shown : unsure >= 0 && label === 0 ? 255 - unsure : -1;
    said.push(
      level < 0
        ? trans.__('segmented %1', nameOf(segmented))
        : trans.__('segmented %1 (%2 %)', nameOf(segmented), percent(level))
    );
  }
  if (shown >= 0 && classId !== segmented) {
    said.push(trans.__('%1 %2 %', nameOf(classId), percent(shown)));
  }
  return said.join(' · ');
}

function percent(level: number): number {
  return Math.round((level / 255) * 100);
}
