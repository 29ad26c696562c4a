/**
 * The browser's client of the protocol, and the comm that carries its messages to the sidecar.
 * Nothing here knows of pages, widgets, images or files. Imports `src/shared` and Lumino.
 */
export * from './client';
export * from './live-comm';
