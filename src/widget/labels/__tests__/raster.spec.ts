import { LABEL_TILE } from '../../../shared';
import { IPoint } from '../../base/geometry';
import { brushRuns, contourRuns, MaskBuilder } from '../raster';

const image = { rows: 300, columns: 520 };

function painted(from: IPoint, to: IPoint, radius: number): Set<string> {
  const pixels = new Set<string>();
  brushRuns(from, to, radius, image, (row, start, end) => {
    for (let column = start; column < end; column++) {
      pixels.add(`${row},${column}`);
    }
  });
  return pixels;
}

/** Every pixel whose centre is within the radius of the segment, one by one. */
function expected(from: IPoint, to: IPoint, radius: number): Set<string> {
  const pixels = new Set<string>();
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length2 = dx * dx + dy * dy;
  for (let row = 0; row < image.rows; row++) {
    for (let column = 0; column < image.columns; column++) {
      const px = column + 0.5 - from.x;
      const py = row + 0.5 - from.y;
      const t = length2 > 0 ? Math.min(Math.max((px * dx + py * dy) / length2, 0), 1) : 0;
      if (Math.hypot(px - t * dx, py - t * dy) <= radius) {
        pixels.add(`${row},${column}`);
      }
    }
  }
  return pixels;
}

describe('brushRuns', () => {
  it.each([
    ['a disc', { x: 100.5, y: 80.5 }, { x: 100.5, y: 80.5 }, 7.5],
    ['a disc between pixels', { x: 33.2, y: 47.9 }, { x: 33.2, y: 47.9 }, 10.3],
    ['a level line', { x: 20.3, y: 60.1 }, { x: 90.8, y: 60.1 }, 6.2],
    ['an upright line', { x: 70.3, y: 10.1 }, { x: 70.3, y: 99.4 }, 4.7],
    ['a slanted line', { x: 12.7, y: 200.3 }, { x: 260.9, y: 31.6 }, 9.1],
    ['a steep line backwards', { x: 250.1, y: 250.2 }, { x: 230.6, y: 20.4 }, 13.3],
    ['a line over the border', { x: -20.2, y: 290.4 }, { x: 60.3, y: 320.7 }, 15.1]
  ])('covers the pixels whose centres are within the radius: %s', (_, from, to, radius) => {
    const want = expected(from, to, radius);
    expect(want.size).toBeGreaterThan(0);
    expect(painted(from, to, radius)).toEqual(want);
  });

  it('covers the pixel under the pointer even with the smallest brush', () => {
    expect(painted({ x: 10.01, y: 20.99 }, { x: 10.01, y: 20.99 }, 0.1)).toEqual(new Set(['20,10']));
  });

  it('paints nothing outside the image', () => {
    expect(painted({ x: -50, y: -50 }, { x: -60, y: -50 }, 8).size).toBe(0);
  });
});

/** Even-odd by pixel centres, one by one: count the edges that a ray to the left meets. */
function inside(contour: IPoint[], x: number, y: number): boolean {
  let odd = false;
  contour.forEach((a, i) => {
    const b = contour[(i + 1) % contour.length]!;
    if (a.y <= y !== b.y <= y) {
      const [top, bottom] = a.y <= b.y ? [a, b] : [b, a];
      odd = odd !== (x - top.x) * (bottom.y - top.y) >= (y - top.y) * (bottom.x - top.x);
    }
  });
  return odd;
}

