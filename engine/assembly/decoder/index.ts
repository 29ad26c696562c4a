/**
 * SAM's mask decoder in AssemblyScript (Kirillov et al., "Segment Anything", 2023, appendix A), compiled twice: with relaxed SIMD, which rounds products
 * and sums once on most hosts, and without. `src/sam/wasm-decoder.ts` lays out the memory, computes the tokens' side and calls these kernels.
 */
export { multiply, multiplyTransposed } from './multiply';
export { attend, attendTokens } from './image-side';
export { upscale } from './upscale';
export { prepare } from './prepare';

/** Where the caller's memory begins, behind the module's own data. */
export function heapBase(): usize {
  return __heap_base;
}
