/** The registry of feature families in ONNX. A family that is not in {@link FAMILIES} cannot be exported. */
import { IFeatureOp } from '../../src/shared/features';
import { maximum, mean, median, MEDIAN_RADIUS_MAX, minimum, variance } from './discs';
import { Smoothed } from './linear';
import { gabor, kuwahara } from './lines';
import { membrane } from './membrane';
import { Plane, Planes } from './planes';
import { Derivatives, neighbours } from './wide';

/** One channel of an image, and the planes that its features share. */
export class Channel {
  constructor(
    readonly planes: Planes,
    readonly source: Plane
  ) {
    this.smoothed = new Smoothed(planes, source);
    this.derivatives = new Derivatives(planes, source);
  }

  readonly smoothed: Smoothed;
  readonly derivatives: Derivatives;
}

type Arguments = readonly number[];

/** The builder of each family; its arguments are those of the op in a feature program. One line a family. */
const FAMILIES: Readonly<Record<string, (channel: Channel, args: Arguments) => Plane[]>> = {
  original: ({ source }) => [source],
  gaussian: ({ smoothed }, [sigma]) => [smoothed.gaussian(sigma!)],
  sobel: ({ smoothed }, [sigma]) => [smoothed.sobel(sigma!)],
  hessian: ({ smoothed }, [sigma]) => smoothed.hessian(sigma!),
  hessianOrientation: ({ smoothed }, [sigma]) => smoothed.hessianOrientation(sigma!),
  differenceOfGaussians: ({ smoothed }, [small, large]) => [smoothed.difference(small!, large!)],
  membrane: ({ planes, source }, [patch, thickness]) => membrane(planes, source, patch!, thickness!),
  mean: ({ planes, source }, [radius]) => [mean(planes, source, radius!)],
  variance: ({ planes, source }, [radius]) => [variance(planes, source, radius!)],
  minimum: ({ planes, source }, [radius]) => [minimum(planes, source, radius!)],
  maximum: ({ planes, source }, [radius]) => [maximum(planes, source, radius!)],
  median: ({ planes, source }, [radius]) => [median(planes, source, radius!)],
  derivatives: ({ derivatives }, [sigma, order]) => [derivatives.mixed(sigma!, order!)],
  laplacian: ({ derivatives }, [sigma]) => [derivatives.laplacian(sigma!)],
  structureTensor: ({ derivatives }, [sigma, integration]) => derivatives.structureTensor(sigma!, integration!),
  neighbours: ({ planes, source }, [sigma]) => neighbours(planes, source, sigma!),
  kuwahara: ({ planes, source }, [length]) => kuwahara(planes, source, length!),
  gabor: ({ planes, source }, [sigma, gamma, frequency]) => gabor(planes, source, sigma!, gamma!, frequency!)
};

/** Those of the features that ONNX cannot express, in words. */
export function inexpressible(ops: readonly IFeatureOp[]): string[] {
  const found = new Set<string>();
  for (const { family, args, names } of ops) {
    if (!Object.hasOwn(FAMILIES, family)) {
      found.add(family);
    } else if (family === 'median' && args[0]! > MEDIAN_RADIUS_MAX) {
      found.add(`${names[0]} (r=${MEDIAN_RADIUS_MAX} at most)`);
    }
  }
  return [...found];
}

/** The channels of one op. */
export function featurePlanes(channel: Channel, { family, args }: IFeatureOp): Plane[] {
  return FAMILIES[family]!(channel, args);
}
