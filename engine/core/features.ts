/** Feature specs (`src/shared/features.ts`) for the engine, and the halo of a tile. */
import { BridgeError } from '../../src/shared/errors';
import { featureProgram, type FeatureSpec, OP_NUMBERS } from '../../src/shared/features';
import { Engine } from './wasm';

export {
  embeddingNames,
  familyNames,
  featureKey,
  featureNames,
  featureOps,
  featureProgram,
  featureSpec,
  needsRange,
  planesOf,
  withImage,
  withoutEmbedding,
  withRange,
  type FeatureSpec
} from '../../src/shared/features';

/** Pixels around a tile that its features depend on. @throws BridgeError `invalid` for an op that the kernels do not know. */
export function halo(engine: Engine, spec: FeatureSpec): number {
  const program = featureProgram(spec);
  const mark = engine.mark;
  const pixels = engine.kernels.programHalo(engine.put(program), program.length / OP_NUMBERS);
  engine.release(mark);
  if (pixels < 0) {
    throw new BridgeError('invalid', 'The engine does not know one of these features; update SambaLab.');
  }
  return pixels;
}
