import { makeLut, rangeToSend, shade, toRgba } from '../display-map';

const PLAIN = { gamma: 1, inverse: false };
const grey = (values: number[]) => ({ rows: 1, columns: values.length, channels: 1, dtype: 'uint8' as const });
const BYTES = makeLut(256, { low: 0, high: 255 }, { low: 0, high: 255, ...PLAIN });

describe('shade', () => {
  it('maps the range to black and white, and values beyond it too', () => {
    const range = { low: 1000, high: 2000, ...PLAIN };
    expect([0, 1000, 1250, 1500, 2000, 9e9].map(value => shade(value, range))).toEqual([0, 0, 64, 128, 255, 255]);
  });

  it('is 255 · t^gamma, and 255 less that if inverted', () => {
    const square = { low: 0, high: 100, gamma: 2, inverse: false };
    expect([0, 25, 50, 75, 100].map(value => shade(value, square))).toEqual([0, 16, 64, 143, 255]);
    expect([0, 25, 50, 75, 100].map(value => shade(value, { ...square, gamma: 0.5 }))).toEqual([0, 128, 180, 221, 255]);
    expect([0, 25, 50, 75, 100].map(value => shade(value, { ...square, inverse: true }))).toEqual([
      255, 239, 191, 112, 0
    ]);
  });
});

describe('makeLut', () => {
  it('leaves bytes as they are by default', () => {
    expect([...BYTES]).toEqual(Array.from({ length: 256 }, (_, i) => i));
  });

  it('shows 16-bit tiles of one range in another, without missing a shade', () => {
    const lut = makeLut(65536, { low: 100, high: 356 }, { low: 200, high: 201, ...PLAIN });
    expect([lut[0], lut[65535]]).toEqual([0, 255]);
    expect(new Set(lut).size).toBe(256);
    expect(lut[Math.round((100.5 / 256) * 65535)]).toBe(128);
  });
});

describe('rangeToSend', () => {
  const usual = { low: 0, high: 1000 };
  it('is the usual range while its steps are fine enough, else what is shown', () => {
    expect(rangeToSend(usual, { low: 400, high: 410 })).toEqual(usual);
    expect(rangeToSend(usual, { low: 400, high: 403 })).toEqual({ low: 400, high: 403 });
    expect(rangeToSend(usual, { low: -50, high: 900 })).toEqual({ low: -50, high: 1000 });
    expect(rangeToSend(usual, { low: 1e6, high: 1e6 + 1 })).toEqual({ low: 1e6, high: 1e6 + 1 });
  });
});

describe('toRgba', () => {
  it('shows grey, colour and 16-bit pixels', () => {
    expect([...toRgba(Uint8Array.from([7, 200]), grey([7, 200]), BYTES)]).toEqual([7, 7, 7, 255, 200, 200, 200, 255]);
    const colour = toRgba(Uint8Array.from([1, 2, 3]), { rows: 1, columns: 1, channels: 3, dtype: 'uint8' }, BYTES);
    expect([...colour]).toEqual([1, 2, 3, 255]);
    // At an odd address, as it may lie in a message.
    const bytes = Uint8Array.from([9, 0xff, 0xff]).subarray(1);
    const lut = makeLut(65536, { low: 0, high: 1 }, { low: 0, high: 1, ...PLAIN });
    const wide = toRgba(bytes, { rows: 1, columns: 1, channels: 1, dtype: 'uint16' }, lut);
    expect([...wide]).toEqual([255, 255, 255, 255]);
  });

  it('leaves channels out, and shows one alone in grey', () => {
    const pixel = Uint8Array.from([10, 20, 30]);
    const tile = { rows: 1, columns: 1, channels: 3, dtype: 'uint8' as const };
    expect([...toRgba(pixel, tile, BYTES, [true, false, true])]).toEqual([10, 0, 30, 255]);
    expect([...toRgba(pixel, tile, BYTES, [false, true, false])]).toEqual([20, 20, 20, 255]);
    const inverse = makeLut(256, { low: 0, high: 255 }, { low: 0, high: 255, gamma: 1, inverse: true });
    expect([...toRgba(pixel, tile, inverse)]).toEqual([245, 235, 225, 255]);
  });

  it('refuses a tile whose bytes do not fit its size', () => {
    expect(() => toRgba(new Uint8Array(3), { rows: 2, columns: 2, channels: 1, dtype: 'uint8' }, BYTES)).toThrow(
      /has 4 bytes, but this one has 3/
    );
  });
});
