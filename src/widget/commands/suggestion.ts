/** The commands of SAM's suggestions. */
import { currentTool } from '../canvas/tools';
import { addPoints, chooseScale, suggest } from '../canvas/tools/suggest';
import { trans } from '../base/translation';
import { ScaleChoice } from '../state/suggestion-options';
import { ICommand, ILabellerView } from './command';

const inUse = ({ state }: ILabellerView) => currentTool(state) === suggest;

function ofScale(scale: ScaleChoice, key: string, label: () => string, description: () => string): ICommand {
  return {
    name: `choose-${scale}-scale`,
    group: 'suggestions',
    keys: [key],
    label,
    description,
    row: () => trans.__('Suggestions: small, medium, large, or what fits best'),
    enabled: inUse,
    run: ({ state }) => chooseScale(state, scale)
  };
}

/** The commands of scales, from small to large, and Auto. */
export const SCALE_COMMANDS: readonly ICommand[] = [
  ofScale(
    'small',
    'Alt S',
    () => trans.__('Small suggestions'),
    () => trans.__('Suggest the smallest of the regions that SAM sees at the pointer')
  ),
  ofScale(
    'medium',
    'Alt M',
    () => trans.__('Medium suggestions'),
    () => trans.__('Suggest the medium one of the regions that SAM sees at the pointer')
  ),
  ofScale(
    'large',
    'Alt L',
    () => trans.__('Large suggestions'),
    () => trans.__('Suggest the largest of the regions that SAM sees at the pointer')
  ),
  ofScale(
    'auto',
    'Alt A',
    () => trans.__('Suggestions that fit best'),
    () => trans.__('Suggest the region that fits best: small, medium or large')
  )
];

/** Add a point at the pointer or the cross-hair to the suggestion that is held. */
function addPoint({ state }: ILabellerView, label: 0 | 1): void {
  const pixel = state.parts?.suggestions.pointer;
  if (pixel) {
    addPoints(state, [pixel], label);
  }
}

const COMMANDS: readonly ICommand[] = [
  ...SCALE_COMMANDS,
  {
    name: 'shrink-suggestion',
    group: 'suggestions',
    keys: [','],
    label: () => trans.__('Suggestion at a smaller scale'),
    enabled: inUse,
    run: ({ state }) => state.parts?.suggestions.turn(-1)
  },
  {
    name: 'enlarge-suggestion',
    group: 'suggestions',
    keys: ['.'],
    label: () => trans.__('Suggestion at a larger scale'),
    enabled: inUse,
    run: ({ state }) => state.parts?.suggestions.turn(1)
  },
  {
    name: 'find-similar',
    group: 'suggestions',
    keys: ['Shift A'],
    label: () => trans.__('Propose all objects like this one'),
    description: () =>
      trans.__(
        'Propose all objects like the one at the pointer, or like the last one: Enter takes them, a click drops one; again: in the whole slice, then in all slices'
      ),
    enabled: view => inUse(view) && (view.state.parts?.suggestions.ready ?? false),
    run: ({ state }) => void state.findSimilar()
  },
  {
    name: 'find-everything',
    group: 'suggestions',
    keys: ['Shift E'],
    label: () => trans.__('Propose all objects in view'),
    description: () =>
      trans.__(
        'Propose everything in view that SAM is sure of: Enter takes it into the current class, a click drops one'
      ),
    enabled: view => inUse(view) && (view.state.parts?.suggestions.ready ?? false),
    run: ({ state, canvas }) => void state.findAll(canvas.view.visible())
  },
  {
    name: 'carry-object',
    group: 'suggestions',
    keys: ['Shift D'],
    label: () => trans.__('Carry this object through the slices'),
    description: () =>
      trans.__(
        'Label the object at the pointer, or the last one, on the slices before and after too, until it fades; Escape stops'
      ),
    enabled: view => {
      const { parts, connection } = view.state;
      const isReady = parts?.suggestions.ready && connection.state.state === 'connected';
      return inUse(view) && parts !== null && (parts.slices === 1 || Boolean(isReady));
    },
    run: ({ state }) => void state.carry()
  },
  {
    name: 'redraw-object',
    group: 'suggestions',
    keys: ['Shift C'],
    label: () => trans.__('Let SAM draw this object anew'),
    description: () =>
      trans.__(
        'Hold a suggestion for the object of the segmentation, or of the labels, at the pointer: its box and a pixel inside are the prompts'
      ),
    enabled: view =>
      inUse(view) &&
      (view.state.parts?.suggestions.ready ?? false) &&
      view.state.parts?.direction === 'xy' &&
      view.state.connection.state.state === 'connected',
    run: ({ state }) => void state.redraw()
  },
  {
    name: 'add-point-inside',
    group: 'suggestions',
    keys: ['Y'],
    label: () => trans.__('Hold the suggestion; a point that belongs to it'),
    enabled: inUse,
    run: view => addPoint(view, 1)
  },
  {
    name: 'add-point-outside',
    group: 'suggestions',
    keys: ['Shift Y'],
    label: () => trans.__('A point that does not belong to the held suggestion'),
    enabled: inUse,
    run: view => addPoint(view, 0)
  }
];

export const SUGGESTION_COMMANDS: readonly ICommand[] = COMMANDS.map(command => ({
  ...command,
  unusable: state => suggest.unusable?.(state) ?? null
}));
