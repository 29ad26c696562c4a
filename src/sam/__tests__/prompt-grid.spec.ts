/** A grid of points that are decoded ahead. The decoder here sees one disc; the measurement in the page takes the real one. */
import { DEFAULT_MODEL } from '../../shared/models';
import { ICandidates } from '../decoder';
import { PromptGrid } from '../prompt-grid';
import { traitsOf } from '../mask-traits';

const SIZE = { rows: 512, columns: 1024 };
const SIDE = DEFAULT_MODEL.decoder.maskSize;
const DISC = { row: 200, column: 300, radius: 90 };
type Place = { row: number; column: number };
const isInDisc = ({ row, column }: Place) => Math.hypot(row - DISC.row, column - DISC.column) < DISC.radius;

const made = (inside: (sample: Place) => boolean) => {
  const logits = new Float32Array(SIDE * SIDE).fill(-7);
  const scale = SIZE.columns / SIDE;
  for (let row = 0; row < SIZE.rows / scale; row++) {
    for (let column = 0; column < SIDE; column++) {
      const isIn = inside({ row: (row + 0.5) * scale, column: (column + 0.5) * scale });
      logits[row * SIDE + column] = isIn ? 5.5 : -7;
    }
  }
  return logits;
};
const MASKS = { disc: made(isInDisc), ground: made(at => !isInDisc(at)), all: made(() => true) };

/** Small and medium: the disc or the ground, which the point is on; large: the whole image. */
function answer(at: Place): ICandidates {
  const mask = isInDisc(at) ? MASKS.disc : MASKS.ground;
  return { lowRes: [mask, mask, MASKS.all], scores: [0.8, 0.9, 0.7], single: null };
}

function filled(grid: PromptGrid, near?: Place): Place[] {
  const points: Place[] = [];
  for (let at = grid.next(near); at; at = grid.next(near)) {
    points.push(at);
    grid.add(at, answer(at));
  }
  return points;
}

it('gives each point once, coarse ones first, those near the pointer before others', () => {
  const points = filled(new PromptGrid(SIZE, DEFAULT_MODEL), { row: 500, column: 1000 });
  expect(new Set(points.map(({ row, column }) => `${row},${column}`)).size).toBe(points.length);
  // 4 × 8 points, 128 pixels apart.
  expect(points.slice(0, 32).every(({ row, column }) => row % 128 === 64 && column % 128 === 64)).toBe(true);
  expect(points[0]).toEqual({ row: 448, column: 960 });
  expect(points[31]).toEqual({ row: 64, column: 64 });
});

it('is finer only where masks differ', () => {
  const finer = filled(new PromptGrid(SIZE, DEFAULT_MODEL)).slice(32);
  expect(finer.length).toBeGreaterThan(20);
  const reach = (at: Place) => Math.abs(Math.hypot(at.row - DISC.row, at.column - DISC.column) - DISC.radius);
  expect(Math.max(...finer.map(reach))).toBeLessThan(1.5 * 128 * Math.SQRT2);
});

it('answers with the masks of the nearest points that cover the place', () => {
  const grid = new PromptGrid(SIZE, DEFAULT_MODEL);
  expect(grid.near(DISC)).toBeNull();
  filled(grid);
  for (const at of [DISC, { row: 130, column: 310 }, { row: 20, column: 20 }, { row: 500, column: 1020 }]) {
    const [shown, exact] = [grid.near(at)!, answer(at)];
    expect(shown.scores).toEqual(exact.scores);
    shown.lowRes.forEach((logits, scale) =>
      expect(logits.every((logit, i) => logit > 0 === exact.lowRes[scale]![i]! > 0)).toBe(true)
    );
  }
});

it('leaves a scale empty, with a score below 0, if no point nearby has a mask there', () => {
  const grid = new PromptGrid(SIZE, DEFAULT_MODEL);
  const at = { row: 400, column: 900 };
  grid.add(at, answer(at));
  const shown = grid.near(DISC)!; // a point of the ground covers it at the large scale alone
  expect(shown.scores).toEqual([-10, -10, 0.7]);
  expect(shown.lowRes[0]!.some(logit => logit > 0)).toBe(false);
});

it('brings what the scales are judged by, as SAM had the masks at the points; places near one point share its logits', () => {
  const grid = new PromptGrid(SIZE, DEFAULT_MODEL);
  const at = { row: 196, column: 300 };
  grid.add(at, answer(at));
  const [one, other] = [DISC, { row: 150, column: 290 }].map(each => grid.near(each)!);
  const share = (Math.PI * DISC.radius ** 2) / (SIZE.rows * SIZE.columns);
  expect(one!.traits![0]).toEqual({ coverage: expect.closeTo(share, 3), stability: 1, connected: 1, parts: 1 });
  expect(one!.traits![2]).toEqual({ coverage: 1, stability: 1, connected: 1, parts: 1 });
  expect(one!.traits).toEqual(traitsOf(answer(at).lowRes, at, SIZE, DEFAULT_MODEL));
  expect(other!.lowRes[0]).toBe(one!.lowRes[0]);
  // A scale without a mask at the place is judged as empty.
  const ground = grid.near({ row: 20, column: 20 })!;
  expect(ground.traits!.map(({ coverage }) => coverage)).toEqual([0, 0, 1]);
  // What the worker has judged is not judged again.
  const traits = [1, 2, 3].map(n => ({ coverage: n / 10, stability: 0.5, connected: 1, parts: 1 }));
  grid.add(DISC, { ...answer(DISC), traits });
  expect(grid.near(DISC)!.traits).toEqual(traits);
});
