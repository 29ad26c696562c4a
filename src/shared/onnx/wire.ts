/**
 * Protobuf's wire format, as far as ONNX needs it: a writer of messages, and a reader that splits a message into its fields. The reader
 * does not look into a field's bytes, so a message can be cut without touching the fields that stay.
 *
 * https://protobuf.dev/programming-guides/encoding; `fields.ts` has ONNX's field numbers.
 */

const enum Wire {
  varint = 0,
  fixed64 = 1,
  bytes = 2,
  fixed32 = 5
}

/** A message under construction. Fields are written in the order of the calls. */
export class Message {
  /** Bytes written so far. */
  get length(): number {
    return this._length;
  }

  /** A whole number that is not negative. */
  integer(field: number, value: number): this {
    return this._push(varint(field * 8 + Wire.varint))._push(varint(value));
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** Bytes are not copied before {@link toBytes}. */
  bytes(field: number, value: Uint8Array): this {
    return this._push(varint(field * 8 + Wire.bytes))
      ._push(varint(value.length))
      ._push(value);
  }

  message(field: number, value: Message): this {
    this._push(varint(field * 8 + Wire.bytes))._push(varint(value.length));
    value._chunks.forEach(chunk => this._push(chunk));
    return this;
  }

  /** A whole field as {@link readFields} gave it. */
  field({ raw }: Pick<IField, 'raw'>): this {
    return this._push(raw);
  }

  /** A field for each text; fast for many texts of which few differ. */
  texts(field: number, values: readonly string[]): this {
    const known = new Map<string, Uint8Array>();
    for (const value of new Set(values)) {
      known.set(value, new Message().text(field, value).toBytes());
    }
    const out = new Uint8Array(values.reduce((length, value) => length + known.get(value)!.length, 0));
    let at = 0;
    for (const value of values) {
      const bytes = known.get(value)!;
      out.set(bytes, at);
      at += bytes.length;
    }
    return this._push(out);
  }

  /** A packed list of whole numbers that are not negative. */
  integers(field: number, values: ArrayLike<number>): this {
    const out = new Uint8Array(values.length * 8);
    let length = 0;
    for (let i = 0; i < values.length; i++) {
      let value = values[i]!;
      while (value >= 128) {
        out[length++] = (value % 128) | 128;
        value = Math.floor(value / 128);
      }
      out[length++] = value;
    }
    return this.bytes(field, out.slice(0, length));
  }

  /** A packed list of floats. */
  floats(field: number, values: Float32Array): this {
    return this.bytes(field, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  toBytes(): Uint8Array {
    const out = new Uint8Array(this._length);
    let at = 0;
    for (const chunk of this._chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }

  private _push(chunk: Uint8Array): this {
    this._chunks.push(chunk);
    this._length += chunk.length;
    return this;
  }

  private readonly _chunks: Uint8Array[] = [];
  private _length = 0;
}

/** A field of a message; both are views of the message. */
export interface IField {
  number: number;
  /** The whole field with its number, for {@link Message.field}. */
  raw: Uint8Array;
  /** The value of a text, a message or a packed list; undefined for other fields. */
  bytes: Uint8Array | undefined;
}

/**
 * The fields of a message in their order.
 *
 * @throws RangeError for bytes that are no message
 */
export function readFields(message: Uint8Array): IField[] {
  const fields: IField[] = [];
  let at = 0;
  const integer = () => {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 63; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined) {
        break;
      }
      value += (byte & 127) * factor;
      if (byte < 128) {
        return value;
      }
    }
    throw notAMessage(`a number does not end before byte ${Math.min(at, message.length)}`);
  };
  while (at < message.length) {
    const start = at;
    const key = integer();
    const number = Math.floor(key / 8);
    if (key < 8 || key > 0xffffffff) {
      throw notAMessage(`a field has the number ${number} at byte ${start}`);
    }
    let bytes: Uint8Array | undefined;
    switch (key % 8) {
      case Wire.varint:
        integer();
        break;
      case Wire.fixed64:
        at += 8;
        break;
      case Wire.fixed32:
        at += 4;
        break;
      case Wire.bytes: {
        const length = integer();
        bytes = message.subarray(at, at + length);
        at += length;
        break;
      }
      default:
        throw notAMessage(`a field has the wire type ${key % 8} at byte ${start}`);
    }
    if (at > message.length) {
      throw notAMessage(`field ${number} at byte ${start} is longer than the message`);
    }
    fields.push({ number, raw: message.subarray(start, at), bytes });
  }
  return fields;
}

/** The texts in the fields of a number. */
export function readTexts(fields: readonly IField[], number: number): string[] {
  return fields.filter(field => field.number === number).map(({ bytes }) => new TextDecoder().decode(bytes));
}

function notAMessage(reason: string): RangeError {
  return new RangeError(`This is no protobuf message: ${reason}.`);
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  while (value >= 128) {
    out.push((value % 128) | 128);
    value = Math.floor(value / 128);
  }
  out.push(value);
  return Uint8Array.from(out);
}
