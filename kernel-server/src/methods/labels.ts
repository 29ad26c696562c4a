/** Handlers of the labels, and of tiles of labels and segmentation. */
import { inflateRawSync } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { Params } from '../../../src/shared/protocol';
import { areaOf, Rect } from '../../../src/shared/rect';
import { openSlices } from '../arrays/slices';
import { TileFile } from '../arrays/tile-file';
import { copySlice } from '../session/copy-slice';
import { paintAcross } from '../session/paint-across';
import { paintSlices } from '../session/paint-slices';
import { filledTiles, overlayTiles, tilesOf } from '../session/overlays';
import { firstTiles, middleTiles } from '../session/reduced-overlays';
import { Session } from '../session/session';
import { spareClasses } from '../session/spare-classes';
import { IPixels } from '../sam/object-carrier';
import { Handlers, ICall, madeBy, logitsOf } from '../transport/dispatcher';
import { IMethodContext } from './context';

export function labelsHandlers({ sessions, peers, events, staging, interpolation, carrier }: IMethodContext) {
  return {
    'labels.patch': async ({ session: id, direction = 'xy', keeps = [], ...patch }, call) => {
      const session = await sessions.get(id);
      if (patch.class !== 0) {
        checkClass(session, patch.class);
      }
      const directed = direction === 'xy' ? undefined : { direction };
      const segmentation = session.array('segmentation');
      const buffers =
        patch.layer === 'correction' && keeps.length > 0 && segmentation
          ? spareClasses(
              {
                segmentation,
                correction: session.labels.drawn('correction').array,
                content: `${segmentation.version} ${session.labels.latest}`,
                direction,
                keeps
              },
              patch,
              call.buffers
            )
          : call.buffers;
      const result = directed
        ? await paintAcross(session.labels, call.id, { ...patch, ...directed }, buffers)
        : await session.labels.patch(call.id, patch, buffers);
      const event = { origin: call.peer.name, version: result.version, patch: { session: id, ...patch, ...directed } };
      peers.emit(id, 'patch', event, { buffers, except: call.peer });
      events.changed(session);
      return { result };
    },

    'labels.paint': async ({ session: id, ...paint }, call) => {
      const session = await sessions.get(id);
      checkClass(session, paint.class);
      const { version, changed, rects } = await paintSlices(session.labels, call.id, paint, call.buffers);
      await events.labelsEdited(session, rects);
      events.changed(session);
      return { result: { version, changed } };
    },

    'labels.set': async (params, call) => {
      const session = await sessions.get(params.session);
      const staged = staging.get(call.peer, params.staged);
      const { shape } = session.labels.array;
      if (staged.dtype !== 'uint8' || staged.shape.join() !== shape.join()) {
        throw new BridgeError(
          'invalid',
          `The labels are ${staged.dtype} of shape [${staged.shape.join(', ')}]; they must be uint8 of shape [${shape.join(', ')}].`
        );
      }
      const result = await events.aroundReplacement(session, () => {
        return session.setLabels(staged, params.made ?? madeBy(call, 'set_labels'), params.classes);
      });
      return { result };
    },

    'labels.interpolate': async (params, call) => {
      const session = await sessions.get(params.session);
      const { version, changed, rects, slices } = await interpolation.run(session, params, call);
      await events.labelsEdited(session, rects);
      events.changed(session);
      return { result: { version, changed, slices } };
    },

    'labels.copy': async ({ session: id, ...copy }, call) => {
      const session = await sessions.get(id);
      [copy.from, copy.to].forEach(slice => session.checkSlice(slice));
      const made = { provenance: 'hand', tool: 'copy-slice' } as const;
      const { version, changed, rects } = await session.labels.edit(call.id, made, ({ labels }, recorder) =>
        copySlice(labels, recorder, copy)
      );
      await events.labelsEdited(session, rects);
      events.changed(session);
      return { result: { version, changed } };
    },

    'labels.carry': async (params, call) => {
      const session = await sessions.get(params.session);
      checkClass(session, params.class);
      const { rects, ...result } = await carrier.label(
        session,
        params,
        logitsOf(call),
        shownOf(session, params, call),
        call
      );
      await events.labelsEdited(session, rects);
      events.changed(session);
      return { result };
    },

    'labels.slices': async params => {
      const session = await sessions.get(params.session);
      const { version } = session.labels;
      return { result: { version, ...(await session.labels.slices.list()) } };
    },

    'overlay.tiles': async params => {
      const session = await sessions.get(params.session);
      session.checkSlice(params.slice, params.direction);
      const { overlay, direction = 'xy', slice, level = 0, tiles: named } = params;
      if (level > 0 && !named) {
        throw new BridgeError('invalid', `Tiles of level ${level} have to be named; only those of level 0 are listed.`);
      }
      const drawn = overlay === 'segmentation' ? null : session.labels.drawn(overlay);
      const array = drawn ? drawn.array : session.array('segmentation');
      const segmented = session.state().segmentation?.version ?? 0;
      const version = drawn ? session.labels.latest : segmented;
      if (!array) {
        if (drawn) {
          return { result: { version, tiles: [] }, buffers: [] }; // nothing is corrected
        }
        throw new BridgeError(
          'not-ready',
          'There is no segmentation yet. Label a few pixels of two classes and train.'
        );
      }
      const file = openSlices(array, direction, `${segmented} ${session.labels.latest}`);
      // Which tiles have labels is known of slices as they are stored.
      const filled = (within?: Rect) =>
        drawn && file instanceof TileFile ? drawn.filled.in(slice, file, within) : filledTiles(file, slice, within);
      try {
        if (level > 0) {
          const buffers = await (drawn
            ? firstTiles(file, filled, { slice, level, tiles: named! })
            : middleTiles(file, { slice, level, tiles: named! }));
          return { result: { version, tiles: named! }, buffers };
        }
        const listed = named ?? (drawn ? filled() : tilesOf(file));
        const { tiles, buffers } = await overlayTiles(file, slice, listed);
        return { result: { version, tiles }, buffers };
      } finally {
        file.close();
      }
    }
  } satisfies Partial<Handlers>;
}

