/** Handlers that say where to label next, and how sure the classifier is. */
import { deflateTile } from '../session/overlays';
import { Handlers } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function nextRegionHandlers({ sessions, uncertainty, regions }: IMethodContext) {
  return {
    'uncertainty.tiles': async (params, call) => {
      const session = await sessions.get(params.session);
      const { segmentationVersion: version } = session.record;
      const tiles = await uncertainty.tiles(session, params, call.signal);
      return { result: { version, low: 0, high: 1 }, buffers: await Promise.all(tiles.map(deflateTile)) };
    },

    'probability.tiles': async ({ session: id, slice, class: classId, level = 0, tiles: refs }, call) => {
      const session = await sessions.get(id);
      const { segmentationVersion: version } = session.record;
      const tiles = await uncertainty.tiles(session, { slice, measure: { classId }, level, tiles: refs }, call.signal);
      return { result: { version, low: 0, high: 1 }, buffers: await Promise.all(tiles.map(deflateTile)) };
    },

    regions: async (params, call) => ({ result: await regions.find(await sessions.get(params.session), params, call) })
  } satisfies Partial<Handlers>;
}
