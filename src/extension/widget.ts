/** The plugin that registers the widget and passes JupyterLab's settings and language on to it. */
import { IJupyterWidgetRegistry } from '@jupyter-widgets/base';
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator } from '@jupyterlab/translation';
import { ISettings, userSettings } from '../widget/base/settings';
import { setTranslation } from '../widget/base/translation';
import { MODULE_NAME, MODULE_VERSION } from '../widget/version';

export const widgetPlugin: JupyterFrontEndPlugin<void> = {
  id: 'sambalab:widget',
  description: 'Shows labellers in notebooks.',
  autoStart: true,
  requires: [IJupyterWidgetRegistry],
  optional: [ISettingRegistry, ITranslator],
  activate: (
    _app: JupyterFrontEnd,
    registry: IJupyterWidgetRegistry,
    settingRegistry: ISettingRegistry | null,
    translator: ITranslator | null
  ) => {
    setTranslation(translator?.load('sambalab') ?? null);
    registry.registerWidget({
      name: MODULE_NAME,
      version: MODULE_VERSION,
      exports: async () => {
        const { LabellerModel, LabellerView } = await import('../widget/ipywidget');
        return { LabellerModel, LabellerView };
      }
    });
    if (settingRegistry) {
      void followSettings(settingRegistry);
    }
  }
};

/** Copy JupyterLab's settings into the labellers' settings, now and whenever they change. */
async function followSettings(registry: ISettingRegistry): Promise<void> {
  try {
    const settings = await registry.load(widgetPlugin.id);
    const apply = () => userSettings.set(settings.composite as Partial<ISettings>);
    settings.changed.connect(apply);
    apply();
  } catch (error) {
    console.error('The settings of SambaLab could not be loaded; its defaults are used.', error);
  }
}
