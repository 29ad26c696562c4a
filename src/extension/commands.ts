/** The plugin that adds SambaLab's commands to JupyterLab and its command palette. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { lastUsed, lastUsedChanged } from '../widget/base/last-used';

/** The ids of the commands. */
export namespace CommandIDs {
  export const labelImage = 'sambalab:label-image';
  export const goToNextRegion = 'sambalab:go-to-next-region';
}

/** Source of the inserted cell. It runs unchanged, and its comment says what to replace. */
const CELL = [
  'import sambalab as sl',
  '',
  'image = sl.data.micrograph("particles", (512, 512), seed=0)[0]  # or a path, or any array (H, W), (H, W, 3), (N, H, W)',
  'lab = sl.Labeller(image, classes=["matrix", "particle"])',
  'lab'
].join('\n');

export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'sambalab:commands',
  description: 'Adds the commands of SambaLab.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('sambalab');
    app.commands.addCommand(CommandIDs.labelImage, {
      label: trans.__('SambaLab: Label an Image'),
      caption: trans.__('Insert a cell that shows an image to label'),
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => tracker.currentWidget !== null,
      execute: async () => {
        const notebook = tracker.currentWidget?.content;
        if (!notebook) {
          return;
        }
        NotebookActions.insertBelow(notebook);
        notebook.activeCell?.model.sharedModel.setSource(CELL);
        NotebookActions.changeCellType(notebook, 'code');
        notebook.mode = 'edit';
        await notebook.activeCell?.ready;
      }
    });
    app.commands.addCommand(CommandIDs.goToNextRegion, {
      label: trans.__('SambaLab: Go to Where Labels Help Most'),
      caption: trans.__('Show where to label next, in the labeller used last (N)'),
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => lastUsed() !== null,
      execute: () => lastUsed()?.nextRegion()
    });
    lastUsedChanged.connect(() => app.commands.notifyCommandChanged(CommandIDs.goToNextRegion), tracker);
    tracker.currentChanged.connect(() => app.commands.notifyCommandChanged(CommandIDs.labelImage), tracker);
    for (const command of Object.values(CommandIDs)) {
      palette?.addItem({ command, category: trans.__('SambaLab') });
    }
  }
};
