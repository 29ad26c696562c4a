/** A short name for the way in which an embedding is reduced, by which what follows from it is kept. */
import { createHash } from 'node:crypto';
import { IEmbeddingBasis } from '../../../engine';

const known = new WeakMap<IEmbeddingBasis, string>();

/** The same text for bases that are equal in every bit. A basis is never changed. */
export function basisKey(basis: IEmbeddingBasis): string {
  let key = known.get(basis);
  if (key === undefined) {
    const hash = createHash('sha256').update(JSON.stringify([basis.model, basis.digest]));
    for (const { layer, channels, components, mean, matrix } of basis.layers) {
      hash.update(JSON.stringify([layer, channels, components]));
      // Copies, since hashes take no memory that threads share, nor views whose buffer is larger.
      hash.update(new Uint8Array(mean.slice().buffer)).update(new Uint8Array(matrix.slice().buffer));
    }
    key = hash.digest('hex').slice(0, 32);
    known.set(basis, key);
  }
  return key;
}
