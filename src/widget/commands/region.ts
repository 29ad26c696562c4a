/** The commands of the region to work on. Its tool is in `canvas/tools/region.ts`. */
import { trans } from '../base/translation';
import { ICommand } from './command';

export const REGION_COMMANDS: readonly ICommand[] = [
  {
    name: 'work-on-view',
    group: 'view',
    keys: ['U'],
    label: () => trans.__('Work on what is in view only'),
    enabled: ({ state }) => state.connection.state.state === 'connected',
    run: ({ state, canvas }) => void state.workOn(canvas.view.visible())
  },
  {
    name: 'clear-region',
    group: 'view',
    keys: ['Shift R'],
    label: () => trans.__('Work on the whole image'),
    description: () => trans.__('Only a region is worked on; click to work on the whole image'),
    enabled: ({ state }) => state.connection.state.state === 'connected' && !!state.session?.region,
    run: ({ state }) => void state.workOn(null)
  }
];
