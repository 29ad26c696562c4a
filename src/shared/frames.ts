/**
 * Messages as bytes. A message is a JSON header and any number of binary buffers; on the wire it is a list of frames,
 * the header first. A message larger than {@link CHUNK_BYTES} travels as several lists of frames, since Jupyter Server
 * closes a websocket at 10 MiB a message. The same frames go over ZeroMQ and, as the buffers of a comm message, over
 * Jupyter's websocket; the Python relay between the two does not look into them.
 */
import { BridgeError } from './errors';
import { Lru } from './lru';

/** The version that `v` in every header names. */
export const PROTOCOL_VERSION = 1;

/** Most bytes of payload in one list of frames. */
export const CHUNK_BYTES = 1 << 20;

/** Most bytes of a message, all its chunks together. */
export const MESSAGE_BYTES_MAX = 256 << 20;

/** Most bytes of a header. Arrays travel as buffers or shared files, never as JSON. */
export const HEADER_BYTES_MAX = 256 << 10;

/** Messages of one peer that may be incomplete at once. Beyond that, the least recently continued one is dropped; its sender retries. */
export const MESSAGES_UNFINISHED_MAX = 16;

/** Frames as they are sent: the header's JSON in UTF-8, then the buffers. */
export type Frames = Uint8Array[];

/** A decoded message: the header is parsed JSON whose form is not checked yet. */
export interface IMessage {
  header: Record<string, unknown>;
  buffers: Uint8Array[];
}

interface IChunk {
  /** Names the message that this is a part of. */
  of: string;
  index: number;
  count: number;
  /** Byte lengths of the frames of the whole message. */
  lengths: number[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
let chunkedMessages = 0;
const chunkPrefix = Math.random().toString(36).slice(2, 10);

/** The lists of frames that carry a message: one, or several if it is larger than `chunkBytes`. */
export function encodeMessage(header: object, buffers: Uint8Array[] = [], chunkBytes = CHUNK_BYTES): Frames[] {
  const head = encoder.encode(JSON.stringify({ v: PROTOCOL_VERSION, ...header }));
  if (head.byteLength > HEADER_BYTES_MAX) {
    throw new BridgeError('too-large', `The header has ${head.byteLength} bytes; at most ${HEADER_BYTES_MAX} will do.`);
  }
  const frames = [head, ...buffers];
  const lengths = frames.map(frame => frame.byteLength);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total > MESSAGE_BYTES_MAX) {
    throw new BridgeError('too-large', `The message has ${total} bytes; at most ${MESSAGE_BYTES_MAX} will do.`);
  }
  if (total <= chunkBytes) {
    return [frames];
  }
  const joined = new Uint8Array(total);
  let offset = 0;
  for (const frame of frames) {
    joined.set(frame, offset);
    offset += frame.byteLength;
  }
  const of = `${chunkPrefix}-${chunkedMessages++}`;
  const count = Math.ceil(total / chunkBytes);
  return Array.from({ length: count }, (_, index) => {
    const chunk: IChunk = { of, index, count, lengths };
    return [
      encoder.encode(JSON.stringify({ v: PROTOCOL_VERSION, chunk })),
      joined.slice(index * chunkBytes, (index + 1) * chunkBytes)
    ];
  });
}

/** Puts the messages of one peer together again. */
export class MessageAssembler {
  /**
   * Take one list of frames.
   *
   * @returns the message that these frames complete, or `undefined` while chunks of it are missing.
   * @throws BridgeError `malformed`, `too-large` or `protocol-version`; the assembler stays usable.
   */
  accept(frames: Frames): IMessage | undefined {
    const header = parseHeader(frames[0]);
    if (!('chunk' in header)) {
      return { header, buffers: frames.slice(1) };
    }
    const chunk = checkChunk(header['chunk']);
    const piece = frames[1];
    if (!piece || frames.length !== 2) {
      throw new BridgeError('malformed', `A chunk has one buffer; this one has ${frames.length - 1}.`);
    }
    let assembly = this._assemblies.get(chunk.of);
    if (!assembly) {
      assembly = {
        chunk,
        pieces: new Array<Uint8Array | undefined>(chunk.count).fill(undefined),
        missing: chunk.count
      };
      this._assemblies.set(chunk.of, assembly);
    }
    if (assembly.chunk.count !== chunk.count) {
      this._assemblies.delete(chunk.of);
      throw new BridgeError('malformed', `Chunks of message ${chunk.of} disagree on their count.`);
    }
    if (!assembly.pieces[chunk.index]) {
      assembly.pieces[chunk.index] = piece;
      assembly.missing--;
    }
    if (assembly.missing > 0) {
      return undefined;
    }
    this._assemblies.delete(chunk.of);
    const whole = split(assembly.pieces as Uint8Array[], assembly.chunk.lengths);
    return { header: parseHeader(whole[0]), buffers: whole.slice(1) };
  }

