/** Labels as a whole: the snapshot of a journal, and the comparison with labels that replace them. */
import { promisify } from 'node:util';
import { constants, deflateRaw } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { CLASSES_MAX } from '../../../src/shared/limits';
import { LabelClass } from '../../../src/shared/protocol';
import { TileFile } from '../arrays/tile-file';
import { breathe, isBlank } from '../base/files';
import { EditRecorder } from './edit';
import { IRecordJson, JournalRecord, RecordType } from './journal-format';

const deflate = promisify(deflateRaw);

/** What a snapshot is made of. */
export interface ISnapshotSource extends Pick<IRecordJson[RecordType.begin], 'shape' | 'classes' | 'applied'> {
  /** Labelled pixels of each class id. */
  counts: readonly number[];
  /** The labels; null if there are none. */
  from: TileFile | null;
  /** The pieces of the file, in their order. */
  chunks: Iterable<{ position: number; length: number }>;
}

/** The records of a snapshot. Blank pieces have none. */
export async function* snapshot(source: ISnapshotSource): AsyncGenerator<JournalRecord> {
  const { shape, classes, applied, from, chunks } = source;
  const counts = Object.fromEntries(source.counts.flatMap((n, id) => (id > 0 && n > 0 ? [[id, n]] : [])));
  yield { type: RecordType.begin, json: { shape, counts, classes, applied }, buffers: [] };
  let blankFrom = 0;
  for (const { position, length } of from ? chunks : []) {
    const bytes = from!.readBytes(position, length);
    if (!isBlank(bytes)) {
      const buffers = [await deflate(bytes, { level: constants.Z_BEST_SPEED })];
      yield { type: RecordType.chunk, json: { shape, position, blankFrom }, buffers };
      blankFrom = position + length;
    } else {
      await breathe();
    }
  }
  yield { type: RecordType.end, json: { shape, counts, classes, blankFrom }, buffers: [] };
}

/** How labels differ from those that replace them. */
export interface IComparison {
  /** Pixels of each class id in the new labels. */
  counts: number[];
  /** Pixels that differ. */
  changed: number;
  recorder: EditRecorder;
}

/**
 * Compare labels with those of another file of the same size, or with none.
 *
 * @param bytes how many are compared between two turns of the event loop, at least a row
 */
export async function compare(labels: TileFile, source: TileFile | null, bytes: number): Promise<IComparison> {
  const counts = new Array<number>(CLASSES_MAX + 1).fill(0);
  const recorder = new EditRecorder();
  const { slices, rows, columns } = labels;
  const band = Math.max(1, Math.floor(bytes / columns));
  let changed = 0;
  for (let slice = 0; slice < slices; slice++) {
    for (let row0 = 0; row0 < rows; row0 += band) {
      const rect = { slice, row0, row1: Math.min(rows, row0 + band), column0: 0, column1: columns };
      const old = labels.read(rect) as Uint8Array;
      const next = source ? (source.read(rect) as Uint8Array) : new Uint8Array(old.length);
      for (let i = 0; i < next.length; i++) {
        counts[next[i]!]!++;
        changed += next[i] === old[i] ? 0 : 1;
      }
      recorder.add(rect, old, next);
      await breathe();
    }
  }
  return { counts, changed, recorder };
}

/**
 * The new id of each of the 256.
 *
 * @param ids [old id, new id]; all others stay
 * @throws BridgeError `invalid` for a new id that no class has
 */
export function relabelTable(ids: readonly (readonly [number, number])[], classes: readonly LabelClass[]): Uint8Array {
  const table = Uint8Array.from({ length: CLASSES_MAX + 1 }, (_, id) => id);
  for (const [from, to] of ids) {
    if (to !== 0 && !classes.some(({ id }) => id === to)) {
      const known = classes.map(({ id }) => id).join(', ');
      throw new BridgeError(
        'invalid',
        `Labels of class ${from} cannot become ${to}; the classes are ${known}, and 0 is unlabelled.`
      );
    }
    table[from] = to;
  }
  return table;
}

/**
 * Note in `recorder` that labels get other ids.
 *
 * @param ids the new id of each of the 256
 * @param bytes how many are looked at between two turns of the event loop, at least a row
 */
export async function relabel(labels: TileFile, recorder: EditRecorder, ids: Uint8Array, bytes: number): Promise<void> {
  const { slices, rows, columns } = labels;
  const band = Math.max(1, Math.floor(bytes / columns));
  for (let slice = 0; slice < slices; slice++) {
    for (let row0 = 0; row0 < rows; row0 += band) {
      const rect = { slice, row0, row1: Math.min(rows, row0 + band), column0: 0, column1: columns };
      const old = labels.read(rect) as Uint8Array;
      if (!isBlank(old)) {
        recorder.add(
          rect,
          old,
          old.map(id => ids[id]!)
        );
      }
      await breathe();
    }
  }
}

/** Throws BridgeError `invalid` for labelled pixels of an id that no class has. */
export function checkIds(counts: readonly number[], classes: readonly LabelClass[]): void {
  const ids = classes.map(({ id }) => id);
  const unknown = counts.flatMap((n, id) => (id > 0 && n > 0 && !ids.includes(id) ? [id] : []));
  if (unknown.length > 0) {
    throw new BridgeError(
      'invalid',
      `The labels contain ${unknown.slice(0, 10).join(', ')}${unknown.length > 10 ? ', …' : ''}, which ` +
        `${unknown.length > 1 ? 'are no class ids' : 'is no class id'}; the classes are ${ids.join(', ')}, and 0 is unlabelled.`
    );
  }
}
