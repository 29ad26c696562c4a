import { makePalette } from '../lut';
import { outline, polygons } from '../outline';
import { reduceClasses } from '../../labels/reduce';

describe('makePalette', () => {
  it('has the colours as pixels in memory order, transparent for unlabelled', () => {
    const palette = makePalette([{ id: 3, color: '#e69f00' }]);
    expect([...new Uint8Array(palette.buffer, 12, 4)]).toEqual([0xe6, 0x9f, 0x00, 0xff]);
    expect(palette[0]).toBe(0);
  });
});

describe('reduceClasses', () => {
  it('keeps a single labelled pixel visible', () => {
    const ids = new Uint8Array(256 * 256);
    ids[37 * 256 + 201] = 4;
    const reduced = reduceClasses(ids, 3);
    expect(reduced).toHaveLength(32 * 32);
    expect(reduced[4 * 32 + 25]).toBe(4);
    expect(reduced.reduce((sum, id) => sum + id, 0)).toBe(4);
  });
});

describe('outline', () => {
  it('becomes closed polygons: one for a pixel, two for a ring, and each side of a mask once', () => {
    expect(polygons(outline(Uint8Array.of(1), 1, 1))).toEqual([[0, 0, 1, 0, 1, 1, 0, 1]]);
    const ring = Uint8Array.of(1, 1, 1, 1, 0, 1, 1, 1, 1);
    expect(polygons(outline(ring, 3, 3)).map(polygon => polygon.length / 2)).toEqual([4, 4]);
    const saddle = Uint8Array.of(1, 0, 0, 1);
    const length = polygons(outline(saddle, 2, 2)).flatMap(polygon =>
      polygon
        .filter((_, i) => i % 2 === 0)
        .map((x, i) => {
          const n = polygon.length;
          return Math.abs(polygon[(2 * i + 2) % n]! - x) + Math.abs(polygon[(2 * i + 3) % n]! - polygon[2 * i + 1]!);
        })
    );
    expect(length.reduce((sum, one) => sum + one, 0)).toBe(8);
  });

  it('goes around a pixel, and along the edge of the mask', () => {
    const lines = (flat: number[]) => {
      const list: string[] = [];
      for (let i = 0; i < flat.length; i += 4) {
        list.push(flat.slice(i, i + 4).join());
      }
      return list.sort();
    };
    expect(lines(outline(Uint8Array.from([1]), 1, 1))).toEqual(['0,0,0,1', '0,0,1,0', '0,1,1,1', '1,0,1,1']);
    expect(lines(outline(Uint8Array.from([1, 1, 0]), 1, 3))).toEqual(['0,0,0,1', '0,0,2,0', '0,1,2,1', '2,0,2,1']);
  });

  it('has as many edges as pixels that differ from their neighbours', () => {
    const mask = Uint8Array.from({ length: 30 * 20 }, (_, i) => ((i * 2654435761) >>> 13) & 1);
    const at = (r: number, c: number) => (r >= 0 && c >= 0 && r < 30 && c < 20 ? mask[r * 20 + c]! : 0);
    let edges = 0;
    for (let r = 0; r <= 30; r++) {
      for (let c = 0; c <= 20; c++) {
        edges += (at(r, c) !== at(r - 1, c) ? 1 : 0) + (at(r, c) !== at(r, c - 1) ? 1 : 0);
      }
    }
    const flat = outline(mask, 30, 20);
    let length = 0;
    for (let i = 0; i < flat.length; i += 4) {
      length += Math.abs(flat[i + 2]! - flat[i]!) + Math.abs(flat[i + 3]! - flat[i + 1]!);
    }
    expect(length).toBe(edges);
  });
});
