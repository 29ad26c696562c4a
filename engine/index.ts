/**
 * The engine: features, bins, forests, classifiers.
 *
 * Here lives pure computation on typed arrays: TypeScript that lays out memory and WebAssembly (`assembly/`) that loops over it. It runs
 * in Node's worker threads, in the browser and wherever else WebAssembly runs, with the same bits out. No files, no network, no
 * threads, nothing of Node or of a page; who calls it brings the bytes of `engine.wasm`.
 */
export * from './classifier';
export * from './features';
export { convertClassifier, readClassifier } from './files';
export * from './forest';
export { decodeMlRandomForest, encodeMlRandomForest } from './ml-random-forest';
export { encodeOnnx } from './onnx';
export * from './quantile';
export type { ITile } from './tile';
export { FeatureStack, blocksOf, planeFloats, type ITileFeatures } from './stack';
export { Engine, compileEngine, type TypedArray } from './wasm';
export * from './embedding';
export * from './boosting';
export * from './intensity';
export * from './refine';
