/** Events: messages that the sidecar sends without a request, to all peers attached to the session, unless said otherwise. */
import { z } from 'zod';
import { zLabelPatch } from './labels';
import { zSession } from './session';
import { zCount, zLayer, zSessionId, zTileRef } from './types';

export const EVENTS = {
  /** The state of the session changed: classes, versions, whether it is segmented. */
  session: zSession,
  /** Another peer changed labels: the patch, with its buffers. Not sent to the peer that made it. */
  patch: z.object({ origin: z.string(), version: zCount, patch: zLabelPatch }),
  /**
   * The labels, or the layer that is named, changed in a few tiles, {@link LABEL_TILE} pixels wide: one buffer each, as in `overlay.tiles`. Sent to the peer that made the
   * change as well.
   */
  'labels.tiles': z.object({
    session: zSessionId,
    layer: zLayer.optional(),
    version: zCount,
    tiles: z.array(zTileRef.extend({ slice: zCount }))
  }),
  /** All labels of the session, or all of the layer that is named, were replaced: fetch the visible tiles again. */
  labels: z.object({ session: zSessionId, layer: zLayer.optional(), version: zCount }),
  /** The segmentation is new: fetch the visible tiles again, except those that the live round `round` sent, if one made it. */
  segmentation: z.object({ session: zSessionId, version: zCount, round: zCount.optional() }),
  /**
   * Tiles of a segmentation in the making, {@link LABEL_TILE} pixels wide, with the labels on top: one buffer each, as in
   * `overlay.tiles`. `round` counts trainings, live or not; ignore tiles of an older round than the newest that came.
   * `segmentation` follows when the segmentation is complete.
   */
  'segmentation.tiles': z.object({
    session: zSessionId,
    round: zCount,
    /** Version of the labels that the classifier was trained on. */
    labelsVersion: zCount,
    slice: zCount,
    tiles: z.array(zTileRef).min(1)
  }),
  /** Progress of a long request. `job` is the id of that request; `done` of `total` in no particular unit. */
  job: z.object({
    session: zSessionId,
    job: z.string(),
    kind: z.enum([
      'embed',
      'train',
      'features',
      'apply',
      'load',
      'live',
      'regions',
      'interpolate',
      'correct',
      'similar',
      'draw',
      'carry'
    ]),
    state: z.enum(['running', 'done', 'failed', 'cancelled']),
    /** The present step, for the user: "features", "growing trees". `encoding` counts windows of SAM's encoder. */
    stage: z.string(),
    done: z.number(),
    total: z.number(),
    /** Why it failed, or how it deviated ("the SAM process died, trying once more"). */
    message: z.string()
  }),
  /**
   * From the relay: whether the sidecar is reachable. After `connected`, attach again and repeat the requests without a reply. `stopped`
   * means that the user shut it down: the next message starts another.
   */
  relay: z.object({ state: z.enum(['connected', 'lost', 'failed', 'stopped']), message: z.string() })
} as const satisfies Record<string, z.ZodType>;

export type EventName = keyof typeof EVENTS;
export type EventParams<E extends EventName> = z.infer<(typeof EVENTS)[E]>;
/** An event with its name, as a union over all events. */
export type BridgeEvent = { [E in EventName]: { event: E; params: EventParams<E> } }[EventName];
