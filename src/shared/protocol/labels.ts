/** Labels: patches of strokes, and tiles of what is shown over the image. */
import { z } from 'zod';
import { CLASSES_MAX, PATCH_TILES_MAX } from '../limits';
import { zMadeBy } from './history';
import { zCarryEnds, zObjectShape } from './sam';
import {
  MethodTable,
  zClasses,
  zCount,
  zDirection,
  zLayer,
  zLevel,
  zNatural,
  zRect,
  zSessionId,
  zStagedId,
  zTileRef
} from './types';

/** The ids of the labels that a patch may change, 0 for unlabelled pixels; pixels with other labels stay. Erasing obeys it as well. */
export const zReplaces = z.union([z.literal('all'), z.array(zCount.max(CLASSES_MAX)).max(CLASSES_MAX + 1)]);
export type Replaces = z.infer<typeof zReplaces>;

/** A change of labels: one class (0 erases) under one bit mask a tile. Buffer i belongs to tile i. */
export const zLabelPatch = z.object({
  session: zSessionId,
  /** What it changes; absent: the labels. */
  layer: zLayer.optional(),
  direction: zDirection,
  slice: zCount,
  class: zCount.max(CLASSES_MAX),
  replaces: zReplaces,
  /** Of a patch of the correction: pixels of the segmentation, with its correction, that have one of these classes stay as they are. */
  keeps: z.array(zCount.max(CLASSES_MAX)).max(CLASSES_MAX).optional(),
  /** What made it; absent: a hand with the brush. */
  made: zMadeBy.optional(),
  /**
   * The tiles, {@link LABEL_TILE} pixels wide. Each has one buffer: a raw-deflate compressed mask of LABEL_TILE² bits, row by
   * row, the most significant bit first; bits outside the image are 0.
   */
  tiles: z.array(zTileRef).min(1).max(PATCH_TILES_MAX)
});
export type LabelPatch = z.infer<typeof zLabelPatch>;

/** Names of the arrays that are shown over the image. */
export const zOverlay = z.enum(['labels', 'segmentation', 'correction']);

export const LABEL_METHODS = {
  'labels.patch': { params: zLabelPatch, result: z.object({ version: zCount, changed: zCount }) },
  /**
   * Label masks on several slices, in one step. The first buffer names the tiles, {@link PATCH_TILES_MAX} at most: slice, row and column of each, as uint32.
   * Each has one more buffer, as in `labels.patch`.
   */
  'labels.paint': {
    params: z.object({
      session: zSessionId,
      class: zNatural.max(CLASSES_MAX),
      replaces: zReplaces,
      made: zMadeBy
    }),
    result: z.object({ version: zCount, changed: zCount })
  },
  /** Replace the labels of all slices by a staged uint8 array [slices, rows, columns], and in the same step the classes if some are given. */
  'labels.set': {
    params: z.object({
      session: zSessionId,
      staged: zStagedId,
      made: zMadeBy.optional(),
      classes: zClasses.optional()
    }),
    result: z.object({ version: zCount, changed: zCount })
  },
  /**
   * Fill slices without labels between labelled ones, by the shapes of the classes that both have. `from` and `to`: the first and the
   * last slice that counts, by default all. `invalid` if there is nothing to fill.
   */
  'labels.interpolate': {
    params: z.object({ session: zSessionId, from: zCount.optional(), to: zCount.optional() }),
    result: z.object({ version: zCount, changed: zCount, slices: z.array(zCount) })
  },
  /**
   * Copy labels of one slice to another. `classes`: the ids of the labels that are copied; `replaces`: of those that the copy may change.
   * `one`: each class changes only the one label on which most of it lies, its own aside, and none if `replaces` lacks that.
   */
  'labels.copy': {
    params: z.object({
      session: zSessionId,
      from: zCount,
      to: zCount,
      classes: zReplaces,
      replaces: zReplaces,
      one: z.literal(true).optional()
    }),
    result: z.object({ version: zCount, changed: zCount })
  },
  /**
   * Carry an object through the slices before and after, until it fades, and label it there, in one step. One buffer: its mask on `slice`, float32 logits of
   * SAM's decoder, which saw the rows and columns `within` alone. `replaces` and `one` as in `labels.copy`. The result says on which slices it is. With
   * `itself` and `shown` a second buffer has the pixels that become labels on `slice`, row by row, a byte each, 0 and 1, deflated; without, they are made
   * of the logits, in `shape`.
   */
  'labels.carry': {
    params: z.object({
      session: zSessionId,
      slice: zCount,
      within: zRect,
      class: zNatural.max(CLASSES_MAX),
      replaces: zReplaces,
      one: z.literal(true).optional(),
      /** Whether to label it on `slice` as well. */
      itself: z.boolean(),
      /** How its masks on the other slices are changed in shape. The logits that are sent have it already, but for growth. */
      shape: zObjectShape.optional(),
      /** Of the pixels in the second buffer. */
      shown: zRect.optional()
    }),
    result: z.object({ version: zCount, changed: zCount, first: zCount, last: zCount, ends: zCarryEnds })
  },
  /** The slices that have labels, in order: those whose labels are only interpolated, and the others. */
  'labels.slices': {
    params: z.object({ session: zSessionId }),
    result: z.object({ version: zCount, labelled: z.array(zCount), interpolated: z.array(zCount) }),
    repeat: true
  },
  /**
   * Tiles of an overlay: those named, or, at full resolution, all tiles that are not empty. One buffer for each tile of the result: the
   * raw-deflate compressed LABEL_TILE² class ids, row by row, 0 outside the image. At `level` l each pixel stands for a block of 2^l × 2^l
   * pixels: it has the class of the block's middle in the segmentation, and the first class in the block in labels and correction, which
   * are thin.
   */
  'overlay.tiles': {
    params: z.object({
      session: zSessionId,
      overlay: zOverlay,
      direction: zDirection,
      slice: zCount,
      level: zLevel.optional(),
      tiles: z.array(zTileRef).max(PATCH_TILES_MAX).optional()
    }),
    result: z.object({ version: zCount, tiles: z.array(zTileRef) }),
    repeat: true
  }
} as const satisfies MethodTable;