describe('contourRuns', () => {
  const size = { rows: 40, columns: 60 };
  /** How often each pixel is covered. */
  const cover = (contour: IPoint[]) => {
    const counts = new Uint8Array(size.rows * size.columns);
    contourRuns(contour, size, (row, start, end) => {
      if (start < 0 || end > size.columns) {
        throw new Error(`The run from ${start} to ${end} leaves the image.`);
      }
      for (let column = start; column < end; column++) {
        counts[row * size.columns + column]!++;
      }
    });
    return counts;
  };
  const reference = (contour: IPoint[]) =>
    Uint8Array.from({ length: size.rows * size.columns }, (_, i) =>
      Number(inside(contour, (i % size.columns) + 0.5, Math.floor(i / size.columns) + 0.5))
    );
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;

  it('covers a rectangle between pixel borders, and takes the centres on its upper and left edges only', () => {
    const rectangle = (x0: number, y0: number, x1: number, y1: number) => [
      { x: x0, y: y0 },
      { x: x1, y: y0 },
      { x: x1, y: y1 },
      { x: x0, y: y1 }
    ];
    expect(cover(rectangle(3, 2, 8, 6)).reduce((sum, value) => sum + value)).toBe(20);
    const onCentres = cover(rectangle(3.5, 2.5, 5.5, 3.5));
    expect([...onCentres.keys()].filter(i => onCentres[i])).toEqual([2 * size.columns + 3, 2 * size.columns + 4]);
  });

  it.each([
    ['anywhere', 1e-9],
    ['on pixel centres and borders', 0.5],
    ['on a grid of eighths', 0.125],
    ['on a grid of tenths, where a division rounds over a pixel centre', 0.1]
  ])('equals the plain even-odd rule for contours that cross themselves and the border, with points %s', (_, grid) => {
    for (let round = 0; round < 200; round++) {
      const contour = Array.from({ length: 3 + Math.floor(random() * 12) }, () => ({
        x: Math.round((random() * 80 - 10) / grid) * grid,
        y: Math.round((random() * 60 - 10) / grid) * grid
      }));
      const want = reference(contour);
      for (const points of [contour, [...contour].reverse()]) {
        if (Buffer.compare(cover(points), want) !== 0) {
          throw new Error(`Other pixels are covered for ${JSON.stringify(points)}.`);
        }
      }
    }
  });

  it('covers each pixel once where contours share an edge', () => {
    const corners = [0, 60].flatMap(x => [0, 40].map(y => ({ x, y })));
    const [a, b, d, c] = corners as [IPoint, IPoint, IPoint, IPoint];
    for (let round = 0; round < 50; round++) {
      const middle = { x: Math.round(random() * 120) / 2, y: Math.round(random() * 80) / 2 };
      const parts = [a, b, c, d].map((corner, i, all) => cover([corner, all[(i + 1) % 4]!, middle]));
      expect(parts[0]!.every((_, i) => parts.reduce((sum, part) => sum + part[i]!, 0) === 1)).toBe(true);
    }
  });

  it('covers nothing without an inside', () => {
    const line = [
      { x: 1.2, y: 3.4 },
      { x: 30.1, y: 20.7 }
    ];
    for (const contour of [[], [line[0]!], line]) {
      expect(cover(contour).some(value => value > 0)).toBe(false);
    }
  });
});

describe('MaskBuilder', () => {
  it('sets the most significant bit for the first pixel and splits runs at tiles', () => {
    const mask = new MaskBuilder(image);
    mask.addRun(1, 254, 259);
    const tiles = mask.tiles();
    expect(tiles.map(({ row, column }) => [row, column])).toEqual([
      [0, 0],
      [0, 1]
    ]);
    expect(tiles[0]!.bits[(LABEL_TILE + 248) / 8]).toBe(0b00000011);
    expect(tiles[1]!.bits[LABEL_TILE / 8]).toBe(0b11100000);
  });

  it('clips to the image', () => {
    const mask = new MaskBuilder({ rows: 3, columns: 5 });
    mask.addRun(2, -4, 100);
    mask.addRun(3, 0, 5);
    mask.addRun(-1, 0, 5);
    expect(mask.tiles()).toHaveLength(1);
    const { bits } = mask.tiles()[0]!;
    expect(bits[(2 * LABEL_TILE) / 8]).toBe(0b11111000);
    expect(bits.reduce((sum, byte) => sum + (byte ? 1 : 0), 0)).toBe(1);
  });

  it('adds the pixels of a rectangle', () => {
    const mask = new MaskBuilder(image);
    mask.addMask({ row0: 10, row1: 12, column0: 8, column1: 12 }, Uint8Array.from([1, 0, 1, 1, 0, 0, 0, 1]));
    const { bits } = mask.tiles()[0]!;
    expect(bits[(10 * LABEL_TILE + 8) / 8]).toBe(0b10110000);
    expect(bits[(11 * LABEL_TILE + 8) / 8]).toBe(0b00010000);
  });
});
