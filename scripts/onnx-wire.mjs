/**
 * Just enough of protobuf's wire format to cut an ONNX graph: messages are lists of fields, and what is not looked into
 * stays the bytes it was. Wire format: https://protobuf.dev/programming-guides/encoding; field numbers: onnx.proto3.
 */

/** Field numbers of the ONNX messages that are read or written. */
export const ONNX = {
  model: { graph: 7 },
  graph: { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13 },
  node: { input: 1, output: 2, attribute: 5 },
  attribute: { graph: 6, graphs: 11 },
  tensor: { name: 8 },
  valueInfo: { name: 1, type: 2 },
  type: { tensor: 1 },
  tensorType: { elementType: 1, shape: 2 },
  shape: { dim: 1 },
  dim: { value: 1 }
};

/** ONNX's number for the element type float32. */
export const FLOAT = 1;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const text = new TextDecoder('utf-8', { fatal: true });
const utf8 = new TextEncoder();

/**
 * The fields of a message in their order.
 *
 * @returns a list of `{number, raw, bytes}`: `raw` is the whole field as it stands, `bytes` the payload of a
 * length-delimited field and undefined for numbers.
 */
export function readFields(message) {
  const fields = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (at >= message.length || factor > 2 ** 63) {
        throw new Error(`This is no protobuf message: a number does not end before byte ${at}.`);
      }
      const byte = message[at++];
      value += (byte & 127) * factor;
      if (byte < 128) {
        return value;
      }
    }
  };
  while (at < message.length) {
    const start = at;
    const key = varint();
    const number = Math.floor(key / 8);
    let bytes;
    if (key % 8 === VARINT) {
      varint();
    } else if (key % 8 === BYTES) {
      const length = varint();
      bytes = message.subarray(at, at + length);
      at += length;
    } else if (key % 8 === FIXED64 || key % 8 === FIXED32) {
      at += key % 8 === FIXED64 ? 8 : 4;
    } else {
      throw new Error(`This is no protobuf message: wire type ${key % 8} at byte ${start}.`);
    }
    if (at > message.length) {
      throw new Error(`This is no protobuf message: field ${number} at byte ${start} is longer than the message.`);
    }
    fields.push({ number, raw: message.subarray(start, at), bytes });
  }
  return fields;
}

/** The strings in the fields of this number. */
export function readStrings(fields, number) {
  return fields.filter(field => field.number === number).map(field => text.decode(field.bytes));
}

/** A varint field. */
export function numberField(number, value) {
  return Buffer.from([...varintBytes(number * 8 + VARINT), ...varintBytes(value)]);
}

/** A length-delimited field from a string, bytes, or the fields of a message. */
export function bytesField(number, value) {
  const bytes = typeof value === 'string' ? utf8.encode(value) : Array.isArray(value) ? Buffer.concat(value) : value;
  return Buffer.concat([Buffer.from([...varintBytes(number * 8 + BYTES), ...varintBytes(bytes.length)]), bytes]);
}

/** A ValueInfoProto: the name and shape of a float32 input or output. */
export function floatValueInfo(name, shape) {
  const dims = shape.map(size => bytesField(ONNX.shape.dim, [numberField(ONNX.dim.value, size)]));
  const tensor = [numberField(ONNX.tensorType.elementType, FLOAT), bytesField(ONNX.tensorType.shape, dims)];
  return [
    bytesField(ONNX.valueInfo.name, name),
    bytesField(ONNX.valueInfo.type, [bytesField(ONNX.type.tensor, tensor)])
  ];
}

function varintBytes(value) {
  const bytes = [];
  while (value >= 128) {
    bytes.push((value % 128) | 128);
    value = Math.floor(value / 128);
  }
  bytes.push(value);
  return bytes;
}
