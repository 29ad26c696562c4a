/**
 * The models of the SAM family that the sidecar can run. Another model is another file here, one line in {@link MODELS}, and its npm package in
 * `kernel-server/package.json`; no other code knows a model.
 *
 * The manifests are in `shared` because feature specs, which every part reads, name a model and its layers. The build writes them to
 * `sambalab/server/models.json` for Python, the wheel and `scripts/build-decoder.mjs`.
 *
 * Imports nothing but zod. Code that runs a model belongs in `src/sam` and `kernel-server/src/sam`.
 *
 * manifest.ts    the form of a manifest, and what follows from one
 * mobile-sam.ts  MobileSAM
 */
import { IModelManifest } from './manifest';
import { MOBILE_SAM } from './mobile-sam';

export * from './manifest';

/** All models. The sidecar runs the first; feature specs that name no model mean it too. */
export const MODELS: readonly IModelManifest[] = [MOBILE_SAM];

/** The model that the sidecar runs. */
export const DEFAULT_MODEL: IModelManifest = MODELS[0]!;

/** A model by its id; undefined if there is none, for example in a classifier from elsewhere. */
export function findModel(id: string | undefined): IModelManifest | undefined {
  return MODELS.find(model => model.id === id);
}
