/** Refuses shared arrays of a wrong shape or type before any work begins. */
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { ISegmentationArrays } from '../jobs/services';

/**
 * Sizes of an image.
 *
 * @throws BridgeError `invalid` if the shape is not an image's, or the image has no such slice.
 */
export function shapeOf(image: ArrayDescriptor, slice: number) {
  const [slices, rows, columns, channels = 1] = image.shape;
  if (!slices || !rows || !columns || (channels !== 1 && channels !== 3)) {
    throw new BridgeError(
      'invalid',
      `The image has shape [${image.shape.join(', ')}]; it must be [slices, rows, columns, channels] with 1 or 3 channels and no side 0.`
    );
  }
  if (!Number.isInteger(slice) || slice < 0 || slice >= slices) {
    throw new BridgeError('invalid', `There is no slice ${slice}; the image has ${slices}, counted from 0.`);
  }
  return { slices, rows, columns, channels };
}

/** @throws BridgeError `invalid` unless the array has this type and shape. */
export function expectArray(array: ArrayDescriptor, dtype: string, shape: number[], what: string): void {
  if (array.dtype !== dtype || array.shape.length !== shape.length || array.shape.some((n, i) => n !== shape[i])) {
    throw new BridgeError(
      'invalid',
      `${what} is ${array.dtype} [${array.shape.join(', ')}]; it must be ${dtype} [${shape.join(', ')}].`
    );
  }
}

/**
 * @param shape slices, rows and columns
 * @throws BridgeError `invalid` unless the arrays for a segmentation have their types and shapes.
 */
export function expectOutputs(out: ISegmentationArrays, shape: number[], classes: number): void {
  if (out.prediction) {
    expectArray(out.prediction, 'uint8', shape, 'The array for the segmentation');
  }
  if (out.probabilities) {
    expectArray(out.probabilities, 'float32', [...shape, classes], 'The array for probabilities');
  }
  if (out.uncertainty) {
    expectArray(out.uncertainty, 'float32', shape, 'The array for the uncertainty');
  }
}
