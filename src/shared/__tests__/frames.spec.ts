import { BridgeError } from '../errors';
import {
  CHUNK_BYTES,
  encodeMessage,
  Frames,
  HEADER_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  MessageAssembler,
  PROTOCOL_VERSION
} from '../frames';

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const random = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => (i * 2654435761) >>> 24);

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof BridgeError ? error.code : String(error);
  }
  return 'nothing was thrown';
}

describe('encodeMessage and MessageAssembler', () => {
  it('carry a small message in one list of frames, its buffers untouched', () => {
    const buffers = [random(10), new Uint8Array(0), random(3000)];
    const parts = encodeMessage({ id: 'a', method: 'ping', params: {} }, buffers);
    expect(parts).toHaveLength(1);
    const message = new MessageAssembler().accept(parts[0]!)!;
    expect(message.header).toEqual({ v: PROTOCOL_VERSION, id: 'a', method: 'ping', params: {} });
    expect(message.buffers).toEqual(buffers);
  });

  it('carry a large message in chunks of at most 1 MiB and put it together again', () => {
    const buffers = [random(2_500_000), random(7), random(1_000_001)];
    const parts = encodeMessage({ re: 'x', result: {} }, buffers);
    expect(parts.length).toBe(Math.ceil((3_500_008 + 30) / CHUNK_BYTES));
    for (const part of parts) {
      expect(part[1]!.byteLength).toBeLessThanOrEqual(CHUNK_BYTES);
    }
    const assembler = new MessageAssembler();
    const messages = parts.map(part => assembler.accept(part));
    expect(messages.slice(0, -1).every(message => message === undefined)).toBe(true);
    expect(messages.at(-1)!.header['re']).toBe('x');
    expect(messages.at(-1)!.buffers).toEqual(buffers);
  });

  it('assemble chunks that arrive out of order, twice, and mixed with other messages', () => {
    const buffers = [random(90)];
    const parts = encodeMessage({ re: 'x', result: {} }, buffers, 32);
    const other = encodeMessage({ re: 'y', result: {} }, [random(80)], 32);
    const assembler = new MessageAssembler();
    const received: Frames[] = [...parts].reverse().flatMap((part, i) => [part, part, other[i] ?? other[0]!]);
    const complete = received.map(frames => assembler.accept(frames)).filter(message => message !== undefined);
    const x = complete.filter(message => message.header['re'] === 'x');
    expect(x[0]!.buffers).toEqual(buffers);
    expect(complete.some(message => message.header['re'] === 'y')).toBe(true);
  });

  it('refuse another version of the protocol by name', () => {
    const assembler = new MessageAssembler();
    expect(codeOf(() => assembler.accept([json({ v: 0, id: 'a' })]))).toBe('protocol-version');
    expect(codeOf(() => assembler.accept([json({ id: 'a' })]))).toBe('protocol-version');
    expect(() => assembler.accept([json({ v: 99 })])).toThrow(/version 99.*version 1 is spoken/);
  });

  it.each([
    ['no frame', []],
    ['no JSON', [new Uint8Array([0xff, 0xfe, 1])]],
    ['a list', [json([1])]],
    ['null', [json(null)]],
    ['a chunk without its buffer', [json({ v: 1, chunk: { of: 'a', index: 0, count: 1, lengths: [1] } })]],
    ['an index beyond the count', [json({ v: 1, chunk: { of: 'a', index: 2, count: 2, lengths: [1] } }), random(1)]],
    ['negative lengths', [json({ v: 1, chunk: { of: 'a', index: 0, count: 1, lengths: [-1] } }), random(1)]],
    ['chunks that hold too little', [json({ v: 1, chunk: { of: 'a', index: 0, count: 1, lengths: [9] } }), random(1)]],
    ['chunks that hold too much', [json({ v: 1, chunk: { of: 'a', index: 0, count: 1, lengths: [1] } }), random(9)]]
  ])('refuse %s as malformed and go on', (_, frames) => {
    const assembler = new MessageAssembler();
    expect(codeOf(() => assembler.accept(frames as Frames))).toBe('malformed');
    expect(assembler.accept(encodeMessage({ re: 'a', result: 1 })[0]!)!.header['re']).toBe('a');
  });

  it('refuse a message that is too large, before they allocate memory for it', () => {
    const assembler = new MessageAssembler();
    const announced = { of: 'a', index: 0, count: 2, lengths: [MESSAGE_BYTES_MAX, 1] };
    expect(codeOf(() => assembler.accept([json({ v: 1, chunk: announced }), random(1)]))).toBe('too-large');
    expect(codeOf(() => assembler.accept([new Uint8Array(HEADER_BYTES_MAX + 1)]))).toBe('too-large');
    expect(codeOf(() => encodeMessage({ text: 'x'.repeat(HEADER_BYTES_MAX) }))).toBe('too-large');
  });

  it('limit the number of incomplete messages', () => {
    const assembler = new MessageAssembler();
    const first = encodeMessage({ re: 'first', result: 1 }, [random(90)], 64);
    assembler.accept(first[0]!);
    for (let i = 0; i < 40; i++) {
      assembler.accept(encodeMessage({ re: `${i}`, result: 1 }, [random(90)], 64)[0]!);
    }
    expect(first.slice(1).map(part => assembler.accept(part))).not.toContainEqual(
      expect.objectContaining({ header: expect.anything() })
    );
  });
});
