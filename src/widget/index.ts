/**
 * The labelling widget: its state (`model.ts`), what is seen of it (`view.ts`), and its face towards ipywidgets
 * (`ipywidget.ts`). Lumino widgets and plain DOM; nothing here uses JupyterLab's services, an extension may.
 * Data goes one way: messages and the pointer change the state, the state's signal makes views draw.
 */
export * from './state/labeller-state';
export * from './base/settings';
export * from './base/translation';
export * from './frame/labeller-panel';
