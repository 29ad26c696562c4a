/** Connected parts against a flood fill, on random masks and on shapes that join late. */
import { connectedParts } from '../connected-parts';

/** The number of each sample's part by flooding, from 0 in the order of their first samples; -1 outside. */
function flooded(inside: boolean[], rows: number, columns: number): number[] {
  const of = inside.map(() => -1);
  let count = 0;
  inside.forEach((isIn, start) => {
    if (!isIn || of[start]! >= 0) {
      return;
    }
    const waiting = [start];
    of[start] = count;
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      const column = at % columns;
      const beside = [at - columns, at + columns, column > 0 ? at - 1 : -1, column < columns - 1 ? at + 1 : -1];
      for (const next of beside.filter(each => each >= 0 && each < rows * columns && inside[each] && of[each]! < 0)) {
        of[next] = count;
        waiting.push(next);
      }
    }
    count++;
  });
  return of;
}

describe('connected parts', () => {
  const side = 24;
  const size = { rows: 19, columns: 23 };
  let state = 7;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const spiral = ['#######', '......#', '#####.#', '#...#.#', '#.#.#.#', '#.###.#', '#.....#', '#######'];
  const comb = ['#.#.#.#.#', '#.#.#.#.#', '#########'];

  it('are those of a flood fill, in the same order, inside and outside', () => {
    const masks = [0, 0.2, 0.5, 0.6, 0.8, 1].flatMap(part =>
      Array.from({ length: 5 }, () => Float32Array.from({ length: side * side }, () => (random() < part ? 1 : -1)))
    );
    for (const drawn of [spiral, comb]) {
      const logits = new Float32Array(side * side).fill(-1);
      drawn.forEach((line, row) => [...line].forEach((mark, i) => (logits[row * side + i] = mark === '#' ? 1 : -1)));
      masks.push(logits);
    }
    for (const logits of masks) {
      for (const inside of [true, false]) {
        const chosen = Array.from({ length: size.rows * size.columns }, (_, i) => {
          const logit = logits[Math.floor(i / size.columns) * side + (i % size.columns)]!;
          return logit > 0 === inside;
        });
        const expected = flooded(chosen, size.rows, size.columns);
        const { runs, sizes } = connectedParts(logits, side, size, inside);
        const of = expected.map(() => -1);
        runs.forEach(({ row, from, to, part }) => of.fill(part, row * size.columns + from, row * size.columns + to));
        expect(of).toEqual(expected);
        expect(sizes).toEqual(sizes.map((_, part) => expected.filter(each => each === part).length));
        expect(sizes.length).toBe(Math.max(...expected) + 1);
      }
    }
  });
});
