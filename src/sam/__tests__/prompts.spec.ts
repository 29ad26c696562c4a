import { encodePrompts, frameSize } from '..';
import { MOBILE_SAM } from '../../shared/models/mobile-sam';

describe('frameSize', () => {
  it('fills the frame with the longer side and rounds the shorter one', () => {
    expect(frameSize({ rows: 512, columns: 512 }, 1024)).toEqual({ rows: 1024, columns: 1024 });
    expect(frameSize({ rows: 3000, columns: 1999 }, 1024)).toEqual({ rows: 1024, columns: 682 });
    expect(frameSize({ rows: 100, columns: 300 }, 1024)).toEqual({ rows: 341, columns: 1024 });
  });

  it('keeps a side of one pixel in an image that is a line', () => {
    expect(frameSize({ rows: 1, columns: 5000 }, 1024)).toEqual({ rows: 1, columns: 1024 });
  });

  it('refuses an image without pixels', () => {
    expect(() => frameSize({ rows: 0, columns: 5 }, 1024)).toThrow('0 × 5');
  });
});

describe('encodePrompts', () => {
  it('puts the centre of a pixel on the centre of its area in the frame', () => {
    const size = { rows: 512, columns: 256 };
    const { coordinates, labels } = encodePrompts({ points: [{ row: 10, column: 20, label: 1 }] }, size, MOBILE_SAM);
    // The graph adds a half: 41 and 21 are the centres of the 2 × 2 frame pixels that image pixel (10, 20) became.
    expect(coordinates[0]! + 0.5).toBeCloseTo(41, 5);
    expect(coordinates[1]! + 0.5).toBeCloseTo(21, 5);
    expect([...labels]).toEqual([1, -1]);
  });

  it('keeps x before y, the order of the points and their labels, and ends with the pad point', () => {
    const { coordinates, labels } = encodePrompts(
      {
        points: [
          { row: 0, column: 1023, label: 1 },
          { row: 511, column: 0, label: 0 }
        ]
      },
      { rows: 512, columns: 1024 },
      MOBILE_SAM
    );
    expect([...coordinates]).toEqual([1023, 0, 0, 511, 0, 0]);
    expect([...labels]).toEqual([1, 0, -1]);
  });

  it('ends with the corners of the box, at the edges of its pixels, and without a pad point', () => {
    const box = { row0: 8, row1: 16, column0: 32, column1: 64 };
    const points = [{ row: 10, column: 40, label: 0 as const }];
    const size = { rows: 512, columns: 256 };
    const { coordinates, labels } = encodePrompts({ points, box }, size, MOBILE_SAM);
    expect([...labels]).toEqual([0, 2, 3]);
    // Twice as large in the frame, less the half that the graph adds.
    expect([...coordinates].slice(2)).toEqual([63.5, 15.5, 127.5, 31.5]);
    expect([...encodePrompts({ points: [], box }, size, MOBILE_SAM).labels]).toEqual([2, 3]);
  });

  it('names the prompt that is outside the image, and what is wrong otherwise', () => {
    const size = { rows: 10, columns: 20 };
    const encode = (prompts: object) => () => encodePrompts({ points: [], ...prompts }, size, MOBILE_SAM);
    expect(encode({ points: [{ row: 10, column: 3, label: 1 }] })).toThrow('row 10, column 3');
    expect(encode({ points: [{ row: NaN, column: 3, label: 1 }] })).toThrow('row NaN');
    expect(encode({ points: [{ row: 1, column: 3, label: 2 }] })).toThrow('label is 2');
    expect(encode({})).toThrow('0 points');
    const many = Array.from({ length: 65 }, () => ({ row: 1, column: 1, label: 1 as const }));
    expect(encode({ points: many })).toThrow('65 points');
    const box = { row0: 0, row1: 10, column0: 0, column1: 20 };
    expect(encode({ box })).not.toThrow();
    expect(encode({ box: { ...box, row1: 11 } })).toThrow('"row1":11');
    expect(encode({ box: { ...box, column1: 0 } })).toThrow('"column1":0');
    expect(encode({ box, mask: new Float32Array(5) })).toThrow('5 logits');
  });
});
