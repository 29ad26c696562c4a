import { LABEL_TILE } from '../../../shared';
import { IPoint } from '../../base/geometry';
import { LabelTiles } from '../label-tiles';
import { brushRuns } from '../raster';
import { Stroke } from '../stroke';

const image = { rows: 600, columns: 520 };

/** Draw a path; each point has the radius of the line to it. */
function draw(path: readonly (IPoint & { radius: number })[]) {
  const tiles = new LabelTiles(image);
  const runs = jest.spyOn(tiles, 'paintRun');
  const areas: [number, number, number, number][] = [];
  const stroke = new Stroke({
    image,
    tiles,
    slice: 0,
    classId: 1,
    replaces: [0],
    made: { provenance: 'hand', tool: 'brush' },
    painted: (_, { row0, row1, column0, column1 }) => areas.push([row0, row1, column0, column1]),
    ended: () => undefined,
    dropped: () => undefined
  });
  path.forEach((to, i) => stroke.line(path[i - 1] ?? to, to, to.radius));
  const painted = runs.mock.calls.reduce((sum, [, start, end]) => sum + end - start, 0);
  const labels = new Set<string>();
  const mask = new Set<string>();
  for (const { row, column } of tiles.refs) {
    tiles.tile(row, column)!.forEach((id, at) => id > 0 && labels.add(place(row, column, at)));
  }
  for (const { row, column, bits } of stroke.patch().tiles) {
    for (let at = 0; at < LABEL_TILE ** 2; at++) {
      if (bits[at >> 3]! & (0x80 >> (at & 7))) {
        mask.add(place(row, column, at));
      }
    }
  }
  return { painted, labels, mask, areas };
}

function place(row: number, column: number, at: number): string {
  return `${row * LABEL_TILE + Math.floor(at / LABEL_TILE)},${column * LABEL_TILE + (at % LABEL_TILE)}`;
}

/** The pixels of all lines of a path. */
function expected(path: readonly (IPoint & { radius: number })[]) {
  const all = new Set<string>();
  path.forEach((to, i) =>
    brushRuns(path[i - 1] ?? to, to, to.radius, image, (row, start, end) => {
      for (let column = start; column < end; column++) {
        all.add(`${row},${column}`);
      }
    })
  );
  return all;
}

let seed = 11;
const random = (from: number, to: number) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return from + (seed / 2 ** 32) * (to - from);
};

describe('A stroke of many lines', () => {
  it('has the pixels of all lines, in the labels and in its patch, whatever path and radius', () => {
    for (let round = 0; round < 8; round++) {
      let at = { x: random(0, 520), y: random(0, 600) };
      const path = Array.from({ length: 12 }, () => {
        at = { x: at.x + random(-60, 60), y: at.y + random(-60, 60) };
        return { ...at, radius: random(0.3, 50) };
      });
      const { labels, mask } = draw(path);
      const want = expected(path);
      expect(labels).toEqual(want);
      expect(mask).toEqual(want);
    }
  });

  it('paints once what a line shares with the line before it', () => {
    const path = Array.from({ length: 30 }, (_, i) => ({ x: 150 + 6 * i, y: 300, radius: 120 }));
    const { painted, labels } = draw(path);
    expect(painted - labels.size).toBeLessThanOrEqual(2 * path.length); // the pixels under the pointer may come twice
  });

  it('tells where it painted', () => {
    const { areas } = draw([
      { x: 100.5, y: 200.5, radius: 10.2 },
      { x: 130.5, y: 200.5, radius: 10.2 }
    ]);
    expect(areas).toEqual([
      [190, 211, 90, 111],
      [190, 211, 103, 141]
    ]);
  });
});
