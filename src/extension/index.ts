/**
 * The JupyterLab plugins: the widget for ipywidgets with its settings, and the commands. No image code belongs here;
 * the widget itself is loaded when the first labeller is shown.
 */
import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { commandsPlugin } from './commands';
import { widgetPlugin } from './widget';

const plugins: JupyterFrontEndPlugin<void>[] = [widgetPlugin, commandsPlugin];

export default plugins;
