import { blendWeights, EncoderWindows, wholeView, windowStarts } from '..';
import { MOBILE_SAM } from '../../shared/models/mobile-sam';

const SIDE = 64;

describe('windowStarts', () => {
  it.each([1, 40, 64, 65, 100, 112, 113, 128, 500, 1251])('covers %i cells without a gap and not more', cells => {
    const starts = windowStarts(cells, SIDE);
    expect(starts[0]).toBe(0);
    expect(starts[starts.length - 1]! + SIDE).toBe(Math.max(cells, SIDE));
    for (let i = 1; i < starts.length; i++) {
      expect(starts[i]).toBeGreaterThan(starts[i - 1]!);
      // Rounding to the grid may widen a stride by a cell.
      expect(starts[i]! - starts[i - 1]!).toBeLessThanOrEqual(49);
    }
  });
});

describe('blendWeights', () => {
  it('adds up to one at each cell, and is one where a window is alone', () => {
    for (const cells of [64, 70, 128, 300]) {
      const starts = windowStarts(cells, SIDE);
      const weights = blendWeights(starts, SIDE);
      const sums = new Float64Array(cells);
      const owners = new Uint8Array(cells);
      starts.forEach((start, i) => {
        weights[i]!.forEach((weight, j) => {
          sums[start + j]! += weight;
          owners[start + j]!++;
        });
      });
      expect(Math.max(...sums.map(sum => Math.abs(sum - 1)))).toBeLessThan(1e-12);
      expect(Math.min(...weights.flatMap(list => [...list]))).toBeGreaterThan(0);
      const alone = starts.flatMap((start, i) => [...weights[i]!].filter((_, j) => owners[start + j] === 1));
      expect(alone.every(weight => weight === 1)).toBe(true);
    }
  });

  it('falls linearly over what two windows share', () => {
    const [left, right] = blendWeights([0, 48], SIDE) as [Float64Array, Float64Array];
    for (let i = 0; i < 16; i++) {
      expect(left[48 + i]).toBeCloseTo((15.5 - i) / 16, 12);
      expect(right[i]).toBeCloseTo((i + 0.5) / 16, 12);
    }
  });
});

