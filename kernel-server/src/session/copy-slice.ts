/** Copies labels of one slice of a stack to another one. */
import { Replaces, replaceTable } from '../../../src/shared';
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
}

/** Note what a copy changes. */
export async function copySlice(
  file: TileFile,
  recorder: EditRecorder,
  { from, to, classes, replaces }: ISliceCopy
): Promise<void> {
  const copies = replaceTable(classes);
  const may = replaceTable(replaces);
  const { rows, columns } = file;
  const band = Math.max(1, Math.floor(BYTES_AT_ONCE / columns));
  for (let row0 = 0; row0 < rows; row0 += band) {
    const part = { row0, row1: Math.min(rows, row0 + band), column0: 0, column1: columns };
    const source = file.read({ ...part, slice: from }) as Uint8Array;
    const rect = { ...part, slice: to };
    const now = file.read(rect) as Uint8Array;
    const next = now.map((id, i) => (source[i] !== 0 && copies[source[i]!] && may[id] ? source[i]! : id));
    recorder.add(rect, now, next);
    await breathe();
  }
}
