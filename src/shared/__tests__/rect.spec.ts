import { areaOf, overlapArea, overlaps, Rect } from '../rect';

const rect = (row0: number, row1: number, column0: number, column1: number): Rect => ({ row0, row1, column0, column1 });

describe('rectangles', () => {
  const a = rect(2, 6, 10, 20);

  it.each<[string, Rect, number]>([
    ['itself', a, 40],
    ['one inside of it', rect(3, 4, 12, 14), 2],
    ['one around it', rect(0, 100, 0, 100), 40],
    ['one that crosses a corner', rect(5, 9, 18, 30), 2],
    ['one that touches its lower edge', rect(6, 8, 10, 20), 0],
    ['one that touches its left edge', rect(2, 6, 0, 10), 0],
    ['one that lies diagonally off it', rect(7, 9, 30, 40), 0],
    ['one in the same rows, apart', rect(2, 6, 30, 40), 0]
  ])('overlap %s', (_, b, pixels) => {
    expect([overlapArea(a, b), overlapArea(b, a)]).toEqual([pixels, pixels]);
    expect([overlaps(a, b), overlaps(b, a)]).toEqual([pixels > 0, pixels > 0]);
  });

  it('have as many pixels as rows times columns', () => {
    expect(areaOf(a)).toBe(40);
    expect(areaOf(rect(3, 3, 0, 9))).toBe(0);
  });
});
