/**
 * The labelling widget: its state (`model.ts`), what is seen of it (`view.ts`), and its face towards ipywidgets
 * (`ipywidget.ts`). Lumino widgets and plain DOM; nothing here uses JupyterLab's services, an extension may.
 * Data goes one way: messages and the pointer change the state, the state's signal makes views draw.
 */
export * from './model';
export * from './settings';
export * from './translation';
export * from './view';
