/** The feature families as nodes of ONNX, and which there are not. */
import { IFeatureOp } from '../../src/kernel-bridge/features';
import { once, Smoothed } from './linear';
import { membrane } from './membrane';
import { Plane, Planes } from './planes';

/** One channel of an image, and what its features share. */
export class Channel {
  constructor(
    readonly planes: Planes,
    readonly source: Plane
  ) {
    this.smoothed = new Smoothed(planes, source);
  }

  readonly smoothed: Smoothed;
}

type Arguments = readonly number[];

/** How each family is made; the arguments are those of its instruction in a feature program. */
const FAMILIES: Readonly<Record<string, (channel: Channel, args: Arguments) => Plane[]>> = {
  original: ({ source }) => [source],
  gaussian: ({ smoothed }, [sigma]) => [smoothed.gaussian(sigma!)],
  sobel: ({ smoothed }, [sigma]) => [smoothed.sobel(sigma!)],
  hessian: ({ smoothed }, [sigma]) => smoothed.hessian(sigma!),
  hessianOrientation: ({ smoothed }, [sigma]) => smoothed.hessianOrientation(sigma!),
  differenceOfGaussians: ({ smoothed, planes }, [small, large]) => [
    planes.subtract(smoothed.gaussian(small!), smoothed.gaussian(large!))
  ],
  membrane: ({ planes, source }, [patch, thickness]) => membrane(planes, source, patch!, thickness!)
};

/** What of these features ONNX does not express, in words. */
export function inexpressible(ops: readonly IFeatureOp[]): string[] {
  const found = new Map<string, string>();
  for (const { family } of ops) {
    if (!Object.hasOwn(FAMILIES, family)) {
      once(found, family, () => family);
    }
  }
  return [...found.values()];
}

/** The channels of one op. */
export function featurePlanes(channel: Channel, { family, args }: IFeatureOp): Plane[] {
  return FAMILIES[family]!(channel, args);
}
