/** The presets of forests, and what a person changed on top of one, checked. */
import { BridgeError } from './errors';
import presets from './forest.json';
import { ForestParams, zForestParams, zForestRequest } from './protocol';

/**
 * SAMBA's forest, and one of trees that are grown out: more accurate on hard images, larger and slower. Python reads the same table
 * (`sambalab/parameters.py`).
 */
export const FOREST_PRESETS = presets as Readonly<Record<'samba' | 'deep', ForestParams>>;

/** SAMBA's forest. */
export const DEFAULT_FOREST = FOREST_PRESETS.samba;

/** A preset (`samba` if `partial` names none) with `partial` on top. @throws BridgeError `invalid` naming the wrong value. */
export function forestParams(partial: object = {}): ForestParams {
  const { preset, ...given } = Object.fromEntries(Object.entries(partial).filter(([, value]) => value !== undefined));
  const known = zForestRequest.shape.preset.safeParse(preset);
  if (!known.success) {
    const names = Object.keys(FOREST_PRESETS).join(', ');
    throw new BridgeError('invalid', `forest.preset: there is no ${JSON.stringify(preset)}; these will do: ${names}.`);
  }
  const checked = zForestParams.strict().safeParse({ ...FOREST_PRESETS[known.data ?? 'samba'], ...given });
  if (!checked.success) {
    const issue = checked.error.issues[0]!;
    throw new BridgeError('invalid', `forest.${issue.path.join('.')}: ${issue.message}.`);
  }
  return checked.data;
}
