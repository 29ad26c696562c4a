/** Handlers of training, segmentation and features. */
import { deflateTile } from '../session/overlays';
import { Handlers } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function trainingHandlers({ sessions, events, classifiers, compute }: IMethodContext) {
  return {
    train: async (params, call) => {
      const ids = new Set([params.session, ...(params.others ?? [])]);
      const taking = await Promise.all([...ids].map(id => sessions.get(id)));
      await classifiers.train(taking, params, call);
      taking.forEach(taken => events.segmented(taken));
      return { result: taking[0]!.state() };
    },

    segment: async (params, call) => {
      const session = await sessions.get(params.session);
      if (await classifiers.segment(session, params.arrays, call)) {
        events.segmented(session);
      }
      return { result: session.state() };
    },

    features: async (params, call) => ({
      result: await compute.features(await sessions.get(params.session), params, call)
    }),

    'feature.tiles': async (params, call) => {
      const session = await sessions.get(params.session);
      const { name, low, high, tiles } = await compute.featureTiles(session, params, call.signal);
      return { result: { name, low, high }, buffers: await Promise.all(tiles.map(deflateTile)) };
    }
  } satisfies Partial<Handlers>;
}
