/**
 * Paints a stroke on a slice in the direction xz or yz. It crosses stored slices, on each of which it is a line; all of them are one step and
 * one record of the journal.
 */
import { lineIn, shapeIn, SliceDirection } from '../../../src/shared/direction';
import { BridgeError } from '../../../src/shared/errors';
import { LABEL_TILE } from '../../../src/shared/limits';
import { replaceTable } from '../../../src/shared/replaces';
import { breathe } from '../base/files';
import { EditRecorder } from './edit';
import { IMoved, JournalledLabels } from './journalled-labels';
import { BRUSH, inflateMask, Patch } from './patch-mask';
import { LayerRect, Planes } from './planes';

/** Lines that are read between two turns of the event loop. */
const LINES_AT_ONCE = 64;

/** A patch on a slice in a direction. */
export type PatchAcross = Patch & { direction: Exclude<SliceDirection, 'xy'> };

/**
 * Paint a patch, as {@link JournalledLabels.patch} does for those in xy.
 *
 * @throws BridgeError `invalid` for wrong tiles or masks, `disk-full` if the journal cannot be written. Then nothing has changed.
 */
export function paintAcross(
  labels: JournalledLabels,
  id: string,
  patch: PatchAcross,
  buffers: readonly Uint8Array[]
): Promise<IMoved> {
  const { layer, made = BRUSH } = patch;
  const bands = bandsOf(labels, patch, buffers);
  return labels.edit(
    id,
    made,
    async (planes, recorder) => {
      if (await planes.use(layer ?? 'labels')) {
        await note(planes, recorder, patch, bands);
      }
    },
    layer && { layer }
  );
}

/** The masks of one row of tiles, from left to right. */
interface IBand {
  row: number;
  masks: { column: number; bits: Uint8Array }[];
}

/** Check a patch, and sort its masks. */
function bandsOf(
  { array }: JournalledLabels,
  { direction, slice, tiles }: PatchAcross,
  buffers: readonly Uint8Array[]
): IBand[] {
  const [z = 1, y = 1, x = 1] = array.shape;
  const [slices, rows, columns] = shapeIn(direction, [z, y, x]);
  if (slice >= slices) {
    throw new BridgeError(
      'invalid',
      `Slice ${slice} does not exist; the image has ${slices} in ${direction}, counted from 0.`
    );
  }
  if (buffers.length !== tiles.length) {
    throw new BridgeError(
      'invalid',
      `A patch of ${tiles.length} tiles has one buffer each; this one has ${buffers.length}.`
    );
  }
  const bands = new Map<number, IBand>();
  tiles.forEach(({ row, column }, i) => {
    if (row * LABEL_TILE >= rows || column * LABEL_TILE >= columns) {
      throw new BridgeError(
        'invalid',
        `Tile (${row}, ${column}) is outside; a slice in ${direction} has ${Math.ceil(rows / LABEL_TILE)} × ${Math.ceil(columns / LABEL_TILE)} tiles.`
      );
    }
    const band = bands.get(row) ?? { row, masks: [] };
    bands.set(row, band);
    band.masks.push({ column, bits: inflateMask(buffers[i]!, i) });
  });
  return [...bands.values()];
}

/** Note what a patch changes. */
async function note(
  planes: Planes,
  recorder: EditRecorder,
  patch: PatchAcross,
  bands: readonly IBand[]
): Promise<void> {
  const { direction, slice, layer = 'labels', class: classId, replaces } = patch;
  const file = planes[layer]!;
  const [, rows, columns] = shapeIn(direction, [file.slices, file.rows, file.columns]);
  const may = replaceTable(replaces);
  const line = new Uint8Array(columns);
  let lines = 0;
  for (const band of bands) {
    for (let r = 0; r < LABEL_TILE && band.row * LABEL_TILE + r < rows; r++) {
      const { first, end } = lineOf(band, r, line);
      if (first >= end) {
        continue;
      }
      const rect: LayerRect = lineIn(direction, { slice, row: band.row * LABEL_TILE + r, first, end });
      if (layer !== 'labels') {
        rect.layer = layer;
      }
      const before = file.read(rect) as Uint8Array;
      recorder.add(
        rect,
        before,
        before.map((id, i) => (line[first + i]! && may[id]! ? classId : id))
      );
      if (++lines % LINES_AT_ONCE === 0) {
        await breathe();
      }
    }
  }
}

/** Set `line` to row `r` of the masks. @returns the pixels from the first to the last one that is set; `end` is exclusive */
function lineOf({ masks }: IBand, r: number, line: Uint8Array): { first: number; end: number } {
  line.fill(0);
  let [first, end] = [line.length, 0];
  for (const { column, bits } of masks) {
    const from = column * LABEL_TILE;
    for (let c = 0; c < LABEL_TILE && from + c < line.length; c++) {
      if (bits[(r * LABEL_TILE + c) >> 3]! & (128 >> (c & 7))) {
        line[from + c] = 1;
        first = Math.min(first, from + c);
        end = Math.max(end, from + c + 1);
      }
    }
  }
  return { first, end };
}
