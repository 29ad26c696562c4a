/** Checks a region that is to be worked on. */
import { BridgeError } from '../../../src/shared/errors';
import { isSameRegion, OptionalRegion, wholeRegion } from '../../../src/shared/region';

/**
 * A region as the session keeps it: null for all of the image.
 *
 * @param shape of the image, [slices, rows, columns, …]
 * @throws BridgeError `invalid` if the image does not have it, or it is empty
 */
export function checkRegion(region: OptionalRegion, shape: readonly number[]): OptionalRegion {
  if (!region) {
    return null;
  }
  const [slices, rows, columns] = shape as [number, number, number];
  for (const [what, first, end, size] of [
    ['slices', region.slice0, region.slice1, slices],
    ['rows', region.row0, region.row1, rows],
    ['columns', region.column0, region.column1, columns]
  ] as const) {
    if (first >= end || end > size) {
      throw new BridgeError(
        'invalid',
        `The region has ${what} ${first} to ${end}, the end not included; some of the ${size} ${what} from 0 to ${size} will do.`
      );
    }
  }
  return isSameRegion(region, wholeRegion(shape)) ? null : region;
}
