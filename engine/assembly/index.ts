/**
 * The engine's kernels in AssemblyScript, compiled to WebAssembly with fixed-width SIMD, not relaxed SIMD, so that every host computes the same bits.
 *
 * Only loops over memory belong here: no objects, and no imports from outside of this folder. The caller lays out memory (`engine/core/wasm.ts`),
 * passes addresses in bytes and keeps 256 bytes free behind each block, since vector loops may read past its end; scratch grows behind it.
 *
 * - features: `program` runs a feature program's ops on a `tile`; `family` registers the ops of `families/`; `embedding` has an encoder's maps
 * - for the families: `gaussian-kernel`, `smoothed`, `derivative-planes`, `membrane-lines`, `line-plan`, `wide` (float64), `planes`, `arena`
 * - bins: `quantise`; growing: `grow` with `cuts`, `boost` with `boost-cuts` and `boost-softmax`, `random`
 * - `decoder/` is a module of its own: SAM's mask decoder for the page
 * - applying: `pack`, `apply`, `refine`; `moments` (mean and deviation of an image), `exponential`
 */
export { computeTile, programHalo } from './program';
export { embedTile, joinBlocks } from './embedding';
export { buildTables, quantise } from './quantise';
export { growTree, growScratch } from './grow';
export { boostScratch, boostSlot, boostTree } from './boost';
export { boostGradients, boostLoss } from './boost-softmax';
export { packForest } from './pack';
export { applyForest, applyForestForLabels, applyScratch, decide, decideBoosted } from './apply';
export { refine, refineScratch } from './refine';
export { rowMoments } from './moments';

/** Where the caller's memory begins, behind the module's own data. */
export function heapBase(): usize {
  return __heap_base;
}
