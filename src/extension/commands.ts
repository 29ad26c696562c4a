/** The plugin that adds SambaLab's commands to JupyterLab and its command palette. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { lastUsed, lastUsedChanged } from '../widget/base/last-used';
import { setUserKeys } from '../widget/base/user-keys';

/** The ids of commands that need no labeller. Those of a labeller are in `src/widget/commands`. */
export namespace CommandIDs {
  export const labelImage = 'sambalab:label-image';
}

/** Before the name of a labeller's command. */
const PREFIX = 'sambalab:';

/** Source of the inserted cell. It runs unchanged, and its comment says what to replace. */
const CELL = [
  'import sambalab as sl',
  '',
  'image = sl.data.micrograph("particles", (512, 512), seed=0)[0]  # or a path, or any array (H, W), (H, W, 3), (N, H, W)',
  'lab = sl.Labeller(image, classes=["matrix", "particle"])',
  'lab'
].join('\n');

const NO_ARGUMENTS = { args: { type: 'object', properties: {} } } as const;

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
    const category = trans.__('SambaLab');
    app.commands.addCommand(CommandIDs.labelImage, {
      label: trans.__('SambaLab: Label an Image'),
      caption: trans.__('Insert a cell that shows an image to label'),
      describedBy: NO_ARGUMENTS,
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
    palette?.addItem({ command: CommandIDs.labelImage, category });
    tracker.currentChanged.connect(() => app.commands.notifyCommandChanged(CommandIDs.labelImage), tracker);
    // Their list loads the tools' code, which may come after all that JupyterLab needs to start.
    void app.restored.then(async () => {
      const { COMMANDS, inJupyterLab } = await import('../widget/commands');
      const ids = COMMANDS.filter(inJupyterLab).map(({ name, label, description }) => {
        const id = PREFIX + name;
        app.commands.addCommand(id, {
          label: () => trans.__('SambaLab: %1', label()),
          caption: () => trans.__('%1, in the labeller used last', description?.() ?? label()),
          describedBy: NO_ARGUMENTS,
          isEnabled: () => lastUsed()?.can(name) ?? false,
          execute: () => lastUsed()?.run(name)
        });
        palette?.addItem({ command: id, category });
        return id;
      });
      lastUsedChanged.connect(() => ids.forEach(id => app.commands.notifyCommandChanged(id)), tracker);
    });
    followKeys(app);
  }
};

/** Pass the keys on that the user has set for a labeller's commands: the labeller listens to them itself. */
function followKeys({ commands }: JupyterFrontEnd): void {
  let waits = false;
  const read = () => {
    waits = false;
    const keys = new Map<string, string[]>();
    for (const { command, keys: strokes, selector } of commands.keyBindings) {
      if (command.startsWith(PREFIX) && selector.includes('.sambalab') && strokes.length === 1) {
        const name = command.slice(PREFIX.length);
        keys.set(name, [...(keys.get(name) ?? []), strokes[0]!]);
      }
    }
    setUserKeys(keys.size > 0 ? keys : null);
  };
  // JupyterLab takes all shortcuts away and adds them again, one by one.
  commands.keyBindingChanged.connect(() => {
    if (!waits) {
      waits = true;
      setTimeout(read);
    }
  });
}
