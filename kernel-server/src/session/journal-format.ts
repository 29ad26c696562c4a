/**
 * The format of the labels' journal: a magic number, then records, little endian. Each record is a head and a body.
 *
 *     head = [bytes of the body: u32][type: u8][version: u32][serial: u32][CRC-32 of the body: u32][CRC-32 of the head so far: u32]
 *     body = [bytes of the JSON: u32][JSON][buffers]
 *
 * The history of the steps that can be undone (history.ts) is a file of the same format, with records of its own.
 *
 * The head has a checksum of its own, so a reader finds the records behind damaged bytes, and knows what a damaged body was.
 * Every record says the shape of the labels, and the version of labels and correction that it leads to: a missing version is a lost change.
 */
import { MESSAGE_BYTES_MAX } from '../../../src/shared/frames';
import { HistoryStep, LabelClass, LabelPatch, Layer } from '../../../src/shared/protocol';
import { crc32 } from '../base/crc32';
import type { LayerRect } from './planes';

export const MAGIC = Buffer.from('SLABJ3\r\n', 'latin1');
export const HEAD_BYTES = 21;
/** Bytes of the head that its own checksum covers. */
const SUMMED_BYTES = 17;
const BODY_BYTES_MIN = 6;
/** Most bytes of a body. */
const BODY_BYTES_MAX = MESSAGE_BYTES_MAX + (1 << 20);

/** Types of records. The first three are the snapshot, with which a journal starts. */
export enum RecordType {
  begin = 1,
  chunk = 2,
  end = 3,
  /** A patch of the labels or the correction. */
  patch = 4,
  /** New classes. The labels and their version stay. */
  classes = 5,
  /** Labels or corrections that were written by undoing or repeating a step, or by a step that is no patch. */
  edit = 6,
  /** In the history: a step. */
  step = 7,
  /** In the history: a step was undone or made again. */
  move = 8
}

/** The records that lead to a new version. */
export const CHANGES_LABELS: ReadonlySet<RecordType> = new Set([RecordType.patch, RecordType.edit]);

/** The JSON of the record types. */
export interface IRecordJson {
  [RecordType.begin]: ISnapshotJson & {
    /** [request id, version, changed] of the latest patches. */
    applied: [string, number, number][];
    /** The versions in which each layer changed last. Absent in files of earlier versions, which know labels only. */
    last?: Record<Layer, number>;
  };
  /**
   * Bytes from `position` on, deflated in the buffer; those from `blankFrom` up to them are 0. They count through the planes one after the
   * other: the labels, their provenance, the correction (planes.ts). Files of earlier versions have labels only.
   */
  [RecordType.chunk]: { shape: number[]; position: number; blankFrom: number };
  /** All bytes from `blankFrom` on are 0. */
  [RecordType.end]: ISnapshotJson & { blankFrom: number };
  [RecordType.patch]: { shape: number[]; id: string; patch: Omit<LabelPatch, 'session'>; at: string };
  /** `step`: the change is a step that can be undone. */
  [RecordType.classes]: { shape: number[]; classes: LabelClass[]; step?: HistoryStep };
  /**
   * One buffer for each rectangle. `position`: the number of steps that are done since. `classes`: those since, if the step changed them.
   * `step`: the edit is a new step, and none that was undone or made again.
   */
  [RecordType.edit]: {
    shape: number[];
    id: string;
    rects: LayerRect[];
    direction: 'before' | 'after';
    position: number;
    classes?: LabelClass[];
    step?: HistoryStep;
  };
  /** One buffer for each rectangle. `index`: the number of steps that were done before. */
  [RecordType.step]: {
    shape: number[];
    index: number;
    info: HistoryStep;
    rects: LayerRect[];
    classes?: { before: LabelClass[]; after: LabelClass[] };
  };
  [RecordType.move]: { shape: number[]; position: number };
}

/** What both ends of a snapshot say. */
interface ISnapshotJson {
  shape: number[];
  /** Labelled and corrected pixels of each class id in the snapshot. */
  counts: Record<string, number>;
  corrected?: Record<string, number>;
  classes: LabelClass[];
}

/** A record without its version and its serial number. */
export type JournalRecord = {
  [T in RecordType]: { type: T; json: IRecordJson[T]; buffers: Uint8Array[] };
}[RecordType];

/** The head of a record. */
export interface IHead {
  type: RecordType;
  version: number;
  /**
   * Rises by one with each change of labels or classes that the history takes up: it tells which of the journal's changes the file of the
   * history has. Other records have that of the change before.
   */
  serial: number;
  /** Bytes of head and body. */
  bytes: number;
  bodySum: number;
}

/** The bytes of a record, in pieces. */
export function encode(record: JournalRecord, version: number, serial: number): Uint8Array[] {
  const lengths = record.buffers.map(buffer => buffer.byteLength);
  const json = Buffer.from(JSON.stringify({ json: record.json, lengths }));
  const start = Buffer.alloc(4);
  start.writeUInt32LE(json.byteLength, 0);
  const body = [start, json, ...record.buffers];
  const head = Buffer.alloc(HEAD_BYTES);
  const bytes = body.reduce((sum, piece) => sum + piece.byteLength, 0);
  const sum = body.reduce((crc, piece) => crc32(piece, crc), 0);
  head.writeUInt32LE(bytes, 0);
  head[4] = record.type;
  head.writeUInt32LE(version, 5);
  head.writeUInt32LE(serial, 9);
  head.writeUInt32LE(sum, 13);
  head.writeUInt32LE(crc32(head.subarray(0, SUMMED_BYTES)), SUMMED_BYTES);
  return [head, ...body];
}

/** Read the head at `offset`; `undefined` if the bytes there are none, or a damaged one. */
export function readHead(bytes: Buffer, offset: number): IHead | undefined {
  // Comparisons come first: a search tries this at every byte.
  const type = bytes[offset + 4]!;
  if (type < RecordType.begin || type > RecordType.move) {
    return undefined;
  }
  const length = bytes.readUInt32LE(offset);
  if (length < BODY_BYTES_MIN || length > BODY_BYTES_MAX) {
    return undefined;
  }
  const sum = crc32(bytes.subarray(offset, offset + SUMMED_BYTES));
  if (sum !== bytes.readUInt32LE(offset + SUMMED_BYTES)) {
    return undefined;
  }
  return {
    type,
    version: bytes.readUInt32LE(offset + 5),
    serial: bytes.readUInt32LE(offset + 9),
    bytes: HEAD_BYTES + length,
    bodySum: bytes.readUInt32LE(offset + 13)
  };
}

/** Turn an intact body into its record. Throws an Error for a body that {@link encode} did not make. */
export function decode(type: RecordType, body: Buffer): JournalRecord {
  const jsonEnd = 4 + body.readUInt32LE(0);
  const { json, lengths } = JSON.parse(body.toString('utf8', 4, jsonEnd)) as { json: unknown; lengths: number[] };
  let offset = jsonEnd;
  const buffers = lengths.map(length => body.subarray(offset, (offset += length)));
  return { type, json, buffers } as JournalRecord;
}
