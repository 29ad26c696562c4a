/**
 * The JupyterLab plugins.
 *
 * - `widget.ts`: registers the widget with ipywidgets; passes settings and language on
 * - `pictures.ts`: keeps a picture of each labeller in the saved notebook; `labeller-output.ts` shows it where no kernel has the labeller
 * - `cells.ts`: adds a cell for an image that was dropped on a labeller
 * - `commands.ts`: commands and their entries in the command palette
 *
 * Settings are declared in `schema/widget.json`, under the plugin's id. No image code belongs here: JupyterLab loads the widget's
 * code with the first labeller, so only type imports, `base` and `version.ts` of `src/widget` may be imported at the top.
 */
import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { cellsPlugin } from './cells';
import { commandsPlugin } from './commands';
import { picturesPlugin } from './pictures';
import { widgetPlugin } from './widget';

const plugins: JupyterFrontEndPlugin<void>[] = [widgetPlugin, picturesPlugin, cellsPlugin, commandsPlugin];

export default plugins;