describe('EncoderWindows', () => {
  it('shows an image that fits as SAM does, whose longer side is the window', () => {
    const windows = new EncoderWindows({ rows: 300, columns: 512 }, 512, MOBILE_SAM);
    expect(windows.count).toBe(1);
    expect(windows.isWhole).toBe(true);
    expect(windows.view(0)).toEqual({
      row0: 0,
      row1: 300,
      column0: 0,
      column1: 512,
      frame: { rows: 600, columns: 1024 }
    });
  });

  it.each([128, 129, 500, 701, 1023, 1024])(
    'shows the whole of an image of %i pixels in a window of its size',
    side => {
      const windows = new EncoderWindows({ rows: side, columns: 100 }, side, MOBILE_SAM);
      expect([windows.count, windows.isWhole]).toEqual([1, true]);
      expect(windows.view(0)).toEqual(wholeView({ rows: side, columns: 100 }, MOBILE_SAM));
      for (const { shape } of Object.values(MOBILE_SAM.encoder.layers)) {
        expect(windows.layer(shape).rows).toBe(shape[1]);
      }
    }
  );

  it('keeps the scale for an image smaller than the window', () => {
    const windows = new EncoderWindows({ rows: 100, columns: 130 }, 256, MOBILE_SAM);
    expect(windows.isWhole).toBe(false);
    expect(windows.view(0)).toEqual({
      row0: 0,
      row1: 100,
      column0: 0,
      column1: 130,
      frame: { rows: 400, columns: 520 }
    });
    const grid = windows.layer([64, 256, 256]);
    expect([grid.cell, grid.rows, grid.columns]).toEqual([1, 100, 130]);
    const output = windows.layer([256, 64, 64]);
    expect([output.cell, output.rows, output.columns]).toEqual([4, 25, 33]);
  });

  it.each([320, 321, 399])('covers a large image with windows of %i pixels that begin on cells', side => {
    const size = { rows: 700, columns: 1000 };
    const windows = new EncoderWindows(size, side, MOBILE_SAM);
    const scale = MOBILE_SAM.encoder.size / side;
    const covered = new Uint8Array(size.rows * size.columns);
    for (let i = 0; i < windows.count; i++) {
      const { row0, row1, column0, column1, frame } = windows.view(i);
      expect(row0 % windows.cell).toBe(0);
      expect(column0 % windows.cell).toBe(0);
      expect(Math.abs(frame.rows / (row1 - row0) - scale)).toBeLessThanOrEqual(0.5 / (row1 - row0));
      expect(Math.abs(frame.columns / (column1 - column0) - scale)).toBeLessThanOrEqual(0.5 / (column1 - column0));
      expect(Math.max(row1 / size.rows, column1 / size.columns)).toBeLessThanOrEqual(1);
      // Pixels that a window shows wholly.
      for (let row = Math.ceil(row0); row < Math.floor(row1); row++) {
        covered.fill(1, row * size.columns + Math.ceil(column0), row * size.columns + Math.floor(column1));
      }
    }
    expect(covered.indexOf(0)).toBe(-1);
  });

  it('says which windows the features of a rectangle depend on, and which overlap', () => {
    const windows = new EncoderWindows({ rows: 300, columns: 777 }, 256, MOBILE_SAM);
    for (const shape of [
      [256, 64, 64],
      [64, 256, 256]
    ] as const) {
      const grid = windows.layer(shape);
      const has = (index: number, row: number, column: number) => {
        const place = grid.place(index);
        const [down, across] = [row - place.row, column - place.column];
        return down >= 0 && down < place.rows && across >= 0 && across < place.columns;
      };
      for (const [row0, row1, column0, column1] of [
        [0, 1, 0, 1],
        [0, 300, 190, 194],
        [250, 300, 700, 777],
        [60, 120, 300, 460]
      ] as const) {
        const needed = new Set<number>();
        for (let row = row0; row < row1; row++) {
          for (let column = column0; column < column1; column++) {
            const at = [row, column].map((pixel, i) =>
              Math.floor(Math.max(0, Math.min([grid.rows, grid.columns][i]! - 1, (pixel + 0.5) / grid.cell - 0.5)))
            );
            for (let i = 0; i < windows.count; i++) {
              if ([0, 1].some(down => [0, 1].some(across => has(i, at[0]! + down, at[1]! + across)))) {
                needed.add(i);
              }
            }
          }
        }
        expect(grid.under({ row0, row1, column0, column1 })).toEqual([...needed].sort((a, b) => a - b));
      }
      for (let i = 0; i < windows.count; i++) {
        const { row, column, rows, columns } = grid.place(i);
        const near = [...Array(windows.count).keys()].filter(other => {
          const its = grid.place(other);
          const meets = (a: number, length: number, b: number, other: number) => a < b + other && b < a + length;
          return meets(row, rows, its.row, its.rows) && meets(column, columns, its.column, its.columns);
        });
        expect(windows.near(i)).toEqual(near);
      }
    }
  });

  it('has samples that depend on one window alone, spread over a large image', () => {
    const windows = new EncoderWindows({ rows: 12_000, columns: 9000 }, 1024, MOBILE_SAM);
    expect(windows.spread).toHaveLength(9);
    for (const index of windows.spread) {
      const sample = windows.sample(index);
      expect(sample.row1 - sample.row0).toBeGreaterThan(256);
      expect(sample.column1 - sample.column0).toBeGreaterThan(256);
      expect(windows.layer([256, 64, 64]).under(sample)).toEqual([index]);
      expect(windows.layer([64, 256, 256]).under(sample)).toEqual([index]);
    }
    const few = new EncoderWindows({ rows: 1400, columns: 900 }, 1024, MOBILE_SAM);
    expect(few.spread).toEqual([0, 1]);
  });

  it('blends windows that agree to the values that they agree on', () => {
    const windows = new EncoderWindows({ rows: 300, columns: 777 }, 256, MOBILE_SAM);
    const grid = windows.layer([128, 128, 128]);
    const truth = (row: number, column: number) => Math.sin(row * 0.3) + column * 0.01;
    const plane = new Float32Array(grid.rows * grid.columns);
    for (let i = 0; i < windows.count; i++) {
      const { row, column } = grid.place(i);
      const says = Float32Array.from({ length: grid.side ** 2 }, (_, at) =>
        truth(row + Math.floor(at / grid.side), column + (at % grid.side))
      );
      grid.add(i, says, plane);
    }
    const wrong = plane.map((value, at) => value - truth(Math.floor(at / grid.columns), at % grid.columns));
    expect(Math.max(...wrong.map(Math.abs))).toBeLessThan(1e-5);
  });
});
