/**
 * The format of the labels' journal: a magic number, then records, little endian. Each record is a head and a body.
 *
 *     head = [bytes of the body: u32][type: u8][version: u32][CRC-32 of the body: u32][CRC-32 of the head so far: u32]
 *     body = [bytes of the JSON: u32][JSON][buffers]
 *
 * The head has a checksum of its own, so a reader finds the records behind damaged bytes, and knows what a damaged body was.
 * Every record says the shape of the labels, and the version of the labels that it leads to: a missing version is a lost change.
 */
import { MESSAGE_BYTES_MAX } from '../../../src/shared/frames';
import { LabelClass, LabelPatch } from '../../../src/shared/protocol';
import { crc32 } from '../base/crc32';

export const MAGIC = Buffer.from('SLABJ2\r\n', 'latin1');
export const HEAD_BYTES = 17;
/** Bytes of the head that its own checksum covers. */
const SUMMED_BYTES = 13;
const BODY_BYTES_MIN = 6;
/** Most bytes of a body. */
const BODY_BYTES_MAX = MESSAGE_BYTES_MAX + (1 << 20);

/** Types of records. The first three are the snapshot, with which a journal starts. */
export enum RecordType {
  begin = 1,
  chunk = 2,
  end = 3,
  /** A patch of the labels. */
  patch = 4,
  /** New classes. The labels and their version stay. */
  classes = 5
}

/** The JSON of the record types. */
export interface IRecordJson {
  [RecordType.begin]: ISnapshotJson & {
    /** [request id, version, changed] of the latest patches. */
    applied: [string, number, number][];
  };
  /** Labels from byte `position` on, deflated in the buffer. The labels from byte `blankFrom` up to them are 0. */
  [RecordType.chunk]: { shape: number[]; position: number; blankFrom: number };
  /** The labels from byte `blankFrom` on are 0. */
  [RecordType.end]: ISnapshotJson & { blankFrom: number };
  [RecordType.patch]: { shape: number[]; id: string; patch: Omit<LabelPatch, 'session'> };
  [RecordType.classes]: { shape: number[]; classes: LabelClass[] };
}

/** What both ends of a snapshot say. */
interface ISnapshotJson {
  shape: number[];
  /** Labelled pixels of each class id in the snapshot. */
  counts: Record<string, number>;
  classes: LabelClass[];
}

/** A record without its version. */
export type JournalRecord = {
  [T in RecordType]: { type: T; json: IRecordJson[T]; buffers: Uint8Array[] };
}[RecordType];

/** The head of a record. */
export interface IHead {
  type: RecordType;
  version: number;
  /** Bytes of head and body. */
  bytes: number;
  bodySum: number;
}

/** The bytes of a record, in pieces. */
export function encode(record: JournalRecord, version: number): Uint8Array[] {
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
  head.writeUInt32LE(sum, 9);
  head.writeUInt32LE(crc32(head.subarray(0, SUMMED_BYTES)), SUMMED_BYTES);
  return [head, ...body];
}

/** Read the head at `offset`; `undefined` if the bytes there are none, or a damaged one. */
export function readHead(bytes: Buffer, offset: number): IHead | undefined {
  // Comparisons come first: a search tries this at every byte.
  const type = bytes[offset + 4]!;
  if (type < RecordType.begin || type > RecordType.classes) {
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
    bytes: HEAD_BYTES + length,
    bodySum: bytes.readUInt32LE(offset + 9)
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
