/** Which features there are: the default stack, its order and names, and how far a tile must see beyond itself. */
import { BridgeError } from '../src/kernel-bridge/errors';
import { FeatureSpec, zFeatureSpec } from '../src/kernel-bridge/protocol';
import { IFeatureGroup } from './families/family';
import { differenceOfGaussians, gaussian, original } from './families/gaussian';
import { hessian } from './families/hessian';
import { membrane } from './families/membrane';
import { sobel } from './families/sobel';

/**
 * SAMBA's default: 58 channels. Trainable Weka Segmentation's has three more of the Hessian at each scale, and the scales 0.4 times as
 * wide (`engine/families/gaussian.ts`).
 */
export const DEFAULT_FEATURES: FeatureSpec = {
  version: 1,
  sigmas: [1, 2, 4, 8, 16],
  gaussian: true,
  sobel: true,
  hessian: true,
  differenceOfGaussians: true,
  membrane: { patch: 19, thickness: 1 }
};

/** Names of the channels of an image with three. */
const COLOURS = ['red', 'green', 'blue'];

/**
 * The default features, with `partial` on top.
 *
 * @throws BridgeError `invalid` for what cannot be computed.
 */
export function featureSpec(partial: object = {}): FeatureSpec {
  const given = Object.fromEntries(Object.entries(partial).filter(([, value]) => value !== undefined));
  const checked = zFeatureSpec.strict().safeParse({ ...DEFAULT_FEATURES, ...given });
  if (!checked.success) {
    const issue = checked.error.issues[0]!;
    throw new BridgeError('invalid', `features.${issue.path.join('.')}: ${issue.message}.`);
  }
  const spec = checked.data;
  if (spec.sigmas.some((sigma, i) => i > 0 && sigma <= spec.sigmas[i - 1]!)) {
    throw new BridgeError(
      'invalid',
      `features.sigmas are [${spec.sigmas.join(', ')}]; each must exceed the one before.`
    );
  }
  if (spec.membrane && spec.membrane.patch % 2 === 0) {
    throw new BridgeError('invalid', `features.membrane.patch is ${spec.membrane.patch}; it must be odd.`);
  }
  if (spec.membrane && spec.membrane.thickness >= spec.membrane.patch) {
    const { thickness, patch } = spec.membrane;
    throw new BridgeError(
      'invalid',
      `features.membrane.thickness is ${thickness}; it must be below the patch, ${patch}.`
    );
  }
  return spec;
}

/** The groups of channels of one image channel, in the order of the stack. */
export function featureGroups(spec: FeatureSpec): IFeatureGroup[] {
  const groups = [original()];
  const edges = (sigma: number) => {
    if (spec.sobel) {
      groups.push(sobel(sigma));
    }
    if (spec.hessian) {
      groups.push(hessian(sigma));
    }
  };
  edges(0);
  for (const sigma of spec.sigmas) {
    if (spec.gaussian) {
      groups.push(gaussian(sigma));
    }
    edges(sigma);
  }
  if (spec.differenceOfGaussians) {
    spec.sigmas.forEach((small, i) => {
      groups.push(...spec.sigmas.slice(i + 1).map(large => differenceOfGaussians(small, large)));
    });
  }
  if (spec.membrane) {
    groups.push(membrane(spec.membrane.patch, spec.membrane.thickness));
  }
  return groups;
}

/** Names of the channels of the feature stack of an image with `channels` channels. */
export function featureNames(spec: FeatureSpec, channels: number): string[] {
  const names = featureGroups(spec).flatMap(group => group.names);
  if (channels === 1) {
    return names;
  }
  return Array.from({ length: channels }, (_, i) => COLOURS[i] ?? `channel ${i}`).flatMap(colour =>
    names.map(name => `${colour}: ${name}`)
  );
}

/** Pixels around a tile that its features depend on. */
export function halo(spec: FeatureSpec): number {
  return Math.max(...featureGroups(spec).map(group => group.halo));
}

/** A text that is the same for equal specs, to find cached features by. */
export function featureKey(spec: FeatureSpec): string {
  const { version, sigmas, gaussian, sobel, hessian, differenceOfGaussians, membrane } = spec;
  return JSON.stringify([version, sigmas, gaussian, sobel, hessian, differenceOfGaussians, membrane]);
}
