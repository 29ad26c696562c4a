/**
 * The engine: features, bins, forests, classifiers and their files. Pure computation on typed arrays: no files, no network, no threads,
 * nothing of Node or of a page. It runs in Node's worker threads; Python runs `engine.wasm`
 * by itself. Callers bring the bytes of `engine.wasm`.
 *
 * - `core`: TypeScript that lays out memory and calls the kernels; classifiers and their check
 * - `assembly`: the kernels, AssemblyScript that compiles to `build/engine.wasm`; feature families in `assembly/families`
 * - `onnx`: classifiers as ONNX models
 * - `codecs`: the formats of classifier files
 *
 * Imports `src/shared` and zod. Inside, codecs may import onnx and core, onnx may import core.
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
export * from './core/cleaning';
export * from './core/interpolate';
export * from './core/phase-fractions';
export * from './core/refine';
