/** The commands of SAM's suggestions. */
import { currentTool } from '../canvas/tools';
import { suggest } from '../canvas/tools/suggest';
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
    run: ({ state }) => state.suggestionOptions.set({ scale })
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

export const SUGGESTION_COMMANDS: readonly ICommand[] = [
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
  }
];
