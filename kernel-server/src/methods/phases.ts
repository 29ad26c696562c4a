/** Handlers of phase fractions. */
import { z } from 'zod';
import { pooledPhases } from '../../../engine';
import { BridgeError } from '../../../src/shared/errors';
import { PHASE_IMAGES_MAX } from '../../../src/shared/limits';
import { ArrayDescriptor, ImagePhases, zImagePhases } from '../../../src/shared/protocol';
import { Handlers } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function phaseHandlers({ sessions, staging, phases }: IMethodContext) {
  return {
    'phases.measure': async (params, call) => {
      if ('session' in params) {
        const image = await phases.ofSession(await sessions.get(params.session), call);
        return { result: { image, phases: pooledPhases([image]) } };
      }
      const { segmentation, probabilities } = params;
      const hard = staging.get(call.peer, segmentation);
      expectShape(hard, 'uint8', [3], 'The segmentation', '[slices, rows, columns]');
      const soft = probabilities && { array: staging.get(call.peer, probabilities.staged), ids: probabilities.ids };
      if (soft) {
        const shape = [...hard.shape, soft.ids.length];
        expectShape(soft.array, 'float32', shape, 'The array of probabilities', `[${shape.join(', ')}]`);
      }
      const image = await phases.ofArrays(hard, soft, call.signal);
      return { result: { image, phases: pooledPhases([image]) } };
    },

    'phases.pool': ({ weights }, { buffers }) => {
      const images = imagesOf(buffers);
      if (weights && weights.length !== images.length) {
        throw new BridgeError('invalid', `There are ${weights.length} weights for ${images.length} images.`);
      }
      return { result: { phases: pooledPhases(images, weights) } };
    }
  } satisfies Partial<Handlers>;
}

/** The images in the request's buffer. Throws BridgeError `invalid` for anything else. */
function imagesOf(buffers: readonly Uint8Array[]): ImagePhases[] {
  let given: unknown;
  try {
    given = JSON.parse(Buffer.concat(buffers).toString());
  } catch {
    given = undefined;
  }
  const parsed = zImagePhases.array().min(1).max(PHASE_IMAGES_MAX).safeParse(given);
  if (!parsed.success) {
    throw new BridgeError(
      'invalid',
      `One buffer with the phases of 1 to ${PHASE_IMAGES_MAX} images is needed, as JSON: ${z.prettifyError(parsed.error)}`
    );
  }
  return parsed.data;
}

/** Throws BridgeError `invalid` unless an array has this type and this shape, or number of axes. */
function expectShape(array: ArrayDescriptor, dtype: string, shape: number[], what: string, said: string): void {
  const fits = shape.length === 1 ? array.shape.length === shape[0] : array.shape.join() === shape.join();
  if (array.dtype !== dtype || !fits || array.shape.includes(0)) {
    throw new BridgeError(
      'invalid',
      `${what} is ${array.dtype} [${array.shape.join(', ')}]; it must be ${dtype} ${said} with no side 0.`
    );
  }
}
