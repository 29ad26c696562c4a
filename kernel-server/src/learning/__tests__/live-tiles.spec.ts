/** Which tiles are made next, and who was sent which. */
import { SliceRect } from '../../../../src/shared/rect';
import { LiveTiles } from '../live-tiles';

const view = (row0: number, row1: number, column0: number, column1: number, slice = 0): SliceRect => ({
  slice,
  row0,
  row1,
  column0,
  column1
});

describe('Tiles of a live round', () => {
  it('are segmented once each, in rectangles; those of a view come first, from its middle outwards', () => {
    const tiles = new LiveTiles([2, 256 * 9 + 1, 256 * 9]);
    const seen = view(0, 256 * 9, 0, 256 * 9, 1);
    const made = new Set<string>();
    const batches = [];
    for (let batch = tiles.next([seen]); batch; batch = tiles.next([seen])) {
      batches.push(batch);
      batch.tiles.forEach(({ row, column }) => {
        const name = `${batch!.slice} ${row} ${column}`;
        expect(made.has(name)).toBe(false);
        made.add(name);
      });
      const { row0, row1, column0, column1 } = batch.region;
      expect(Math.ceil((row1 - row0) / 256) * Math.ceil((column1 - column0) / 256)).toBe(batch.tiles.length);
      tiles.mark(batch);
    }
    expect([made.size, tiles.made, tiles.total]).toEqual([180, 180, 180]);
    expect(batches[0]!.tiles).toContainEqual({ row: 4, column: 4 });
    expect(batches[0]!.tiles.length).toBeLessThanOrEqual(16);
    expect(batches.findIndex(({ slice }) => slice === 0)).toBeGreaterThan(
      batches.map(({ slice }) => slice).lastIndexOf(1)
    );
    expect(Math.max(...batches.map(({ region }) => region.row1))).toBe(256 * 9 + 1);
  });

  it('are complete when all their pixels are segmented, at the edges too', () => {
    const tiles = new LiveTiles([1, 300, 256]);
    expect(tiles.add(0, { row0: 256, row1: 300, column0: 0, column1: 128 })).toBe(false);
    expect(tiles.add(0, { row0: 0, row1: 256, column0: 0, column1: 256 })).toBe(true);
    expect(tiles.add(0, { row0: 256, row1: 300, column0: 128, column1: 256 })).toBe(true);
    expect([tiles.made, tiles.next([])]).toEqual([2, undefined]);
  });

  it('are sent once to each peer that shows them, and never before they are complete', () => {
    const tiles = new LiveTiles([1, 512, 512]);
    const [one, other] = [{}, {}];
    const left = view(0, 512, 0, 100);
    expect(tiles.unsent(one, left)).toEqual([]);
    expect(tiles.covers(left)).toBe(false);
    tiles.mark(tiles.next([left])!);
    expect(tiles.covers(left)).toBe(true);
    expect(tiles.unsent(one, left)).toEqual([
      { row: 0, column: 0 },
      { row: 1, column: 0 }
    ]);
    expect(tiles.unsent(one, left)).toEqual([]);
    expect(tiles.unsent(other, view(300, 400, 0, 512))).toEqual([{ row: 1, column: 0 }]);
  });

  it('near the middle of a view of a whole large image are sent, the others are not', () => {
    const tiles = new LiveTiles([1, 20000, 30000]);
    const all = view(0, 20000, 0, 30000);
    for (let batch = tiles.next([all]); batch && !tiles.covers(all); batch = tiles.next([all])) {
      tiles.mark(batch);
    }
    const sent = tiles.unsent({}, all);
    expect(sent.length).toBeLessThanOrEqual(1024);
    expect(sent.length).toBeGreaterThan(900);
    expect(sent).toContainEqual({ row: 39, column: 58 });
    expect(sent).not.toContainEqual({ row: 0, column: 0 });
    expect(tiles.next([])).toBeDefined();
  });

  it('of a removed slice are dropped', () => {
    const tiles = new LiveTiles([1, 10, 10]);
    const gone = view(0, 10, 0, 10, 3);
    expect([tiles.covers(gone), tiles.unsent({}, gone), tiles.next([gone])?.slice]).toEqual([true, [], 0]);
  });
});
