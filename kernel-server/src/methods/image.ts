/** Handlers of the image's pixels, and of the staged arrays by which Python hands over and receives arrays. */
import { Handlers } from '../transport/dispatcher';
import { pythonOnly } from './checks';
import { IMethodContext } from './context';

export function imageHandlers({ sessions, staging, histograms }: IMethodContext) {
  return {
    'image.ready': async (params, call) => {
      pythonOnly(call, 'image.ready');
      const session = await sessions.get(params.session);
      await session.imageIsReady();
      return { result: session.state() };
    },

    'image.tile': async params => {
      const session = await sessions.get(params.session);
      const tile = await session.pyramid.tile(params.slice, params.level, params.row, params.column, params.range);
      const { rows, columns, channels, dtype, pixels } = tile;
      return { result: { rows, columns, channels, dtype }, buffers: [pixels] };
    },

    'image.histogram': async params => ({ result: await histograms.of(await sessions.get(params.session)) }),

    'image.pixel': async ({ session: id, slice, row, column }) => {
      const session = await sessions.get(id);
      return { result: { values: session.pyramid.pixel(slice, row, column) } };
    },

    'array.stage': async ({ dtype, shape }, { peer }) => ({ result: await staging.make(peer, dtype, shape) }),

    'array.release': async ({ staged }, { peer }) => {
      await staging.release(peer, staged);
      return { result: {} };
    }
  } satisfies Partial<Handlers>;
}
