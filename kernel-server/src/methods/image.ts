/** Handlers of the image's pixels, and of the staged arrays by which Python hands over and receives arrays. */
import { shapeIn } from '../../../src/shared/direction';
import { BridgeError } from '../../../src/shared/errors';
import { flood } from '../arrays/flood';
import { openSlices } from '../arrays/slices';
import { deflateTile } from '../session/overlays';
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
      const tile = await session
        .pyramidIn(params.direction)
        .tile(params.slice, params.level, params.row, params.column, params.range);
      const { rows, columns, channels, dtype, pixels } = tile;
      return { result: { rows, columns, channels, dtype }, buffers: [pixels] };
    },

    'image.histogram': async params => ({ result: await histograms.of(await sessions.get(params.session)) }),

    'image.flood': async ({ session: id, direction, slice, row, column, tolerance }, call) => {
      const session = await sessions.get(id);
      session.checkSlice(slice, direction);
      const [z, y, x] = session.record.image.shape;
      const [, rows, columns] = shapeIn(direction ?? 'xy', [z, y, x]);
      if (row >= rows || column >= columns) {
        throw new BridgeError(
          'invalid',
          `Pixel (${row}, ${column}) is outside; the image has ${rows} × ${columns} pixels.`
        );
      }
      const image = openSlices(session.image, direction);
      try {
        const tiles = await flood(image, { slice, row, column, tolerance }, call.signal);
        const buffers = await Promise.all(tiles.map(({ bits }) => deflateTile(bits)));
        return { result: { tiles: tiles.map(tile => ({ row: tile.row, column: tile.column })) }, buffers };
      } finally {
        image.close();
      }
    },

    'image.pixel': async ({ session: id, direction, slice, row, column }) => {
      const session = await sessions.get(id);
      return { result: { values: session.pyramidIn(direction).pixel(slice, row, column) } };
    },

    'array.stage': async ({ dtype, shape, ahead }, { peer }) => ({
      result: await staging.make(peer, dtype, shape, ahead)
    }),

    'array.written': ({ staged, bytes }, { peer }) => {
      staging.written(peer, staged, bytes);
      return { result: {} };
    },

    'array.release': async ({ staged }, { peer }) => {
      await staging.release(peer, staged);
      return { result: {} };
    }
  } satisfies Partial<Handlers>;
}
