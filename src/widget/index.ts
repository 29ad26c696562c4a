/**
 * The labelling widget, made of Lumino widgets and plain DOM. Data flows one way: messages and the pointer change the state, and
 * the state's signal makes the views draw.
 *
 * - `ipywidget.ts`: model and view for ipywidgets
 * - `frame`: the view as a whole, with toolbar, status line and keys
 * - `panel`: the side panel
 * - `canvas`: canvas, painter and tools
 * - `decoder`: SAM's decoder and its worker
 * - `state`: the state of a labeller
 * - `tiles`: tiles and their pictures
 * - `labels`: labels, strokes and patches
 * - `base`: geometry, DOM helpers, settings, translation
 *
 * Each folder imports only folders below it. Nothing here uses JupyterLab's services; an extension may.
 */
export * from './state/labeller-state';
export * from './base/settings';
export * from './base/translation';
export * from './frame/labeller-panel';
