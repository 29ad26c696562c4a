/** Labels as a whole: the snapshot of a journal, and the comparison with labels that replace them. */
import { promisify } from 'node:util';
import { constants, deflateRaw } from 'node:zlib';
import { BridgeError } from '../../../src/shared/errors';
import { CLASSES_MAX } from '../../../src/shared/limits';
import { LabelClass, Layer } from '../../../src/shared/protocol';
import { areaOf, SliceRect } from '../../../src/shared/rect';
import { TileFile } from '../arrays/tile-file';
import { breathe, isBlank } from '../base/files';
import { EditRecorder } from './edit';
import { IRecordJson, JournalRecord, RecordType } from './journal-format';
import { countsById, noCounts, Plane, Planes, PLANES, ReadBytes } from './planes';

const deflate = promisify(deflateRaw);

/** What a snapshot is made of. */
export interface ISnapshotSource extends Required<
  Pick<IRecordJson[RecordType.begin], 'shape' | 'classes' | 'applied' | 'last'>
> {
  /** Pixels of each class id. */
  counts: Record<Layer, readonly number[]>;
  /** The planes that are not blank. */
  planes: Partial<Record<Plane, ReadBytes>>;
  /** Bytes of a plane. */
  bytes: number;
  /** The pieces of a plane, in their order. */
  chunks(): Iterable<{ position: number; length: number }>;
}

/** The records of a snapshot. Blank pieces have none. */
export async function* snapshot(source: ISnapshotSource): AsyncGenerator<JournalRecord> {
  const { shape, classes, applied, last, planes } = source;
  const counts = countsById(source.counts.labels);
  const corrected = countsById(source.counts.correction);
  yield { type: RecordType.begin, json: { shape, counts, corrected, classes, applied, last }, buffers: [] };
  let blankFrom = 0;
  for (const [i, plane] of PLANES.entries()) {
    const read = planes[plane];
    for (const { position, length } of read ? source.chunks() : []) {
      const bytes = read!(position, length);
      if (!isBlank(bytes)) {
        const at = i * source.bytes + position;
        const buffers = [await deflate(bytes, { level: constants.Z_BEST_SPEED })];
        yield { type: RecordType.chunk, json: { shape, position: at, blankFrom }, buffers };
        blankFrom = at + length;
      } else {
        await breathe();
      }
    }
  }
  yield { type: RecordType.end, json: { shape, counts, corrected, classes, blankFrom }, buffers: [] };
}

/** How labels differ from those that replace them. */
export interface IComparison {
  /** Pixels of each class id in the new labels. */
  counts: number[];
  /** Pixels that differ. */
  changed: number;
}

/**
 * Compare labels with those of another file of the same size, or with none.
 *
 * @param recorder notes the change
 * @param bytes how many are compared between two turns of the event loop, at least a row
 */
export async function compare(
  labels: TileFile,
  source: TileFile | null,
  recorder: EditRecorder,
  bytes: number
): Promise<IComparison> {
  const counts = noCounts();
  let changed = 0;
  for (const rect of bandsOf(labels, bytes)) {
    const old = labels.read(rect) as Uint8Array;
    const next = source ? (source.read(rect) as Uint8Array) : new Uint8Array(old.length);
    for (let i = 0; i < next.length; i++) {
      counts[next[i]!]!++;
      changed += next[i] === old[i] ? 0 : 1;
    }
    recorder.add(rect, old, next);
    await breathe();
  }
  return { counts, changed };
}

/**
 * Compare the correction, if there is one, with that of another file of the same size, or with none.
 *
 * @param recorder notes the change
 * @returns pixels of each class id in the new correction
 */
export async function compareCorrection(
  correction: TileFile | undefined,
  source: TileFile | null | undefined,
  recorder: EditRecorder,
  bytes: number
): Promise<number[]> {
  const counts = noCounts();
  const file = correction ?? source;
  for (const rect of file ? bandsOf(file, bytes) : []) {
    const blank = new Uint8Array(areaOf(rect));
    const old = (correction?.read(rect) as Uint8Array | undefined) ?? blank;
    const next = (source?.read(rect) as Uint8Array | undefined) ?? blank;
    next.forEach(id => counts[id]!++);
    recorder.add({ ...rect, layer: 'correction' }, old, next);
    await breathe();
  }
  return counts;
}

/** Bands of whole rows of about so many bytes, slice by slice. */
export function* bandsOf({ slices, rows, columns }: TileFile, bytes: number): Generator<SliceRect> {
  const band = Math.max(1, Math.floor(bytes / columns));
  for (let slice = 0; slice < slices; slice++) {
    for (let row0 = 0; row0 < rows; row0 += band) {
      yield { slice, row0, row1: Math.min(rows, row0 + band), column0: 0, column1: columns };
    }
  }
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
 * Note in `recorder` that labels and corrections get other ids. What made the labels stays.
 *
 * @param ids the new id of each of the 256
 * @param bytes how many are looked at between two turns of the event loop, at least a row
 */
export async function relabel(planes: Planes, recorder: EditRecorder, ids: Uint8Array, bytes: number): Promise<void> {
  for (const layer of ['labels', 'correction'] as const) {
    const file = planes[layer];
    for (const rect of file ? bandsOf(file, bytes) : []) {
      const old = file!.read(rect) as Uint8Array;
      if (!isBlank(old)) {
        const next = old.map(id => ids[id]!);
        recorder.add(layer === 'labels' ? rect : { ...rect, layer }, old, next, { keeps: true });
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
