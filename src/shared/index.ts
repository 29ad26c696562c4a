/**
 * What the browser, the sidecar and the engine agree on: the protocol, frames, errors, the tables of features and learners, limits.
 * Imports zod and nothing else: no Lumino, no Node, no DOM, so that all parts can import it.
 *
 * - `protocol/`: requests, replies and events; `frames`: messages on the wire; `errors`: their codes
 * - `features`, `features.json`: feature families and specs
 * - `learners`, `learners.json`: parameters of forests and boosted trees
 * - `limits`, `versions`: numbers that several parts need; `limits-json`: those that Python reads
 * - `models/`: manifests of SAM models
 * - `class-colors`: the default colours of classes
 * - `contrast`: from grey values to what the screen shows and SAM sees
 * - `scores`: recall, precision and IoU of a confusion matrix
 * - `provenance`: numbers for what made a label
 * - `replaces`: which labels a patch may change
 * - `direction`: slices of a volume in the directions xy, xz and yz
 * - `gpu-adapters`: what WebGPU's adapters say of themselves
 * - `lru`, `rect`: small types that all parts use
 */
export * from './class-colors';
export * from './contrast';
export * from './direction';
export * from './errors';
export * from './features';
export * from './frames';
export * from './learners';
export * from './limits';
export * from './lru';
export * from './models';
export * from './protocol';
export * from './provenance';
export * from './rect';
export * from './replaces';
export * from './scores';
export * from './versions';
