/**
 * The engine: features, bins, forests, classifiers.
 *
 * Here lives pure computation on typed arrays: TypeScript that lays out memory and WebAssembly (`assembly/`) that loops over it. It runs
 * in Node's worker threads, in the browser and wherever else WebAssembly runs, with the same bits out. No files, no network, no
 * threads, nothing of Node or of a page; who calls it brings the bytes of `engine.wasm`.
 */
export * from './core/classifier';
export * from './core/features';
export {
  classifierFormat,
  classifierFormats,
  convertClassifier,
  readClassifier,
  type IClassifierFormat
} from './codecs';
export * from './core/forest';
export * from './core/quantile';
export { FeatureStack, blocksOf, planeFloats, type ITileFeatures } from './core/stack';
export { Engine, compileEngine, type TypedArray } from './core/wasm';
export * from './core/embedding';
export * from './core/boosting';
export * from './core/intensity';
export * from './core/refine';
