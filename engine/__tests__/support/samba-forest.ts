/** Parameters of forests for tests. Not a test. */
import { FOREST_PRESETS, ForestParams, isBoosting, learnerParams } from '../../../src/shared/learners';

/** SAMBA's forest, with changes. */
export function sambaForest(changes: object = {}): ForestParams {
  const params = learnerParams({ preset: 'samba', ...changes });
  if (isBoosting(params)) {
    throw new Error('these parameters are for boosted trees');
  }
  return params;
}

/** The preset `deep`. */
export const DEEP_FOREST = FOREST_PRESETS.deep;
