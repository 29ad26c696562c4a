/** A short key for a basis, for caches of what is computed under it. */
import { createHash } from 'node:crypto';
import { IEmbeddingBasis } from '../../../engine';

const known = new WeakMap<IEmbeddingBasis, string>();

/** The same key for bases that are equal in every bit. A basis never changes, so its key is computed once. */
export function basisKey(basis: IEmbeddingBasis): string {
  let key = known.get(basis);
  if (key === undefined) {
    const hash = createHash('sha256').update(JSON.stringify([basis.model, basis.digest]));
    for (const { layer, channels, components, mean, matrix } of basis.layers) {
      hash.update(JSON.stringify([layer, channels, components]));
      // Copied: hashes take neither memory that threads share nor views of larger buffers.
      hash.update(new Uint8Array(mean.slice().buffer)).update(new Uint8Array(matrix.slice().buffer));
    }
    key = hash.digest('hex').slice(0, 32);
    known.set(basis, key);
  }
  return key;
}
