/** The plugin that keeps a picture of each labeller in the saved notebook, and shows it where no kernel has the labeller. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ICodeCellModel } from '@jupyterlab/cells';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { JSONObject } from '@lumino/coreutils';
import { pictureOf } from '../widget/base/output-pictures';
import { userSettings } from '../widget/base/settings';
import { LABELLER_TYPE, LabellerOutput, PNG_TYPE, VIEW_TYPE } from './labeller-output';

/** Before ipywidgets' own renderer, whose rank is −10. */
const RANK = -20;

export const picturesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'sambalab:pictures',
  description: 'Keeps pictures of labellers in saved notebooks.',
  autoStart: true,
  requires: [INotebookTracker, IRenderMimeRegistry],
  activate: (_app: JupyterFrontEnd, tracker: INotebookTracker, rendermime: IRenderMimeRegistry) => {
    // Notebooks copy these renderers when they are opened.
    const factory = { safe: false, mimeTypes: [LABELLER_TYPE], createRenderer: () => new LabellerOutput() };
    rendermime.addFactory(factory, RANK);
    const follow = (_: unknown, panel: NotebookPanel) => {
      panel.context.saveState.connect((_context, state) => {
        if (state === 'started') {
          updatePictures(panel);
        }
      });
    };
    tracker.forEach(panel => follow(tracker, panel));
    tracker.widgetAdded.connect(follow);
  }
};

/** Put the present pictures into the notebook, or remove them if the user wants none. Called just before it is written. */
function updatePictures(panel: NotebookPanel): void {
  for (const cell of panel.model?.cells ?? []) {
    if (cell.type === 'code') {
      const { outputs } = cell as ICodeCellModel;
      for (let i = 0; i < outputs.length; i++) {
        if (LABELLER_TYPE in outputs.get(i).data) {
          updatePicture(cell as ICodeCellModel, i);
        }
      }
    }
  }
}

function updatePicture({ sharedModel }: ICodeCellModel, index: number): void {
  const output = sharedModel.getOutputs()[index] as { data?: JSONObject } | undefined;
  const view = output?.data?.[VIEW_TYPE] as { model_id?: string } | undefined;
  if (!output?.data || !view?.model_id) {
    return;
  }
  const { [PNG_TYPE]: old, ...rest } = output.data;
  const wanted = userSettings.values.picture ? (pictureOf(view.model_id) ?? old) : undefined;
  if (wanted !== old) {
    const data = wanted === undefined ? rest : { ...rest, [PNG_TYPE]: wanted };
    // Only the notebook's text changes: the output is not rendered again.
    const update = () => sharedModel.updateOutputs(index, index + 1, [{ ...output, data } as never]);
    sharedModel.transact(update, false, 'silent-change');
  }
}
