/** Copies labels of one slice of a stack to another one. */
import { CLASSES_MAX, Replaces, replaceTable, SliceRect } from '../../../src/shared';
import { TileFile } from '../arrays/tile-file';
import { breathe } from '../base/files';
import { EditRecorder } from './edit';

/** Bytes of labels that are looked at between two turns of the event loop. */
const BYTES_AT_ONCE = 1 << 20;

export interface ISliceCopy {
  from: number;
  to: number;
  /** The labels that are copied; 0 never is. */
  classes: Replaces;
  /** The labels that the copy may change. */
  replaces: Replaces;
  /** Whether each class changes only the one label on which most of it lies, its own aside. */
  one?: true | undefined;
}

/** Note what a copy changes. */
export async function copySlice(file: TileFile, recorder: EditRecorder, copy: ISliceCopy): Promise<void> {
  const copies = replaceTable(copy.classes);
  const replaces = replaceTable(copy.replaces);
  const under = copy.one && (await mostUnder(file, copy));
  // Whether a label of the one class may take the place of the other.
  const may = (id: number, old: number) => replaces[old] !== 0 && (!under || under[id] === old);
  for (const { rect, source, now } of bands(file, copy)) {
    const next = now.map((old, i) => {
      const id = source[i]!;
      return id !== 0 && copies[id] && may(id, old) ? id : old;
    });
    recorder.add(rect, now, next);
    await breathe();
  }
}

/** For each class of the slice that is copied, the label of the other slice on which most of it lies, its own aside; of several the lowest. */
async function mostUnder(file: TileFile, copy: ISliceCopy): Promise<number[]> {
  const ids = CLASSES_MAX + 1;
  const counts = new Uint32Array(ids * ids);
  for (const { source, now } of bands(file, copy)) {
    source.forEach((id, i) => counts[id * ids + now[i]!]!++);
    await breathe();
  }
  return Array.from({ length: ids }, (_, id) => {
    counts[id * ids + id] = 0;
    const own = counts.subarray(id * ids, (id + 1) * ids);
    return own.indexOf(own.reduce((most, count) => Math.max(most, count), 0));
  });
}

/** Both slices, in bands of rows. */
function* bands(
  file: TileFile,
  { from, to }: ISliceCopy
): Generator<{ rect: SliceRect; source: Uint8Array; now: Uint8Array }> {
  const { rows, columns } = file;
  const band = Math.max(1, Math.floor(BYTES_AT_ONCE / columns));
  for (let row0 = 0; row0 < rows; row0 += band) {
    const rect = { slice: to, row0, row1: Math.min(rows, row0 + band), column0: 0, column1: columns };
    const source = file.read({ ...rect, slice: from }) as Uint8Array;
    yield { rect, source, now: file.read(rect) as Uint8Array };
  }
}
