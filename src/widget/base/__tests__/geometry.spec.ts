import { chooseLevel, levelSize, tilesIn, topLevel, ViewTransform } from '../geometry';

describe('ViewTransform', () => {
  const make = () => {
    const view = new ViewTransform({ rows: 100, columns: 400 });
    view.resize(800, 300);
    return view;
  };

  it('starts with the whole image in the middle', () => {
    const view = make();
    expect(view.scale).toBe(2);
    expect(view.toScreen({ x: 0, y: 0 })).toEqual({ x: 0, y: 50 });
    expect(view.toScreen({ x: 400, y: 100 })).toEqual({ x: 800, y: 250 });
  });

  it('converts points to the screen and back', () => {
    const view = make();
    view.zoomAt({ x: 120, y: 80 }, 3.7);
    view.panBy(-33, 12);
    const there = view.toScreen({ x: 17.25, y: 61.5 });
    const back = view.toImage(there);
    expect(back.x).toBeCloseTo(17.25, 10);
    expect(back.y).toBeCloseTo(61.5, 10);
  });

  it('keeps the pixel under the cursor in place when it zooms', () => {
    const view = make();
    const at = { x: 400, y: 150 };
    const before = view.toImage(at);
    view.zoomAt(at, 5);
    expect(view.toImage(at).x).toBeCloseTo(before.x, 10);
    expect(view.toImage(at).y).toBeCloseTo(before.y, 10);
  });

  it('fits the image to a new size until the user zooms', () => {
    const view = make();
    view.resize(400, 300);
    expect(view.scale).toBe(1);
    view.zoomAt({ x: 200, y: 150 }, 2);
    view.resize(800, 300);
    expect(view.scale).toBe(2);
    view.fit();
    view.resize(400, 300);
    expect(view.scale).toBe(1);
  });

  it('keeps the image in view', () => {
    const view = make();
    view.panBy(1e6, -1e6);
    const middle = view.toImage({ x: 400, y: 150 });
    expect(middle.x).toBeGreaterThanOrEqual(0);
    expect(middle.y).toBeLessThanOrEqual(100);
    for (let i = 0; i < 100; i++) {
      view.zoomAt({ x: 0, y: 0 }, 10);
    }
    expect(view.scale).toBe(64);
  });

  it('enlarges a tiny region, centres one beyond the edge, and leaves one that is well in view', () => {
    const view = new ViewTransform({ rows: 4000, columns: 4000 });
    view.resize(500, 400);
    const tiny = { row0: 1000, row1: 1032, column0: 3000, column1: 3032 };
    expect(view.show(tiny)).toBe(true);
    const middle = view.toScreen({ x: 3016, y: 1016 });
    expect([middle.x, middle.y].map(Math.round)).toEqual([250, 200]);
    expect(32 * view.scale).toBeGreaterThan(100);
    const { scale } = view;
    expect(view.show({ row0: 1005, row1: 1037, column0: 3005, column1: 3037 })).toBe(false);
    expect(view.show({ row0: 1300, row1: 1332, column0: 10, column1: 42 })).toBe(true);
    expect(view.scale).toBe(scale);
    expect(view.show({ row0: 0, row1: 1000, column0: 0, column1: 1000 })).toBe(true);
    expect(1000 * view.scale).toBeLessThan(400);
    view.resize(0, 0);
    expect(view.show(tiny)).toBe(false);
  });

  it('gives the pixels in view, clipped to the image', () => {
    const view = make();
    expect(view.visible()).toEqual({ row0: 0, row1: 100, column0: 0, column1: 400 });
    view.zoomAt({ x: 0, y: 50 }, 4);
    expect(view.visible()).toEqual({ row0: 0, row1: 32, column0: 0, column1: 100 });
  });
});

describe('levels and tiles', () => {
  it('rounds the size of a level up', () => {
    expect(levelSize({ rows: 1025, columns: 7 }, 3)).toEqual({ rows: 129, columns: 1 });
  });

  it('ends with the level that fits in one tile', () => {
    expect(topLevel({ rows: 512, columns: 100 })).toBe(0);
    expect(topLevel({ rows: 513, columns: 100 })).toBe(1);
    expect(topLevel({ rows: 20000, columns: 20000 })).toBe(6);
  });

  it('draws no coarser than the screen, and less than twice as fine', () => {
    const image = { rows: 20000, columns: 20000 };
    expect(chooseLevel(image, 1)).toBe(0);
    expect(chooseLevel(image, 0.51)).toBe(0);
    expect(chooseLevel(image, 0.5)).toBe(1);
    expect(chooseLevel(image, 0.26)).toBe(1);
    expect(chooseLevel(image, 8)).toBe(0);
    expect(chooseLevel(image, 0.0001)).toBe(6);
  });

  it('gives the tiles of a region, the middle ones first', () => {
    const tiles = tilesIn({ row0: 0, row1: 1536, column0: 0, column1: 1536 }, 512);
    expect(tiles).toHaveLength(9);
    expect(tiles[0]).toEqual({ row: 1, column: 1 });
    expect(tilesIn({ row0: 511, row1: 513, column0: 1024, column1: 1025 }, 512)).toHaveLength(2);
    expect(tilesIn({ row0: 0, row1: 1024, column0: 0, column1: 1024 }, 512, 1)).toEqual([{ row: 0, column: 0 }]);
    expect(tilesIn({ row0: 5, row1: 5, column0: 0, column1: 9 }, 512)).toEqual([]);
  });
});
