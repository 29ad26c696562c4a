/**
 * The protocol: all requests, replies and events between the browser, Python and the sidecar.
 *
 * A request is `{v, id, method, params}` with buffers; its reply is `{v, re, result}` or `{v, re, error: {code, message}}`.
 * The sidecar also sends events `{v, event, params}` to the peers attached to a session.
 *
 * A request may be sent again under the same id. The sidecar runs it once and repeats its reply, unless the method's entry says
 * `repeat: true`. `cancel` names the id of a running request, which then fails with `cancelled`.
 *
 * Pixels: arrays are [slice, row, column(, channel)]; a single image is one slice. Tiles are square, clipped at the image's
 * right and lower edge, and named by tile row and tile column.
 *
 * One file a topic: `sidecar`, `session`, `session-list`, `class-sets`, `backups`, `labels`, `history`, `arrays`, `sam`, `training`, `next-region`, `phases`, `classifier`, `kernel`, each with its table of
 * methods; `events`; `types` and `classifier-info`, which they share. `methods` joins the tables, `messages` checks headers.
 *
 * Imports zod and the rest of `src/shared`. Only forms are here: what a handler does is in `kernel-server/src/methods`.
 */
export * from './backups';
export * from './class-sets';
export * from './classifier';
export * from './classifier-info';
export * from './correction';
export * from './events';
export * from './history';
export * from './kernel';
export * from './labels';
export * from './messages';
export * from './methods';
export * from './next-region';
export * from './phases';
export * from './sam';
export * from './sam-device';
export * from './session';
export * from './session-list';
export * from './types';
