/** Paints masks on several slices; all of them are one step and one record of the journal. */
import { BridgeError } from '../../../src/shared/errors';
import { LABEL_TILE, PATCH_TILES_MAX } from '../../../src/shared/limits';
import { Params } from '../../../src/shared/protocol';
import { breathe } from '../base/files';
import { IMoved, JournalledLabels } from './journalled-labels';
import { inflateMask, paintMask } from './patch-mask';

/** A tile of a slice. */
interface ISliceTile {
  slice: number;
  row: number;
  column: number;
}

/**
 * Paint masks, as {@link JournalledLabels.patch} does on one slice.
 *
 * @param buffers the tiles, as slice, row and column of each in uint32, then one deflated mask for each
 * @throws BridgeError `invalid` for wrong tiles or masks, `disk-full` if the journal cannot be written. Then nothing has changed.
 */
export function paintSlices(
  labels: JournalledLabels,
  id: string,
  { made, ...paint }: Omit<Params<'labels.paint'>, 'session'>,
  [named, ...masks]: readonly Uint8Array[]
): Promise<IMoved> {
  const tiles = tilesOf(labels, named ?? new Uint8Array());
  if (masks.length !== tiles.length) {
    throw new BridgeError('invalid', `${tiles.length} tiles have one mask each; there are ${masks.length} masks.`);
  }
  return labels.edit(id, made, async (planes, recorder) => {
    for (const [i, { slice, row, column }] of tiles.entries()) {
      const mask = inflateMask(masks[i]!, i + 1);
      const tile = planes.labels.tile(slice, row, column, LABEL_TILE);
      const before = planes.labels.read(tile) as Uint8Array;
      const after = before.slice();
      paintMask(after, mask, { first: 0, width: tile.column1 - tile.column0 }, paint, new Array<number>(256).fill(0));
      recorder.add(tile, before, after);
      await recorder.settle();
      await breathe();
    }
  });
}

/** The tiles that a buffer names, each once. */
function tilesOf({ array }: JournalledLabels, buffer: Uint8Array): ISliceTile[] {
  const [slices = 1, rows = 1, columns = 1] = array.shape;
  const numbers = new Uint32Array(buffer.slice().buffer, 0, buffer.byteLength >> 2);
  const count = numbers.length / 3;
  if (buffer.byteLength % 12 !== 0 || count < 1 || count > PATCH_TILES_MAX) {
    throw new BridgeError(
      'invalid',
      `The first buffer has ${buffer.byteLength} bytes; 12 for each of 1 to ${PATCH_TILES_MAX} tiles will do.`
    );
  }
  const tiles = Array.from({ length: count }, (_, i) => ({
    slice: numbers[3 * i]!,
    row: numbers[3 * i + 1]!,
    column: numbers[3 * i + 2]!
  }));
  const known = new Set<string>();
  for (const { slice, row, column } of tiles) {
    const name = `tile (${row}, ${column}) of slice ${slice}`;
    if (slice >= slices || row * LABEL_TILE >= rows || column * LABEL_TILE >= columns) {
      throw new BridgeError(
        'invalid',
        `There is no ${name}; the image has ${slices} slices of ${Math.ceil(rows / LABEL_TILE)} × ${Math.ceil(columns / LABEL_TILE)} tiles.`
      );
    }
    if (known.has(name)) {
      throw new BridgeError('invalid', `The ${name} is named twice; once will do.`);
    }
    known.add(name);
  }
  return tiles;
}
