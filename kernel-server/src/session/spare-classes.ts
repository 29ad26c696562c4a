/** Takes from a patch of the correction the pixels whose class stays: that of the segmentation with its correction, as it is then. */
import { deflateRawSync } from 'node:zlib';
import { SliceDirection } from '../../../src/shared/direction';
import { LABEL_TILE } from '../../../src/shared/limits';
import { ArrayDescriptor } from '../../../src/shared/protocol';
import { openSlices } from '../arrays/slices';
import { inflateMask, Patch } from './patch-mask';

export interface ISpared {
  segmentation: ArrayDescriptor;
  /** Undefined if nothing is corrected. */
  correction: ArrayDescriptor | undefined;
  /** Tells contents of the two arrays apart. */
  content: string;
  direction: SliceDirection;
  /** Classes that stay. */
  keeps: readonly number[];
}

/**
 * Clear bits of the masks of a patch. It is done at once, so that patches keep their order.
 *
 * @returns a mask for each tile; those of a patch that is outside of the image as they are
 * @throws BridgeError `invalid` for a buffer that is no mask
 */
export function spareClasses(
  { segmentation, correction, content, direction, keeps }: ISpared,
  { slice, tiles }: Pick<Patch, 'slice' | 'tiles'>,
  buffers: Uint8Array[]
): Uint8Array[] {
  const stays = new Uint8Array(256);
  keeps.forEach(id => (stays[id] = 1));
  const below = openSlices(segmentation, direction, content);
  const over = correction && openSlices(correction, direction, content);
  try {
    const { slices, rows, columns } = below;
    const isInside = tiles.every(({ row, column }) => row * LABEL_TILE < rows && column * LABEL_TILE < columns);
    if (slice >= slices || !isInside || buffers.length !== tiles.length) {
      return buffers;
    }
    return tiles.map(({ row, column }, index) => {
      const mask = inflateMask(buffers[index]!, index);
      const rect = below.tile(slice, row, column, LABEL_TILE);
      const width = rect.column1 - rect.column0;
      const drawn = over?.read(rect) as Uint8Array | undefined;
      (below.read(rect) as Uint8Array).forEach((id, i) => {
        if (stays[drawn?.[i] || id]) {
          const bit = Math.floor(i / width) * LABEL_TILE + (i % width);
          mask[bit >> 3]! &= ~(128 >> (bit & 7));
        }
      });
      return deflateRawSync(mask);
    });
  } finally {
    below.close();
    over?.close();
  }
}
