/** The commands of files: they show the forms of the panel's section Files. */
import { trans } from '../base/translation';
import { ICommand } from './command';

export const FILE_COMMANDS: readonly ICommand[] = [
  {
    name: 'export-file',
    group: 'changes',
    keys: ['Shift S'],
    label: () => trans.__('Export labels or results to a file'),
    run: ({ state }) => state.labelFiles.ask('save')
  },
  {
    name: 'open-labels',
    group: 'changes',
    keys: ['Shift O'],
    label: () => trans.__('Open labels from a file'),
    run: ({ state }) => state.labelFiles.ask('open')
  }
];
