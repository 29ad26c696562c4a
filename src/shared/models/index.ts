/**
 * The models of the SAM family. A model is a file here and one line: in {@link MODELS} if it comes with SambaLab (it also needs its npm package in
 * `kernel-server/package.json`), else in {@link PROMPT_MODELS}. No other code knows a model.
 *
 * The manifests are in `shared` because feature specs, which every part reads, name a model and its layers. The build writes those of MODELS to
 * `sambalab/server/models.json` for Python, the wheel and `scripts/build-decoder.mjs`.
 *
 * Imports nothing but zod. Code that runs a model belongs in `src/sam` and `kernel-server/src/sam`.
 *
 * manifest.ts       the form of a manifest, and what follows from one
 * mobile-sam.ts     MobileSAM
 * sam.ts            SAM
 * micro-sam.ts      micro-sam's
 * hq-sam.ts         HQ-SAM
 * efficient-sam.ts  EfficientSAM
 * sam2.ts           SAM 2.1
 */
import { EFFICIENT_SAM } from './efficient-sam';
import { HQ_SAM } from './hq-sam';
import { IModelManifest, IPromptModel } from './manifest';
import { MICRO_SAM } from './micro-sam';
import { MOBILE_SAM } from './mobile-sam';
import { SAM } from './sam';
import { SAM_2 } from './sam2';

export * from './manifest';

/** The models that come with SambaLab. Classifiers see the first; feature specs that name no model mean it too. */
export const MODELS: readonly IModelManifest[] = [MOBILE_SAM];

/** The model that classifiers see, and that suggests unless another one is chosen. */
export const DEFAULT_MODEL: IModelManifest = MODELS[0]!;

/** The models that may suggest: the user brings the files of all but {@link MODELS}. */
export const PROMPT_MODELS: readonly IPromptModel[] = [
  ...MODELS,
  ...SAM,
  ...MICRO_SAM,
  ...HQ_SAM,
  ...EFFICIENT_SAM,
  ...SAM_2
];

/** A model that classifiers may see, by its id; undefined if there is none, for example in a classifier from elsewhere. */
export function findModel(id: string | undefined): IModelManifest | undefined {
  return MODELS.find(model => model.id === id);
}

/** A model that may suggest, by its id. */
export function findPromptModel(id: string): IPromptModel | undefined {
  return PROMPT_MODELS.find(model => model.id === id);
}
