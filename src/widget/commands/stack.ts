/** The commands of a stack: from slice to slice, and labels from slice to slice. */
import { SLICE_DIRECTIONS } from '../../shared';
import { trans } from '../base/translation';
import { LabelledSlices } from '../state/labelled-slices';
import { LabellerState } from '../state/labeller-state';
import { ICommand } from './command';

/** Whether labels may go from slice to slice. Right after a stroke nobody knows yet which slices have labels; then the sidecar says what is missing. */
function mayFill({ parts, connection }: LabellerState, known: (labelled: LabelledSlices) => boolean): boolean {
  if (connection.state.state !== 'connected' || !parts || parts.direction !== 'xy' || parts.slices === 1) {
    return false;
  }
  return parts.labelled.isOutdated || known(parts.labelled);
}

export const STACK_COMMANDS: readonly ICommand[] = [
  {
    name: 'previous-slice',
    group: 'view',
    keys: ['PageUp'],
    repeats: true,
    label: () => trans.__('Previous slice'),
    enabled: ({ state }) => state.slice > 0,
    run: ({ state }) => state.step(-1)
  },
  {
    name: 'next-slice',
    group: 'view',
    keys: ['PageDown'],
    repeats: true,
    label: () => trans.__('Next slice'),
    enabled: ({ state }) => state.slice + 1 < (state.parts?.slices ?? 1),
    run: ({ state }) => state.step(1)
  },
  {
    name: 'previous-labelled-slice',
    group: 'view',
    keys: ['Shift PageUp'],
    label: () => trans.__('Previous slice with labels'),
    enabled: ({ state }) => state.parts?.labelled.next(state.slice, -1) !== undefined,
    run: ({ state }) => state.goToLabelled(-1)
  },
  {
    name: 'next-labelled-slice',
    group: 'view',
    keys: ['Shift PageDown'],
    label: () => trans.__('Next slice with labels'),
    enabled: ({ state }) => state.parts?.labelled.next(state.slice, 1) !== undefined,
    run: ({ state }) => state.goToLabelled(1)
  },
  {
    name: 'turn-volume',
    group: 'view',
    keys: ['G'],
    label: () => trans.__('Slices of the volume in the next direction: xy, xz, yz'),
    enabled: ({ state }) => state.parts?.isVolume ?? false,
    run: ({ state }) => {
      const next = SLICE_DIRECTIONS.indexOf(state.direction) + 1;
      state.setDirection(SLICE_DIRECTIONS[next % SLICE_DIRECTIONS.length]!);
    }
  },
  {
    name: 'copy-labels-to-next-slice',
    group: 'changes',
    keys: ['D'],
    label: () => trans.__('Copy the labels to the next slice'),
    enabled: ({ state }) =>
      state.slice + 1 < (state.parts?.slices ?? 1) && mayFill(state, labelled => labelled.has(state.slice)),
    run: ({ state }) => void state.copyToNextSlice()
  },
  {
    name: 'fill-between-slices',
    group: 'changes',
    keys: ['J'],
    label: () => trans.__('Fill the slices between labelled ones by shape'),
    enabled: ({ state }) => mayFill(state, ({ gap }) => gap),
    run: ({ state }) => void state.fillBetweenSlices()
  }
];
