import { sampleGreys } from '..';
import { MOBILE_SAM } from '../../shared/models/mobile-sam';
import { Rect } from '../../shared/rect';

/** Greys that rise by 1 a column and by 1000 a row. */
const ramp = ({ row0, row1, column0, column1 }: Rect) => {
  const columns = column1 - column0;
  return Float64Array.from(
    { length: (row1 - row0) * columns },
    (_, i) => 1000 * (row0 + Math.floor(i / columns)) + column0 + (i % columns)
  );
};

describe('sampleGreys', () => {
  it('gives the mean of the pixels of each sample, and repeats the last ones in the padding', () => {
    const greys = sampleGreys({ rows: 256, columns: 512 }, MOBILE_SAM, ramp)!;
    expect(greys).toHaveLength(256 * 256);
    expect(greys[0]).toBe((0 + 1 + 1000 + 1001) / 4);
    expect(greys[3 * 256 + 5]).toBe(1000 * 6.5 + 10.5);
    expect(greys[200 * 256 + 5]).toBe(greys[127 * 256 + 5]);
    const tall = sampleGreys({ rows: 512, columns: 256 }, MOBILE_SAM, ramp)!;
    expect(tall[3 * 256 + 200]).toBe(tall[3 * 256 + 127]);
  });

  it('takes the nearest pixel where samples are smaller, and the middle rows of those that have many', () => {
    const small = sampleGreys({ rows: 64, columns: 64 }, MOBILE_SAM, ramp)!;
    expect([small[0], small[3], small[4], small[4 * 256]]).toEqual([0, 0, 1, 1000]);
    let rows = 0;
    const large = sampleGreys({ rows: 4096, columns: 4096 }, MOBILE_SAM, rect => {
      rows += rect.row1 - rect.row0;
      return new Float32Array((rect.row1 - rect.row0) * 4096).fill(rect.row0);
    })!;
    expect(rows).toBe(4 * 256);
    expect(large[256]).toBe(16 + 6);
  });

  it('gives nothing if greys of a part are not known', () => {
    expect(
      sampleGreys({ rows: 512, columns: 512 }, MOBILE_SAM, rect => (rect.row0 < 300 ? ramp(rect) : null))
    ).toBeNull();
  });
});
