/**
 * How trees are grown: the parameters of forests and of boosted trees with their limits, the presets (`learners.json`), and a user's changes to
 * a preset, checked.
 */
import { z } from 'zod';
import { BridgeError } from './errors';
import table from './learners.json';
import { DEPTH_MAX, REFINE_MAX, SPLIT_FEATURES_MAX, TREES_MAX } from './limits';

const natural = z.number().int().min(1);
const maxDepth = natural.max(DEPTH_MAX);
const minLeaf = natural.max(1_000_000);
/** Labelled pixels used at most, drawn evenly from the classes; null: all of them. */
const maxSamples = natural.nullable();
const seed = z.number().int().min(0).max(0xffffffff);
/** Radius in pixels of the guided filter that smooths the probabilities along the image's edges; 0 or absent: none. */
const refine = z.number().int().min(0).max(REFINE_MAX).optional();

/** How a forest is grown. */
export const zForestParams = z.object({
  trees: natural.max(TREES_MAX),
  maxDepth,
  /** Features tried at each split; `sqrt`: the root of their number, rounded down. */
  maxFeatures: z.union([natural.max(SPLIT_FEATURES_MAX), z.literal('sqrt')]),
  minLeaf,
  /** Whether all classes get equal weight, however many pixels each has. */
  balanced: z.boolean(),
  maxSamples,
  seed,
  refine
});
export type ForestParams = z.infer<typeof zForestParams>;

/** How boosted trees are grown: one tree a round, whose leaves have a value for each class. */
export const zBoostingParams = z.object({
  kind: z.literal('boosting'),
  /** Trees at most. */
  rounds: natural.max(TREES_MAX),
  /** Shrinkage: the share of a tree's step that is taken. */
  learningRate: z.number().positive().max(1),
  /** Leaves of a tree at most; the leaf whose split gains most is split next. */
  maxLeaves: natural.min(2).max(1024),
  maxDepth,
  /** Features tried for a tree; `sqrt`: the root of their number; `all`. */
  maxFeatures: z.union([natural.max(SPLIT_FEATURES_MAX), z.enum(['sqrt', 'all'])]),
  minLeaf,
  /** Added to the sum of second derivatives in a leaf. */
  l2: z.number().nonnegative().max(1e6),
  balanced: z.boolean(),
  maxSamples,
  /** Growing stops after this many rounds without a better loss on held-out strokes; null: never. */
  patience: natural.max(TREES_MAX).nullable(),
  seed,
  refine
});
export type BoostingParams = z.infer<typeof zBoostingParams>;

/** How an ensemble of trees is grown; `kind` tells boosted trees from a forest. */
export const zLearnerParams = z.union([zBoostingParams, zForestParams]);
export type LearnerParams = z.infer<typeof zLearnerParams>;

/** Names of the presets. */
export type PresetName = keyof typeof table.presets;

/** SAMBA's forest; a forest of fully grown trees; boosted trees. Python reads the same table (`sambalab/spec/learners.py`). */
export const FOREST_PRESETS = table.presets as {
  readonly samba: ForestParams;
  readonly deep: ForestParams;
  readonly boosting: BoostingParams;
};

/** The preset of a request that names none. */
export const DEFAULT_PRESET = table.default as PresetName;

/** Changes to the parameters of a preset; to those of {@link DEFAULT_PRESET} if `preset` is absent. */
export const zForestRequest = zBoostingParams
  .omit({ kind: true })
  .partial()
  .extend({
    ...zForestParams.partial().shape,
    maxFeatures: zBoostingParams.shape.maxFeatures.optional(),
    preset: z.enum(Object.keys(table.presets) as PresetName[]).optional()
  });
export type ForestRequest = z.infer<typeof zForestRequest>;

/** Whether these are the parameters of boosted trees. */
export function isBoosting(params: LearnerParams): params is BoostingParams {
  return 'kind' in params;
}

/** Apply changes to a preset, {@link DEFAULT_PRESET} if they name none. @throws BridgeError `invalid`, naming the wrong value. */
export function learnerParams(partial: object = {}): LearnerParams {
  const { preset, ...given } = Object.fromEntries(Object.entries(partial).filter(([, value]) => value !== undefined));
  const known = zForestRequest.shape.preset.safeParse(preset);
  if (!known.success) {
    const names = Object.keys(FOREST_PRESETS).join(', ');
    throw new BridgeError('invalid', `forest.preset: there is no ${JSON.stringify(preset)}; the presets are ${names}.`);
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