  private readonly _assemblies = new Lru<
    string,
    { chunk: IChunk; pieces: (Uint8Array | undefined)[]; missing: number }
  >({ limit: MESSAGES_UNFINISHED_MAX });
}

function parseHeader(frame: Uint8Array | undefined): Record<string, unknown> {
  if (!frame) {
    throw new BridgeError('malformed', 'The message has no frame; the first must be its header.');
  }
  if (frame.byteLength > HEADER_BYTES_MAX) {
    throw new BridgeError(
      'too-large',
      `The header has ${frame.byteLength} bytes; at most ${HEADER_BYTES_MAX} will do.`
    );
  }
  let header: unknown;
  try {
    header = JSON.parse(decoder.decode(frame));
  } catch {
    throw new BridgeError('malformed', 'The first frame is not JSON in UTF-8.');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new BridgeError('malformed', 'The header is not a JSON object.');
  }
  const version = (header as { v?: unknown }).v;
  if (version !== PROTOCOL_VERSION) {
    throw new BridgeError(
      'protocol-version',
      `The message speaks protocol version ${JSON.stringify(version) ?? 'none'}; version ${PROTOCOL_VERSION} is spoken here. ` +
        'Restart the kernel and reload the page after an update of SambaLab.'
    );
  }
  return header as Record<string, unknown>;
}

function checkChunk(value: unknown): IChunk {
  const chunk = value as Partial<IChunk> | null;
  const natural = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (
    typeof chunk !== 'object' ||
    chunk === null ||
    typeof chunk.of !== 'string' ||
    chunk.of.length > 64 ||
    !natural(chunk.index) ||
    !natural(chunk.count) ||
    chunk.index >= chunk.count ||
    !Array.isArray(chunk.lengths) ||
    chunk.lengths.length === 0 ||
    !chunk.lengths.every(natural)
  ) {
    throw new BridgeError('malformed', 'A chunk needs of (a name), index < count, and lengths (byte counts).');
  }
  const total = chunk.lengths.reduce((sum, length) => sum + length, 0);
  if (total > MESSAGE_BYTES_MAX || chunk.count > MESSAGE_BYTES_MAX / 1024) {
    throw new BridgeError('too-large', `The message has ${total} bytes; at most ${MESSAGE_BYTES_MAX} will do.`);
  }
  return chunk as IChunk;
}

function split(pieces: Uint8Array[], lengths: number[]): Uint8Array[] {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const joined = new Uint8Array(total);
  let offset = 0;
  for (const piece of pieces) {
    if (offset + piece.byteLength > total) {
      throw new BridgeError('malformed', `The chunks hold more than the ${total} bytes that they announce.`);
    }
    joined.set(piece, offset);
    offset += piece.byteLength;
  }
  if (offset !== total) {
    throw new BridgeError('malformed', `The chunks hold ${offset} bytes and announce ${total}.`);
  }
  let start = 0;
  return lengths.map(length => joined.slice(start, (start += length)));
}
