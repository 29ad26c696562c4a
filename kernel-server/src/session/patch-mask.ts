/** The mask of a tile in a patch of labels: one bit for each pixel, row by row, the most significant bit first. */
import { inflateRawSync } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { LABEL_TILE, MASK_BYTES } from '../../../src/shared/limits';
import { LabelPatch, MadeBy, Replaces } from '../../../src/shared/protocol';
import { PROVENANCE_CODES } from '../../../src/shared/provenance';
import { replaceTable } from '../../../src/shared/replaces';
import { IChange, LayerRect, Planes } from './planes';

/** A patch of a session's labels, or of the correction. */
export type Patch = Omit<LabelPatch, 'session'>;

/** What made a patch that does not say it. */
export const BRUSH: MadeBy = { provenance: 'hand', tool: 'brush' };

/** Called with a rectangle that has changed. */
export type Painted = (change: IChange) => void;

const ROW_BYTES = LABEL_TILE / 8;

/** Inflate the mask in buffer `index` of a patch. Throws BridgeError `invalid` for bytes that are not a deflated mask. */
export function inflateMask(buffer: Uint8Array, index: number): Uint8Array {
  let mask: Uint8Array;
  try {
    mask = inflateRawSync(buffer, { maxOutputLength: MASK_BYTES });
  } catch (error) {
    throw new BridgeError('invalid', `Buffer ${index} is not a deflated mask of ${MASK_BYTES} bytes: ${String(error)}`);
  }
  if (mask.byteLength !== MASK_BYTES) {
    throw new BridgeError('invalid', `Mask ${index} has ${mask.byteLength} bytes; it must have ${MASK_BYTES}.`);
  }
  return mask;
}

/** The rows from the first to the last one with a set bit; `end` is exclusive, and not above `first` if no bit is set. */
export function rowsOf(mask: Uint8Array): { first: number; end: number } {
  const isBlank = (row: number) => mask.subarray(row * ROW_BYTES, (row + 1) * ROW_BYTES).every(bits => bits === 0);
  let first = 0;
  let end = LABEL_TILE;
  while (first < end && isBlank(first)) {
    first++;
  }
  while (end > first && isBlank(end - 1)) {
    end--;
  }
  return { first, end };
}

/** How a patch paints. */
export interface IPaint {
  /** The new class; 0 erases. */
  class: number;
  /** The labels that it may change. */
  replaces: Replaces;
}

/**
 * Paint the pixels under a mask.
 *
 * @param labels rows of a tile, `width` pixels each; the first one is row `first` of the mask
 * @param counts pixels of each class, which is kept up to date
 * @returns the number of pixels that changed
 */
export function paintMask(
  labels: Uint8Array,
  mask: Uint8Array,
  { first, width }: { first: number; width: number },
  paint: IPaint,
  counts: number[]
): number {
  const may = replaceTable(paint.replaces);
  let changed = 0;
  for (let row = 0; row * width < labels.length; row++) {
    const maskRow = (first + row) * ROW_BYTES;
    for (let column = 0; column < width; column++) {
      if ((mask[maskRow + (column >> 3)]! & (128 >> (column & 7))) === 0) {
        continue;
      }
      const i = row * width + column;
      const old = labels[i]!;
      if (old === paint.class || may[old] === 0) {
        continue;
      }
      labels[i] = paint.class;
      counts[old]!--;
      counts[paint.class]!++;
      changed++;
    }
  }
  return changed;
}

/**
 * Paint one tile of a patch. Its layer is in use already.
 *
 * @param onPaint called if pixels changed
 * @returns the number of pixels that changed
 */
export function paintTile(
  planes: Planes,
  patch: Patch,
  { row, column }: Patch['tiles'][number],
  mask: Uint8Array,
  onPaint?: Painted
): number {
  const { layer = 'labels', made = BRUSH } = patch;
  const file = planes[layer]!;
  const { first, end } = rowsOf(mask);
  const tile = file.tile(patch.slice, row, column, LABEL_TILE);
  const rect: LayerRect = { ...tile, row0: tile.row0 + first, row1: Math.min(tile.row1, tile.row0 + end) };
  if (layer !== 'labels') {
    rect.layer = layer;
  }
  if (rect.row0 >= rect.row1) {
    return 0;
  }
  const before = file.read(rect) as Uint8Array;
  const after = before.slice();
  const changed = paintMask(after, mask, { first, width: rect.column1 - rect.column0 }, patch, planes.counts[layer]);
  if (changed > 0) {
    const change = planes.change(rect, before, after, PROVENANCE_CODES[made.provenance]);
    planes.write(change);
    onPaint?.(change);
  }
  return changed;
}
