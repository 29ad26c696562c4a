/**
 * What the browser, the sidecar and the engine must agree on: the protocol, frames, errors, and the tables of features and forests.
 * Imports zod and nothing else: no Lumino, no Node, no page, so that every part can import it.
 */
export * from './errors';
export * from './features';
export * from './forest';
export * from './frames';
export * from './lru';
export * from './models';
export * from './protocol';
export * from './rect';
export * from './scores';
export * from './versions';