/** Throws BridgeError `invalid` if a session has no such class. */
function checkClass({ classIds }: Session, id: number): void {
  if (!classIds.has(id)) {
    throw new BridgeError(
      'invalid',
      `There is no class ${id}; the classes are ${[...classIds].join(', ')}, and 0 erases.`
    );
  }
}

/** The pixels that the user sees of an object that is carried. */
function shownOf(
  { record }: Session,
  { shown: rect }: Pick<Params<'labels.carry'>, 'shown'>,
  { buffers }: Pick<ICall, 'buffers'>
): IPixels | null {
  if (!rect) {
    return null;
  }
  const [, rows, columns] = record.image.shape;
  const area = areaOf(rect);
  if (rect.row0 >= rect.row1 || rect.column0 >= rect.column1 || rect.row1 > rows || rect.column1 > columns) {
    throw new BridgeError(
      'invalid',
      `The shown pixels are those of ${JSON.stringify(rect)}; a rectangle inside of ${rows} × ${columns} will do.`
    );
  }
  const mask = inflated(buffers[1] ?? new Uint8Array(), area);
  if (mask?.length !== area) {
    throw new BridgeError(
      'invalid',
      `The second buffer must be ${area} pixels, deflated; it is ${mask ? `${mask.length} pixels` : 'none, or more'}.`
    );
  }
  return { rect, mask };
}

/** Deflated bytes, at most `most` of them; null if they are none, or more. */
function inflated(bytes: Uint8Array, most: number): Uint8Array | null {
  try {
    return inflateRawSync(bytes, { maxOutputLength: most });
  } catch {
    return null;
  }
}
