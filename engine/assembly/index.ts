/**
 * The engine's kernels, compiled to WebAssembly with fixed-width SIMD and nothing relaxed, so that every host computes the same bits.
 *
 * Here live loops over memory and nothing else: no objects, no imports. The caller lays memory out (`engine/core/wasm.ts`), passes addresses in
 * bytes and keeps 256 bytes free behind each block, since vector loops may read a little past the end; scratch grows behind it (`arena.ts`).
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
