/** Training and segmenting: the choice of features and learner, trainings, live segmentation, and the feature stack. */
import { z } from 'zod';
import { zForestRequest } from '../learners';
import { REQUEST_TILES_MAX } from '../limits';
import { zFeatureChoice } from './classifier-info';
import { zSession } from './session';
import { MethodTable, zArray, zCount, zSessionId, zSliceRect, zTileRef } from './types';

export const TRAINING_METHODS = {
  /**
   * Choose features and learner for the next training. An absent part stays unchanged. Features are replaced as a whole, so the caller sends
   * all of them to change one family.
   */
  'session.choice': {
    params: z.object({
      session: zSessionId,
      features: zFeatureChoice.optional(),
      forest: zForestRequest.optional()
    }),
    result: zSession
  },
  /**
   * Grow trees on the labels, then segment all slices. Progress comes as `job` events. Features and learner that are given become
   * the session's choice; absent ones are taken from it. `others`: sessions whose labels are learned from as well, and which are
   * segmented too. Their classes must have the same ids and names, their images the same number of channels.
   */
  train: {
    params: z.object({
      session: zSessionId,
      others: z.array(zSessionId).max(256).optional(),
      features: zFeatureChoice.optional(),
      forest: zForestRequest.optional()
    }),
    result: zSession
  },
  /**
   * Switch live segmentation on or off, for all peers of the session. While it is on, each change of the labels trains the classifier anew
   * with the session's choice. Tiles in a peer's view are segmented first and sent with `segmentation.tiles`, then the rest. A newer change
   * replaces older work. The arrays change when a segmentation is complete. `view`: the part of the image that this peer shows.
   */
  'session.live': {
    params: z.object({ session: zSessionId, on: z.boolean(), view: zSliceRect.optional() }),
    result: zSession
  },
  /** The part of the image that this peer shows, which is segmented first. Null: none. */
  'session.view': { params: z.object({ session: zSessionId, view: zSliceRect.nullable() }), result: z.object({}) },
  /**
   * Compute arrays of the classifier's results, unless they exist. `probabilities` (float32 [slices, rows, columns, classes]) and `uncertainty`
   * (float32 [slices, rows, columns], 1 − (highest − second highest probability)) are large, so a training does not make them.
   * `segmentation` is absent if the idle session freed its arrays.
   */
  segment: {
    params: z.object({
      session: zSessionId,
      arrays: z.array(z.enum(['segmentation', 'probabilities', 'uncertainty'])).min(1)
    }),
    result: zSession
  },
  /** The feature stack of a slice, in the array `features` (float32 [rows, columns, features]). */
  features: {
    params: z.object({ session: zSessionId, slice: zCount, features: zFeatureChoice.optional() }),
    result: z.object({ names: z.array(z.string()), array: zArray })
  },
  /**
   * One feature for an overlay: tiles of {@link LABEL_TILE} pixels of channel `channel` of the stack. One buffer a tile: the
   * raw-deflate compressed LABEL_TILE² bytes, row by row, 0 outside the image. Byte 0 stands for `low` and 255 for `high` (the 1st and the 99th
   * percentile of the feature in the image); values beyond them are clipped.
   */
  'feature.tiles': {
    params: z.object({
      session: zSessionId,
      slice: zCount,
      features: zFeatureChoice.optional(),
      channel: zCount,
      tiles: z.array(zTileRef).min(1).max(REQUEST_TILES_MAX)
    }),
    result: z.object({ name: z.string(), low: z.number(), high: z.number() }),
    repeat: true
  }
} as const satisfies MethodTable;
