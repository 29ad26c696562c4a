/** What made each label, where it comes from other files: journals of earlier versions, backups and other sessions. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { LABEL_TILE, MASK_BYTES } from '../../../../src/shared/limits';
import { ArrayDescriptor, LabelClass } from '../../../../src/shared/protocol';
import { PROVENANCE_CODES } from '../../../../src/shared/provenance';
import { History } from '../history';
import { encode, JournalRecord, MAGIC, RecordType } from '../journal-format';
import { JournalledLabels } from '../journalled-labels';
import { relabel } from '../whole-labels';

const SHAPE = [1, LABEL_TILE, LABEL_TILE];
const PIXELS = LABEL_TILE * LABEL_TILE;
const CLASSES: LabelClass[] = [1, 2].map(id => ({ id, name: `phase ${id}`, color: '#0072b2' }));
const { hand, sam, python } = PROVENANCE_CODES;

let folder: string;
let labels: JournalledLabels | undefined;

const arrayOf = (name: string): ArrayDescriptor => ({
  path: join(folder, `${name}.bin`),
  dtype: 'uint8',
  shape: SHAPE,
  version: 0
});

/** Fill an array's file: the first pixels as given, the rest 0. */
function fill(name: string, first: readonly number[]): ArrayDescriptor {
  const bytes = new Uint8Array(PIXELS);
  bytes.set(first);
  writeFileSync(arrayOf(name).path, bytes);
  return arrayOf(name);
}

async function open(): Promise<JournalledLabels> {
  labels = await JournalledLabels.open(join(folder, 'labels.journal'), fill('labels', []), {
    provenance: fill('provenance', []),
    blank: true
  });
  return labels;
}

/** The first pixels of an array. */
const first = (name: string, n: number) => [...readFileSync(arrayOf(name).path).subarray(0, n)];

/** A mask of pixels of the first row. */
function mask(start: number, end: number): Uint8Array {
  const bits = new Uint8Array(MASK_BYTES);
  for (let i = start; i < end; i++) {
    bits[i >> 3]! |= 128 >> (i & 7);
  }
  return deflateRawSync(bits);
}

const patchOf = (id: number, provenance: 'hand' | 'sam' | 'python') => ({
  slice: 0,
  class: id,
  replaces: 'all' as const,
  tiles: [{ row: 0, column: 0 }],
  made: { provenance, tool: 'test' }
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sl-'));
});

afterEach(async () => {
  await labels?.close();
  rmSync(folder, { recursive: true });
});

it('is 0 for the labels of an earlier version, whose journal and history still serve', async () => {
  // As version 0.1 wrote them: a snapshot of labels only, then a stroke; its edit has the labels before and after.
  const shape = SHAPE;
  const counts = { 1: 4 };
  const rect = { slice: 0, row0: 0, row1: 1, column0: 2, column1: 6 };
  const snapshot = new Uint8Array(PIXELS);
  snapshot.set([1, 1, 1, 1]);
  const patch = { ...patchOf(2, 'sam'), made: { provenance: 'sam', tool: 'suggestion' } as const };
  const at = '2026-11-01T00:00:00.000Z';
  const records: [JournalRecord, number, number][] = [
    [{ type: RecordType.begin, json: { shape, counts, classes: CLASSES, applied: [] }, buffers: [] }, 3, 1],
    [{ type: RecordType.chunk, json: { shape, position: 0, blankFrom: 0 }, buffers: [deflateRawSync(snapshot)] }, 3, 1],
    [{ type: RecordType.end, json: { shape, counts, classes: CLASSES, blankFrom: PIXELS }, buffers: [] }, 3, 1],
    [{ type: RecordType.patch, json: { shape, id: 'stroke', patch, at }, buffers: [mask(2, 6)] }, 4, 2]
  ];
  writeFileSync(
    join(folder, 'labels.journal'),
    Buffer.concat([MAGIC, ...records.flatMap(([record, version, serial]) => encode(record, version, serial))])
  );
  const history = await History.open(join(folder, 'labels.history'), SHAPE);
  const edit = [{ rect, buffer: deflateRawSync(Uint8Array.of(1, 1, 0, 0, 2, 2, 2, 2)) }];
  history.add({ serial: 2, step: { info: { ...patch.made, at, pixels: 4 }, edit } });
  await history.close();

  const opened = await open();
  expect(opened.loss).toBe(null);
  expect(first('labels', 7)).toEqual([1, 1, 2, 2, 2, 2, 0]);
  expect(first('provenance', 7)).toEqual([0, 0, sam, sam, sam, sam, 0]);
  await opened.move('undo', 'before');
  expect(first('labels', 7)).toEqual([1, 1, 1, 1, 0, 0, 0]);
  expect(first('provenance', 7)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  await opened.move('redo', 'after');
  expect(first('labels', 7)).toEqual([1, 1, 2, 2, 2, 2, 0]);
  expect(opened.version).toBe(6);
});

it('goes with labels that come from elsewhere, and comes back with those that they replaced', async () => {
  const opened = await open();
  await opened.setClasses(CLASSES);
  await opened.patch('a', patchOf(1, 'hand'), [mask(0, 4)]);
  await opened.patch('b', patchOf(2, 'sam'), [mask(2, 4)]);
  expect(first('provenance', 5)).toEqual([hand, hand, sam, sam, 0]);
  const made = { provenance: 'python', tool: 'take_labels' } as const;
  const [from, provenance] = [fill('theirs', [1, 2, 2, 1, 1]), fill('theirs-made', [python, sam, hand, hand, 0])];
  await opened.replace(from, made, { provenance });
  // A label that stays the same was made as before.
  expect(first('provenance', 5)).toEqual([hand, sam, sam, hand, 0]);
  await opened.move('undo', 'before');
  expect(first('provenance', 5)).toEqual([hand, hand, sam, sam, 0]);
  await opened.replace(from, made);
  expect(first('provenance', 5)).toEqual([hand, python, sam, python, python]);
  await opened.close();
  await open();
  expect(first('provenance', 5)).toEqual([hand, python, sam, python, python]);
});

it('stays where one class becomes another', async () => {
  const opened = await open();
  await opened.setClasses(CLASSES);
  await opened.patch('a', patchOf(1, 'hand'), [mask(0, 4)]);
  await opened.patch('b', patchOf(2, 'sam'), [mask(2, 4)]);
  await opened.edit('c', { provenance: 'python', tool: 'merge_classes' }, (planes, recorder) =>
    relabel(
      planes,
      recorder,
      Uint8Array.from({ length: 256 }, (_, id) => (id === 2 ? 1 : id)),
      1 << 14
    )
  );
  expect(first('labels', 5)).toEqual([1, 1, 1, 1, 0]);
  expect(first('provenance', 5)).toEqual([hand, hand, sam, sam, 0]);
  await opened.move('undo', 'before');
  expect(first('labels', 5)).toEqual([1, 1, 2, 2, 0]);
});
