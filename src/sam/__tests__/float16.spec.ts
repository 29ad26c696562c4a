import { asHalves, fromFloat16, toFloat16 } from '..';

describe('float16', () => {
  it('keeps every half as it is, there and back', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const back = toFloat16(fromFloat16(all));
    const isNaNHalf = (half: number) => (half & 0x7c00) === 0x7c00 && (half & 1023) !== 0;
    const different = [...all].filter(half => !isNaNHalf(half) && back[half] !== half);
    expect(different).toEqual([]);
    expect([...all].filter(isNaNHalf).every(half => isNaNHalf(back[half]!))).toBe(true);
  });

  it('knows the values of halves', () => {
    const values = fromFloat16(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555, 0x7c00, 0x8000));
    expect([...values]).toEqual([1, -2, 65504, 2 ** -24, 2 ** -14, 0.333251953125, Infinity, -0]);
  });

  it('rounds to the nearest half, and ties to the even one', () => {
    const finite = fromFloat16(Uint16Array.from({ length: 0x7c00 }, (_, i) => i));
    for (let half = 0; half < 0x7bff; half += 97) {
      const [low, high] = [finite[half]!, finite[half + 1]!];
      const middle = (low + high) / 2;
      const even = half % 2 === 0 ? half : half + 1;
      const nudge = (high - low) / 1000;
      expect([...toFloat16([middle, middle - nudge, middle + nudge])]).toEqual([even, half, half + 1]);
    }
  });

  it('turns too large values into infinity and too small ones into zero', () => {
    expect([...toFloat16([65519.9, 65520, 1e30, -1e30, 2 ** -25, 2 ** -25 * 1.01, -1e-30])]).toEqual([
      0x7bff, 0x7c00, 0x7c00, 0xfc00, 0, 1, 0x8000
    ]);
  });

  it('reads bytes that begin at an odd address', () => {
    const bytes = Uint8Array.of(9, 0x00, 0x3c, 0x00, 0xc0);
    expect([...fromFloat16(asHalves(bytes.subarray(1)))]).toEqual([1, -2]);
    expect(() => asHalves(bytes)).toThrow('5 bytes');
  });
});
