/** The presets of forests and of boosting, and what a person changed on top of one, checked. */
import { BridgeError } from './errors';
import table from './forest.json';
import {
  BoostingParams,
  ForestParams,
  LearnerParams,
  zBoostingParams,
  zForestParams,
  zForestRequest
} from './protocol';

/** Names of the presets. */
export type PresetName = keyof typeof table.presets;

/**
 * SAMBA's forest; one of trees that are grown out; boosted trees. Python reads the same table (`sambalab/parameters.py`).
 */
export const FOREST_PRESETS = table.presets as {
  readonly samba: ForestParams;
  readonly deep: ForestParams;
  readonly boosting: BoostingParams;
};

/** The preset that is meant where none is named. */
export const DEFAULT_PRESET = table.default as PresetName;

/** SAMBA's forest. */
export const DEFAULT_FOREST = FOREST_PRESETS.samba;

/** Whether these are the parameters of boosted trees. */
export function isBoosting(params: LearnerParams): params is BoostingParams {
  return 'kind' in params;
}

/** A preset (the default one if `partial` names none) with `partial` on top. @throws BridgeError `invalid` naming the wrong value. */
export function learnerParams(partial: object = {}): LearnerParams {
  const { preset, ...given } = Object.fromEntries(Object.entries(partial).filter(([, value]) => value !== undefined));
  const known = zForestRequest.shape.preset.safeParse(preset);
  if (!known.success) {
    const names = Object.keys(FOREST_PRESETS).join(', ');
    throw new BridgeError('invalid', `forest.preset: there is no ${JSON.stringify(preset)}; these will do: ${names}.`);
  }
  const base: LearnerParams = FOREST_PRESETS[known.data ?? DEFAULT_PRESET];
  const schema = isBoosting(base) ? zBoostingParams : zForestParams;
  const checked = schema.strict().safeParse({ ...base, ...given });
  if (!checked.success) {
    const issue = checked.error.issues[0]!;
    throw new BridgeError('invalid', `forest.${issue.path.join('.')}: ${issue.message}.`);
  }
  return checked.data;
}

/** The same for a forest; `samba` if `partial` names no preset. @throws BridgeError `invalid`, for boosted trees too. */
export function forestParams(partial: object = {}): ForestParams {
  const params = learnerParams({ preset: 'samba', ...partial });
  if (isBoosting(params)) {
    throw new BridgeError('invalid', 'forest.preset: boosting grows no forest; samba and deep will do.');
  }
  return params;
}
