/** The plugin that lets a labeller add a cell to its notebook, for an image that was dropped on it. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { setInsertCell } from '../widget/base/new-cell';

export const cellsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'sambalab:cells',
  description: 'Adds cells for images that are dropped on a labeller.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_app: JupyterFrontEnd, tracker: INotebookTracker) => {
    setInsertCell((beside, source) => {
      const panel = tracker.find(({ node }) => node.contains(beside));
      const index = panel?.content.widgets.findIndex(({ node }) => node.contains(beside)) ?? -1;
      if (!panel || index < 0) {
        return false;
      }
      const { content: notebook, sessionContext } = panel;
      notebook.deselectAll();
      notebook.activeCellIndex = index;
      NotebookActions.insertBelow(notebook);
      NotebookActions.changeCellType(notebook, 'code');
      notebook.activeCell?.model.sharedModel.setSource(source);
      void NotebookActions.run(notebook, sessionContext);
      return true;
    });
  }
};
