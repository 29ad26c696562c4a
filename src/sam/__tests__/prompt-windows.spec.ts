/** The windows that serve prompts: for each view and pixel. */
import { windowAt, windowsFor, windowSide } from '..';
import { areaOf, overlapArea, Rect } from '../../shared/rect';

const SEEN: Rect = { row0: 100, row1: 4100, column0: 30, column1: 6030 };

/** A view of so many rows and columns. */
const view = (rows: number, columns: number): Rect => ({
  row0: 500,
  row1: 500 + rows,
  column0: 700,
  column1: 700 + columns
});

describe('windowSide', () => {
  it('is the one that is nearest to the view', () => {
    expect([20, 256, 257, 800, 1500, 2048].map(side => windowSide(SEEN, view(10, side)))).toEqual([
      256, 256, 256, 1024, 2048, 2048
    ]);
    expect(windowSide(SEEN, view(800, 10))).toBe(1024);
  });

  it('is null if the view shows most of the image, or none of it', () => {
    expect(windowSide(SEEN, view(10, 4097))).toBeNull(); // windows of 8192 pixels would be larger than the image
    expect(windowSide({ row0: 0, row1: 700, column0: 0, column1: 700 }, view(300, 300))).toBeNull();
    expect(windowSide({ row0: 0, row1: 480, column0: 0, column1: 480 }, view(10, 10))).toBeNull();
  });
});

describe('windowAt', () => {
  it.each([256, 1024])(
    'gives each pixel a window of %i pixels that shows it with a quarter of the side around it',
    side => {
      for (let row = SEEN.row0; row < SEEN.row1; row += 61) {
        for (let column = SEEN.column0; column < SEEN.column1; column += 97) {
          const window = windowAt(SEEN, side, row, column);
          expect([window.row1 - window.row0, window.column1 - window.column0]).toEqual([side, side]);
          const around = {
            row0: Math.max(SEEN.row0, row - side / 4 + 1),
            row1: Math.min(SEEN.row1, row + side / 4),
            column0: Math.max(SEEN.column0, column - side / 4 + 1),
            column1: Math.min(SEEN.column1, column + side / 4)
          };
          expect(overlapArea(window, SEEN)).toBe(areaOf(window));
          expect(overlapArea(window, around)).toBe(areaOf(around));
        }
      }
    }
  );

  it('is as high as an image that is lower', () => {
    const low = { row0: 0, row1: 100, column0: 0, column1: 3000 };
    expect(windowAt(low, 256, 50, 2990)).toEqual({ row0: 0, row1: 100, column0: 2744, column1: 3000 });
  });
});

describe('windowsFor', () => {
  it('are those that serve the pixels of a view, that of the given pixel first', () => {
    const seen = view(600, 900);
    const windows = windowsFor(SEEN, 1024, seen, 1050, 1500);
    expect(windows[0]).toEqual(windowAt(SEEN, 1024, 1050, 1500));
    const expected = new Set<string>();
    for (let row = seen.row0; row < seen.row1; row += 1) {
      for (const column of [seen.column0, 1053, 1054, 1565, 1566, seen.column1 - 1]) {
        expected.add(JSON.stringify(windowAt(SEEN, 1024, row, column)));
      }
    }
    expect(new Set(windows.map(window => JSON.stringify(window)))).toEqual(expected);
    expect(windows).toHaveLength(expected.size);
  });
});
