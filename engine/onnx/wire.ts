/**
 * Protobuf's wire format, as far as ONNX needs it: fields are written in any order, and read from the outside in, so that what is not
 * looked into stays the bytes it was.
 *
 * https://protobuf.dev/programming-guides/encoding
 */

const enum Wire {
  varint = 0,
  fixed64 = 1,
  bytes = 2,
  fixed32 = 5
}

/** A message that is being written. */
export class Message {
  /** Length of what was written. */
  get length(): number {
    return this._length;
  }

  /** A whole number that is not negative. */
  integer(field: number, value: number): this {
    return this._push(varint(field * 8 + Wire.varint))._push(varint(value));
  }

  float(field: number, value: number): this {
    return this._push(varint(field * 8 + Wire.fixed32))._push(new Uint8Array(Float32Array.of(value).buffer));
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

  /** A field for each text; there are many, and few different ones. */
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

/**
 * The fields of a message that hold bytes (texts, messages, packed lists), in their order; views of it. Numbers are skipped.
 *
 * @returns undefined where the bytes are no message
 */
export function readFields(message: Uint8Array): { field: number; bytes: Uint8Array }[] | undefined {
  const fields: { field: number; bytes: Uint8Array }[] = [];
  let at = 0;
  const number = () => {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 63; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined) {
        return undefined;
      }
      value += (byte & 127) * factor;
      if (byte < 128) {
        return value;
      }
    }
    return undefined;
  };
  while (at < message.length) {
    const key = number();
    if (key === undefined || key < 8 || key > 0xffffffff) {
      return undefined;
    }
    switch (key % 8) {
      case Wire.varint:
        if (number() === undefined) {
          return undefined;
        }
        break;
      case Wire.fixed64:
        at += 8;
        break;
      case Wire.fixed32:
        at += 4;
        break;
      case Wire.bytes: {
        const length = number();
        if (length === undefined || length > message.length - at) {
          return undefined;
        }
        fields.push({ field: Math.floor(key / 8), bytes: message.subarray(at, at + length) });
        at += length;
        break;
      }
      default:
        return undefined;
    }
  }
  return at === message.length ? fields : undefined;
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
