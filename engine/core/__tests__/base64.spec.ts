import { fromBase64, toBase64 } from '../base64';
import { randomSource } from '../../__tests__/support/engine';

describe('base64', () => {
  it('agrees with Node in both directions', () => {
    const random = randomSource(5);
    for (let length = 0; length < 100; length++) {
      const bytes = Uint8Array.from({ length }, () => Math.floor(random() * 256));
      const text = toBase64(bytes);
      expect(text).toBe(Buffer.from(bytes).toString('base64'));
      expect(fromBase64(text, length)).toEqual(bytes);
    }
  });

  it.each([
    ['another length', 'AAAA', 2],
    ['unused bits that are set', 'AB==', 1],
    ['a sign that is not in the alphabet', 'AA-A', 3],
    ['a sign beyond Latin 1', 'AAšA', 3],
    ['an end in the middle', 'A=AA', 3],
    ['no end', 'AAA', 2],
    ['letters for the end', 'AAAA', 1]
  ])('is refused with %s', (_, text, bytes) => {
    expect(fromBase64(text, bytes)).toBeUndefined();
  });
});
