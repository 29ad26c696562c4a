/** Checks of a request beyond the form of its params, which the dispatcher has checked. */
import { BridgeError } from '../../../src/shared/errors';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { ICall } from '../transport/dispatcher';

/** Throws BridgeError `unauthorized` for a peer that is not Python. */
export function pythonOnly({ peer }: ICall, method: string): void {
  if (peer.role !== 'python') {
    throw new BridgeError('unauthorized', `${method} is for Python; this peer is a ${peer.role}.`);
  }
}

/** The classifier in the request's buffer. Throws BridgeError `invalid` unless there is exactly one buffer. */
export function classifierOf({ buffers }: ICall): Uint8Array {
  const [classifier] = buffers;
  if (!classifier || buffers.length !== 1) {
    throw new BridgeError('invalid', `One buffer with the classifier is needed; ${buffers.length} came.`);
  }
  return classifier;
}

/** A staged array as an image. Throws BridgeError `invalid` for another shape. */
export function imageOf(array: ArrayDescriptor): ArrayDescriptor {
  const channels = array.shape[3];
  if (array.shape.length !== 4 || (channels !== 1 && channels !== 3)) {
    throw new BridgeError(
      'invalid',
      `The image has shape [${array.shape.join(', ')}]; it must be [slices, rows, columns, channels] with 1 or 3 channels.`
    );
  }
  return array;
}
