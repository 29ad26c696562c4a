import { contourLevel, contoursOf, overHalf } from '../contours';
import { makeRamp } from '../lut';

const SIDE = 4;
const around = { rows: SIDE, columns: SIDE, above: undefined, below: undefined, left: undefined, right: undefined };
const picture = (ids: Uint8Array, side: number) =>
  Array.from({ length: side }, (_, row) => ids.subarray(row * side, (row + 1) * side).join('')).join('\n');
const tile = (text: string) => Uint8Array.from(text.replace(/\s/g, ''), Number);

describe('contoursOf', () => {
  it('draws a line on the inner side of each class, none along the border of the image', () => {
    expect(picture(contoursOf(tile('1111 1112 1112 0222'), SIDE, around), SIDE)).toBe(
      ['0001', '0012', '1112', '0220'].join('\n')
    );
    const inside = { ...around, rows: 3, columns: 3 };
    expect(picture(contoursOf(tile('1110 1110 1110 0000'), SIDE, inside), SIDE)).toBe('0000\n0000\n0000\n0000');
  });

  it('follows classes into the tiles beside it, and knows blank tiles from unknown ones', () => {
    const whole = new Uint8Array(16).fill(1);
    expect(picture(contoursOf(whole, SIDE, { ...around, right: null }), SIDE)).toBe('0001\n0001\n0001\n0001');
    const beside = { ...around, above: tile('1111 1111 1111 1121'), left: whole, below: null };
    expect(picture(contoursOf(whole, SIDE, beside), SIDE)).toBe('0010\n0000\n0000\n1111');
  });

  it('is thinner than a pixel where it is enlarged', () => {
    const two = Uint8Array.from([1, 2, 1, 0]);
    const edges = { ...around, rows: 2, columns: 2 };
    expect(picture(contoursOf(two, 2, edges, 3), 6)).toBe(
      ['001200', '001200', '001222', '001000', '001000', '001000'].join('\n')
    );
  });
});

describe('contourLevel', () => {
  it('keeps a line between 1 and 3 pixels of the screen', () => {
    for (const scale of [0.04, 0.05, 0.3, 0.5, 0.99, 1, 1.4, 2, 2.9, 4, 5.9, 8, 11]) {
      const line = scale * 2 ** contourLevel(scale, -2, 5);
      expect([scale, line >= 0.99 && line < 3.01]).toEqual([scale, true]);
    }
    expect([contourLevel(1e-3, -2, 5), contourLevel(64, -2, 5)]).toEqual([5, -2]);
  });
});

describe('pictures of probability', () => {
  it('go around what is at least one half, or fade a colour', () => {
    expect([...overHalf(Uint8Array.from([0, 127, 128, 255]))]).toEqual([0, 0, 255, 255]);
    const ramp = new Uint8Array(makeRamp('#e69f00').buffer);
    expect([...ramp.subarray(0, 4), ...ramp.subarray(4 * 200, 4 * 201)]).toEqual([
      0xe6, 0x9f, 0, 0, 0xe6, 0x9f, 0, 200
    ]);
  });
});
