/**
 * The protocol between browser, Python and sidecar, and the browser's client of it.
 * Nothing here knows of pages, widgets, images or files; the sidecar imports the same definitions.
 */
export * from './errors';
export * from './features';
export * from './forest';
export * from './frames';
export * from './protocol';
export * from './scores';
export * from './client';
export * from './live-comm';
